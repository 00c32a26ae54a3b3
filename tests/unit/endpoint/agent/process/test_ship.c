/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "heartbeat.h"
#include "proc_test.h"
#include "ship.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void success_is_an_acknowledgement(void **state)
{
    (void)state;
    struct wedr_ship_verdict v = wedr_ship_judge(WEDR_OK, 202, 0);
    assert_int_equal(v.outcome, WEDR_MSG_ACKED);
    assert_int_equal(v.server, WEDR_MSG_SERVER_OK);
    assert_int_equal(v.wait_ms, 0);
}

static void conflict_and_poison_are_set_aside_at_once(void **state)
{
    (void)state;
    assert_int_equal(wedr_ship_judge(WEDR_OK, 409, 0).outcome, WEDR_MSG_CONFLICT);
    assert_int_equal(wedr_ship_judge(WEDR_OK, 400, 0).outcome, WEDR_MSG_POISON);
    assert_int_equal(wedr_ship_judge(WEDR_OK, 413, 0).outcome, WEDR_MSG_POISON);
}

static void a04_a_refused_agent_keeps_its_batches_and_retries_slowly(void **state)
{
    static const int codes[] = {401, 403, 404};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct wedr_ship_verdict v = wedr_ship_judge(WEDR_OK, codes[i], 0);
        assert_int_equal(v.outcome, WEDR_MSG_RETRY);
        assert_int_equal(v.wait_ms, WEDR_SHIP_SLOW_MS);
        assert_int_equal(v.server,
                         codes[i] == 404 ? WEDR_MSG_SERVER_NOT_ENROLLED : WEDR_MSG_SERVER_REFUSED);
    }
}

static void busy_server_and_transport_are_retried_with_backoff(void **state)
{
    static const int codes[] = {408, 429, 500, 502, 503, 504, 301, 418};
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct wedr_ship_verdict v = wedr_ship_judge(WEDR_OK, codes[i], 0);
        assert_int_equal(v.outcome, WEDR_MSG_RETRY);
        assert_true(v.backoff);
        assert_int_equal(v.server, WEDR_MSG_SERVER_BUSY);
    }
    assert_int_equal(wedr_ship_judge(WEDR_E_NET, 0, 0).outcome, WEDR_MSG_RETRY);
    assert_int_equal(wedr_ship_judge(WEDR_E_TLS, 0, 0).server, WEDR_MSG_SERVER_UNREACHABLE);
}

static void retry_after_is_honoured_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(wedr_ship_judge(WEDR_OK, 429, 7).wait_ms, 7000);
    assert_false(wedr_ship_judge(WEDR_OK, 429, 7).backoff);
    assert_int_equal(wedr_ship_judge(WEDR_OK, 503, UINT32_MAX).wait_ms, WEDR_MSG_WAIT_MAX_MS);
    assert_int_equal(wedr_ship_judge(WEDR_OK, 401, 3600).wait_ms, 3600000);
}

struct seen {
    unsigned calls;
    enum wedr_msg_outcome outcome;
    uint32_t window, wait_ms;
};

static void on_done(void *arg,
                    const struct wedr_batch_id *id,
                    enum wedr_msg_outcome outcome,
                    uint32_t window,
                    uint32_t wait_ms)
{
    struct seen *s = (struct seen *)arg;
    assert_int_equal(id->epoch, 5);
    s->calls++;
    s->outcome = outcome;
    s->window = window;
    s->wait_ms = wait_ms;
}

static void without_a_client_a_batch_goes_back_and_one_outage_counts_once(void **state)
{
    struct seen seen = {0};
    struct wedr_batch_id id = {.epoch = 5};
    uint8_t signature[WEDR_BATCH_SIG_LEN] = {0};
    struct wedr_msg_net_stats stats;
    (void)state;
    struct wedr_ship *s =
        wedr_ship_new("0123abcd-0123-4567-89ab-0123456789ab", 300000, on_done, &seen);
    assert_non_null(s);
    for (unsigned i = 0; i < 4; i++) {
        wedr_ship_offer_take(s, NULL, &id, signature, WEDR_HANDLE_NONE);
    }
    assert_int_equal(seen.calls, 4);
    assert_int_equal(seen.outcome, WEDR_MSG_RETRY);
    assert_int_equal(seen.window, 1);
    /* Four failures at the same moment: still the first step of the backoff, 1 s and a quarter at
     * most. */
    assert_true(seen.wait_ms > 0 && seen.wait_ms <= 1250);
    wedr_msg_begin(&stats, WEDR_MSG_T_NET_STATS);
    wedr_ship_stats(s, &stats);
    assert_int_equal(stats.batches_retried, 4);
    assert_int_equal(stats.in_flight, 0);
    wedr_ship_free(s);
}

static void heartbeat_is_valid_json_with_real_counters(void **state)
{
    static char text[WEDR_HEARTBEAT_MAX];
    struct wedr_msg_core_stats core;
    struct wedr_msg_net_stats net;
    struct wedr_msg_holder_state holder;
    json_error_t e;
    size_t len = 0;
    (void)state;
    wedr_msg_begin(&core, WEDR_MSG_T_CORE_STATS);
    wedr_msg_begin(&net, WEDR_MSG_T_NET_STATS);
    wedr_msg_begin(&holder, WEDR_MSG_T_HOLDER_STATE);
    core.epoch = 0xabc;
    core.agent_epoch = 0xdef;
    core.agent_produced = 9;
    core.agent_acked = 4;
    core.lane[0].in_flight = 3;
    core.lane[0].produced = UINT64_MAX; /* the other side's integers are signed */
    wedr_msg_put_text(holder.health, sizeof(holder.health), "the \"sensor\" is\ngone \xff");
    holder.degraded = 1;
    struct wedr_heartbeat hb = {"1.2.3", &core, &net, &holder};
    assert_int_equal(wedr_heartbeat_write(&hb, text, sizeof(text), &len), WEDR_OK);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "status")), "degraded");
    const json_t *streams = json_object_get(root, "streams");
    assert_int_equal(json_array_size(streams), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(streams, 0), "epoch")),
                        "0000000000000abc");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(streams, 0), "in_flight")),
                     3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(streams, 2), "in_flight")),
                     5);
    json_decref(root);
    assert_int_equal(wedr_heartbeat_write(&hb, text, 100, &len), WEDR_E_RANGE);
}

static void heartbeat_says_which_rules_are_at_work_and_what_they_did(void **state)
{
    static char text[WEDR_HEARTBEAT_MAX];
    struct wedr_msg_core_stats core;
    struct wedr_msg_net_stats net;
    struct wedr_msg_holder_state holder;
    json_error_t e;
    size_t len = 0;
    (void)state;
    wedr_msg_begin(&core, WEDR_MSG_T_CORE_STATS);
    wedr_msg_begin(&net, WEDR_MSG_T_NET_STATS);
    wedr_msg_begin(&holder, WEDR_MSG_T_HOLDER_STATE);
    core.agent_epoch = 0xdef;
    core.alert_produced = 7;
    core.alert_acked = 5;
    core.detect.alerts = 3;
    core.detect.suppressed = 4;
    holder.rules_serial = 1700000000000001;
    holder.kill_allowed = 1;
    wedr_msg_put_text(holder.rules_profile, sizeof(holder.rules_profile), "servers");
    wedr_msg_put_text(holder.rules_error, sizeof(holder.rules_error), "older");
    struct wedr_heartbeat hb = {"1.2.3", &core, &net, &holder};
    assert_int_equal(wedr_heartbeat_write(&hb, text, sizeof(text), &len), WEDR_OK);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    assert_non_null(root);
    const json_t *rules = json_object_get(root, "rules");
    assert_string_equal(json_string_value(json_object_get(rules, "serial")), "1700000000000001");
    assert_string_equal(json_string_value(json_object_get(rules, "profile")), "servers");
    assert_string_equal(json_string_value(json_object_get(rules, "error")), "older");
    assert_int_equal(json_integer_value(json_object_get(rules, "alerts")), 3);
    assert_int_equal(json_integer_value(json_object_get(rules, "suppressed")), 4);
    assert_true(json_is_true(json_object_get(rules, "kill_allowed")));
    const json_t *streams = json_object_get(root, "streams");
    const json_t *alerts = json_array_get(streams, json_array_size(streams) - 1);
    assert_string_equal(json_string_value(json_object_get(alerts, "stream")), "alert");
    assert_int_equal(json_integer_value(json_object_get(alerts, "in_flight")), 2);
    json_decref(root);
}

static bool offered(const char *text, struct wedr_rules_offer *o)
{
    wedr_heartbeat_rules(text, strlen(text), o);
    return o->there;
}

#define HEX32 "000102030405060708090a0b0c0d0e0f"

static void an_offer_of_rules_is_whole_or_none(void **state)
{
    struct wedr_rules_offer o;
    (void)state;
    assert_true(
        offered("{\"rules\":{\"serial\":\"1\",\"sha256\":\"" HEX32 HEX32 "\",\"size\":9}}", &o));
    assert_int_equal(o.sha256[31], 0x0f);
    assert_int_equal(o.size, 9);
    assert_false(offered("{}", &o));
    assert_false(offered("[]", &o));
    assert_false(offered("{\"rules\":7}", &o));
    assert_false(offered("{\"rules\":{\"sha256\":\"" HEX32 "\",\"size\":9}}", &o));
    assert_false(offered("{\"rules\":{\"sha256\":\"" HEX32 HEX32 "\",\"size\":0}}", &o));
    assert_false(offered("{\"rules\":{\"sha256\":\"" HEX32 HEX32 "\",\"size\":16777217}}", &o));
    assert_false(offered("{\"rules\":{\"sha256\":\"" HEX32 HEX32 "\",\"size\":\"9\"}}", &o));
}

static void a10_heartbeat_without_counters_is_not_healthy(void **state)
{
    static char text[WEDR_HEARTBEAT_MAX];
    struct wedr_msg_net_stats net;
    size_t len = 0;
    (void)state;
    wedr_msg_begin(&net, WEDR_MSG_T_NET_STATS);
    struct wedr_heartbeat hb = {"1", NULL, &net, NULL};
    assert_int_equal(wedr_heartbeat_write(&hb, text, sizeof(text), &len), WEDR_OK);
    text[len] = 0;
    assert_non_null(strstr(text, "\"status\":\"unhealthy\""));
}

static int answer(const char *text, uint32_t *next)
{
    return wedr_heartbeat_answer(text, strlen(text), next);
}

static void heartbeat_answers_are_bounded_and_typed(void **state)
{
    uint32_t next = 77;
    (void)state;
    assert_int_equal(answer("{\"server_time\":\"x\",\"next_checkin_seconds\":30}", &next), WEDR_OK);
    assert_int_equal(next, 30);
    assert_int_equal(answer("{}", &next), WEDR_OK);
    assert_int_equal(next, 0);
    assert_int_equal(answer("{\"next_checkin_seconds\":99999999999}", &next), WEDR_OK);
    assert_int_equal(next, 86400);
    assert_int_equal(answer("{\"next_checkin_seconds\":-1}", &next), WEDR_E_FORMAT);
    assert_int_equal(answer("{\"next_checkin_seconds\":\"5\"}", &next), WEDR_E_FORMAT);
    assert_int_equal(answer("[]", &next), WEDR_E_FORMAT);
    assert_int_equal(answer("", &next), WEDR_E_FORMAT);
    assert_int_equal(answer("{\"a\":1,\"a\":2}", &next), WEDR_E_FORMAT);
}

static void strings_of_an_answer_are_checked_and_cut_never(void **state)
{
    char out[8] = "old";
    static const char body[] = "{\"a\":\"1234567\",\"b\":\"12345678\",\"c\":1}";
    (void)state;
    assert_int_equal(wedr_json_take_string(body, sizeof(body) - 1, "a", out, sizeof(out)), WEDR_OK);
    assert_string_equal(out, "1234567");
    assert_int_equal(wedr_json_take_string(body, sizeof(body) - 1, "b", out, sizeof(out)),
                     WEDR_E_RANGE);
    assert_int_equal(wedr_json_take_string(body, sizeof(body) - 1, "c", out, sizeof(out)),
                     WEDR_E_FORMAT);
    assert_int_equal(wedr_json_take_string("{\"d\":\"x\\u0000y\"}", 16, "d", out, sizeof(out)),
                     WEDR_E_FORMAT);
    assert_int_equal(wedr_json_take_string("{}", 2, "a", out, sizeof(out)), WEDR_E_NOENT);
    assert_string_equal(out, "1234567");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_an_acknowledgement),
        cmocka_unit_test(conflict_and_poison_are_set_aside_at_once),
        cmocka_unit_test(a04_a_refused_agent_keeps_its_batches_and_retries_slowly),
        cmocka_unit_test(busy_server_and_transport_are_retried_with_backoff),
        cmocka_unit_test(retry_after_is_honoured_and_bounded),
        cmocka_unit_test(without_a_client_a_batch_goes_back_and_one_outage_counts_once),
        cmocka_unit_test(heartbeat_is_valid_json_with_real_counters),
        cmocka_unit_test(heartbeat_says_which_rules_are_at_work_and_what_they_did),
        cmocka_unit_test(an_offer_of_rules_is_whole_or_none),
        cmocka_unit_test(a10_heartbeat_without_counters_is_not_healthy),
        cmocka_unit_test(heartbeat_answers_are_bounded_and_typed),
        cmocka_unit_test(strings_of_an_answer_are_checked_and_cut_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
