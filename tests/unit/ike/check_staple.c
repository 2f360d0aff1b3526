/* tests/unit/ike/check_staple.c - OCSP answers about our own certificate, sent along. RFC 4806. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"
#include "tests/unit/ike/pki.h"

static struct pair pair;
static struct pki_cert ca, leaf[2];
static struct ipsp_span ocsp;	/* what the responder has for end 1 */
static unsigned n_asked;	/* by end 1 */
static uint64_t kept_ticket;
static bool late;		/* it answers when it is told to */

/* End 0 has no way to the responder: it knows what it is shown. */
static void responder(void *arg, uint64_t ticket, const char *url, struct ipsp_span post)
{
	struct pair_end *const end = arg;

	ck_assert_str_eq(url, "http://ca.example/ocsp");
	ck_assert_uint_gt(post.len, 0);
	if (end == &pair.ends[0]) {
		ike_fetch_done(end->world, ticket, (struct ipsp_span){ 0 }, pair.now_ms);
		return;
	}
	n_asked++;
	kept_ticket = ticket;
	if (!late)
		ike_fetch_done(end->world, ticket, ocsp, pair.now_ms);
}

static struct ike_peer *peer_of(unsigned end)
{
	return &pair.ends[end].conn->peers[0];
}

static void give(unsigned end, const struct pki_spec *spec, enum ike_crl_level level)
{
	const struct pki_cert *const own = &leaf[end], *const root = &ca;
	char why[IKE_WHY_TEXT] = "";
	struct ike_peer *const p = peer_of(end);

	pki_make(spec, &leaf[end]);
	ike_secret_unref(p->secret);
	p->secret = NULL;
	p->credentials[p->n_credentials++] = ike_credential_new(
		&(struct ike_credential_parts){ .key = pki_key(own), .certs = pki_certs(&own, 1) }, why);
	ck_assert_msg(p->credentials[0] != NULL, "%s", why);
	p->trust = ike_trust_new(&(struct ike_trust_parts){ .cas = pki_certs(&root, 1), .level = level }, why);
	ck_assert_msg(p->trust != NULL, "%s", why);
}

static void setup(void)
{
	const struct pki_spec root = { .dn = "CN=Root", .ca = true };
	struct pki_spec spec = { .dn = "CN=a,O=Test", .issuer = &ca, .usage = GNUTLS_KEY_DIGITAL_SIGNATURE };

	pair_init(&pair);
	pki_make(&root, &ca);
	give(0, &spec, IKE_CRL_REQUIRED);
	spec.dn = "CN=b,O=Test";
	spec.ocsp_url = "http://ca.example/ocsp";
	give(1, &spec, IKE_CRL_NONE);
	for (unsigned i = 0; i < 2; i++) {
		pair.ends[i].conn->local_id = (struct ike_identity){ .type = IKE_ID_DER_ASN1_DN };
		peer_of(i)->id = (struct ike_identity){ 0 };
	}
	pair.late_fetch = responder;
	ocsp = pki_ocsp(&ca, &leaf[1], false);
	n_asked = 0;
	late = false;
}

static void teardown(void)
{
	pair_fini(&pair);
	pki_free(&ca);
	pki_free(&leaf[0]);
	pki_free(&leaf[1]);
	pki_forget();
}

/* End from begins: does end 0 believe end 1? */
static bool believes(unsigned from)
{
	for (unsigned i = 0; i < 2; i++) {
		pair.ends[i].logs[0] = '\0';
		pair.ends[i].logs_len = 0;
	}
	pair_initiate(&pair, from);
	pair_settle(&pair);
	return strstr(pair.ends[0].logs, "established with") != NULL;
}

static bool was_told(unsigned end, const char *what)
{
	return strstr(pair.ends[end].logs, what) != NULL;
}

START_TEST(test_what_is_not_kept_is_not_waited_for_and_goes_along_the_next_time)
{
	late = true;
	ck_assert(!believes(_i));
	ck_assert(was_told(0, "nobody says whether the certificate of CN=b,O=Test is revoked"));
	ck_assert_uint_eq(n_asked, 1);
	/* One question at a time. */
	ck_assert(!believes(_i));
	ck_assert_uint_eq(n_asked, 1);
	ike_fetch_done(pair.ends[1].world, kept_ticket, ocsp, pair.now_ms);
	ck_assert_msg(believes(_i), "%s%s", pair.ends[0].logs, pair.ends[1].logs);
	/* It is kept for others. */
	ck_assert(believes(_i));
	ck_assert_uint_eq(n_asked, 1);
}
END_TEST

START_TEST(test_an_answer_is_asked_for_anew_from_the_middle_of_its_time)
{
	ck_assert(!believes(_i));
	ck_assert(believes(_i));
	pair.ends[1].wall_skew_s = 11 * 3600;
	ck_assert(believes(_i));
	ck_assert_uint_eq(n_asked, 1);
	/* The old one is good yet. */
	pair.ends[1].wall_skew_s = 13 * 3600;
	ck_assert(believes(_i));
	ck_assert_uint_eq(n_asked, 2);
	/* One that is over does not go along. */
	pair.ends[1].wall_skew_s = 25 * 3600;
	ck_assert(!believes(_i));
	ck_assert_uint_eq(n_asked, 3);
}
END_TEST

START_TEST(test_what_is_no_good_answer_does_not_go_along)
{
	static const char *const told[] = { "is no good answer", "our own certificate is revoked",
					    "is no good answer" };

	switch (_i / 2) {
	case 0:
		ocsp = pki_ocsp(&ca, &leaf[0], false);
		break;
	case 1:
		ocsp = pki_ocsp(&ca, &leaf[1], true);
		break;
	default:
		ocsp = (struct ipsp_span){ (const uint8_t *)"what is this", 12 };
	}
	ck_assert(!believes(_i % 2));
	ck_assert(!believes(_i % 2));
	ck_assert(was_told(1, told[_i / 2]));
	ck_assert(was_told(0, "nobody says whether the certificate of CN=b,O=Test is revoked"));
	/* The responder is left in peace for a minute. */
	ocsp = pki_ocsp(&ca, &leaf[1], false);
	ck_assert(!believes(_i % 2));
	ck_assert_uint_eq(n_asked, 1);
	pair.ends[1].wall_skew_s = 61;
	ck_assert(!believes(_i % 2));
	ck_assert_uint_eq(n_asked, 2);
	ck_assert_msg(believes(_i % 2), "%s", pair.ends[1].logs);
}
END_TEST

START_TEST(test_what_is_longer_than_a_message_has_room_for_is_not_kept)
{
	static const uint8_t zeros[8193];

	ocsp = (struct ipsp_span){ zeros, sizeof(zeros) };
	ck_assert(!believes(_i));
	ck_assert(!believes(_i));
	ck_assert(!was_told(1, "is no good answer"));
}
END_TEST

START_TEST(test_nobody_is_asked_for_a_peer_that_does_not_want_it)
{
	struct ike_trust *const trust = peer_of(0)->trust;
	const struct pki_cert *const root = &ca;
	char why[IKE_WHY_TEXT];

	peer_of(0)->trust = ike_trust_new(&(struct ike_trust_parts){ .cas = pki_certs(&root, 1) }, why);
	ike_trust_unref(trust);
	ck_assert(believes(_i));
	ck_assert_uint_eq(n_asked, 0);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike staple");
	TCase *const tc = tcase_create("staple");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_what_is_not_kept_is_not_waited_for_and_goes_along_the_next_time, 0, 2);
	tcase_add_loop_test(tc, test_an_answer_is_asked_for_anew_from_the_middle_of_its_time, 0, 2);
	tcase_add_loop_test(tc, test_what_is_no_good_answer_does_not_go_along, 0, 6);
	tcase_add_loop_test(tc, test_what_is_longer_than_a_message_has_room_for_is_not_kept, 0, 2);
	tcase_add_loop_test(tc, test_nobody_is_asked_for_a_peer_that_does_not_want_it, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
