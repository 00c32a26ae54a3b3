/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_schema.h"

/* Days of the proleptic Gregorian calendar, counted in years that begin on 1 March. */
int64_t wedr_days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2 ? 1 : 0;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153u * (m + (m > 2 ? -3u : 9u)) + 2u) / 5u + d - 1u;
    unsigned doe = yoe * 365u + yoe / 4u - yoe / 100u + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

void wedr_civil_from_days(int64_t days, int *ret_y, unsigned *ret_m, unsigned *ret_d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460u + doe / 36524u - doe / 146096u) / 365u;
    unsigned doy = doe - (365u * yoe + yoe / 4u - yoe / 100u);
    unsigned mp = (5u * doy + 2u) / 153u;
    *ret_d = doy - (153u * mp + 2u) / 5u + 1u;
    *ret_m = mp < 10u ? mp + 3u : mp - 9u;
    *ret_y = (int)((int64_t)yoe + era * 400 + (*ret_m <= 2u ? 1 : 0));
}

static bool digits(const char *s, size_t n, unsigned *ret)
{
    unsigned v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10u + (unsigned)(s[i] - '0');
    }
    *ret = v;
    return true;
}

static unsigned days_in_month(unsigned y, unsigned m)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4u == 0 && y % 100u != 0) || y % 400u == 0;
    return days[m - 1u] + (m == 2 && leap ? 1u : 0u);
}

bool wedr_line_time_parse(const char *s, size_t len, int64_t *ret_us)
{
    unsigned y, mo, d, h, mi, sec, us;
    if (len != 27 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' ||
        s[19] != '.' || s[26] != 'Z') {
        return false;
    }
    if (!digits(s, 4, &y) || !digits(s + 5, 2, &mo) || !digits(s + 8, 2, &d) ||
        !digits(s + 11, 2, &h) || !digits(s + 14, 2, &mi) || !digits(s + 17, 2, &sec) ||
        !digits(s + 20, 6, &us)) {
        return false;
    }
    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 ||
        sec > 59) {
        return false;
    }
    int64_t seconds =
        wedr_days_from_civil(y, mo, d) * 86400 + (int64_t)(h * 3600u + mi * 60u + sec);
    *ret_us = seconds * 1000000 + (int64_t)us;
    return true;
}
