/* ike/config.c - connections, secrets and identities: see config.h. */
#include "ike/config.h"

#include <arpa/inet.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/crypto/locked.h"
#include "ike/dn.h"

/* ---- secrets ---- */

struct ike_secret {
	unsigned refs;
	size_t len;
	uint8_t octets[];
};

/* There may be one for each of very many connections, and few are long. Of the loop's thread. */
#define SECRET_ROOM 128u

static struct crypto_pool pool = { .object_size = SECRET_ROOM };

static bool is_of_pool(size_t len)
{
	return sizeof(struct ike_secret) + len <= SECRET_ROOM;
}

struct ike_secret *ike_secret_new(struct ipsp_span octets)
{
	struct ike_secret *s;

	if (octets.len > IKE_SECRET_MAX)
		return NULL;
	s = is_of_pool(octets.len) ? crypto_pool_get(&pool) :
				     gcry_malloc_secure(sizeof(*s) + octets.len);
	if (!s)
		return NULL;
	*s = (struct ike_secret){ .refs = 1, .len = octets.len };
	memcpy(s->octets, octets.data, octets.len);
	return s;
}

struct ike_secret *ike_secret_ref(struct ike_secret *s)
{
	s->refs++;
	return s;
}

void ike_secret_unref(struct ike_secret *s)
{
	if (!s || --s->refs > 0)
		return;
	if (is_of_pool(s->len))
		crypto_pool_put(&pool, s);
	else
		gcry_free(s);
}

struct ipsp_span ike_secret_octets(const struct ike_secret *s)
{
	return (struct ipsp_span){ s->octets, s->len };
}

/* ---- connections ---- */

struct ike_conn *ike_conn_new(void)
{
	struct ike_conn *const c = calloc(1, sizeof(*c));

	if (c)
		c->refs = 1;
	return c;
}

struct ike_conn *ike_conn_ref(struct ike_conn *c)
{
	c->refs++;
	return c;
}

static void drop_peer(struct ike_peer *p)
{
	ike_secret_unref(p->secret);
	ike_secret_unref(p->ppk);
	for (size_t i = 0; i < p->n_credentials; i++)
		ike_credential_unref(p->credentials[i]);
	ike_trust_unref(p->trust);
}

void ike_conn_unref(struct ike_conn *c)
{
	if (!c || --c->refs > 0)
		return;
	for (size_t i = 0; i < c->n_peers; i++)
		drop_peer(&c->peers[i]);
	free(c);
}

/* ---- identities, RFC 7296 3.5 ---- */

static bool is_text(uint8_t type)
{
	return type == IKE_ID_FQDN || type == IKE_ID_RFC822_ADDR;
}

static bool make_dn(const char *text, struct ike_identity *out)
{
	size_t len = IKE_IDENTITY_MAX;

	if (!*text)
		return true;
	if (!ike_dn_make(text, out->octets, &len))
		return false;
	out->len = (uint16_t)len;
	return true;
}

bool ike_identity_make(uint8_t type, const char *text, struct ike_identity *out)
{
	const size_t len = strlen(text);

	*out = (struct ike_identity){ .type = type };
	switch (type) {
	case IKE_ID_IPV4_ADDR:
		out->len = 4;
		return inet_pton(AF_INET, text, out->octets) == 1;
	case IKE_ID_IPV6_ADDR:
		out->len = 16;
		return inet_pton(AF_INET6, text, out->octets) == 1;
	case IKE_ID_FQDN:
	case IKE_ID_RFC822_ADDR:
	case IKE_ID_KEY_ID:
		if (len == 0 || len > IKE_IDENTITY_MAX)
			return false;
		out->len = (uint16_t)len;
		memcpy(out->octets, text, len);
		return true;
	case IKE_ID_DER_ASN1_DN:
		return make_dn(text, out);
	default:
		return false;
	}
}

struct ike_identity ike_identity_on(const struct ike_identity *configured,
				    const struct ipsp_addr *addr)
{
	struct ike_identity id = *configured;

	if (id.len > 0 || (id.type != IKE_ID_IPV4_ADDR && id.type != IKE_ID_IPV6_ADDR))
		return id;
	id.type = addr->family == 4 ? IKE_ID_IPV4_ADDR : IKE_ID_IPV6_ADDR;
	id.len = (uint16_t)ipsp_addr_size(addr->family);
	memcpy(id.octets, addr->octets, id.len);
	return id;
}

bool ike_identity_read(struct ipsp_span body, struct ike_identity *out)
{
	struct ipsp_span head;

	if (!ike_take(&body, 4, &head) || body.len > IKE_IDENTITY_MAX)
		return false;
	*out = (struct ike_identity){ .type = head.data[0], .len = (uint16_t)body.len };
	memcpy(out->octets, body.data, body.len);
	return (out->type != IKE_ID_IPV4_ADDR || body.len == 4) &&
	       (out->type != IKE_ID_IPV6_ADDR || body.len == 16);
}

bool ike_identity_fits(const struct ike_identity *wanted, const struct ike_identity *is)
{
	if (wanted->type == 0)
		return true;
	if (wanted->type != is->type)
		return false;
	if (is->type == IKE_ID_DER_ASN1_DN)
		return wanted->len == 0 ||
		       ike_dn_same((struct ipsp_span){ wanted->octets, wanted->len },
				   (struct ipsp_span){ is->octets, is->len });
	if (wanted->len != is->len)
		return false;
	/* RFC 1035 2.3.3; the part of a mail address before @ is treated likewise everywhere. */
	if (is_text(is->type))
		return !strncasecmp((const char *)wanted->octets, (const char *)is->octets, is->len);
	return !memcmp(wanted->octets, is->octets, is->len);
}

static bool printable(const struct ike_identity *id)
{
	for (size_t i = 0; i < id->len; i++) {
		if (id->octets[i] < 0x20 || id->octets[i] > 0x7e)
			return false;
	}
	return id->len > 0;
}

const char *ike_identity_text(const struct ike_identity *id, char buf[IKE_IDENTITY_TEXT])
{
	char name[IKE_NAME_TEXT], addr[INET6_ADDRSTRLEN];
	size_t at;

	if (id->type == 0)
		return "anybody";
	at = (size_t)snprintf(buf, IKE_IDENTITY_TEXT, "%s ",
			      ike_name_or_number(IKE_LIST_ID_TYPE, id->type, name));
	if (id->type == IKE_ID_IPV4_ADDR || id->type == IKE_ID_IPV6_ADDR) {
		inet_ntop(id->len == 4 ? AF_INET : AF_INET6, id->octets, addr, sizeof(addr));
		snprintf(buf + at, IKE_IDENTITY_TEXT - at, "%s", addr);
	} else if (id->type == IKE_ID_DER_ASN1_DN &&
		   ike_dn_text((struct ipsp_span){ id->octets, id->len }, buf + at,
			       IKE_IDENTITY_TEXT - at)) {
		return buf;
	} else if (printable(id)) {
		snprintf(buf + at, IKE_IDENTITY_TEXT - at, "%.*s", (int)id->len,
			 (const char *)id->octets);
	} else {
		for (size_t i = 0; i < id->len && at + 3 < IKE_IDENTITY_TEXT; i++)
			at += (size_t)snprintf(buf + at, IKE_IDENTITY_TEXT - at, "%02x",
					       id->octets[i]);
	}
	return buf;
}
