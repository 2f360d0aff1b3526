/* tests/unit/ike/check_choose.c - which of several credentials a peer is shown, and why. RFC 7296 3.7, RFC 7427 4. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ike/proof.h"
#include "tests/unit/ike/pki.h"

static struct pki_cert ca[2], leaf[4];
static struct ike_trust *trust;
static char said[4096];

/* ---- what there is to choose from ---- */

static void note(void *arg, enum ike_level level, const char *who, const char *text)
{
	(void)arg;
	(void)level;
	(void)who;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

static void setup(void)
{
	const struct pki_spec a = { .dn = "CN=A", .ca = true }, b = { .dn = "CN=B", .ca = true };
	const struct pki_cert *both[] = { &ca[0], &ca[1] };
	char why[IKE_WHY_TEXT] = "";

	pki_make(&a, &ca[0]);
	pki_make(&b, &ca[1]);
	trust = ike_trust_new(&(struct ike_trust_parts){ .cas = pki_certs(both, 2) }, why);
	ck_assert_msg(trust != NULL, "%s", why);
	said[0] = '\0';
}

static void teardown(void)
{
	ike_trust_unref(trust);
	for (size_t i = 0; i < 4; i++)
		pki_free(&leaf[i]);
	pki_free(&ca[0]);
	pki_free(&ca[1]);
	pki_forget();
}

#define FOR_IKE "1.3.6.1.5.5.7.3.17"

enum { A, B };		/* CAs */
enum { RAW = 1, CERT = 2 };
enum { SHA2_256 = 1u << 2, IDENTITY = 1u << 5 };

struct own {
	const char *dn;		/* NULL: there is none. "raw": a key without a certificate */
	unsigned ca;
	enum pki_key key;
	const char *purpose;
	int from_days, until_days;
};

static const struct choice {
	const char *name;
	struct own own[4];
	unsigned hashes;
	unsigned asks;		/* RAW, CERT */
	int wanted;		/* a CA; -1: none is named */
	const char *asked;	/* FQDN of IDr; NULL: none */
	int chosen;		/* -1: none */
	const char *why;	/* in the log */
} choices[] = {
	{ "the one whose CA is named", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } }, IKE_HASHES_OURS, CERT, B,
	  NULL, 1, "our certificate is that of CN=b, by pass 2: of an authority that the peer names" },
	{ "the other one", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } }, IKE_HASHES_OURS, CERT, A,
	  NULL, 0, "our certificate is that of CN=a, by pass 2: of an authority that the peer names" },
	{ "the first where no CA is named", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } }, IKE_HASHES_OURS, CERT,
	  -1, NULL, 0, "CN=a, by pass 2: the first one, as the peer names no authority of ours" },
	{ "the first where nothing is asked for", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } },
	  IKE_HASHES_OURS, 0, -1, NULL, 0, "CN=a, by pass 2: the first one" },
	{ "of one CA's the one made for IKE", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=c", .ca = A, .key = PKI_P256, .purpose = FOR_IKE } },
	  IKE_HASHES_OURS, CERT, A, NULL, 1,
	  "our certificate is that of CN=c, by pass 1: of an authority that the peer names, made for IKE" },
	{ "the CA goes before the purpose", { { .dn = "CN=b", .ca = B, .key = PKI_P256, .purpose = FOR_IKE }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, A, NULL, 1, "CN=a, by pass 2" },
	{ "without a name the purpose counts", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256, .purpose = FOR_IKE } },
	  IKE_HASHES_OURS, CERT, -1, NULL, 1, "CN=b, by pass 1: made for IKE" },
	{ "of the named CA none can be used", { { .dn = "CN=b", .ca = B, .key = PKI_P256, .from_days = -20, .until_days = -10 }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, B, NULL, 1,
	  "our certificate is that of CN=a, by pass 3: the first one, as none is what the peer asks for" },
	{ "one that has expired", { { .dn = "CN=old", .ca = A, .key = PKI_P256, .from_days = -20, .until_days = -10 }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, A, NULL, 1, "our certificate of CN=old is passed over: it has expired" },
	{ "one that is not valid yet", { { .dn = "CN=new", .ca = A, .key = PKI_P256, .from_days = 10, .until_days = 20 }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, A, NULL, 1, "our certificate of CN=new is passed over: it is not valid yet" },
	{ "a signature that the peer does not take", { { .dn = "CN=ed", .ca = A, .key = PKI_ED25519 }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  SHA2_256, CERT, A, NULL, 1,
	  "our certificate of CN=ed is passed over: the peer takes no signature by its key" },
	{ "a signature that it alone takes", { { .dn = "CN=a", .ca = A, .key = PKI_RSA }, { .dn = "CN=ed", .ca = A, .key = PKI_ED25519 } }, IDENTITY, CERT, A,
	  NULL, 1, "our certificate of CN=a is passed over: the peer takes no signature by its key" },
	{ "a peer without RFC 7427", { { .dn = "CN=pss", .ca = A, .key = PKI_PSS }, { .dn = "CN=a", .ca = A, .key = PKI_RSA } }, 0, CERT, A, NULL, 1,
	  "our certificate of CN=pss is passed over: the peer takes no signature by its key" },
	{ "none can be used", { { .dn = "CN=ed", .ca = A, .key = PKI_ED25519 }, { .dn = "CN=pss", .ca = A, .key = PKI_PSS } }, 0, CERT, A, NULL, -1,
	  "our certificate of CN=pss is passed over" },
	{ "a raw key where that is asked for", { { .dn = "CN=a", .ca = A, .key = PKI_P256, .purpose = FOR_IKE }, { .dn = "raw", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, RAW, -1, NULL, 1, "our certificate is that of a raw public key, by pass 2" },
	{ "no raw key where a certificate is asked for", { { .dn = "raw", .ca = A, .key = PKI_P256 }, { .dn = "CN=a", .ca = A, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, -1, NULL, 1, "CN=a, by pass 2" },
	{ "the one that is for whom the peer asks for", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, A, "leaf1.example", 1,
	  "our certificate of CN=a is passed over: it is not for whom the peer asks for" },
	{ "a name that none is for changes nothing", { { .dn = "CN=a", .ca = A, .key = PKI_P256 }, { .dn = "CN=b", .ca = B, .key = PKI_P256 } },
	  IKE_HASHES_OURS, CERT, B, "other.example", 1, "CN=b, by pass 2" },
};

static struct ike_credential *make(const struct own *own, unsigned n)
{
	static const char *const names[] = { "leaf0.example", "leaf1.example", "leaf2.example", "leaf3.example" };
	const bool raw = !strcmp(own->dn, "raw");
	const struct pki_spec spec = { .dn = raw ? NULL : own->dn, .key = own->key, .issuer = &ca[own->ca],
				       .dns = names[n], .purpose = own->purpose,
				       .from_days = own->from_days, .until_days = own->until_days };
	const struct pki_cert *const one = &leaf[n];
	struct ike_credential_parts parts = { 0 };
	struct ike_credential *made;
	char why[IKE_WHY_TEXT] = "";

	pki_make(&spec, &leaf[n]);
	parts.key = pki_key(one);
	if (!raw)
		parts.certs = pki_certs(&one, 1);
	made = ike_credential_new(&parts, why);
	ck_assert_msg(made != NULL, "%s", why);
	return made;
}

START_TEST(test_a_peer_is_shown_the_one_that_it_asks_for)
{
	const struct choice *const k = &choices[_i];
	struct ike_world world = { .ops.log = note };
	struct ike_conn conn = { .local_id.type = IKE_ID_FQDN };
	struct ike_sa sa = { .world = &world, .conn = &conn };
	struct ike_peer peer = { .trust = trust };
	struct ike_proof proof = { .asks_cert = k->asks & CERT, .asks_raw_key = k->asks & RAW };
	struct ike_exchange x = { .sa = &sa, .peer = &peer, .proof = &proof, .their_hashes = (uint16_t)k->hashes };
	const struct ike_credential *chosen;

	for (unsigned i = 0; i < 4 && k->own[i].dn; i++)
		peer.credentials[peer.n_credentials++] = make(&k->own[i], i);
	if (k->wanted >= 0) {
		proof.wanted = &trust->ca_hashes[k->wanted];
		proof.n_wanted = 1;
	}
	if (k->asked) {
		proof.asked = (struct ike_identity){ .type = IKE_ID_FQDN, .len = (uint16_t)strlen(k->asked) };
		memcpy(proof.asked.octets, k->asked, strlen(k->asked));
	}
	chosen = ike_credential_choose(&x, time(NULL));
	ck_assert_msg(chosen == (k->chosen < 0 ? NULL : peer.credentials[k->chosen]), "%s: %s", k->name, said);
	ck_assert_msg(strstr(said, k->why) != NULL, "%s: %s", k->name, said);
	for (size_t i = 0; i < peer.n_credentials; i++)
		ike_credential_unref(peer.credentials[i]);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike choose");
	TCase *const tc = tcase_create("choose");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_a_peer_is_shown_the_one_that_it_asks_for, 0, sizeof(choices) / sizeof(choices[0]));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
