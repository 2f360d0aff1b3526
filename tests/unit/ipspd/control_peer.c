/* tests/unit/ipspd/control_peer.c - see control_peer.h. The frame is written out, not chan/'s. */
#include "config.h"

#include "tests/unit/ipspd/control_peer.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#define MESSAGE_MAX (8 + CHAN_PAYLOAD_MAX)

struct agent agent;
struct control *control;
static struct sockaddr_un address;

void setup(void)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa_family_t);

	fake_agent_init(&agent);
	/* The kernel gives an abstract name. */
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	len = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(control_new(&agent, listener, &control), 0);
}

void teardown(void)
{
	control_free(control);
	fake_agent_fini(&agent);
}

/* ---- a client ---- */

int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa_family_t) + 6;	/* an abstract name the kernel gave */

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

void turn(void)
{
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

/* Enough turns of the loop for what is on its way to arrive. */
void settle(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

void send_frame(int client, uint16_t type, const char *text, size_t len, int fd)
{
	uint8_t head[8] = { 1, 0, (uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(len >> 24),
			    (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)text, len } };
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} with = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		m.msg_control = with.octets;
		m.msg_controllen = sizeof(with.octets);
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET,
						       SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	ck_assert_int_eq(sendmsg(client, &m, MSG_NOSIGNAL), (ssize_t)(len + sizeof(head)));
}

void request(int client, const char *json)
{
	send_frame(client, CTL_REQUEST, json, strlen(json), -1);
}

/* Reads one message if there is one. Collects into *a; long carries the parts of a long one. */
bool read_message(int client, struct answer *a, char **text, size_t *len)
{
	static uint8_t buf[MESSAGE_MAX];
	struct json_object *o, *error;
	ssize_t n = recv(client, buf, sizeof(buf), MSG_DONTWAIT);
	uint16_t type;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		a->closed = true;
		return true;
	}
	ck_assert_int_ge(n, 8);
	ck_assert_uint_eq(buf[0], 1);
	type = (uint16_t)(buf[2] << 8 | buf[3]);
	*text = realloc(*text, *len + (size_t)n - 8 + 1);
	memcpy(*text + *len, buf + 8, (size_t)n - 8);
	*len += (size_t)n - 8;
	(*text)[*len] = '\0';
	if (type == CTL_PART) {
		a->parts++;
		return true;
	}
	o = json_tokener_parse(*text);
	ck_assert_msg(o != NULL, "not JSON: %.200s", *text);
	*len = 0;
	if (type == CTL_ITEM) {
		json_object_array_add(a->items, o);
		return true;
	}
	ck_assert_uint_eq(type, CTL_END);
	a->ended = true;
	if (json_object_object_get_ex(o, "error", &error))
		a->error = json_object_get(error);
	json_object_put(o);
	return true;
}

/* Runs the loop until the answer has ended or the connection is closed. */
struct answer answer_of(int client)
{
	struct answer a = { .items = json_object_new_array() };
	char *text = NULL;
	size_t len = 0;

	while (!a.ended && !a.closed)
		if (!read_message(client, &a, &text, &len))
			turn();
	free(text);
	return a;
}

/* What is there by now. */
struct answer answer_so_far(int client)
{
	struct answer a = { .items = json_object_new_array() };
	char *text = NULL;
	size_t len = 0;

	settle();
	while (!a.ended && !a.closed && read_message(client, &a, &text, &len))
		turn();
	free(text);
	return a;
}

void forget(struct answer *a)
{
	json_object_put(a->items);
	json_object_put(a->error);
}

const char *member(struct json_object *o, const char *name)
{
	struct json_object *v;

	return o && json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

struct json_object *item(const struct answer *a, size_t nr)
{
	return json_object_array_get_idx(a->items, nr);
}

struct answer ask(const char *json)
{
	int client = dial();
	struct answer a;

	request(client, json);
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

/* Must end well. */
struct answer must_ask(const char *json)
{
	struct answer a = ask(json);

	ck_assert_msg(a.ended && !a.error, "%s: %s", json, member(a.error, "text"));
	return a;
}

void must_do(const char *json)
{
	struct answer a = must_ask(json);

	forget(&a);
}

const char *value(const struct answer *a, const char *column)
{
	struct json_object *values = NULL;

	json_object_object_get_ex(item(a, 0), "values", &values);
	return member(values, column);
}

int file_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

struct answer ask_file(const char *json, int file)
{
	int client = dial();
	struct answer a;

	send_frame(client, CTL_REQUEST, json, strlen(json), file);
	a = answer_of(client);
	close(client);
	settle();
	return a;
}
