/* ipspd/pfkey_out.c - messages that go out on one PF_KEY socket: see pfkey_out.h. */
#include "config.h"

#include "ipspd/pfkey_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM_MIN (16u << 10)
#define ROOM_KEPT (64u << 10)	/* of one who has read it all */
#define A_CALL 32u		/* messages */

static uint32_t len_at(const struct pfkey_out *o, size_t at)
{
	uint32_t len;

	memcpy(&len, o->data + at, sizeof(len));
	return len;
}

/* What waits, moved to the front of memory that holds more. */
static bool grow(struct pfkey_out *o, size_t more)
{
	const size_t waits = pfkey_out_waits(o);
	size_t size = o->size ? o->size : ROOM_MIN;

	while (size < waits + more)
		size *= 2;
	uint8_t *data = malloc(size);

	if (!data)
		return false;
	if (waits > 0)
		memcpy(data, o->data + o->first, waits);
	pfkey_out_fini(o);
	*o = (struct pfkey_out){ data, size, 0, waits };
	return true;
}

bool pfkey_out_put(struct pfkey_out *o, const void *message, size_t len)
{
	const uint32_t len32 = (uint32_t)len;
	const size_t more = sizeof(len32) + len;

	if (len > PFKEY_OUT_MAX || pfkey_out_waits(o) + more > PFKEY_OUT_MAX)
		return false;
	if (o->size - o->end < more && !grow(o, more))
		return false;
	memcpy(o->data + o->end, &len32, sizeof(len32));
	memcpy(o->data + o->end + sizeof(len32), message, len);
	o->end += more;
	return true;
}

static void sent(struct pfkey_out *o, unsigned n)
{
	const size_t before = o->first;

	for (unsigned i = 0; i < n; i++)
		o->first += sizeof(uint32_t) + len_at(o, o->first);
	explicit_bzero(o->data + before, o->first - before);
	if (o->first == o->end)
		o->first = o->end = 0;
	if (o->end == 0 && o->size > ROOM_KEPT)
		pfkey_out_fini(o);
}

/* @return how many went; < 0: -errno */
static int send_some(const struct pfkey_out *o, int fd)
{
	struct mmsghdr headers[A_CALL];
	struct iovec parts[A_CALL];
	unsigned n = 0;
	int done;

	memset(headers, 0, sizeof(headers));
	for (size_t at = o->first; at < o->end && n < A_CALL; n++) {
		parts[n].iov_base = o->data + at + sizeof(uint32_t);
		parts[n].iov_len = len_at(o, at);
		headers[n].msg_hdr.msg_iov = &parts[n];
		headers[n].msg_hdr.msg_iovlen = 1;
		at += sizeof(uint32_t) + parts[n].iov_len;
	}
	do
		done = sendmmsg(fd, headers, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

int pfkey_out_send(struct pfkey_out *o, int fd)
{
	while (pfkey_out_waits(o) > 0) {
		const int done = send_some(o, fd);

		if (done < 0)
			return done == -ENOBUFS ? EAGAIN : -done;
		sent(o, (unsigned)done);
	}
	return 0;
}

void pfkey_out_fini(struct pfkey_out *o)
{
	if (o->data)
		explicit_bzero(o->data, o->end);
	free(o->data);
	*o = (struct pfkey_out){ 0 };
}
