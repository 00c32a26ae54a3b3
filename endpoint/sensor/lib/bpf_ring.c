/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf_ring.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel's layout (include/uapi/linux/bpf.h): page 0 holds the consumer's position and may be
 * written; page 1 holds the producer's; then come the data pages twice in a row, so that a record
 * that wraps reads as one piece. A record is a u32 length with two flag bits, a u32 page offset,
 * then the bytes, rounded up to 8. */
#define BUSY_BIT (1u << 31)
#define DISCARD_BIT (1u << 30)
#define HDR_BYTES 8u

struct wedr_bpf_ring {
    uint64_t *consumer;
    const uint64_t *producer; /* first word of the read-only mapping */
    const uint8_t *data;
    uint64_t mask;
    size_t page, ro_bytes;
};

int wedr_bpf_ring_open(wedr_handle map, uint32_t size_bytes, struct wedr_bpf_ring **ret)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || size_bytes == 0 || (size_bytes & (size_bytes - 1)) != 0 ||
        size_bytes % (unsigned long)page != 0) {
        return WEDR_E_INVAL;
    }
    struct wedr_bpf_ring *r = wedr_alloc(1, sizeof *r);
    if (!r) {
        return WEDR_E_NOMEM;
    }
    r->page = (size_t)page;
    r->ro_bytes = r->page + 2 * (size_t)size_bytes;
    r->mask = size_bytes - 1u;
    void *rw = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, (int)map, 0);
    if (rw == MAP_FAILED) {
        int err = wedr_err_from_os(errno);
        wedr_free(r);
        return err;
    }
    void *ro = mmap(NULL, r->ro_bytes, PROT_READ, MAP_SHARED, (int)map, page);
    if (ro == MAP_FAILED) {
        int err = wedr_err_from_os(errno);
        (void)munmap(rw, r->page);
        wedr_free(r);
        return err;
    }
    r->consumer = rw;
    r->producer = ro;
    r->data = (const uint8_t *)ro + r->page;
    *ret = r;
    return WEDR_OK;
}

void wedr_bpf_ring_close(struct wedr_bpf_ring *r)
{
    if (!r) {
        return;
    }
    (void)munmap(r->consumer, r->page);
    (void)munmap((void *)(uintptr_t)r->producer, r->ro_bytes);
    wedr_free(r);
}

uint64_t wedr_bpf_ring_consumer(const struct wedr_bpf_ring *r)
{
    return __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
}

uint64_t wedr_bpf_ring_producer(const struct wedr_bpf_ring *r)
{
    return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

int wedr_bpf_ring_next(const struct wedr_bpf_ring *r, uint64_t *pos, struct wedr_span *ret_rec)
{
    uint64_t at = *pos;
    uint64_t end = wedr_bpf_ring_producer(r);
    for (;;) {
        /* Behind the producer is nothing; so far behind that the kernel has reused the bytes is no
         * position. */
        if (at >= end) {
            *pos = at;
            return at == end ? WEDR_E_AGAIN : WEDR_E_CORRUPT;
        }
        if (end - at > r->mask + 1 || (at & (HDR_BYTES - 1)) != 0) {
            return WEDR_E_CORRUPT;
        }
        const uint8_t *hdr = r->data + (at & r->mask);
        uint32_t word = __atomic_load_n((const uint32_t *)(const void *)hdr, __ATOMIC_ACQUIRE);
        if (word & BUSY_BIT) {
            *pos = at;
            return WEDR_E_AGAIN;
        }
        uint64_t len = word & ~(BUSY_BIT | DISCARD_BIT);
        uint64_t step = (len + HDR_BYTES + 7u) & ~(uint64_t)7u;
        if (step > end - at) {
            return WEDR_E_CORRUPT;
        }
        at += step;
        if (!(word & DISCARD_BIT)) {
            *pos = at;
            *ret_rec = wedr_span(hdr + HDR_BYTES, (size_t)len);
            return WEDR_OK;
        }
    }
}

void wedr_bpf_ring_release(struct wedr_bpf_ring *r, uint64_t pos)
{
    uint64_t consumer = wedr_bpf_ring_consumer(r);
    if (pos > consumer && pos <= wedr_bpf_ring_producer(r)) {
        __atomic_store_n(r->consumer, pos, __ATOMIC_RELEASE);
    }
}

int wedr_sensor_state_map(wedr_handle state, const struct wedr_sensor_state **ret)
{
    void *p = mmap(NULL, sizeof(struct wedr_sensor_state), PROT_READ, MAP_SHARED, (int)state, 0);
    if (p == MAP_FAILED) {
        return wedr_err_from_os(errno);
    }
    const struct wedr_sensor_state *st = p;
    if (st->magic != WEDR_SENSOR_STATE_MAGIC) {
        (void)munmap(p, sizeof *st);
        return WEDR_E_VERSION;
    }
    *ret = st;
    return WEDR_OK;
}

void wedr_sensor_state_unmap(const struct wedr_sensor_state *st)
{
    if (st) {
        (void)munmap((void *)(uintptr_t)st, sizeof *st);
    }
}
