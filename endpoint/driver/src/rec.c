/* SPDX-License-Identifier: Apache-2.0 */
#include "rec.h"

#include "evq.h"
#include "kapi.h"

static const WCHAR nul_sign = 0x2400; /* SYMBOL FOR NULL */
static const WCHAR backslash = L'\\';

void wedr_rec_begin(struct wedr_rec *r, void *fixed, size_t fixed_len, uint16_t type, uint8_t lane)
{
    WEDR_MEMSET(fixed, 0, fixed_len);
    r->head = fixed;
    r->head->version = WEDR_WIRE_VERSION;
    r->head->type = type;
    r->head->fixed_size = (uint16_t)fixed_len;
    r->head->os = WEDR_OS_WINDOWS;
    r->head->time = wedr_kapi_now();
    r->len = (uint32_t)fixed_len;
    r->cuts = 0;
    r->lane = lane;
    r->parts[0].p = fixed;
    r->parts[0].len = fixed_len;
    r->count = 1;
}

static bool add_part(struct wedr_rec *r, const void *p, size_t len)
{
    if (len == 0) {
        return true;
    }
    if (r->count == WEDR_REC_PARTS_MAX) {
        return false;
    }
    r->parts[r->count].p = p;
    r->parts[r->count].len = len;
    r->count++;
    r->len += (uint32_t)len;
    return true;
}

static void cut(struct wedr_rec *r, uint16_t *flags)
{
    if ((*flags & WEDR_SF_CUT) == 0) {
        *flags |= WEDR_SF_CUT;
        r->cuts++;
    }
}

static bool is_text(PCUNICODE_STRING s)
{
    return s && s->Buffer && s->Length > 0;
}

/* Bytes to take of a text: whole UTF-16 units, no half of a surrogate pair at a cut. */
static size_t text_len(PCUNICODE_STRING s, size_t max)
{
    size_t len = s->Length & ~(size_t)1;

    if (len > max) {
        len = max & ~(size_t)1;
        if (len > 0 && (s->Buffer[len / 2 - 1] & 0xfc00u) == 0xd800u) {
            len -= 2;
        }
    }
    return len;
}

/* Appends what fits of s into max bytes; each NUL becomes its sign. */
static void append(struct wedr_rec *r, PCUNICODE_STRING s, size_t max, uint16_t *flags)
{
    size_t units = text_len(s, max) / 2;
    size_t from = 0;

    if (units * 2 < s->Length) {
        cut(r, flags);
    }
    for (size_t i = 0; i < units; i++) {
        if (s->Buffer[i] == 0) {
            if (!add_part(r, s->Buffer + from, (i - from) * 2) ||
                !add_part(r, &nul_sign, sizeof(nul_sign))) {
                cut(r, flags);
                return;
            }
            from = i + 1;
        }
    }
    if (!add_part(r, s->Buffer + from, (units - from) * 2)) {
        cut(r, flags);
    }
}

/* The reference to what was added since the record had `start` bytes. */
static void
refer(const struct wedr_rec *r, struct wedr_str_ref *ref, uint32_t start, uint16_t flags)
{
    ref->offset = r->len > start ? start : 0;
    ref->len = (uint16_t)(r->len - start);
    ref->flags = flags;
}

void wedr_rec_joined(struct wedr_rec *r,
                     struct wedr_str_ref *ref,
                     PCUNICODE_STRING root,
                     PCUNICODE_STRING leaf,
                     size_t max)
{
    uint16_t flags = WEDR_SF_UTF16;
    uint32_t start = r->len;

    if (!is_text(root) && !is_text(leaf)) {
        return;
    }
    if (is_text(root)) {
        append(r, root, max, &flags);
    }
    if (is_text(root) && is_text(leaf) && (flags & WEDR_SF_CUT) == 0 &&
        r->len - start + sizeof(backslash) <= max) {
        (void)add_part(r, &backslash, sizeof(backslash));
    }
    if (is_text(leaf) && (flags & WEDR_SF_CUT) == 0) {
        append(r, leaf, max - (r->len - start), &flags);
    }
    refer(r, ref, start, flags);
}

void wedr_rec_text(struct wedr_rec *r, struct wedr_str_ref *ref, PCUNICODE_STRING s, size_t max)
{
    wedr_rec_joined(r, ref, s, NULL, max);
}

void wedr_rec_bytes(
    struct wedr_rec *r, struct wedr_str_ref *ref, const void *p, size_t len, size_t whole)
{
    uint16_t flags = 0;
    uint32_t start = r->len;

    if (len < whole) {
        cut(r, &flags);
    }
    if (!add_part(r, p, len)) {
        cut(r, &flags);
    }
    refer(r, ref, start, flags);
}

void wedr_rec_unreadable(struct wedr_str_ref *ref)
{
    ref->offset = 0;
    ref->len = 0;
    ref->flags = WEDR_SF_UNREADABLE;
}

void wedr_rec_push(struct wedr_rec *r)
{
    r->head->size = r->len;
    r->head->stream = r->lane == WEDR_LANE_BULK ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL;
    wedr_evq_push(r);
}
