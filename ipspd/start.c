/* ipspd/start.c - a child's START and the agent's OPTIONS, in and out of octets. */
#include "config.h"

#include "ipspd/start.h"

#include <net/if.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/crypto/provider.h"
#include "ipspd/messages.h"

#define FDS_MAX 16	/* each of the agent's has a bit in the number that says which are there */
_Static_assert((int)AGENT_FDS <= FDS_MAX, "sixteen bits");

/* Which of n descriptors are there, as bits; those that are, packed into out. */
static uint16_t pack_fds(const int *fds, size_t n, int *out, size_t *n_out)
{
	uint16_t mask = 0;

	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		mask |= (uint16_t)(1u << i);
		out[(*n_out)++] = fds[i];
	}
	return mask;
}

static bool fds_fit(const struct chan_msg *m, uint16_t mask, size_t n)
{
	return mask >> n == 0 && (size_t)__builtin_popcount(mask) == m->n_fds;
}

static void take_fds(struct chan_msg *m, uint16_t mask, int *fds, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		fds[i] = -1;
		if (mask & 1u << i) {
			fds[i] = m->fds[from];
			m->fds[from++] = -1;
		}
	}
}

int agent_start_send(struct chan *c, const struct agent_start *s)
{
	uint8_t buf[4 * START_PATH_MAX + 64];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	int fds[FDS_MAX];
	size_t n_fds;

	chan_put_u16(&w, pack_fds(s->fds, AGENT_FDS, fds, &n_fds));
	chan_put_u8(&w, s->log_level);
	chan_put_u8(&w, s->first);
	chan_put_u8(&w, s->background);
	chan_put_u64(&w, s->guard_generation);
	chan_put_text(&w, s->statedir);
	chan_put_text(&w, s->master);
	chan_put_text(&w, s->import_name);
	chan_put_text(&w, s->control_path);
	return chan_send(c, MSG_START, buf, w.len, fds, n_fds);
}

bool agent_start_read(struct chan_msg *m, struct agent_start *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint16_t mask = chan_get_u16(&r);

	s->log_level = chan_get_u8(&r);
	s->first = chan_get_u8(&r) != 0;
	s->background = chan_get_u8(&r) != 0;
	s->guard_generation = chan_get_u64(&r);
	if (!chan_get_text(&r, s->statedir, sizeof(s->statedir)) ||
	    !chan_get_text(&r, s->master, sizeof(s->master)) ||
	    !chan_get_text(&r, s->import_name, sizeof(s->import_name)) ||
	    !chan_get_text(&r, s->control_path, sizeof(s->control_path)))
		return false;
	if (!chan_reader_done(&r) || s->log_level > LOG_DEBUG || !fds_fit(m, mask, AGENT_FDS))
		return false;
	take_fds(m, mask, s->fds, AGENT_FDS);
	return true;
}

void engine_start_init(struct engine_start *s)
{
	*s = (struct engine_start){ .n_workers = 1 };
	for (size_t i = 0; i < ENGINE_FDS; i++) {
		for (size_t worker = 0; worker < ENGINE_WORKERS_MAX; worker++)
			s->fds[i][worker] = -1;
	}
}

void engine_start_close(struct engine_start *s, enum engine_fd which)
{
	for (size_t worker = 0; worker < ENGINE_WORKERS_MAX; worker++) {
		if (s->fds[which][worker] >= 0)
			close(s->fds[which][worker]);
		s->fds[which][worker] = -1;
	}
}

void engine_start_close_all(struct engine_start *s)
{
	for (size_t i = 0; i < ENGINE_FDS; i++)
		engine_start_close(s, (enum engine_fd)i);
}

/* The descriptors are a list of kind and worker, in order, each at most once. */
int engine_start_send(struct chan *c, const struct engine_start *s)
{
	uint8_t places[2 * ENGINE_FDS * ENGINE_WORKERS_MAX];
	uint8_t buf[64 + sizeof(places)];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	int fds[ENGINE_FDS * ENGINE_WORKERS_MAX];
	size_t n_fds = 0;

	for (size_t i = 0; i < ENGINE_FDS; i++) {
		for (size_t worker = 0; worker < s->n_workers; worker++) {
			if (s->fds[i][worker] < 0)
				continue;
			places[2 * n_fds] = (uint8_t)i;
			places[2 * n_fds + 1] = (uint8_t)worker;
			fds[n_fds++] = s->fds[i][worker];
		}
	}
	chan_put_u8(&w, s->log_level);
	chan_put_u8(&w, s->n_workers);
	chan_put_u8(&w, s->offload);
	chan_put_u8(&w, s->crypto);
	chan_put_u8(&w, s->allow_weak);
	chan_put_u32(&w, s->tun_ifindex);
	chan_put_u32(&w, s->tun_mtu);
	chan_put_u32(&w, s->red_ifindex);
	chan_put_u32(&w, s->black_ifindex);
	chan_put_text(&w, s->tun_name);
	chan_put_octets(&w, places, 2 * n_fds);
	return chan_send(c, MSG_START, buf, w.len, fds, n_fds);
}

static bool places_valid(const uint8_t *places, size_t len, const struct chan_msg *m,
			 uint8_t n_workers)
{
	int last = -1;

	if (len != 2 * m->n_fds)
		return false;
	for (size_t i = 0; i < m->n_fds; i++) {
		const uint8_t which = places[2 * i], worker = places[2 * i + 1];
		const int place = which * ENGINE_WORKERS_MAX + worker;

		if (which >= ENGINE_FDS || worker >= n_workers || place <= last)
			return false;
		last = place;
	}
	return true;
}

bool engine_start_read(struct chan_msg *m, struct engine_start *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	size_t len;

	engine_start_init(s);
	s->log_level = chan_get_u8(&r);
	s->n_workers = chan_get_u8(&r);
	s->offload = chan_get_u8(&r);
	s->crypto = chan_get_u8(&r);
	s->allow_weak = chan_get_u8(&r) != 0;
	s->tun_ifindex = chan_get_u32(&r);
	s->tun_mtu = chan_get_u32(&r);
	s->red_ifindex = chan_get_u32(&r);
	s->black_ifindex = chan_get_u32(&r);
	if (!chan_get_text(&r, s->tun_name, sizeof(s->tun_name)))
		return false;
	const uint8_t *const places = chan_get_octets(&r, &len);

	if (!chan_reader_done(&r) || s->log_level > LOG_DEBUG || s->n_workers == 0 ||
	    s->n_workers > ENGINE_WORKERS_MAX || s->crypto > IPSP_CRYPTO_IPSEC_MB ||
	    !places_valid(places, len, m, s->n_workers))
		return false;
	for (size_t i = 0; i < m->n_fds; i++) {
		s->fds[places[2 * i]][places[2 * i + 1]] = m->fds[i];
		m->fds[i] = -1;
	}
	return true;
}

int ike_start_send(struct chan *c, const struct ike_start *s)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	int fds[FDS_MAX];
	size_t n_fds;

	chan_put_u16(&w, pack_fds(s->fds, IKE_FDS, fds, &n_fds));
	chan_put_u8(&w, s->log_level);
	return chan_send(c, MSG_START, buf, w.len, fds, n_fds);
}

bool ike_start_read(struct chan_msg *m, struct ike_start *s)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint16_t mask = chan_get_u16(&r);

	s->log_level = chan_get_u8(&r);
	if (!chan_reader_done(&r) || s->log_level > LOG_DEBUG || !fds_fit(m, mask, IKE_FDS))
		return false;
	take_fds(m, mask, s->fds, IKE_FDS);
	return true;
}

int agent_options_send(struct chan *c, const struct agent_options *o)
{
	uint8_t buf[START_ATTACH_MAX * (START_ATTACH_NAME_MAX + 4) + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u8(&w, o->log_level);
	chan_put_u8(&w, o->n_workers);
	chan_put_u8(&w, o->offload);
	chan_put_u8(&w, o->crypto);
	chan_put_u8(&w, o->allow_weak);
	chan_put_u8(&w, o->fast_send);
	chan_put_u8(&w, (uint8_t)o->n_attach);
	for (size_t i = 0; i < o->n_attach; i++)
		chan_put_text(&w, o->attach[i]);
	return chan_send(c, MSG_OPTIONS, buf, w.len, NULL, 0);
}

bool agent_options_read(const struct chan_msg *m, struct agent_options *o)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct attach unused;

	o->log_level = chan_get_u8(&r);
	o->n_workers = chan_get_u8(&r);
	o->offload = chan_get_u8(&r) != 0;
	o->crypto = chan_get_u8(&r);
	o->allow_weak = chan_get_u8(&r) != 0;
	o->fast_send = chan_get_u8(&r);
	o->n_attach = chan_get_u8(&r);
	if (o->log_level > LOG_DEBUG || o->n_workers > ENGINE_WORKERS_MAX ||
	    o->crypto > IPSP_CRYPTO_IPSEC_MB || o->fast_send >= ENGINE_FASTS ||
	    o->n_attach > START_ATTACH_MAX)
		return false;
	for (size_t i = 0; i < o->n_attach; i++) {
		if (!chan_get_text(&r, o->attach[i], sizeof(o->attach[i])) ||
		    attach_parse(o->attach[i], &unused) != NULL)
			return false;
	}
	return chan_reader_done(&r);
}

/* What Linux takes as an interface name; "%d" only at its end, where the kernel numbers it. */
static bool is_ifname(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)name[i];

		if (ch == '%' && i + 2 == len && name[i + 1] == 'd')
			return true;
		if (ch <= ' ' || ch >= 0x7f || ch == '/' || ch == ':' || ch == '%')
			return false;
	}
	return true;
}

static const char *parse_tun(const char *name, struct attach *out)
{
	if (!is_ifname(name))
		return "this is no name an interface can have";
	*out = (struct attach){ .kind = ATTACH_TUN };
	memcpy(out->name, name, strlen(name) + 1);
	return NULL;
}

static const char *parse_pcap(const char *names, struct attach *out)
{
	const char *comma = strchr(names, ',');
	size_t len = comma ? (size_t)(comma - names) : 0;
	struct attach a = { .kind = ATTACH_PCAP };

	if (!comma || strchr(comma + 1, ',') || len >= sizeof(a.red) ||
	    strlen(comma + 1) >= sizeof(a.black))
		return "a bump in the wire is pcap:RED,BLACK, two interfaces";
	memcpy(a.red, names, len);
	memcpy(a.black, comma + 1, strlen(comma + 1) + 1);
	/* These are there already: the kernel numbers none of them. */
	if (!is_ifname(a.red) || !is_ifname(a.black) || strchr(names, '%'))
		return "this is no name an interface can have";
	if (strcmp(a.red, a.black) == 0)
		return "a bump in the wire has two different interfaces";
	*out = a;
	return NULL;
}

static const char *parse_nfqueue(const char *names, struct attach *out)
{
	struct attach a = { .kind = ATTACH_NFQUEUE, .name = "ipspd%d" };

	while (names) {
		const char *comma = strchr(names, ',');
		const size_t len = comma ? (size_t)(comma - names) : strlen(names);

		if (a.n_queued == ATTACH_QUEUED_MAX)
			return "these are too many interfaces";
		char *const name = a.queued[a.n_queued++];

		if (len >= sizeof(a.queued[0]))
			return "this is no name an interface can have";
		memcpy(name, names, len);
		/* These are others': the kernel numbers none of them. */
		if (!is_ifname(name) || strchr(name, '%'))
			return "this is no name an interface can have";
		names = comma ? comma + 1 : NULL;
	}
	*out = a;
	return NULL;
}

const char *attach_parse(const char *text, struct attach *out)
{
	if (strcmp(text, "none") == 0) {
		*out = (struct attach){ .kind = ATTACH_NONE };
		return NULL;
	}
	if (strcmp(text, "tun") == 0)
		return parse_tun("ipspd%d", out);
	if (strncmp(text, "tun:", 4) == 0)
		return parse_tun(text + 4, out);
	if (strncmp(text, "pcap:", 5) == 0)
		return parse_pcap(text + 5, out);
	if (strcmp(text, "nfqueue") == 0)
		return parse_nfqueue(NULL, out);
	if (strncmp(text, "nfqueue:", 8) == 0)
		return parse_nfqueue(text + 8, out);
	return "an attachment is tun[:NAME], nfqueue[:IF,..], pcap:RED,BLACK or none";
}
