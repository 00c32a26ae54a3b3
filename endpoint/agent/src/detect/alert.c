/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/alert.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "encode/encode.h"
#include "wedr/wire/msg.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TITLE_MAX 1024u
#define MESSAGE_MAX 4096u
#define LIST_MAX 2048u
#define ID_MAX 256u
#define DESCRIBE_MAX 4096u
#define VALUE_ROOM 33000u /* the longest command line that a record carries */
#define TAIL 2u           /* of a JSON part: what closes it */

void wedr_alert_id(struct wedr_text rule_id,
                   const struct wedr_sighting *s,
                   char ret[WEDR_ALERT_ID_TEXT])
{
    /* The rule's id may have any length: its digest stands for it when it is a long one. */
    char text[ID_MAX + 128];
    uint8_t digest[WEDR_SHA256_LEN];
    size_t n = rule_id.len;
    if (n > ID_MAX) {
        wedr_sha256(rule_id.p, n, digest);
        n = sizeof(digest);
        memcpy(text, digest, n);
    } else if (n > 0) {
        memcpy(text, rule_id.p, n);
    }
    int more = snprintf(text + n, sizeof(text) - n, "\n%016" PRIx64 "\n%.47s\n%" PRIu64, s->epoch,
                        s->stream, s->seq);
    wedr_sha256(text, n + (more > 0 ? (size_t)more : 0), digest);
    wedr_hex(digest, WEDR_ALERT_ID_LEN, ret);
}

int wedr_alert_builder_init(struct wedr_alert_builder *b, struct wedr_encoder *encoder)
{
    memset(b, 0, sizeof(*b));
    b->encoder = encoder;
    wedr_buf_init(&b->describe, DESCRIBE_MAX);
    b->record = wedr_alloc(WEDR_RECORD_MAX, 1);
    b->evidence = wedr_alloc(WEDR_ALERT_EVIDENCE_MAX, 1);
    b->ancestry = wedr_alloc(WEDR_ALERT_ANCESTRY_MAX, 1);
    b->matched = wedr_alloc(WEDR_ALERT_MATCHED_MAX, 1);
    return b->record && b->evidence && b->ancestry && b->matched ? WEDR_OK : WEDR_E_NOMEM;
}

void wedr_alert_builder_fini(struct wedr_alert_builder *b)
{
    wedr_buf_fini(&b->describe);
    wedr_free(b->record);
    wedr_free(b->evidence);
    wedr_free(b->ancestry);
    wedr_free(b->matched);
}

static void put(struct wedr_json *j, const char *key, const void *s, size_t len)
{
    wedr_json_key(j, key);
    (void)wedr_json_str(j, (const char *)s, len);
}

/* An item that did not fit whole is taken back; false then. */
static bool whole(struct wedr_json *j, const struct wedr_json *before)
{
    if (j->overflow) {
        *j = *before;
        return false;
    }
    return true;
}

/* Room for the bracket that closes the part is kept aside while items are written. */
static void begin_part(struct wedr_json *j, char *mem, size_t cap)
{
    wedr_json_init(j, mem, cap - TAIL);
    wedr_json_arr_begin(j);
}

static size_t end_part(struct wedr_json *j)
{
    j->end += TAIL;
    wedr_json_arr_end(j);
    return wedr_json_len(j);
}

void wedr_alert_matched_begin(struct wedr_alert_builder *b, const struct wedr_ruleset *rs)
{
    b->explain_rs = rs;
    b->explain_full = false;
    begin_part(&b->explain, b->matched, WEDR_ALERT_MATCHED_MAX);
}

/* Secrets go before the cut: of one that the cut goes through nothing shall stay. */
static void put_value(struct wedr_alert_builder *b, struct wedr_text value)
{
    char text[VALUE_ROOM];
    size_t n = value.len < sizeof(text) ? value.len : sizeof(text);
    memcpy(text, value.p, n);
    n = wedr_encoder_hide(b->encoder, text, n);
    put(&b->explain, "value", text, n < WEDR_ALERT_VALUE_MAX ? n : WEDR_ALERT_VALUE_MAX);
}

void wedr_alert_matched_step(void *ctx, const struct wedr_explain_step *step)
{
    struct wedr_alert_builder *b = ctx;
    struct wedr_json before = b->explain;
    /* Exceptions did not hold, and what a `not` kept from holding is not there to be shown. */
    if (step->pred == WEDR_IR_NONE || !step->truth || step->part == 2 || b->explain_full) {
        return;
    }
    wedr_buf_truncate(&b->describe, 0);
    wedr_pred_describe(b->explain_rs, step->pred, &b->describe);
    wedr_json_obj_begin(&b->explain);
    put(&b->explain, "field", step->field.p, step->field.len);
    if (step->value.p) {
        put_value(b, step->value);
    }
    put(&b->explain, "predicate", b->describe.p, b->describe.len);
    wedr_json_obj_end(&b->explain);
    b->explain_full = !whole(&b->explain, &before);
}

void wedr_alert_matched_end(struct wedr_alert_builder *b)
{
    b->matched_len = end_part(&b->explain);
}

void wedr_alert_matched_none(struct wedr_alert_builder *b)
{
    b->matched_len = 0;
}

static size_t line_len(const struct wedr_alert_event *e)
{
    size_t n = e->line.len;
    return n > 0 && e->line.p[n - 1] == '\n' ? n - 1 : n;
}

/* The newest events are shown first of all: from which one on there is room for lines. */
static size_t first_shown(const struct wedr_alert *a, bool with_lines)
{
    size_t room = WEDR_ALERT_EVIDENCE_MAX - TAIL - 16;
    size_t i = a->event_count;
    for (size_t k = 0; k < a->event_count; k++) {
        size_t names = 128 + strlen(a->events[k].s.stream);
        room = room > names ? room - names : 0;
    }
    while (with_lines && i > 0 && line_len(&a->events[i - 1]) <= room) {
        room -= line_len(&a->events[i - 1]);
        i--;
    }
    return with_lines ? i : a->event_count;
}

static size_t
put_evidence(struct wedr_alert_builder *b, const struct wedr_alert *a, bool with_lines)
{
    struct wedr_json j;
    size_t shown = first_shown(a, with_lines);
    bool all = true;
    begin_part(&j, b->evidence, WEDR_ALERT_EVIDENCE_MAX);
    for (size_t i = 0; i < a->event_count; i++) {
        const struct wedr_alert_event *e = &a->events[i];
        struct wedr_json before = j;
        size_t n = line_len(e);
        wedr_json_obj_begin(&j);
        wedr_json_key(&j, "epoch");
        wedr_json_hex64(&j, e->s.epoch);
        put(&j, "stream", e->s.stream, strlen(e->s.stream));
        wedr_json_key(&j, "seq");
        wedr_json_u64(&j, e->s.seq);
        if (i >= shown && n > 0) {
            wedr_json_key(&j, "event");
            wedr_json_raw(&j, (const char *)e->line.p, n);
        } else {
            all = false;
        }
        wedr_json_obj_end(&j);
        all = whole(&j, &before) && all;
    }
    b->cut += all ? 0 : 1;
    return end_part(&j);
}

/* The name, or the number where only that is known. Returns its length. */
static size_t
user_text(const struct wedr_alert_builder *b, const struct wedr_proc *p, char *out, size_t cap)
{
    struct wedr_span name = wedr_encoder_user(b->encoder, p->uid);
    if (name.len > 0 && name.len < cap) {
        memcpy(out, name.p, name.len);
        return name.len;
    }
    int n = snprintf(out, cap, "%" PRIu32, p->uid);
    return n > 0 ? (size_t)n : 0;
}

static void
put_process(const struct wedr_alert_builder *b, struct wedr_json *j, const struct wedr_proc *p)
{
    char user[WEDR_MSG_NAME_MAX];
    wedr_json_obj_begin(j);
    wedr_json_key(j, "process_key");
    wedr_json_hex64(j, p->key);
    wedr_json_key(j, "pid");
    wedr_json_u64(j, p->pid);
    put(j, "image_path", p->image, p->image_len);
    put(j, "command_line", p->command, p->command_len);
    if (p->has_uid) {
        put(j, "user", user, user_text(b, p, user, sizeof(user)));
    }
    wedr_json_key(j, "started");
    wedr_json_time_us(j, p->started_us);
    wedr_json_obj_end(j);
}

static size_t
put_ancestry(struct wedr_alert_builder *b, struct wedr_proctree *processes, uint64_t key)
{
    struct wedr_json j;
    size_t n = 0;
    begin_part(&j, b->ancestry, WEDR_ALERT_ANCESTRY_MAX);
    for (; n < WEDR_ALERT_ANCESTORS_MAX; n++) { /* a loop of keys ends here too */
        const struct wedr_proc *p = wedr_proctree_get(processes, key);
        struct wedr_json before = j;
        if (!p) {
            break;
        }
        put_process(b, &j, p);
        key = p->parent_key;
        if (!whole(&j, &before)) {
            break;
        }
    }
    return n > 0 ? end_part(&j) : 0;
}

/* Up to max bytes, up to the first NUL, whole characters. */
static int set_text(struct wedr_record *r, const char *name, const char *s, size_t len, size_t max)
{
    const char *nul = len > 0 ? memchr(s, 0, len) : NULL;
    size_t n = nul ? (size_t)(nul - s) : len;
    bool cut = n > max;
    if (cut) {
        n = max;
        while (n > 0 && ((unsigned char)s[n] & 0xC0u) == 0x80u) {
            n--;
        }
    }
    return wedr_record_set_str(r, name, s, n, cut ? WEDR_SF_CUT : 0);
}

/* Whole entries while they fit. */
static int set_list(struct wedr_record *r, const char *name, struct wedr_text_list list)
{
    char text[LIST_MAX];
    size_t n = 0;
    uint16_t flags = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        const struct wedr_text *t = &list.v[i];
        if (t->len + 1u > sizeof(text) - n) {
            flags = WEDR_SF_CUT;
            break;
        }
        memcpy(text + n, t->p, t->len);
        n += t->len;
        text[n++] = '\0';
    }
    return wedr_record_set_str(r, name, text, n, flags);
}

static int set_actions(struct wedr_record *r, uint8_t actions)
{
    static const struct {
        uint8_t bit;
        struct wedr_text text;
    } names[] = {{WEDR_ACTION_LOG, {"log", 3}},
                 {WEDR_ACTION_ALERT, {"alert", 5}},
                 {WEDR_ACTION_KILL, {"kill", 4}}};
    struct wedr_text on[WEDR_ARRAY_COUNT(names)];
    struct wedr_text_list list = {on, 0};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
        if ((actions & names[i].bit) != 0) {
            on[list.count++] = names[i].text;
        }
    }
    return set_list(r, "actions", list);
}

/* The rule's message, and what there is to add to it. */
static int set_message(struct wedr_record *r, const struct wedr_alert *a)
{
    char text[MESSAGE_MAX];
    struct wedr_text m = a->rule->message;
    if (a->note.len == 0) {
        return set_text(r, "message", m.p, m.len, MESSAGE_MAX);
    }
    size_t n = m.len < MESSAGE_MAX / 2 ? m.len : 0; /* the note matters more than a long text */
    if (n > 0) {
        memcpy(text, m.p, n);
        memcpy(text + n, ": ", 2);
        n += 2;
    }
    size_t more = a->note.len < sizeof(text) - n ? a->note.len : sizeof(text) - n;
    memcpy(text + n, a->note.p, more);
    return set_text(r, "message", text, n + more, MESSAGE_MAX);
}

static int set_rule(struct wedr_record *r, const struct wedr_alert *a)
{
    const struct wedr_rule *rule = a->rule;
    char serial[24];
    int err = set_text(r, "alert_id", a->id, WEDR_ALERT_ID_TEXT - 1, ID_MAX);
    if (err != WEDR_OK ||
        (err = set_text(r, "rule_id", rule->id.p, rule->id.len, ID_MAX)) != WEDR_OK ||
        (err = set_text(r, "rule_title", rule->title.p, rule->title.len, TITLE_MAX)) != WEDR_OK ||
        (err = set_text(r, "rule_language", rule->language.p, rule->language.len, ID_MAX)) !=
            WEDR_OK ||
        (err = wedr_record_set_uint(r, "severity", rule->severity + 1u)) != WEDR_OK ||
        (err = set_message(r, a)) != WEDR_OK ||
        (err = set_list(r, "tags", rule->tags)) != WEDR_OK ||
        (err = set_actions(r, rule->actions)) != WEDR_OK) {
        return err;
    }
    int n = snprintf(serial, sizeof(serial), "%" PRIu64, a->rules_serial);
    err = set_text(r, "rules_serial", serial, n > 0 ? (size_t)n : 0, ID_MAX);
    return err == WEDR_OK ? set_text(r, "profile", a->profile, strlen(a->profile), ID_MAX) : err;
}

static int set_process(const struct wedr_alert_builder *b,
                       struct wedr_record *r,
                       const struct wedr_alert *a,
                       const struct wedr_proc *p)
{
    char user[WEDR_MSG_NAME_MAX];
    int err = wedr_record_set_uint(r, "pid", a->s.pid);
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "process_key", a->s.process_key);
    }
    if (err != WEDR_OK || !p) {
        return err;
    }
    err = set_text(r, "image_path", p->image, p->image_len, WEDR_PROC_IMAGE_MAX);
    if (err == WEDR_OK) {
        err = set_text(r, "command_line", p->command, p->command_len, WEDR_PROC_COMMAND_MAX);
    }
    if (err == WEDR_OK && p->has_uid) {
        err = set_text(r, "user", user, user_text(b, p, user, sizeof(user)), sizeof(user));
    }
    return err;
}

static int set_numbers(struct wedr_record *r, const struct wedr_alert *a)
{
    int err = wedr_record_set_uint(r, "event_time", (uint64_t)a->s.time_us);
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "suppressed", a->suppressed);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "match_count", a->match_count);
    }
    return err == WEDR_OK ? set_text(r, "entity", a->entity, strlen(a->entity), ID_MAX) : err;
}

int wedr_alert_build(struct wedr_alert_builder *b,
                     const struct wedr_alert *a,
                     struct wedr_proctree *processes,
                     bool with_lines,
                     struct wedr_record *ret_record)
{
    struct wedr_record r;
    int err = wedr_record_begin(&r, b->record, WEDR_RECORD_MAX, WEDR_EV_ALERT, WEDR_OS_LINUX);
    if (err == WEDR_OK) {
        err = set_rule(&r, a);
    }
    if (err == WEDR_OK) {
        err = set_process(b, &r, a, wedr_proctree_get(processes, a->s.process_key));
    }
    if (err == WEDR_OK) {
        err = set_numbers(&r, a);
    }
    if (err != WEDR_OK) {
        return err;
    }
    size_t n = put_evidence(b, a, with_lines);
    err = wedr_record_set_str(&r, "evidence", b->evidence, n, 0);
    if (err == WEDR_OK) {
        n = put_ancestry(b, processes, a->s.process_key);
        err = wedr_record_set_str(&r, "ancestry", b->ancestry, n, 0);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_str(&r, "matched", b->matched, b->matched_len, 0);
    }
    if (err == WEDR_OK) {
        *ret_record = r;
    }
    return err;
}
