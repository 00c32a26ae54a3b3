/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/encode.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include "encode/notes.h"
#include "encode/proctab.h"
#include "encode/values.h"

#define FILETIME_EPOCH_US 11644473600000000 /* 1601 to 1970 */
#define CODE_LIMIT 128u                     /* type codes of version 7 are below */

struct wedr_encoder {
    struct wedr_program *programs; /* one per type and system */
    uint8_t index[2][CODE_LIMIT];  /* [os - 1][type] -> 1 + index in programs, 0: none */
    struct wedr_proctab *table;
    struct wedr_second second;       /* of ts */
    struct wedr_second other;        /* of times inside records */
    const struct wedr_program *last; /* that wrote the last line */
    uint32_t note_count;
    struct wedr_note notes[WEDR_NOTES_MAX];
};

/* One line while it is written. */
struct line {
    struct wedr_encoder *e;
    const struct wedr_event_view *v;
    struct wedr_line_text t;
    char *begin;
    uint16_t id; /* of the key that the step writes */
};

int wedr_encoder_new(struct wedr_encoder **ret)
{
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    struct wedr_encoder *e = wedr_alloc(1, sizeof(*e));
    int err = WEDR_E_NOMEM;
    if (!e) {
        return err;
    }
    e->table = wedr_proctab_new();
    e->programs = wedr_alloc(2 * count, sizeof(*e->programs));
    if (!e->table || !e->programs) {
        goto out;
    }
    uint8_t made = 0;
    for (unsigned os = WEDR_OS_WINDOWS; os <= WEDR_OS_LINUX; os++) {
        for (size_t i = 0; i < count; i++) {
            if ((types[i].os_mask & os) == 0) {
                continue;
            }
            err = types[i].code < CODE_LIMIT
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
        wedr_proctab_free(e->table);
        wedr_free(e->programs);
        wedr_free(e);
    }
}

const struct wedr_program *
wedr_encoder_program(const struct wedr_encoder *e, uint8_t os, uint16_t type)
{
    uint8_t index =
        os < WEDR_OS_WINDOWS || os > WEDR_OS_LINUX ? 0 : e->index[os - 1][type % CODE_LIMIT];
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

struct ref {
    struct wedr_span s;
    uint16_t flags;
};

static struct ref string_at(const struct line *l, uint16_t offset)
{
    const uint8_t *r = l->v->rec.p + offset;
    uint16_t len = wedr_le16(r + 4);
    return (struct ref){wedr_span(len > 0 ? l->v->rec.p + wedr_le32(r) : NULL, len),
                        wedr_le16(r + 6)};
}

/* A value begins here, behind key_len bytes of its key. */
static void note(struct line *l, unsigned id, size_t key_len)
{
    struct wedr_encoder *e = l->e;
    e->notes[e->note_count++] =
        (struct wedr_note){(uint32_t)(l->t.p - l->begin), (uint16_t)id, (uint8_t)key_len};
}

/* The first n bytes of a key. As many as any key has are copied, because a copy of constant size is
 * a few moves; the slack has room for what is too much. */
static void copy_key(struct line *l, const struct wedr_step *s, size_t n)
{
    memcpy(l->t.p, s->key, sizeof(s->key));
    l->t.p += n;
}

/* Key of a step with a suffix: ,"name_hex": */
static void key_with(struct line *l, const struct wedr_step *s, enum wedr_note_suffix suffix)
{
    static const struct {
        char text[8];
        uint8_t len;
    } suffixes[] = {{"", 0}, {"_cut", 4}, {"_hex", 4}, {"_code", 5}};
    copy_key(l, s, (size_t)s->key_len - 2);
    memcpy(l->t.p, suffixes[suffix].text, sizeof(suffixes[suffix].text));
    l->t.p += suffixes[suffix].len;
    text_copy(&l->t, "\":", 2);
    note(l, l->id + (unsigned)suffix, (size_t)s->key_len + suffixes[suffix].len);
}

static void key(struct line *l, const struct wedr_step *s)
{
    copy_key(l, s, s->key_len);
    note(l, l->id, s->key_len);
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

static void put_bool(struct line *l, const struct wedr_step *s, bool value)
{
    key(l, s);
    if (value) {
        text_copy(&l->t, "true", 4);
    } else {
        text_copy(&l->t, "false", 5);
    }
}

static void put_text(struct line *l, const struct wedr_step *s, struct wedr_span text, bool utf16)
{
    if (text.len > 0 && text_fits(&l->t, 0)) {
        key(l, s);
        (void)text_str(&l->t, text.p, text.len, utf16);
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

static void step_table_name(struct line *l, const struct wedr_step *s)
{
    struct wedr_span path = wedr_proctab_get(l->e->table, wedr_le64(l->v->rec.p + s->offset));
    struct wedr_span name = l->v->h.os == WEDR_OS_WINDOWS ? wedr_value_windows_name(path)
                                                          : wedr_value_basename(path, false);
    if (name.len == 0 && s->offset2 != 0) {
        name = string_at(l, s->offset2).s;
    }
    put_text(l, s, name, false);
}

static void step_names(struct line *l, const struct wedr_step *s)
{
    struct ref r;
    struct wedr_span id;
    switch (s->code) {
    case WEDR_STEP_ARGV_LIST:
        r = string_at(l, s->offset);
        if (r.s.len > 0 && text_fits(&l->t, 0)) {
            key(l, s);
            wedr_value_list(&l->t, r.s, false);
        }
        break;
    case WEDR_STEP_PARENT_NAME:
    case WEDR_STEP_IMAGE_NAME:
        r = string_at(l, s->offset);
        put_text(l, s, wedr_value_basename(r.s, (r.flags & WEDR_SF_UTF16) != 0),
                 (r.flags & WEDR_SF_UTF16) != 0);
        break;
    case WEDR_STEP_CONTAINER:
        if (wedr_value_container(string_at(l, s->offset).s, &id)) {
            put_text(l, s, id, false);
        }
        break;
    case WEDR_STEP_TABLE_NAME:
        step_table_name(l, s);
        break;
    default:
        put_text(l, s, wedr_proctab_get(l->e->table, wedr_le64(l->v->rec.p + s->offset)), false);
        break;
    }
}

static bool is_remote(const struct line *l, const struct wedr_step *s)
{
    uint32_t pid = wedr_le32(l->v->rec.p + s->offset);
    uint32_t creator = wedr_le32(l->v->rec.p + s->offset2);
    /* The first thread of a process is made by its creator: that is a start, not an injection. */
    bool first = s->offset3 != 0 && l->v->rec.p[s->offset3] != 0;

    return creator != 0 && creator != pid && !first;
}

static uint64_t address_family(const struct line *l, const struct wedr_step *s)
{
    uint8_t family = l->v->rec.p[s->offset];
    return family != 0 ? family : l->v->rec.p[s->offset2];
}

static void put_plain(struct line *l, const struct wedr_step *s, const char *text)
{
    put_text(l, s, wedr_span(text, strlen(text)), false);
}

/* Registry data as rules know it from Sysmon. */
static void step_data_text(struct line *l, const struct wedr_step *s)
{
    char number[40];
    uint8_t room[1024];
    struct wedr_span data = string_at(l, s->offset).s;
    uint32_t type = wedr_le32(l->v->rec.p + s->offset2);
    if (data.len == 0) {
        return;
    }
    if (wedr_value_is_registry_text(type)) {
        put_text(l, s, wedr_value_registry_text(type, data, room, sizeof(room)), true);
    } else {
        put_plain(l, s, wedr_value_registry_number(type, data, number, sizeof(number)));
    }
}

static void step_derived(struct line *l, const struct wedr_step *s)
{
    const uint8_t *p = l->v->rec.p;
    switch (s->code) {
    case WEDR_STEP_EXISTING:
        if ((l->v->h.flags & WEDR_EVF_EXISTING) != 0) {
            put_bool(l, s, true);
        }
        break;
    case WEDR_STEP_CLEAN_EXIT:
        put_bool(l, s,
                 wedr_le32(p + s->offset) == 0 &&
                     (s->offset2 == 0 || wedr_le32(p + s->offset2) == 0));
        break;
    case WEDR_STEP_SCOPE:
        put_plain(l, s,
                  wedr_le32(p + s->offset) == 0 ||
                          (s->offset2 != 0 && wedr_le16(p + s->offset2) != 0)
                      ? "kernel"
                      : "user");
        break;
    case WEDR_STEP_DATA_TRUNCATED:
        put_bool(l, s, string_at(l, s->offset).s.len < wedr_le32(p + s->offset2));
        break;
    case WEDR_STEP_DATA_TEXT:
        step_data_text(l, s);
        break;
    case WEDR_STEP_REMOTE:
        put_bool(l, s, is_remote(l, s));
        break;
    case WEDR_STEP_SOURCE_PID:
        key(l, s);
        text_u64(&l->t, wedr_le32(p + s->offset));
        break;
    case WEDR_STEP_IP_VERSION:
        key(l, s);
        text_u64(&l->t, address_family(l, s));
        break;
    case WEDR_STEP_DIRECTION:
        put_plain(l, s, s->required ? "inbound" : "outbound");
        break;
    case WEDR_STEP_INTEGRITY: {
        const char *name = wedr_value_integrity(wedr_le32(p + s->offset));
        if (name) {
            put_plain(l, s, name);
        }
        break;
    }
    default:
        step_names(l, s);
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
            step_derived(l, s);
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

static uint64_t key_field(const struct wedr_event_view *v, const char *name)
{
    const struct wedr_field_info *f = wedr_event_field(v, name);
    return f ? wedr_event_uint(v, f) : 0;
}

/* Keeps the image of a new process; Windows paths as UTF-8. */
static void keep_image(struct line *l, uint16_t offset, uint64_t process_key)
{
    uint8_t copy[WEDR_PROCTAB_PATH_MAX];
    struct ref path = string_at(l, offset);
    if ((path.flags & WEDR_SF_UTF16) != 0) {
        struct wedr_utf_result r = wedr_utf16_to_utf8(path.s.p, path.s.len, copy, sizeof(copy));
        path.s = wedr_span(copy, r.used == path.s.len ? r.len : 0);
    }
    wedr_proctab_put(l->e->table, process_key, path.s);
}

/* Before the line: what a new process runs. */
static void learn(struct line *l)
{
    const struct wedr_event_view *v = l->v;
    if (v->h.type == WEDR_EV_PROCESS_CREATE && v->h.os == WEDR_OS_LINUX) {
        keep_image(l, offsetof(struct wedr_linux_process_create, image_path),
                   wedr_le64(v->rec.p + offsetof(struct wedr_linux_process_create, process_key)));
    } else if (v->h.type == WEDR_EV_PROCESS_CREATE) {
        keep_image(l, offsetof(struct wedr_windows_process_create, image_path),
                   wedr_le64(v->rec.p + offsetof(struct wedr_windows_process_create, process_key)));
    } else if (v->h.type == WEDR_EV_PROCESS_FORK) {
        uint8_t copy[WEDR_PROCTAB_PATH_MAX];
        struct wedr_span path = wedr_proctab_get(l->e->table, key_field(v, "parent_key"));
        if (path.len > 0) {
            memcpy(copy, path.p, path.len);
            wedr_proctab_put(l->e->table, key_field(v, "process_key"), wedr_span(copy, path.len));
        }
    }
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
    struct line l = {e, v, {out, out + cap, false}, out, 0};
    if (!p) {
        return WEDR_E_VERSION;
    }
    e->last = p;
    e->note_count = 0;
    if (!text_fits(&l.t, sizeof(p->head))) {
        return WEDR_E_LIMIT;
    }
    learn(&l);
    text_copy(&l.t, "{\"ts\":", 6);
    note(&l, WEDR_NOTE_TS, 0);
    *l.t.p++ = '"';
    wedr_value_time(&l.t, &e->second, utc_of(v, clock));
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
    if (v->h.type == WEDR_EV_PROCESS_TERMINATE) {
        wedr_proctab_remove(e->table, key_field(v, "process_key"));
    }
    *ret_len = (size_t)(l.t.p - out);
    return WEDR_OK;
}
