/* ipspctl/client.c - the client's end of the control socket, on the daemon's own framing. */
#include "ipspctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "chan/chan.h"
#include "ipspd/control.h"

#define ANSWER_MAX (256u << 20)	/* octets of one object of an answer */

struct exchange {
	struct event_base *base;
	char *text;			/* of an object that came in parts, so far */
	size_t len;
	client_item_fn *item;
	void *arg;
	struct json_object *error;
	bool ended;
};

static void over(struct exchange *x)
{
	event_base_loopbreak(x->base);
}

static void end_arrived(struct exchange *x, struct json_object *o)
{
	struct json_object *error;

	if (json_object_object_get_ex(o, "error", &error))
		x->error = json_object_get(error);
	x->ended = true;
	over(x);
}

static bool gather(struct exchange *x, const struct chan_msg *m)
{
	char *grown = m->len <= ANSWER_MAX - x->len ? realloc(x->text, x->len + m->len + 1) : NULL;

	if (!grown)
		return false;
	x->text = grown;
	memcpy(x->text + x->len, m->data, m->len);
	x->len += m->len;
	return true;
}

static void arrived(void *arg, struct chan_msg *m)
{
	struct exchange *x = arg;
	struct json_tokener *t;
	struct json_object *o;

	if (!gather(x, m)) {
		over(x);
		return;
	}
	if (m->type == CTL_PART)
		return;
	t = json_tokener_new();
	o = t ? json_tokener_parse_ex(t, x->text, (int)x->len) : NULL;
	if (t)
		json_tokener_free(t);
	x->len = 0;
	if (!o) {
		over(x);
		return;
	}
	if (m->type == CTL_ITEM)
		x->item(x->arg, o);
	else if (m->type == CTL_END)
		end_arrived(x, o);
	json_object_put(o);
}

static void closed(void *arg, int why)
{
	(void)why;	/* that there was no end of the answer is what counts */
	over(arg);
}

static int dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(to.sun_path)) {
		fprintf(stderr, "ipspctl: %s: path too long for a socket\n", path);
		return -1;
	}
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		fprintf(stderr, "ipspctl: %s: %s%s\n", path, strerror(errno),
			errno == ENOENT || errno == ECONNREFUSED ? " (is ipspd running?)" : "");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool converse(struct exchange *x, struct chan *chan, struct json_object *request, int fd)
{
	size_t len = 0;
	const char *text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &len);
	int rc = chan_send(chan, CTL_REQUEST, text, len, &fd, fd >= 0 ? 1 : 0);

	if (rc < 0) {
		fprintf(stderr, "ipspctl: the request cannot be sent: %s\n",
			rc == -EMSGSIZE ? "the values are too long" : strerror(-rc));
		return false;
	}
	event_base_dispatch(x->base);
	if (!x->ended)
		fprintf(stderr, "ipspctl: ipspd closed the connection before it had answered\n");
	return x->ended;
}

bool client_request(const char *socket_path, struct json_object *request, int fd,
		    client_item_fn *item, void *arg, struct json_object **error)
{
	struct exchange x = { .item = item, .arg = arg };
	struct chan_handler handler = { arrived, closed, &x };
	struct chan *chan;
	bool answered = false;
	int sock = dial(socket_path);

	if (sock < 0)
		return false;
	x.base = event_base_new();
	if (x.base && chan_new(x.base, sock, &handler, &chan) == 0) {
		answered = converse(&x, chan, request, fd);
		chan_free(chan);
	} else {
		fprintf(stderr, "ipspctl: no event loop\n");
		close(sock);
	}
	if (x.base)
		event_base_free(x.base);
	free(x.text);
	*error = x.error;
	return answered;
}
