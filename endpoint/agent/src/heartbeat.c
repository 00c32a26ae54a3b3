/* SPDX-License-Identifier: Apache-2.0 */
#include "heartbeat.h"

#include "core/base/err.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include "wedr/wire/event.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define JSON_FLAGS (JSON_REJECT_DUPLICATES)
#define ANSWER_MAX 65536u

static const char *const lane_names[WEDR_LANE_COUNT] = {WEDR_STREAM_NAME_CRITICAL,
                                                        WEDR_STREAM_NAME_BULK};

static void put_u64(struct wedr_json *j, const char *key, uint64_t v)
{
    wedr_json_key(j, key);
    /* The other side's integers are signed. */
    wedr_json_u64(j, v < INT64_MAX ? v : INT64_MAX);
}

static void put_stream(struct wedr_json *j,
                       uint64_t epoch,
                       const char *name,
                       uint64_t in_flight,
                       uint64_t produced,
                       uint64_t lost)
{
    wedr_json_obj_begin(j);
    wedr_json_key(j, "epoch");
    wedr_json_hex64(j, epoch);
    wedr_json_put_str(j, "stream", name);
    put_u64(j, "in_flight", in_flight);
    put_u64(j, "produced", produced);
    put_u64(j, "lost", lost);
    wedr_json_obj_end(j);
}

static void put_streams(struct wedr_json *j, const struct wedr_msg_core_stats *c)
{
    wedr_json_key(j, "streams");
    wedr_json_arr_begin(j);
    for (size_t i = 0; c && c->epoch != 0 && i < WEDR_LANE_COUNT; i++) {
        put_stream(j, c->epoch, lane_names[i], c->lane[i].in_flight, c->lane[i].produced,
                   c->lane[i].lost_ring);
    }
    if (c && c->agent_epoch != 0) {
        uint64_t open = c->agent_produced > c->agent_acked ? c->agent_produced - c->agent_acked : 0;
        put_stream(j, c->agent_epoch, WEDR_STREAM_NAME_AGENT, open, c->agent_produced, 0);
    }
    if (c && c->agent_epoch != 0 && c->alert_produced > 0) {
        uint64_t open = c->alert_produced > c->alert_acked ? c->alert_produced - c->alert_acked : 0;
        put_stream(j, c->agent_epoch, WEDR_STREAM_NAME_ALERT, open, c->alert_produced, 0);
    }
    wedr_json_arr_end(j);
}

static void put_core(struct wedr_json *j, const struct wedr_msg_core_stats *c)
{
    wedr_json_key(j, "engine");
    wedr_json_obj_begin(j);
    wedr_json_put_str(j, "source", c->source);
    for (size_t i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_json_key(j, i == 0 ? "critical" : "bulk");
        wedr_json_obj_begin(j);
        put_u64(j, "read", c->lane[i].read);
        put_u64(j, "released", c->lane[i].released);
        put_u64(j, "malformed", c->lane[i].malformed);
        put_u64(j, "late", c->lane[i].late);
        put_u64(j, "spooled", c->lane[i].spooled);
        put_u64(j, "spooled_seq", c->lane[i].spooled_seq);
        wedr_json_obj_end(j);
    }
    wedr_json_obj_end(j);
    struct wedr_msg_detect d = c->detect;
    wedr_json_key(j, "detection");
    wedr_json_obj_begin(j);
    put_u64(j, "over_budget", d.over_budget);
    put_u64(j, "responses", d.responses);
    put_u64(j, "windows", d.windows);
    put_u64(j, "windows_evicted", d.windows_evicted);
    put_u64(j, "processes", d.processes);
    put_u64(j, "processes_evicted", d.processes_evicted);
    put_u64(j, "too_large", d.too_large);
    put_u64(j, "memory_bytes", d.memory);
    wedr_json_obj_end(j);
    wedr_json_key(j, "spool");
    wedr_json_obj_begin(j);
    put_u64(j, "sealed", c->batches_sealed);
    put_u64(j, "acked", c->batches_acked);
    put_u64(j, "waiting", c->batches_waiting);
    put_u64(j, "set_aside", c->batches_set_aside);
    put_u64(j, "bytes", c->spool_bytes);
    put_u64(j, "bytes_max", c->spool_bytes_max);
    put_u64(j, "evicted", c->evicted);
    put_u64(j, "corrupt", c->corrupt);
    put_u64(j, "torn_bytes_cut", c->torn_bytes_cut);
    wedr_json_key(j, "disk_full");
    wedr_json_bool(j, c->disk_full != 0);
    wedr_json_obj_end(j);
}

static void put_net(struct wedr_json *j, const struct wedr_msg_net_stats *n)
{
    wedr_json_key(j, "shipper");
    wedr_json_obj_begin(j);
    put_u64(j, "sent", n->batches_sent);
    put_u64(j, "acked", n->batches_acked);
    put_u64(j, "retried", n->batches_retried);
    put_u64(j, "conflict", n->batches_conflict);
    put_u64(j, "poison", n->batches_poison);
    put_u64(j, "bytes", n->bytes_sent);
    put_u64(j, "heartbeats_failed", n->heartbeats_failed);
    wedr_json_obj_end(j);
}

static void put_rules(struct wedr_json *j, const struct wedr_heartbeat *hb)
{
    static const struct wedr_msg_detect none;
    struct wedr_msg_detect d = hb->core ? hb->core->detect : none;
    char serial[24];
    (void)snprintf(serial, sizeof(serial), "%" PRIu64, hb->holder->rules_serial);
    wedr_json_key(j, "rules");
    wedr_json_obj_begin(j);
    wedr_json_put_str(j, "serial", serial);
    wedr_json_put_str(j, "profile", hb->holder->rules_profile);
    put_u64(j, "rules", d.rules);
    wedr_json_put_str(j, "error", hb->holder->rules_error);
    put_u64(j, "matched", d.matched);
    put_u64(j, "alerts", d.alerts);
    put_u64(j, "suppressed", d.suppressed);
    put_u64(j, "events", d.events);
    wedr_json_key(j, "kill_allowed");
    wedr_json_bool(j, hb->holder->kill_allowed != 0);
    wedr_json_obj_end(j);
}

static void put_sensor(struct wedr_json *j, const struct wedr_msg_holder_state *h)
{
    wedr_json_key(j, "sensor");
    wedr_json_obj_begin(j);
    put_u64(j, "hooks_live", h->hooks_live);
    put_u64(j, "hooks_missing", h->hooks_missing);
    wedr_json_put_str(j, "missing", h->hooks_missing_names);
    wedr_json_put_str(j, "governor", wedr_msg_governor_text(h->governor));
    put_u64(j, "cpu_permille", h->cpu_permille);
    wedr_json_put_str(j, "settings_error", h->settings_error);
    wedr_json_obj_end(j);
}

/* What this agent takes; nothing without a key to check it with. */
static void put_commands(struct wedr_json *j, const struct wedr_msg_holder_state *h)
{
    static const uint16_t types[] = {WEDR_COMMAND_KILL_PROCESS, WEDR_COMMAND_UPDATE_RULES};
    if (!h) {
        return;
    }
    wedr_json_key(j, "boot_id");
    wedr_json_hex(j, h->boot_id, sizeof(h->boot_id));
    wedr_json_key(j, "commands");
    wedr_json_arr_begin(j);
    for (size_t i = 0; h->commands && i < WEDR_ARRAY_COUNT(types); i++) {
        const char *name = wedr_command_type_name(types[i]);
        (void)wedr_json_str(j, name, strlen(name));
    }
    wedr_json_arr_end(j);
}

/* True when something is wrong. */
static bool put_health(struct wedr_json *j, const struct wedr_heartbeat *hb)
{
    bool bad = false;
    wedr_json_key(j, "health");
    wedr_json_arr_begin(j);
#define SAY(condition, text)                          \
    if (condition) {                                  \
        (void)wedr_json_str(j, (text), strlen(text)); \
        bad = true;                                   \
    }
    SAY(!hb->core, "the core process has not reported yet")
    SAY(!hb->holder, "the holder has not reported yet")
    SAY(hb->holder && hb->holder->health[0], hb->holder->health)
    SAY(hb->core && hb->core->disk_full, "the disk is full: records wait in the rings")
    SAY(hb->core && hb->core->batches_set_aside > 0, "batches were set aside")
    SAY(hb->core && hb->core->evicted > 0, "the spool is over its cap: records were dropped")
    SAY(hb->core && hb->core->corrupt > 0, "sealed batches were damaged on disk")
    SAY(hb->core && hb->core->bugs > 0, "the agent found an internal inconsistency")
#undef SAY
    wedr_json_arr_end(j);
    return bad;
}

int wedr_heartbeat_write(const struct wedr_heartbeat *hb, char *text, size_t cap, size_t *ret_len)
{
    struct wedr_json j;
    wedr_json_init(&j, text, cap);
    wedr_json_obj_begin(&j);
    bool bad = put_health(&j, hb);
    bool degraded = hb->holder && hb->holder->degraded;
    wedr_json_put_str(&j, "status", degraded ? "degraded" : bad ? "unhealthy" : "healthy");
    wedr_json_put_str(&j, "agent_version", hb->version);
    put_u64(&j, "last_rule_version", hb->holder ? hb->holder->rules_serial : 0);
    put_u64(&j, "profile_version", 0);
    wedr_json_key(&j, "modules_loaded");
    wedr_json_arr_begin(&j);
    wedr_json_arr_end(&j);
    wedr_json_key(&j, "rule_errors");
    wedr_json_arr_begin(&j);
    wedr_json_arr_end(&j);
    if (hb->holder) {
        put_rules(&j, hb);
    }
    put_commands(&j, hb->holder);
    put_streams(&j, hb->core);
    wedr_json_key(&j, "metrics");
    wedr_json_obj_begin(&j);
    if (hb->core) {
        put_core(&j, hb->core);
    }
    put_net(&j, hb->net);
    if (hb->holder) {
        wedr_json_key(&j, "sensor_attached");
        wedr_json_bool(&j, hb->holder->sensor_attached != 0);
        put_sensor(&j, hb->holder);
        put_u64(&j, "sensor_detached_count", hb->holder->sensor_detached_count);
        put_u64(&j, "core_restarts", hb->holder->core_restarts);
        put_u64(&j, "net_restarts", hb->holder->net_restarts);
        put_u64(&j, "uptime_ms", hb->holder->uptime_ms);
    }
    wedr_json_obj_end(&j);
    wedr_json_obj_end(&j);
    if (j.overflow) {
        return WEDR_E_RANGE;
    }
    *ret_len = wedr_json_len(&j);
    return WEDR_OK;
}

static json_t *load_object(const void *body, size_t len)
{
    json_error_t e;
    if (len > ANSWER_MAX) {
        return NULL;
    }
    json_t *root = json_loadb((const char *)body, len, JSON_FLAGS, &e);
    if (root && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

int wedr_heartbeat_answer(const void *body, size_t len, uint32_t *ret_next_s)
{
    json_t *root = load_object(body, len);
    int err = WEDR_E_FORMAT;
    if (root) {
        const json_t *next = json_object_get(root, "next_checkin_seconds");
        if (!next || json_is_null(next)) {
            *ret_next_s = 0;
            err = WEDR_OK;
        } else if (json_is_integer(next) && json_integer_value(next) >= 0) {
            json_int_t v = json_integer_value(next);
            *ret_next_s = v > 86400 ? 86400 : (uint32_t)v;
            err = WEDR_OK;
        }
    }
    json_decref(root);
    return err;
}

void wedr_heartbeat_rules(const void *body, size_t len, struct wedr_rules_offer *ret)
{
    json_t *root = load_object(body, len);
    const json_t *rules = root ? json_object_get(root, "rules") : NULL;
    const json_t *sha = json_object_get(rules, "sha256");
    const json_t *size = json_object_get(rules, "size");
    memset(ret, 0, sizeof(*ret));
    if (json_is_string(sha) && json_is_integer(size) && json_integer_value(size) > 0 &&
        json_integer_value(size) <= WEDR_MSG_RULES_MAX &&
        wedr_unhex(json_string_value(sha), json_string_length(sha), ret->sha256,
                   sizeof(ret->sha256)) == WEDR_OK) {
        ret->size = (uint64_t)json_integer_value(size);
        ret->there = true;
    }
    json_decref(root);
}

int wedr_json_take_string(const void *body, size_t len, const char *key, char *ret, size_t cap)
{
    json_t *root = load_object(body, len);
    const json_t *v = root ? json_object_get(root, key) : NULL;
    int err = !root               ? WEDR_E_FORMAT
              : !v                ? WEDR_E_NOENT
              : json_is_string(v) ? WEDR_OK
                                  : WEDR_E_FORMAT;
    if (err == WEDR_OK && json_string_length(v) >= cap) {
        err = WEDR_E_RANGE;
    }
    if (err == WEDR_OK && strlen(json_string_value(v)) != json_string_length(v)) {
        err = WEDR_E_FORMAT;
    }
    if (err == WEDR_OK) {
        memcpy(ret, json_string_value(v), json_string_length(v) + 1);
    }
    json_decref(root);
    return err;
}

int wedr_renew_body(const char *csr_pem, struct wedr_buf *ret)
{
    size_t n = strlen(csr_pem);
    uint8_t *mem = wedr_buf_reserve(ret, 6 * n + 64);
    if (!mem) {
        return WEDR_E_NOMEM;
    }
    struct wedr_json j;
    wedr_json_init(&j, (char *)mem, 6 * n + 64);
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "csr_pem");
    (void)wedr_json_str(&j, csr_pem, n);
    wedr_json_obj_end(&j);
    wedr_buf_commit(ret, wedr_json_len(&j));
    return j.overflow ? WEDR_E_RANGE : WEDR_OK;
}
