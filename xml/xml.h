/*
 * xml/xml.h - the MIB state as XML, in the encoding of RFC 6643 (SMIv2 to YANG) and RFC 7950 9.
 *
 *   <data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
 *     <IPSEC-SPD-MIB xmlns="urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB">
 *       <spdLocalConfigObjects>                           scalars, in their parent's container
 *         <spdIngressPolicyGroupName>..</..>
 *       <spdRuleDefinitionTable>                          one container a table,
 *         <spdRuleDefinitionEntry>                        one list entry a row, keys first
 *           <spdRuleDefName>web</spdRuleDefName> ..
 *
 * Columns of a table that augments another stand in the base table's entry, in their own module's
 * namespace. Configuration is written; read-only and observed objects are not, secrets only sealed, in
 * an element of their own (xml/parse_sealed.c). Nothing here knows a table by name.
 */
#ifndef XML_XML_H
#define XML_XML_H

#include "mibs/file_seal.h"
#include "mibs/store.h"

/**
 * Writes the whole configuration. Same state and key, same octets.
 * @param fd    written from its current position; stays open. Should not block.
 * @param seal  seals the secrets, in an element behind the modules; NULL: there is none of them
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d: no memory or write failed
 */
MIB_MUST_CHECK enum mib_err xml_export(struct mib_store *s, int fd, struct mib_file_seal *seal,
				       struct mib_diag *d);

/** The XML namespace of a module, RFC 6643 4: into buf, as snprintf. */
size_t xml_namespace(const char *module, char *buf, size_t size);

#endif
