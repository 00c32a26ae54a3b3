/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_expect.h"

#include "core/base/endian.h"
#include <stdlib.h>

#define LANE_BYTES (512u << 10)

static uint64_t last_seq[WEDR_LANE_COUNT];
static uint32_t cuts[WEDR_LANE_COUNT];
static uint64_t lost[WEDR_LANE_COUNT];

/* ---- what a record must hold ------------------------------------------------------------------
 */

static struct want *want_of(struct wants *w, const char *field)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (strcmp(w->want[i].field, field) == 0) {
            return &w->want[i];
        }
    }
    assert_true(w->count < WANTS_MAX);
    return &w->want[w->count++];
}

void want_number(struct wants *w, const char *field, uint64_t number)
{
    *want_of(w, field) = (struct want){.field = field, .kind = WANT_NUMBER, .number = number};
}

void want_text(struct wants *w, const char *field, struct ntsim_text text, unsigned flags)
{
    *want_of(w, field) = (struct want){.field = field,
                                       .kind = WANT_TEXT,
                                       .text = text,
                                       .flags = text.len > 0 ? flags | WEDR_SF_UTF16 : flags};
}

void want_bytes(struct wants *w, const char *field, const void *p, size_t len, unsigned flags)
{
    *want_of(w, field) = (struct want){
        .field = field, .kind = WANT_BYTES, .text = NTSIM_BYTES(p, len), .flags = flags};
}

void want_nothing(struct wants *w, const char *field, unsigned flags)
{
    want_bytes(w, field, NULL, 0, flags);
}

int expect_setup_unloaded(void **state)
{
    memset(last_seq, 0, sizeof(last_seq));
    memset(cuts, 0, sizeof(cuts));
    memset(lost, 0, sizeof(lost));
    return driver_setup(state);
}

struct ntsim_file *expect_start(void)
{
    driver_set_lanes(LANE_BYTES, LANE_BYTES);
    return driver_start();
}

int expect_setup(void **state)
{
    if (expect_setup_unloaded(state) != 0) {
        return -1;
    }
    *state = expect_start();
    return 0;
}

/* The header, apart from size and trunc_count. */
static void check_header(const struct wedr_event_header *h, uint8_t lane, uint16_t flags)
{
    assert_int_equal(h->stream, lane == WEDR_LANE_BULK ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL);
    assert_int_equal(h->seq, ++last_seq[lane]);
    assert_int_equal(h->time, ntsim_time());
    assert_int_equal(h->drop_count, lost[lane]);
    assert_int_equal(h->flags, flags);
}

/* Bytes of the string behind the fixed part; counts it when it is cut. */
static size_t check_string(const struct driver_event *e,
                           const struct wedr_field_info *f,
                           const struct want *w,
                           uint32_t *ret_cuts)
{
    uint16_t flags = 0;
    struct wedr_span s = wedr_event_str(&e->v, f, &flags);

    if (flags != w->flags || s.len != w->text.len) {
        print_error("field %s\n", w->field);
    }
    assert_int_equal(flags, w->flags);
    assert_int_equal(s.len, w->text.len);
    if (s.len > 0) {
        assert_memory_equal(s.p, w->text.units, s.len);
    } else {
        assert_int_equal(wedr_le32(e->v.rec.p + f->offset_windows), 0);
    }
    *ret_cuts += (flags & WEDR_SF_CUT) != 0 ? 1 : 0;
    return s.len;
}

static void
check_number(const struct driver_event *e, const struct wedr_field_info *f, const struct want *w)
{
    uint64_t is = wedr_event_uint(&e->v, f);

    if (is != w->number) {
        fail_msg("%s is 0x%llx, not 0x%llx", w->field, (unsigned long long)is,
                 (unsigned long long)w->number);
    }
}

static unsigned wire_fields(const struct wedr_type_info *type)
{
    unsigned n = 0;

    for (size_t i = 0; i < type->field_count; i++) {
        n += !type->fields[i].derived && (type->fields[i].os_mask & WEDR_OSM_WINDOWS) != 0;
    }
    return n;
}

void expect_record(struct ntsim_file *f, const struct wants *w)
{
    struct driver_event e = driver_read_type(f, w->type);
    size_t size = e.v.type->fixed_windows;

    check_header(&e.v.h, w->lane, w->flags);
    assert_int_equal(wire_fields(e.v.type), w->count);
    for (unsigned i = 0; i < w->count; i++) {
        const struct want *want = &w->want[i];
        const struct wedr_field_info *field = wedr_event_field(&e.v, want->field);

        if (!field) {
            fail_msg("no field %s", want->field);
        } else if (want->kind == WANT_NUMBER) {
            check_number(&e, field, want);
        } else {
            size += check_string(&e, field, want, &cuts[w->lane]);
        }
    }
    assert_int_equal(e.v.h.size, size);
    /* Its own cut strings are in the count already. */
    assert_int_equal(e.v.h.trunc_count, cuts[w->lane]);
    driver_event_free(&e);
}

void expect_some(struct ntsim_file *f, uint16_t type, uint8_t lane)
{
    struct driver_event e = driver_read_type(f, type);

    assert_int_equal(e.v.h.stream,
                     lane == WEDR_LANE_BULK ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL);
    assert_int_equal(e.v.h.seq, ++last_seq[lane]);
    cuts[lane] = e.v.h.trunc_count;
    driver_event_free(&e);
}

void expect_none(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        assert_int_equal(s.lane[i].queued, 0);
        assert_int_equal(s.lane[i].produced, last_seq[i]);
        assert_int_equal(s.lane[i].truncated, cuts[i]);
        assert_int_equal(driver_lost(&s.lane[i]), lost[i]);
    }
}

void expect_hole(uint8_t lane)
{
    last_seq[lane]++;
    lost[lane]++;
}

void expect_source(
    struct ntsim_file *f, unsigned source, uint64_t calls, uint64_t events, uint64_t failed)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    assert_int_equal(s.callback[source].calls, calls);
    assert_int_equal(s.callback[source].events, events);
    assert_int_equal(s.callback[source].failed, failed);
}

void expect_filtered(struct ntsim_file *f, uint64_t critical, uint64_t bulk)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    assert_int_equal(s.lane[WEDR_LANE_CRITICAL].filtered, critical);
    assert_int_equal(s.lane[WEDR_LANE_BULK].filtered, bulk);
}

void expect_truncated(struct ntsim_file *f, uint64_t critical, uint64_t bulk)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    assert_int_equal(s.lane[WEDR_LANE_CRITICAL].truncated, critical);
    assert_int_equal(s.lane[WEDR_LANE_BULK].truncated, bulk);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static uint16_t rooms[16][32768];

static uint16_t *room(void)
{
    static unsigned next;

    return rooms[next++ % 16];
}

struct ntsim_text text_of(const char *ascii)
{
    uint16_t *units = room();
    size_t n = strlen(ascii);

    assert_true(n <= 32767);
    for (size_t i = 0; i < n; i++) {
        units[i] = (unsigned char)ascii[i];
    }
    return NTSIM_BYTES(units, n * 2);
}

struct ntsim_text text_joined(struct ntsim_text a, struct ntsim_text b)
{
    uint16_t *units = room();

    assert_true(a.len + b.len <= 65534 && a.len % 2 == 0);
    memcpy(units, a.units, a.len);
    memcpy(units + a.len / 2, b.units, b.len);
    return NTSIM_BYTES(units, a.len + b.len);
}

struct ntsim_text text_filled(uint16_t unit, size_t bytes)
{
    uint16_t *units = room();

    assert_true(bytes <= 65535);
    for (size_t i = 0; i < 32768; i++) {
        units[i] = unit;
    }
    return NTSIM_BYTES(units, bytes);
}

/* ---- the machine ------------------------------------------------------------------------------
 */

struct ntsim_thread *thread_of(struct ntsim_process *p)
{
    return ntsim_thread_new(p, ntsim_pid(p) + 4);
}
