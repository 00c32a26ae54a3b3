/* SPDX-License-Identifier: Apache-2.0
 *
 * Room on the disk for one more seal. A disk may be full of the active files alone: then nothing
 * sealed is left whose acknowledgement makes room, sealing needs room itself, and the spool would
 * be deaf until a person comes. The file `reserve` is removed for such a seal and made again once
 * there is room.
 */
#include "spool/internal.h"

#include "core/util/alloc.h"
#include "wedr/plat/time.h"

#define RESERVE_NAME "reserve"
#define RESERVE_SHARE 4u /* of a segment: its text packs to less */
#define AGAIN_MS 1000u
#define CHUNK 65536u

static uint64_t wanted(const struct wedr_spool *s)
{
    return s->cfg.raw_max / RESERVE_SHARE;
}

void spool_reserve_find(struct wedr_spool *s)
{
    struct wedr_fs_stat st;
    s->reserve = wedr_fs_stat_at(s->dir, RESERVE_NAME, &st) == WEDR_OK && st.size >= wanted(s);
}

static int fill(wedr_handle h, uint64_t size)
{
    uint8_t *zero = wedr_alloc(CHUNK, 1);
    int err = zero ? WEDR_OK : WEDR_E_NOMEM;
    for (uint64_t at = 0; err == WEDR_OK && at < size; at += CHUNK) {
        err = wedr_fs_write(h, zero, size - at < CHUNK ? (size_t)(size - at) : CHUNK);
    }
    wedr_free(zero);
    return err == WEDR_OK ? wedr_fs_sync(h) : err;
}

void spool_reserve_make(struct wedr_spool *s)
{
    uint64_t now = wedr_time_mono_ms();
    wedr_handle h;
    if (s->reserve || now < s->reserve_ms) {
        return;
    }
    s->reserve_ms = now + AGAIN_MS;
    if (wedr_fs_open_at(s->dir, RESERVE_NAME, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600,
                        &h) != WEDR_OK) {
        return;
    }
    s->reserve = fill(h, wanted(s)) == WEDR_OK;
    wedr_fs_close(h);
    if (!s->reserve) {
        (void)!wedr_fs_unlink_at(s->dir, RESERVE_NAME);
    }
}

bool spool_reserve_give(struct wedr_spool *s)
{
    bool had = s->reserve;
    s->reserve = false;
    s->reserve_ms = wedr_time_mono_ms() + AGAIN_MS;
    return had && wedr_fs_unlink_at(s->dir, RESERVE_NAME) == WEDR_OK;
}
