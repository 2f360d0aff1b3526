/*
 * tests/unit/agentx/check_notes.c - the queue of notifications: what becomes one, what goes, and what
 * stands in a Notify PDU, read octet by octet (RFC 2741 5.4, 6.1, 6.2.10) rather than by our decoder.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/notes.h"
#include "mibs/schema_gen.h"

static struct ax_notes q;

static void setup(void)
{
	ax_notes_init(&q);
}

static void teardown(void)
{
	ax_notes_fini(&q);
	ck_assert_uint_eq(q.n, 0);
	ck_assert_uint_eq(q.octets, 0);
}

/* spdPacketNotification cut to two objects: the direction, which is the key, and the packet. */
static enum mib_err add(int32_t direction, const char *part, uint64_t now_cs)
{
	static const uint32_t index[] = { 0 };
	const struct ax_note_object objects[] = {
		{ mib_column_by_name("spdPacketDirection"), index, 1,
		  mib_value_integer(direction) },
		{ mib_column_by_name("spdPacketPart"), index, 1,
		  mib_value_octets(part, strlen(part)) },
	};

	return ax_notes_add(&q, &mib_notifications[MIB_N_spdPacketNotification], objects, 2, 1,
			    now_cs);
}

static size_t take(uint64_t now_cs)
{
	struct ax_note *note = ax_notes_take(&q, 1, 2, now_cs);
	const size_t len = note ? note->pdu.len : 0;

	ax_note_free(note);
	return len;
}

START_TEST(test_a_notify_pdu_is_what_rfc_2741_draws)
{
	static const uint8_t drawn[] = {
		1, 12, 0x10, 0,			/* version, Notify, NETWORK_BYTE_ORDER */
		0, 0, 0, 7,			/* session */
		0, 0, 0, 0,			/* transaction */
		0, 0, 0x12, 0x34,		/* packet */
		0, 0, 0, 128,			/* octets of payload */
		/* snmpTrapOID.0, in the form 1.3.6.1.6 ...: type OBJECT IDENTIFIER */
		0, 6, 0, 0, 6, 6, 0, 0,
		0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0,
		/* = 1.3.6.1.2.1.153.2.0.2 */
		5, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 153, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2,
		/* spdPacketDirection.0 (1.3.6.1.2.1.153.2.1.8.0), INTEGER 2 */
		0, 2, 0, 0, 6, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 153, 0, 0, 0, 2, 0, 0, 0, 1,
		0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2,
		/* spdPacketPart.0, OCTET STRING of 3, padded */
		0, 4, 0, 0, 6, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 153, 0, 0, 0, 2, 0, 0, 0, 1,
		0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c', 0,
	};
	struct ax_note *note;

	ck_assert_int_eq(add(2, "abc", 0), MIB_OK);
	note = ax_notes_take(&q, 7, 0x1234, 0);
	ck_assert_ptr_nonnull(note);
	ck_assert_uint_eq(note->pdu.len, sizeof(drawn));
	for (size_t i = 0; i < sizeof(drawn); i++) {
		/* The payload's length is counted here, not drawn. */
		const uint8_t octet = i == 19 ? (uint8_t)(sizeof(drawn) - 20) : drawn[i];

		ck_assert_msg(note->pdu.data[i] == octet, "octet %zu: %u, not %u", i,
			      note->pdu.data[i], octet);
	}
	ax_note_free(note);
}
END_TEST

START_TEST(test_the_newer_one_of_two_equal_takes_the_older_ones_place)
{
	struct ax_note *note;
	const char *part;

	ck_assert_int_eq(add(1, "old", 0), MIB_OK);
	ck_assert_int_eq(add(2, "other", 0), MIB_OK);
	ck_assert_int_eq(add(1, "a longer new one", 0), MIB_OK);
	ck_assert_uint_eq(q.n, 2);
	ck_assert_uint_eq(q.coalesced, 1);
	note = ax_notes_take(&q, 1, 2, 0);
	part = (const char *)note->pdu.data + note->pdu.len - 16;
	ck_assert_mem_eq(part, "a longer new one", 16);
	ax_note_free(note);
	ck_assert_uint_gt(take(0), 0);
	ck_assert_uint_eq(take(0), 0);
}
END_TEST

START_TEST(test_a_full_queue_drops_the_new_but_takes_what_is_equal)
{
	for (int32_t i = 0; i < AX_NOTES_MAX; i++)
		ck_assert_int_eq(add(i, "", 0), MIB_OK);
	ck_assert_int_eq(add(AX_NOTES_MAX, "", 0), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_uint_eq(q.dropped, 1);
	ck_assert_int_eq(add(3, "newer", 0), MIB_OK);
	ck_assert_uint_eq(q.n, AX_NOTES_MAX);
	ck_assert_uint_eq(q.coalesced, 1);
}
END_TEST

START_TEST(test_a_full_queue_is_one_of_many_octets_too)
{
	const size_t size = 60000;
	char *part = malloc(size + 1);
	int32_t n = 0;

	memset(part, 'x', size);
	part[size] = '\0';
	while (add(n, part, 0) == MIB_OK)
		n++;
	ck_assert_int_eq(n, AX_NOTES_MAX_OCTETS / (60000 + 128));
	ck_assert_uint_eq(q.dropped, 1);
	ck_assert_int_eq(add(n, "short", 0), MIB_OK);
	free(part);
}
END_TEST

START_TEST(test_what_has_waited_too_long_goes)
{
	ck_assert_int_eq(add(1, "", 1000), MIB_OK);
	ck_assert_int_eq(add(2, "", 1000), MIB_OK);
	ck_assert_int_eq(add(3, "", 1001), MIB_OK);
	/* One that came again is as new as its last coming. */
	ck_assert_int_eq(add(1, "", 1002), MIB_OK);
	ck_assert_uint_gt(take(1001 + AX_NOTES_AGE_MAX_CS), 0);
	ck_assert_uint_gt(take(1001 + AX_NOTES_AGE_MAX_CS), 0);
	ck_assert_uint_eq(q.dropped, 1);
	ck_assert_int_eq(add(4, "", 5), MIB_OK);
	ck_assert_uint_eq(take(6 + AX_NOTES_AGE_MAX_CS), 0);
	ck_assert_uint_eq(q.dropped, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/notes");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_notify_pdu_is_what_rfc_2741_draws);
	tcase_add_test(tc, test_the_newer_one_of_two_equal_takes_the_older_ones_place);
	tcase_add_test(tc, test_a_full_queue_drops_the_new_but_takes_what_is_equal);
	tcase_add_test(tc, test_a_full_queue_is_one_of_many_octets_too);
	tcase_add_test(tc, test_what_has_waited_too_long_goes);
	suite_add_tcase(s, tc);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
