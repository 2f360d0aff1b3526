/*
 * ipspd/messages.h - the messages between parent, agent, engine and ike (over chan/chan.h).
 *
 *   parent            agent                engine
 *     |--- START ------>|                    |       its descriptors and arguments
 *     |<-- OPTIONS -----|                    |       options file, checked: what to open
 *     |--- START ----------------------------->|     sockets, TUN, counters
 *     |--- ENGINE ----->|                    |       a channel agent <-> engine, one end each:
 *     |--- AGENT ----------------------------->|     new whenever either of them (re)starts
 *     |<-- GUARD .. ----|                    |       tightened guard: what is in force and the new
 *     |--- GUARD_DONE ->|                    |
 *     |                 |--- GEN_* --------->|       a full generation, or what it changes, then
 *     |                 |<-- GEN_APPLIED ----|       applied in one piece
 *     |<-- GUARD .. ----|                    |       the new layer alone
 *     |--- GUARD_DONE ->|                    |
 *
 * Each message says its payload below, in the order of the octets: u8 .. u64 are numbers, "text" and
 * "octets" carry their length (chan_put_octets). A receiver refuses what does not fit to the octet,
 * by closing the channel.
 */
#ifndef IPSPD_MESSAGES_H
#define IPSPD_MESSAGES_H

enum ipspd_message {
	/* parent to child */
	MSG_START = 1,		/* to agent and engine; ipspd/start.h has both forms */
	MSG_ENGINE,		/* to agent, fd: its end of a new channel to the engine */
	MSG_GUARD_DONE,		/* to agent: u32 serial, u32 0 or errno, text */
	MSG_STOP,		/* to child: end in good order, then exit 0 */
	/* agent to parent */
	MSG_OPTIONS,		/* ipspd/start.h */
	MSG_GUARD_BEGIN,	/* u32 serial, u32 keep: layers with this serial stay, see below */
	MSG_GUARD_LAYER,	/* u64 generation on disk: a layer begins; its GEN_LIST .. follow */
	MSG_GUARD_COMMIT,	/* u32 serial */
	MSG_GUARD_SHOW,		/* u32 serial: what does the kernel hold now? */
	MSG_GUARD_TEXT,		/* to agent: u32 serial, u8 1 when more follows, text */
	/* agent to engine; LIST, ENTRY, PREDICATE and SELECTORS also to the parent for the guard */
	MSG_GEN_BEGIN,		/* u64 generation */
	MSG_GEN_LIST,		/* u32 ifindex, u8 dir */
	MSG_GEN_ENTRY,		/* u64 id, u8 action, u8 flags, u64 sa_id, u64 from_s, u64 until_s,
				 * u32 how many selectors; of its predicate u32 nodes, u32 octets,
				 * u32 ids, u32 selectors, all 0: it has none */
	MSG_GEN_SELECTORS,	/* u16 count, then so many of that entry's, last its predicate's */
	MSG_GEN_SA,		/* one struct ipsp_sa_config; all of them before the first list */
	MSG_GEN_COMMIT,		/* u64 generation, u32 lists, u32 entries, u32 SAs; after GEN_FOLLOW also
				 * u32 gone SAs, u32 gone lists, u32 edits, u32 runs, u32 GEN_UNASKEDs */
	MSG_RESERVED,		/* u64 counter_id, u64 ceiling: durable; numbers up to it may be used */
	MSG_STATS_GET,		/* u32 serial */
	/* engine to agent */
	MSG_GEN_APPLIED,	/* u64 generation */
	MSG_SA_REFUSED,		/* u64 generation, u64 sa id, u8 enum ipsp_err: not in force */
	MSG_RESERVE,		/* u64 counter_id, u64 next number: a new block is wanted */
	MSG_EVENT,		/* struct wire_event: logged packet or SA event; ipspd/report.h */
	MSG_STATS_ENTRIES,	/* u32 serial, u16 count, then so many struct wire_entry_stats that
				 * counted anything */
	MSG_STATS_SAS,		/* u32 serial, or REPORT_UNASKED, u16 count, then so many struct
				 * wire_sa_stats */
	MSG_STATS_DROP,		/* u32 serial, u16 reason number, u64 packets */
	MSG_STATS_END,		/* u32 serial, u64 generation in force */
	/* any child to parent */
	MSG_LOG,		/* u8 priority, text category, text: children have no syslog */
	/* the rest, added later: numbers do not matter, both ends are one binary */
	MSG_AGENT,		/* parent to engine, fd: its end of a new channel to the agent */
	MSG_RELOAD,		/* parent to agent, fd: options file to read again; answer: OPTIONS;
				 * without: it cannot be opened. Agent to parent: open it again */
	MSG_LOG_LEVEL,		/* parent to child: u8 priority to log up to; agent to parent: wanted */
	MSG_GUARD_RESTORED,	/* parent to agent: u64 how often the guard was put back so far */
	MSG_GEN_REFUSED,	/* engine to agent: u64 generation, u8 enum ipsp_err: nothing changed */
	MSG_GUARD_COUNT,	/* agent to parent: u32 serial: what has the guard decided since? */
	MSG_GUARD_COUNTED,	/* to agent: u32 serial, u8 1 when more follows, u16 count, then so
				 * many struct wire_guard_count */
	MSG_IMPORT_START,	/* agent to parent: u32 serial, u8 1: it may use the network, u32 seconds */
	MSG_IMPORT_STOP,	/* agent to parent: u32 serial: it is not wanted any more */
	MSG_GEN_PREDICATE,	/* after its entry: u8 which array, u32 count, so many more of it */
	MSG_IMPORT,		/* to agent: u32 serial, fd: its end of a channel (ipspd/import_wire.h);
				 * without: it cannot be started */
	MSG_GEN_ACTION,		/* to engine, behind an entry that logs, does several things or has
				 * templates: u64 action id, u16 how many, so many struct ipsp_step,
				 * u32 clear_s, u8 how many, so many templates */
	/* agent to engine: a generation as what it changes of the one in force. GEN_FOLLOW, new SAs,
	 * gone ones, GEN_UNASKED, whole lists, gone ones, edits with their runs, GEN_COMMIT */
	MSG_GEN_FOLLOW,		/* u64 generation, u64 generation in force, by this same agent */
	MSG_GEN_SA_GONE,	/* u64 id */
	MSG_GEN_LIST_GONE,	/* u32 ifindex, u8 dir */
	MSG_GEN_EDIT,		/* u32 ifindex, u8 dir: a list changes */
	MSG_GEN_RUN,		/* u32 entries that stay, u32 that go; those that come follow */
	/* agent to engine, before its first generation and when one of them changes */
	MSG_SETTINGS,		/* u32 seconds for fragments, u32 seconds for path MTUs, u32 ICMP errors
				 * a second, u8 1: learn path MTUs, u8 enum ipsp_icmp_by_quote, u32
				 * seconds for reassembly, u8 1: let ICMP errors in clear in */
	MSG_HOLD,		/* likewise: u32 packets of a need, u32 octets of all, u32 seconds */
	/* Policies of key managers, between agent and engine in both directions: ipspd/agent_band.c */
	MSG_BAND_PUT,		/* u32 serial of the change, then one (ipspd/band_wire.h) */
	MSG_BAND_GONE,		/* u32 serial, u32 index */
	MSG_BAND_ALL,		/* u32 serial: those put since the channel was opened are all there are */
	MSG_BAND_APPLIED,	/* to engine: u32 serial: changes up to it are in force */
	MSG_KEY_MANAGER,	/* engine to agent: u8 1: somebody is registered who makes SAs; 0: nobody */
	/* IKE */
	MSG_IKE_WANTED,		/* agent to parent: u8 1: ike is to run; 0: nobody is to be answered */
	MSG_IKE,		/* parent to agent, fd: its end of a new channel to ike, whose own comes by
				 * AGENT; ike says AGENT, without fd, as long as it has none */
	MSG_PFKEY,		/* parent to ike, fd: a PF_KEY socket to the engine that has just started */
	MSG_IKE_BEGIN,		/* agent to ike: all connections follow */
	MSG_IKE_CONN,		/* one: ipspd/ike_wire.h */
	MSG_IKE_COMMIT,		/* u64 generation, u32 connections */
	MSG_IKE_APPLIED,	/* to agent: u64 generation */
	MSG_IKE_REQUEST,	/* agent to ike: u8 enum ike_wire_request, text IPsec action, text IKE action */
	MSG_IKE_SAS_GET,	/* agent to ike: u32 serial */
	MSG_IKE_SAS,		/* to agent: u32 serial, u8 1 when more follows, u16 count, so many IKE SAs
				 * (ipspd/ike_wire.h) */
	MSG_IKE_TRACE,		/* agent to ike: u8 1: somebody looks at messages; 0: nobody does */
	MSG_IKE_TRACED,		/* ike to agent: u32 messages lost, octets: lines of one that came or went */
	MSG_IKE_EVENT,		/* ike to agent: what became of an IKE SA (ipspd/ike_wire.h) */
	MSG_CRYPTO,		/* engine to agent, which has just come: ipspd/crypto_wire.h */
	/* SAs that are of no row: ipspd/sad_wire.h */
	MSG_SAD_GET,		/* agent to engine: u32 serial, u8 1: from the first on; 0: what comes next */
	MSG_SAD_SAS,		/* engine to agent: u32 serial, u8 1 when more follows, u16 count, so many
				 * struct wire_sad_sa */
	/* engine to agent, before STATS_END */
	MSG_STATS_ICMP,		/* u32 serial, then u64 of each of enum ipsp_icmp_count */
	MSG_WORKERS,		/* engine to agent, which has just come: u8 threads that packets pass */
	/* agent to ike, before the connections that name them: ipspd/ike_cred_wire.h */
	MSG_IKE_OCTETS,		/* u8 1: the first piece; 0: the next one, so many octets */
	MSG_IKE_OWN,
	MSG_IKE_TRUST,
	MSG_FETCHER,		/* ike to parent: it needs a fetch process; to ike, 2 fds: a channel to it
				 * (ipspd/fetch_wire.h), the state directory; none: it cannot be started */
	MSG_IKE_FAULT,		/* ike to agent: text IPsec action, text IKE action, text why that connection is
				 * not in force */
	MSG_GEN_UNASKED,	/* of GEN_FOLLOW, behind its gone SAs, in rising order: u64 sa id or 0, u32
				 * reqid or 0, u8 1: asked for again, u8 SAs around a packet, u16 count, so
				 * many selectors: struct ipsp_unasked */
	MSG_IKE_UNFIT,		/* among the connections: text IPsec action, text IKE action: there are rules for
				 * it, but it cannot be used as its rows are */
	MSG_IKE_FLUSH,		/* agent to ike: u8 enum ike_wire_flush */
	MSG_STATS_FAST,		/* engine to agent, before STATS_END: u32 serial, u64 packets that left by
				 * packet sockets (engine/io/fast.h) */
	MSG_IKE_NEXT,		/* ike to agent: when a connection is begun again (ipspd/ike_wire.h) */
};

/*
 * The guard holds layers, and a packet must pass each of them. A layer is known by the serial of the
 * GUARD_BEGIN that brought it. GUARD_BEGIN names the ones to keep; all others go when the commit is
 * done. To tighten: keep what is in force, bring the new one. To loosen: keep the new one alone.
 */
enum ipspd_guard_keep {
	GUARD_KEEP_INHERITED = 0,	/* the layers from before this agent: of a file, of another agent */
	GUARD_KEEP_NONE = 0xffffffff,
};

/*
 * Sequence numbers of outbound manual SAs (RFC 4303 3.3.3: never twice under one key). The memfd
 * keeps each counter while the parent lives. The engine uses numbers only up to the ceiling that
 * RESERVED last gave for that counter_id. seq_floor in a generation counts only for a counter that the
 * memfd does not hold: it is the ceiling the store had when the agent started, 0 for one that was
 * first reserved since. Blocks are RESERVE_BLOCK long.
 */
#define RESERVE_BLOCK (UINT64_C(1) << 20)

#endif
