/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/timepart.c — calendar arithmetic of the proleptic Gregorian calendar, in UTC. */
#include "core/base/err.h"
#include "ir/value.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)

/* Days since 1970-01-01. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
    int64_t year, month, day;
};

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    struct date d = {.day = of_year - (153 * shifted + 2) / 5 + 1};
    d.month = shifted < 10 ? shifted + 3 : shifted - 9;
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ISO 8601: the week with the year's first Thursday is week 1. */
static int64_t week_of(int64_t days)
{
    int64_t weekday = ((days + 3) % 7 + 7) % 7; /* Monday is 0 */
    int64_t thursday = days - weekday + 3;
    return (thursday - days_of(date_of(thursday).year, 1, 1)) / 7 + 1;
}

int64_t wedr_time_part(int64_t us, enum wedr_time_part part)
{
    int64_t seconds = floor_div(us, SECOND_US);
    int64_t days = floor_div(seconds, DAY_S);
    int64_t of_day = seconds - days * DAY_S;
    switch (part) {
    case WEDR_TIME_MINUTE:
        return of_day / 60 % 60;
    case WEDR_TIME_HOUR:
        return of_day / 3600;
    case WEDR_TIME_DAY:
        return date_of(days).day;
    case WEDR_TIME_WEEK:
        return week_of(days);
    case WEDR_TIME_MONTH:
        return date_of(days).month;
    case WEDR_TIME_YEAR:
        return date_of(days).year;
    }
    return 0;
}

struct reader {
    const char *p, *end;
};

/* Exactly n digits. */
static int take(struct reader *r, int n, int64_t max, int64_t *ret_v)
{
    int64_t v = 0;
    for (int i = 0; i < n; i++, r->p++) {
        if (r->p == r->end || *r->p < '0' || *r->p > '9') {
            return WEDR_E_FORMAT;
        }
        v = v * 10 + (*r->p - '0');
    }
    *ret_v = v;
    return v <= max ? WEDR_OK : WEDR_E_FORMAT;
}

static bool skip(struct reader *r, char c)
{
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }
    return false;
}

static int64_t fraction_us(struct reader *r)
{
    int64_t us = 0;
    int64_t unit = SECOND_US / 10;
    if (skip(r, '.') || skip(r, ',')) {
        for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, unit /= 10) {
            us += (*r->p - '0') * unit;
        }
    }
    return us;
}

/* Z, +hh:mm, -hhmm, " UTC" or nothing, up to the end. */
static int offset_s(struct reader *r, int64_t *ret_s)
{
    int64_t hours;
    int64_t minutes = 0;
    *ret_s = 0;
    (void)skip(r, ' ');
    if (skip(r, 'U') && (!skip(r, 'T') || !skip(r, 'C'))) {
        return WEDR_E_FORMAT;
    }
    if (skip(r, 'Z') || skip(r, 'z') || r->p == r->end) {
        return r->p == r->end ? WEDR_OK : WEDR_E_FORMAT;
    }
    bool minus = skip(r, '-');
    if (!minus && !skip(r, '+')) {
        return WEDR_E_FORMAT;
    }
    if (take(r, 2, 23, &hours) < 0) {
        return WEDR_E_FORMAT;
    }
    (void)skip(r, ':');
    if (r->p < r->end && take(r, 2, 59, &minutes) < 0) {
        return WEDR_E_FORMAT;
    }
    *ret_s = (hours * 3600 + minutes * 60) * (minus ? -1 : 1);
    return r->p == r->end ? WEDR_OK : WEDR_E_FORMAT;
}

int wedr_time_parse(const char *s, size_t len, int64_t *ret_us)
{
    struct wedr_number n;
    if (wedr_number_parse(s, len, &n) == WEDR_OK) {
        *ret_us = wedr_time_from_number(n);
        return WEDR_OK;
    }
    struct reader r = {s, s + len};
    int64_t year, month, day;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t us = 0;
    int64_t offset = 0;
    if (len < 10 || take(&r, 4, 9999, &year) < 0 || !skip(&r, '-') || take(&r, 2, 12, &month) < 0 ||
        !skip(&r, '-') || take(&r, 2, 31, &day) < 0 || month == 0 || day == 0) {
        return WEDR_E_FORMAT;
    }
    if (r.p < r.end) {
        if (!skip(&r, 'T') && !skip(&r, 't') && !skip(&r, ' ')) {
            return WEDR_E_FORMAT;
        }
        if (take(&r, 2, 24, &hour) < 0 || !skip(&r, ':') || take(&r, 2, 59, &minute) < 0) {
            return WEDR_E_FORMAT;
        }
        if (skip(&r, ':') && take(&r, 2, 60, &second) < 0) {
            return WEDR_E_FORMAT;
        }
        us = fraction_us(&r);
        if (offset_s(&r, &offset) < 0) {
            return WEDR_E_FORMAT;
        }
    }
    int64_t seconds = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    *ret_us = (seconds - offset) * SECOND_US + us;
    return WEDR_OK;
}

/* Seconds up to the year 5138, then ms up to the same year, then us, then ns. */
int64_t wedr_time_from_number(struct wedr_number n)
{
    double f = n.kind == WEDR_NUMBER_F64   ? n.v.f
               : n.kind == WEDR_NUMBER_U64 ? (double)n.v.u
                                           : (double)n.v.i;
    double size = f < 0 ? -f : f;
    if (size < 1e11) {
        return n.kind == WEDR_NUMBER_I64 ? n.v.i * SECOND_US : (int64_t)(f * 1e6);
    }
    if (n.kind != WEDR_NUMBER_I64) {
        return size < 1e14   ? (int64_t)(f * 1e3)
               : size < 1e17 ? (int64_t)f
               : size < 1e21 ? (int64_t)(f / 1e3)
                             : 0;
    }
    return size < 1e14 ? n.v.i * 1000 : size < 1e17 ? n.v.i : n.v.i / 1000;
}
