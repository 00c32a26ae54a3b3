/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include "capture_file.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "source/source.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <string.h>

#define BUFFER_BYTES (512u << 10)
#define END_RECORD_MAX 1024u
#define POLL_MS 20u

static const char *const lane_names[WEDR_LANE_COUNT] = {WEDR_STREAM_NAME_CRITICAL,
                                                        WEDR_STREAM_NAME_BULK};

int capture_begin(struct capture_file *f, wedr_handle file, const struct wedr_capture_header *h)
{
    uint8_t b[sizeof(*h)] = {0};
    memset(f, 0, sizeof(*f));
    f->file = file;
    f->buffer = wedr_alloc(BUFFER_BYTES, 1);
    if (!f->buffer) {
        return WEDR_E_NOMEM;
    }
    memcpy(b, WEDR_CAPTURE_MAGIC, 8);
    wedr_put_le32(b + 8, sizeof(*h));
    b[12] = h->os;
    wedr_put_le64(b + 16, h->epoch);
    memcpy(b + 24, h->boot_id, WEDR_BOOT_ID_LEN);
    wedr_put_le64(b + 40, h->boot_ns);
    wedr_put_le64(b + 48, (uint64_t)h->utc_us);
    return capture_add(f, wedr_span(b, sizeof(b)));
}

int capture_flush(struct capture_file *f)
{
    int err = f->len > 0 ? wedr_fs_write(f->file, f->buffer, f->len) : WEDR_OK;
    f->len = err == WEDR_OK ? 0 : f->len;
    return err;
}

int capture_add(struct capture_file *f, struct wedr_span rec)
{
    if (f->len + rec.len > BUFFER_BYTES) {
        int err = capture_flush(f);
        if (err != WEDR_OK) {
            return err;
        }
    }
    memcpy(f->buffer + f->len, rec.p, rec.len);
    f->len += rec.len;
    f->bytes += rec.len;
    return WEDR_OK;
}

void capture_fini(struct capture_file *f)
{
    wedr_free(f->buffer);
    f->buffer = NULL;
}

static int set_stream(struct wedr_record *r, uint64_t epoch, unsigned lane, uint64_t produced)
{
    int err = wedr_record_set_uint(r, "epoch", epoch);
    if (err == WEDR_OK) {
        err = wedr_record_set_str(r, "stream", lane_names[lane], strlen(lane_names[lane]), 0);
    }
    return err == WEDR_OK ? wedr_record_set_uint(r, "produced", produced) : err;
}

int capture_loss(struct capture_file *f,
                 uint64_t epoch,
                 unsigned lane,
                 uint32_t reason,
                 uint64_t lost,
                 uint64_t produced)
{
    uint8_t mem[END_RECORD_MAX];
    struct wedr_record r;
    if (lost == 0) {
        return WEDR_OK;
    }
    int err = wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_TELEMETRY_LOSS, WEDR_OS_LINUX);
    if (err == WEDR_OK) {
        err = set_stream(&r, epoch, lane, produced);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(&r, "reason", reason);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(&r, "lost", lost);
    }
    return err == WEDR_OK
               ? capture_add(f, wedr_span(mem, wedr_record_finish(&r, 0, 0, (uint8_t)lane, 0)))
               : err;
}

int capture_end_stream(struct capture_file *f, uint64_t epoch, unsigned lane, uint64_t produced)
{
    static const char reason[] = "stopped";
    uint8_t mem[END_RECORD_MAX];
    struct wedr_record r;
    int err = wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_EPOCH_END, WEDR_OS_LINUX);
    if (err == WEDR_OK) {
        err = set_stream(&r, epoch, lane, produced);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_str(&r, "reason", reason, strlen(reason), 0);
    }
    return err == WEDR_OK
               ? capture_add(f, wedr_span(mem, wedr_record_finish(&r, 0, 0, (uint8_t)lane, 0)))
               : err;
}

/* A recording while it runs. */
struct recording {
    struct capture_file f;
    struct wedr_source *src;
    uint64_t epoch;
    struct wedr_source_counters begin[WEDR_LANE_COUNT];
    uint64_t base[WEDR_LANE_COUNT]; /* seq before the first */
    uint64_t top[WEDR_LANE_COUNT];
    uint64_t records;
    uint8_t *copy; /* WEDR_RECORD_MAX */
};

/* Takes what is in the lane's ring. */
static int take_lane(struct recording *c, unsigned lane)
{
    struct wedr_span rec;
    uint64_t end = 0;
    bool any = false;
    int err;
    while ((err = c->src->ops->peek(c->src, lane, &rec, &end)) == WEDR_OK) {
        any = true;
        if (rec.len < sizeof(struct wedr_event_header) || rec.len > WEDR_RECORD_MAX) {
            continue;
        }
        uint64_t seq = wedr_le64(rec.p + 8);
        if (seq <= c->base[lane]) {
            continue;
        }
        memcpy(c->copy, rec.p, rec.len);
        wedr_put_le64(c->copy + 8, seq - c->base[lane]);
        err = capture_add(&c->f, wedr_span(c->copy, rec.len));
        if (err != WEDR_OK) {
            return err;
        }
        c->records++;
        c->top[lane] = seq > c->top[lane] ? seq : c->top[lane];
    }
    if (any) {
        c->src->ops->release(c->src, lane, end);
    }
    return err == WEDR_E_AGAIN ? WEDR_OK : err;
}

static int end_lane(struct recording *c, unsigned lane, uint64_t *lost)
{
    struct wedr_source_counters now;
    c->src->ops->counters(c->src, lane, &now);
    uint64_t top = now.produced > c->top[lane] ? now.produced : c->top[lane];
    uint64_t produced = top - c->base[lane];
    for (uint32_t i = 1; i < WEDR_SENSOR_LOST_REASONS; i++) {
        uint64_t n = now.lost[i] - c->begin[lane].lost[i];
        int err = capture_loss(&c->f, c->epoch, lane, i, n, produced);
        if (err != WEDR_OK) {
            return err;
        }
        *lost += n;
    }
    return capture_end_stream(&c->f, c->epoch, lane, produced);
}

/* A sensor that ran before: what is in the rings is dropped, the capture begins now. A new one: its
 * inventory stays. */
static int skip_old(struct recording *c)
{
    static const uint64_t none[WEDR_LANE_COUNT];
    c->src->ops->start(c->src, none);
    if (!c->src->info.adopted) {
        return WEDR_OK;
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        struct wedr_span rec;
        uint64_t end = 0;
        int err;
        c->src->ops->counters(c->src, i, &c->begin[i]);
        c->base[i] = c->begin[i].produced;
        while ((err = c->src->ops->peek(c->src, i, &rec, &end)) == WEDR_OK) {
            if (rec.len >= sizeof(struct wedr_event_header) && wedr_le64(rec.p + 8) > c->base[i]) {
                c->base[i] = wedr_le64(rec.p + 8);
            }
        }
        if (end != 0) {
            c->src->ops->release(c->src, i, end);
        }
        if (err != WEDR_E_AGAIN) {
            return err;
        }
    }
    return WEDR_OK;
}

static int run(struct recording *c,
               wedr_handle file,
               bool (*stop)(void *),
               void *arg,
               struct wedr_capture_stats *ret)
{
    struct wedr_capture_header h = {
        .os = WEDR_OS_LINUX, .boot_ns = wedr_time_boot_ns(), .utc_us = wedr_time_utc_us()};
    memcpy(h.boot_id, c->src->info.boot_id, WEDR_BOOT_ID_LEN);
    do {
        wedr_random(&c->epoch, sizeof(c->epoch));
    } while (c->epoch == 0);
    h.epoch = c->epoch;
    int err = skip_old(c);
    if (err == WEDR_OK) {
        err = capture_begin(&c->f, file, &h);
    }
    bool last = false;
    while (err == WEDR_OK && !last) {
        last = stop(arg);
        for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
            err = take_lane(c, i);
        }
        if (err == WEDR_OK && !last) {
            wedr_time_sleep_ms(POLL_MS);
        }
    }
    uint64_t lost = 0;
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
        err = end_lane(c, i, &lost);
    }
    if (err == WEDR_OK) {
        err = capture_flush(&c->f);
    }
    *ret = (struct wedr_capture_stats){c->records, c->f.bytes, lost};
    return err;
}

int wedr_capture_record(const struct wedr_engine_ebpf *src,
                        wedr_handle file,
                        bool (*stop)(void *arg),
                        void *arg,
                        struct wedr_capture_stats *ret,
                        struct wedr_errinfo *ei)
{
    struct recording c;
    memset(&c, 0, sizeof(c));
    int err = wedr_source_ebpf_open_take(src, &c.src, ei);
    if (err != WEDR_OK) {
        return err;
    }
    c.copy = wedr_alloc(WEDR_RECORD_MAX, 1);
    err = c.copy ? run(&c, file, stop, arg, ret) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "cannot record: %s", wedr_err_text(err));
    }
    capture_fini(&c.f);
    wedr_free(c.copy);
    c.src->ops->close(c.src);
    return err;
}
