/*
 * ipspd/control.c - the control socket's connections, and the frame of a request.
 *
 * What comes in is hostile: a request is parsed by json-c with a bounded depth, its size is the
 * frame's, and a handler sees nothing but the members it knows (control_request.c). What the
 * commands mean stands in control_*.c.
 */
#include "config.h"

#include "ipspd/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "ipspd/control_client.h"

#define STORE_WAIT_S 10			/* for the transaction another door has staged */
#define STREAM_QUEUE_MAX (1u << 20)	/* octets on their way before a long answer pauses */
#define STREAM_PAUSE_US 20000
#define LISTEN_PAUSE_S 1		/* when there are no descriptors left */

static const struct control_command *const command_sets[] = {
	control_row_commands, control_show_commands, control_lookup_commands, control_sad_commands,
	control_file_commands,
	control_daemon_commands, control_monitor_commands,
};

static const struct control_command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(command_sets) / sizeof(command_sets[0]); i++)
		for (const struct control_command *c = command_sets[i]; c->name; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

/* ---- the end of a request ---- */

static void stop_timer(struct control_client *c)
{
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
}

static void leave_line(struct control_client *c)
{
	if (c->in_line)
		mib_store_forget_waiter(agent_store(c->agent), &c->waiter);
	c->in_line = false;
}

static void request_over(struct control_client *c)
{
	leave_line(c);
	stop_timer(c);
	c->abort = NULL;
	control_files_fini(c);
	control_json_wipe(c->request);
	c->request = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->busy = false;
}

static void client_free(struct control_client *c)
{
	struct control_client **at = &c->control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->control->n_clients--;
	if (c->abort)
		c->abort(c);
	request_over(c);
	control_monitor_clients_changed(c->control);
	event_free(c->dropper);
	chan_free(c->chan);
	free(c);
}

/*
 * A part of the answer is lost, maybe for lack of memory: the client must not take the rest for the
 * whole.
 */
static void drop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_free(arg);
}

static void drop_soon(struct control_client *c)
{
	event_active(c->dropper, EV_TIMEOUT, 0);
}

/* Objects of any size: all pieces but the last say that more comes. */
static void send_json(struct control_client *c, enum control_message type, struct json_object *o)
{
	size_t len = 0;
	const bool whole = !control_json_lacked() && !c->lost;
	const char *text = whole ? control_json_print(o, &len) : NULL;

	for (; text && len > CHAN_PAYLOAD_MAX && !c->lost; len -= CHAN_PAYLOAD_MAX) {
		c->lost = chan_send(c->chan, CTL_PART, text, CHAN_PAYLOAD_MAX, NULL, 0) < 0;
		text += CHAN_PAYLOAD_MAX;
	}
	if (!text || c->lost || chan_send(c->chan, (uint16_t)type, text, len, NULL, 0) < 0)
		c->lost = true;
	json_object_put(o);
	if (c->lost)
		drop_soon(c);
}

static void send_end(struct control_client *c, struct json_object *end)
{
	request_over(c);
	send_json(c, CTL_END, end);
}

void client_item(struct control_client *c, struct json_object *item)
{
	send_json(c, CTL_ITEM, item);
}

void client_end(struct control_client *c)
{
	send_end(c, json_object_new_object());
}

static void end_with_error(struct control_client *c, const char *code, unsigned line,
			   const char *object, const char *text)
{
	struct json_object *end = json_object_new_object();
	struct json_object *error = json_object_new_object();

	control_json_add(error, "code", json_object_new_string(code));
	if (line)
		control_json_add(error, "line", json_object_new_int64(line));
	if (object[0])
		control_json_add(error, "object", control_json_text(object));
	control_json_add(error, "text", control_json_text(text));
	control_json_add(end, "error", error);
	send_end(c, end);
}

void client_refuse_line(struct control_client *c, enum mib_err err, unsigned line,
			const struct mib_diag *d)
{
	end_with_error(c, mib_err_name(err), line, d->object, d->text);
}

void client_refuse(struct control_client *c, enum mib_err err, const struct mib_diag *d)
{
	client_refuse_line(c, err, 0, d);
}

void client_usage(struct control_client *c, const char *text)
{
	mib_store_refused(agent_store(c->agent));
	end_with_error(c, "usage", 0, "", text);
}

void client_no_memory(struct control_client *c)
{
	struct mib_diag d = { 0 };

	mib_diag_set(&d, NULL, NULL, 0, "out of memory");
	client_refuse(c, MIB_RESOURCE_UNAVAILABLE, &d);
}

void client_lines(struct control_client *c, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		struct json_object *item = json_object_new_object();
		char *line = strndup(text, len);

		control_json_add(item, "text", line ? control_json_text(line) : NULL);
		free(line);
		client_item(c, item);
		text += len + (text[len] == '\n');
	}
}

/* ---- waiting ---- */

static void run_request(struct control_client *c)
{
	c->command->run(c, c->request, c->fd);
}

static void store_is_free(struct mib_waiter *w)
{
	struct control_client *c =
		(struct control_client *)((char *)w - offsetof(struct control_client, waiter));

	c->in_line = false;
	run_request(c);
}

static void store_wait_over(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *c = arg;
	struct mib_diag d = { 0 };

	(void)fd;
	(void)what;
	mib_diag_set(&d, NULL, NULL, 0, "another transaction has been open for %d seconds",
		     STORE_WAIT_S);
	client_refuse(c, MIB_RESOURCE_UNAVAILABLE, &d);
}

void client_wait_for_store(struct control_client *c)
{
	struct timeval deadline = { .tv_sec = STORE_WAIT_S };

	/* Whoever is let in and finds the store taken again goes on waiting for the rest. */
	if (!c->timer) {
		c->timer = evtimer_new(agent_base(c->agent), store_wait_over, c);
		if (!c->timer || evtimer_add(c->timer, &deadline) < 0) {
			client_no_memory(c);
			return;
		}
	}
	c->waiter.free = store_is_free;
	c->in_line = true;
	mib_store_when_free(agent_store(c->agent), &c->waiter);
}

static void stream_on(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *c = arg;
	struct timeval pause = { .tv_usec = STREAM_PAUSE_US };
	struct timeval at_once = { 0 };

	(void)fd;
	(void)what;
	if (chan_queued(c->chan) > STREAM_QUEUE_MAX) {
		evtimer_add(c->timer, &pause);
		return;
	}
	if (c->stream_step(c))
		client_end(c);
	else
		evtimer_add(c->timer, &at_once);
}

void client_stream(struct control_client *c, bool (*step)(struct control_client *c))
{
	struct timeval at_once = { 0 };

	c->stream_step = step;
	c->timer = evtimer_new(agent_base(c->agent), stream_on, c);
	if (!c->timer || evtimer_add(c->timer, &at_once) < 0)
		client_no_memory(c);
}

/* ---- requests ---- */

static void request_arrived(void *arg, struct chan_msg *m)
{
	struct control_client *c = arg;
	struct json_object *name;

	if (m->type == CTL_KEY && c->key_arrived && m->len == 0 && m->n_fds == 1 && !c->lost) {
		c->key_arrived(c, m->fds[0]);
		return;
	}
	if (m->type != CTL_REQUEST || c->busy || c->monitor || c->ike_debug || c->lost) {
		client_free(c);	/* not our protocol */
		return;
	}
	c->busy = true;
	c->request = control_json_parse(m->data, m->len);
	if (m->n_fds > 0) {
		c->fd = m->fds[0];
		m->fds[0] = -1;
	}
	if (!c->request || !json_object_object_get_ex(c->request, "command", &name) ||
	    !json_object_is_type(name, json_type_string) || json_text_has_nul(name)) {
		client_usage(c, "the request is not a JSON object with a command");
		return;
	}
	c->command = find_command(json_object_get_string(name));
	if (!c->command)
		client_usage(c, "no such command");
	else if (client_check_members(c))
		run_request(c);
}

static void connection_closed(void *arg, int why)
{
	(void)why;
	client_free(arg);
}

/* ---- connections ---- */

static void name_peer(struct control_client *c, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		snprintf(c->who, sizeof(c->who), "ipspctl uid %u", (unsigned)peer.uid);
	else
		snprintf(c->who, sizeof(c->who), "ipspctl");
}

static void welcome(struct control *control, int fd)
{
	struct control_client *c = calloc(1, sizeof(*c));
	struct chan_handler handler = { request_arrived, connection_closed, c };

	if (c)
		c->dropper = evtimer_new(agent_base(control->agent), drop, c);
	if (!c || !c->dropper ||
	    chan_new(agent_base(control->agent), fd, &handler, &c->chan) < 0) {
		if (c && c->dropper)
			event_free(c->dropper);
		free(c);
		close(fd);
		return;
	}
	c->control = control;
	c->agent = control->agent;
	c->fd = -1;
	name_peer(c, fd);
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
}

/* Nothing can be accepted: rest, instead of being told of the same connection again and again. */
static void rest(struct control *control)
{
	struct timeval pause = { .tv_sec = LISTEN_PAUSE_S };

	event_del(control->listener);
	evtimer_add(control->pause, &pause);
}

static void rest_over(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	event_add(control->listener, NULL);
}

static void connection_arrived(evutil_socket_t listen_fd, short what, void *arg)
{
	struct control *control = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		rest(control);
	if (fd < 0)
		return;
	if (control->n_clients >= CONTROL_CLIENTS_MAX)
		close(fd);
	else
		welcome(control, fd);
}

static void free_events(struct control *control)
{
	if (control->listener)
		event_free(control->listener);
	if (control->pause)
		event_free(control->pause);
	free(control);
}

int control_new(struct agent *a, int listen_fd, struct control **out)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	control->agent = a;
	control->listen_fd = listen_fd;
	control->listener = event_new(agent_base(a), listen_fd, EV_READ | EV_PERSIST,
				      connection_arrived, control);
	control->pause = evtimer_new(agent_base(a), rest_over, control);
	if (!control->listener || !control->pause || event_add(control->listener, NULL) < 0) {
		free_events(control);
		return -ENOMEM;
	}
	control_monitor_init(control);
	*out = control;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (c->clients)
		client_free(c->clients);
	control_monitor_fini(c);
	close(c->listen_fd);
	free_events(c);
}
