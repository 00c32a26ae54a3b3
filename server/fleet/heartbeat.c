/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "fleet/fleet.h"
#include "fleet/text.h"
#include <string.h>

#define DEPTH_MAX 8u
#define LIST_MAX 256u

static int parse_stream(const json_t *o, struct wedr_agent_stream_row *ret, struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"epoch", "stream", "in_flight", "produced", "lost"};
    char epoch[17];
    if (!json_is_object(o)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"streams\" must hold objects");
    }
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "epoch", 16, epoch, sizeof(epoch), ei);
    }
    if (err == WEDR_OK && !wedr_fleet_hex64(epoch, &ret->epoch)) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"epoch\" must be 16 lower-case hex digits");
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "stream", 1, ret->stream, sizeof(ret->stream), ei);
    }
    if (err == WEDR_OK && !wedr_stream_name_valid(ret->stream, strlen(ret->stream))) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"stream\" is no stream's name");
    }
    for (size_t i = 2; i < WEDR_ARRAY_COUNT(keys) && err == WEDR_OK; i++) {
        const json_t *v = json_object_get(o, keys[i]);
        if (!json_is_integer(v) || json_integer_value(v) < 0) {
            err =
                wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a whole number of 0 or more", keys[i]);
        }
    }
    if (err == WEDR_OK) {
        ret->in_flight = (uint64_t)json_integer_value(json_object_get(o, "in_flight"));
    }
    return err;
}

static int
parse_streams(const json_t *list, struct wedr_fleet_heartbeat *hb, struct wedr_errinfo *ei)
{
    hb->stream_count = 0;
    if (!list) {
        return WEDR_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > WEDR_FLEET_STREAMS_MAX) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"streams\" must be a list of at most %u",
                         WEDR_FLEET_STREAMS_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct wedr_agent_stream_row *row = &hb->streams[i];
        int err = parse_stream(json_array_get(list, i), row, ei);
        if (err != WEDR_OK) {
            return err;
        }
        for (size_t k = 0; k < i; k++) {
            if (hb->streams[k].epoch == row->epoch &&
                strcmp(hb->streams[k].stream, row->stream) == 0) {
                return wedr_fail(ei, WEDR_E_FORMAT, "\"streams\" names one stream twice");
            }
        }
    }
    hb->stream_count = json_array_size(list);
    return WEDR_OK;
}

/* A list of at most LIST_MAX objects whose keys are all strings and among the two, or NULL. */
static int
check_list(const json_t *o, const char *key, const char *a, const char *b, struct wedr_errinfo *ei)
{
    const char *const keys[] = {a, b};
    const json_t *list = json_object_get(o, key);
    if (!list) {
        return WEDR_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > LIST_MAX) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a list of at most %u", key, LIST_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        if (!json_is_object(e) || !json_is_string(json_object_get(e, a)) ||
            !json_is_string(json_object_get(e, b))) {
            return wedr_fail(ei, WEDR_E_FORMAT,
                             "\"%s\" must hold objects with the strings \"%s\" and \"%s\"", key, a,
                             b);
        }
        int err = wedr_fleet_known(e, keys, WEDR_ARRAY_COUNT(keys), ei);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

/* What the agent matches with, or NULL. */
static int check_rules(const json_t *o, struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"serial", "profile",    "error",  "rules",       "matched",
                                       "alerts", "suppressed", "events", "kill_allowed"};
    if (!o) {
        return WEDR_OK;
    }
    if (!json_is_object(o)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"rules\" must be an object");
    }
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(keys); i++) {
        const json_t *v = json_object_get(o, keys[i]);
        bool good = !v || (i < 3    ? json_is_string(v)
                           : i == 8 ? json_is_boolean(v)
                                    : json_is_integer(v) && json_integer_value(v) >= 0);
        if (!good) {
            err = wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" of \"rules\" has the wrong type", keys[i]);
        }
    }
    return err;
}

static int check_rest(const json_t *o, struct wedr_errinfo *ei)
{
    static const char *const numbers[] = {"last_rule_version", "profile_version"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(numbers); i++) {
        const json_t *v = json_object_get(o, numbers[i]);
        if (v && (!json_is_integer(v) || json_integer_value(v) < 0)) {
            return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a whole number of 0 or more",
                             numbers[i]);
        }
    }
    const json_t *health = json_object_get(o, "health");
    if (health && (!json_is_array(health) || json_array_size(health) > LIST_MAX)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"health\" must be a list of at most %u", LIST_MAX);
    }
    for (size_t i = 0; health && i < json_array_size(health); i++) {
        if (!json_is_string(json_array_get(health, i))) {
            return wedr_fail(ei, WEDR_E_FORMAT, "\"health\" must hold strings");
        }
    }
    const json_t *metrics = json_object_get(o, "metrics");
    if (metrics && !json_is_object(metrics)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"metrics\" must be an object");
    }
    const json_t *boot = json_object_get(o, "boot_id");
    const json_t *commands = json_object_get(o, "commands");
    if (boot && json_string_length(boot) != (size_t)2 * WEDR_BOOT_ID_LEN) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"boot_id\" must be 32 hex digits");
    }
    if (commands && (!json_is_array(commands) || json_array_size(commands) > LIST_MAX)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"commands\" must be a list of at most %u", LIST_MAX);
    }
    int err = check_rules(json_object_get(o, "rules"), ei);
    if (err == WEDR_OK) {
        err = check_list(o, "modules_loaded", "id", "version", ei);
    }
    return err == WEDR_OK ? check_list(o, "rule_errors", "rule_name", "message", ei) : err;
}

int wedr_fleet_heartbeat_parse(const void *body,
                               size_t len,
                               struct wedr_fleet_heartbeat *ret,
                               struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"status",          "agent_version",  "last_rule_version",
                                       "profile_version", "modules_loaded", "rule_errors",
                                       "metrics",         "health",         "streams",
                                       "rules",           "boot_id",        "commands"};
    json_t *o = len <= WEDR_FLEET_BODY_MAX ? wedr_fleet_load(body, len, DEPTH_MAX, ei) : NULL;
    if (!o) {
        return WEDR_E_FORMAT;
    }
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "status", 1, ret->status, sizeof(ret->status), ei);
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "agent_version", 1, ret->agent_version,
                                sizeof(ret->agent_version), ei);
    }
    if (err == WEDR_OK) {
        err = check_rest(o, ei);
    }
    if (err == WEDR_OK) {
        err = parse_streams(json_object_get(o, "streams"), ret, ei);
    }
    if (err == WEDR_OK) {
        (void)json_object_del(o, "streams");
        (void)json_object_del(o, "agent_version");
        size_t n = json_dumpb(o, ret->status_json, WEDR_FLEET_STATUS_MAX, JSON_COMPACT);
        if (n == 0 || n > WEDR_FLEET_STATUS_MAX) {
            err = wedr_fail(ei, WEDR_E_LIMIT, "the health report is larger than %u bytes",
                            WEDR_FLEET_STATUS_MAX);
        } else {
            ret->status_json[n] = '\0';
        }
    }
    json_decref(o);
    return err;
}
