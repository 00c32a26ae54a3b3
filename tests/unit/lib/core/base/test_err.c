/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void numbers_are_frozen_and_names_match(void **state)
{
    (void)state;
    assert_int_equal(WEDR_E_INVAL, -1);
    assert_int_equal(WEDR_E_AGAIN, -8);
    assert_int_equal(WEDR_E_CONFLICT, -18);
    assert_int_equal(WEDR_E_STATE, -24);
    assert_string_equal(wedr_err_name(WEDR_OK), "OK");
    assert_string_equal(wedr_err_name(WEDR_E_NOSPC), "NOSPC");
    assert_string_equal(wedr_err_text(WEDR_E_NOSPC), "no space left on device");
}

static void foreign_numbers_have_a_text(void **state)
{
    (void)state;
    assert_string_equal(wedr_err_name(1), "UNKNOWN");
    assert_string_equal(wedr_err_name(-10000), "UNKNOWN");
    assert_string_equal(wedr_err_text(INT32_MIN), "unknown error");
}

static void every_number_is_used_once(void **state)
{
    (void)state;
    static const int all[] = {
#define X(name, number, text) number,
#include "core/base/err.def"
#undef X
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(all[i], (int)i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_frozen_and_names_match),
        cmocka_unit_test(foreign_numbers_have_a_text),
        cmocka_unit_test(every_number_is_used_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
