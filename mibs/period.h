/*
 * mibs/period.h - the two uses of SpdTimePeriod, RFC 4807; internal to mibs/.
 *
 * "yyyymmddThhmmss/yyyymmddThhmmss". Both functions return what is wrong with it, or NULL.
 */
#ifndef MIBS_PERIOD_H
#define MIBS_PERIOD_H

#include <stddef.h>

/** spdTimeFiltPeriod: from .. to, open ends allowed, the end after the start. */
const char *mib_period_fault(const char *s, size_t len);

/** spdTimeFiltTimeOfDayMask: only the times count; the end may come before the start (midnight). */
const char *mib_day_times_fault(const char *s, size_t len);

#endif
