/* SPDX-License-Identifier: Apache-2.0
 * What a command must be before the agent does it, and what net makes of the server's JSON. */
#include "command_check.h"
#include "command_offer.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000000000)

static uint8_t server_public[WEDR_SIGN_PUBLIC_LEN], server_secret[WEDR_SIGN_SECRET_LEN];
static uint8_t other_public[WEDR_SIGN_PUBLIC_LEN], other_secret[WEDR_SIGN_SECRET_LEN];
static uint8_t bytes[WEDR_COMMAND_MAX], signature[WEDR_SIGN_LEN];
static size_t len;
static struct wedr_command got;

static int set_up(void **state)
{
    (void)state;
    wedr_sign_keypair(server_public, server_secret);
    wedr_sign_keypair(other_public, other_secret);
    return 0;
}

static struct wedr_command_gate gate(void)
{
    struct wedr_command_gate g = {.have_key = true, .mark = 100};
    memcpy(g.server_key, server_public, sizeof(g.server_key));
    memset(g.own_key, 0xaa, sizeof(g.own_key));
    return g;
}

static struct wedr_command command(void)
{
    struct wedr_command c = {.counter = 101,
                             .issued_us = NOW - 10,
                             .expires_us = NOW + 10,
                             .type = WEDR_COMMAND_KILL_PROCESS,
                             .kill = {.pid = 42, .process_key = 7}};
    memset(c.key, 0xaa, sizeof(c.key));
    return c;
}

static void seal(const struct wedr_command *c, const uint8_t *secret)
{
    assert_int_equal(wedr_command_encode(c, bytes, &len), WEDR_OK);
    wedr_sign(secret, bytes, len, signature);
}

static int check(const struct wedr_command_gate *g, int64_t now)
{
    struct wedr_errinfo ei = {""};
    memset(&got, 0, sizeof(got));
    int err = wedr_command_check(g, wedr_span(bytes, len), signature, now, &got, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    return err;
}

static void a_good_one_passes(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, server_secret);
    assert_int_equal(check(&g, NOW), WEDR_OK);
    assert_true(got.counter == 101 && got.kill.pid == 42);
}

static void a_replayed_one_is_refused(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, server_secret);
    g.mark = 101; /* it was taken */
    assert_int_equal(check(&g, NOW), WEDR_E_STATE);
    assert_true(got.counter == 101);
    g.mark = 5000; /* and later ones */
    assert_int_equal(check(&g, NOW), WEDR_E_STATE);
}

static void an_altered_one_is_refused_whatever_byte_it_was(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, server_secret);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
        assert_true(got.counter == 0); /* nothing of it was believed */
        bytes[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
        signature[i] ^= 1;
    }
    len--;
    assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
    len = sizeof(bytes) + 1;
    assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
}

static void one_of_another_server_is_refused(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, other_secret);
    assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
    seal(&c, server_secret);
    g.have_key = false;
    assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
}

static void one_for_another_agent_is_refused(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    c.key[31] ^= 1;
    seal(&c, server_secret);
    assert_int_equal(check(&g, NOW), WEDR_E_AUTH);
    assert_true(got.counter == 0);
}

static void one_that_is_over_is_refused(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, server_secret);
    assert_int_equal(check(&g, NOW + 9), WEDR_OK);
    assert_int_equal(check(&g, NOW + 10), WEDR_E_TIMEOUT);
}

static void signed_bytes_that_are_no_command_are_refused(void **state)
{
    struct wedr_command_gate g = gate();
    struct wedr_command c = command();
    (void)state;
    seal(&c, server_secret);
    bytes[80] = 77; /* a type of a later release */
    wedr_sign(server_secret, bytes, len, signature);
    assert_int_equal(check(&g, NOW), WEDR_E_UNSUP);
    assert_true(got.counter == 101 && got.type == 77);
    bytes[0] = 'X';
    wedr_sign(server_secret, bytes, len, signature);
    assert_int_equal(check(&g, NOW), WEDR_E_VERSION);
    len = 0;
    wedr_sign(server_secret, bytes, len, signature);
    assert_int_equal(check(&g, NOW), WEDR_E_FORMAT);
}

/* --- The server's JSON. */

#define ID "f0f1f2f3-f4f5-46f7-88f9-fafbfcfdfeff"
#define SIG64                                                                                \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "=="
#define OFFER "{\"id\":\"" ID "\",\"signed\":\"V0VE\",\"signature\":\"" SIG64 "\"}"

static struct wedr_command_offers offers;

static void read_offers(const char *text)
{
    wedr_command_offers_read(text, strlen(text), &offers);
}

static void offers_are_read_and_go_on_as_they_are(void **state)
{
    char id[WEDR_COMMAND_ID_TEXT];
    (void)state;
    read_offers("{\"command_poll_seconds\":5,\"pending_commands\":[" OFFER "]}");
    assert_true(offers.count == 1 && offers.poll_s == 5);
    assert_int_equal(offers.v[0].len, 3);
    assert_memory_equal(offers.v[0].bytes, "WED", 3);
    wedr_command_id_text(offers.v[0].id, id);
    assert_string_equal(id, ID);
}

static void what_is_malformed_is_left_out(void **state)
{
    static const char *const bad[] = {
        "{\"id\":\"" ID "\",\"signed\":\"V0VE\"}",
        "{\"id\":\"" ID "\",\"signed\":\"V0VE\",\"signature\":\"V0VE\"}",
        "{\"id\":\"" ID "\",\"signed\":\"V0V\",\"signature\":\"" SIG64 "\"}",
        "{\"id\":\"" ID "\",\"signed\":7,\"signature\":\"" SIG64 "\"}",
        "{\"id\":\"x\",\"signed\":\"V0VE\",\"signature\":\"" SIG64 "\"}",
        "{\"id\":\"f0f1f2f3-f4f5-46f7-88f9-fafbfcfdfe-f\",\"signed\":\"V0VE\",\"signature\":"
        "\"" SIG64 "\"}",
        "7"};
    char text[1024];
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        (void)snprintf(text, sizeof(text), "{\"pending_commands\":[%s," OFFER "]}", bad[i]);
        read_offers(text);
        assert_int_equal(offers.count, 1);
    }
    read_offers("");
    assert_true(offers.count == 0 && offers.poll_s == 0);
    read_offers("{\"pending_commands\":{},\"command_poll_seconds\":-1}");
    assert_true(offers.count == 0 && offers.poll_s == 0);
    read_offers("{\"command_poll_seconds\":9999999999}");
    assert_int_equal(offers.poll_s, 3600);
}

static void more_than_one_answer_may_hold_are_left_for_the_next(void **state)
{
    char text[4096] = "{\"pending_commands\":[" OFFER;
    (void)state;
    for (int i = 0; i < 11; i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof(text) - n, "," OFFER);
    }
    size_t n = strlen(text);
    (void)snprintf(text + n, sizeof(text) - n, "]}");
    read_offers(text);
    assert_int_equal(offers.count, WEDR_COMMAND_OFFERS_MAX);
}

static void the_answer_says_what_became_of_it(void **state)
{
    struct wedr_msg_command_result m;
    char text[WEDR_COMMAND_ACK_MAX];
    (void)state;
    wedr_msg_begin(&m, WEDR_MSG_T_COMMAND_RESULT);
    m.type = WEDR_COMMAND_KILL_PROCESS;
    m.outcome = WEDR_MSG_COMMAND_REFUSED;
    m.response = WEDR_RESPONSE_RESULT_PROTECTED;
    m.pid = 7;
    m.process_key = 8;
    m.duration_us = 9;
    wedr_msg_put_text(m.detail, sizeof(m.detail), "a \"word\"");
    size_t n = wedr_command_ack_write(&m, text);
    static const char want[] =
        "{\"status\":\"failed\",\"result\":{\"action\":\"kill_process\",\"result\":\"protected\","
        "\"detail\":\"a \\\"word\\\"\",\"pid\":7,\"process_key\":\"0000000000000008\","
        "\"duration_us\":9}}";
    assert_int_equal(n, sizeof(want) - 1);
    assert_memory_equal(text, want, n);
    wedr_msg_begin(&m, WEDR_MSG_T_COMMAND_RESULT);
    m.outcome = WEDR_MSG_COMMAND_DONE;
    memset(m.detail, 1, sizeof(m.detail) - 1); /* the longest text there is */
    n = wedr_command_ack_write(&m, text);
    assert_true(n > 6 * (sizeof(m.detail) - 1) && text[n - 1] == '}');
}

static void base64_is_strict(void **state)
{
    uint8_t out[4];
    size_t n = 0;
    (void)state;
    assert_int_equal(wedr_unbase64("AAEC/w==", 8, out, sizeof(out), &n), WEDR_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(out, "\x00\x01\x02\xff", 4);
    assert_int_equal(wedr_unbase64("AAEC/wA=", 8, out, sizeof(out), &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_unbase64("AAEC/w", 6, out, sizeof(out), &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_unbase64("AA\nC", 4, out, sizeof(out), &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_unbase64("AAEC==", 6, out, sizeof(out), &n), WEDR_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_passes),
        cmocka_unit_test(a_replayed_one_is_refused),
        cmocka_unit_test(an_altered_one_is_refused_whatever_byte_it_was),
        cmocka_unit_test(one_of_another_server_is_refused),
        cmocka_unit_test(one_for_another_agent_is_refused),
        cmocka_unit_test(one_that_is_over_is_refused),
        cmocka_unit_test(signed_bytes_that_are_no_command_are_refused),
        cmocka_unit_test(offers_are_read_and_go_on_as_they_are),
        cmocka_unit_test(what_is_malformed_is_left_out),
        cmocka_unit_test(more_than_one_answer_may_hold_are_left_for_the_next),
        cmocka_unit_test(the_answer_says_what_became_of_it),
        cmocka_unit_test(base64_is_strict),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
