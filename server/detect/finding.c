/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/finding.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JSON_MAX 65536u
#define ANCESTORS_MAX 32u
#define NEWEST_EVENT_MAX ((size_t)64 << 10)
#define ID_BYTES 16u

/* ", a=b", without comma at the beginning, without the sign when b is empty. */
static void append(char *ret, size_t cap, struct wedr_text a, struct wedr_text b)
{
    size_t n = strlen(ret);
    if (n + 1 < cap) {
        (void)snprintf(ret + n, cap - n, "%s%.*s%s%.*s", n ? ", " : "", (int)a.len, a.p ? a.p : "",
                       b.len ? "=" : "", (int)b.len, b.p ? b.p : "");
    }
}

void wedr_finding_name(struct wedr_finding *f)
{
    struct wedr_text id = f->rule->id.len ? f->rule->id : f->rule->title;
    (void)snprintf(f->rule_id, sizeof(f->rule_id), "%.*s", (int)id.len, id.p);
    f->entity[0] = '\0';
    if (!f->firing) {
        (void)snprintf(f->entity, sizeof(f->entity), "%s:%.*s", f->block->agent_id,
                       (int)f->entity_value.len, f->entity_value.p ? f->entity_value.p : "");
        return;
    }
    const struct wedr_correlation *c = wedr_ruleset_correlation(f->rs, f->rule->correlation);
    for (uint32_t i = 0; i < f->firing->group_count && i < c->group_count; i++) {
        append(f->entity, sizeof(f->entity), wedr_ruleset_field_name(f->rs, c->group_by[i]),
               f->firing->group[i]);
    }
}

/* First half of the SHA-256 of rule, entity and the newest event. */
static const char *alert_id(const struct wedr_finding *f)
{
    char text[1200], hex[2 * ID_BYTES + 1];
    uint8_t digest[WEDR_SHA256_LEN];
    int n =
        snprintf(text, sizeof(text), "%s\n%s\n%s\n%016" PRIx64 "\n%s\n%" PRIu64, f->rule_id,
                 f->entity, f->block->agent_id, f->block->epoch, f->block->stream, f->line->seq);
    wedr_sha256(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, digest);
    wedr_hex(digest, ID_BYTES, hex);
    return wedr_arena_strndup(f->step->arena, hex, strlen(hex));
}

static const char *text_of(const struct wedr_finding *f, struct wedr_text t, size_t max)
{
    return wedr_step_text(f->step, t.p ? t.p : "", t.len, max);
}

static const char *
keep_json(const struct wedr_finding *f, const struct wedr_json *j, const char *mem)
{
    return j->overflow ? "[]" : wedr_arena_strndup(f->step->arena, mem, wedr_json_len(j));
}

static const char *tags(const struct wedr_finding *f)
{
    char mem[JSON_MAX / 4];
    struct wedr_json j;
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_arr_begin(&j);
    for (uint32_t i = 0; i < f->rule->tags.count; i++) {
        (void)wedr_json_str(&j, f->rule->tags.v[i].p, f->rule->tags.v[i].len);
    }
    wedr_json_arr_end(&j);
    return keep_json(f, &j, mem);
}

static void put(struct wedr_json *j, const char *key, const char *s)
{
    if (s) {
        wedr_json_key(j, key);
        (void)wedr_json_str(j, s, strlen(s));
    }
}

static int put_ancestor(void *ctx, const struct wedr_process_row *p)
{
    struct wedr_json *j = ctx;
    wedr_json_obj_begin(j);
    put(j, "process_key", p->process_key);
    if (p->pid >= 0) {
        wedr_json_key(j, "pid");
        wedr_json_i64(j, p->pid);
    }
    put(j, "image_path", p->image_path);
    put(j, "command_line", p->command_line);
    put(j, "user", p->user);
    if (p->ts_us >= 0) {
        wedr_json_key(j, "started");
        wedr_json_time_us(j, p->ts_us);
    }
    wedr_json_obj_end(j);
    return 0;
}

static const char *ancestry(const struct wedr_finding *f, const char *process_key)
{
    char *mem = process_key ? wedr_arena_alloc(f->step->arena, JSON_MAX) : NULL;
    struct wedr_json j;
    if (!mem) {
        return "[]";
    }
    wedr_json_init(&j, mem, JSON_MAX - 1);
    wedr_json_arr_begin(&j);
    int err = f->ops->detect->ancestry(f->state, f->block->agent_id, process_key, ANCESTORS_MAX,
                                       put_ancestor, &j);
    wedr_json_arr_end(&j);
    return err == WEDR_OK && !j.overflow ? mem : "[]";
}

/* The rule's words, and which entry of a list it was. */
static const char *message(const struct wedr_finding *f)
{
    struct wedr_text t = f->rule->message.len ? f->rule->message : f->rule->description;
    if (!f->note) {
        return text_of(f, t, 4096);
    }
    const char *s = wedr_arena_printf(f->step->arena, "%.*s%s%s", (int)t.len, t.p ? t.p : "",
                                      t.len ? ": " : "", f->note);
    return s ? s : "";
}

/* All from one agent: then the alert is its own. */
static bool one_agent(const struct wedr_finding *f)
{
    for (size_t i = 0; i < f->ref_count; i++) {
        if (strcmp(f->refs[i]->agent_id, f->block->agent_id) != 0) {
            return false;
        }
    }
    return true;
}

static const char *hosts(const struct wedr_finding *f)
{
    char text[512] = "";
    struct wedr_agent_row a;
    for (size_t i = 0; i < f->ref_count; i++) {
        bool before = false;
        for (size_t k = 0; k < i; k++) {
            before = before || strcmp(f->refs[k]->agent_id, f->refs[i]->agent_id) == 0;
        }
        if (!before && f->ops->agent_get(f->state, f->refs[i]->agent_id, &a) == WEDR_OK) {
            append(text, sizeof(text), wedr_text(a.hostname, strlen(a.hostname)), wedr_text("", 0));
        }
    }
    return wedr_step_text(f->step, text, strlen(text), sizeof(text));
}

/* Oldest first. The newest event is at hand, the others are in the store. */
static void evidence(const struct wedr_finding *f, struct wedr_alert_row *a)
{
    struct wedr_evidence_row *rows =
        wedr_arena_alloc(f->step->arena, (f->ref_count + 1) * sizeof(*rows));
    for (size_t i = 0; rows && i < f->ref_count; i++) {
        const struct wedr_ref *r = f->refs[f->ref_count - 1 - i];
        rows[i].agent_id = wedr_arena_strndup(f->step->arena, r->agent_id, strlen(r->agent_id));
        rows[i].stream = wedr_arena_strndup(f->step->arena, r->stream, strlen(r->stream));
        rows[i].epoch = r->epoch;
        rows[i].seq = r->seq;
        if (i + 1 == f->ref_count && f->line->text.len <= NEWEST_EVENT_MAX) {
            rows[i].event = wedr_arena_strndup(f->step->arena, (const char *)f->line->text.p,
                                               f->line->text.len);
        }
    }
    a->evidence = rows;
    a->evidence_count = rows ? f->ref_count : 0;
}

bool wedr_finding_store(struct wedr_finding *f)
{
    char serial[24];
    struct wedr_alert_row *a = wedr_step_new_alert(f->step);
    if (!a) {
        return false;
    }
    bool own = one_agent(f);
    int n = snprintf(serial, sizeof(serial), "%" PRIu64, f->serial);
    wedr_step_describe(f->step, f->line, a);
    a->alert_id = alert_id(f);
    a->agent_id =
        own ? wedr_arena_strndup(f->step->arena, f->block->agent_id, strlen(f->block->agent_id))
            : "";
    a->hostname = own ? wedr_step_text(f->step, f->block->hostname, strlen(f->block->hostname), 256)
                      : hosts(f);
    a->origin = "server";
    a->ts_us = f->line->ts_us;
    a->received_us = f->block->received_us;
    a->rule_id = wedr_arena_strndup(f->step->arena, f->rule_id, strlen(f->rule_id));
    a->rule_title = text_of(f, f->rule->title, 512);
    a->rule_language = text_of(f, f->rule->language, 16);
    a->severity = wedr_severity_name(f->rule->severity);
    a->message = message(f);
    a->tags = tags(f);
    a->actions = "[\"alert\"]"; /* the server does nothing on endpoints */
    a->entity = wedr_step_text(f->step, f->entity, strlen(f->entity), sizeof(f->entity));
    a->suppressed = f->suppressed;
    a->match_count = f->count;
    a->rules_serial = wedr_arena_strndup(f->step->arena, serial, (size_t)n);
    a->profile = WEDR_PROFILE_SERVER;
    a->ancestry = ancestry(f, a->process_key);
    a->matched = "[]";
    evidence(f, a);
    if (wedr_arena_overflowed(f->step->arena)) {
        return false;
    }
    f->step->alert_count++;
    return true;
}
