/*
 * ipspd/import_main.c - the import process: one file, from a descriptor or a URL, to the agent.
 *
 * It reads what strangers wrote, so it holds nothing: no store, no key, no way to a file system or,
 * for a file, to the network. Its sandbox and limits are ipspd/sandbox.c's; the parent ends it at
 * its deadline or when the agent does not want it any more.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipspd/import_fetch.h"
#include "ipspd/import_wire.h"
#include "ipspd/log.h"
#include "ipspd/roles.h"
#include "xml/parse.h"

#define QUEUE_MAX (1u << 20)	/* octets on their way before the parser waits */

struct import {
	struct event_base *base;
	struct chan *chan;
	struct import_job job;
	bool has_job;
	bool gone;		/* the agent does not listen any more */
	struct xml_diag diag;
	struct import_writer writer;
};

static void job_arrived(void *arg, struct chan_msg *m)
{
	struct import *im = (struct import *)arg;

	if (m->type != IMPORT_JOB || im->has_job || !import_job_read(m, &im->job))
		im->gone = true;
	else
		im->has_job = true;
	event_base_loopbreak(im->base);
}

static void agent_gone(void *arg, int why)
{
	struct import *im = (struct import *)arg;

	(void)why;
	im->gone = true;
	event_base_loopbreak(im->base);
}

/* Until no more than so many octets wait. @return false: the agent is gone */
static bool drain(struct import *im, size_t max)
{
	while (!im->gone && chan_queued(im->chan) > max)
		event_base_loop(im->base, EVLOOP_ONCE);
	return !im->gone;
}

static bool pass_on(void *arg, const uint8_t *octets, size_t len)
{
	struct import *im = (struct import *)arg;

	event_base_loop(im->base, EVLOOP_NONBLOCK);
	return !im->gone && chan_send(im->chan, IMPORT_OCTETS, octets, len, NULL, 0) == 0 &&
	       drain(im, QUEUE_MAX);
}

static enum mib_err run_job(struct import *im)
{
	struct xml_sink sink = import_writer_sink(&im->writer);
	struct xml_parse *parse = NULL;
	enum mib_err err = xml_parse_new(&sink, &im->diag, &parse);

	if (!err)
		err = im->job.fd >= 0 ? xml_parse_fd(parse, im->job.fd) :
					import_fetch(im->job.url, im->job.seconds, parse, &im->diag);
	xml_parse_free(parse);
	if (!err && !import_writer_end(&im->writer))
		err = MIB_RESOURCE_UNAVAILABLE;
	return err;
}

static void answer(struct import *im, enum mib_err err)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, im->writer.written);
	if (err)
		(void)import_refused_send(im->chan, err, &im->diag);
	else
		(void)chan_send(im->chan, IMPORT_DONE, buf, w.len, NULL, 0);
	(void)drain(im, 0);
}

static int serve(struct import *im, int channel_fd)
{
	struct chan_handler handler = { job_arrived, agent_gone, im };

	im->base = event_base_new();
	if (!im->base || chan_new(im->base, channel_fd, &handler, &im->chan) < 0)
		return 1;
	im->writer.flush = pass_on;
	im->writer.arg = im;
	im->writer.diag = &im->diag;
	im->job.fd = -1;
	event_base_dispatch(im->base);
	if (im->gone || !im->has_job)
		return 1;
	answer(im, run_job(im));
	return im->gone ? 1 : 0;
}

void import_prepare(void)
{
	import_fetch_init();
}

int import_main(int channel_fd)
{
	struct import *im = (struct import *)calloc(1, sizeof(*im));
	int status;

	if (!im)
		return 1;
	status = serve(im, channel_fd);
	if (im->job.fd >= 0)
		close(im->job.fd);
	chan_free(im->chan);
	if (im->base)
		event_base_free(im->base);
	free(im);
	return status;
}
