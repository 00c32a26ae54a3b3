/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/endpoints_out.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define LIST_MAX 256u
#define NAME_BYTES_MAX 256u
#define LINE_MAX ((size_t)1 << 20)
#define STATUS_MAX 16384u

/* NULL: no object. */
static json_t *load_object(const char *text, size_t len, size_t max)
{
    json_error_t e;
    json_t *o = len <= max ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &e) : NULL;
    if (o && !json_is_object(o)) {
        json_decref(o);
        o = NULL;
    }
    return o;
}

static int take_line(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct wedr_sensor_info *i = arg;
    if (count == 1 && v[0].type == WEDR_QUERY_TEXT && !i->raw) {
        json_t *line = load_object((const char *)v[0].s.p, v[0].s.len, LINE_MAX);
        i->raw = json_incref(json_object_get(line, "raw"));
        json_decref(line);
    }
    return WEDR_OK;
}

void wedr_sensor_info_load(struct wedr_server *s,
                           const char *agent_id,
                           struct wedr_sensor_info *ret)
{
    struct wedr_query_value id = {.type = WEDR_QUERY_TEXT,
                                  .s = wedr_span(agent_id, strlen(agent_id))};
    struct wedr_rows q = {.sql = "SELECT raw FROM events WHERE agent_id=?1 AND "
                                 "event_type='sensor_state' ORDER BY ts DESC LIMIT 1",
                          .params = &id,
                          .param_count = 1,
                          .row = take_line,
                          .arg = ret};
    struct wedr_errinfo ei = {""};
    ret->raw = NULL;
    (void)!wedr_data_query(s, &q, &ei);
}

void wedr_sensor_info_fini(struct wedr_sensor_info *i)
{
    json_decref(i->raw);
    i->raw = NULL;
}

static void put_string(struct wedr_out *o, const char *key, const json_t *v)
{
    wedr_out_key(o, key);
    if (json_is_string(v)) {
        wedr_out_bytes(o, json_string_value(v), json_string_length(v));
    } else {
        wedr_out_null(o);
    }
}

/* Its strings, at most LIST_MAX. */
static void put_strings(struct wedr_out *o, const char *key, const json_t *list)
{
    size_t count = json_is_array(list) ? json_array_size(list) : 0;
    wedr_out_key(o, key);
    wedr_out_arr_begin(o);
    for (size_t i = 0; i < count && i < LIST_MAX; i++) {
        const json_t *v = json_array_get(list, i);
        if (json_is_string(v)) {
            wedr_out_bytes(o, json_string_value(v), json_string_length(v));
        }
    }
    wedr_out_arr_end(o);
}

/* "a, b" of a heartbeat as a list. */
static void put_names(struct wedr_out *o, const char *key, const char *text)
{
    wedr_out_key(o, key);
    wedr_out_arr_begin(o);
    for (size_t n = 0; text && *text && n < LIST_MAX; n++) {
        size_t len = strcspn(text, ", ");
        if (len) {
            wedr_out_bytes(o, text, len < NAME_BYTES_MAX ? len : NAME_BYTES_MAX);
        }
        text += len;
        text += strspn(text, ", ");
    }
    wedr_out_arr_end(o);
}

static void put_sensor(struct wedr_out *o, const json_t *metrics, const struct wedr_sensor_info *i)
{
    const json_t *sensor = json_object_get(metrics, "sensor");
    const json_t *raw = i ? i->raw : NULL;
    wedr_out_key(o, "sensor");
    if (!json_is_object(sensor) && !json_is_object(raw)) {
        wedr_out_null(o);
        return;
    }
    wedr_out_obj_begin(o);
    const json_t *source = json_object_get(json_object_get(metrics, "engine"), "source");
    put_string(o, "source", source ? source : json_object_get(raw, "source"));
    put_string(o, "level", json_object_get(raw, "level"));
    put_strings(o, "hooks_live", json_object_get(raw, "hooks_live"));
    const json_t *missing = json_object_get(sensor, "missing");
    if (json_is_string(missing)) {
        put_names(o, "hooks_missing", json_string_value(missing));
    } else {
        put_strings(o, "hooks_missing", json_object_get(raw, "hooks_missing"));
    }
    const json_t *live = json_object_get(sensor, "hooks_live");
    if (json_is_integer(live)) {
        wedr_out_key(o, "hooks_live_count");
        wedr_out_safe_i64(o, json_integer_value(live));
    }
    put_string(o, "governor", json_object_get(sensor, "governor"));
    wedr_out_obj_end(o);
}

static int put_stream(void *ctx, uint64_t epoch, const char *stream, uint64_t in_flight)
{
    struct wedr_out *o = ctx;
    wedr_out_obj_begin(o);
    wedr_out_key(o, "epoch");
    wedr_out_hex64(o, epoch);
    wedr_out_put_text(o, "stream", stream);
    wedr_out_put_i64(o, "in_flight", (int64_t)in_flight);
    wedr_out_obj_end(o);
    return 0;
}

void wedr_endpoint_out(struct wedr_server *s,
                       struct wedr_out *o,
                       const struct wedr_endpoint_row *e,
                       const struct wedr_sensor_info *sensor)
{
    json_t *status = load_object(e->status_json, strlen(e->status_json), STATUS_MAX);
    const json_t *metrics = json_object_get(status, "metrics");
    wedr_out_put_text(o, "id", e->agent_id);
    wedr_out_put_text(o, "hostname", e->hostname);
    wedr_out_put_text(o, "os", e->os);
    wedr_out_put_text(o, "os_version", e->os_version);
    wedr_out_put_text(o, "agent_version", e->agent_version);
    wedr_out_put_text(o, "group", e->group);
    wedr_out_put_text(o, "status", wedr_endpoint_status_name(e->status));
    wedr_out_put_time(o, "enrolled", e->enrolled_us);
    wedr_out_put_time(o, "last_seen", e->status == WEDR_ENDPOINT_NEVER ? 0 : e->last_seen_us);
    wedr_out_put_text(o, "address", e->address);
    put_strings(o, "health", json_object_get(status, "health"));
    wedr_out_put_text(o, "profile", e->profile);
    put_string(o, "rules_serial", json_object_get(json_object_get(status, "rules"), "serial"));
    put_sensor(o, metrics, sensor);
    wedr_out_key(o, "streams");
    wedr_out_arr_begin(o);
    (void)!s->d.state_ops->triage->endpoint_streams(s->d.state, e->agent_id, put_stream, o);
    wedr_out_arr_end(o);
    wedr_out_put_i64(o, "version", (int64_t)e->version);
    json_decref(status);
}

static int add_bytes(const char *p, size_t n, void *arg)
{
    wedr_buf_add(arg, p, n);
    return 0;
}

/* What was an object of a heartbeat, so within its bounds; else `other`. */
static void put_object(struct wedr_out *o, const char *key, const json_t *v, const char *other)
{
    wedr_out_key(o, key);
    if (!json_is_object(v)) {
        wedr_out_raw(o, other, strlen(other));
        return;
    }
    (void)json_dump_callback(v, add_bytes, o->b, JSON_COMPACT);
    o->comma = true;
}

void wedr_endpoint_detail_out(struct wedr_out *o, const struct wedr_endpoint_row *e)
{
    json_t *status = load_object(e->status_json, strlen(e->status_json), STATUS_MAX);
    const json_t *metrics = json_object_get(status, "metrics");
    const json_t *rules = json_object_get(status, "rules");
    wedr_out_put_text(o, "note", e->note);
    put_string(o, "reported_status", json_object_get(status, "status"));
    put_object(o, "metrics", metrics, "{}");
    put_object(o, "rules", rules, "null");
    json_decref(status);
}
