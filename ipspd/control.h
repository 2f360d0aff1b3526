/*
 * ipspd/control.h - the control socket: ipspctl's door to the agent.
 *
 * AF_UNIX SOCK_SEQPACKET in the framing of chan/. A request is one CTL_REQUEST holding a JSON
 * object (and, for import and export, the descriptor of an anonymous file, memfd_create(2)); the
 * answer is any number of CTL_ITEM objects, then one CTL_END: {} or {"error": {...}}. An object too
 * long for one message begins in CTL_PARTs. One request at a time a connection; what is not of this
 * form closes it.
 *
 *   {"command": "get", "table": "spdRuleDefinitionTable", "index": "\"web\""}
 *
 * An item {"seal": {"kind": "passphrase", "salt": "6f70.."}} asks for the key of secrets in a file
 * (mibs/file_seal.h): the client answers with an empty CTL_KEY that carries a pipe with its octets.
 *
 * Who may connect is the socket's mode and group; who did stands in the log (SO_PEERCRED).
 */
#ifndef IPSPD_CONTROL_H
#define IPSPD_CONTROL_H

struct agent;
struct control;

enum control_message {
	CTL_REQUEST = 1,
	CTL_ITEM,
	CTL_END,
	CTL_PART,
	CTL_KEY,
};

#define CONTROL_CLIENTS_MAX 32		/* connections at once */
#define CONTROL_FILE_MAX (64u << 20)	/* octets of a file to import */
#define CONTROL_KEY_S 60		/* for the key of sealed secrets to come */

/** Serves the listening socket (taken) until freed. @return 0 or -errno */
int control_new(struct agent *a, int listen_fd, struct control **out);
void control_free(struct control *c);

/** Tells every monitor; kind is "generation", "applied", "log" or "event". */
void control_announce(struct control *c, const char *kind, const char *text);

#endif
