/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/sha256.h"
#include "fleet/fleet.h"
#include "http/route.h"
#include <stdio.h>
#include <string.h>

#define K64 "0000000000000000000000000000000000000000000000000000000000000000"
#define GOOD                                                                                       \
    "{\"enrollment_token\":\"t\",\"agent_version\":\"0.1.0\",\"csr_pem\":\"x\\ny\",\"batch_key\":" \
    "\"" K64 "\",\"batch_key_proof\":\"" K64 K64                                                   \
    "\",\"host\":{\"hostname\":\"h\",\"os\":\"linux\",\"os_version\":\"\","                        \
    "\"ip\":null}}"

static struct wedr_fleet_enroll e;
static struct wedr_fleet_heartbeat hb;

static int enroll(const char *text)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_fleet_enroll_parse(text, strlen(text), &e, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    return err;
}

static int heartbeat(const char *text)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_fleet_heartbeat_parse(text, strlen(text), &hb, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    return err;
}

/* GOOD with `from` replaced by `to` once. */
static int changed(const char *from, const char *to)
{
    static const char good[] = GOOD;
    char text[2048];
    const char *at = strstr(good, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return enroll(text);
}

static void a_whole_enrolment_is_read(void **state)
{
    (void)state;
    assert_int_equal(enroll(GOOD), WEDR_OK);
    assert_string_equal(e.token, "t");
    assert_string_equal(e.hostname, "h");
    assert_string_equal(e.csr_pem, "x\ny");
    assert_int_equal(e.csr_len, 3);
    assert_int_equal(changed("\"ip\":null", "\"ip\":\"10.0.0.1\""), WEDR_OK);
}

static void whatever_is_missing_unknown_doubled_or_of_another_type_is_refused(void **state)
{
    static const char *const changes[][2] = {
        {"\"agent_version\":\"0.1.0\",", ""},
        {"\"agent_version\":\"0.1.0\"", "\"agent_version\":1"},
        {"\"agent_version\":\"0.1.0\"", "\"agent_version\":\"a\\u001bb\""},
        {"\"agent_version\":\"0.1.0\"", "\"agent_version\":\"a\\nb\""},
        {"\"agent_version\":\"0.1.0\"", "\"agent_version\":\"a\\u0000b\""},
        {"\"agent_version\":\"0.1.0\"", "\"agent_version\":\"0.1.0\",\"agent_version\":\"0.1.0\""},
        {"\"agent_version\"", "\"agent_versioN\""},
        {"\"t\"", "\"\""},
        {"\"t\"", "null"},
        {"\"hostname\":\"h\"", "\"hostname\":\"\""},
        {"\"hostname\":\"h\"", "\"hostname\":\"h\",\"extra\":1"},
        {"\"hostname\":\"h\"", "\"hostname\":\"a\\r\\nb\""},
        {"\"hostname\":\"h\"", "\"hostname\":\"\xff\""},
        {"\"ip\":null", "\"ip\":7"},
        {"\"batch_key\":\"0", "\"batch_key\":\"g"},
        {"\"batch_key\":\"0", "\"batch_key\":\""},
        {"}}", "}}x"},
        {"}}", "}"},
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(changes); i++) {
        assert_int_equal(changed(changes[i][0], changes[i][1]), WEDR_E_FORMAT);
    }
    assert_int_equal(enroll(""), WEDR_E_FORMAT);
    assert_int_equal(enroll("[]"), WEDR_E_FORMAT);
    assert_int_equal(enroll("null"), WEDR_E_FORMAT);
}

static void deep_json_is_refused_before_it_is_parsed(void **state)
{
    static char deep[WEDR_FLEET_BODY_MAX];
    (void)state;
    memset(deep, '[', sizeof(deep) - 1);
    assert_int_equal(enroll(deep), WEDR_E_FORMAT);
    for (size_t i = 0; i + 5 < sizeof(deep); i += 5) {
        memcpy(deep + i, "{\"a\":", 5);
    }
    assert_int_equal(heartbeat(deep), WEDR_E_FORMAT);
}

static void a_heartbeat_gives_streams_and_a_compact_status(void **state)
{
    (void)state;
    assert_int_equal(
        heartbeat("{\"status\": \"healthy\", \"agent_version\": \"1\", \"metrics\": {\"a\": 1},"
                  "\"streams\":[{\"epoch\":\"fedcba9876543210\",\"stream\":\"kernel.bulk\","
                  "\"in_flight\":9223372036854775807,\"produced\":2,\"lost\":1}]}"),
        WEDR_OK);
    assert_int_equal(hb.stream_count, 1);
    assert_true(hb.streams[0].epoch == 0xfedcba9876543210u);
    assert_true(hb.streams[0].in_flight == INT64_MAX);
    assert_string_equal(hb.streams[0].stream, "kernel.bulk");
    assert_string_equal(hb.status_json, "{\"status\":\"healthy\",\"metrics\":{\"a\":1}}");
}

static void a_heartbeat_with_nonsense_is_refused(void **state)
{
    static const char *const bad[] = {
        "{\"agent_version\":\"1\"}",
        "{\"status\":\"x\"}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"z\":1}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"streams\":{}}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"streams\":[1]}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"streams\":[{\"epoch\":\"0000000000000000\","
        "\"stream\":\"a\","
        "\"in_flight\":0,\"produced\":0,\"lost\":0}]}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"streams\":[{\"epoch\":\"0000000000000001\","
        "\"stream\":\"a\","
        "\"in_flight\":0.5,\"produced\":0,\"lost\":0}]}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"last_rule_version\":-1}",
        "{\"status\":\"x\",\"agent_version\":\"1\",\"last_rule_version\":99999999999999999999}",
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(heartbeat(bad[i]), WEDR_E_FORMAT);
    }
}

struct headers {
    const char *name, *value;
};

static struct headers good_headers[] = {
    {WEDR_HDR_EPOCH, "00000000000000aa"},
    {WEDR_HDR_BOOT_ID, "00112233445566778899aabbccddeeff"},
    {WEDR_HDR_STREAM, "kernel.critical"},
    {WEDR_HDR_FIRST_SEQ, "11"},
    {WEDR_HDR_LAST_SEQ, "20"},
    {WEDR_HDR_COUNT, "9"},
    {WEDR_HDR_PRODUCED, "25"},
    {WEDR_HDR_LOST, "1"},
    {WEDR_HDR_SHA256, K64},
    {WEDR_HDR_SIGNATURE, K64 K64},
};

static const char *get(const void *arg, const char *name)
{
    const struct headers *h = arg;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(good_headers); i++) {
        if (strcmp(h[i].name, name) == 0) {
            return h[i].value;
        }
    }
    return NULL;
}

static void batch_headers_give_the_identity(void **state)
{
    struct wedr_batch_id id;
    uint8_t sig[WEDR_BATCH_SIG_LEN];
    (void)state;
    assert_int_equal(wedr_fleet_batch_parse(get, good_headers, &id, sig, NULL), WEDR_OK);
    assert_true(id.epoch == 0xaa && id.first_seq == 11 && id.last_seq == 20 && id.count == 9);
    assert_true(id.produced == 25 && id.lost == 1 && id.boot_id[15] == 0xff);
    assert_string_equal(id.stream, "kernel.critical");
}

static void each_malformed_batch_header_is_refused(void **state)
{
    static const struct {
        size_t i;
        const char *value;
    } bad[] = {{0, NULL},
               {0, "0000000000000000"},
               {0, "AA000000000000aa"},
               {0, "aa"},
               {1, "00"},
               {1, NULL},
               {2, ""},
               {2, "../x"},
               {2, "A"},
               {2, NULL},
               {3, "0"},
               {3, "-1"},
               {3, "+1"},
               {3, " 1"},
               {3, "1 "},
               {3, ""},
               {3, "18446744073709551616"},
               {3, "01"},
               {3, "0x1"},
               {3, "21"},
               {4, NULL},
               {5, "0"},
               {5, "11"},
               {5, "65536"},
               {6, "19"},
               {7, "x"},
               {8, "00"},
               {9, K64},
               {9, NULL}};
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        struct headers h[WEDR_ARRAY_COUNT(good_headers)];
        struct wedr_batch_id id;
        uint8_t sig[WEDR_BATCH_SIG_LEN];
        struct wedr_errinfo ei = {""};
        memcpy(h, good_headers, sizeof(h));
        h[bad[i].i].value = bad[i].value;
        assert_int_not_equal(wedr_fleet_batch_parse(get, h, &id, sig, &ei), WEDR_OK);
        assert_int_not_equal(ei.text[0], '\0');
    }
}

static void a_signature_binds_agent_and_identity(void **state)
{
    uint8_t public_key[WEDR_SIGN_PUBLIC_LEN], secret[WEDR_SIGN_SECRET_LEN],
        text[WEDR_BATCH_SIGNED_LEN];
    uint8_t sig[WEDR_BATCH_SIG_LEN], raw[WEDR_AGENT_ID_LEN];
    struct wedr_batch_id id;
    (void)state;
    assert_int_equal(wedr_fleet_batch_parse(get, good_headers, &id, sig, NULL), WEDR_OK);
    wedr_sign_keypair(public_key, secret);
    assert_int_equal(wedr_unhex("0123456789ab4cde8f0123456789abcd", 32, raw, sizeof(raw)), WEDR_OK);
    wedr_batch_signed_bytes(raw, &id, text);
    wedr_sign(secret, text, sizeof(text), sig);
    assert_int_equal(
        wedr_fleet_batch_verify("01234567-89ab-4cde-8f01-23456789abcd", public_key, &id, sig),
        WEDR_OK);
    assert_int_equal(
        wedr_fleet_batch_verify("01234567-89ab-4cde-8f01-23456789abce", public_key, &id, sig),
        WEDR_E_AUTH);
    id.lost++;
    assert_int_equal(
        wedr_fleet_batch_verify("01234567-89ab-4cde-8f01-23456789abcd", public_key, &id, sig),
        WEDR_E_AUTH);
    assert_int_equal(wedr_fleet_batch_verify("junk", public_key, &id, sig), WEDR_E_FORMAT);
}

static void new_agent_ids_are_uuids_and_differ(void **state)
{
    char a[WEDR_AGENT_ID_TEXT], b[WEDR_AGENT_ID_TEXT];
    (void)state;
    wedr_fleet_new_id(a);
    wedr_fleet_new_id(b);
    assert_true(wedr_route_is_uuid(a, strlen(a)) && a[14] == '4');
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_enrolment_is_read),
        cmocka_unit_test(whatever_is_missing_unknown_doubled_or_of_another_type_is_refused),
        cmocka_unit_test(deep_json_is_refused_before_it_is_parsed),
        cmocka_unit_test(a_heartbeat_gives_streams_and_a_compact_status),
        cmocka_unit_test(a_heartbeat_with_nonsense_is_refused),
        cmocka_unit_test(batch_headers_give_the_identity),
        cmocka_unit_test(each_malformed_batch_header_is_refused),
        cmocka_unit_test(a_signature_binds_agent_and_identity),
        cmocka_unit_test(new_agent_ids_are_uuids_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
