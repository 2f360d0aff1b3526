/* engine/io/cut.c - fragments of packets that are sent. */
#include "engine/io/cut.h"

#include <sys/random.h>

#include "ipsp/fragment.h"

bool io_cut(const uint8_t *packet, uint32_t len, uint32_t mtu, uint8_t *room,
	    uint32_t room_len,
	    void (*send)(void *arg, uint8_t *fragment, uint32_t len), void *arg)
{
	struct ipsp_cutter c;
	struct ipsp_flow flow;
	uint32_t id = 0, n;

	if (ipsp_flow_parse((struct ipsp_span){ packet, len }, &flow) != IPSP_REASON_NONE ||
	    flow.df)
		return false;
	/* RFC 7739: nobody shall guess the next one. */
	if (flow.family == 6 && getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return false;
	if (!ipsp_cut_begin(&c, packet, &flow, mtu < room_len ? mtu : room_len, id))
		return false;
	while ((n = ipsp_cut_next(&c, room)) > 0)
		send(arg, room, n);
	return true;
}
