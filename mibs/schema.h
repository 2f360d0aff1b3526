/*
 * mibs/schema.h - what the MIB modules say, as C data.
 *
 * The generator (mibs/mibgen.py) reads the module files here and emits these descriptors; nothing
 * a module text states is written a second time by hand. Every door (SNMP, XML, command line,
 * store) walks them. All descriptors are constant and live as long as the program.
 *
 * Scalars are tables too: the scalars below one parent node form a table whose entry OID is that
 * parent, whose column ids are the scalars' last arcs, and whose only row has the index {0}. So
 * entry OID + column id + index is the instance OID of every object, scalar or column.
 *
 * The generated "mibs/schema_gen.h" names every table (mib_t_spdRuleDefinitionTable), the position
 * of every column (MIB_C_spdRuleDefFilter) and the number of every label (MIB_L_TruthValue_true).
 *
 * RFC 2578 (SMIv2), RFC 2579 (textual conventions), RFC 6643 (names used by XML).
 */
#ifndef MIBS_SCHEMA_H
#define MIBS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest OID of an SNMP object, RFC 2578 3.5. */
#define MIB_OID_MAX 128

/** The type on the wire. Enumerations are MIB_SYN_INTEGER, BITS are octet strings on the wire. */
enum mib_syntax {
	MIB_SYN_INTEGER,	/* Integer32, INTEGER: signed 32 bits */
	MIB_SYN_UNSIGNED,	/* Unsigned32, Gauge32 */
	MIB_SYN_COUNTER32,
	MIB_SYN_COUNTER64,
	MIB_SYN_TIMETICKS,
	MIB_SYN_OCTETS,		/* OCTET STRING */
	MIB_SYN_BITS,		/* BITS */
	MIB_SYN_OID,		/* OBJECT IDENTIFIER */
};

/** Textual conventions that carry a meaning the code acts on; all others are MIB_TC_NONE. */
enum mib_tc {
	MIB_TC_NONE,
	MIB_TC_ROW_STATUS,
	MIB_TC_STORAGE_TYPE,
	MIB_TC_TIME_STAMP,
	MIB_TC_TRUTH_VALUE,
	MIB_TC_ADMIN_STRING,	/* SnmpAdminString: UTF-8 */
	MIB_TC_VARIABLE_POINTER,
	MIB_TC_INET_ADDRESS_TYPE,
	MIB_TC_INET_ADDRESS,
	MIB_TC_INTERFACE_INDEX,	/* InterfaceIndexOrZero too: ranges tell them apart */
	MIB_TC_IDENTITY_FILTER,	/* IpsaIdentityFilter: UTF-8 too */
	MIB_TC_TIME_PERIOD,	/* SpdTimePeriod */
};

/** MAX-ACCESS, ordered: each includes what stands before it from READ on. */
enum mib_access {
	MIB_ACC_NONE,		/* not-accessible: an index */
	MIB_ACC_NOTIFY,		/* accessible-for-notify */
	MIB_ACC_READ,		/* read-only */
	MIB_ACC_WRITE,		/* read-write */
	MIB_ACC_CREATE,		/* read-create */
};

/** One label of an enumeration (its value) or of a BITS type (its bit number, 0 first). */
struct mib_label {
	const char *name;
	int32_t number;
};

/** One allowed interval, both ends included: of values, or of sizes in octets. */
struct mib_range {
	int64_t min;
	int64_t max;
};

enum mib_def_kind {
	MIB_DEF_NONE,
	MIB_DEF_NUMBER,		/* number */
	MIB_DEF_OCTETS,		/* octets, len */
	MIB_DEF_OID,		/* oid, len sub-identifiers */
};

/** A DEFVAL clause; BITS defaults are given as octets. */
struct mib_default {
	enum mib_def_kind kind;
	int64_t number;
	const uint8_t *octets;
	const uint32_t *oid;
	size_t len;
};

struct mib_table;

/** One column, or one scalar. */
struct mib_column {
	uint32_t id;			/* last arc */
	const char *name;
	enum mib_syntax syntax;
	enum mib_tc tc;
	const char *type_name;		/* as the module writes it: "SnmpAdminString" */
	const char *type_module;	/* that defines type_name; NULL: a base type of SMIv2 */
	enum mib_access access;
	const struct mib_range *ranges;	/* of values or, for octets, of sizes; in rising order */
	size_t n_ranges;		/* 0: only the syntax limits it */
	const struct mib_label *labels;	/* enumeration or BITS; NULL otherwise */
	size_t n_labels;
	struct mib_default def;
	const char *units;		/* NULL: none */
	const char *hint;		/* DISPLAY-HINT; NULL: none */
	const struct mib_table *table;	/* the table it stands in */
	size_t pos;			/* position in table->columns */
};

/** A table, or the scalars below one node (is_scalars). */
struct mib_table {
	const char *name;		/* "spdRuleDefinitionTable"; scalars: parent's name */
	const char *entry_name;		/* "spdRuleDefinitionEntry"; scalars: NULL */
	const char *module;		/* "IPSEC-SPD-MIB" */
	const uint32_t *entry_oid;	/* OID of the entry; scalars: of the parent node */
	size_t entry_oid_len;
	const struct mib_column *columns;	/* by rising id, indexes that stand here included */
	size_t n_columns;
	/** May be columns of other tables; none is IMPLIED. Those of the base where this augments. */
	const struct mib_column *const *index;
	size_t n_index;
	const struct mib_table *augments;	/* base whose rows these columns extend; or NULL */
	bool is_scalars;
	size_t number;			/* position in mib_tables, and so rising with entry_oid */
};

/** A NOTIFICATION-TYPE. */
struct mib_notification {
	const char *name;
	const char *module;
	const uint32_t *oid;
	size_t oid_len;
	const struct mib_column *const *objects;
	size_t n_objects;
};

/** A module: one AgentX registration, one XML namespace. */
struct mib_module {
	const char *name;
	const uint32_t *oid;		/* MODULE-IDENTITY; for a subset: the subtree we serve */
	size_t oid_len;
	const char *last_updated;	/* "2026-11-21": YANG revision and XML schema version */
};

/** All tables in OID order of their entries; generated. */
extern const struct mib_table *const mib_tables[];
extern const size_t mib_n_tables;
extern const struct mib_notification mib_notifications[];
extern const size_t mib_n_notifications;
extern const struct mib_module mib_modules[];
extern const size_t mib_n_modules;

/** @return the table of that name ("spdRuleDefinitionTable"), or NULL. */
const struct mib_table *mib_table_by_name(const char *name);

/** @return the column or scalar of that name, in any table, or NULL. */
const struct mib_column *mib_column_by_name(const char *name);

/** @return the column with that id in that table, or NULL. */
const struct mib_column *mib_table_column(const struct mib_table *t, uint32_t id);

/** @return the column with that meaning (ROW_STATUS, STORAGE_TYPE, TIME_STAMP), or NULL. */
const struct mib_column *mib_table_column_tc(const struct mib_table *t, enum mib_tc tc);

/**
 * Which table does this OID fall into? Exact or deeper than the entry.
 * @return the table, with *col (NULL: no such column) and the rest as *index; or NULL.
 */
const struct mib_table *mib_table_by_oid(const uint32_t *oid, size_t len,
					 const struct mib_column **col, const uint32_t **index,
					 size_t *index_len);

/** @return the label's name for that number, or NULL. */
const char *mib_label_name(const struct mib_column *col, int32_t number);

/** @return true and *number when the column has a label of that name. */
bool mib_label_number(const struct mib_column *col, const char *name, int32_t *number);

#endif
