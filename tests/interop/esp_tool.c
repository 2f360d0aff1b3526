/*
 * tests/interop/esp_tool.c - one pair of SAs, driven by lines on standard input, for a foreign judge.
 * By libgcrypt; with the argument "ipsec-mb" by that, or exit status 77 where it is not built in.
 *
 *	new mode=tunnel encr=12 bits=128 integ=2 ekey=HEX akey=HEX local=HEX remote=HEX [esn=1]
 *	    [df=copy|set|clear] [floor=N] [chain=108,50,51 [ahinteg=2 ahkey=HEX]]
 *	                                     a fresh engine with one bundle each way; every packet is
 *	                                     to be protected. ESP alone without a chain (innermost
 *	                                     first). SPIs: ESP 0x1001 out and 0x1002 in, AH 0x2001
 *	                                     and 0x2002; IPComp's CPI is 2
 *	out HEX                              a clear packet: prints "esp HEX" or "drop REASON"
 *	in HEX                               an ESP packet: prints "deliver HEX" or "drop REASON"
 *
 * Addresses are 4 or 16 octets in hex. Answers are one line each; "ok" for new.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/hosted.h"
#include "engine/crypto/provider.h"
#include "ipsp/compress.h"
#include "ipsp/engine.h"

#define PACKET_MAX 4096
#define REGION_SLOTS 16

static const uint64_t now_s = 1000;

/* Innermost first. */
struct chain {
	struct ipsp_sa_config sas[IPSP_BUNDLE_MAX];
	uint32_t n;
};

struct tool {
	struct ipsp_platform platform;
	void *region;
	struct ipsp_engine *engine;
	struct ipsp_worker *worker;
};

static size_t unhex(const char *hex, uint8_t *out, size_t room)
{
	size_t n = 0;

	for (; hex[2 * n] && hex[2 * n + 1] && n < room; n++) {
		unsigned octet;

		if (sscanf(hex + 2 * n, "%2x", &octet) != 1)
			break;
		out[n] = (uint8_t)octet;
	}
	return n;
}

static void key_set(struct ipsp_key *key, const char *hex)
{
	key->len = (uint16_t)unhex(hex, key->octets, sizeof(key->octets));
}

static void addr_set(struct ipsp_addr *addr, const char *hex)
{
	memset(addr, 0, sizeof(*addr));
	addr->family = unhex(hex, addr->octets, 16) == 4 ? 4 : 6;
}

static void config_word(struct ipsp_sa_config *sa, const char *word)
{
	static const struct {
		const char *name;
		uint8_t df;
	} dfs[] = { { "copy", IPSP_DF_COPY }, { "set", IPSP_DF_SET }, { "clear", IPSP_DF_CLEAR } };
	const char *value = strchr(word, '=');
	size_t name_len;

	if (!value)
		return;
	name_len = (size_t)(value++ - word);
	if (!strncmp(word, "mode", name_len))
		sa->mode = strcmp(value, "tunnel") ? IPSP_MODE_TRANSPORT : IPSP_MODE_TUNNEL;
	else if (!strncmp(word, "encr", name_len))
		sa->encr = (uint16_t)atoi(value);
	else if (!strncmp(word, "bits", name_len))
		sa->encr_key_bits = (uint16_t)atoi(value);
	else if (!strncmp(word, "integ", name_len))
		sa->integ = (uint16_t)atoi(value);
	else if (!strncmp(word, "ekey", name_len))
		key_set(&sa->encr_key, value);
	else if (!strncmp(word, "akey", name_len))
		key_set(&sa->integ_key, value);
	else if (!strncmp(word, "local", name_len))
		addr_set(&sa->local, value);
	else if (!strncmp(word, "remote", name_len))
		addr_set(&sa->remote, value);
	else if (!strncmp(word, "esn", name_len))
		sa->esn = atoi(value) != 0;
	else if (!strncmp(word, "floor", name_len))
		sa->seq_floor = strtoull(value, NULL, 0);
	for (size_t i = 0; !strncmp(word, "df", name_len) && i < 3; i++) {
		if (!strcmp(value, dfs[i].name))
			sa->df = dfs[i].df;
	}
}

static void tool_close(struct tool *t)
{
	ipsp_worker_free(t->worker);
	ipsp_engine_free(t->engine);
	free(t->region);
	t->worker = NULL;
	t->engine = NULL;
	t->region = NULL;
}

/* The SAs of one direction, of which esp is the one of ESP; ah has what AH's has instead. */
static struct chain chain_of(const char *protos, const struct ipsp_sa_config *esp,
			     const struct ipsp_sa_config *ah, enum ipsp_dir dir)
{
	const uint32_t spi = dir == IPSP_OUTBOUND ? 0x1001 : 0x1002;
	const uint64_t id = dir == IPSP_OUTBOUND ? 1 : 11;
	struct chain c = { .n = 0 };

	for (const char *at = protos; c.n < IPSP_BUNDLE_MAX; at++) {
		struct ipsp_sa_config *sa = &c.sas[c.n];

		*sa = *esp;
		sa->id = sa->counter_id = id + c.n;
		sa->bundle_id = id;
		sa->dir = (uint8_t)dir;
		sa->proto = (uint8_t)atoi(at);
		sa->spi = spi;
		if (c.n++ > 0) {
			sa->mode = IPSP_MODE_TRANSPORT;
			sa[-1].next_id = sa->id;
		}
		if (sa->proto == IPSP_PROTO_AH) {
			sa->spi += 0x1000;
			sa->encr = sa->encr_key_bits = 0;
			sa->integ = ah->integ;
			sa->integ_key = ah->integ_key;
		} else if (sa->proto == IPSP_PROTO_IPCOMP) {
			sa->spi = sa->encr = IPSP_COMP_DEFLATE;
			sa->integ = sa->encr_key_bits = 0;
			sa->esn = sa->replay = false;
		}
		at = strchr(at, ',');
		if (!at)
			break;
	}
	return c;
}

static enum ipsp_err install(struct tool *t, const struct chain chains[2])
{
	struct ipsp_sa_config sas[2 * IPSP_BUNDLE_MAX];
	const uint32_t n = chains[0].n + chains[1].n;
	struct ipsp_selector any[2];
	struct ipsp_spd_entry entries[2] = { 0 };
	struct ipsp_spd_list lists[2] = { 0 };
	enum ipsp_err results[2 * IPSP_BUNDLE_MAX];
	struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = n, .sas = sas,
	};
	enum ipsp_err err;

	memcpy(sas, chains[0].sas, chains[0].n * sizeof(sas[0]));
	memcpy(sas + chains[0].n, chains[1].sas, chains[1].n * sizeof(sas[0]));
	ipsp_selector_any(4, &any[0]);
	ipsp_selector_any(6, &any[1]);
	for (int i = 0; i < 2; i++) {
		entries[i].id = (uint64_t)i + 1;
		entries[i].action = IPSP_PROTECT;
		entries[i].sa_id = chains[i].sas[0].id;
		entries[i].n_selectors = 2;
		entries[i].selectors = any;
		lists[i].ifindex = 1;
		lists[i].dir = chains[i].sas[0].dir;
		lists[i].n_entries = 1;
		lists[i].entries = &entries[i];
	}
	err = ipsp_engine_apply(t->engine, &update, now_s, results);
	for (uint32_t i = 0; !err && i < n; i++)
		err = results[i];
	return err;
}

static enum ipsp_err tool_new(struct tool *t, char *line)
{
	struct ipsp_sa_config out = {
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY,
		.replay = true, .replay_window_pkts = 64,
	};
	struct ipsp_engine_config config = { .platform = &t->platform };
	struct ipsp_sa_config ah = { .integ = 0 };
	const char *protos = "50";
	struct chain chains[2];
	enum ipsp_err err;

	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (!strncmp(word, "chain=", 6))
			protos = word + 6;
		else if (!strncmp(word, "ahkey=", 6))
			key_set(&ah.integ_key, word + 6);
		else if (!strncmp(word, "ahinteg=", 8))
			ah.integ = (uint16_t)atoi(word + 8);
		else
			config_word(&out, word);
	}
	chains[0] = chain_of(protos, &out, &ah, IPSP_OUTBOUND);
	chains[1] = chain_of(protos, &out, &ah, IPSP_INBOUND);

	tool_close(t);
	config.counters_size = (ipsp_counters_size(REGION_SLOTS) + 63) / 64 * 64;
	t->region = aligned_alloc(64, config.counters_size);
	memset(t->region, 0, config.counters_size);
	config.counters = t->region;
	err = ipsp_engine_new(&config, &t->engine);
	if (!err)
		err = ipsp_worker_new(t->engine, &t->worker);
	return err ? err : install(t, chains);
}

static void pass(struct tool *t, enum ipsp_dir dir, const char *hex)
{
	uint8_t *room = malloc(PACKET_MAX);
	struct ipsp_packet packet = {
		.room = room, .room_len = PACKET_MAX, .data = room + IPSP_HEADROOM, .ifindex = 1,
	};

	packet.len = (uint32_t)unhex(hex, packet.data, PACKET_MAX - IPSP_HEADROOM - IPSP_TAILROOM);
	if (dir == IPSP_OUTBOUND)
		ipsp_engine_outbound(t->worker, &packet, 1, now_s);
	else
		ipsp_engine_inbound(t->worker, &packet, 1, now_s);
	if (packet.verdict == IPSP_VERDICT_DROP) {
		printf("drop %s\n", ipsp_reason_key(packet.reason));
	} else {
		printf("%s ", packet.verdict == IPSP_VERDICT_ESP_OUT ? "esp" :
			      packet.verdict == IPSP_VERDICT_DELIVER ? "deliver" : "bypass");
		for (uint32_t i = 0; i < packet.len; i++)
			printf("%02x", packet.data[i]);
		putchar('\n');
	}
	free(room);
}

int main(int argc, char **argv)
{
	static char line[2 * PACKET_MAX + 64];
	const bool by_mb = argc > 1 && !strcmp(argv[1], "ipsec-mb");
	const struct ipsp_crypto_options options = {
		.secmem_bytes = 65536, .allow_weak = true,
		.choice = by_mb ? IPSP_CRYPTO_IPSEC_MB : IPSP_CRYPTO_GCRYPT,
	};
	struct tool t = { 0 };

	if (by_mb && !ipsp_crypto_has_ipsec_mb())
		return 77;
	if (ipsp_crypto_init(&options) != IPSP_OK) {
		fputs("esp_tool: no crypto library passes its self test\n", stderr);
		return 1;
	}
	ipsp_platform_hosted(&t.platform, ipsp_crypto_provider());
	t.platform.compress = ipsp_compress_zlib();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "new ", 4)) {
			enum ipsp_err err = tool_new(&t, line + 4);

			puts(err ? ipsp_err_text(err) : "ok");
		} else if (t.worker && !strncmp(line, "out ", 4)) {
			pass(&t, IPSP_OUTBOUND, line + 4);
		} else if (t.worker && !strncmp(line, "in ", 3)) {
			pass(&t, IPSP_INBOUND, line + 3);
		} else {
			puts("what?");
		}
		fflush(stdout);
	}
	tool_close(&t);
	return 0;
}
