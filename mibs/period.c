/*
 * mibs/period.c - is it a good SpdTimePeriod? See period.h. Knows no clock and no time zone.
 */
#include "mibs/period.h"

#include <stdbool.h>
#include <string.h>

#define MOMENT_LEN 15	/* yyyymmddThhmmss */

struct moment {
	int year, month, day, hour, minute, second;
};

static bool read_digits(const char *s, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

static bool read_moment(const char *s, size_t len, struct moment *m)
{
	return len == MOMENT_LEN && s[8] == 'T' && read_digits(s, 4, &m->year) &&
	       read_digits(s + 4, 2, &m->month) && read_digits(s + 6, 2, &m->day) &&
	       read_digits(s + 9, 2, &m->hour) && read_digits(s + 11, 2, &m->minute) &&
	       read_digits(s + 13, 2, &m->second);
}

/* Midnight may be written as hour 24 of the day before. */
static bool time_is_good(const struct moment *m)
{
	if (m->hour == 24)
		return m->minute == 0 && m->second == 0;
	return m->hour < 24 && m->minute < 60 && m->second <= 60;
}

static bool date_is_good(const struct moment *m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = (m->year % 4 == 0 && m->year % 100 != 0) || m->year % 400 == 0;

	if (m->month < 1 || m->month > 12 || m->day < 1)
		return false;
	return m->day <= days[m->month - 1] + (m->month == 2 && leap ? 1 : 0);
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

const char *mib_period_fault(const char *s, size_t len)
{
	const char *slash = len > 0 ? memchr(s, '/', len) : NULL;

	/* The empty period restricts nothing. */
	if (len == 0)
		return NULL;
	if (slash == NULL)
		return "a period is start/end, such as 20260101T000000/THISANDFUTURE";

	const size_t start_len = (size_t)(slash - s), end_len = len - start_len - 1;
	const bool from_ever = is_word(s, start_len, "THISANDPRIOR");
	const bool for_ever = is_word(slash + 1, end_len, "THISANDFUTURE");
	struct moment start = { 0 }, end = { 0 };

	if (!from_ever && (!read_moment(s, start_len, &start) || !date_is_good(&start) ||
			   !time_is_good(&start)))
		return "the start must be THISANDPRIOR or a moment as yyyymmddThhmmss";
	if (!for_ever && (!read_moment(slash + 1, end_len, &end) || !date_is_good(&end) ||
			  !time_is_good(&end)))
		return "the end must be THISANDFUTURE or a moment as yyyymmddThhmmss";
	/* Fixed-width digits: the order of text is the order of time. */
	if (!from_ever && !for_ever && memcmp(s, slash + 1, MOMENT_LEN) >= 0)
		return "the end must come after the start";
	return NULL;
}

const char *mib_day_times_fault(const char *s, size_t len)
{
	struct moment start, end;

	if (len == 0)
		return NULL;
	if (len != 2 * MOMENT_LEN + 1 || s[MOMENT_LEN] != '/' ||
	    !read_moment(s, MOMENT_LEN, &start) ||
	    !read_moment(s + MOMENT_LEN + 1, MOMENT_LEN, &end))
		return "times of the day are as 00000000T080000/00000000T180000";
	if (!time_is_good(&start) || !time_is_good(&end))
		return "a time of day is 000000 to 240000";
	return NULL;
}
