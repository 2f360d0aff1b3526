/*
 * mibs/value.h - object identifiers, values and refusals, as every door hands them over.
 *
 * A struct mib_value borrows what it points to; who keeps a value copies it. SNMP's exceptions and
 * error-status values (RFC 3416 section 3) have their names here once; agentx/ maps them by table.
 */
#ifndef MIBS_VALUE_H
#define MIBS_VALUE_H

#include "mibs/schema.h"

#define MIB_MUST_CHECK __attribute__((warn_unused_result))

/** What became of a request. The SNMP names and meanings of RFC 3416 section 3 and 4.2.5. */
enum mib_err {
	MIB_OK = 0,
	MIB_NO_SUCH_OBJECT,	/* exception: we have no object of that name */
	MIB_NO_SUCH_INSTANCE,	/* exception: the object is ours, the instance is not there */
	MIB_END_OF_VIEW,	/* exception: nothing after that name */
	MIB_NO_ACCESS,
	MIB_NOT_WRITABLE,
	MIB_WRONG_TYPE,
	MIB_WRONG_LENGTH,
	MIB_WRONG_ENCODING,
	MIB_WRONG_VALUE,
	MIB_NO_CREATION,
	MIB_INCONSISTENT_NAME,
	MIB_INCONSISTENT_VALUE,
	MIB_RESOURCE_UNAVAILABLE,
	MIB_COMMIT_FAILED,
	MIB_UNDO_FAILED,
	MIB_GEN_ERR,
	MIB_BUSY,		/* another transaction is staged; wait for it, see store.h */
};

/** @return "wrongValue" and so on, as SNMP spells it. */
const char *mib_err_name(enum mib_err err);

/** An OID, or an index (the part after the column), by value. */
struct mib_oid {
	size_t len;
	uint32_t ids[MIB_OID_MAX];
};

/** -1, 0, 1 in lexicographic order, RFC 3416 4.2.2. */
int mib_oid_cmp(const uint32_t *a, size_t a_len, const uint32_t *b, size_t b_len);

/** Appends n sub-identifiers. @return false, o untouched, when it would grow over MIB_OID_MAX. */
MIB_MUST_CHECK bool mib_oid_append(struct mib_oid *o, const uint32_t *ids, size_t n);

/** One value, of the wire's syntax. Borrows what it points to. */
struct mib_value {
	enum mib_syntax syntax;
	union {
		int64_t number;		/* INTEGER, UNSIGNED, COUNTER32, TIMETICKS */
		uint64_t counter64;	/* COUNTER64 */
		struct {
			const uint8_t *data;
			size_t len;
		} octets;		/* OCTETS, BITS */
		struct {
			const uint32_t *ids;
			size_t len;
		} oid;			/* OID */
	};
};

static inline struct mib_value mib_value_integer(int32_t n)
{
	return (struct mib_value){ .syntax = MIB_SYN_INTEGER, .number = n };
}

static inline struct mib_value mib_value_unsigned(uint32_t n)
{
	return (struct mib_value){ .syntax = MIB_SYN_UNSIGNED, .number = n };
}

static inline struct mib_value mib_value_counter64(uint64_t n)
{
	return (struct mib_value){ .syntax = MIB_SYN_COUNTER64, .counter64 = n };
}

static inline struct mib_value mib_value_octets(const void *data, size_t len)
{
	return (struct mib_value){ .syntax = MIB_SYN_OCTETS,
				   .octets = { (const uint8_t *)data, len } };
}

static inline struct mib_value mib_value_oid(const uint32_t *ids, size_t len)
{
	return (struct mib_value){ .syntax = MIB_SYN_OID, .oid = { ids, len } };
}

/**
 * Same syntax and same content? Octets of secrets are compared in constant time. Of BITS the bits count, not
 * how many octets without any follow (RFC 2578 7.1.4).
 */
bool mib_value_equal(const struct mib_value *a, const struct mib_value *b);

/** Why a request was refused, in words for a person. One text for SNMP's log, XML and ipspctl. */
struct mib_diag {
	size_t varbind;		/* which assignment of the transaction, from 1; 0: none */
	char object[160];	/* "spdRuleDefFilter.\"web\"": column and instance */
	char text[320];		/* what is wrong and what would be right, with the RFC clause */
};

/** Fills object (column name and printable instance; col may be NULL) and text. d may be NULL. */
void mib_diag_set(struct mib_diag *d, const struct mib_column *col, const uint32_t *index,
		  size_t index_len, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** Most octets of a BITS value: mibgen allows no bit above 255. */
#define MIB_BITS_OCTETS 32

/** Room for a value of BITS. */
struct mib_bits {
	struct mib_value value;
	uint8_t octets[MIB_BITS_OCTETS];
};

/**
 * What a value that came over SNMP is: itself, but for BITS without the spare bits of the last octet,
 * which RFC 3416 2.5 has ignored on receipt. Judges nothing.
 * @return v, or a copy in *room, which has to live as long as it is used
 */
const struct mib_value *mib_value_received(const struct mib_column *col, const struct mib_value *v,
					   struct mib_bits *room);

/**
 * Is this value of the column's syntax, size, range, label set (RFC 2578 9, 7.1) and encoding
 * (text: UTF-8 without what XML forbids)? Says nothing of access or of other rows.
 * @return MIB_OK; MIB_WRONG_TYPE, MIB_WRONG_LENGTH, MIB_WRONG_ENCODING, MIB_WRONG_VALUE with *d
 */
MIB_MUST_CHECK enum mib_err mib_value_check(const struct mib_column *col,
					    const struct mib_value *v, struct mib_diag *d);

/*
 * Indexes, RFC 2578 7.7. Strings carry their length first: no index here is IMPLIED or of fixed
 * size unless its ranges say so.
 */

/**
 * Splits an index into one value per index column. Values borrow from *scratch.
 * @return MIB_OK; MIB_NO_CREATION, with *d, when a part is malformed, out of range or not XML text
 */
struct mib_index_scratch {
	uint8_t octets[MIB_OID_MAX];
	uint32_t ids[MIB_OID_MAX];
};

#define MIB_INDEX_MAX 8	/* index columns of any one table */

MIB_MUST_CHECK enum mib_err mib_index_decode(const struct mib_table *t, const uint32_t *index,
					     size_t len, struct mib_value out[MIB_INDEX_MAX],
					     struct mib_index_scratch *scratch,
					     struct mib_diag *d);

/** Builds an index of the first n index columns. @return false: too long for an OID. */
MIB_MUST_CHECK bool mib_index_encode(const struct mib_table *t, const struct mib_value *parts,
				     size_t n, struct mib_oid *out);

/** Appends one index part to *out, as index column `part` has it. @return false: too long. */
MIB_MUST_CHECK bool mib_index_encode_part(const struct mib_column *part, const struct mib_value *v,
					  struct mib_oid *out);

/*
 * Text forms, the same at the command line, in logs and in XML (RFC 6643 section 5).
 */

/**
 * Prints a value as a person and XML read it: labels for enumerations and BITS ("a b"), dotted
 * OIDs, DISPLAY-HINT text where the type has one, hexadecimal or base64 octets otherwise.
 * @param xml   RFC 6643 form (binary octets in base64) instead of command-line form (hex)
 * @return length it has (as snprintf): at or over size means it was cut
 */
size_t mib_value_print(const struct mib_column *col, const struct mib_value *v, bool xml,
		       char *buf, size_t size);

/**
 * Reads what mib_value_print writes, for that column; command-line form also takes numbers for
 * labels, object names with instances ("spdTrueFilter.0", "spdCompFiltDescription.\"web\"") for
 * OIDs, and addresses and prefixes as text for InetAddress columns.
 * @param space  what octets and OIDs are stored in; *v borrows from it
 * @return MIB_OK; MIB_WRONG_TYPE, MIB_WRONG_LENGTH, MIB_WRONG_VALUE with *d
 */
MIB_MUST_CHECK enum mib_err mib_value_parse(const struct mib_column *col, const char *text,
					    bool xml, void *space, size_t space_size,
					    struct mib_value *v, struct mib_diag *d);

/** Prints an index as at the command line: "wan-out",100. As snprintf. */
size_t mib_index_print(const struct mib_table *t, const uint32_t *index, size_t len, char *buf,
		       size_t size);

/** Reads that form (strings may be bare words). @return MIB_OK or MIB_NO_CREATION with *d. */
MIB_MUST_CHECK enum mib_err mib_index_parse(const struct mib_table *t, const char *text,
					    struct mib_oid *out, struct mib_diag *d);

/** Prints "name.instance" for an OID of ours, dotted numbers for any other. As snprintf. */
size_t mib_oid_print(const uint32_t *oid, size_t len, char *buf, size_t size);

#endif
