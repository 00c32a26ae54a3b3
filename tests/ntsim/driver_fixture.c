/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_fixture.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include <stdlib.h>
#include <unistd.h>

static struct ntsim_file *opened;
static uint8_t record[WEDR_RECORD_MAX];

/* ---- set-up -----------------------------------------------------------------------------------
 */

void driver_time_limit(unsigned seconds)
{
    (void)alarm(seconds);
}

int driver_setup(void **state)
{
    (void)state;
    driver_time_limit(DRIVER_TEST_SECONDS);
    opened = NULL;
    ntsim_reset();
    ntsim_process_fail(ntsim_system(), NTSIM_FAIL_HIDDEN);
    return 0;
}

static void expect_nothing_held(void)
{
    assert_int_equal(ntsim_pool_live(), 0);
    assert_int_equal(ntsim_pool_bytes(), 0);
    assert_int_equal(ntsim_references(), 0);
    assert_int_equal(ntsim_handles(), 0);
    assert_int_equal(ntsim_parked(), 0);
    for (unsigned i = 0; i < NTSIM_SOURCES; i++) {
        assert_int_equal(ntsim_registered((enum ntsim_source)i), 0);
    }
}

int driver_teardown(void **state)
{
    (void)state;
    if (ntsim_loaded()) {
        driver_unload();
    }
    expect_nothing_held();
    ntsim_reset();
    driver_time_limit(0);
    return 0;
}

void driver_load(void)
{
    assert_int_equal(ntsim_load(), NTSIM_SUCCESS);
    assert_true(ntsim_loaded());
}

struct ntsim_file *driver_open(void)
{
    int32_t status = NTSIM_UNSUCCESSFUL;

    assert_null(opened);
    opened = ntsim_open(&status);
    assert_int_equal(status, NTSIM_SUCCESS);
    assert_non_null(opened);
    return opened;
}

struct ntsim_file *driver_start(void)
{
    driver_load();
    return driver_open();
}

void driver_close(void)
{
    if (opened) {
        ntsim_close_handle(opened);
        opened = NULL;
    }
}

void driver_unload(void)
{
    driver_close();
    ntsim_unload();
    assert_false(ntsim_loaded());
    expect_nothing_held();
}

void driver_set_lanes(uint32_t critical_bytes, uint32_t bulk_bytes)
{
    ntsim_reg_set_dword(DRIVER_PARAMETERS, NTSIM_TEXT(u"CriticalLaneBytes"), critical_bytes);
    ntsim_reg_set_dword(DRIVER_PARAMETERS, NTSIM_TEXT(u"BulkLaneBytes"), bulk_bytes);
}

/* ---- records ----------------------------------------------------------------------------------
 */

struct driver_event driver_event_of(const uint8_t *p, size_t len)
{
    struct driver_event e;

    e.bytes = malloc(len);
    assert_non_null(e.bytes);
    memcpy(e.bytes, p, len);
    assert_int_equal(wedr_event_decode(wedr_span(e.bytes, len), &e.v), WEDR_OK);
    assert_int_equal(e.v.h.size, len);
    assert_int_equal(e.v.h.version, WEDR_WIRE_VERSION);
    assert_int_equal(e.v.h.os, WEDR_OS_WINDOWS);
    assert_int_equal(e.v.h.fixed_size, e.v.type->fixed_windows);
    return e;
}

void driver_event_free(struct driver_event *e)
{
    free(e->bytes);
    memset(e, 0, sizeof(*e));
}

struct driver_event driver_read(struct ntsim_file *f)
{
    size_t len = 0;

    assert_int_equal(
        ntsim_ioctl(f, WEDR_IOCTL_GET_EVENT, NULL, 0, record, sizeof(record), &len, NULL),
        NTSIM_SUCCESS);
    return driver_event_of(record, len);
}

struct driver_event driver_read_type(struct ntsim_file *f, uint16_t type)
{
    struct driver_event e = driver_read(f);

    assert_int_equal(e.v.h.type, type);
    return e;
}

struct driver_event driver_take(struct ntsim_irp *r)
{
    struct driver_event e;
    const uint8_t *p;
    size_t len = 0;

    assert_true(ntsim_irp_done(r));
    assert_int_equal(ntsim_irp_status(r), NTSIM_SUCCESS);
    p = ntsim_irp_output(r, &len);
    assert_int_equal(len, ntsim_irp_information(r));
    e = driver_event_of(p, len);
    ntsim_irp_free(r);
    return e;
}

struct ntsim_irp *driver_park_code(struct ntsim_file *f, uint32_t code)
{
    int32_t status = NTSIM_UNSUCCESSFUL;
    struct ntsim_irp *r = ntsim_ioctl_start(f, code, NULL, 0, WEDR_RECORD_MAX, &status);

    assert_int_equal(status, NTSIM_PENDING);
    assert_false(ntsim_irp_done(r));
    return r;
}

struct ntsim_irp *driver_park(struct ntsim_file *f)
{
    return driver_park_code(f, WEDR_IOCTL_GET_EVENT);
}

void driver_expect(struct ntsim_irp *r, int32_t status, uint64_t information)
{
    assert_true(ntsim_irp_done(r));
    assert_int_equal(ntsim_irp_status(r), status);
    assert_int_equal(ntsim_irp_information(r), information);
    ntsim_irp_free(r);
}

void driver_cancel(struct ntsim_irp *r)
{
    assert_true(ntsim_cancel(r));
    driver_expect(r, NTSIM_CANCELLED, 0);
}

size_t driver_read_batch(struct ntsim_file *f, size_t out_len, struct driver_event *ret, size_t max)
{
    struct ntsim_irp *parked = NULL;
    uint8_t *out = malloc(out_len);
    size_t len = 0, at = 0, count = 0;
    int32_t status;

    assert_non_null(out);
    status = ntsim_ioctl(f, WEDR_IOCTL_GET_EVENTS, NULL, 0, out, out_len, &len, &parked);
    if (status == NTSIM_PENDING) {
        driver_cancel(parked);
        len = 0;
    } else {
        assert_int_equal(status, NTSIM_SUCCESS);
        assert_true(len > 0 && len <= out_len);
    }
    while (at < len) {
        uint32_t size = len - at >= sizeof(struct wedr_event_header) ? wedr_le32(out + at + 4) : 0;

        assert_true(count < max && size > 0 && size <= len - at);
        ret[count++] = driver_event_of(out + at, size);
        at += size;
    }
    free(out);
    return count;
}

size_t driver_drain(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s = driver_stats(f);
    size_t count = (size_t)s.lane[0].queued + s.lane[1].queued;

    for (size_t i = 0; i < count; i++) {
        struct driver_event e = driver_read(f);

        driver_event_free(&e);
    }
    return count;
}

void driver_expect_empty(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        assert_int_equal(s.lane[i].queued, 0);
        assert_int_equal(s.lane[i].bytes_queued, 0);
    }
    assert_int_equal(s.parked, 0);
    assert_int_equal(ntsim_parked(), 0);
}

static const struct wedr_field_info *field_of(const struct driver_event *e, const char *name)
{
    const struct wedr_field_info *f = wedr_event_field(&e->v, name);

    if (!f) {
        fail_msg("no field %s", name);
    }
    return f;
}

uint64_t driver_uint(const struct driver_event *e, const char *field)
{
    return wedr_event_uint(&e->v, field_of(e, field));
}

void driver_expect_bytes(
    const struct driver_event *e, const char *field, const void *want, size_t len, unsigned flags)
{
    uint16_t is = 0;
    struct wedr_span s = wedr_event_str(&e->v, field_of(e, field), &is);

    assert_int_equal(s.len, len);
    assert_int_equal(is, flags);
    if (len > 0) {
        assert_memory_equal(s.p, want, len);
    }
}

void driver_expect_text(const struct driver_event *e,
                        const char *field,
                        struct ntsim_text want,
                        unsigned flags)
{
    driver_expect_bytes(e, field, want.units, want.len,
                        want.len > 0 ? flags | WEDR_SF_UTF16 : flags);
}

void driver_expect_no_text(const struct driver_event *e, const char *field, unsigned flags)
{
    driver_expect_bytes(e, field, NULL, 0, flags);
}

/* ---- events -----------------------------------------------------------------------------------
 */

struct ntsim_process *driver_process(uint64_t pid, uint64_t parent_pid)
{
    const struct ntsim_process_spec spec = {.pid = pid,
                                            .parent_pid = parent_pid,
                                            .create_time = NTSIM_TIME + (int64_t)pid,
                                            .start_key = DRIVER_KEY(pid),
                                            .session = 1,
                                            .image = NTSIM_TEXT(DRIVER_IMAGE),
                                            .integrity = 0x2000};

    return ntsim_process_new(&spec);
}

void driver_fire_start(struct ntsim_process *p, struct ntsim_text command_line)
{
    const struct ntsim_create c = {.process = p,
                                   .image = NTSIM_TEXT(DRIVER_IMAGE),
                                   .command_line = command_line,
                                   .file_open_name_available = true};

    assert_int_equal(ntsim_fire_process_create(&c), NTSIM_SUCCESS);
}

void driver_fire_start_long(struct ntsim_process *p, size_t len)
{
    uint16_t *units = malloc(len);

    assert_non_null(units);
    for (size_t i = 0; i < len / 2; i++) {
        units[i] = 'c';
    }
    driver_fire_start(p, NTSIM_BYTES(units, len));
    free(units);
}

void driver_fire_exit(struct ntsim_process *p)
{
    ntsim_fire_process_exit_as(p, ntsim_pid(p));
}

void driver_fire_thread_exit(uint64_t pid, uint64_t tid)
{
    ntsim_fire_thread(pid, tid, false);
}

void driver_fire_image(uint64_t pid, bool kernel, uint64_t mark, size_t size)
{
    uint16_t name[8190 / 2];
    size_t len = size - DRIVER_IMAGE_FIXED;
    const struct ntsim_image i = {.name = NTSIM_BYTES(name, len),
                                  .pid = pid,
                                  .properties = kernel ? NTSIM_IMAGE_KERNEL : 0,
                                  .base = mark,
                                  .size = 4096};

    assert_true(size >= DRIVER_IMAGE_FIXED && size <= DRIVER_IMAGE_LONGEST && len % 2 == 0);
    for (size_t n = 0; n < len / 2; n++) {
        name[n] = (uint16_t)('a' + n % 26);
    }
    ntsim_fire_image(&i);
}

/* ---- statistics -------------------------------------------------------------------------------
 */

uint64_t driver_lost(const struct wedr_ioctl_lane *lane)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WEDR_IOCTL_LOST_REASONS; i++) {
        sum += lane->lost[i];
    }
    return sum;
}

void driver_expect_balance(const struct wedr_ioctl_stats *s)
{
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        assert_int_equal(s->lane[i].delivered + s->lane[i].queued + driver_lost(&s->lane[i]),
                         s->lane[i].produced);
    }
}

struct wedr_ioctl_stats driver_stats(struct ntsim_file *f)
{
    static const struct wedr_ioctl_callback unused;
    struct wedr_ioctl_stats raw, s;
    size_t len = 0;

    assert_int_equal(ntsim_ioctl(f, WEDR_IOCTL_GET_STATS, NULL, 0, &raw, sizeof(raw), &len, NULL),
                     NTSIM_SUCCESS);
    assert_int_equal(len, sizeof(raw));
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&raw, sizeof(raw)), &s), WEDR_OK);
    assert_int_equal(s.size, sizeof(s));
    assert_int_equal(s.callback_count, WEDR_CALLBACK_COUNT);
    assert_int_equal(s.reserved0, 0);
    assert_int_equal(s.bugs, 0);
    for (unsigned i = WEDR_CALLBACK_COUNT; i < WEDR_CALLBACK_MAX; i++) {
        assert_memory_equal(&s.callback[i], &unused, sizeof(unused));
    }
    driver_expect_balance(&s);
    return s;
}

struct wedr_ioctl_version driver_version(struct ntsim_file *f)
{
    struct wedr_ioctl_version raw, v;
    size_t len = 0;

    assert_int_equal(ntsim_ioctl(f, WEDR_IOCTL_GET_VERSION, NULL, 0, &raw, sizeof(raw), &len, NULL),
                     NTSIM_SUCCESS);
    assert_int_equal(len, sizeof(raw));
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&raw, sizeof(raw)), &v), WEDR_OK);
    return v;
}

size_t driver_make_filter(uint8_t out[WEDR_FILTER_MAX],
                          uint32_t classes,
                          const struct ntsim_text *paths,
                          size_t path_count,
                          const struct ntsim_text *keys,
                          size_t key_count)
{
    size_t count = path_count + key_count;
    size_t end = sizeof(struct wedr_filter_header) + count * sizeof(struct wedr_filter_prefix);
    struct wedr_filter_header h = {.magic = WEDR_FILTER_MAGIC,
                                   .ioctl_version = WEDR_IOCTL_VERSION,
                                   .path_count = (uint16_t)path_count,
                                   .registry_count = (uint16_t)key_count,
                                   .classes = classes};

    for (size_t i = 0; i < count; i++) {
        struct ntsim_text t = i < path_count ? paths[i] : keys[i - path_count];
        struct wedr_filter_prefix p = {(uint32_t)end, t.len, 0};

        assert_true(end + t.len <= WEDR_FILTER_MAX);
        memcpy(out + sizeof(h) + i * sizeof(p), &p, sizeof(p));
        memcpy(out + end, t.units, t.len);
        end += t.len;
    }
    h.size = (uint32_t)end;
    memcpy(out, &h, sizeof(h));
    return end;
}

int32_t driver_set_filter(struct ntsim_file *f,
                          uint32_t classes,
                          const struct ntsim_text *paths,
                          size_t path_count,
                          const struct ntsim_text *keys,
                          size_t key_count)
{
    static uint8_t filter[WEDR_FILTER_MAX];
    size_t len = driver_make_filter(filter, classes, paths, path_count, keys, key_count);

    return ntsim_ioctl(f, WEDR_IOCTL_SET_FILTER, filter, len, NULL, 0, NULL, NULL);
}
