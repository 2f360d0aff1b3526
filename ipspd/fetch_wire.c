/* ipspd/fetch_wire.c - see fetch_wire.h. */
#include "config.h"

#include "ipspd/fetch_wire.h"

void fetch_request_put(struct chan_writer *w, const struct fetch_request *f)
{
	chan_put_u64(w, f->ticket);
	chan_put_text(w, f->url);
	chan_put_octets(w, f->post.data, f->post.len);
}

bool fetch_request_get(struct chan_reader *r, struct fetch_request *out)
{
	out->ticket = chan_get_u64(r);
	if (!chan_get_text(r, out->url, sizeof(out->url)))
		return false;
	out->post.data = chan_get_octets(r, &out->post.len);
	return chan_reader_done(r) && out->url[0] && out->post.len <= FETCH_POST_MAX;
}

void fetch_answer_put(struct chan_writer *w, const struct fetch_answer *f)
{
	chan_put_u64(w, f->ticket);
	chan_put_u32(w, f->len);
	chan_put_text(w, f->why);
}

bool fetch_answer_get(struct chan_reader *r, struct fetch_answer *out)
{
	out->ticket = chan_get_u64(r);
	out->len = chan_get_u32(r);
	return chan_get_text(r, out->why, sizeof(out->why)) && chan_reader_done(r) &&
	       out->len <= IKE_FETCH_MAX;
}
