/*
 * tests/unit/policy/check_residual.c - filters that are no selectors, from their rows to the verdict
 * about the octets of a packet: compiler and lookup against what RFC 4807, 1108 and 7296 say.
 *
 * Expected truths are this file's own: written out, or by a plain evaluation of the expression.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipsp/flow.h"
#include "ipsp/spd.h"
#include "rowtext.h"
#include "tests/unit/spd/memory.h"

#define PACKET_MAX 128
#define NOW 1767265200	/* Thursday 2026-01-01 12:00:00 in the test's time zone, an hour east of UTC */
#define HOUR 3600
#define DAY (24 * HOUR)

/* ---- packets ---- */

struct octets {
	uint8_t data[PACKET_MAX];
	uint32_t len;
};

static void put(struct octets *o, const void *p, size_t n)
{
	ck_assert_uint_le(o->len + n, PACKET_MAX);
	if (n > 0)
		memcpy(o->data + o->len, p, n);
	o->len += (uint32_t)n;
}

/* 192.0.2.1 to 10.0.0.1; options are padded; fragment: offset in octets and "more to come". */
static struct octets ipv4(uint8_t proto, const void *options, size_t n_options, const void *l4,
			  size_t n_l4, uint16_t fragment, bool more)
{
	static const uint8_t addrs[] = { 192, 0, 2, 1, 10, 0, 0, 1 }, pad[3];
	const size_t header = 20 + (n_options + 3) / 4 * 4;
	const uint8_t fixed[12] = {
		[0] = (uint8_t)(0x40 | header / 4), [3] = (uint8_t)(header + n_l4),
		[6] = (uint8_t)((more ? 0x20 : 0) | fragment / 8 >> 8),
		[7] = (uint8_t)(fragment / 8), [8] = 64, [9] = proto,
	};
	struct octets o = { .len = 0 };

	put(&o, fixed, sizeof(fixed));
	put(&o, addrs, sizeof(addrs));
	put(&o, options, n_options);
	put(&o, pad, header - 20 - n_options);
	put(&o, l4, n_l4);
	return o;
}

static struct octets udp(uint16_t sport, uint16_t dport, const void *data, size_t n)
{
	uint8_t l4[PACKET_MAX] = { (uint8_t)(sport >> 8), (uint8_t)sport, (uint8_t)(dport >> 8),
				   (uint8_t)dport, 0, (uint8_t)(8 + n) };

	if (n > 0)
		memcpy(l4 + 8, data, n);
	return ipv4(17, NULL, 0, l4, 8 + n, 0, false);
}

/* ---- a policy, as the engine has it ---- */

static struct memory memory;
static struct ipsp_spd_db *db;
static struct mib_store *store;
static struct pol_generation *generation;
static struct ipsp_spd *spd;
static struct pol_compiler *compiler;

static void setup(void)
{
	setenv("TZ", "XXX-1", 1);	/* an hour east of UTC, without daylight saving */
	tzset();
	memory_init(&memory, NULL);
	ck_assert_int_eq(ipsp_spd_db_new(&memory.platform, &db), IPSP_OK);
	store = store_new();
}

static void drop_policy(void)
{
	ipsp_spd_free(spd);
	pol_generation_free(generation);
	spd = NULL;
	generation = NULL;
}

static void teardown(void)
{
	drop_policy();
	pol_compiler_free(compiler);
	compiler = NULL;
	mib_store_free(store);
	ipsp_spd_db_free(db);
	ck_assert_uint_eq(memory.octets, 0);
}

/* Takes g. */
static void take(struct pol_generation *g)
{
	struct ipsp_spd_list lists[2];
	struct ipsp_spd_update update = { .full = true, .lists = lists };

	drop_policy();
	generation = g;
	for (int dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		const struct ipsp_spd_list *l = list_of(g, 2, (enum ipsp_dir)dir);

		if (l)
			lists[update.n_lists++] = *l;
	}
	ck_assert_int_eq(ipsp_spd_build(db, NULL, &update, &spd), IPSP_OK);
}

static void in_force(int64_t now_s)
{
	take(compile_at(store, now_s));
}

/* By a compiler that keeps what it made. */
static void in_force_again(int64_t now_s)
{
	struct pol_generation *g;

	if (!compiler)
		compiler = pol_compiler_new(mib_store_view(store));
	ck_assert_ptr_nonnull(compiler);
	ck_assert_int_eq(pol_compiler_run(compiler, 1, now_s, &g), MIB_OK);
	take(g);
}

/* 'B', 'D', 'P'; '?': in doubt; '-': the end of the list. */
static char judged(enum ipsp_dir dir, const struct octets *o, int64_t at_s, uint64_t sa_id)
{
	const struct ipsp_spd_seen seen = {
		.packet = { o->data, o->len }, .wall_s = (uint64_t)at_s, .sa_id = sa_id,
	};
	struct ipsp_spd_match m;
	struct ipsp_flow flow;

	ck_assert_int_eq(ipsp_flow_parse(seen.packet, &flow), IPSP_REASON_NONE);
	m = ipsp_spd_lookup(spd, 2, dir, &flow, &seen);
	if (m.result == IPSP_SPD_FRAGMENT)
		return '?';
	return m.result == IPSP_SPD_RULE ? "DBP"[m.rule->action] : '-';
}

static char outbound(const struct octets *o)
{
	return judged(IPSP_OUTBOUND, o, NOW, 0);
}

/* A rule that accepts what the filter matches, and nothing else in its list. */
static void accept_by(const char *rows, const char *pointer)
{
	char text[512];

	rows_put(store, rows);
	snprintf(text, sizeof(text),
		 "+ rule r Filter=%s Action=spdAcceptAction.0\n"
		 "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", pointer);
	rows_put(store, text);
	in_force(NOW);
	ck_assert_str_eq(problem_of(store, generation, "rule", "r"), "");
}

/* ---- IP offset ---- */

/* The UDP source port, at 20, is 0x1234; the packet has 40 octets. */
static const struct {
	const char *name, *row;
	char expected;
} offsets[] = {
	{ "equal", "Offset=20 Type=equal Value=0x1234", 'B' },
	{ "equal to another", "Offset=20 Type=equal Value=0x1235", '-' },
	{ "not equal", "Offset=20 Type=notEqual Value=0x1235", 'B' },
	{ "not equal to the same", "Offset=20 Type=notEqual Value=0x1234", '-' },
	{ "value less than packet", "Offset=20 Type=arithmeticLess Value=0x1233", 'B' },
	{ "value not less", "Offset=20 Type=arithmeticLess Value=0x1234", '-' },
	{ "value greater or equal", "Offset=20 Type=arithmeticGreaterOrEqual Value=0x1234", 'B' },
	{ "value less, not greater or equal",
	  "Offset=20 Type=arithmeticGreaterOrEqual Value=0x1233", '-' },
	{ "value greater", "Offset=20 Type=arithmeticGreater Value=0x1235", 'B' },
	{ "value not greater", "Offset=20 Type=arithmeticGreater Value=0x1234", '-' },
	{ "value less or equal", "Offset=20 Type=arithmeticLessOrEqual Value=0x1234", 'B' },
	{ "value not less or equal", "Offset=20 Type=arithmeticLessOrEqual Value=0x1235", '-' },
	{ "numbers are unsigned", "Offset=20 Type=arithmeticGreater Value=0xff34", 'B' },
	{ "the first octet", "Offset=0 Type=equal Value=0x45", 'B' },
	{ "the last octets", "Offset=38 Type=equal Value=0x0b0c", 'B' },
	{ "one octet past the end, equal", "Offset=39 Type=equal Value=0x0c00", '-' },
	{ "... not equal", "Offset=39 Type=notEqual Value=0x0c00", '-' },
	{ "... less", "Offset=39 Type=arithmeticLess Value=0x0000", '-' },
	{ "... greater", "Offset=39 Type=arithmeticGreater Value=0xffff", '-' },
	{ "beyond the packet", "Offset=65535 Type=notEqual Value=0x00", '-' },
	{ "a value of 1024 octets", "Offset=0 Type=notEqual Value=0x00*1024", '-' },
};

START_TEST(test_an_offset_filter_compares_octets)
{
	static const uint8_t data[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	const struct octets o = udp(0x1234, 9, data, sizeof(data));
	char row[2300];

	snprintf(row, sizeof(row), "+ offset t %s", offsets[_i].row);
	accept_by(row, "spdIpOffFiltOffset.\"t\"");
	ck_assert_msg(outbound(&o) == offsets[_i].expected, "%s", offsets[_i].name);
}
END_TEST

/* What a fragment does not show is doubt, which drops; its own headers it does show. */
START_TEST(test_a_fragment_hides_what_is_not_in_it)
{
	static const uint8_t data[16] = { 0 };
	const struct octets first = ipv4(17, NULL, 0, data, 16, 0, true);
	const struct octets later = ipv4(17, NULL, 0, data, 16, 8, false);

	accept_by("+ offset t Offset=20 Type=equal Value=0x00", "spdIpOffFiltOffset.\"t\"");
	ck_assert_int_eq(outbound(&first), 'B');
	ck_assert_int_eq(outbound(&later), '?');
	rows_put(store, "= offset t Offset=36");
	in_force(NOW);
	ck_assert_int_eq(outbound(&first), '?');
	rows_put(store, "= offset t Offset=8 Value=0x40");
	in_force(NOW);
	ck_assert_int_eq(outbound(&later), 'B');
}
END_TEST

/* ---- IPSO ---- */

#define BASIC(...) { 130, __VA_ARGS__ }

static const struct {
	const char *name, *row;
	uint8_t options[16];
	size_t n;
	char expected;
} ipsos[] = {
	{ "the level", "Type=classificationLevel Classification=secret", BASIC(4, 90, 0), 4, 'B' },
	{ "another level", "Type=classificationLevel Classification=secret", BASIC(4, 61, 0), 4, '-' },
	{ "a level without authorities", "Type=classificationLevel Classification=unclassified",
	  BASIC(3, 171), 3, 'B' },
	{ "the first authority", "Type=protectionAuthority ProtectionAuth=genser",
	  BASIC(4, 90, 0x80), 4, 'B' },
	{ "one of several", "Type=protectionAuthority ProtectionAuth=doe",
	  BASIC(4, 90, 0xc8), 4, 'B' },
	{ "not that one", "Type=protectionAuthority ProtectionAuth=nsa", BASIC(4, 90, 0xc8), 4, '-' },
	{ "no authorities", "Type=protectionAuthority ProtectionAuth=nsa", BASIC(3, 90), 3, '-' },
	{ "flags over two octets", "Type=protectionAuthority ProtectionAuth=sci",
	  BASIC(5, 90, 0x21, 0x80), 5, 'B' },
	{ "both, both right",
	  "Type=classificationLevel,protectionAuthority Classification=secret ProtectionAuth=sci",
	  BASIC(4, 90, 0x20), 4, 'B' },
	{ "both, the level wrong",
	  "Type=classificationLevel,protectionAuthority Classification=secret ProtectionAuth=sci",
	  BASIC(4, 61, 0x20), 4, '-' },
	{ "both, the authority wrong",
	  "Type=classificationLevel,protectionAuthority Classification=secret ProtectionAuth=sci",
	  BASIC(4, 90, 0x80), 4, '-' },
	{ "no option", "Type=classificationLevel Classification=secret", { 0 }, 0, '-' },
	{ "behind the end of options", "Type=classificationLevel Classification=secret",
	  { 0, 130, 3, 90 }, 4, '-' },
	{ "the extended option alone is none", "Type=classificationLevel Classification=secret",
	  { 133, 4, 90, 90 }, 4, '-' },
	{ "behind the extended option", "Type=classificationLevel Classification=secret",
	  { 1, 133, 4, 1, 2, 130, 3, 90 }, 8, 'B' },
	{ "before the extended option", "Type=classificationLevel Classification=secret",
	  { 130, 3, 90, 133, 4, 1, 2, 0 }, 8, 'B' },
	{ "two of them", "Type=classificationLevel Classification=secret",
	  { 130, 3, 90, 130, 3, 90 }, 6, '?' },
	{ "longer than the header", "Type=classificationLevel Classification=secret",
	  { 130, 5, 90, 0 }, 4, '?' },
	{ "too short", "Type=classificationLevel Classification=secret", { 130, 2, 0, 0 }, 4, '?' },
	{ "flags that do not end", "Type=classificationLevel Classification=secret",
	  { 130, 4, 90, 1 }, 4, '?' },
	{ "an option of length 0", "Type=classificationLevel Classification=secret",
	  { 7, 0, 130, 3 }, 4, '?' },
};

START_TEST(test_an_ipso_filter_reads_the_basic_security_option)
{
	static const uint8_t data[8] = { 0 };
	const struct octets o = ipv4(17, ipsos[_i].options, ipsos[_i].n, data, 8, 0, false);
	char row[256];

	snprintf(row, sizeof(row), "+ ipso t %s", ipsos[_i].row);
	accept_by(row, "spdIpsoHeadFiltType.\"t\"");
	ck_assert_msg(outbound(&o) == ipsos[_i].expected, "%s", ipsos[_i].name);
}
END_TEST

/* ---- IKE ---- */

static const struct {
	const char *name;
	uint16_t sport, dport;
	bool marker;
	uint8_t version, exchange;
	char phase1, phase2;
} ikes[] = {
	{ "main mode", 500, 500, false, 0x10, 2, 'B', '-' },
	{ "aggressive mode", 500, 500, false, 0x10, 4, 'B', '-' },
	{ "quick mode", 500, 500, false, 0x10, 32, '-', 'B' },
	{ "IKEv1 informational", 500, 500, false, 0x10, 5, '-', '-' },
	{ "IKE_SA_INIT", 500, 500, false, 0x20, 34, 'B', '-' },
	{ "IKE_AUTH from a NAT", 40000, 4500, true, 0x20, 35, 'B', '-' },
	{ "its answer", 4500, 40000, true, 0x20, 35, 'B', '-' },
	{ "CREATE_CHILD_SA", 500, 500, false, 0x20, 36, '-', 'B' },
	{ "IKEv2 INFORMATIONAL", 500, 500, false, 0x20, 37, '-', '-' },
	{ "an IKEv2 number in IKEv1", 500, 500, false, 0x10, 34, '-', '-' },
	{ "ESP in UDP", 4500, 4500, false, 0x20, 34, '-', '-' },
	{ "other ports", 501, 501, false, 0x20, 34, '-', '-' },
};

START_TEST(test_ike_filters_tell_the_phase_of_a_packet)
{
	static const char *const pointers[] = { "ipiaIkePhase1Filter.0", "ipiaIkePhase2Filter.0" };
	const size_t at = ikes[_i].marker ? 4 : 0;
	uint8_t data[32] = { [0] = ikes[_i].marker ? 0 : 1 };

	data[at + 17] = ikes[_i].version;
	data[at + 18] = ikes[_i].exchange;
	const struct octets o = udp(ikes[_i].sport, ikes[_i].dport, data, 28 + at);
	const struct octets cut = udp(ikes[_i].sport, ikes[_i].dport, data, 27 + at);
	const struct octets later = ipv4(17, NULL, 0, data, 28, 8, false);

	accept_by("", pointers[0]);
	ck_assert_msg(outbound(&o) == ikes[_i].phase1, "%s", ikes[_i].name);
	ck_assert_int_eq(outbound(&cut), '-');
	ck_assert_int_eq(outbound(&later), '?');
	rows_put(store, "= rule r Filter=ipiaIkePhase2Filter.0");
	in_force(NOW);
	ck_assert_msg(outbound(&o) == ikes[_i].phase2, "%s", ikes[_i].name);
}
END_TEST

/* ---- time ---- */

static const struct {
	const char *name, *row;
	struct {
		int64_t at_s;
		char expected;
	} moments[5];
} times[] = {
	{ "always", "", { { NOW - 50 * 365 * (int64_t)DAY, 'B' }, { NOW, 'B' } } },
	{ "a period, both ends included", "Period=20260101T120000/20260101T120009",
	  { { NOW - 1, '-' }, { NOW, 'B' }, { NOW + 9, 'B' }, { NOW + 10, '-' } } },
	{ "from a moment in UTC", "Period=20260101T110000Z/THISANDFUTURE",
	  { { NOW - 1, '-' }, { NOW, 'B' }, { NOW + 5 * DAY, 'B' } } },
	{ "to a moment in UTC", "Period=THISANDPRIOR/20260101T105959Z",
	  { { NOW - 1, 'B' }, { NOW, '-' } } },
	{ "some hours", "TimeOfDayMask=00000000T080000/00000000T115959",
	  { { NOW - 4 * HOUR - 1, '-' }, { NOW - 4 * HOUR, 'B' }, { NOW - 1, 'B' }, { NOW, '-' } } },
	{ "some hours in UTC", "TimeOfDayMask=T110000Z/T113000Z",
	  { { NOW - 1, '-' }, { NOW, 'B' }, { NOW + HOUR / 2, 'B' }, { NOW + HOUR / 2 + 1, '-' } } },
	{ "over midnight", "TimeOfDayMask=00000000T220000/00000000T060000",
	  { { NOW, '-' }, { NOW + 10 * HOUR, 'B' }, { NOW + 18 * HOUR, 'B' },
	    { NOW + 18 * HOUR + 1, '-' } } },
	{ "a day of the week", "DayOfWeekMask=thursday",
	  { { NOW, 'B' }, { NOW + 12 * HOUR - 1, 'B' }, { NOW + 12 * HOUR, '-' },
	    { NOW + 7 * DAY, 'B' } } },
	{ "a month", "MonthOfYearMask=february",
	  { { NOW, '-' }, { NOW + 31 * DAY, 'B' }, { NOW + 59 * DAY, '-' } } },
	{ "a day of the month", "DayOfMonthMask=0x4000000000000000",
	  { { NOW, '-' }, { NOW + DAY, 'B' }, { NOW + 2 * DAY, '-' } } },
	{ "the last day of the month", "DayOfMonthMask=0x0000000100000000",
	  { { NOW + 29 * DAY, '-' }, { NOW + 30 * DAY, 'B' }, { NOW + 58 * DAY, 'B' },
	    { NOW + 57 * DAY, '-' } } },
	{ "the day before the last", "DayOfMonthMask=0x0000000080000000",
	  { { NOW + 29 * DAY, 'B' }, { NOW + 30 * DAY, '-' } } },
	{ "all of it at once",
	  "Period=20260101T000000/20260201T000000 DayOfWeekMask=friday "
	  "TimeOfDayMask=00000000T120000/00000000T130000",
	  { { NOW, '-' }, { NOW + DAY, 'B' }, { NOW + DAY + HOUR + 1, '-' },
	    { NOW + 8 * DAY, 'B' }, { NOW + 36 * DAY, '-' } } },
};

START_TEST(test_a_time_filter_is_true_at_its_times)
{
	const struct octets o = udp(1, 2, NULL, 0);
	char row[512];

	snprintf(row, sizeof(row), "+ time t %s", times[_i].row);
	accept_by(row, "spdTimeFiltPeriod.\"t\"");
	for (size_t i = 0; i < 5 && times[_i].moments[i].expected; i++) {
		int64_t at_s = times[_i].moments[i].at_s;

		/* Compiled at that time: what stands in the list is what is asked. */
		in_force(at_s);
		ck_assert_msg(judged(IPSP_OUTBOUND, &o, at_s, 0) == times[_i].moments[i].expected,
			      "%s: moment %zu", times[_i].name, i);
	}
}
END_TEST

/* One generation goes through several changes by itself; what it does not know it drops. */
START_TEST(test_a_list_changes_by_itself_and_drops_what_lies_too_far_ahead)
{
	const struct octets o = udp(1, 2, NULL, 0);

	accept_by("+ time t TimeOfDayMask=00000000T080000/00000000T115959",
		  "spdTimeFiltPeriod.\"t\"");
	rows_put(store, "+ rule rest Filter=spdTrueFilter.0 Action=spdAcceptActionLog.0\n"
			"= rule r Action=spdDropAction.0\n+ contents g,2 ComponentName=rest");
	in_force(NOW);
	ck_assert_int_eq(generation->changes_at_s, NOW + 20 * HOUR);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW - 1, 0), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 20 * HOUR - 1, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 20 * HOUR, 0), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 24 * HOUR, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 30 * DAY, 0), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW - 30 * DAY, 0), 'D');
	/* The other way round: the rule accepts. Out of sight it drops all the same. */
	rows_put(store, "= rule r Action=spdAcceptAction.0\n= rule rest Action=spdAcceptAction.0");
	in_force(NOW);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 30 * DAY, 0), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW - 30 * DAY, 0), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, 0, 0), 'D');
}
END_TEST

/* The agent's compiler makes anew what time has changed, and that alone. */
START_TEST(test_a_compiler_follows_the_time)
{
	const struct octets o = udp(1, 2, NULL, 0);

	rows_put(store, "+ time t TimeOfDayMask=00000000T080000/00000000T115959\n"
			"+ rule r Filter=spdTimeFiltPeriod.\"t\" Action=spdAcceptAction.0\n"
			"+ rule u Filter=ipiaIkePhase1Filter.0 Action=spdAcceptAction.0\n"
			"+ contents g,1 ComponentName=u\n+ contents g,2 ComponentName=r\n"
			"+ endpoint 2,2 Name=g");
	in_force_again(NOW);
	ck_assert_int_eq(generation->changes_at_s, NOW + 20 * HOUR);
	in_force_again(NOW + HOUR);
	ck_assert_uint_eq(pol_compiler_work(compiler), 0);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 20 * HOUR, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 40 * DAY, 0), 'D');
	in_force_again(NOW + 40 * DAY);
	ck_assert_uint_eq(pol_compiler_work(compiler), 1);
	ck_assert_int_eq(generation->changes_at_s, NOW + 40 * DAY + 20 * HOUR);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 40 * DAY, 0), '-');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 40 * DAY + 20 * HOUR, 0), 'B');
	/* The clock goes back. */
	in_force_again(NOW);
	ck_assert_int_eq(generation->changes_at_s, NOW + 20 * HOUR);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW, 0), '-');
}
END_TEST

/* Local time jumps on 2026-03-29 at 01:00 UTC from 02:00 to 03:00, and back on 2026-10-25. */
START_TEST(test_daylight_saving_moves_the_hours)
{
	const struct octets o = udp(1, 2, NULL, 0);
	const int64_t spring = 1774746000, autumn = 1792890000;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	accept_by("+ time t TimeOfDayMask=00000000T030000/00000000T035959",
		  "spdTimeFiltPeriod.\"t\"");
	in_force(spring - 600);
	ck_assert_int_eq(generation->changes_at_s, spring);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, spring - 1, 0), '-');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, spring, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, spring + HOUR, 0), '-');
	in_force(autumn - 600);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, autumn, 0), '-');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, autumn + HOUR, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, autumn + 2 * HOUR, 0), '-');
}
END_TEST

START_TEST(test_a_groups_filter_guards_what_is_in_it_at_each_time)
{
	const struct octets o = udp(1, 2, NULL, 0);

	rows_put(store, "+ time t Period=20260101T120010/20260101T120019\n"
			"+ offset u Offset=9 Type=equal Value=0x11\n"
			"+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
			"+ contents in,1 Filter=spdIpOffFiltOffset.\"u\" ComponentName=pass\n"
			"+ contents g,1 Filter=spdTimeFiltPeriod.\"t\" ComponentType=group "
			"ComponentName=in\n"
			"+ endpoint 2,2 Name=g");
	in_force(NOW);
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 9, 0), '-');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 10, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 19, 0), 'B');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW + 20, 0), '-');
	const struct octets other = ipv4(47, NULL, 0, NULL, 0, 0, false);

	ck_assert_int_eq(judged(IPSP_OUTBOUND, &other, NOW + 10, 0), '-');
}
END_TEST

/* ---- the SA's peer ---- */

static const char sa_rows[] =
	"+ cred e Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ cred a Type=sharedSecret Credential=0xa2*32 AdminStatus=enabled\n"
	"+ esp t CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ peer gw,0 Type=2 Value=gw.example.com AddressType=ipv4 Address=198.51.100.1 "
	"CredentialName=\n"
	"+ peer other,0 Type=2 Value=gw.example.org AddressType=ipv4 Address=198.51.100.2 "
	"CredentialName=\n"
	"+ pre one,1 ActionLifetimeSec=0 ActionType=1 ESPSPI=4096 ESPTransformName=t "
	"ESPEncSecretName=e ESPAuthSecretName=a PeerGatewayIdName=gw\n"
	"+ pre two,1 ActionLifetimeSec=0 ActionType=1 ESPSPI=4097 ESPTransformName=t "
	"ESPEncSecretName=e ESPAuthSecretName=a PeerGatewayIdName=other\n"
	"+ pre one,2 ActionLifetimeSec=0 ActionType=1 ESPSPI=4098 ESPTransformName=t "
	"ESPEncSecretName=e ESPAuthSecretName=a PeerGatewayIdName=gw\n"
	"+ pre two,2 ActionLifetimeSec=0 ActionType=1 ESPSPI=4099 ESPTransformName=t "
	"ESPEncSecretName=e ESPAuthSecretName=a PeerGatewayIdName=other\n"
	"+ peerfilter p IdentityType=2 IdentityValue=*.EXAMPLE.com";

static uint64_t sa_id(const char *index)
{
	const struct mib_row *r = row_of(store, "pre", index);
	size_t len;
	const uint32_t *ids = mib_row_index(r, &len);
	const struct pol_origin *o = pol_origin_of(generation, mib_row_table(r), ids, len);

	ck_assert_ptr_nonnull(o);
	return o->sa_id;
}

START_TEST(test_a_peer_filter_goes_by_the_sa)
{
	const struct octets o = udp(1, 2, NULL, 0);

	rows_put(store, sa_rows);
	rows_put(store, "+ rule in Filter=ipiaPeerIdFiltIdentityType.\"p\" "
			"Action=spdAcceptAction.0\n"
			"+ rule not Filter=ipiaPeerIdFiltIdentityType.\"p\" FilterNegated=true "
			"Action=spdDropAction.0\n"
			"+ contents i,1 ComponentName=in\n+ contents i,2 ComponentName=not\n"
			"+ endpoint 1,2 Name=i\n"
			"+ rule out1 Filter=ipiaPeerIdFiltIdentityType.\"p\" "
			"Action=ipsaSaPreActActionDescription.\"two\",2\n"
			"+ rule out2 Filter=ipiaPeerIdFiltIdentityType.\"p\" "
			"Action=ipsaSaPreActActionDescription.\"one\",2\n"
			"+ contents o,1 ComponentName=out1\n+ contents o,2 ComponentName=out2\n"
			"+ endpoint 2,2 Name=o");
	in_force(NOW);
	ck_assert_uint_ne(sa_id("one,1"), 0);
	ck_assert_int_eq(judged(IPSP_INBOUND, &o, NOW, sa_id("one,1")), 'B');
	ck_assert_int_eq(judged(IPSP_INBOUND, &o, NOW, sa_id("two,1")), 'D');
	ck_assert_int_eq(judged(IPSP_INBOUND, &o, NOW, 0), 'D');
	/* Outbound: the first rule would use an SA to another peer. */
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW, 0), 'P');
	rows_put(store, "= peer gw,0 Value=gw.example.net");
	in_force(NOW);
	ck_assert_int_eq(judged(IPSP_INBOUND, &o, NOW, sa_id("one,1")), 'D');
	ck_assert_int_eq(judged(IPSP_OUTBOUND, &o, NOW, 0), '-');
}
END_TEST

/* With manual keys no peer has shown a credential. */
START_TEST(test_a_credential_filter_is_false)
{
	const struct octets o = udp(1, 2, NULL, 0);

	accept_by("+ credfilter c MatchFieldValue=x", "ipiaCredFiltCredentialType.\"c\"");
	ck_assert_int_eq(outbound(&o), '-');
	rows_put(store, "= rule r FilterNegated=true");
	in_force(NOW);
	ck_assert_int_eq(outbound(&o), 'B');
}
END_TEST

/* ---- expressions ---- */

static uint64_t chance_state = 88172645463325252u;

static uint32_t chance(uint32_t n)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (uint32_t)(chance_state >> 20) % n;
}

#define LEAVES 9
#define COMPOUNDS 7
#define MEMBERS 3

static const char leaf_rows[] =
	"+ clfr 1 AddrType=ipv4 Protocol=6\n"
	"+ clfr 2 AddrType=ipv4 SrcAddr=192.0.2.0 SrcPrefixLength=24 SrcL4PortMin=500\n"
	"+ offset o3 Offset=9 Type=equal Value=0x11\n"
	"+ offset o4 Offset=20 Type=arithmeticLess Value=0x0200\n"
	"+ offset o5 Offset=36 Type=notEqual Value=0xaa\n"
	"+ ipso i6 Type=classificationLevel Classification=unclassified\n"
	"+ ipso i7 Type=protectionAuthority ProtectionAuth=genser";

static const char *const leaf_pointers[LEAVES] = {
	"spdTrueFilter.0", "diffServMultiFieldClfrAddrType.1", "diffServMultiFieldClfrAddrType.2",
	"spdIpOffFiltOffset.\"o3\"", "spdIpOffFiltOffset.\"o4\"", "spdIpOffFiltOffset.\"o5\"",
	"spdIpsoHeadFiltType.\"i6\"", "spdIpsoHeadFiltType.\"i7\"", "ipiaIkePhase1Filter.0",
};

/* A packet by what it was made of, so that truths need no second parser. */
struct made {
	struct octets o;
	uint8_t proto, exchange;
	uint16_t sport;
	bool has_option;
	uint8_t level, authority;
};

static struct made random_packet(void)
{
	static const uint8_t levels[] = { 171, 90 }, exchanges[] = { 34, 36 };
	struct made m = {
		.proto = chance(2) ? 6 : 17, .exchange = exchanges[chance(2)],
		.sport = chance(2) ? 500 : (uint16_t)chance(1024), .has_option = chance(2),
		.level = levels[chance(2)], .authority = chance(2) ? 0x80 : 0x40,
	};
	const uint8_t option[4] = { 130, 4, m.level, m.authority };
	uint8_t l4[36] = { (uint8_t)(m.sport >> 8), (uint8_t)m.sport, 0, 9 };

	l4[8 + 17] = 0x20;
	l4[8 + 18] = m.exchange;
	if (chance(2))
		l4[m.has_option ? 12 : 16] = 0xaa;
	if (m.proto == 6)
		l4[12] = (uint8_t)(0x50 | (l4[12] & 0x0f));
	m.o = ipv4(m.proto, option, m.has_option ? 4 : 0, l4, chance(3) ? 36 : 20, 0, false);
	return m;
}

static bool leaf_true(unsigned leaf, const struct made *m)
{
	const struct octets *o = &m->o;

	switch (leaf) {
	case 0:
		return true;
	case 1:
		return m->proto == 6;
	case 2:
		return m->sport >= 500;
	case 3:
		return m->proto == 17;
	case 4:
		return (o->data[20] << 8 | o->data[21]) > 0x0200;
	case 5:
		return o->len > 36 && o->data[36] != 0xaa;
	case 6:
		return m->has_option && m->level == 171;
	case 7:
		return m->has_option && (m->authority & 0x80);
	default:
		return m->proto == 17 && m->sport == 500 && m->exchange == 34 &&
		       o->len >= 20u + (m->has_option ? 4 : 0) + 36;
	}
}

/* Compound i holds leaves and compounds below i. */
struct expression {
	bool is_or[COMPOUNDS];
	struct {
		unsigned what;	/* a leaf, or LEAVES + a compound */
		bool negated;
	} members[COMPOUNDS][MEMBERS];
	bool rule_negated;
};

static void make_expression(struct expression *e, char *text, size_t size)
{
	size_t n = 0;

	e->rule_negated = chance(2);
	for (unsigned i = 0; i < COMPOUNDS; i++) {
		e->is_or[i] = chance(2);
		n += (size_t)snprintf(text + n, size - n, "+ filter f%u LogicType=%s\n", i,
				      e->is_or[i] ? "or" : "and");
		for (unsigned j = 0; j < MEMBERS; j++) {
			unsigned what = i > 0 && j == 0 ? LEAVES + i - 1 :
						chance(LEAVES);
			char pointer[64];

			snprintf(pointer, sizeof(pointer), "spdCompFiltDescription.\"f%u\"",
				 what - LEAVES);
			e->members[i][j].what = what;
			e->members[i][j].negated = chance(2);
			n += (size_t)snprintf(text + n, size - n,
					      "+ subfilter f%u,%u Subfilter=%s "
					      "SubfilterIsNegated=%s\n", i, j,
					      what >= LEAVES ? pointer : leaf_pointers[what],
					      e->members[i][j].negated ? "true" : "false");
		}
	}
	snprintf(text + n, size - n,
		 "+ rule r Filter=spdCompFiltDescription.\"f%u\" FilterNegated=%s "
		 "Action=spdAcceptAction.0\n"
		 "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", COMPOUNDS - 1,
		 e->rule_negated ? "true" : "false");
}

static bool expression_true(const struct expression *e, const struct made *m)
{
	bool truths[COMPOUNDS];

	for (unsigned i = 0; i < COMPOUNDS; i++) {
		truths[i] = !e->is_or[i];
		for (unsigned j = 0; j < MEMBERS; j++) {
			unsigned what = e->members[i][j].what;
			bool t = what >= LEAVES ? truths[what - LEAVES] : leaf_true(what, m);

			t = t != e->members[i][j].negated;
			truths[i] = e->is_or[i] ? truths[i] || t : truths[i] && t;
		}
	}
	return truths[COMPOUNDS - 1] != e->rule_negated;
}

START_TEST(test_any_expression_is_what_a_plain_evaluation_says)
{
	unsigned matched = 0, with_predicate = 0;

	for (unsigned round = 0; round < 150; round++) {
		struct expression e;
		char text[8192];

		mib_store_free(store);
		store = store_new();
		rows_put(store, leaf_rows);
		make_expression(&e, text, sizeof(text));
		rows_put(store, text);
		in_force(NOW);
		ck_assert_str_eq(problem_of(store, generation, "rule", "r"), "");
		const struct ipsp_spd_list *l = list_of(generation, 2, IPSP_OUTBOUND);

		with_predicate += l->n_entries > 0 && l->entries[0].predicate;
		for (unsigned i = 0; i < 100; i++) {
			struct made m = random_packet();
			bool expected = expression_true(&e, &m);

			matched += expected;
			ck_assert_msg(outbound(&m.o) == (expected ? 'B' : '-'),
				      "round %u packet %u: not %d\n%s", round, i, expected, text);
		}
	}
	/* Chance has tried it. */
	ck_assert_uint_gt(matched, 3000);
	ck_assert_uint_lt(matched, 12000);
	ck_assert_uint_gt(with_predicate, 100);
}
END_TEST

START_TEST(test_an_expression_too_large_drops_with_a_reason)
{
	char text[8192] = "+ filter f LogicType=or\n";
	const struct octets o = udp(1, 2, NULL, 0);
	size_t n = strlen(text);

	/* 70 values of 1024 octets are more than a predicate holds. */
	for (unsigned i = 0; i < 70; i++) {
		char row[256];

		snprintf(row, sizeof(row), "+ offset o%u Offset=0 Type=equal Value=0x00*1024", i);
		rows_put(store, row);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "+ subfilter f,%u Subfilter=spdIpOffFiltOffset.\"o%u\"\n", i, i);
	}
	rows_put(store, text);
	rows_put(store, "+ rule r Filter=spdCompFiltDescription.\"f\" Action=spdAcceptAction.0\n"
			"+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g");
	in_force(NOW);
	ck_assert_str_eq(problem_of(store, generation, "rule", "r"),
			 "has a filter too complex to compile: its packets are dropped");
	ck_assert_int_eq(outbound(&o), 'D');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/residual");
	TCase *tc = tcase_create("residual");
	int failed;
	SRunner *sr;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_an_offset_filter_compares_octets, 0,
			    sizeof(offsets) / sizeof(offsets[0]));
	tcase_add_test(tc, test_a_fragment_hides_what_is_not_in_it);
	tcase_add_loop_test(tc, test_an_ipso_filter_reads_the_basic_security_option, 0,
			    sizeof(ipsos) / sizeof(ipsos[0]));
	tcase_add_loop_test(tc, test_ike_filters_tell_the_phase_of_a_packet, 0,
			    sizeof(ikes) / sizeof(ikes[0]));
	tcase_add_loop_test(tc, test_a_time_filter_is_true_at_its_times, 0,
			    sizeof(times) / sizeof(times[0]));
	tcase_add_test(tc, test_a_list_changes_by_itself_and_drops_what_lies_too_far_ahead);
	tcase_add_test(tc, test_a_compiler_follows_the_time);
	tcase_add_test(tc, test_daylight_saving_moves_the_hours);
	tcase_add_test(tc, test_a_groups_filter_guards_what_is_in_it_at_each_time);
	tcase_add_test(tc, test_a_peer_filter_goes_by_the_sa);
	tcase_add_test(tc, test_a_credential_filter_is_false);
	tcase_add_test(tc, test_any_expression_is_what_a_plain_evaluation_says);
	tcase_add_test(tc, test_an_expression_too_large_drops_with_a_reason);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
