/* SPDX-License-Identifier: Apache-2.0
 * The ring reader over a file laid out like a BPF ring, with every length that the kernel would
 * never write. */
#include "sensor/lib/bpf_ring.h"

#include "core/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUSY (1u << 31)
#define DISCARD (1u << 30)

struct fake {
    int fd;
    uint8_t *p;
    size_t page;
    struct wedr_bpf_ring *ring;
};

static uint64_t *consumer(struct fake *f)
{
    return (uint64_t *)(void *)f->p;
}
static uint64_t *producer(struct fake *f)
{
    return (uint64_t *)(void *)(f->p + f->page);
}

static int make(void **state)
{
    static struct fake f;
    f.page = (size_t)sysconf(_SC_PAGESIZE);
    f.fd = memfd_create("ring", MFD_CLOEXEC);
    size_t bytes = f.page * 4;
    assert_int_equal(ftruncate(f.fd, (off_t)bytes), 0);
    f.p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
    assert_ptr_not_equal(f.p, MAP_FAILED);
    assert_int_equal(wedr_bpf_ring_open(f.fd, (uint32_t)f.page, &f.ring), WEDR_OK);
    *state = &f;
    return 0;
}

static int drop(void **state)
{
    struct fake *f = *state;
    wedr_bpf_ring_close(f->ring);
    (void)munmap(f->p, f->page * 4);
    (void)close(f->fd);
    return 0;
}

/* Puts a record at the producer's position, header word as given, and advances. */
static void put(struct fake *f, uint32_t word, const void *bytes)
{
    uint32_t len = word & ~(BUSY | DISCARD);
    uint8_t *at = f->p + 2 * f->page + (*producer(f) & (f->page - 1));
    memcpy(at, &word, sizeof word);
    if (bytes) {
        memcpy(at + 8, bytes, len);
    }
    *producer(f) += (len + 8 + 7) & ~7u;
}

static void empty_ring_gives_again(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    uint64_t pos = wedr_bpf_ring_consumer(f->ring);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_AGAIN);
    assert_int_equal(pos, 0);
}

static void committed_records_come_in_order_and_stay_until_released(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    uint64_t pos = 0;
    put(f, 5, "alpha");
    put(f, 3, "two");
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_OK);
    assert_int_equal(rec.len, 5);
    assert_memory_equal(rec.p, "alpha", 5);
    assert_int_equal(pos, 16);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_OK);
    assert_memory_equal(rec.p, "two", 3);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_AGAIN);
    assert_int_equal(wedr_bpf_ring_consumer(f->ring), 0);
    wedr_bpf_ring_release(f->ring, pos);
    assert_int_equal(*consumer(f), 32);
}

static void discarded_records_are_skipped(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    uint64_t pos = 0;
    put(f, 7 | DISCARD, NULL);
    put(f, 1, "x");
    put(f, 9 | DISCARD, NULL);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_OK);
    assert_memory_equal(rec.p, "x", 1);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_AGAIN);
    assert_int_equal(pos, *producer(f)); /* so that a release frees the discarded tail too */
}

static void busy_record_stops_the_reader_before_it(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    uint64_t pos = 0;
    put(f, 8 | DISCARD, NULL);
    put(f, 4 | BUSY, "late");
    put(f, 4, "next");
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_AGAIN);
    assert_int_equal(pos, 16);
    uint32_t done = 4;
    memcpy(f->p + 2 * f->page + 16, &done, sizeof done);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_OK);
    assert_memory_equal(rec.p, "late", 4);
}

static void length_beyond_the_producer_is_corrupt(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    uint64_t pos = 0;
    put(f, 8, "12345678");
    uint32_t lie = 9;
    memcpy(f->p + 2 * f->page, &lie, sizeof lie);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_CORRUPT);
    lie = ~(BUSY | DISCARD);
    memcpy(f->p + 2 * f->page, &lie, sizeof lie);
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_CORRUPT);
    assert_int_equal(pos, 0);
}

static void positions_that_cannot_be_are_corrupt(void **state)
{
    struct fake *f = *state;
    struct wedr_span rec;
    put(f, 8, "12345678");
    uint64_t pos = 4; /* not aligned */
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_CORRUPT);
    pos = 24; /* behind the producer */
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_CORRUPT);
    *producer(f) = f->page + 8; /* more in flight than the ring has */
    pos = 0;
    assert_int_equal(wedr_bpf_ring_next(f->ring, &pos, &rec), WEDR_E_CORRUPT);
}

static void release_never_goes_back_or_beyond_the_producer(void **state)
{
    struct fake *f = *state;
    put(f, 8, "12345678");
    put(f, 8, "12345678");
    wedr_bpf_ring_release(f->ring, 16);
    assert_int_equal(*consumer(f), 16);
    wedr_bpf_ring_release(f->ring, 0);
    assert_int_equal(*consumer(f), 16);
    wedr_bpf_ring_release(f->ring, 40);
    assert_int_equal(*consumer(f), 16);
    wedr_bpf_ring_release(f->ring, 32);
    assert_int_equal(*consumer(f), 32);
}

static void odd_sizes_are_refused(void **state)
{
    struct fake *f = *state;
    struct wedr_bpf_ring *r = NULL;
    assert_int_equal(wedr_bpf_ring_open(f->fd, 0, &r), WEDR_E_INVAL);
    assert_int_equal(wedr_bpf_ring_open(f->fd, (uint32_t)f->page + 8, &r), WEDR_E_INVAL);
    assert_int_equal(wedr_bpf_ring_open(f->fd, (uint32_t)f->page / 2, &r), WEDR_E_INVAL);
    assert_null(r);
}

static void foreign_state_page_is_refused(void **state)
{
    struct fake *f = *state;
    const struct wedr_sensor_state *st = NULL;
    assert_int_equal(wedr_sensor_state_map(f->fd, &st), WEDR_E_VERSION);
    uint64_t magic = WEDR_SENSOR_STATE_MAGIC;
    memcpy(f->p, &magic, sizeof magic);
    assert_int_equal(wedr_sensor_state_map(f->fd, &st), WEDR_OK);
    assert_int_equal(st->magic, magic);
    wedr_sensor_state_unmap(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_ring_gives_again, make, drop),
        cmocka_unit_test_setup_teardown(committed_records_come_in_order_and_stay_until_released,
                                        make, drop),
        cmocka_unit_test_setup_teardown(discarded_records_are_skipped, make, drop),
        cmocka_unit_test_setup_teardown(busy_record_stops_the_reader_before_it, make, drop),
        cmocka_unit_test_setup_teardown(length_beyond_the_producer_is_corrupt, make, drop),
        cmocka_unit_test_setup_teardown(positions_that_cannot_be_are_corrupt, make, drop),
        cmocka_unit_test_setup_teardown(release_never_goes_back_or_beyond_the_producer, make, drop),
        cmocka_unit_test_setup_teardown(odd_sizes_are_refused, make, drop),
        cmocka_unit_test_setup_teardown(foreign_state_page_is_refused, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
