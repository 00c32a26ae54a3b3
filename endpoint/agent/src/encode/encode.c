/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/encode.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "encode/line.h"

#define FILETIME_EPOCH_US 11644473600000000 /* 1601 to 1970 */

int wedr_encoder_new(struct wedr_encoder **ret)
{
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    struct wedr_encoder *e = wedr_alloc(1, sizeof(*e));
    int err = WEDR_E_NOMEM;
    if (!e) {
        return err;
    }
    e->tree = wedr_proctree_new(WEDR_PROCTREE_DEFAULT);
    e->programs = wedr_alloc(2 * count, sizeof(*e->programs));
    if (!e->tree || !e->programs) {
        goto out;
    }
    uint8_t made = 0;
    for (unsigned os = WEDR_OS_WINDOWS; os <= WEDR_OS_LINUX; os++) {
        for (size_t i = 0; i < count; i++) {
            if ((types[i].os_mask & os) == 0) {
                continue;
            }
            err = types[i].code < ENCODE_CODE_LIMIT
                      ? wedr_program_make(&types[i], (uint8_t)os, &e->programs[made])
                      : WEDR_E_BUG;
            if (err != WEDR_OK) {
                goto out;
            }
            e->index[os - 1][types[i].code] = ++made;
        }
    }
    *ret = e;
    return WEDR_OK;
out:
    wedr_encoder_free(e);
    return err;
}

void wedr_encoder_free(struct wedr_encoder *e)
{
    if (e) {
        wedr_proctree_free(e->tree);
        wedr_redact_free(e->redact);
        if (e->original) {
            wedr_free_secret(e->original, ENCODE_ORIGINAL_BYTES);
        }
        wedr_free(e->programs);
        wedr_free(e);
    }
}

struct wedr_proctree *wedr_encoder_tree(struct wedr_encoder *e)
{
    return e->tree;
}

void wedr_encoder_facts(struct wedr_encoder *e, struct wedr_facts *facts)
{
    e->facts = facts;
}

struct wedr_span wedr_encoder_user(const struct wedr_encoder *e, uint32_t uid)
{
    return e->facts ? wedr_facts_name(e->facts, false, uid) : wedr_span(NULL, 0);
}

int wedr_encoder_redact(struct wedr_encoder *e, const char *names)
{
    struct wedr_redact *r = NULL;
    char *original = wedr_alloc(ENCODE_ORIGINAL_BYTES, 1);
    int err = original ? wedr_redact_new(names, &r) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        wedr_free(original);
        return err;
    }
    wedr_redact_free(e->redact);
    wedr_free(e->original);
    e->redact = r;
    e->original = original;
    return WEDR_OK;
}

uint64_t wedr_encoder_redacted(const struct wedr_encoder *e)
{
    return e->redact ? wedr_redact_count(e->redact) : 0;
}

size_t wedr_encoder_hide(const struct wedr_encoder *e, char *text, size_t len)
{
    return e->redact ? wedr_redact_text(e->redact, text, len) : len;
}

bool wedr_encoder_original(const struct wedr_encoder *e,
                           uint16_t id,
                           const char **ret_value,
                           uint32_t *ret_len)
{
    for (uint32_t i = 0; i < e->original_count; i++) {
        if (e->originals[i].id == id) {
            *ret_value = e->original + e->originals[i].at;
            *ret_len = e->originals[i].len;
            return true;
        }
    }
    return false;
}

const struct wedr_program *
wedr_encoder_program(const struct wedr_encoder *e, uint8_t os, uint16_t type)
{
    uint8_t index =
        os < WEDR_OS_WINDOWS || os > WEDR_OS_LINUX ? 0 : e->index[os - 1][type % ENCODE_CODE_LIMIT];
    return index == 0 ? NULL : &e->programs[index - 1];
}

const struct wedr_note *wedr_encoder_notes(const struct wedr_encoder *e,
                                           const struct wedr_program **ret_program,
                                           size_t *ret_count)
{
    *ret_program = e->last;
    *ret_count = e->note_count;
    return e->notes;
}

static void
add_bytes_hex(struct line *l, const struct wedr_step *s, struct wedr_span bytes, bool suffix)
{
    if (!text_fits(&l->t, 2 * bytes.len)) {
        return;
    }
    if (suffix) {
        key_with(l, s, WEDR_NOTE_HEX);
    } else {
        key(l, s);
    }
    *l->t.p++ = '"';
    text_hex(&l->t, bytes.p, bytes.len);
    *l->t.p++ = '"';
}

/* The decoder made sure that it is one value without blanks. */
static void add_json(struct line *l, const struct wedr_step *s, struct wedr_span value)
{
    if (!text_fits(&l->t, value.len)) {
        return;
    }
    key(l, s);
    if (value.len > 0) {
        text_copy(&l->t, (const char *)value.p, value.len);
    } else {
        text_copy(&l->t, "[]", 2);
    }
}

static void step_string(struct line *l, const struct wedr_step *s)
{
    struct ref r = string_at(l, s->offset);
    bool valid = true;
    bool without = l->redacted && s->code == WEDR_STEP_ARGV;
    if (without) {
        r.s = l->command;
    }
    bool utf16 = (r.flags & WEDR_SF_UTF16) != 0;
    if ((r.s.len == 0 && !s->required) || !text_fits(&l->t, 0)) {
        return;
    }
    if (s->code == WEDR_STEP_BYTES) {
        add_bytes_hex(l, s, r.s, false);
        return;
    }
    if (s->code == WEDR_STEP_JSON) {
        add_json(l, s, r.s);
        return;
    }
    key(l, s);
    if (s->code == WEDR_STEP_STR) {
        valid = text_str(&l->t, r.s.p, r.s.len, utf16);
    } else if (s->code == WEDR_STEP_ARGV) {
        valid = wedr_value_joined(&l->t, r.s);
        if (without) {
            encode_keep_original(l, string_at(l, s->offset).s, false);
        }
    } else {
        wedr_value_list(&l->t, r.s, utf16);
    }
    if (!s->exact || s->code == WEDR_STEP_LIST || !text_fits(&l->t, 0)) {
        return;
    }
    if ((r.flags & (WEDR_SF_CUT | WEDR_SF_HEAD_CUT)) != 0) {
        key_with(l, s, WEDR_NOTE_CUT);
        text_copy(&l->t, "true", 4);
    }
    if (!valid) {
        add_bytes_hex(l, s, r.s, true);
    }
}

static void step_label(struct line *l, const struct wedr_step *s)
{
    uint32_t code = wedr_le16(l->v->rec.p + s->offset);
    const char *text = wedr_label_text(s->kind, code);
    if (code == 0 && !s->required) {
        return;
    }
    if (!text) {
        text = "unknown";
    }
    key(l, s);
    *l->t.p++ = '"';
    text_copy(&l->t, text, strlen(text));
    *l->t.p++ = '"';
    if (s->exact) {
        key_with(l, s, WEDR_NOTE_CODE);
        text_u64(&l->t, code);
    }
}

static void step_unsigned(struct line *l, const struct wedr_step *s)
{
    const uint8_t *p = l->v->rec.p + s->offset;
    uint64_t v = s->code == WEDR_STEP_U32   ? wedr_le32(p)
                 : s->code == WEDR_STEP_U64 ? wedr_le64(p)
                 : s->code == WEDR_STEP_U16 ? wedr_le16(p)
                                            : *p;
    if (v != 0 || s->required) {
        key(l, s);
        text_u64(&l->t, v);
    }
}

static void step_fixed(struct line *l, const struct wedr_step *s)
{
    const uint8_t *p = l->v->rec.p + s->offset;
    int64_t i = s->code == WEDR_STEP_I32   ? (int32_t)wedr_le32(p)
                : s->code == WEDR_STEP_I64 ? (int64_t)wedr_le64(p)
                                           : 0;
    switch (s->code) {
    case WEDR_STEP_I64:
    case WEDR_STEP_I32:
        if (i != 0 || s->required) {
            key(l, s);
            text_i64(&l->t, i);
        }
        break;
    case WEDR_STEP_BOOL:
        if (*p != 0 || s->required) {
            put_bool(l, s, *p != 0);
        }
        break;
    case WEDR_STEP_KEY:
        if (wedr_le64(p) != 0 || s->required) {
            key(l, s);
            text_key64(&l->t, wedr_le64(p));
        }
        break;
    case WEDR_STEP_TIME:
        key(l, s);
        *l->t.p++ = '"';
        wedr_value_time(&l->t, &l->e->other, (int64_t)wedr_le64(p));
        text_copy(&l->t, "Z\"", 2);
        break;
    case WEDR_STEP_IP:
        if (*p != 0 || s->required) {
            key(l, s);
            wedr_value_ip(&l->t, p);
        }
        break;
    case WEDR_STEP_FLAGS:
        if (wedr_le32(p) != 0 || s->required) {
            key(l, s);
            wedr_value_flags(&l->t, s->kind, wedr_le32(p));
        }
        break;
    default:
        step_label(l, s);
        break;
    }
}

/* Each step writes its key with a comma before it; the first comma becomes the opening brace. A
 * step has `stride` ids, from `first` on. */
static void run_steps(
    struct line *l, const struct wedr_step *steps, size_t count, unsigned first, unsigned stride)
{
    char *begin = l->t.p;
    for (size_t i = 0; i < count; i++) {
        const struct wedr_step *s = &steps[i];
        l->id = (uint16_t)(first + i * stride);
        if (!text_fits(&l->t, 0)) {
            return;
        }
        if (s->code <= WEDR_STEP_U64) {
            step_unsigned(l, s);
        } else if (s->code >= WEDR_STEP_STR && s->code <= WEDR_STEP_BYTES) {
            step_string(l, s);
        } else if (s->code <= WEDR_STEP_FLAGS) {
            step_fixed(l, s);
        } else {
            encode_derived(l, s);
        }
    }
    if (l->t.p == begin && text_fits(&l->t, 0)) {
        *l->t.p++ = '{';
    } else {
        *begin = '{';
    }
    note(l, WEDR_NOTE_END, 0);
    if (text_fits(&l->t, 0)) {
        *l->t.p++ = '}';
    }
}

static int64_t utc_of(const struct wedr_event_view *v, struct wedr_clock_pair clock)
{
    if (v->h.os == WEDR_OS_WINDOWS) {
        return v->h.time / 10 - FILETIME_EPOCH_US;
    }
    /* Differences of u64 wrap the right way for records older than the pair; a hostile time is
     * clamped by the text. */
    int64_t delta = (int64_t)((uint64_t)v->h.time - clock.boot_ns) / 1000;
    int64_t sum;
    return __builtin_add_overflow(clock.utc_us, delta, &sum) ? 0 : sum;
}

/* Before the line: what a new process runs, and what is known of it. */
static void learn(struct line *l, struct wedr_clock_pair clock)
{
    const struct wedr_event_view *v = l->v;
    struct wedr_encoder *e = l->e;
    if (v->h.type == WEDR_EV_PROCESS_CREATE && v->h.os == WEDR_OS_LINUX) {
        struct ref r = string_at(l, offsetof(struct wedr_linux_process_create, command_line));
        l->redacted = e->redact && wedr_redact_args(e->redact, r.s, &l->command);
        l->file = e->facts ? wedr_facts_exec(e->facts, v, l->utc_us) : NULL;
    } else if (e->redact && v->h.type < WEDR_EV_AGENT_START) {
        wedr_redact_forget(e->redact);
    }
    wedr_proctree_learn(e->tree, v, clock, l->redacted ? &l->command : NULL);
}

static void end_of_line(struct line *l, const struct wedr_program *p)
{
    struct wedr_line_text *t = &l->t;
    const struct wedr_event_header *h = &l->v->h;
    if (!text_fits(t, sizeof(p->tail))) {
        return;
    }
    if (h->os == WEDR_OS_WINDOWS) {
        text_copy(t, ",\"ts_ft_100ns\":", 15);
        note(l, WEDR_NOTE_TS_FILETIME, 15);
        text_i64(t, h->time);
        note(l, WEDR_NOTE_END, 0);
    }
    text_copy(t, p->tail, p->tail_len);
    note(l, WEDR_NOTE_SEQ, 0);
    text_u64(t, h->seq);
    if (h->drop_count != 0) {
        text_copy(t, ",\"drop_count\":", 14);
        note(l, WEDR_NOTE_DROP_COUNT, 14);
        text_u64(t, h->drop_count);
    }
    if (h->trunc_count != 0) {
        text_copy(t, ",\"trunc_count\":", 15);
        note(l, WEDR_NOTE_TRUNC_COUNT, 15);
        text_u64(t, h->trunc_count);
    }
    note(l, WEDR_NOTE_END, 0);
    text_copy(t, "}\n", 2);
}

int wedr_encode(struct wedr_encoder *e,
                const struct wedr_event_view *v,
                struct wedr_clock_pair clock,
                char *out, /* NOLINT(readability-non-const-parameter): written through l */
                size_t cap,
                size_t *ret_len)
{
    const struct wedr_program *p = wedr_encoder_program(e, v->h.os, v->h.type);
    struct line l = {.e = e, .v = v, .t = {out, out + cap, false}, .begin = out};
    if (!p) {
        return WEDR_E_VERSION;
    }
    e->last = p;
    e->note_count = 0;
    e->original_count = 0;
    if (!text_fits(&l.t, sizeof(p->head))) {
        return WEDR_E_LIMIT;
    }
    l.utc_us = utc_of(v, clock);
    learn(&l, clock);
    text_copy(&l.t, "{\"ts\":", 6);
    note(&l, WEDR_NOTE_TS, 0);
    *l.t.p++ = '"';
    wedr_value_time(&l.t, &e->second, l.utc_us);
    text_copy(&l.t, p->head, 2);
    note(&l, WEDR_NOTE_END, 0);
    text_copy(&l.t, p->head + 2, (size_t)p->head_len - 2);
    if (p->pid_offset != 0 && wedr_le32(v->rec.p + p->pid_offset) != 0) {
        text_copy(&l.t, ",\"process\":", 11);
        run_steps(&l, p->process, p->process_count, WEDR_NOTE_PROCESS(0), 1);
    }
    if (text_fits(&l.t, 0)) {
        text_copy(&l.t, ",\"raw\":", 7);
        run_steps(&l, p->raw, p->raw_count, 0, 4);
    }
    end_of_line(&l, p);
    if (l.t.overflow) {
        return WEDR_E_LIMIT;
    }
    *ret_len = (size_t)(l.t.p - out);
    return WEDR_OK;
}
