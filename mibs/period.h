/*
 * mibs/period.h - times in text: SpdTimePeriod (RFC 4807), judged in its two uses, and times of X.509.
 *
 * "yyyymmddThhmmss/yyyymmddThhmmss", local times; a time that ends in Z is UTC. The type has room for
 * one Z beside an open end. Times of the day may leave out their dates: "Thhmmss/Thhmmss", both with Z
 * or neither.
 */
#ifndef MIBS_PERIOD_H
#define MIBS_PERIOD_H

#include <stdbool.h>
#include <stddef.h>

/** As written: hour 24 is midnight of the next day, second 60 the first one of the next minute. */
struct mib_moment {
	int year, month, day, hour, minute, second;	/* month and day from 1; 0: not given */
	bool utc;
};

struct mib_period {
	bool open_start, open_end;	/* that end has no moment */
	struct mib_moment start, end;
};

/* Each gives NULL, or what is wrong with it. An empty text restricts nothing: both ends are open. */

/** spdTimeFiltPeriod: from .. to, open ends allowed, the end after the start. */
const char *mib_period_read(const char *s, size_t len, struct mib_period *out);

/** spdTimeFiltTimeOfDayMask: only the times count; the end may come before the start (midnight). */
const char *mib_day_times_read(const char *s, size_t len, struct mib_period *out);

/**
 * Times of revocation lists: UTCTime "yymmddhhmmssZ" or GeneralizedTime "yyyymmddhhmmssZ", as certificates
 * have them. RFC 5280 4.1.2.5.
 * @param out  an empty text has no moment: all zero
 */
const char *mib_asn1_time_read(const char *s, size_t len, struct mib_moment *out);

/** Does a come before b? Both of one kind: UTC, or local. */
bool mib_moment_before(const struct mib_moment *a, const struct mib_moment *b);

#endif
