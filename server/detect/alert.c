/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the types alert and response. The schema check of the ingest has seen them once, but by
 * other releases too, and what is inside their JSON values is the agent's word. They are passed on
 * as they stand. */
#include "core/base/err.h"
#include "detect/json_span.h"
#include "detect/step.h"
#include "ingest/line_schema.h"
#include "wedr/rules/ir.h"
#include "wedr/wire/batch.h"
#include <string.h>

#define NAME_MAX_TEXT 512u
#define MESSAGE_MAX 4096u
#define COMMAND_MAX 32768u
#define LIST_BYTES_MAX ((size_t)64 << 10)

/* What is read, and where it goes. */
struct from {
    struct wedr_step *s;
    struct wedr_line line;
    struct wedr_span raw; /* its text */
};

static int open_line(struct wedr_step *s, const struct wedr_event_line *l, struct from *ret)
{
    if (l->text.len > WEDR_ALERT_LINE_MAX) {
        return WEDR_E_FORMAT;
    }
    ret->s = s;
    int err = wedr_line_parse(s->parser, (const char *)l->text.p, l->text.len, &ret->line);
    if (err == WEDR_E_NOMEM) {
        return err;
    }
    return err == WEDR_OK && wedr_json_member(l->text, "raw", &ret->raw) ? WEDR_OK : WEDR_E_FORMAT;
}

/* A text of raw, NULL when there is none. */
static const char *optional(const struct from *f, const char *key, size_t max)
{
    const struct wedr_lp_member *m = wedr_line_raw(&f->line, key);
    return m && m->type == WEDR_LP_STR ? wedr_step_text(f->s, m->s, m->s_len, max) : NULL;
}

/* Never NULL while the arena has room. */
static const char *text(const struct from *f, const char *key, size_t max)
{
    const char *s = optional(f, key, max);
    return s ? s : "";
}

static uint64_t number(const struct from *f, const char *key)
{
    const struct wedr_lp_member *m = wedr_line_raw(&f->line, key);
    return m && m->type == WEDR_LP_INT && m->v <= INT64_MAX ? m->v : 0;
}

static int64_t pid_of(const struct from *f, const char *key)
{
    const struct wedr_lp_member *m = wedr_line_raw(&f->line, key);
    return m && m->type == WEDR_LP_INT && m->v <= UINT32_MAX ? (int64_t)m->v : -1;
}

/* A list as it stands; "[]" when it is none or too long. */
static const char *list(const struct from *f, const char *key)
{
    struct wedr_span v;
    if (!wedr_json_member(f->raw, key, &v) || v.p[0] != '[' || v.len > LIST_BYTES_MAX) {
        return "[]";
    }
    return wedr_arena_strndup(f->s->arena, (const char *)v.p, v.len);
}

static bool is_hex(const char *s, size_t len)
{
    return strlen(s) == len && strspn(s, "0123456789abcdef") == len;
}

static bool parse_epoch(struct wedr_span value, uint64_t *ret)
{
    struct wedr_span s;
    uint64_t v = 0;
    if (!wedr_json_plain(value, &s) || s.len != 16) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = v;
    return true;
}

/* One event that an alert rests on. The agent is the one that sent the alert, whatever it says. */
static bool read_evidence(const struct from *f,
                          const char *agent_id,
                          struct wedr_span e,
                          size_t *room,
                          struct wedr_evidence_row *ret)
{
    struct wedr_span v, name;
    memset(ret, 0, sizeof(*ret));
    if (!wedr_json_member(e, "epoch", &v) || !parse_epoch(v, &ret->epoch) ||
        !wedr_json_member(e, "stream", &v) || !wedr_json_plain(v, &name) ||
        !wedr_stream_name_valid((const char *)name.p, name.len) ||
        !wedr_json_member(e, "seq", &v) || !wedr_json_u63(v, &ret->seq) || ret->seq == 0) {
        return false;
    }
    ret->agent_id = agent_id;
    ret->stream = wedr_arena_strndup(f->s->arena, (const char *)name.p, name.len);
    if (wedr_json_member(e, "event", &v) && v.p[0] == '{' && v.len <= *room) {
        ret->event = wedr_arena_strndup(f->s->arena, (const char *)v.p, v.len);
        *room -= v.len;
    }
    return true;
}

static int add_evidence(const struct from *f, struct wedr_alert_row *a)
{
    struct wedr_span all, one;
    size_t at = 0, room = WEDR_EVIDENCE_BYTES_MAX;
    struct wedr_evidence_row *rows =
        wedr_arena_alloc(f->s->arena, WEDR_ALERT_EVIDENCE_MAX * sizeof(*rows));
    if (!rows) {
        return WEDR_E_LIMIT;
    }
    bool some = wedr_json_member(f->raw, "evidence", &all);
    while (some && a->evidence_count < WEDR_ALERT_EVIDENCE_MAX &&
           wedr_json_element(all, &at, &one)) {
        a->evidence_count += read_evidence(f, a->agent_id, one, &room, &rows[a->evidence_count]);
    }
    a->evidence = rows;
    return WEDR_OK;
}

static int64_t event_time(const struct from *f, int64_t otherwise)
{
    const struct wedr_lp_member *m = wedr_line_raw(&f->line, "event_time");
    int64_t us = 0;
    return m && m->type == WEDR_LP_STR && wedr_line_time_parse(m->s, m->s_len, &us) ? us
                                                                                    : otherwise;
}

static void fill_alert(const struct from *f,
                       const struct wedr_event_block *b,
                       const struct wedr_event_line *l,
                       struct wedr_alert_row *a)
{
    a->agent_id = wedr_arena_strndup(f->s->arena, b->agent_id, strlen(b->agent_id));
    a->hostname = wedr_arena_strndup(f->s->arena, b->hostname, strlen(b->hostname));
    a->origin = "agent";
    a->received_us = b->received_us;
    a->ts_us = event_time(f, l->ts_us);
    a->rule_title = text(f, "rule_title", NAME_MAX_TEXT);
    a->rule_language = text(f, "rule_language", 16);
    a->message = text(f, "message", MESSAGE_MAX);
    a->tags = list(f, "tags");
    a->actions = list(f, "actions");
    a->pid = pid_of(f, "pid");
    a->process_key = optional(f, "process_key", 64);
    a->image_path = optional(f, "image_path", MESSAGE_MAX);
    a->command_line = optional(f, "command_line", COMMAND_MAX);
    a->user = optional(f, "user", NAME_MAX_TEXT);
    a->entity = text(f, "entity", NAME_MAX_TEXT);
    a->suppressed = number(f, "suppressed");
    a->match_count = number(f, "match_count");
    a->rules_serial = text(f, "rules_serial", 24);
    a->profile = text(f, "profile", 64);
    a->ancestry = list(f, "ancestry");
    a->matched = list(f, "matched");
}

int wedr_step_alert(struct wedr_step *s,
                    const struct wedr_event_block *b,
                    const struct wedr_event_line *l)
{
    struct from f;
    uint8_t severity = 0;
    struct wedr_alert_row *a = wedr_step_new_alert(s);
    int err = a ? open_line(s, l, &f) : WEDR_E_LIMIT;
    if (err != WEDR_OK) {
        return err;
    }
    a->alert_id = text(&f, "alert_id", 64);
    a->rule_id = text(&f, "rule_id", 256);
    a->severity = text(&f, "severity", 16);
    if (!is_hex(a->alert_id, 32) || !a->rule_id[0] ||
        wedr_severity_parse(a->severity, strlen(a->severity), &severity) != WEDR_OK) {
        err = WEDR_E_FORMAT;
    } else {
        a->severity = wedr_severity_name(severity);
        fill_alert(&f, b, l, a);
        err = add_evidence(&f, a);
        err = wedr_arena_overflowed(s->arena) ? WEDR_E_LIMIT : err;
    }
    s->alert_count += err == WEDR_OK;
    return err;
}

int wedr_step_response(struct wedr_step *s,
                       const struct wedr_event_block *b,
                       const struct wedr_event_line *l)
{
    struct from f;
    if (s->response_count == WEDR_STEP_RESPONSES_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = open_line(s, l, &f);
    if (err != WEDR_OK) {
        return err;
    }
    struct wedr_response_row *r = &s->responses[s->response_count];
    *r = (struct wedr_response_row){
        .agent_id = wedr_arena_strndup(s->arena, b->agent_id, strlen(b->agent_id)),
        .hostname = wedr_arena_strndup(s->arena, b->hostname, strlen(b->hostname)),
        .epoch = b->epoch,
        .stream = wedr_arena_strndup(s->arena, b->stream, strlen(b->stream)),
        .seq = l->seq,
        .ts_us = l->ts_us,
        .alert_id = text(&f, "alert_id", 64),
        .rule_id = text(&f, "rule_id", 256),
        .action = text(&f, "action", 32),
        .result = text(&f, "result", 64),
        .pid = pid_of(&f, "pid"),
        .process_key = optional(&f, "process_key", 64),
        .detail = text(&f, "detail", MESSAGE_MAX),
        .duration_us = number(&f, "duration_us"),
    };
    if (wedr_arena_overflowed(s->arena)) {
        err = WEDR_E_LIMIT;
    } else if (!is_hex(r->alert_id, 32) || !r->action[0] || !r->result[0]) {
        err = WEDR_E_FORMAT;
    }
    s->response_count += err == WEDR_OK;
    return err;
}
