/*
 * tests/unit/ipspd/control_peer.h - a control socket, its agent as the test plays it, and clients.
 */
#ifndef TESTS_IPSPD_CONTROL_PEER_H
#define TESTS_IPSPD_CONTROL_PEER_H

#include <json-c/json.h>

#include "ipspd/control.h"
#include "tests/unit/ipspd/fake_agent.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern struct agent agent;
extern struct control *control;

/** Check fixtures: the socket listens; nobody may be left that the agent knows. */
void setup(void);
void teardown(void);

/** A new connection, blocking. */
int dial(void);

/** One turn of the loop; enough of them for what is on its way to arrive. */
void turn(void);
void settle(void);

/** Sends one message, with a descriptor unless fd is -1. */
void send_frame(int client, uint16_t type, const char *text, size_t len, int fd);
void request(int client, const char *json);

struct answer {
	struct json_object *items;	/* an array */
	struct json_object *error;	/* of the end; NULL: none */
	bool ended, closed;
	size_t parts;
};

/** Reads one message if there is one. Collects into *a; text carries the parts of a long one. */
bool read_message(int client, struct answer *a, char **text, size_t *len);

/** Runs the loop until the answer has ended or the connection closed; what is there by now. */
struct answer answer_of(int client);
struct answer answer_so_far(int client);
void forget(struct answer *a);

/** A member as text, "" when it is not there. */
const char *member(struct json_object *o, const char *name);
struct json_object *item(const struct answer *a, size_t nr);
/** A column of the row that the first item is. */
const char *value(const struct answer *a, const char *column);

/** One request on a connection of its own. must_: it ends well. */
struct answer ask(const char *json);
struct answer ask_file(const char *json, int file);
struct answer must_ask(const char *json);
void must_do(const char *json);

/** An anonymous file. */
int file_of(const char *text);

#define CREATE_RULE                                                                                \
	"{\"command\": \"create\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"web\","     \
	" \"values\": {\"spdRuleDefFilter\": \"spdTrueFilter.0\","                                 \
	" \"spdRuleDefAction\": \"spdDropAction.0\"}}"
#define GET_RULE                                                                                   \
	"{\"command\": \"get\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"\\\"web\\\"\"}"
#define SET_SCALAR                                                                                 \
	"{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\","                             \
	" \"values\": {\"spdIngressPolicyGroupName\": \"in\"}}"

#define RULE_FILE                                                                                  \
	"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n"                               \
	"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">\n"              \
	"<spdRuleDefinitionTable><spdRuleDefinitionEntry><spdRuleDefName>x</spdRuleDefName>\n"     \
	"<spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>\n"                           \
	"<spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>\n"                          \
	"<spdRuleDefRowStatus>active</spdRuleDefRowStatus></spdRuleDefinitionEntry>\n"             \
	"</spdRuleDefinitionTable></IPSEC-SPD-MIB></data>\n"

#endif
