/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ca.h"
#include "auth/rules_key.h"
#include "core/base/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/wedr-secret.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *file(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/pki/%s", folder, name);
    return path;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"rules.key", "ca.key", "ca.pem", "lock"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(file(names[i]));
    }
    return rmdir(file("")) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static const mode_t wider[] = {0640, 0604, 0620, 0602, 0610, 0644, 0666};

static void a_rule_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    uint8_t secret[WEDR_SIGN_SECRET_LEN], pub[WEDR_SIGN_PUBLIC_LEN], again[WEDR_SIGN_PUBLIC_LEN];
    assert_int_equal(wedr_rules_key_open(folder, secret, pub, NULL), WEDR_OK);
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]); i++) {
        struct wedr_errinfo ei = {""};
        assert_int_equal(chmod(file("rules.key"), wider[i]), 0);
        assert_int_equal(wedr_rules_key_open(folder, secret, again, &ei), WEDR_E_PERM);
        assert_non_null(strstr(ei.text, "/pki/rules.key is open to others"));
    }
    assert_int_equal(chmod(file("rules.key"), 0600), 0);
    assert_int_equal(wedr_rules_key_open(folder, secret, again, NULL), WEDR_OK);
    assert_memory_equal(pub, again, sizeof(pub));
    assert_int_equal(chmod(file("rules.key"), 0400), 0);
    assert_int_equal(wedr_rules_key_open(folder, secret, again, NULL), WEDR_OK);
}

static void a_ca_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    struct wedr_ca *ca = NULL;
    assert_int_equal(wedr_ca_open(folder, &ca, NULL), WEDR_OK);
    wedr_ca_close(ca);
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]); i++) {
        struct wedr_errinfo ei = {""};
        ca = NULL;
        assert_int_equal(chmod(file("ca.key"), wider[i]), 0);
        assert_int_equal(wedr_ca_open(folder, &ca, &ei), WEDR_E_PERM);
        assert_null(ca);
        assert_non_null(strstr(ei.text, "pki/ca.key is open to others"));
    }
    assert_int_equal(chmod(file("ca.key"), 0600), 0);
    assert_int_equal(wedr_ca_open(folder, &ca, NULL), WEDR_OK);
    wedr_ca_close(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rule_key_that_others_may_read_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ca_key_that_others_may_read_is_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
