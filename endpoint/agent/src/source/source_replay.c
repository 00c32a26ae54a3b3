/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture file as the producer: epoch, boot, streams, seqs and loss counters are the file's.
 * `produced` is the highest seq read so far. The file is read in order into one ring per lane, at
 * most `rate` records a second over both.
 */
#include "source/source.h"

#include "core/base/endian.h"
#include "core/util/alloc.h"
#include "source/mem_ring.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <string.h>

#define READ_BUFFER (512u << 10)
#define LANE_RING (4u << 20)
#define FILL_RECORDS 1024u
#define BURST_NS 100000000u

struct replay {
    struct wedr_source base;
    wedr_handle file;
    uint64_t offset; /* of the file, behind what the buffer holds */
    uint8_t *buffer;
    size_t at, len; /* unread part of the buffer */
    struct wedr_mem_ring ring[WEDR_LANE_COUNT];
    struct wedr_source_counters counters[WEDR_LANE_COUNT];
    uint64_t skip_to[WEDR_LANE_COUNT];
    uint64_t rate;
    uint64_t budget_ns; /* time that was turned into records so far */
    uint64_t last_ns;
    bool done;
};

static int lane_of_stream(struct wedr_span name)
{
    static const char *const names[WEDR_LANE_COUNT] = {WEDR_STREAM_NAME_CRITICAL,
                                                       WEDR_STREAM_NAME_BULK};
    for (int i = 0; i < (int)WEDR_LANE_COUNT; i++) {
        if (name.len == strlen(names[i]) && memcmp(name.p, names[i], name.len) == 0) {
            return i;
        }
    }
    return -1;
}

static uint64_t view_uint(const struct wedr_event_view *v, const char *name)
{
    const struct wedr_field_info *f = wedr_event_field(v, name);
    return f ? wedr_event_uint(v, f) : 0;
}

static void raise_to(uint64_t *value, uint64_t to)
{
    if (to > *value) {
        *value = to;
    }
}

/* TELEMETRY_LOSS and EPOCH_END of the capture speak about the producer; they are not events. */
static void take_note(struct replay *r, struct wedr_span rec)
{
    struct wedr_event_view v;
    if (wedr_event_decode(rec, &v) != WEDR_OK ||
        (v.h.type != WEDR_EV_TELEMETRY_LOSS && v.h.type != WEDR_EV_EPOCH_END)) {
        return;
    }
    const struct wedr_field_info *f = wedr_event_field(&v, "stream");
    uint16_t flags = 0;
    int lane = f ? lane_of_stream(wedr_event_str(&v, f, &flags)) : -1;
    if (lane < 0) {
        return;
    }
    struct wedr_source_counters *c = &r->counters[lane];
    raise_to(&c->produced, view_uint(&v, "produced"));
    uint64_t reason = view_uint(&v, "reason");
    if (v.h.type == WEDR_EV_TELEMETRY_LOSS && reason > 0 && reason < WEDR_SENSOR_LOST_REASONS) {
        uint64_t before = c->lost[reason];
        raise_to(&c->lost[reason], view_uint(&v, "lost"));
        c->lost_total += c->lost[reason] - before;
    }
}

static int refill(struct replay *r)
{
    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, r->len - r->at);
        r->len -= r->at;
        r->at = 0;
    }
    size_t n = 0;
    int err = wedr_fs_pread(r->file, r->buffer + r->len, READ_BUFFER - r->len, r->offset, &n);
    if (err != WEDR_OK) {
        return err;
    }
    r->offset += n;
    r->len += n;
    return n > 0 ? WEDR_OK : WEDR_E_NOENT;
}

/* The next record of the file, by its size field alone. WEDR_E_NOENT at the end; a record that
 * cannot be told from its neighbours ends the file. */
static int next_record(struct replay *r, struct wedr_span *ret_rec)
{
    for (int tries = 0; tries < 2; tries++) {
        size_t have = r->len - r->at;
        if (have >= sizeof(struct wedr_event_header)) {
            uint32_t size = wedr_le32(r->buffer + r->at + 4);
            if (size < sizeof(struct wedr_event_header) || size > WEDR_RECORD_MAX) {
                return WEDR_E_FORMAT;
            }
            if (have >= size) {
                *ret_rec = wedr_span(r->buffer + r->at, size);
                return WEDR_OK;
            }
        }
        if (tries == 0) {
            int err = refill(r);
            if (err != WEDR_OK) {
                return err;
            }
        }
    }
    return WEDR_E_NOENT;
}

static bool may_read(struct replay *r)
{
    if (r->rate == 0) {
        return true;
    }
    uint64_t now = wedr_time_mono_ns();
    uint64_t cost = 1000000000u / r->rate;
    r->budget_ns += now - r->last_ns;
    r->last_ns = now;
    if (r->budget_ns > BURST_NS + cost) {
        r->budget_ns = BURST_NS + cost;
    }
    if (r->budget_ns < cost) {
        return false;
    }
    r->budget_ns -= cost;
    return true;
}

static void give_back(struct replay *r)
{
    r->budget_ns += r->rate == 0 ? 0 : 1000000000u / r->rate;
}

/* Returns false when reading has to stop for now. */
static bool fill_one(struct replay *r)
{
    struct wedr_span rec;
    if (next_record(r, &rec) != WEDR_OK) {
        r->done = true;
        return false;
    }
    if (wedr_le16(rec.p + 2) >= WEDR_EV_AGENT_START) {
        take_note(r, rec);
        r->at += rec.len;
        return true;
    }
    unsigned lane = rec.p[39] == WEDR_LANE_BULK ? WEDR_LANE_BULK : WEDR_LANE_CRITICAL;
    uint64_t seq = wedr_le64(rec.p + 8);
    if (seq <= r->skip_to[lane]) {
        raise_to(&r->counters[lane].produced, seq);
        r->at += rec.len;
        return true;
    }
    if (!may_read(r)) {
        return false;
    }
    if (wedr_mem_ring_push(&r->ring[lane], rec.p, rec.len) != WEDR_OK) {
        give_back(r);
        return false;
    }
    raise_to(&r->counters[lane].produced, seq);
    r->at += rec.len;
    return true;
}

static int
replay_peek(struct wedr_source *s, unsigned lane, struct wedr_span *ret_rec, uint64_t *ret_end)
{
    struct replay *r = (struct replay *)s;
    int err = wedr_mem_ring_peek(&r->ring[lane], ret_rec, ret_end);
    if (err == WEDR_E_AGAIN && !r->done) {
        for (unsigned i = 0; i < FILL_RECORDS && fill_one(r); i++) {
        }
        err = wedr_mem_ring_peek(&r->ring[lane], ret_rec, ret_end);
    }
    return err;
}

static void replay_release(struct wedr_source *s, unsigned lane, uint64_t end)
{
    wedr_mem_ring_release(&((struct replay *)s)->ring[lane], end);
}

static void replay_counters(struct wedr_source *s, unsigned lane, struct wedr_source_counters *ret)
{
    *ret = ((struct replay *)s)->counters[lane];
}

static void replay_start(struct wedr_source *s, const uint64_t base[WEDR_LANE_COUNT])
{
    struct replay *r = (struct replay *)s;
    memcpy(r->skip_to, base, sizeof(r->skip_to));
    r->last_ns = wedr_time_mono_ns();
}

static bool replay_ended(const struct wedr_source *s)
{
    const struct replay *r = (const struct replay *)s;
    return r->done && r->ring[0].cursor == r->ring[0].head && r->ring[1].cursor == r->ring[1].head;
}

static uint32_t replay_wait_ms(struct wedr_source *s)
{
    return ((const struct replay *)s)->rate == 0 ? 1 : 5;
}

static void replay_close(struct wedr_source *s)
{
    struct replay *r = (struct replay *)s;
    wedr_fs_close(r->file);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_mem_ring_fini(&r->ring[i]);
    }
    wedr_free(r->buffer);
    wedr_free(r);
}

static const struct wedr_source_ops replay_ops = {
    .peek = replay_peek,
    .release = replay_release,
    .counters = replay_counters,
    .start = replay_start,
    .ended = replay_ended,
    .wait_ms = replay_wait_ms,
    .close = replay_close,
};

static int read_header(struct replay *r, uint64_t epoch, struct wedr_errinfo *ei)
{
    uint8_t h[sizeof(struct wedr_capture_header)];
    size_t n = 0;
    int err = wedr_fs_pread(r->file, h, sizeof(h), 0, &n);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot read the capture: %s", wedr_err_text(err));
    }
    if (n < sizeof(h) || memcmp(h, WEDR_CAPTURE_MAGIC, 8) != 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "not a capture file");
    }
    uint32_t size = wedr_le32(h + 8);
    struct wedr_source_info *info = &r->base.info;
    info->name = "replay";
    info->os = h[12];
    info->epoch = epoch != 0 ? epoch : wedr_le64(h + 16);
    memcpy(info->boot_id, h + 24, WEDR_BOOT_ID_LEN);
    info->boot_ns = wedr_le64(h + 40);
    info->utc_us = (int64_t)wedr_le64(h + 48);
    if (size < sizeof(h) || size > 4096 || info->epoch == 0 ||
        (info->os != WEDR_OS_LINUX && info->os != WEDR_OS_WINDOWS)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "the capture's header is not valid");
    }
    r->offset = size;
    return WEDR_OK;
}

int wedr_source_replay_open_take(const struct wedr_engine_replay *src,
                                 struct wedr_source **ret,
                                 struct wedr_errinfo *ei)
{
    struct replay *r = wedr_alloc(1, sizeof(*r));
    if (!r) {
        wedr_fs_close(src->file);
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    r->base.ops = &replay_ops;
    r->file = src->file;
    r->rate = src->rate > 1000000000u ? 0 : src->rate;
    r->buffer = wedr_alloc(READ_BUFFER, 1);
    int err = r->buffer ? WEDR_OK : WEDR_E_NOMEM;
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
        err = wedr_mem_ring_init(&r->ring[i], LANE_RING);
    }
    if (err == WEDR_OK) {
        err = read_header(r, src->epoch, ei);
    } else {
        (void)wedr_fail(ei, err, "out of memory");
    }
    if (err != WEDR_OK) {
        replay_close(&r->base);
        return err;
    }
    *ret = &r->base;
    return WEDR_OK;
}
