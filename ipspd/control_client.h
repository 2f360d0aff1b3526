/*
 * ipspd/control_client.h - one connection to the control socket, as command handlers see it.
 * Inside the control part of the agent only.
 */
#ifndef IPSPD_CONTROL_CLIENT_H
#define IPSPD_CONTROL_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "chan/chan.h"
#include "ipspd/agent.h"
#include "ipspd/control.h"
#include "ipspd/control_json.h"
#include "ipspd/log.h"
#include "mibs/store.h"

struct event;
struct control_client;

/** A member that a request may have besides "command". */
struct control_member {
	const char *name;		/* NULL: the end of the list */
	enum json_type type;		/* numbers are never negative, strings hold no NUL */
};

/** A command. Answers through client_*; may return before that (then client->abort undoes). */
struct control_command {
	const char *name;		/* NULL: the end of the list */
	const struct control_member *members;
	/** The request's members are known and of their types. fd: what came along, or -1. */
	void (*run)(struct control_client *c, struct json_object *request, int fd);
};

/** Who wants to know what happens, so that monitors can be told. control_monitor.c */
struct control_monitor {
	struct agent_watcher watcher;
	struct agent_event_listener events;
	struct log_listener log;
	struct agent_tracer tracer;
	bool traces;			/* the agent has it */
	uint64_t committed, applied;	/* as last told */
	int engine;			/* enum agent_engine_state, as last told */
};

struct control {
	struct agent *agent;
	int listen_fd;
	struct event *listener;
	struct event *pause;		/* ends a rest of the listener */
	struct control_client *clients;
	size_t n_clients;
	struct control_monitor monitor;
};

struct control_client {
	struct control *control;
	struct control_client *next;
	struct agent *agent;
	struct chan *chan;
	char who[48];			/* "ipspctl uid 0" */
	bool busy;			/* a request runs */
	bool lost;			/* a part of an answer could not be sent */
	bool monitor;
	bool ike_debug;			/* sees messages of IKE, and nothing else */
	size_t monitor_lost;		/* announcements, or messages of IKE, dropped since the last one sent */
	/* The request, while it waits for something. */
	struct json_object *request;
	const struct control_command *command;
	int fd;
	struct mib_waiter waiter;	/* in the store's line */
	bool in_line;
	struct event *dropper;		/* ends the connection, once an answer is lost */
	struct event *timer;		/* a deadline, or the next step of a long answer */
	/** The connection is gone: forget what was begun. */
	void (*abort)(struct control_client *c);
	struct agent_question question;
	struct agent_watcher watcher;
	uint64_t wanted;		/* generation that `wait` waits for */
	bool wants_snmp;		/* ... and for the AgentX session */
	bool (*stream_step)(struct control_client *c);
	struct mib_oid at;		/* how far a long answer has come */
	size_t at_table;		/* position in mib_tables */
	/* An import or export, control_files.c */
	struct agent_parse parse;
	struct import_records records;	/* what the file says, once it ... */
	bool is_read;
	enum mib_file_seal_kind seal_kind;
	uint8_t seal_salt[MIB_FILE_SEAL_SALT];
	struct mib_file_seal *seal;	/* once the key has come */
	/** A key is waited for: its pipe has come. NULL: none is. */
	void (*key_arrived)(struct control_client *c, int fd);
};

/** Sends one object of the answer; takes it. */
void client_item(struct control_client *c, struct json_object *item);

/** Ends the answer well. */
void client_end(struct control_client *c);

/** Ends the answer with an error: d's object and text behind err's name. */
void client_refuse(struct control_client *c, enum mib_err err, const struct mib_diag *d);

/** The same for an import: with the line. */
void client_refuse_line(struct control_client *c, enum mib_err err, unsigned line,
			const struct mib_diag *d);

/** Ends the answer with an error of the request's own form: "set needs a table". Counts. */
void client_usage(struct control_client *c, const char *text);

/** Ends the answer with resourceUnavailable. */
void client_no_memory(struct control_client *c);

/** Sends a text line by line. */
void client_lines(struct control_client *c, const char *text);

/** Opens a transaction; false: the client waits in the store's line, or has been answered. */
bool client_begin(struct control_client *c, struct mib_txn **txn);

/**
 * Ends what client_begin opened: prepares and commits when err is MIB_OK, and answers with the new
 * generation, or with the refusal.
 */
void client_finish(struct control_client *c, struct mib_txn *txn, enum mib_err err,
		   struct mib_diag *d);

/** Runs the request again when the store is free; refuses when that takes too long. */
void client_wait_for_store(struct control_client *c);

/** Calls step from the event loop until it says it has finished (false: more to come). */
void client_stream(struct control_client *c, bool (*step)(struct control_client *c));

/** Has the request only members that its command knows, of their types? Refuses it otherwise. */
bool client_check_members(struct control_client *c);

/** A string member of the request, or NULL. */
const char *request_text(struct json_object *request, const char *key);
bool request_flag(struct json_object *request, const char *key);
/** A number, or fallback when the request has none. */
int64_t request_number(struct json_object *request, const char *key, int64_t fallback);

/** Does a JSON string hold a NUL, which would cut it short in C? */
bool json_text_has_nul(struct json_object *o);

/** Forgets what an import or export has come to. */
void control_files_fini(struct control_client *c);

/** A client came or went: messages of IKE are asked for while there is one that sees them. */
void control_monitor_clients_changed(struct control *control);

/** Listens to what monitors are told. Needs control->agent. */
void control_monitor_init(struct control *control);
void control_monitor_fini(struct control *control);

struct pol_entry;
struct pol_list;

/* What an answer says of an entry (nr: from 0), of the end of a list, and of an interface without one. */
struct json_object *control_spd_entry(struct control_client *c, const struct pol_list *list, size_t nr,
				      const struct pol_entry *e);
struct json_object *control_spd_end(struct control_client *c, const struct pol_list *list);
struct json_object *control_spd_untouched(uint32_t ifindex, enum ipsp_dir dir);

/* The commands, by the file they are in. */
extern const struct control_command control_row_commands[];	/* control_rows.c */
extern const struct control_command control_show_commands[];	/* control_show.c */
extern const struct control_command control_lookup_commands[];	/* control_lookup.c */
extern const struct control_command control_sad_commands[];	/* control_sad.c */
extern const struct control_command control_file_commands[];	/* control_files.c */
extern const struct control_command control_daemon_commands[];	/* control_daemon.c */
extern const struct control_command control_monitor_commands[];	/* control_monitor.c */

#endif
