/*
 * sad/peer.c - see ipsp/peer.h. A sequence lock: whoever makes its number odd may write.
 */
#include <string.h>

#include "ipsp/peer.h"

/* A reader tries again so often; a writer needs a few nanoseconds. */
#define TRIES 64u

void ipsp_peer_set(struct ipsp_peer *peer, const struct ipsp_addr *addr, uint16_t port)
{
	uint32_t turn = atomic_load_explicit(&peer->turn, memory_order_relaxed);
	uint64_t half[2] = { 0 };

	memcpy(half, addr->octets, ipsp_addr_size(addr->family));
	if (turn % 2 || !atomic_compare_exchange_strong_explicit(&peer->turn, &turn, turn + 1,
								 memory_order_acquire,
								 memory_order_relaxed))
		return;
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&peer->port, port, memory_order_relaxed);
	atomic_store_explicit(&peer->half[0], half[0], memory_order_relaxed);
	atomic_store_explicit(&peer->half[1], half[1], memory_order_relaxed);
	/* 0 would say that it never was written. */
	atomic_store_explicit(&peer->turn, turn + 2 ? turn + 2 : 2, memory_order_release);
}

bool ipsp_peer_get(const struct ipsp_peer *peer, uint8_t family, struct ipsp_addr *addr,
		   uint16_t *port)
{
	for (uint32_t i = 0; i < TRIES; i++) {
		const uint32_t turn = atomic_load_explicit(&peer->turn, memory_order_acquire);

		if (turn == 0)
			return false;
		const uint32_t p = atomic_load_explicit(&peer->port, memory_order_relaxed);
		const uint64_t half[2] = {
			atomic_load_explicit(&peer->half[0], memory_order_relaxed),
			atomic_load_explicit(&peer->half[1], memory_order_relaxed),
		};

		atomic_thread_fence(memory_order_acquire);
		if (turn % 2 || atomic_load_explicit(&peer->turn, memory_order_relaxed) != turn)
			continue;
		*addr = (struct ipsp_addr){ .family = family };
		memcpy(addr->octets, half, ipsp_addr_size(family));
		*port = (uint16_t)p;
		return true;
	}
	return false;
}
