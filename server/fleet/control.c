/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/control.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "fleet/text.h"
#include "ingest/line_schema.h"
#include "wedr/rules/ir.h"
#include <string.h>

#define DEPTH_MAX 10u
#define ID_BYTES 16u

/* o as compact JSON of at most cap - 1 bytes. */
static int dump(const json_t *o, char *ret, size_t cap)
{
    size_t n = json_dumpb(o, ret, cap - 1, JSON_COMPACT | JSON_SORT_KEYS);
    if (n == 0 || n > cap - 1) {
        return WEDR_E_LIMIT;
    }
    ret[n] = '\0';
    return WEDR_OK;
}

int wedr_fleet_ack_parse(const void *body,
                         size_t len,
                         struct wedr_fleet_ack *ret,
                         struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"status", "result"};
    char status[16] = "";
    json_t *o = wedr_fleet_load(body, len, DEPTH_MAX, ei);
    if (!o) {
        return WEDR_E_FORMAT;
    }
    const json_t *result = json_object_get(o, "result");
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    err = err == WEDR_OK ? wedr_fleet_string(o, "status", 1, status, sizeof(status), ei) : err;
    bool failed = strcmp(status, "failed") == 0;
    if (err == WEDR_OK && !failed && strcmp(status, "success") != 0 &&
        strcmp(status, "completed") != 0) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"status\" must be success, completed or failed");
    }
    if (err == WEDR_OK && result && !json_is_object(result)) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"result\" must be an object");
    }
    if (err == WEDR_OK && result && dump(result, ret->result, sizeof(ret->result)) != WEDR_OK) {
        err = wedr_fail(ei, WEDR_E_LIMIT, "\"result\" is longer than %u bytes",
                        WEDR_COMMAND_RESULT_MAX);
    }
    if (err == WEDR_OK) {
        ret->success = !failed;
        if (!result) {
            memcpy(ret->result, "{}", 3);
        }
    }
    json_decref(o);
    return err;
}

/* "2026-11-26T20:00:00Z" with no or up to 9 decimals; those behind the sixth are dropped. */
static bool read_time(const char *text, int64_t *ret_us)
{
    char full[28] = "0000-00-00T00:00:00.000000Z";
    size_t len = strlen(text), decimals = len > 20 ? len - 21 : 0;
    if (len < 20 || len > 30 || text[len - 1] != 'Z' ||
        (len > 20 &&
         (text[19] != '.' || decimals == 0 || strspn(text + 20, "0123456789") != decimals))) {
        return false;
    }
    size_t take = len - 1 < 26 ? len - 1 : 26;
    memcpy(full, text, take);
    return wedr_line_time_parse(full, 27, ret_us);
}

/* What the evidence says of its process, when it does. */
static void take_process(const json_t *evidence, struct wedr_fleet_alert *a)
{
    const json_t *pid = json_object_get(evidence, "pid");
    const char *key = json_string_value(json_object_get(evidence, "process_key"));
    uint64_t number = 0;
    a->pid = json_is_integer(pid) && json_integer_value(pid) > 0 ? json_integer_value(pid) : -1;
    if (key && strlen(key) == 16 && wedr_fleet_hex64(key, &number)) {
        memcpy(a->process_key, key, sizeof(a->process_key));
    }
}

static int add_text(const char *p, size_t n, void *arg)
{
    wedr_sha256_add(arg, p, n);
    return 0;
}

static int take_id(const char *agent_id, const json_t *o, struct wedr_fleet_alert *a)
{
    uint8_t digest[WEDR_SHA256_LEN];
    struct wedr_sha256_state sha;
    wedr_sha256_begin(&sha);
    wedr_sha256_add(&sha, agent_id, strlen(agent_id) + 1);
    if (json_dump_callback(o, add_text, &sha, JSON_COMPACT | JSON_SORT_KEYS) != 0) {
        return WEDR_E_NOMEM;
    }
    wedr_sha256_end(&sha, digest);
    wedr_hex(digest, ID_BYTES, a->id);
    return WEDR_OK;
}

/* WEDR_E_FORMAT: it is no alert. */
static int take_alert(const char *agent_id, const json_t *o, struct wedr_fleet_alert *a)
{
    static const char *const keys[] = {"ts",     "rule_id",      "rule_name", "severity",
                                       "module", "action_taken", "evidence"};
    struct wedr_errinfo ei;
    char ts[32], severity[16], module[64], action[16];
    uint8_t level = 0;
    const json_t *evidence = json_object_get(o, "evidence");
    memset(a, 0, sizeof(*a));
    if (!json_is_object(o) || !json_is_object(evidence) ||
        wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "ts", 20, ts, sizeof(ts), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "rule_id", 1, a->rule_id, sizeof(a->rule_id), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "rule_name", 1, a->rule_name, sizeof(a->rule_name), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "severity", 1, severity, sizeof(severity), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "module", 1, module, sizeof(module), &ei) != WEDR_OK ||
        wedr_fleet_string(o, "action_taken", 1, action, sizeof(action), &ei) != WEDR_OK ||
        !read_time(ts, &a->ts_us) ||
        wedr_severity_parse(severity, strlen(severity), &level) != WEDR_OK) {
        return WEDR_E_FORMAT;
    }
    a->killed = strcmp(action, "kill") == 0;
    if (!a->killed && strcmp(action, "alert") != 0) {
        return WEDR_E_FORMAT;
    }
    a->severity = wedr_severity_name(level);
    take_process(evidence, a);
    a->evidence = wedr_alloc(WEDR_FLEET_EVIDENCE_MAX + 1, 1);
    if (!a->evidence) {
        return WEDR_E_NOMEM;
    }
    return dump(evidence, a->evidence, WEDR_FLEET_EVIDENCE_MAX + 1) == WEDR_OK
               ? take_id(agent_id, o, a)
               : WEDR_E_FORMAT;
}

int wedr_fleet_alerts_parse(const char *agent_id,
                            const void *body,
                            size_t len,
                            struct wedr_fleet_alerts *ret,
                            struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"alerts"};
    json_t *o = wedr_fleet_load(body, len, DEPTH_MAX, ei);
    const json_t *list = json_object_get(o, "alerts");
    int err = o ? wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei) : WEDR_E_FORMAT;
    ret->count = 0;
    ret->skipped = 0;
    if (err == WEDR_OK && !json_is_array(list)) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"alerts\" must be a list");
    }
    if (err == WEDR_OK && json_array_size(list) > WEDR_FLEET_ALERTS_MAX) {
        err = wedr_fail(ei, WEDR_E_LIMIT, "\"alerts\" has more than %u elements",
                        WEDR_FLEET_ALERTS_MAX);
    }
    for (size_t i = 0; err == WEDR_OK && i < json_array_size(list); i++) {
        struct wedr_fleet_alert *a = &ret->v[ret->count];
        err = take_alert(agent_id, json_array_get(list, i), a);
        if (err == WEDR_OK) {
            ret->count++;
        } else {
            wedr_free(a->evidence);
            ret->skipped++;
            err = err == WEDR_E_FORMAT ? WEDR_OK : err;
        }
    }
    if (err != WEDR_OK) {
        wedr_fleet_alerts_fini(ret);
    }
    json_decref(o);
    return err;
}

void wedr_fleet_alerts_fini(struct wedr_fleet_alerts *a)
{
    for (size_t i = 0; i < a->count; i++) {
        wedr_free(a->v[i].evidence);
    }
    a->count = 0;
}
