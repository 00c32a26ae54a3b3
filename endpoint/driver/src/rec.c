/* SPDX-License-Identifier: Apache-2.0 */
#include "rec.h"

#include "core/base/endian.h"
#include "evq.h"
#include "kapi.h"
#include "stage.h"

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
    r->parts[0].len = (uint32_t)fixed_len;
    r->parts[0].text = false;
    r->count = 1;
}

static bool add_part(struct wedr_rec *r, const void *p, size_t len, bool text)
{
    if (len == 0) {
        return true;
    }
    if (r->count == WEDR_REC_PARTS_MAX) {
        return false;
    }
    r->parts[r->count].p = p;
    r->parts[r->count].len = (uint32_t)len;
    r->parts[r->count].text = text;
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

/* Appends what fits of s into max bytes. */
static void append(struct wedr_rec *r, PCUNICODE_STRING s, size_t max, uint16_t *flags)
{
    size_t len = text_len(s, max);

    if (len < s->Length) {
        cut(r, flags);
    }
    if (!add_part(r, s->Buffer, len, true)) {
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
        (void)add_part(r, &backslash, sizeof(backslash), true);
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
    if (!add_part(r, p, len, false)) {
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

/* The wire has no NUL in text: each becomes U+2400, SYMBOL FOR NULL. */
static void show_nuls(uint8_t *text, size_t len)
{
    size_t i = 0;

    while (i + 2 <= len) {
        /* Four units at once, as long as none of them is 0. */
        if (i + 8 <= len) {
            uint64_t four = wedr_le64(text + i);

            if (((four - 0x0001000100010001ull) & ~four & 0x8000800080008000ull) == 0) {
                i += 8;
                continue;
            }
        }
        if (wedr_le16(text + i) == 0) {
            wedr_put_le16(text + i, 0x2400);
        }
        i += 2;
    }
}

static void put_together(const struct wedr_rec *r, uint8_t *to)
{
    for (unsigned i = 0; i < r->count; i++) {
        WEDR_MEMCPY(to, r->parts[i].p, r->parts[i].len);
        if (r->parts[i].text) {
            show_nuls(to, r->parts[i].len);
        }
        to += r->parts[i].len;
    }
}

bool wedr_rec_push(struct wedr_rec *r)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    uint8_t *place;

    r->head->size = r->len;
    r->head->stream = r->lane == WEDR_LANE_BULK ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL;
    /* Whoever suspends this thread waits until it has given its place back. */
    KeEnterCriticalRegion();
    place = wedr_stage_claim(r->len);
    if (place) {
        put_together(r, place);
        wedr_evq_push(place, r->len, r->lane, r->cuts);
        wedr_stage_release(place);
    } else {
        wedr_evq_lose(r->lane);
    }
    KeLeaveCriticalRegion();
    return place != NULL;
}
