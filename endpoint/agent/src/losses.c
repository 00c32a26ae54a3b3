/* SPDX-License-Identifier: Apache-2.0 */
#include "losses.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "spool/crc32c.h"
#include <string.h>

#define STATE_NAME "losses.state"
#define STATE_MAGIC "WEDRLOS7"
#define STATE_HEAD 16u /* magic, u32 crc of the rest, u32 keys */
#define KEY_BYTES 80u  /* epoch, stream, reason, ranges, lost, reported */
#define RANGE_BYTES 24u
#define STATE_MAX \
    (STATE_HEAD + WEDR_LOSSES_KEYS_MAX * (KEY_BYTES + WEDR_LOSSES_RANGES_MAX * RANGE_BYTES))
#define FIRST_KEPT_REASON 16u /* below: counted by the producer itself */

struct wedr_losses {
    wedr_handle dir;
    bool dirty;
    size_t count;
    struct wedr_loss *keys; /* WEDR_LOSSES_KEYS_MAX, oldest first */
};

static bool is_kept(uint32_t reason)
{
    return reason >= FIRST_KEPT_REASON || reason == WEDR_LOSSES_HOLES;
}

static struct wedr_loss *
find(const struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason)
{
    for (size_t i = 0; i < l->count; i++) {
        struct wedr_loss *k = &l->keys[i];
        if (k->epoch == epoch && k->reason == reason && strcmp(k->stream, stream) == 0) {
            return k;
        }
    }
    return NULL;
}

static struct wedr_loss *
find_or_add(struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason)
{
    struct wedr_loss *k = find(l, epoch, stream, reason);
    if (k) {
        return k;
    }
    if (l->count == WEDR_LOSSES_KEYS_MAX) {
        memmove(l->keys, l->keys + 1, (l->count - 1) * sizeof(*l->keys));
        l->count--;
    }
    k = &l->keys[l->count++];
    memset(k, 0, sizeof(*k));
    k->epoch = epoch;
    k->reason = reason;
    size_t n = strlen(stream);
    memcpy(k->stream, stream, n < WEDR_STREAM_NAME_MAX ? n : WEDR_STREAM_NAME_MAX - 1);
    return k;
}

static int parse_key(const uint8_t *p, size_t left, struct wedr_losses *l, size_t *ret_used)
{
    if (left < KEY_BYTES || p[8 + WEDR_STREAM_NAME_MAX - 1] != 0) {
        return WEDR_E_CORRUPT;
    }
    uint32_t ranges = wedr_le32(p + 60);
    if (ranges > WEDR_LOSSES_RANGES_MAX || left - KEY_BYTES < (size_t)ranges * RANGE_BYTES) {
        return WEDR_E_CORRUPT;
    }
    struct wedr_loss *k = find_or_add(l, wedr_le64(p), (const char *)p + 8, wedr_le32(p + 56));
    k->lost = wedr_le64(p + 64);
    k->reported = wedr_le64(p + 72);
    k->range_count = ranges;
    for (uint32_t i = 0; i < ranges; i++) {
        const uint8_t *r = p + KEY_BYTES + (size_t)i * RANGE_BYTES;
        k->ranges[i] = (struct wedr_loss_range){wedr_le64(r), wedr_le64(r + 8), wedr_le64(r + 16)};
    }
    *ret_used = KEY_BYTES + (size_t)ranges * RANGE_BYTES;
    return WEDR_OK;
}

static int parse_state(struct wedr_span s, struct wedr_losses *l)
{
    if (s.len < STATE_HEAD || memcmp(s.p, STATE_MAGIC, 8) != 0 ||
        wedr_crc32c(0, s.p + 12, s.len - 12) != wedr_le32(s.p + 8)) {
        return WEDR_E_CORRUPT;
    }
    uint32_t count = wedr_le32(s.p + 12);
    size_t at = STATE_HEAD;
    for (uint32_t i = 0; i < count && i < WEDR_LOSSES_KEYS_MAX; i++) {
        size_t used = 0;
        int err = parse_key(s.p + at, s.len - at, l, &used);
        if (err != WEDR_OK) {
            return err;
        }
        at += used;
    }
    return WEDR_OK;
}

int wedr_losses_open(wedr_handle dir, struct wedr_losses **ret)
{
    wedr_handle h;
    struct wedr_buf buf;
    struct wedr_losses *l = wedr_alloc(1, sizeof(*l));
    if (!l) {
        return WEDR_E_NOMEM;
    }
    l->dir = dir;
    l->keys = wedr_alloc(WEDR_LOSSES_KEYS_MAX, sizeof(*l->keys));
    if (!l->keys) {
        wedr_free(l);
        return WEDR_E_NOMEM;
    }
    *ret = l;
    int err = wedr_fs_open_at(dir, STATE_NAME, WEDR_FS_READ, 0, &h);
    if (err != WEDR_OK) {
        return err == WEDR_E_NOENT ? WEDR_OK : err;
    }
    wedr_buf_init(&buf, STATE_MAX);
    err = wedr_fs_read_all(h, &buf);
    wedr_fs_close(h);
    if (err == WEDR_OK) {
        err = parse_state(wedr_buf_span(&buf), l);
    }
    wedr_buf_fini(&buf);
    if (err != WEDR_OK) {
        l->count = 0;
        err = err == WEDR_E_LIMIT ? WEDR_E_CORRUPT : err;
    }
    return err;
}

void wedr_losses_free(struct wedr_losses *l)
{
    if (l) {
        wedr_free(l->keys);
        wedr_free(l);
    }
}

/* Puts [first, last] into the key's ranges; returns how many of its count records were not there
 * yet. */
static uint64_t add_range(struct wedr_loss *k, uint64_t first, uint64_t last, uint64_t count)
{
    struct wedr_loss_range in = {first, last, 0};
    uint64_t fresh = last - first + 1;
    uint32_t begin = 0;
    while (begin < k->range_count && k->ranges[begin].last + 1 < first) {
        begin++;
    }
    uint32_t end = begin;
    for (; end < k->range_count && k->ranges[end].first <= last + 1; end++) {
        const struct wedr_loss_range *r = &k->ranges[end];
        uint64_t lo = r->first > first ? r->first : first;
        uint64_t hi = r->last < last ? r->last : last;
        fresh -= hi >= lo ? hi - lo + 1 : 0;
        in.first = r->first < in.first ? r->first : in.first;
        in.last = r->last > in.last ? r->last : in.last;
        in.count += r->count;
    }
    count = count < fresh ? count : fresh;
    in.count += count;
    if (end == begin && k->range_count == WEDR_LOSSES_RANGES_MAX) {
        if (begin == 0) {
            return count; /* lower than all that is kept */
        }
        memmove(k->ranges, k->ranges + 1, (k->range_count - 1) * sizeof(k->ranges[0]));
        k->range_count--;
        begin--;
        end--;
    }
    memmove(&k->ranges[begin + 1], &k->ranges[end], (k->range_count - end) * sizeof(k->ranges[0]));
    k->range_count = k->range_count - (end - begin) + 1;
    k->ranges[begin] = in;
    return count;
}

void wedr_losses_add(struct wedr_losses *l,
                     uint64_t epoch,
                     const char *stream,
                     uint32_t reason,
                     uint64_t first,
                     uint64_t last,
                     uint64_t count)
{
    struct wedr_loss *k = find_or_add(l, epoch, stream, reason);
    k->lost += first == 0 || last < first ? count : add_range(k, first, last, count);
    l->dirty = true;
}

void wedr_losses_set(
    struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason, uint64_t lost)
{
    if (lost == 0) {
        return;
    }
    struct wedr_loss *k = find_or_add(l, epoch, stream, reason);
    if (lost > k->lost) {
        k->lost = lost;
    }
}

void wedr_losses_set_holes(struct wedr_losses *l,
                           uint64_t epoch,
                           const char *stream,
                           const struct wedr_seq_range *holes,
                           size_t count)
{
    struct wedr_loss *k = find_or_add(l, epoch, stream, WEDR_LOSSES_HOLES);
    k->range_count = 0;
    k->lost = 0;
    for (size_t i = 0; i < count && i < WEDR_LOSSES_RANGES_MAX; i++) {
        k->ranges[k->range_count++] = (struct wedr_loss_range){holes[i].first, holes[i].last,
                                                               holes[i].last - holes[i].first + 1};
    }
    l->dirty = true;
}

int wedr_losses_flush(struct wedr_losses *l)
{
    if (!l->dirty) {
        return WEDR_OK;
    }
    struct wedr_buf b;
    uint32_t kept = 0;
    wedr_buf_init(&b, STATE_MAX);
    uint8_t *head = wedr_buf_reserve(&b, STATE_HEAD);
    if (head) {
        memcpy(head, STATE_MAGIC, 8);
        wedr_buf_commit(&b, STATE_HEAD);
    }
    for (size_t i = 0; i < l->count; i++) {
        const struct wedr_loss *k = &l->keys[i];
        uint8_t *p = is_kept(k->reason)
                         ? wedr_buf_reserve(&b, KEY_BYTES + k->range_count * RANGE_BYTES)
                         : NULL;
        if (!p) {
            continue;
        }
        memset(p, 0, KEY_BYTES);
        wedr_put_le64(p, k->epoch);
        memcpy(p + 8, k->stream, WEDR_STREAM_NAME_MAX);
        wedr_put_le32(p + 56, k->reason);
        wedr_put_le32(p + 60, k->range_count);
        wedr_put_le64(p + 64, k->lost);
        wedr_put_le64(p + 72, k->reported);
        for (uint32_t r = 0; r < k->range_count; r++) {
            uint8_t *q = p + KEY_BYTES + (size_t)r * RANGE_BYTES;
            wedr_put_le64(q, k->ranges[r].first);
            wedr_put_le64(q + 8, k->ranges[r].last);
            wedr_put_le64(q + 16, k->ranges[r].count);
        }
        wedr_buf_commit(&b, KEY_BYTES + k->range_count * RANGE_BYTES);
        kept++;
    }
    int err = b.overflow || !b.p ? WEDR_E_NOMEM : WEDR_OK;
    if (err == WEDR_OK) {
        wedr_put_le32(b.p + 12, kept);
        wedr_put_le32(b.p + 8, wedr_crc32c(0, b.p + 12, b.len - 12));
        err = wedr_fs_replace_at(l->dir, STATE_NAME, b.p, b.len, 0600);
    }
    wedr_buf_fini(&b);
    l->dirty = err != WEDR_OK;
    return err;
}

void wedr_losses_again(struct wedr_losses *l, uint64_t epoch, const char *stream)
{
    for (size_t i = 0; i < l->count; i++) {
        struct wedr_loss *k = &l->keys[i];
        if (!stream ||
            (k->epoch == epoch && !is_kept(k->reason) && strcmp(k->stream, stream) == 0)) {
            k->again = true;
        }
    }
}

const struct wedr_loss *
wedr_losses_find(const struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason)
{
    return find(l, epoch, stream, reason);
}

uint64_t
wedr_losses_count(const struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason)
{
    const struct wedr_loss *k = find(l, epoch, stream, reason);
    return k ? k->lost : 0;
}

const struct wedr_loss *wedr_losses_due(const struct wedr_losses *l, uint64_t now_ms, bool all)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct wedr_loss *k = &l->keys[i];
        if (k->reason == WEDR_LOSSES_HOLES || (k->lost == k->reported && !k->again) ||
            k->lost == 0) {
            continue;
        }
        if (all || k->reported == 0 || now_ms - k->reported_ms >= WEDR_LOSSES_REPEAT_MS) {
            return k;
        }
    }
    return NULL;
}

void wedr_losses_reported(struct wedr_losses *l, const struct wedr_loss *loss, uint64_t now_ms)
{
    struct wedr_loss *k = &l->keys[loss - l->keys];
    k->reported = k->lost;
    k->reported_ms = now_ms;
    k->again = false;
    l->dirty = l->dirty || is_kept(k->reason);
}

void wedr_loss_ranges_text(const struct wedr_loss *loss, struct wedr_buf *ret)
{
    for (uint32_t i = 0; i < loss->range_count; i++) {
        wedr_buf_addf(ret, "%s%llu-%llu", i > 0 ? "," : "",
                      (unsigned long long)loss->ranges[i].first,
                      (unsigned long long)loss->ranges[i].last);
    }
}
