/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "ir/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool in_net(const char *net, const char *address)
{
    struct wedr_net n;
    struct wedr_net a;
    assert_int_equal(wedr_net_parse(net, strlen(net), &n), WEDR_OK);
    assert_int_equal(wedr_address_parse(address, strlen(address), &a), WEDR_OK);
    return wedr_net_has(&n, &a);
}

static void addresses_lie_in_networks(void **state)
{
    (void)state;
    assert_true(in_net("10.0.0.0/8", "10.255.1.2"));
    assert_false(in_net("10.0.0.0/8", "11.0.0.0"));
    assert_true(in_net("10.1.2.3/8", "10.9.9.9"));
    assert_true(in_net("0.0.0.0/0", "1.2.3.4"));
    assert_false(in_net("0.0.0.0/0", "::1"));
    assert_true(in_net("192.168.1.128/25", "192.168.1.200"));
    assert_false(in_net("192.168.1.128/25", "192.168.1.127"));
    assert_true(in_net("::1", "::1"));
    assert_true(in_net("fe80::/10", "fe80::1%eth0"));
    assert_true(in_net("fe80::/10", "febf::"));
    assert_false(in_net("fe80::/10", "fec0::"));
    assert_true(in_net("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(in_net("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(in_net("2001:db8::/32", "2001:DB8:1:2:3:4:5:6"));
    assert_true(in_net("1:2:3:4:5:6:7::/128", "1:2:3:4:5:6:7:0"));
}

static void malformed_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "1.2.3.04",
                                      "1.2.3.4 ",
                                      "a.b.c.d",
                                      ":",
                                      ":::",
                                      "1::2::3",
                                      "12345::",
                                      "1:2:3:4:5:6:7",
                                      "::g",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8::",
                                      "::1.2.3",
                                      "1:"};
    struct wedr_net n;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        if (wedr_address_parse(bad[i], strlen(bad[i]), &n) != WEDR_E_FORMAT) {
            fail_msg("%s", bad[i]);
        }
    }
    assert_int_equal(wedr_net_parse("1.2.3.4/33", 10, &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_net_parse("1.2.3.4/", 8, &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_net_parse("::/129", 6, &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_net_parse("::ffff:1.2.3.4/95", 17, &n), WEDR_E_FORMAT);
}

static int64_t part(const char *s, enum wedr_time_part p)
{
    int64_t us = 0;
    assert_int_equal(wedr_time_parse(s, strlen(s), &us), WEDR_OK);
    return wedr_time_part(us, p);
}

static void parts_of_a_timestamp_are_utc(void **state)
{
    (void)state;
    const char *s = "2026-11-23T20:34:17.123456Z";
    int64_t us;
    assert_int_equal(wedr_time_parse(s, strlen(s), &us), WEDR_OK);
    assert_true(us == INT64_C(1795466057123456));
    assert_int_equal(part(s, WEDR_TIME_MINUTE), 34);
    assert_int_equal(part(s, WEDR_TIME_HOUR), 20);
    assert_int_equal(part(s, WEDR_TIME_DAY), 23);
    assert_int_equal(part(s, WEDR_TIME_WEEK), 48);
    assert_int_equal(part(s, WEDR_TIME_MONTH), 11);
    assert_int_equal(part(s, WEDR_TIME_YEAR), 2026);
    assert_int_equal(part("2026-01-01 00:30:00+01:00", WEDR_TIME_YEAR), 2025);
    assert_int_equal(part("2025-12-31T23:30:00-0100", WEDR_TIME_YEAR), 2026);
    assert_int_equal(part("2027-01-01", WEDR_TIME_WEEK), 53);
    assert_int_equal(part("2024-12-30", WEDR_TIME_WEEK), 1);
    assert_int_equal(part("2024-02-29 11:12 UTC", WEDR_TIME_DAY), 29);
    assert_int_equal(part("1969-12-31T23:59:59Z", WEDR_TIME_YEAR), 1969);
    assert_int_equal(part("1795466057", WEDR_TIME_HOUR), 20);
    assert_int_equal(part("1795466057123", WEDR_TIME_MINUTE), 34);
    assert_int_equal(part("1795466057123456", WEDR_TIME_HOUR), 20);
    assert_int_equal(part("1795466057123456789", WEDR_TIME_HOUR), 20);
    assert_int_equal(part("1795466057.5", WEDR_TIME_MINUTE), 34);
}

static void what_is_no_timestamp_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2026",
                                      "x",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-1-1",
                                      "2026-01-01T",
                                      "2026-01-01T25:00",
                                      "2026-01-01T10:60",
                                      "2026-01-01T10:00+",
                                      "2026-01-01T10:00:00ZZ",
                                      "2026-01-01T10:00:00 UT",
                                      "23.11.2026 20:34"};
    int64_t us;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        int r = wedr_time_parse(bad[i], strlen(bad[i]), &us);
        if (i != 1 && r != WEDR_E_FORMAT) {
            fail_msg("%s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_lie_in_networks),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(parts_of_a_timestamp_are_utc),
        cmocka_unit_test(what_is_no_timestamp_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
