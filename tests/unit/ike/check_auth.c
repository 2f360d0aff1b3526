/*
 * tests/unit/ike/check_auth.c - how two daemons of this process prove who they are. RFC 7296 2.15, RFC 4945,
 * RFC 7427, RFC 7670, RFC 8784.
 */
#define _GNU_SOURCE	/* memmem */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"
#include "tests/unit/ike/pki.h"

static struct pair pair;
static struct pki_cert ca, other_ca, middle, leaf[2];

static void setup(void)
{
	const struct pki_spec root = { .dn = "CN=Root,O=Test", .ca = true, .from_days = -20 };

	pair_init(&pair);
	pki_make(&root, &ca);
}

static void teardown(void)
{
	pair_fini(&pair);
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&middle);
	pki_free(&leaf[0]);
	pki_free(&leaf[1]);
	pki_forget();
}

static struct ike_peer *peer_of(unsigned end)
{
	return &pair.ends[end].conn->peers[0];
}

static void without_secrets(void)
{
	for (unsigned i = 0; i < 2; i++) {
		ike_secret_unref(peer_of(i)->secret);
		peer_of(i)->secret = NULL;
	}
}

/* ---- giving ends what they need ---- */

static struct pki_spec leaf_spec(unsigned end)
{
	return (struct pki_spec){ .dn = end == 0 ? "CN=a,O=Test" : "CN=b,O=Test", .issuer = &ca,
				  .dns = end == 0 ? "a.example" : "b.example",
				  .usage = GNUTLS_KEY_DIGITAL_SIGNATURE };
}

static void give(unsigned end, const struct ike_credential_parts *parts)
{
	char why[IKE_WHY_TEXT] = "";
	struct ike_credential *const c = ike_credential_new(parts, why);

	ck_assert_msg(c != NULL, "%s", why);
	peer_of(end)->credentials[peer_of(end)->n_credentials++] = c;
}

static void give_cert(unsigned end, const struct pki_cert *c, const struct pki_cert *issuer, bool pss)
{
	const struct pki_cert *const chain[] = { c, issuer };

	give(end, &(struct ike_credential_parts){ .key = pki_key(c),
						  .certs = pki_certs(chain, issuer ? 2 : 1),
						  .pss = pss });
}

static void trust(unsigned end, const struct ike_trust_parts *parts)
{
	char why[IKE_WHY_TEXT] = "";

	ike_trust_unref(peer_of(end)->trust);
	peer_of(end)->trust = ike_trust_new(parts, why);
	ck_assert_msg(peer_of(end)->trust != NULL, "%s", why);
}

static struct ipsp_span one(const struct pki_cert *c)
{
	return pki_certs(&c, 1);
}

/* Both by certificates of one CA; that of end 1 as given. */
static void both_by_certs(const struct pki_spec *second)
{
	const struct pki_spec first = leaf_spec(0);

	without_secrets();
	pki_make(&first, &leaf[0]);
	pki_make(second, &leaf[1]);
	for (unsigned i = 0; i < 2; i++) {
		give_cert(i, &leaf[i], NULL, false);
		trust(i, &(struct ike_trust_parts){ .cas = one(&ca) });
	}
}

/* ---- what comes of it ---- */

static void begin(unsigned from)
{
	pair_initiate(&pair, from);
	pair_settle(&pair);
}

static void established(unsigned from)
{
	begin(from);
	ck_assert_msg(pair_ike_sas(&pair, 0) == 1, "%s%s", pair.ends[0].logs, pair.ends[1].logs);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}

/* By end 0, when it reads what end 1 proves. Either way it says no more than that it fails. */
static void refused(unsigned from, const char *why)
{
	begin(from);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_msg(strstr(pair.ends[0].logs, why) != NULL, "%s", pair.ends[0].logs);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "AUTHENTICATION_FAILED"));
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}

static void logged(unsigned end, const char *what)
{
	ck_assert_msg(strstr(pair.ends[end].logs, what) != NULL, "%s", pair.ends[end].logs);
}

/* ---- signatures ---- */

static const struct {
	enum pki_key key;
	bool pss;
	const char *name;
} methods[] = {
	{ PKI_RSA, false, "RSA with SHA256" },	   { PKI_RSA, true, "RSA PSS with SHA256" },
	{ PKI_PSS, false, "RSA PSS with SHA256" }, { PKI_P256, false, "ECDSA with SHA256" },
	{ PKI_P384, false, "ECDSA with SHA384" },  { PKI_P521, false, "ECDSA with SHA512" },
	{ PKI_ED25519, false, "Ed25519" },	   { PKI_ED448, false, "Ed448" },
};

#define N_METHODS ((int)(sizeof(methods) / sizeof(methods[0])))

START_TEST(test_either_end_proves_itself_by_any_kind_of_key)
{
	without_secrets();
	for (unsigned i = 0; i < 2; i++) {
		struct pki_spec spec = leaf_spec(i);

		spec.key = methods[_i % N_METHODS].key;
		pki_make(&spec, &leaf[i]);
		give_cert(i, &leaf[i], NULL, methods[_i % N_METHODS].pss);
		trust(i, &(struct ike_trust_parts){ .cas = one(&ca) });
	}
	established(_i / N_METHODS);
	for (unsigned i = 0; i < 2; i++) {
		logged(i, "the peer proves itself by ");
		logged(i, methods[_i % N_METHODS].name);
	}
}
END_TEST

START_TEST(test_one_end_signs_and_the_other_has_a_shared_key)
{
	const struct pki_spec spec = leaf_spec(0);

	pki_make(&spec, &leaf[0]);
	give_cert(0, &leaf[0], NULL, false);
	trust(1, &(struct ike_trust_parts){ .cas = one(&ca) });
	established(_i);
	/* As responder it does as the initiator did. */
	ck_assert_int_eq(strstr(pair.ends[1].logs, "proves itself by ECDSA") != NULL, _i == 0);
}
END_TEST

START_TEST(test_another_certificate_than_the_configured_one_is_refused)
{
	const struct pki_spec second = leaf_spec(1);

	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .peers = one(&leaf[0]) });
	refused(_i, "its certificate is not the one that is configured, but that of CN=b,O=Test, FQDN b.example");
}
END_TEST

/* ---- certificates ---- */

START_TEST(test_an_intermediate_certificate_comes_along)
{
	const struct pki_spec between = { .dn = "CN=Between", .ca = true, .issuer = &ca };
	struct pki_spec spec = leaf_spec(1);

	without_secrets();
	pki_make(&between, &middle);
	spec.issuer = &middle;
	pki_make(&spec, &leaf[1]);
	spec = leaf_spec(0);
	pki_make(&spec, &leaf[0]);
	give_cert(0, &leaf[0], NULL, false);
	give_cert(1, &leaf[1], _i < 2 ? &middle : NULL, false);
	trust(1, &(struct ike_trust_parts){ .cas = one(&ca) });
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca),
					    .intermediates = _i < 2 ? (struct ipsp_span){ 0 } :
								      one(&middle) });
	established(_i % 2);
}
END_TEST

/* Of 2,9 kB or so: its own name and its issuer's. */
static void make_long(const struct pki_cert *issuer, unsigned n, struct pki_cert *out)
{
	char dn[2048];
	size_t at = (size_t)snprintf(dn, sizeof(dn), "CN=Between %u", n);

	for (unsigned i = 0; i < 18; i++)
		at += (size_t)snprintf(dn + at, sizeof(dn) - at, ",OU=%02u %.57s", i,
				       "a department with a name as long as names of its kind may be");
	pki_make(&(struct pki_spec){ .dn = dn, .ca = true, .issuer = issuer }, out);
}

static unsigned note_longest(struct pair *p, const struct pair_datagram *d)
{
	size_t *const longest = p->fate_arg;

	*longest = d->len > *longest ? d->len : *longest;
	return 1;
}

/* RFC 7383: up to IKE_CLEAR_MAX octets of payloads, and no datagram longer than any path carries. */
START_TEST(test_a_long_chain_goes_in_fragments_up_to_the_limit)
{
	const bool fits = _i < 2;
	const unsigned n = fits ? 5 : 6;
	const struct pki_cert *chain[IKE_CHAIN_MAX] = { &leaf[1] };
	struct pki_cert between[6];
	struct pki_spec spec = leaf_spec(0);
	size_t longest = 0;

	without_secrets();
	pki_make(&spec, &leaf[0]);
	for (unsigned i = 0; i < n; i++) {
		make_long(i ? &between[i - 1] : &ca, i, &between[i]);
		chain[n - i] = &between[i];
	}
	spec = leaf_spec(1);
	spec.issuer = &between[n - 1];
	pki_make(&spec, &leaf[1]);
	give_cert(0, &leaf[0], NULL, false);
	give(1, &(struct ike_credential_parts){ .key = pki_key(&leaf[1]),
						.certs = pki_certs(chain, n + 1) });
	for (unsigned i = 0; i < 2; i++)
		trust(i, &(struct ike_trust_parts){ .cas = one(&ca) });
	pair.fate = note_longest;
	pair.fate_arg = &longest;
	if (fits) {
		established(_i % 2);
	} else {
		begin(_i % 2);
		logged(1, "the message would be longer than the 16384 octets that are the most to be sent: "
			  "our certificates have 1");
		ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
		ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
		if (_i % 2 == 0)
			logged(0, "AUTHENTICATION_FAILED");
	}
	ck_assert_uint_lt(longest, 1280);
	for (unsigned i = 0; i < n; i++)
		pki_free(&between[i]);
}
END_TEST

START_TEST(test_a_chain_with_a_gap_is_refused)
{
	const struct pki_spec between = { .dn = "CN=Between", .ca = true, .issuer = &ca };
	struct pki_spec spec = leaf_spec(1);

	pki_make(&between, &middle);
	spec.issuer = &middle;
	both_by_certs(&spec);
	refused(_i, "no CA that is configured signed for the peer: CN=b,O=Test is signed by CN=Between");
}
END_TEST

static void spec_expired(struct pki_spec *s)
{
	s->from_days = -10;
	s->until_days = -2;
}

static void spec_future(struct pki_spec *s)
{
	s->from_days = 2;
}

static void spec_other_ca(struct pki_spec *s)
{
	const struct pki_spec root = { .dn = "CN=Other", .ca = true };

	pki_make(&root, &other_ca);
	s->issuer = &other_ca;
}

static void spec_forged_ca(struct pki_spec *s)
{
	const struct pki_spec root = { .dn = "CN=Root,O=Test", .ca = true };

	pki_make(&root, &other_ca);
	s->issuer = &other_ca;
}

static void spec_other_name(struct pki_spec *s)
{
	s->dns = "c.example";
}

static void spec_not_ca(struct pki_spec *s)
{
	const struct pki_spec user = { .dn = "CN=User", .issuer = &ca };

	pki_make(&user, &middle);
	s->issuer = &middle;
}

static void spec_constrained(struct pki_spec *s)
{
	const struct pki_spec between = { .dn = "CN=Between", .ca = true, .issuer = &ca,
					  .permits = "elsewhere.example" };

	pki_make(&between, &middle);
	s->issuer = &middle;
}

static void spec_short_key(struct pki_spec *s)
{
	s->key = PKI_RSA_1024;
}

/* What may be wrong with the other's certificate, and what the log says of it. */
static const struct {
	void (*spoil)(struct pki_spec *s);
	const char *why;
	int skew_days;		/* of the other's calendar, by which it is good */
} faults[] = {
	{ spec_expired, "the certificate of CN=b,O=Test expired on ", -5 },
	{ spec_future, "the certificate of CN=b,O=Test is not valid before ", 5 },
	{ spec_other_ca, "CN=b,O=Test is signed by CN=Other", 0 },
	{ spec_forged_ca, "a signature of the chain is not good", 0 },
	{ spec_other_name, "FQDN b.example is not in its certificate, which is for CN=b,O=Test, FQDN c.example", 0 },
	{ spec_not_ca, "signed by one that is no CA's", 0 },
	{ spec_constrained, "a CA of the chain may not sign for such a name", 0 },
	{ spec_short_key, "a key or signature of the chain is too weak", 0 },
};

#define N_FAULTS ((int)(sizeof(faults) / sizeof(faults[0])))

START_TEST(test_a_certificate_with_a_fault_is_refused_with_what_it_is)
{
	struct pki_spec first = leaf_spec(0), second = leaf_spec(1);

	without_secrets();
	first.from_days = -20;
	pki_make(&first, &leaf[0]);
	faults[_i % N_FAULTS].spoil(&second);
	pki_make(&second, &leaf[1]);
	for (unsigned i = 0; i < 2; i++) {
		give_cert(i, &leaf[i], i == 1 && middle.crt ? &middle : NULL, false);
		trust(i, &(struct ike_trust_parts){ .cas = one(&ca) });
	}
	pair.ends[1].wall_skew_s = faults[_i % N_FAULTS].skew_days * 86400;
	refused(_i / N_FAULTS, faults[_i % N_FAULTS].why);
}
END_TEST

START_TEST(test_a_weak_key_is_taken_where_that_is_allowed)
{
	struct pki_spec second = leaf_spec(1);

	second.key = PKI_RSA_1024;
	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .weak = true });
	established(_i);
}
END_TEST

START_TEST(test_ours_is_not_shown_when_its_time_is_over)
{
	const struct pki_spec second = leaf_spec(1);

	both_by_certs(&second);
	pair.ends[0].wall_skew_s = 40 * 86400;
	begin(0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	logged(0, "no certificate of ours is valid now");
}
END_TEST

/* ---- identities ---- */

static const struct {
	uint8_t type;
	const char *text;	/* of end 1, as it is sent */
	const char *wanted;	/* by end 0 */
	bool good;
} identities[] = {
	{ IKE_ID_FQDN, "b.example", "B.EXAMPLE", true },
	{ IKE_ID_RFC822_ADDR, "b@example.org", "b@example.org", true },
	{ IKE_ID_RFC822_ADDR, "c@example.org", "c@example.org", false },
	{ IKE_ID_IPV4_ADDR, "198.51.100.1", "198.51.100.1", true },
	{ IKE_ID_IPV4_ADDR, "198.51.100.2", "198.51.100.2", false },
	{ IKE_ID_IPV6_ADDR, "2001:db8::1", "2001:db8::1", false },
	{ IKE_ID_DER_ASN1_DN, "CN=b,O=Test", "cn=B,  O=test", true },
	{ IKE_ID_DER_ASN1_DN, "", "CN=b,O=Test", true },
	{ IKE_ID_DER_ASN1_DN, "", "", true },
	{ IKE_ID_DER_ASN1_DN, "O=Test,CN=b", "O=Test,CN=b", false },
	{ IKE_ID_KEY_ID, "number-seven", "number-seven", true },
	{ IKE_ID_KEY_ID, "number-eight", "number-eight", false },
};

START_TEST(test_an_identity_must_be_in_the_certificate)
{
	struct pki_spec second = leaf_spec(1);

	second.email = "b@example.org";
	second.ip = "198.51.100.1";
	second.key_id = "number-seven";
	both_by_certs(&second);
	ck_assert(ike_identity_make(identities[_i].type, identities[_i].text,
				    &pair.ends[1].conn->local_id));
	ck_assert(ike_identity_make(identities[_i].type, identities[_i].wanted, &peer_of(0)->id));
	if (identities[_i].good)
		established(_i % 2);
	else
		refused(_i % 2, " is not in its certificate, which is for CN=b,O=Test");
}
END_TEST

START_TEST(test_another_identity_than_is_wanted_is_refused)
{
	const struct pki_spec second = leaf_spec(1);

	both_by_certs(&second);
	ck_assert(ike_identity_make(IKE_ID_DER_ASN1_DN, "CN=c,O=Test", &peer_of(0)->id));
	ck_assert(ike_identity_make(IKE_ID_DER_ASN1_DN, "", &pair.ends[1].conn->local_id));
	refused(0, "the peer is DER_ASN1_DN CN=b,O=Test, not DER_ASN1_DN CN=c,O=Test");
}
END_TEST

/* ---- which certificate ---- */

START_TEST(test_of_several_certificates_the_one_is_shown_that_is_asked_for)
{
	const struct pki_spec root = { .dn = "CN=Other", .ca = true };
	const struct pki_spec second = leaf_spec(1);
	struct pki_spec foreign = leaf_spec(1);
	struct pki_cert mine;

	both_by_certs(&second);
	pki_make(&root, &other_ca);
	foreign.issuer = &other_ca;
	foreign.dn = "CN=of the other";
	pki_make(&foreign, &mine);
	/* Its own trust knows both CAs; the peer believes the second alone. */
	give_cert(1, &mine, &other_ca, false);
	trust(0, &(struct ike_trust_parts){ .cas = one(&other_ca) });
	established(_i);
	pki_free(&mine);
}
END_TEST

START_TEST(test_of_two_by_one_ca_the_one_made_for_ike_is_shown)
{
	const struct pki_spec second = leaf_spec(1);
	struct pki_spec better = leaf_spec(1);
	const struct pki_cert *pinned;
	struct pki_cert mine;

	both_by_certs(&second);
	better.purpose = "1.3.6.1.5.5.8.2.2";
	better.dn = "CN=made for IKE";
	pki_make(&better, &mine);
	give_cert(1, &mine, NULL, false);
	pinned = &mine;
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .peers = pki_certs(&pinned, 1) });
	established(_i);
	pki_free(&mine);
}
END_TEST

START_TEST(test_a_configured_certificate_needs_no_ca)
{
	const struct pki_spec second = leaf_spec(1);

	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .peers = one(&leaf[1]) });
	established(_i);
}
END_TEST

/* ---- revocation ---- */

static struct ipsp_span crl, ocsp;
static unsigned n_fetched;

static struct ipsp_span bring(struct pair *p, const char *url, struct ipsp_span post)
{
	(void)p;
	n_fetched++;
	if (post.len > 0) {
		ck_assert_str_eq(url, "http://ca.example/ocsp");
		return ocsp;
	}
	ck_assert_str_eq(url, "http://ca.example/crl");
	return crl;
}

/* The crossing of levels with what is known. */
static const struct {
	enum ike_crl_level level;
	enum { NOTHING, GOOD, REVOKED, OLD, OLD_REVOKED, BY_ANOTHER } is;
	bool good;
	const char *log;
} revocations[] = {
	{ IKE_CRL_NONE, REVOKED, true, NULL },
	{ IKE_CRL_NONE, NOTHING, true, NULL },
	{ IKE_CRL_IF_THERE, NOTHING, true, "taken all the same" },
	{ IKE_CRL_IF_THERE, OLD, true, "taken all the same" },
	{ IKE_CRL_IF_THERE, GOOD, true, NULL },
	{ IKE_CRL_IF_THERE, REVOKED, false, "the certificate of CN=b,O=Test is revoked" },
	{ IKE_CRL_IF_THERE, OLD_REVOKED, false, "the certificate of CN=b,O=Test is revoked" },
	{ IKE_CRL_REQUIRED, NOTHING, false, "nobody says whether the certificate of CN=b,O=Test is revoked" },
	{ IKE_CRL_REQUIRED, OLD, false, "nobody says whether the certificate of CN=b,O=Test is revoked" },
	{ IKE_CRL_REQUIRED, BY_ANOTHER, false, "nobody says whether" },
	{ IKE_CRL_REQUIRED, GOOD, true, NULL },
	{ IKE_CRL_REQUIRED, REVOKED, false, "the certificate of CN=b,O=Test is revoked" },
};

#define N_REVOCATIONS ((int)(sizeof(revocations) / sizeof(revocations[0])))

static struct ipsp_span list_of(int is)
{
	const struct pki_spec root = { .dn = "CN=Root,O=Test", .ca = true };

	switch (is) {
	case GOOD:
		return pki_crl(&ca, NULL, 5);
	case REVOKED:
		return pki_crl(&ca, &leaf[1], 5);
	case OLD:
		return pki_crl(&ca, NULL, -5);
	case OLD_REVOKED:
		return pki_crl(&ca, &leaf[1], -5);
	case BY_ANOTHER:
		pki_make(&root, &other_ca);
		return pki_crl(&other_ca, NULL, 5);
	default:
		return (struct ipsp_span){ 0 };
	}
}

START_TEST(test_crls_are_asked_for_as_the_level_says)
{
	const int n = _i % N_REVOCATIONS, given = _i / N_REVOCATIONS % 2, from = _i / N_REVOCATIONS / 2;
	struct pki_spec second = leaf_spec(1);

	second.crl_url = "http://ca.example/crl";
	both_by_certs(&second);
	crl = list_of(revocations[n].is);
	n_fetched = 0;
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = revocations[n].level,
					    .crls = given ? crl : (struct ipsp_span){ 0 } });
	if (!given)
		pair.fetch = bring;
	if (revocations[n].good)
		established(from);
	else
		refused(from, revocations[n].log);
	if (revocations[n].log)
		logged(0, revocations[n].log);
	if (!given)
		ck_assert_uint_eq(n_fetched, revocations[n].level != IKE_CRL_NONE);
}
END_TEST

START_TEST(test_a_crl_is_kept_until_its_next_one)
{
	struct pki_spec second = leaf_spec(1);

	second.crl_url = "http://ca.example/crl";
	both_by_certs(&second);
	crl = list_of(GOOD);
	n_fetched = 0;
	pair.fetch = bring;
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = IKE_CRL_REQUIRED });
	begin(0);
	begin(0);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	ck_assert_uint_eq(n_fetched, 1);
	/* Its time is over, the certificates' is not. */
	pair.ends[0].wall_skew_s = 6 * 86400;
	begin(0);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	ck_assert_uint_eq(n_fetched, 2);
}
END_TEST

START_TEST(test_an_ocsp_responder_is_asked)
{
	struct pki_spec second = leaf_spec(1);

	second.ocsp_url = "http://ca.example/ocsp";
	both_by_certs(&second);
	ocsp = _i % 2 ? pki_ocsp(&ca, &leaf[0], false) : pki_ocsp(&ca, &leaf[1], _i / 2);
	pair.fetch = bring;
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = IKE_CRL_REQUIRED });
	if (_i == 0)
		established(0);
	else
		refused(0, _i == 2 ? "is revoked" : "nobody says whether");
}
END_TEST

/* CERTREQ payloads of five octets, which name nobody: RFC 4806 3.1, RFC 7296 3.7. */
static uint8_t bare_encoding;

static unsigned count_bare_requests(struct pair *p, const struct pair_datagram *d)
{
	const uint8_t request[] = { 0, 5, bare_encoding };

	if (d->len > 28 && d->octets[18] == IKE_EXCHANGE_IKE_SA_INIT &&
	    memmem(d->octets + 28, d->len - 28, request, sizeof(request)))
		++*(unsigned *)p->fate_arg;
	return 1;
}

START_TEST(test_an_ocsp_answer_is_asked_for_as_the_level_says)
{
	const struct pki_spec second = leaf_spec(1);
	unsigned n = 0;

	both_by_certs(&second);
	trust(1, &(struct ike_trust_parts){ .cas = one(&ca), .level = (enum ike_crl_level)_i,
					    .crls = list_of(GOOD) });
	bare_encoding = IKE_CERT_OCSP;
	pair.fate = count_bare_requests;
	pair.fate_arg = &n;
	established(0);
	ck_assert_uint_eq(n, _i != IKE_CRL_NONE);
}
END_TEST

START_TEST(test_a_ca_may_be_left_out_of_requests)
{
	const struct pki_spec second = leaf_spec(1);
	unsigned n = 0;

	both_by_certs(&second);
	trust(1, &(struct ike_trust_parts){ .cas = one(&ca), .unnamed = _i });
	bare_encoding = IKE_CERT_X509_SIGNATURE;
	pair.fate = count_bare_requests;
	pair.fate_arg = &n;
	established(0);
	ck_assert_uint_eq(n, (unsigned)_i);
	logged(0, _i ? "by pass 2: the first one, as the peer names no authority of ours" :
		       "by pass 2: of an authority that the peer names");
}
END_TEST

/* What was asked for may come when nobody waits any more. */
static uint64_t late_ticket;

static void keep_ticket(void *arg, uint64_t ticket, const char *url, struct ipsp_span post)
{
	(void)arg;
	(void)url;
	(void)post;
	late_ticket = ticket;
}

START_TEST(test_an_answer_that_comes_late_finds_nobody)
{
	struct pki_spec second = leaf_spec(1);

	second.crl_url = "http://ca.example/crl";
	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = IKE_CRL_REQUIRED });
	pair.late_fetch = keep_ticket;
	begin(1);
	ck_assert_uint_ne(late_ticket, 0);
	pair_pass(&pair, 600000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	if (_i == 0)
		ike_fetch_done(pair.ends[0].world, late_ticket, list_of(GOOD), pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
}
END_TEST

START_TEST(test_while_a_crl_is_on_its_way_a_second_request_is_not_taken)
{
	struct pki_spec second = leaf_spec(1);

	second.crl_url = "http://ca.example/crl";
	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = IKE_CRL_REQUIRED });
	pair.late_fetch = keep_ticket;
	begin(1);
	/* The initiator repeats itself meanwhile. */
	pair_pass(&pair, 5000);
	ike_fetch_done(pair.ends[0].world, late_ticket, list_of(GOOD), pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

/* ---- raw public keys ---- */

START_TEST(test_raw_public_keys_are_believed_if_they_are_the_configured_ones)
{
	const struct pki_spec second = leaf_spec(1);
	const struct pki_spec first = leaf_spec(0);

	without_secrets();
	pki_make(&first, &leaf[0]);
	pki_make(&second, &leaf[1]);
	for (unsigned i = 0; i < 2; i++) {
		give(i, &(struct ike_credential_parts){ .key = pki_key(&leaf[i]) });
		trust(i, &(struct ike_trust_parts){ .raw_key = pki_public(&leaf[!i]) });
	}
	if (_i < 2) {
		established(_i);
		return;
	}
	trust(0, &(struct ike_trust_parts){ .raw_key = pki_public(&ca) });
	refused(_i - 2, "the peer's raw public key is another one than is configured");
}
END_TEST

START_TEST(test_a_raw_key_is_not_taken_where_a_certificate_is_due)
{
	const struct pki_spec second = leaf_spec(1);

	both_by_certs(&second);
	ike_credential_unref(peer_of(1)->credentials[0]);
	peer_of(1)->n_credentials = 0;
	give(1, &(struct ike_credential_parts){ .key = pki_key(&leaf[1]) });
	refused(_i, "the peer shows a raw public key, and none is configured");
}
END_TEST

/* ---- postquantum preshared keys ---- */

static void give_ppk(unsigned end, const char *key, const char *id, bool required)
{
	struct ike_peer *const p = peer_of(end);

	p->ppk = ike_secret_new((struct ipsp_span){ (const uint8_t *)key, strlen(key) });
	p->ppk_id_len = (uint8_t)strlen(id);
	memcpy(p->ppk_id, id, p->ppk_id_len);
	p->ppk_required = required;
}

/* RFC 8784 3, its table: what each end has, whether it must, what comes of it. */
static const struct {
	const char *name[2];	/* of the PPK; NULL: none */
	bool required[2];
	bool good;
} ppks[] = {
	{ { "one", "one" }, { true, true }, true },
	{ { "one", "one" }, { false, false }, true },
	{ { "one", "one" }, { true, false }, true },
	{ { "one", NULL }, { false, false }, true },
	{ { "one", NULL }, { true, false }, false },
	{ { NULL, "one" }, { false, false }, true },
	{ { NULL, "one" }, { false, true }, false },
	{ { "one", "two" }, { false, false }, true },
	{ { "one", "two" }, { true, false }, false },
	{ { "one", "two" }, { false, true }, false },
	{ { NULL, NULL }, { false, false }, true },
};

#define N_PPKS ((int)(sizeof(ppks) / sizeof(ppks[0])))

START_TEST(test_a_ppk_is_used_where_both_have_it_and_missed_where_it_must_be)
{
	const int n = _i % N_PPKS;
	const bool by_certs = _i / N_PPKS;
	const struct pki_spec second = leaf_spec(1);

	if (by_certs)
		both_by_certs(&second);
	for (unsigned i = 0; i < 2; i++) {
		if (ppks[n].name[i])
			give_ppk(i, ppks[n].name[i], ppks[n].name[i], ppks[n].required[i]);
	}
	if (ppks[n].good) {
		established(0);
		return;
	}
	begin(0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_count(&pair, 1), 0);
	ck_assert(strstr(pair.ends[0].logs, "postquantum") || strstr(pair.ends[1].logs, "postquantum"));
}
END_TEST

START_TEST(test_another_ppk_of_the_same_name_is_refused)
{
	give_ppk(0, "this", "name", true);
	give_ppk(1, "that", "name", true);
	begin(0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	logged(1, "the shared keys differ");
}
END_TEST

/* ---- nobody waits for a computation ---- */

static const struct {
	unsigned end;
	enum ike_job_kind kind;
} jobs[] = {
	{ 1, IKE_JOB_SIGN }, { 0, IKE_JOB_VERIFY }, { 0, IKE_JOB_SIGN }, { 1, IKE_JOB_VERIFY },
	{ 0, IKE_JOB_REVOCATION },
};

static void die(struct ike_world *w)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		while (w->by_spi[i])
			ike_sa_free(w->by_spi[i]);
	}
}

/* Runs jobs of both, but for that one. False: there is none to run. */
static bool run_one(unsigned but_of, enum ike_job_kind kind)
{
	for (unsigned i = 0; i < 2; i++) {
		struct pair_end *const end = &pair.ends[i];
		struct ike_job *const job = end->n_jobs ? end->jobs[0] : NULL;

		if (!job || (i == but_of && job->kind == kind))
			continue;
		end->n_jobs--;
		ike_job_run(job);
		ike_job_done(end->world, job, pair.now_ms);
		pair_settle(&pair);
		return true;
	}
	return false;
}

START_TEST(test_an_ike_sa_may_die_while_its_proof_is_computed)
{
	const struct pki_spec second = leaf_spec(1);
	struct pair_end *const end = &pair.ends[jobs[_i].end];

	both_by_certs(&second);
	trust(0, &(struct ike_trust_parts){ .cas = one(&ca), .level = IKE_CRL_IF_THERE });
	pair.keep_jobs = true;
	pair_initiate(&pair, 1);
	while (run_one(jobs[_i].end, jobs[_i].kind))
		;
	ck_assert_uint_eq(end->n_jobs, 1);
	ck_assert_int_eq(end->jobs[0]->kind, jobs[_i].kind);
	die(end->world);
	ike_job_run(end->jobs[0]);
	ike_job_done(end->world, end->jobs[0], pair.now_ms);
	ck_assert_uint_eq(pair_ike_sas(&pair, jobs[_i].end), 0);
	ck_assert_uint_eq(pair_count(&pair, jobs[_i].end), 0);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike auth");
	TCase *const tc = tcase_create("auth");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_either_end_proves_itself_by_any_kind_of_key, 0, 2 * N_METHODS);
	tcase_add_loop_test(tc, test_one_end_signs_and_the_other_has_a_shared_key, 0, 2);
	tcase_add_loop_test(tc, test_another_certificate_than_the_configured_one_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_an_intermediate_certificate_comes_along, 0, 4);
	tcase_add_loop_test(tc, test_a_long_chain_goes_in_fragments_up_to_the_limit, 0, 4);
	tcase_add_loop_test(tc, test_a_chain_with_a_gap_is_refused, 0, 2);
	tcase_add_loop_test(tc, test_a_certificate_with_a_fault_is_refused_with_what_it_is, 0, 2 * N_FAULTS);
	tcase_add_loop_test(tc, test_a_weak_key_is_taken_where_that_is_allowed, 0, 2);
	tcase_add_test(tc, test_ours_is_not_shown_when_its_time_is_over);
	tcase_add_loop_test(tc, test_an_identity_must_be_in_the_certificate, 0,
			    (int)(sizeof(identities) / sizeof(identities[0])));
	tcase_add_test(tc, test_another_identity_than_is_wanted_is_refused);
	tcase_add_loop_test(tc, test_of_several_certificates_the_one_is_shown_that_is_asked_for, 0, 2);
	tcase_add_loop_test(tc, test_of_two_by_one_ca_the_one_made_for_ike_is_shown, 0, 2);
	tcase_add_loop_test(tc, test_a_configured_certificate_needs_no_ca, 0, 2);
	tcase_add_loop_test(tc, test_crls_are_asked_for_as_the_level_says, 0, 4 * N_REVOCATIONS);
	tcase_add_test(tc, test_a_crl_is_kept_until_its_next_one);
	tcase_add_loop_test(tc, test_an_ocsp_answer_is_asked_for_as_the_level_says, IKE_CRL_NONE,
			    IKE_CRL_REQUIRED + 1);
	tcase_add_loop_test(tc, test_a_ca_may_be_left_out_of_requests, 0, 2);
	tcase_add_loop_test(tc, test_an_ocsp_responder_is_asked, 0, 4);
	tcase_add_loop_test(tc, test_an_answer_that_comes_late_finds_nobody, 0, 2);
	tcase_add_test(tc, test_while_a_crl_is_on_its_way_a_second_request_is_not_taken);
	tcase_add_loop_test(tc, test_raw_public_keys_are_believed_if_they_are_the_configured_ones, 0, 4);
	tcase_add_loop_test(tc, test_a_raw_key_is_not_taken_where_a_certificate_is_due, 0, 2);
	tcase_add_loop_test(tc, test_a_ppk_is_used_where_both_have_it_and_missed_where_it_must_be, 0,
			    2 * N_PPKS);
	tcase_add_test(tc, test_another_ppk_of_the_same_name_is_refused);
	tcase_add_loop_test(tc, test_an_ike_sa_may_die_while_its_proof_is_computed, 0,
			    (int)(sizeof(jobs) / sizeof(jobs[0])));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
