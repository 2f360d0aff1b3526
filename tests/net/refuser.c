/*
 * tests/net/refuser.c - a second AgentX subagent, with Net-SNMP's agent library: it refuses a SET, or
 * hangs or dies in one, in the phase it has been told to. What tests/net/test_restart_undo.sh runs
 * beside ipspd.
 *
 *	refuser MASTER
 *
 * Two INTEGER scalars below 1.3.6.1.4.1.8072.9999.9999.4808 (netSnmpPlaypen):
 *
 *	.1.0	what is to happen, enum refusal, to the next SETs of the other one
 *	.2.0	the one that is refused
 *
 * Phases as the library calls them: RESERVE1 and RESERVE2 are in the TestSet, ACTION is the CommitSet,
 * COMMIT and FREE are the CleanupSet, which has no answer.
 */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum refusal {
	REFUSE_NOTHING,
	REFUSE_RESERVE1,
	REFUSE_RESERVE2,
	REFUSE_ACTION,
	REFUSE_COMMIT,
	REFUSE_ACTION_AND_UNDO,
	DIE_IN_RESERVE1,
	DIE_IN_ACTION,
	STOP_IN_RESERVE1,
	STOP_IN_ACTION,
	STOP_IN_COMMIT,
	N_REFUSALS
};

/* What each refusal does in which phase, and the error it gives; 0: it stops or dies. */
static const struct {
	int mode;
	int error;
	int signal;
} plans[N_REFUSALS] = {
	[REFUSE_NOTHING] = { -1, 0, 0 },
	[REFUSE_RESERVE1] = { MODE_SET_RESERVE1, SNMP_ERR_WRONGVALUE, 0 },
	[REFUSE_RESERVE2] = { MODE_SET_RESERVE2, SNMP_ERR_RESOURCEUNAVAILABLE, 0 },
	[REFUSE_ACTION] = { MODE_SET_ACTION, SNMP_ERR_COMMITFAILED, 0 },
	[REFUSE_COMMIT] = { MODE_SET_COMMIT, SNMP_ERR_COMMITFAILED, 0 },
	[REFUSE_ACTION_AND_UNDO] = { MODE_SET_ACTION, SNMP_ERR_COMMITFAILED, 0 },
	[DIE_IN_RESERVE1] = { MODE_SET_RESERVE1, 0, SIGKILL },
	[DIE_IN_ACTION] = { MODE_SET_ACTION, 0, SIGKILL },
	[STOP_IN_RESERVE1] = { MODE_SET_RESERVE1, 0, SIGSTOP },
	[STOP_IN_ACTION] = { MODE_SET_ACTION, 0, SIGSTOP },
	[STOP_IN_COMMIT] = { MODE_SET_COMMIT, 0, SIGSTOP },
};

static const oid plan_oid[] = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4808, 1 };
static const oid object_oid[] = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4808, 2 };
static int plan = REFUSE_NOTHING, value;
static volatile sig_atomic_t ended;

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

static void answer(netsnmp_request_info *requests, int number)
{
	snmp_set_var_typed_integer(requests->requestvb, ASN_INTEGER, number);
}

static int plan_handler(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
			netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const long asked = info->mode == MODE_GET ? 0 : *requests->requestvb->val.integer;

	(void)handler;
	(void)reg;
	if (info->mode == MODE_GET)
		answer(requests, plan);
	else if (info->mode == MODE_SET_RESERVE1 && (asked < 0 || asked >= N_REFUSALS))
		netsnmp_request_set_error(requests, SNMP_ERR_WRONGVALUE);
	else if (info->mode == MODE_SET_COMMIT)
		plan = (int)asked;
	return SNMP_ERR_NOERROR;
}

static int object_handler(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
			  netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler;
	(void)reg;
	if (info->mode == MODE_GET) {
		answer(requests, value);
	} else if (info->mode == plans[plan].mode) {
		printf("phase %d: refusal %d\n", info->mode, plan);
		fflush(stdout);
		if (plans[plan].signal)
			kill(getpid(), plans[plan].signal);
		if (plans[plan].error)
			netsnmp_request_set_error(requests, plans[plan].error);
	} else if (info->mode == MODE_SET_UNDO && plan == REFUSE_ACTION_AND_UNDO) {
		netsnmp_request_set_error(requests, SNMP_ERR_UNDOFAILED);
	} else if (info->mode == MODE_SET_COMMIT) {
		value = (int)*requests->requestvb->val.integer;
	}
	return SNMP_ERR_NOERROR;
}

static void serve(const char *name, Netsnmp_Node_Handler *handler, const oid *at, size_t len)
{
	if (netsnmp_register_scalar(netsnmp_create_handler_registration(
		    name, handler, at, len, HANDLER_CAN_RWRITE)) != MIB_REGISTERED_OK) {
		fprintf(stderr, "refuser: %s is not registered\n", name);
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	signal(SIGTERM, on_end);
	setenv("MIBS", "", 1);		/* names are of no use here */
	snmp_enable_stderrlog();
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, argv[1]);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_agent("refuser");
	/* netsnmp_register_scalar adds the instance itself. */
	serve("refuserPlan", plan_handler, plan_oid, OID_LENGTH(plan_oid));
	serve("refuserObject", object_handler, object_oid, OID_LENGTH(object_oid));
	init_snmp("refuser");
	while (!ended)
		agent_check_and_process(1);
	snmp_shutdown("refuser");
	return EXIT_SUCCESS;
}
