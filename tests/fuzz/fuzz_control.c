/*
 * tests/fuzz/fuzz_control.c - what a client may say to the control socket of an agent without
 * processes.
 *
 * Each line of the input is the payload of one request; a line that begins with "!" comes with an
 * anonymous file. Requests that wait are answered in every second turn, so clients also leave while
 * they wait.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "chan/chan.h"
#include "ipspd/control.h"
#include "ipspd/log.h"
#include "tests/unit/ipspd/fake_agent.h"

#define LINES_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file_text[] =
	"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">"
	"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">"
	"<spdTimeFilterTable><spdTimeFilterEntry><spdTimeFiltName>t</spdTimeFiltName>"
	"<spdTimeFiltRowStatus>active</spdTimeFiltRowStatus></spdTimeFilterEntry>"
	"</spdTimeFilterTable></IPSEC-SPD-MIB></data>";

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int listen_somewhere(struct sockaddr_un *at, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(*at);
	must(fd >= 0 && bind(fd, (struct sockaddr *)at, sizeof(sa_family_t)) == 0 &&
	     listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)at, len) == 0);
	return fd;
}

/* ---- the client ---- */

static void heard(void *arg, struct chan_msg *m)
{
	(void)arg;
	(void)m;
}

static void closed(void *arg, int why)
{
	(void)why;
	*(bool *)arg = true;
}

static struct chan *dial(struct agent *a, const struct sockaddr_un *at, socklen_t len, bool *gone)
{
	const struct chan_handler handler = { heard, closed, gone };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct chan *c;

	*gone = false;
	must(fd >= 0 && connect(fd, (const struct sockaddr *)at, len) == 0);
	must(chan_new(a->base, fd, &handler, &c) == 0);
	return c;
}

static void say(struct chan *c, const uint8_t *line, size_t len)
{
	int file = -1;

	if (len > 0 && line[0] == '!') {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		must(file >= 0 && write(file, file_text, sizeof(file_text) - 1) > 0);
		line++;
		len--;
	}
	(void)chan_send(c, CTL_REQUEST, line, len, &file, file >= 0 ? 1 : 0);
	if (file >= 0)
		close(file);
}

static void turns(struct agent *a)
{
	for (int i = 0; i < 6; i++)
		event_base_loop(a->base, EVLOOP_NONBLOCK);
}

static void converse(struct agent *a, const struct sockaddr_un *at, socklen_t at_len,
		     const uint8_t *data, size_t size)
{
	bool gone;
	struct chan *c = dial(a, at, at_len, &gone);

	for (int nr = 0; size > 0 && nr < LINES_MAX; nr++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;

		if (gone) {
			chan_free(c);
			c = dial(a, at, at_len, &gone);
		}
		say(c, data, len);
		turns(a);
		if (nr % 2 == 0)
			(void)fake_agent_answer(a, "one\ntwo");
		turns(a);
		len += end != NULL;
		data += len;
		size -= len;
	}
	chan_free(c);
	turns(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_un at;
	struct control *control;
	struct agent a;
	socklen_t len;

	log_to_channel(NULL);
	fake_agent_init(&a);
	must(control_new(&a, listen_somewhere(&at, &len), &control) == 0);
	converse(&a, &at, len, data, size);
	control_free(control);
	fake_agent_fini(&a);
	return 0;
}
