/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "enroll.h"
#include "identity.h"
#include "proc_test.h"
#include "statefile.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "0123abcd-0123-4567-89ab-0123456789ab"

static void store(const char *dir)
{
    struct wedr_identity_files f = {.agent_id = ID,
                                    .server_url = "https://s:1",
                                    .tls_key = "key",
                                    .tls_crt = "crt",
                                    .ca_pem = "ca"};
    memset(f.sign_secret, 7, sizeof(f.sign_secret));
    assert_int_equal(wedr_identity_store(dir, &f, NULL), WEDR_OK);
}

static void stored_identity_comes_back_and_can_be_forgotten(void **state)
{
    struct wedr_identity id;
    const char *dir = p_dir();
    (void)state;
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_E_NOENT);
    store(dir);
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_OK);
    assert_string_equal(id.agent_id, ID);
    assert_string_equal(id.server_url, "https://s:1");
    assert_int_equal(id.agent_id_bytes[0], 0x01);
    assert_int_equal(id.agent_id_bytes[15], 0xab);
    assert_int_equal(id.sign_secret[63], 7);
    wedr_identity_wipe(&id);
    assert_int_equal(id.sign_secret[63], 0);
    assert_int_equal(wedr_identity_remove(dir), WEDR_OK);
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_E_NOENT);
    p_remove(dir);
}

static void rules_and_their_key_belong_to_an_enrolment(void **state)
{
    struct wedr_buf b;
    wedr_handle h;
    const char *dir = p_dir();
    (void)state;
    wedr_buf_init(&b, 128);
    store(dir); /* a server without rules */
    assert_int_equal(wedr_identity_read(dir, "rules_key", &b), WEDR_E_NOENT);
    struct wedr_identity_files f = {.agent_id = ID,
                                    .server_url = "https://s:1",
                                    .tls_key = "key",
                                    .tls_crt = "crt",
                                    .ca_pem = "ca",
                                    .rules_key = "aa55"};
    assert_int_equal(wedr_identity_store(dir, &f, NULL), WEDR_OK);
    assert_int_equal(wedr_identity_read(dir, "rules_key", &b), WEDR_OK);
    assert_int_equal(b.len, 4);
    assert_int_equal(wedr_identity_replace(dir, "rules.new", "bundle", 6), WEDR_OK);
    assert_int_equal(wedr_identity_rename(dir, "rules.new", "rules.bundle"), WEDR_OK);
    assert_int_equal(wedr_identity_open(dir, "rules.new", &h), WEDR_E_NOENT);
    assert_int_equal(wedr_identity_open(dir, "rules.bundle", &h), WEDR_OK);
    wedr_fs_close(h);
    store(dir); /* another enrolment has other rules */
    assert_int_equal(wedr_identity_open(dir, "rules.bundle", &h), WEDR_E_NOENT);
    assert_int_equal(wedr_identity_open(dir, "rules_key", &h), WEDR_E_NOENT);
    wedr_buf_fini(&b);
    p_remove(dir);
}

static void files_are_for_their_owner_alone(void **state)
{
    struct wedr_identity id;
    struct stat st;
    char path[512];
    const char *dir = p_dir();
    (void)state;
    store(dir);
    (void)snprintf(path, sizeof(path), "%s/identity/sign.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_E_PERM);
    assert_int_equal(chmod(path, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/identity", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_E_PERM);
    p_remove(dir);
}

static void link_in_the_place_of_a_key_is_not_followed(void **state)
{
    struct wedr_identity id;
    wedr_handle h = WEDR_HANDLE_NONE;
    char path[512], other[512];
    const char *dir = p_dir();
    (void)state;
    store(dir);
    (void)snprintf(path, sizeof(path), "%s/identity/tls.key", dir);
    (void)snprintf(other, sizeof(other), "%s/elsewhere", dir);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(wedr_identity_open(dir, "tls.key", &h), WEDR_E_PERM);
    assert_int_equal(wedr_identity_load(dir, &id, NULL), WEDR_E_PERM);
    p_remove(dir);
}

static void damaged_or_incomplete_identity_says_so(void **state)
{
    struct wedr_identity id;
    struct wedr_errinfo ei = {""};
    char path[512];
    const char *dir = p_dir();
    (void)state;
    store(dir);
    (void)snprintf(path, sizeof(path), "%s/identity/sign.key", dir);
    p_write(dir, "identity/sign.key", "short", 5, 0600);
    assert_int_equal(wedr_identity_load(dir, &id, &ei), WEDR_E_CORRUPT);
    assert_non_null(strstr(ei.text, "sign.key"));
    store(dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(wedr_identity_load(dir, &id, &ei), WEDR_E_CORRUPT);
    store(dir);
    p_write(dir, "identity/agent_id", "no-uuid", 7, 0600);
    assert_int_equal(wedr_identity_load(dir, &id, &ei), WEDR_E_CORRUPT);
    p_remove(dir);
}

static void agent_id_has_one_form(void **state)
{
    uint8_t b[WEDR_AGENT_ID_LEN];
    (void)state;
    assert_int_equal(wedr_agent_id_parse(ID, b), WEDR_OK);
    assert_int_equal(wedr_agent_id_parse("0123ABCD-0123-4567-89ab-0123456789ab", b), WEDR_E_FORMAT);
    assert_int_equal(wedr_agent_id_parse("0123abcd00123-4567-89ab-0123456789ab", b), WEDR_E_FORMAT);
    assert_int_equal(wedr_agent_id_parse("0123abcd-0123-4567-89ab-0123456789a", b), WEDR_E_FORMAT);
    assert_int_equal(wedr_agent_id_parse("../../../../../../../../../etc/passwd", b),
                     WEDR_E_FORMAT);
    assert_int_equal(wedr_agent_id_parse("", b), WEDR_E_FORMAT);
}

static void fingerprint_is_64_digits_with_or_without_colons(void **state)
{
    char out[65] = "";
    char with[65 + 32] = "";
    char plain[65];
    (void)state;
    memset(plain, 'A', 64);
    plain[64] = 0;
    assert_int_equal(wedr_fingerprint_parse(plain, out), WEDR_OK);
    assert_int_equal(out[0], 'a');
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(with + strlen(with), 4, i ? ":0f" : "0f");
    }
    assert_int_equal(wedr_fingerprint_parse(with, out), WEDR_OK);
    assert_int_equal(strlen(out), 64);
    plain[63] = 0;
    assert_int_equal(wedr_fingerprint_parse(plain, out), WEDR_E_FORMAT);
    plain[63] = 'g';
    assert_int_equal(wedr_fingerprint_parse(plain, out), WEDR_E_FORMAT);
    assert_int_equal(wedr_fingerprint_parse("", out), WEDR_E_FORMAT);
}

static void enrolment_refuses_bad_arguments_before_it_makes_anything(void **state)
{
    enum wedr_enroll_kind kind;
    char id[37], zeros[65];
    const char *dir = p_dir();
    (void)state;
    memset(zeros, '0', 64);
    zeros[64] = 0;
    struct wedr_enroll_args a = {.state_dir = dir,
                                 .server_url = "http://x:1",
                                 .token = "t",
                                 .ca_sha256 = zeros,
                                 .version = "1"};
    assert_int_equal(wedr_enroll(&a, &kind, id, NULL), WEDR_E_INVAL);
    a.server_url = "https://x:1/";
    assert_int_equal(wedr_enroll(&a, &kind, id, NULL), WEDR_E_INVAL);
    a.server_url = "https://x:1";
    a.ca_sha256 = "abc";
    assert_int_equal(wedr_enroll(&a, &kind, id, NULL), WEDR_E_INVAL);
    assert_int_equal(rmdir(dir), 0);
}

static void holder_memory_survives_and_a_damaged_one_is_empty(void **state)
{
    struct wedr_holder_memory m = {.last_good_us = 42,
                                   .epoch = 9,
                                   .sensor_stopped = true,
                                   .reenrolled = true},
                              back;
    uint8_t bytes[256];
    const char *dir = p_dir();
    (void)state;
    wedr_holder_memory_load(dir, &back);
    assert_int_equal(back.last_good_us, 0);
    assert_int_equal(wedr_holder_memory_store(dir, &m), WEDR_OK);
    wedr_holder_memory_load(dir, &back);
    assert_int_equal(back.last_good_us, 42);
    assert_int_equal(back.epoch, 9);
    assert_true(back.sensor_stopped && back.reenrolled);
    size_t len = p_read(dir, "holder.state", bytes, sizeof(bytes));
    bytes[10] ^= 1;
    p_write(dir, "holder.state", bytes, len, 0600);
    wedr_holder_memory_load(dir, &back);
    assert_int_equal(back.last_good_us, 0);
    assert_false(back.reenrolled);
    p_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_identity_comes_back_and_can_be_forgotten),
        cmocka_unit_test(rules_and_their_key_belong_to_an_enrolment),
        cmocka_unit_test(files_are_for_their_owner_alone),
        cmocka_unit_test(link_in_the_place_of_a_key_is_not_followed),
        cmocka_unit_test(damaged_or_incomplete_identity_says_so),
        cmocka_unit_test(agent_id_has_one_form),
        cmocka_unit_test(fingerprint_is_64_digits_with_or_without_colons),
        cmocka_unit_test(enrolment_refuses_bad_arguments_before_it_makes_anything),
        cmocka_unit_test(holder_memory_survives_and_a_damaged_one_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
