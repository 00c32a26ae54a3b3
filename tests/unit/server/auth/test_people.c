/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/password.h"
#include "auth/person.h"
#include "auth/totp.h"
#include "core/base/err.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t rfc_secret[20] = "12345678901234567890";

/* RFC 6238, appendix B: the last six of its eight digits. */
static void codes_are_those_of_the_rfc(void **state)
{
    static const struct {
        int64_t time;
        const char *code;
    } vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                   {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[7];
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(vectors); i++) {
        assert_int_equal(wedr_totp_code(rfc_secret, 20, vectors[i].time / 30, code), WEDR_OK);
        assert_string_equal(code, vectors[i].code);
    }
}

static void a_code_is_good_for_its_step_and_its_neighbours_and_never_again(void **state)
{
    int64_t step = -1;
    (void)state;
    for (int64_t off = -1; off <= 1; off++) {
        assert_true(wedr_totp_check(rfc_secret, 20, "005924", 1234567890 + 30 * off, 0, &step));
        assert_int_equal(step, 1234567890 / 30);
    }
    assert_false(wedr_totp_check(rfc_secret, 20, "005924", 1234567890 + 60, 0, &step));
    assert_false(wedr_totp_check(rfc_secret, 20, "005924", 1234567890 - 60, 0, &step));
    assert_false(wedr_totp_check(rfc_secret, 20, "005924", 1234567890, 1234567890 / 30, &step));
    assert_true(wedr_totp_check(rfc_secret, 20, "005924", 1234567890, 1234567890 / 30 - 1, &step));
    static const char *const bad[] = {"", "00592", "0059244", "005925", "00592a", " 05924"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_false(wedr_totp_check(rfc_secret, 20, bad[i], 1234567890, 0, &step));
    }
}

/* RFC 4648, section 10, without the padding. */
static void base32_is_that_of_the_rfc(void **state)
{
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "MY"},
                                             {"fo", "MZXQ"},
                                             {"foo", "MZXW6"},
                                             {"foob", "MZXW6YQ"},
                                             {"fooba", "MZXW6YTB"},
                                             {"foobar", "MZXW6YTBOI"}};
    char text[16];
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(vectors); i++) {
        wedr_base32((const uint8_t *)vectors[i][0], strlen(vectors[i][0]), text, sizeof(text));
        assert_string_equal(text, vectors[i][1]);
    }
}

static void a_recovery_code_is_read_as_people_type_it(void **state)
{
    char code[WEDR_RECOVERY_CODE_LEN], other[WEDR_RECOVERY_CODE_LEN];
    (void)state;
    wedr_recovery_code(code);
    assert_int_equal(strlen(code), 11);
    assert_true(wedr_recovery_normal(code, other));
    assert_string_equal(other, code);
    assert_true(wedr_recovery_normal(" abcde fg-hij", other));
    assert_string_equal(other, "ABCDE-FGHIJ");
    static const char *const bad[] = {"", "ABCDE-FGHI", "ABCDE-FGHIJK", "ABCDE-FGHI0",
                                      "ABCDE_FGHIJ"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_false(wedr_recovery_normal(bad[i], other));
    }
}

static void a_password_fits_its_own_hash_alone(void **state)
{
    char one[WEDR_PASSWORD_HASH_LEN], two[WEDR_PASSWORD_HASH_LEN];
    (void)state;
    assert_int_equal(wedr_password_hash("correct horse", one), WEDR_OK);
    assert_int_equal(wedr_password_hash("correct horse", two), WEDR_OK);
    assert_string_not_equal(one, two);
    assert_int_equal(strncmp(one, "$argon2id$", 10), 0);
    assert_true(wedr_password_verify(one, "correct horse"));
    assert_false(wedr_password_verify(one, "correct horsf"));
    assert_false(wedr_password_verify(NULL, "correct horse"));
    assert_false(wedr_password_verify("", ""));
    assert_false(wedr_password_verify("no hash", "no hash"));
}

static void one_time_passwords_are_long_and_differ(void **state)
{
    char a[WEDR_PASSWORD_ONCE_LEN], b[WEDR_PASSWORD_ONCE_LEN];
    (void)state;
    wedr_password_once(a);
    wedr_password_once(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 23);
    assert_null(wedr_password_refused(a, "admin"));
    assert_non_null(wedr_password_refused("elevenchars", "admin"));
    assert_non_null(wedr_password_refused("zzzzzzzzzzzzzzzz", "admin"));
    assert_non_null(wedr_password_refused("my admin password", "admin"));
    char longest[258];
    memset(longest, 'a', sizeof(longest));
    longest[0] = 'b';
    longest[257] = '\0';
    assert_non_null(wedr_password_refused(longest, "admin"));
    longest[256] = '\0';
    assert_null(wedr_password_refused(longest, "admin"));
}

static struct wedr_person *person(int role, const char *groups)
{
    static struct wedr_person p;
    memset(&p, 0, sizeof(p));
    p.role = (enum wedr_role)role;
    p.may = wedr_role_may(role);
    p.session_id = 1;
    assert_true(wedr_person_set_groups(&p, groups));
    return &p;
}

static void a_role_has_all_rights_of_the_one_before(void **state)
{
    static const enum wedr_need needs[] = {WEDR_NEED_READ, WEDR_NEED_TRIAGE, WEDR_NEED_RESPOND,
                                           WEDR_NEED_ADMIN};
    (void)state;
    for (int role = WEDR_ROLE_VIEWER; role <= WEDR_ROLE_ADMIN; role++) {
        assert_int_equal(wedr_role_parse(wedr_role_name(role)), role);
        for (int n = 0; n < 4; n++) {
            assert_int_equal(wedr_person_may(person(role, NULL), needs[n]),
                             n <= role - WEDR_ROLE_VIEWER);
        }
    }
    assert_int_equal(wedr_role_parse("root"), 0);
    assert_int_equal(wedr_role_may(0), 0);
    assert_null(wedr_role_name(5));
}

static void duties_come_first_and_tokens_have_no_session(void **state)
{
    (void)state;
    struct wedr_person *p = person(WEDR_ROLE_ADMIN, NULL);
    p->must_change_password = true;
    assert_true(wedr_person_may(p, WEDR_NEED_SESSION));
    assert_false(wedr_person_may(p, WEDR_NEED_SELF));
    assert_false(wedr_person_may(p, WEDR_NEED_READ));
    p = person(WEDR_ROLE_ADMIN, NULL);
    p->must_set_totp = true;
    assert_true(wedr_person_may(p, WEDR_NEED_SESSION));
    assert_false(wedr_person_may(p, WEDR_NEED_ADMIN));
    p = person(WEDR_ROLE_ADMIN, NULL);
    p->session_id = 0;
    p->token_id = 7;
    assert_false(wedr_person_may(p, WEDR_NEED_SESSION));
    assert_false(wedr_person_may(p, WEDR_NEED_SELF));
    assert_true(wedr_person_may(p, WEDR_NEED_ADMIN));
}

static void groups_are_whole_names(void **state)
{
    (void)state;
    assert_true(wedr_person_sees(person(1, NULL), "web"));
    assert_false(wedr_person_sees(person(1, ""), "web"));
    assert_true(wedr_person_sees(person(1, "db,web"), "web"));
    assert_true(wedr_person_sees(person(1, "db,web"), "db"));
    assert_false(wedr_person_sees(person(1, "db,web"), "we"));
    assert_false(wedr_person_sees(person(1, "db,web"), "db,web"));
    assert_false(wedr_person_sees(person(1, "db,web"), ""));
    static char longest[WEDR_GROUPS_MAX + 1];
    struct wedr_person *p = person(1, NULL);
    memset(longest, 'a', WEDR_GROUPS_MAX);
    assert_false(wedr_person_set_groups(p, longest));
    assert_non_null(p->groups);
    assert_false(wedr_person_sees(p, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(a_code_is_good_for_its_step_and_its_neighbours_and_never_again),
        cmocka_unit_test(base32_is_that_of_the_rfc),
        cmocka_unit_test(a_recovery_code_is_read_as_people_type_it),
        cmocka_unit_test(a_password_fits_its_own_hash_alone),
        cmocka_unit_test(one_time_passwords_are_long_and_differ),
        cmocka_unit_test(a_role_has_all_rights_of_the_one_before),
        cmocka_unit_test(duties_come_first_and_tokens_have_no_session),
        cmocka_unit_test(groups_are_whole_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
