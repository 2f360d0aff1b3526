/*
 * ipsp-pcap/secrets.c - lines of secrets files: split, understood, kept in locked memory.
 *
 * Messages name file and line but quote nothing: a line with a mistake in it is still a secret.
 */
#include <gcrypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/crypto/analysis.h"
#include "ipsp-pcap/algs.h"
#include "ipsp-pcap/hex.h"
#include "ipsp-pcap/options.h"
#include "ipsp-pcap/secrets.h"

#define BLANKS " \t"
#define PREFIX_AH "ah-"
#define SUFFIX_HMAC96 "-hmac96"
#define HMAC96_LEN 12u

/* Where we are, and what the line has said so far. */
struct line {
	struct pc_secrets *out;
	struct pc_diag *d;
	uint32_t file, number;
	bool allow_weak;
	struct pc_secret *s;
	const struct pc_cipher *cipher;		/* NULL: AH */
	const struct pc_integrity *integrity;	/* NULL: not named */
	bool hmac96;
	uint32_t icv;
};

void pc_diag_set(struct pc_diag *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->text, sizeof(d->text), format, args);
	va_end(args);
}

static bool wrong(struct line *l, const char *why)
{
	pc_diag_set(l->d, "%s:%u: %s", l->out->files[l->file], l->number, why);
	return false;
}

static char *skip_blanks(char *at)
{
	return at + strspn(at, BLANKS);
}

/* Cuts the text at the first of these; what follows, or NULL. */
static char *cut(char *text, const char *at_any)
{
	char *at = strpbrk(text, at_any);

	if (at)
		*at++ = '\0';
	return at;
}

/* Digits behind "0x"; *end: what is not one. */
static bool hex_key(struct line *l, char *at, struct ipsp_key *key, char **end)
{
	size_t n = 0;

	if (at[0] != '0' || at[1] != 'x')
		return wrong(l, "this key must be in hex and begin with 0x");
	for (at += 2; pc_hex_digit(at[0]) >= 0; at += 2) {
		if (pc_hex_digit(at[1]) < 0)
			return wrong(l, "a key has an odd number of hex digits");
		if (n == IPSP_KEY_MAX)
			return wrong(l, "a key is longer than any algorithm takes");
		key->octets[n++] = (uint8_t)(pc_hex_digit(at[0]) << 4 | pc_hex_digit(at[1]));
	}
	key->len = (uint16_t)n;
	*end = at;
	return true;
}

static bool text_key(struct line *l, const char *text, struct ipsp_key *key)
{
	size_t n = strlen(text);

	if (n > IPSP_KEY_MAX)
		return wrong(l, "a key is longer than any algorithm takes");
	memcpy(key->octets, text, n);
	key->len = (uint16_t)n;
	return true;
}

static bool parse_cipher(struct line *l, char *name)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX_HMAC96);

	if (!strncasecmp(name, PREFIX_AH, strlen(PREFIX_AH))) {
		l->s->sa.proto = IPSP_PROTO_AH;
		l->integrity = pc_integrity_find(name + strlen(PREFIX_AH));
		return l->integrity || wrong(l, "the integrity algorithm of AH is not known here");
	}
	if (len > suffix && !strcmp(name + len - suffix, SUFFIX_HMAC96)) {
		name[len - suffix] = '\0';
		l->hmac96 = true;
	}
	l->cipher = pc_cipher_find(name);
	return l->cipher || wrong(l, "the cipher is not known here");
}

/* "+" integrity ":0x" HEX */
static bool parse_integrity(struct line *l, char *at, char **end)
{
	char *key = cut(at, ":" BLANKS);

	l->integrity = pc_integrity_find(at);
	if (!l->integrity || l->integrity->ah_only)
		return wrong(l, "the integrity algorithm behind + is not known here");
	return key ? hex_key(l, key, &l->s->sa.integ_key, end) :
		     wrong(l, "the integrity algorithm has no key");
}

static bool parse_options(struct line *l, char *at)
{
	while (*(at = skip_blanks(at))) {
		char *rest = cut(at, BLANKS);
		const char *why = pc_option_apply(at, l->s, &l->icv);

		if (why)
			return wrong(l, why);
		at = rest ? rest : at + strlen(at);
	}
	return true;
}

/* What stands behind the cipher's colon. */
static bool parse_secret(struct line *l, char *at)
{
	struct ipsp_key *key = l->cipher ? &l->s->sa.encr_key : &l->s->sa.integ_key;

	if (at[0] != '0' || at[1] != 'x')
		return text_key(l, at, key);
	if (!hex_key(l, at, key, &at))
		return false;
	if (*at == '+' && !l->cipher)
		return wrong(l, "AH has one algorithm");
	if (*at == '+' && !parse_integrity(l, at + 1, &at))
		return false;
	if (*at && !strchr(BLANKS, *at))
		return wrong(l, "a key has something in it that is no hex digit");
	return parse_options(l, at);
}

/* Which octets there are behind the text, and whether they are looked at. */
static bool settle_integrity(struct line *l)
{
	struct ipsp_sa_config *sa = &l->s->sa;

	if (l->cipher->combined) {
		if (l->integrity || l->hmac96 || l->icv)
			return wrong(l, "this cipher brings its own integrity");
		sa->integ = IPSP_INTEG_NONE;
		l->s->checked = true;
		return true;
	}
	if (!l->integrity) {
		if (l->hmac96 && l->icv && l->icv != HMAC96_LEN)
			return wrong(l, "-hmac96 and icv= contradict each other");
		sa->integ = (uint16_t)(ANALYSIS_INTEG_UNCHECKED +
				       (l->hmac96 ? HMAC96_LEN : l->icv));
		return true;
	}
	if (l->icv || (l->hmac96 && l->integrity->icv_len != HMAC96_LEN))
		return wrong(l, "the integrity algorithm has an ICV of another length");
	if (sa->integ_key.len != l->integrity->key_len)
		return wrong(l, "the integrity key has not the algorithm's length");
	sa->integ = l->integrity->integ;
	l->s->checked = true;
	return true;
}

/* What the algorithms are, and whether the keys are theirs. */
static bool settle_ah(struct line *l)
{
	struct ipsp_sa_config *sa = &l->s->sa;

	if (l->s->any)
		return wrong(l, "AH needs an SPI and an address");
	if (l->icv || l->s->udp)
		return wrong(l, "icv= and udp are for ESP");
	if (sa->integ_key.len != l->integrity->key_len)
		return wrong(l, "the key has not the algorithm's length");
	sa->integ = l->integrity->integ;
	l->s->checked = true;
	return true;
}

static bool settle_esp(struct line *l)
{
	struct ipsp_sa_config *sa = &l->s->sa;

	sa->encr = l->cipher->encr;
	sa->encr_key_bits = l->cipher->key_bits;
	if (sa->encr_key.len != l->cipher->key_bits / 8u + l->cipher->salt_len)
		return wrong(l, l->cipher->salt_len ?
				"the key (with its salt behind it) has not the cipher's length" :
				"the key has not the cipher's length");
	return settle_integrity(l);
}

static bool settle(struct line *l)
{
	struct ipsp_sa_config *sa = &l->s->sa;

	if (!(l->cipher ? settle_esp(l) : settle_ah(l)))
		return false;
	if (l->s->any && l->s->cpi)
		return wrong(l, "ipcomp needs an SPI and an address");
	l->s->weak = (l->cipher && l->cipher->weak) || (l->integrity && l->integrity->weak);
	if (l->s->weak && !l->allow_weak)
		return wrong(l, "a weak algorithm: it needs --allow-weak");
	if (l->s->from.family && sa->mode == IPSP_MODE_TRANSPORT)
		return wrong(l, "from= is for tunnel mode");
	if (l->s->from.family && sa->local.family && l->s->from.family != sa->local.family)
		return wrong(l, "from= is not of the family of the SA's address");
	return true;
}

static bool parse_spi(struct line *l, char *text)
{
	char *address = cut(text, "@");
	uint64_t spi;

	if (!address || !pc_number(text, UINT32_MAX, &spi))
		return wrong(l, "not of the form SPI@ADDRESS CIPHER:SECRET");
	if (spi < 256)
		return wrong(l, "SPIs below 256 are reserved (RFC 4303 2.1)");
	if (!pc_address(address, &l->s->sa.local))
		return wrong(l, "the address behind @ is none");
	l->s->sa.spi = (uint32_t)spi;
	return true;
}

static void secret_free(struct pc_secret *s)
{
	if (!s)
		return;
	ipsp_key_wipe(&s->sa.encr_key);
	ipsp_key_wipe(&s->sa.integ_key);
	gcry_free(s);
}

static bool same_sa(const struct pc_secret *a, const struct pc_secret *b)
{
	return a->any == b->any && (a->any || (a->sa.proto == b->sa.proto &&
					       a->sa.spi == b->sa.spi &&
					       !ipsp_addr_cmp(&a->sa.local, &b->sa.local)));
}

/* Takes s. A later line wins over an earlier one, as in tcpdump. */
static bool keep(struct line *l, struct pc_secret *s)
{
	struct pc_secrets *out = l->out;
	uint32_t at = 0;

	while (at < out->n && !same_sa(out->sas[at], s))
		at++;
	if (at == PC_SAS_MAX)
		return wrong(l, "there are too many SAs (1024 at most)");
	if (at < out->n) {
		secret_free(out->sas[at]);
		out->n_replaced++;
	} else {
		out->n++;
	}
	out->sas[at] = s;
	if (s->any)
		out->any = s;
	l->s = NULL;
	return true;
}

static bool parse_sa(struct line *l, char *first, char *rest)
{
	char *secret;

	l->s = gcry_calloc_secure(1, sizeof(*l->s));
	if (!l->s)
		return wrong(l, "no locked memory is left");
	l->s->file = l->file;
	l->s->line = l->number;
	l->s->sa.proto = IPSP_PROTO_ESP;
	l->s->sa.mode = IPSP_MODE_ANY;
	l->s->sa.df = IPSP_DF_COPY;
	l->s->any = !rest;
	if (rest && !parse_spi(l, first))
		return false;
	rest = rest ? skip_blanks(rest) : first;
	secret = cut(rest, ":");
	if (!secret)
		return wrong(l, "not of the form SPI@ADDRESS CIPHER:SECRET");
	return parse_cipher(l, rest) && parse_secret(l, secret) && settle(l) && keep(l, l->s);
}

static bool add_file(struct line *l, const char *name)
{
	char *copy;

	if (l->out->n_files == PC_FILES_MAX)
		return wrong(l, "too many files (16 at most)");
	copy = strdup(name);
	if (!copy)
		return wrong(l, "out of memory");
	l->out->files[l->out->n_files++] = copy;
	return true;
}

static bool parse_line(struct line *l, char *text)
{
	size_t len = strlen(text);
	char *rest;
	bool good;

	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	text = skip_blanks(text);
	if (!*text || *text == '#')
		return true;
	rest = strpbrk(text, BLANKS);
	/* Words of ours may follow an SA that has no SPI: then the first blank is behind it. */
	if (rest && memchr(text, ':', (size_t)(rest - text)) &&
	    !memchr(text, '@', (size_t)(rest - text)))
		rest = NULL;
	if (rest)
		*rest++ = '\0';
	if (rest && !strcasecmp(text, "file"))
		return add_file(l, skip_blanks(rest));
	if (rest && !strcasecmp(text, "ikev2")) {
		l->out->n_ikev2++;
		return true;
	}
	good = parse_sa(l, text, rest);
	secret_free(l->s);
	l->s = NULL;
	return good;
}

bool pc_secrets_parse(char *text, size_t len, uint32_t file, bool allow_weak,
		      struct pc_secrets *out, struct pc_diag *d)
{
	char *end = text + len;
	uint32_t number = 0;

	while (text < end) {
		char *next = memchr(text, '\n', (size_t)(end - text));
		struct line l = {
			.out = out, .d = d, .file = file, .number = ++number,
			.allow_weak = allow_weak,
		};

		if (next)
			*next = '\0';
		if (strlen(text) != (size_t)((next ? next : end) - text))
			return wrong(&l, "there is a NUL octet");
		if (!parse_line(&l, text))
			return false;
		text = next ? next + 1 : end;
	}
	return true;
}

void pc_secrets_fini(struct pc_secrets *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		secret_free(s->sas[i]);
	for (uint32_t i = 0; i < s->n_files; i++)
		free(s->files[i]);
	memset(s, 0, sizeof(*s));
}
