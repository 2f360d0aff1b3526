/*
 * ipsp-pcap/ike_keys.c - keys of IKE SAs and what they open. RFC 7296 3.14, RFC 7383 2.5, RFC 5282 3; those of
 * IKEv1, see isakmp.h.
 */
#include "ipsp-pcap/ike_keys.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/crypto/analysis.h"
#include "ike/seal.h"
#include "ipsp-pcap/hex.h"
#include "ipsp-pcap/isakmp.h"

#define FIELDS 8u
#define FIELDS_V1 2u
#define MESSAGE_MAX 65536u

enum { FIELD_SPI_I, FIELD_SPI_R, FIELD_EI, FIELD_ER, FIELD_ENCR, FIELD_AI, FIELD_AR, FIELD_INTEG };
enum { FIELD_V1_COOKIE, FIELD_V1_KEY };

/* One IKE SA: who sent it says which of the two. */
struct ike_sa {
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	struct ike_seal of_initiator, of_responder;
};

struct pc_ike_keys {
	uint32_t n;
	struct ike_sa sas[PC_IKE_SAS_MAX];
	uint32_t n_v1;
	struct pc_isakmp *v1[PC_IKE_SAS_MAX];
	uint8_t clear[MESSAGE_MAX];
};

#define AES(mode, encr, text) \
	{ "AES-" mode "-128" text, encr, 128 }, { "AES-" mode "-192" text, encr, 192 }, \
	{ "AES-" mode "-256" text, encr, 256 }

static const struct cipher {
	const char *name;
	uint16_t encr, key_bits;
} ciphers[] = {
	{ "3DES", IPSP_ENCR_3DES_CBC, 192 },
	AES("CBC", IPSP_ENCR_AES_CBC, ""),
	AES("CTR", IPSP_ENCR_AES_CTR, ""),
	AES("CCM", IPSP_ENCR_AES_CCM_8, " with 8 octet ICV"),
	AES("CCM", IPSP_ENCR_AES_CCM_12, " with 12 octet ICV"),
	AES("CCM", IPSP_ENCR_AES_CCM_16, " with 16 octet ICV"),
	AES("GCM", IPSP_ENCR_AES_GCM_8, " with 8 octet ICV"),
	AES("GCM", IPSP_ENCR_AES_GCM_12, " with 12 octet ICV"),
	AES("GCM", IPSP_ENCR_AES_GCM_16, " with 16 octet ICV"),
	{ "NULL", IPSP_ENCR_NULL, 0 },
	{ "CAMELLIA-CBC-128", IPSP_ENCR_CAMELLIA_CBC, 128 },
	{ "CAMELLIA-CBC-192", IPSP_ENCR_CAMELLIA_CBC, 192 },
	{ "CAMELLIA-CBC-256", IPSP_ENCR_CAMELLIA_CBC, 256 },
	{ "CHACHA20-POLY1305", IPSP_ENCR_CHACHA20_POLY1305, 256 },
};

static const struct integrity {
	const char *name;
	uint16_t integ;
} integrities[] = {
	{ "NONE", IPSP_INTEG_NONE },
	{ "HMAC_MD5_96", IPSP_INTEG_HMAC_MD5_96 },
	{ "HMAC_SHA1_96", IPSP_INTEG_HMAC_SHA1_96 },
	{ "HMAC_SHA2_256_128", IPSP_INTEG_HMAC_SHA2_256_128 },
	{ "HMAC_SHA2_384_192", IPSP_INTEG_HMAC_SHA2_384_192 },
	{ "HMAC_SHA2_512_256", IPSP_INTEG_HMAC_SHA2_512_256 },
	{ "AES_XCBC_96", IPSP_INTEG_AES_XCBC_96 },
	{ "AES_CMAC_96", IPSP_INTEG_AES_CMAC_96 },
};

/* ---- lines ---- */

struct line {
	const char *file;
	uint32_t number;
	bool allow_weak;
	struct pc_diag *d;
	char *fields[FIELDS];
};

static bool wrong(const struct line *l, const char *why)
{
	pc_diag_set(l->d, "%s:%u: %s", l->file, l->number, why);
	return false;
}

/* Without quotes, and without the reference in brackets. */
static char *bare_name(char *name)
{
	char *bracket = strstr(name, " [");

	if (bracket)
		*bracket = '\0';
	name += strspn(name, "\" ");
	name[strcspn(name, "\"")] = '\0';
	return name;
}

/* @return how many there are; 0: neither version's */
static size_t split(struct line *l, char *text)
{
	size_t n = 0;

	while (text && n < FIELDS) {
		l->fields[n++] = text;
		text = strchr(text, ',');
		if (text)
			*text++ = '\0';
	}
	if (!text && (n == FIELDS || n == FIELDS_V1))
		return n;
	wrong(l, "an IKE SA has eight fields with commas between them, or two for IKEv1");
	return 0;
}

static bool read_spi(const struct line *l, const char *text, uint8_t spi[IKE_SPI_LEN])
{
	size_t n;

	return (pc_hex(text, spi, IKE_SPI_LEN, &n) && n == IKE_SPI_LEN) ||
	       wrong(l, "an SPI is 16 hex digits");
}

static bool read_key(const struct line *l, const char *text, struct ipsp_key *key)
{
	size_t n;

	if (!pc_hex(text, key->octets, sizeof(key->octets), &n))
		return wrong(l, "a key is an even number of hex digits, not more than any algorithm takes");
	key->len = (uint16_t)n;
	return true;
}

static bool read_algorithms(const struct line *l, struct ipsp_sa_config *sa)
{
	const char *const encr = bare_name(l->fields[FIELD_ENCR]);
	const char *const integ = bare_name(l->fields[FIELD_INTEG]);
	const struct cipher *cipher = NULL;
	const struct integrity *integrity = NULL;

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (!strcasecmp(ciphers[i].name, encr))
			cipher = &ciphers[i];
	}
	for (size_t i = 0; i < sizeof(integrities) / sizeof(integrities[0]); i++) {
		if (!strcasecmp(integrities[i].name, integ))
			integrity = &integrities[i];
	}
	if (!cipher || !integrity)
		return wrong(l, cipher ? "the integrity algorithm is not known here" :
					 "the cipher is not known here");
	sa->encr = cipher->encr;
	sa->encr_key_bits = cipher->key_bits;
	sa->integ = integrity->integ;
	return true;
}

/* One direction. */
static bool make_seal(const struct line *l, const struct ipsp_sa_config *sa, struct ike_seal *out)
{
	const struct ipsp_crypto *const crypto = l->allow_weak ? ipsp_crypto_analysis() :
								 ipsp_crypto_gcrypt();

	switch (ike_seal_init(out, crypto, sa->encr, sa->encr_key_bits, sa->integ,
			      (struct ipsp_span){ sa->encr_key.octets, sa->encr_key.len },
			      (struct ipsp_span){ sa->integ_key.octets, sa->integ_key.len })) {
	case IPSP_OK:
		return true;
	case IPSP_EKEYLEN:
		return wrong(l, "a key (with its salt behind it) has not its algorithm's length");
	case IPSP_ENOTSUP:
		return wrong(l, "these algorithms are not offered; weak ones need --allow-weak");
	default:
		return wrong(l, "no locked memory is left");
	}
}

/* sa is for the keys of one direction, then the other. */
static bool make_sa(const struct line *l, struct ipsp_sa_config *sa, struct ike_sa *out)
{
	if (!read_spi(l, l->fields[FIELD_SPI_I], out->spi_i) ||
	    !read_spi(l, l->fields[FIELD_SPI_R], out->spi_r) || !read_algorithms(l, sa) ||
	    !read_key(l, l->fields[FIELD_EI], &sa->encr_key) ||
	    !read_key(l, l->fields[FIELD_AI], &sa->integ_key) ||
	    !make_seal(l, sa, &out->of_initiator))
		return false;
	if (read_key(l, l->fields[FIELD_ER], &sa->encr_key) &&
	    read_key(l, l->fields[FIELD_AR], &sa->integ_key) &&
	    make_seal(l, sa, &out->of_responder))
		return true;
	ike_seal_fini(&out->of_initiator);
	return false;
}

static bool make_v1(const struct line *l, struct ipsp_key *key, struct pc_isakmp **out)
{
	uint8_t cookie[IKE_SPI_LEN];

	if (!read_spi(l, l->fields[FIELD_V1_COOKIE], cookie) ||
	    !read_key(l, l->fields[FIELD_V1_KEY], key))
		return false;
	*out = pc_isakmp_new(cookie, (struct ipsp_span){ key->octets, key->len }, l->allow_weak);
	return *out || wrong(l, "the key is longer than any cipher's, or no memory is left");
}

static bool parse_line(struct line *l, char *text, struct pc_ike_keys *keys)
{
	struct ipsp_sa_config *sa;
	size_t n_fields;
	bool good;

	text[strcspn(text, "\r")] = '\0';
	if (text[0] == '\0' || text[0] == '#')
		return true;
	n_fields = split(l, text);
	if (n_fields == 0)
		return false;
	if (keys->n == PC_IKE_SAS_MAX || keys->n_v1 == PC_IKE_SAS_MAX)
		return wrong(l, "more IKE SAs than are kept");
	sa = gcry_calloc_secure(1, sizeof(*sa));
	if (!sa)
		return wrong(l, "no locked memory is left");
	if (n_fields == FIELDS_V1) {
		good = make_v1(l, &sa->encr_key, &keys->v1[keys->n_v1]);
		keys->n_v1 += good;
	} else {
		good = make_sa(l, sa, &keys->sas[keys->n]);
		keys->n += good;
	}
	gcry_free(sa);
	return good;
}

bool pc_ike_keys_parse(char *text, size_t len, const char *name, bool allow_weak,
		       struct pc_ike_keys **out, struct pc_diag *d)
{
	struct line l = { .file = name, .allow_weak = allow_weak, .d = d };
	struct pc_ike_keys *keys = calloc(1, sizeof(*keys));
	char *const end = text + len;

	if (!keys) {
		pc_diag_set(d, "out of memory");
		return false;
	}
	while (text < end) {
		char *const next = text + strcspn(text, "\n");

		l.number++;
		*next = '\0';
		if (!parse_line(&l, text, keys)) {
			pc_ike_keys_free(keys);
			return false;
		}
		text = next + 1;
	}
	*out = keys;
	return true;
}

bool pc_ike_keys_load(const char *name, bool allow_weak, struct pc_ike_keys **out,
		      struct pc_diag *d)
{
	char *const buf = gcry_malloc_secure(PC_FILE_MAX + 2);
	uint32_t n_readable = 0;
	size_t len;
	bool good;

	if (!buf) {
		pc_diag_set(d, "%s: no locked memory is left", name);
		return false;
	}
	good = pc_secrets_read(name, buf, &n_readable, &len, d) &&
	       pc_ike_keys_parse(buf, len, name, allow_weak, out, d);
	gcry_free(buf);
	return good;
}

void pc_ike_keys_free(struct pc_ike_keys *keys)
{
	if (!keys)
		return;
	for (uint32_t i = 0; i < keys->n; i++) {
		ike_seal_fini(&keys->sas[i].of_initiator);
		ike_seal_fini(&keys->sas[i].of_responder);
	}
	for (uint32_t i = 0; i < keys->n_v1; i++)
		pc_isakmp_free(keys->v1[i]);
	free(keys);
}

/* ---- messages ---- */

/* The last line of an IKE SA counts. */
static const struct ike_sa *find(const struct pc_ike_keys *keys, const struct ike_header *h)
{
	for (uint32_t i = keys->n; i > 0; i--) {
		const struct ike_sa *const sa = &keys->sas[i - 1];

		if (!memcmp(sa->spi_i, h->spi_i, IKE_SPI_LEN) &&
		    !memcmp(sa->spi_r, h->spi_r, IKE_SPI_LEN))
			return sa;
	}
	return NULL;
}

static struct pc_isakmp *find_v1(const struct pc_ike_keys *keys, const struct ike_header *h)
{
	for (uint32_t i = keys->n_v1; i > 0; i--) {
		if (pc_isakmp_is(keys->v1[i - 1], h))
			return keys->v1[i - 1];
	}
	return NULL;
}

void pc_ike_keys_see(struct pc_ike_keys *keys, struct ipsp_span message)
{
	struct pc_isakmp *sa;
	struct ike_header h;
	struct ike_fault fault;

	if (!ike_header_read(message, &h, &fault) || h.major != 1)
		return;
	sa = find_v1(keys, &h);
	if (sa)
		pc_isakmp_see(sa, &h, message);
}

static const char *why_closed(enum ipsp_err err)
{
	switch (err) {
	case IPSP_OK:
		return NULL;
	case IPSP_EMALFORMED:
		return "it has no room for what the keys' algorithms need";
	case IPSP_EICV:
		return "the ICV does not fit these keys";
	default:
		return "the crypto library fails";
	}
}

static const char *open_v1(struct pc_ike_keys *keys, const struct ike_header *h,
			   struct ipsp_span sealed, struct ipsp_span *clear)
{
	struct pc_isakmp *const sa = find_v1(keys, h);
	const char *const why = sa ? pc_isakmp_open(sa, h, sealed, keys->clear) :
				     "the table has no key of this ISAKMP SA";

	if (!why)
		*clear = (struct ipsp_span){ keys->clear, sealed.len };
	return why;
}

static const char *open_v2(struct pc_ike_keys *keys, const struct ike_header *h,
			   struct ipsp_span message, const struct ike_payload *sealed,
			   struct ipsp_span *clear)
{
	const struct ike_sa *const sa = find(keys, h);
	struct ike_fragment fragment;

	if (!sa)
		return "the table has no keys of this IKE SA";
	return why_closed(ike_unseal(h->flags & IKE_FLAG_INITIATOR ? &sa->of_initiator :
								     &sa->of_responder,
				     message, sealed, keys->clear, clear, &fragment));
}

void pc_ike_keys_open(struct pc_ike_keys *keys, struct ipsp_span message,
		      const struct ike_payload *sealed, struct ike_opened *out)
{
	struct ike_header h;
	struct ike_fault fault;

	*out = (struct ike_opened){ .first_payload = sealed->next };
	if (!ike_header_read(message, &h, &fault))
		out->why = fault.what;
	else if (sealed->body.len > sizeof(keys->clear))
		out->why = "it is longer than any message";
	else
		out->why = h.major == 1 ? open_v1(keys, &h, sealed->body, &out->clear) :
					  open_v2(keys, &h, message, sealed, &out->clear);
}
