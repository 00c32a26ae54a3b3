/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/line.h — a line while it is written, shared by encode.c (what stands in
 * the record) and derived.c (what is added to it). Private to encode/.
 */
#pragma once

#include "core/base/endian.h"
#include "encode/cgroup.h"
#include "encode/encode.h"
#include "encode/notes.h"
#include "encode/proctree.h"
#include "encode/redact.h"
#include "encode/values.h"
#include "enrich/facts.h"

#define ENCODE_CODE_LIMIT 128u /* type codes of version 7 are below */
#define ENCODE_ORIGINALS 4u    /* values of a line that rules see as they were */
#define ENCODE_ORIGINAL_BYTES (256u << 10)

/* A value that the line has without its secrets. */
struct original {
    uint16_t id; /* of the note */
    uint32_t at, len;
};

struct wedr_encoder {
    struct wedr_program *programs;       /* one per type and system */
    uint8_t index[2][ENCODE_CODE_LIMIT]; /* [os - 1][type] -> 1 + index in programs, 0: none */
    struct wedr_proctree *tree;
    struct wedr_facts *facts;        /* NULL: none */
    struct wedr_redact *redact;      /* NULL: off */
    struct wedr_second second;       /* of ts */
    struct wedr_second other;        /* of times inside records */
    const struct wedr_program *last; /* that wrote the last line */
    uint32_t note_count;
    uint32_t original_count;
    struct original originals[ENCODE_ORIGINALS];
    char *original; /* ENCODE_ORIGINAL_BYTES; NULL while redaction is off */
    struct wedr_note notes[WEDR_NOTES_MAX];
};

/* One line while it is written. */
struct line {
    struct wedr_encoder *e;
    const struct wedr_event_view *v;
    struct wedr_line_text t;
    char *begin;
    uint16_t id; /* of the key that the step writes */
    int64_t utc_us;
    struct wedr_span command; /* without its secrets, when `redacted` */
    bool redacted;
    bool cgroup_seen;
    struct wedr_cgroup cgroup;          /* once it was seen */
    const struct wedr_facts_file *file; /* of the executable; NULL: not known */
};

struct ref {
    struct wedr_span s;
    uint16_t flags;
};

static inline struct ref string_at(const struct line *l, uint16_t offset)
{
    const uint8_t *r = l->v->rec.p + offset;
    uint16_t len = wedr_le16(r + 4);
    return (struct ref){wedr_span(len > 0 ? l->v->rec.p + wedr_le32(r) : NULL, len),
                        wedr_le16(r + 6)};
}

/* A value begins here, behind key_len bytes of its key. */
static inline void note(struct line *l, unsigned id, size_t key_len)
{
    struct wedr_encoder *e = l->e;
    e->notes[e->note_count++] =
        (struct wedr_note){(uint32_t)(l->t.p - l->begin), (uint16_t)id, (uint8_t)key_len};
}

/* The first n bytes of a key. As many as any key has are copied, because a copy of constant size is
 * a few moves; the slack has room for what is too much. */
static inline void copy_key(struct line *l, const struct wedr_step *s, size_t n)
{
    memcpy(l->t.p, s->key, sizeof(s->key));
    l->t.p += n;
}

static inline void key(struct line *l, const struct wedr_step *s)
{
    copy_key(l, s, s->key_len);
    note(l, l->id, s->key_len);
}

/* Key of a step with a suffix: ,"name_hex": */
static inline void key_with(struct line *l, const struct wedr_step *s, enum wedr_note_suffix suffix)
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

static inline void put_bool(struct line *l, const struct wedr_step *s, bool value)
{
    key(l, s);
    if (value) {
        text_copy(&l->t, "true", 4);
    } else {
        text_copy(&l->t, "false", 5);
    }
}

/* derived.c: a step behind WEDR_STEP_FLAGS. */
void encode_derived(struct line *l, const struct wedr_step *s);
/* The list of arguments, as text or as an array, was written without its secrets: keeps it as it
 * was, for rules. */
void encode_keep_original(struct line *l, struct wedr_span list, bool array);
