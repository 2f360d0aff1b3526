/*
 * policy/when.c - time filters: see when.h.
 *
 * A filter can only change at a boundary: an end of its period, midnight, an end of its time of day,
 * or where local time jumps. From boundary to boundary it is asked again until it differs.
 */
#include "policy/when.h"

#include <string.h>
#include <time.h>

#include "mibs/period.h"
#include "mibs/schema_gen.h"

#define DAY_S 86400
#define BOUNDARIES_MAX 2000	/* that are looked at for a change: years of midnights */
#define MONTH_DAYS_BYTES 8

/* A row, ready to be asked. */
struct when {
	int64_t from_s, to_s;		/* both ends included */
	uint8_t months[2], month_days[MONTH_DAYS_BYTES], week_days[1];
	int day_from, day_to;		/* seconds of the day, both included; equal: all day */
	bool day_utc;
};

static bool bit(const uint8_t *bits, size_t size, unsigned n)
{
	return n / 8 < size && (bits[n / 8] & 0x80u >> n % 8);
}

/* ---- the row ---- */

static void read_bits(const struct mib_row *r, const struct mib_column *col, uint8_t *to,
		      size_t size)
{
	struct mib_value v;
	size_t n = 0;

	if (mib_row_get(r, col, &v))
		n = v.octets.len < size ? v.octets.len : size;
	memset(to, 0, size);
	if (n > 0)
		memcpy(to, v.octets.data, n);
}

static int64_t to_time(const struct mib_moment *m)
{
	struct tm tm = {
		.tm_year = m->year - 1900, .tm_mon = m->month - 1, .tm_mday = m->day,
		.tm_hour = m->hour, .tm_min = m->minute, .tm_sec = m->second, .tm_isdst = -1,
	};

	return m->utc ? timegm(&tm) : mktime(&tm);
}

static int second_of_day(const struct mib_moment *m)
{
	return m->hour * 3600 + m->minute * 60 + m->second;
}

/* The store has checked both texts. */
static void read_when(const struct mib_row *r, struct when *w)
{
	struct mib_period p;
	struct mib_value v;

	*w = (struct when){ .from_s = INT64_MIN, .to_s = POL_NEVER };
	if (mib_row_get(r, MIB_COL(spdTimeFilterTable, spdTimeFiltPeriod), &v) &&
	    !mib_period_read((const char *)v.octets.data, v.octets.len, &p)) {
		if (!p.open_start)
			w->from_s = to_time(&p.start);
		if (!p.open_end)
			w->to_s = to_time(&p.end);
	}
	if (mib_row_get(r, MIB_COL(spdTimeFilterTable, spdTimeFiltTimeOfDayMask), &v) &&
	    !mib_day_times_read((const char *)v.octets.data, v.octets.len, &p)) {
		w->day_from = second_of_day(&p.start);
		w->day_to = second_of_day(&p.end);
		w->day_utc = p.start.utc;
	}
	read_bits(r, MIB_COL(spdTimeFilterTable, spdTimeFiltMonthOfYearMask), w->months,
		  sizeof(w->months));
	read_bits(r, MIB_COL(spdTimeFilterTable, spdTimeFiltDayOfMonthMask), w->month_days,
		  sizeof(w->month_days));
	read_bits(r, MIB_COL(spdTimeFilterTable, spdTimeFiltDayOfWeekMask), w->week_days,
		  sizeof(w->week_days));
}

/* ---- asked ---- */

static struct tm local_time(int64_t at_s)
{
	const time_t t = (time_t)at_s;
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	return tm;
}

static int day_second_of(const struct when *w, int64_t at_s, const struct tm *local)
{
	int64_t utc = at_s % DAY_S;

	if (!w->day_utc)
		return local->tm_hour * 3600 + local->tm_min * 60 + local->tm_sec;
	return (int)(utc < 0 ? utc + DAY_S : utc);
}

static bool time_of_day_holds(const struct when *w, int s)
{
	if (w->day_from == w->day_to)
		return true;
	if (w->day_from < w->day_to)
		return w->day_from <= s && s <= w->day_to;
	return s >= w->day_from || s <= w->day_to;
}

static unsigned days_of_month(const struct tm *tm)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const int year = tm->tm_year + 1900;
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[tm->tm_mon] + (tm->tm_mon == 1 && leap ? 1u : 0u);
}

/* Bits 1..31, from 1: the days; 32..62: the last day, the one before it, and so on. */
static bool day_of_month_holds(const struct when *w, const struct tm *tm)
{
	const unsigned day = (unsigned)tm->tm_mday;

	return bit(w->month_days, sizeof(w->month_days), day - 1) ||
	       bit(w->month_days, sizeof(w->month_days), 31 + days_of_month(tm) - day);
}

static bool holds(const struct when *w, int64_t at_s)
{
	const struct tm tm = local_time(at_s);

	return w->from_s <= at_s && at_s <= w->to_s &&
	       bit(w->months, sizeof(w->months), (unsigned)tm.tm_mon) &&
	       day_of_month_holds(w, &tm) &&
	       bit(w->week_days, sizeof(w->week_days), (unsigned)tm.tm_wday) &&
	       time_of_day_holds(w, day_second_of(w, at_s, &tm));
}

/* ---- boundaries ---- */

static void take(int64_t *next, int64_t candidate, int64_t after)
{
	if (candidate > after && candidate < *next)
		*next = candidate;
}

/* Where local time jumps between two moments; `to` if it does not. */
static int64_t jump_between(int64_t from, int64_t to)
{
	const long offset = local_time(from).tm_gmtoff;
	int64_t lo = from, hi = to;

	if (local_time(to).tm_gmtoff == offset)
		return to;
	while (hi - lo > 1) {
		const int64_t mid = lo + (hi - lo) / 2;

		if (local_time(mid).tm_gmtoff == offset)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

/* Does every day of every week do, all day long? Then only the period's ends are boundaries. */
static bool is_period_alone(const struct when *w)
{
	static const uint8_t days[] = { 0xff, 0xff, 0xff, 0xfe };

	return w->months[0] == 0xff && (w->months[1] & 0xf0) == 0xf0 &&
	       (w->week_days[0] & 0xfe) == 0xfe && memcmp(w->month_days, days, sizeof(days)) == 0 &&
	       (w->day_from == w->day_to || (w->day_from == 0 && w->day_to >= DAY_S - 1));
}

static int64_t next_boundary(const struct when *w, int64_t at_s)
{
	int64_t next = POL_NEVER;

	take(&next, w->from_s, at_s);
	if (w->to_s < POL_NEVER)
		take(&next, w->to_s + 1, at_s);
	if (is_period_alone(w))
		return next;
	const struct tm tm = local_time(at_s);
	const int s = day_second_of(w, at_s, &tm);
	const int local_s = tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;

	take(&next, at_s + DAY_S - local_s, at_s);
	take(&next, at_s + DAY_S - s, at_s);
	take(&next, at_s + w->day_from - s, at_s);
	take(&next, at_s + w->day_to + 1 - s, at_s);
	return jump_between(at_s, next);
}

bool pol_when_true(const struct mib_row *r, int64_t at_s, int64_t *until_s)
{
	struct when w;
	bool now;

	read_when(r, &w);
	now = holds(&w, at_s);
	*until_s = at_s;
	for (int i = 0; i < BOUNDARIES_MAX; i++) {
		*until_s = next_boundary(&w, *until_s);
		if (*until_s == POL_NEVER || holds(&w, *until_s) != now)
			break;
	}
	return now;
}
