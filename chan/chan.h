/*
 * chan/chan.h - the one framing between ipspd's own processes.
 *
 * AF_UNIX SOCK_SEQPACKET; each message is a header (version, type, length) and a payload, and may
 * carry descriptors. Both ends are ours, but a child may have been taken over by what it parses:
 * the reader checks every length, and a message that is malformed closes the channel.
 */
#ifndef CHAN_CHAN_H
#define CHAN_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAN_VERSION 1
#define CHAN_PAYLOAD_MAX 61440	/* octets a message, so that default socket buffers hold some */
#define CHAN_FDS_MAX 240	/* the kernel takes 253 */
#define CHAN_QUEUE_MAX (64u << 20)	/* octets that wait for a slow reader: one large generation */

struct event_base;
struct chan;

/** One message as received. The payload is borrowed until the callback returns. */
struct chan_msg {
	uint16_t type;
	const uint8_t *data;
	size_t len;
	int fds[CHAN_FDS_MAX];	/* the callback takes what it wants and writes -1 there; */
	size_t n_fds;		/* the rest is closed after it returns */
};

struct chan_handler {
	void (*message)(void *arg, struct chan_msg *m);
	/** The other end is gone (why 0), or the channel was closed for its nonsense (-errno). Called
	 * once, never from within chan_send. Free the channel here or later. */
	void (*closed)(void *arg, int why);
	void *arg;
};

/** Makes a connected pair, close-on-exec, for parent and child. @return 0 or -errno */
int chan_pair(int fds[2]);

/**
 * Takes fd on success: a connected SOCK_SEQPACKET of AF_UNIX, made close-on-exec and non-blocking.
 * handler is copied. @return 0; -EPROTOTYPE: another kind of socket; -errno
 */
int chan_new(struct event_base *base, int fd, const struct chan_handler *handler,
	     struct chan **out);
/** Also from within its own callbacks. What still waits in the queue is lost. NULL is allowed. */
void chan_free(struct chan *c);

/** Reads at once what has arrived, as the event loop would: for what a process said before it died. */
void chan_drain(struct chan *c);

/** Octets that wait for the other end. */
size_t chan_queued(const struct chan *c);

/**
 * Sends, or queues while the other end is slow; descriptors are duplicated, the caller keeps its
 * own. Order is kept. @return 0; -EMSGSIZE; -ENOBUFS: queue full (CHAN_QUEUE_MAX octets); -EPIPE: the other end
 * is gone, as it is if c is NULL
 */
int chan_send(struct chan *c, uint16_t type, const void *data, size_t len, const int *fds,
	      size_t n_fds);

/* Payload octets: fixed-width big-endian numbers and length-prefixed strings. */

/** Writes into a caller's buffer; overflow is remembered, so check once at the end. */
struct chan_writer {
	uint8_t *data;
	size_t size;
	size_t len;
	bool overflow;
};

void chan_put_u8(struct chan_writer *w, uint8_t v);
void chan_put_u16(struct chan_writer *w, uint16_t v);
void chan_put_u32(struct chan_writer *w, uint32_t v);
void chan_put_u64(struct chan_writer *w, uint64_t v);
/** The octets alone: the reader knows how many. */
void chan_put_raw(struct chan_writer *w, const void *data, size_t len);
/** len (32 bits), then the octets. */
void chan_put_octets(struct chan_writer *w, const void *data, size_t len);
/** chan_put_octets of a C string, without its NUL. */
void chan_put_text(struct chan_writer *w, const char *text);

/** Reads; running short is remembered and gives zeros, so check once at the end. */
struct chan_reader {
	const uint8_t *data;
	size_t len;
	size_t at;
	bool short_read;
};

uint8_t chan_get_u8(struct chan_reader *r);
uint16_t chan_get_u16(struct chan_reader *r);
uint32_t chan_get_u32(struct chan_reader *r);
uint64_t chan_get_u64(struct chan_reader *r);
/** Copies len octets, or sets them to zero on short read. */
void chan_get_raw(struct chan_reader *r, void *out, size_t len);
/** Borrowed from the payload; NULL and *len 0 on short read. */
const uint8_t *chan_get_octets(struct chan_reader *r, size_t *len);
/**
 * What chan_put_text wrote, as a C string.
 * @return false: longer than size - 1, with a NUL inside, or a short read
 */
bool chan_get_text(struct chan_reader *r, char *out, size_t size);
/** All read, nothing left, nothing short? */
bool chan_reader_done(const struct chan_reader *r);

#endif
