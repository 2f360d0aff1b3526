/*
 * mibs/period.c - reads times in text: see period.h. Knows no clock and no time zone.
 */
#include "mibs/period.h"

#include <string.h>

#define MOMENT_LEN 15	/* yyyymmddThhmmss */
#define TIME_AT 8	/* where its Thhmmss begins */
#define TIME_LEN 7

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

static bool read_time(const char *s, size_t len, struct mib_moment *m)
{
	m->utc = len == TIME_LEN + 1 && s[TIME_LEN] == 'Z';
	return (len == TIME_LEN || m->utc) && s[0] == 'T' && read_digits(s + 1, 2, &m->hour) &&
	       read_digits(s + 3, 2, &m->minute) && read_digits(s + 5, 2, &m->second);
}

static bool read_moment(const char *s, size_t len, struct mib_moment *m)
{
	return len >= MOMENT_LEN && read_digits(s, 4, &m->year) &&
	       read_digits(s + 4, 2, &m->month) && read_digits(s + 6, 2, &m->day) &&
	       read_time(s + TIME_AT, len - TIME_AT, m);
}

/* Midnight may be written as hour 24 of the day before. */
static bool time_is_good(const struct mib_moment *m)
{
	if (m->hour == 24)
		return m->minute == 0 && m->second == 0;
	return m->hour < 24 && m->minute < 60 && m->second <= 60;
}

static bool date_is_good(const struct mib_moment *m)
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

static bool is_good(const char *s, size_t len, struct mib_moment *m)
{
	return read_moment(s, len, m) && date_is_good(m) && time_is_good(m);
}

const char *mib_period_read(const char *s, size_t len, struct mib_period *out)
{
	const char *slash = len > 0 ? memchr(s, '/', len) : NULL;

	*out = (struct mib_period){ .open_start = true, .open_end = true };
	if (len == 0)
		return NULL;
	if (slash == NULL)
		return "a period is start/end, such as 20260101T000000/THISANDFUTURE";

	const size_t start_len = (size_t)(slash - s), end_len = len - start_len - 1;

	out->open_start = is_word(s, start_len, "THISANDPRIOR");
	out->open_end = is_word(slash + 1, end_len, "THISANDFUTURE");
	if (!out->open_start && !is_good(s, start_len, &out->start))
		return "the start must be THISANDPRIOR or a moment as yyyymmddThhmmss, with Z for UTC";
	if (!out->open_end && !is_good(slash + 1, end_len, &out->end))
		return "the end must be THISANDFUTURE or a moment as yyyymmddThhmmss, with Z for UTC";
	if (out->open_start || out->open_end)
		return NULL;
	if (out->start.utc != out->end.utc)
		return "both ends must be local times, or both UTC";
	/* Fixed-width digits: the order of text is the order of time. */
	return memcmp(s, slash + 1, MOMENT_LEN) >= 0 ? "the end must come after the start" : NULL;
}

/* With a date, which says nothing, or without. */
static bool read_time_of_day(const char *s, size_t len, struct mib_moment *m)
{
	return len >= MOMENT_LEN ? read_moment(s, len, m) : read_time(s, len, m);
}

const char *mib_day_times_read(const char *s, size_t len, struct mib_period *out)
{
	const char *slash = len > 0 ? memchr(s, '/', len) : NULL;

	*out = (struct mib_period){ .open_start = len == 0, .open_end = len == 0 };
	if (len == 0)
		return NULL;

	const size_t start_len = slash != NULL ? (size_t)(slash - s) : 0;

	if (slash == NULL || !read_time_of_day(s, start_len, &out->start) ||
	    !read_time_of_day(slash + 1, len - start_len - 1, &out->end))
		return "times of the day are as 00000000T080000/00000000T180000, or T080000Z/T180000Z "
		       "in UTC";
	if (out->start.utc != out->end.utc)
		return "both times must be local, or both UTC";
	if (!time_is_good(&out->start) || !time_is_good(&out->end))
		return "a time of day is 000000 to 240000";
	return NULL;
}

#define UTC_TIME_LEN 13		/* yymmddhhmmssZ */
#define GENERALIZED_TIME_LEN 15	/* yyyymmddhhmmssZ */

/* RFC 5280 4.1.2.5.1: two digits are of 1950 to 2049. */
static bool read_year(const char *s, size_t digits, int *year)
{
	if (!read_digits(s, digits, year))
		return false;
	if (digits == 2)
		*year += *year >= 50 ? 1900 : 2000;
	return true;
}

const char *mib_asn1_time_read(const char *s, size_t len, struct mib_moment *out)
{
	const size_t digits = len == GENERALIZED_TIME_LEN ? 4 : 2;
	struct mib_moment m = { .utc = true };

	*out = (struct mib_moment){ .utc = true };
	if (len == 0)
		return NULL;
	if ((len != UTC_TIME_LEN && len != GENERALIZED_TIME_LEN) || s[len - 1] != 'Z' ||
	    !read_year(s, digits, &m.year) || !read_digits(s + digits, 2, &m.month) ||
	    !read_digits(s + digits + 2, 2, &m.day) || !read_digits(s + digits + 4, 2, &m.hour) ||
	    !read_digits(s + digits + 6, 2, &m.minute) ||
	    !read_digits(s + digits + 8, 2, &m.second) || !date_is_good(&m) || m.hour == 24 ||
	    !time_is_good(&m))
		return "it must be a time as yymmddhhmmssZ or yyyymmddhhmmssZ (RFC 5280 4.1.2.5)";
	*out = m;
	return NULL;
}

bool mib_moment_before(const struct mib_moment *a, const struct mib_moment *b)
{
	const int x[] = { a->year, a->month, a->day, a->hour, a->minute, a->second };
	const int y[] = { b->year, b->month, b->day, b->hour, b->minute, b->second };

	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		if (x[i] != y[i])
			return x[i] < y[i];
	return false;
}
