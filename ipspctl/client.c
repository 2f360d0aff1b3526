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
	const struct client_handler *handler;
	struct chan *chan;
	struct json_object *error;
	bool ended;
	bool gave_up;			/* why has been printed */
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

static void key_wanted(struct exchange *x, struct json_object *seal)
{
	int fd = x->handler->key ? x->handler->key(x->handler->key_arg, seal) : -1;

	if (fd < 0 || chan_send(x->chan, CTL_KEY, NULL, 0, &fd, 1) < 0) {
		x->gave_up = fd < 0 && x->handler->key;
		over(x);
	}
	if (fd >= 0)
		close(fd);
}

static void item_arrived(struct exchange *x, struct json_object *o)
{
	struct json_object *seal;

	if (json_object_object_get_ex(o, "seal", &seal))
		key_wanted(x, seal);
	else
		x->handler->item(x->handler->item_arg, o);
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
		item_arrived(x, o);
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
	if (!x->ended && !x->gave_up)
		fprintf(stderr, "ipspctl: ipspd closed the connection before it had answered\n");
	return x->ended;
}

bool client_request(const char *socket_path, struct json_object *request, int fd,
		    const struct client_handler *h, struct json_object **error)
{
	struct exchange x = { .handler = h };
	struct chan_handler handler = { arrived, closed, &x };
	bool answered = false;
	int sock = dial(socket_path);

	if (sock < 0)
		return false;
	x.base = event_base_new();
	if (x.base && chan_new(x.base, sock, &handler, &x.chan) == 0) {
		answered = converse(&x, x.chan, request, fd);
		chan_free(x.chan);
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
