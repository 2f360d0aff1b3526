/*
 * ipspd/import_wire.h - what a file says (xml/sink.h), as octets from the import process to the
 * agent.
 *
 *	agent			import
 *	  |--- IMPORT_JOB ------->|	a file's descriptor, or a URL
 *	  |<-- IMPORT_OCTETS .. --|	records, cut anywhere
 *	  |<-- IMPORT_DONE -------|	all of them, or
 *	  |<-- IMPORT_REFUSED ----|	why not: nothing of the file is to be used
 *
 * A record begins with its kind in one octet; numbers have the highest octet first. The import
 * process may have been taken over by the file it reads: the agent's reader checks every number, and
 * the order of records, before anyone else sees them.
 */
#ifndef IPSPD_IMPORT_WIRE_H
#define IPSPD_IMPORT_WIRE_H

#include "chan/chan.h"
#include "xml/import.h"

enum import_message {
	IMPORT_JOB = 1,		/* u32 seconds, text URL (empty: the file that comes along), fd */
	IMPORT_OCTETS,		/* records */
	IMPORT_DONE,		/* u64 octets of records */
	IMPORT_REFUSED,		/* u32 enum mib_err, u32 line, text object, text why */
};

#define IMPORT_URL_MAX 2048		/* octets of a URL, NUL included */
#define IMPORT_SECONDS_MAX 600		/* longest time that an import may be given */
#define IMPORT_SECONDS 60		/* the usual one */
#define IMPORT_RECORDS_MAX XML_FILE_MAX	/* octets of records the agent takes */

struct import_job {
	uint32_t seconds;		/* 1 .. IMPORT_SECONDS_MAX */
	char url[IMPORT_URL_MAX];	/* empty: fd */
	int fd;				/* -1: url */
};

/** @return what chan_send says; the descriptor stays the caller's */
int import_job_send(struct chan *c, const struct import_job *j);
/** Takes the descriptor on success. @return false: malformed */
bool import_job_read(struct chan_msg *m, struct import_job *j);

int import_refused_send(struct chan *c, enum mib_err err, const struct xml_diag *d);
/** @return false: malformed. *err is never MIB_OK or MIB_BUSY. */
bool import_refused_read(const struct chan_msg *m, enum mib_err *err, struct xml_diag *d);

/** Writes what a parser tells. Its flush sends len octets of records; false: they cannot be sent. */
struct import_writer {
	bool (*flush)(void *arg, const uint8_t *octets, size_t len);
	void *arg;
	struct xml_diag *diag;		/* says so, when flush fails */
	uint64_t written;
	size_t len;
	uint8_t octets[CHAN_PAYLOAD_MAX];
};

/** A sink that writes records; w is borrowed. */
struct xml_sink import_writer_sink(struct import_writer *w);
/** Sends the rest. @return false: flush failed */
bool import_writer_end(struct import_writer *w);

/** Records as they have come so far; {0} holds none. */
struct import_records {
	uint8_t *data;
	size_t len;
	size_t size;
};

/** @return false: no memory, or more than IMPORT_RECORDS_MAX */
bool import_records_add(struct import_records *r, const uint8_t *octets, size_t len);
/** Wipes and frees: they may hold a secret that somebody wrote by hand. */
void import_records_fini(struct import_records *r);

/**
 * Reads records and tells them.
 * @param err  out: what the sink refused with; MIB_OK
 * @return false: malformed; the sink has been told of whole records before that
 */
bool import_records_read(const uint8_t *octets, size_t len, const struct xml_sink *to,
			 enum mib_err *err);

/**
 * Makes records a transaction: xml_import_begin, its sink, xml_import_end.
 * @return what those say; MIB_GEN_ERR with *d: malformed
 */
MIB_MUST_CHECK enum mib_err import_records_apply(struct mib_store *s,
						 const struct import_records *r,
						 const struct xml_import_options *o,
						 struct xml_summary *sum, struct xml_diag *d);

/** Has the file sealed secrets? *seal says under what then. */
bool import_records_seal(const struct import_records *r, struct xml_seal *seal);

#endif
