/*
 * tests/unit/faults/check_generation.c - a generation on its way into force in the engine process, with
 * each allocation failing in turn: from its messages to the core, ours and libgcrypt's.
 *
 * Either it is refused for want of memory and the one before is in force as it was, or it is in force;
 * an SA that found no memory is named. The same generation is taken afterwards.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/messages.h"
#include "ipspd/wire.h"
#include "tests/unit/engine_io/role.h"
#include "tests/unit/faults/nomem.h"

#define TRIES_MAX 2000
#define MESSAGES_MAX 128
#define LISTS 20	/* more than a growing array begins with */
#define OLD 7
#define NEW 8

static struct engine_role role;

/* The new generation's messages, so that nothing of the test is allocated on their way. */
static struct {
	uint16_t type;
	size_t len;
	uint8_t data[1024];
} messages[MESSAGES_MAX];
static size_t n_messages;

static int keep(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	(void)arg;
	ck_assert(n_messages < MESSAGES_MAX && len <= sizeof(messages[0].data));
	messages[n_messages].type = type;
	messages[n_messages].len = len;
	memcpy(messages[n_messages++].data, data, len);
	return 0;
}

/* Two SAs, one of them that of the old generation; an entry on each of many interfaces. */
static void make_messages(void)
{
	const struct ipsp_sa_config sas[] = { role_sa(2, IPSP_OUTBOUND, 0xb02),
					      role_sa(1, IPSP_INBOUND, 0xb01) };
	struct ipsp_spd_entry entry = { .id = 12, .action = IPSP_PROTECT, .sa_id = 2,
					.n_selectors = 1 };
	struct ipsp_spd_list lists[LISTS];
	struct ipsp_selector all;

	ipsp_selector_any(4, &all);
	entry.selectors = &all;
	for (uint32_t i = 0; i < LISTS; i++)
		lists[i] = (struct ipsp_spd_list){ .ifindex = i + 1, .dir = IPSP_OUTBOUND,
						   .n_entries = 1, .entries = &entry };
	n_messages = 0;
	ck_assert_int_eq(wire_put_generation(NEW, lists, LISTS, sas, 2, keep, NULL), 0);
}

static void send_messages(void)
{
	for (size_t i = 0; i < n_messages; i++) {
		const struct chan_msg m = { .type = messages[i].type, .data = messages[i].data,
					    .len = messages[i].len };

		engine_policy_message(&role, &m);
	}
}

static void setup(void)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_INBOUND, 0xb01);
	struct role_message m;

	role_setup(&role);
	make_messages();
	role_generation(&role, OLD, &sa, 1);
	(void)role_expect(MSG_GEN_APPLIED, &m);
	while (role_next(&m))
		;
}

static void teardown(void)
{
	role_teardown(&role);
}

/* What the agent was told. */
struct told {
	unsigned int applied, refused, sa_refused;
	enum ipsp_err why;	/* the last refusal */
};

static struct told what_was_told(void)
{
	struct told t = { 0 };
	struct role_message m;

	role_settle(&role);
	while (role_next(&m)) {
		struct chan_reader r = { .data = m.data, .len = m.len };

		if (m.type == MSG_RESERVE)
			continue;
		ck_assert_uint_eq(chan_get_u64(&r), NEW);
		t.applied += m.type == MSG_GEN_APPLIED;
		t.refused += m.type == MSG_GEN_REFUSED;
		t.sa_refused += m.type == MSG_SA_REFUSED;
		if (m.type == MSG_SA_REFUSED)
			(void)chan_get_u64(&r);
		if (m.type != MSG_GEN_APPLIED)
			t.why = (enum ipsp_err)chan_get_u8(&r);
	}
	return t;
}

static bool has_sa(uint64_t id)
{
	return ipsp_sad_find(ipsp_engine_sad(role.engine), id) != NULL;
}

static void judge(unsigned long n, const struct told *t)
{
	ck_assert_msg(t->applied + t->refused == 1, "allocation %lu: told %u and %u", n, t->applied,
		      t->refused);
	ck_assert_ptr_null(role.builder);
	ck_assert(has_sa(1));
	if (t->refused || t->sa_refused) {
		ck_assert(nomem_happened());
		ck_assert_int_eq(t->why, IPSP_ENOMEM);
	}
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), t->refused ? OLD : NEW);
	ck_assert_int_eq(has_sa(2), t->applied && !t->sa_refused);
}

static const struct {
	enum nomem_scope scope;
	enum nomem_kind kind;
} lacks[] = {
	{ NOMEM_ALL, NOMEM_ONCE },
	{ NOMEM_OURS, NOMEM_FOR_GOOD },
};

START_TEST(test_a_generation_without_memory_leaves_the_one_before_in_force)
{
	unsigned int refused = 0;
	bool happened = true;

	for (unsigned long n = 1; happened; n++) {
		struct told t;

		ck_assert_uint_lt(n, TRIES_MAX);
		setup();
		nomem_arm(lacks[_i].scope, lacks[_i].kind, n);
		send_messages();
		nomem_disarm();
		happened = nomem_happened();
		t = what_was_told();
		judge(n, &t);
		refused += t.refused;
		send_messages();
		t = what_was_told();
		ck_assert(t.applied == 1 && !t.refused && !t.sa_refused && has_sa(1) && has_sa(2));
		teardown();
	}
	ck_assert_uint_gt(refused, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults/generation");
	TCase *c = tcase_create("memory");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_a_generation_without_memory_leaves_the_one_before_in_force, 0,
			    sizeof(lacks) / sizeof(lacks[0]));
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
