/*
 * ipspd/messages.h - the messages between parent, agent and engine (over chan/chan.h).
 *
 *   parent            agent                engine
 *     |--- START ------>|                    |       its descriptors and arguments
 *     |<-- OPTIONS -----|                    |       options file, checked: what to open
 *     |--- START ----------------------------->|     sockets, TUN, counters, its end of:
 *     |--- ENGINE ----->|   (channel agent <-> engine, new at each engine start)
 *     |<-- GUARD .. ----|                    |       tightened guard: old and new layers
 *     |--- GUARD_DONE ->|                    |
 *     |                 |--- GEN_* --------->|       a full generation, then
 *     |                 |<-- GEN_APPLIED ----|       applied in one piece
 *     |<-- GUARD .. ----|                    |       the new layer alone
 */
#ifndef IPSPD_MESSAGES_H
#define IPSPD_MESSAGES_H

enum ipspd_message {
	/* parent to child */
	MSG_START = 1,
	MSG_ENGINE,		/* to agent: engine (re)started; fd: the agent's end */
	MSG_GUARD_DONE,		/* to agent: serial, 0 or error, text */
	MSG_STOP,		/* to child: end in good order */
	/* agent to parent */
	MSG_OPTIONS,
	MSG_GUARD_BEGIN,	/* serial, number of layers; then lists and entries as GEN_* */
	MSG_GUARD_LAYER,	/* a new layer begins: a packet must pass every layer */
	MSG_GUARD_COMMIT,	/* serial */
	MSG_GUARD_SHOW,		/* what the kernel holds now? */
	MSG_GUARD_TEXT,		/* to agent: the answer */
	/* agent to engine; LIST, ENTRY and SELECTORS also to the parent for the guard */
	MSG_GEN_BEGIN,		/* generation */
	MSG_GEN_LIST,		/* ifindex, dir */
	MSG_GEN_ENTRY,		/* id, action, log, sa_id, total selectors */
	MSG_GEN_SELECTORS,	/* some of that entry's */
	MSG_GEN_SA,		/* one struct ipsp_sa_config */
	MSG_GEN_COMMIT,		/* generation */
	MSG_RESERVED,		/* counter_id, ceiling: durable; numbers up to it may be used */
	MSG_STATS_GET,		/* serial */
	/* engine to agent */
	MSG_GEN_APPLIED,	/* generation */
	MSG_SA_REFUSED,		/* sa id, enum ipsp_err: in this generation, not in force */
	MSG_RESERVE,		/* counter_id, next number: a new block is wanted */
	MSG_EVENT,		/* logged packet or SA event */
	MSG_STATS_ENTRY,	/* serial, id, packets, bytes */
	MSG_STATS_SA,		/* serial, SA state and counters */
	MSG_STATS_DROP,		/* serial, reason number, packets */
	MSG_STATS_END,		/* serial */
	/* any child to parent */
	MSG_LOG,		/* priority, text: children have no syslog of their own */
};

#endif
