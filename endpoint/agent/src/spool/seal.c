/* SPDX-License-Identifier: Apache-2.0
 *
 * From an active file to a batch. The steps, and why the process may die or the power may fail
 * between any two of them:
 *
 *   1. The frames are read back, checked and compressed into a temporary file, which is synced.
 *      Before or during it: the active file is whole, the temporary one is removed at the next
 * start.
 *   2. The temporary file is renamed to the batch's name and the folder is synced.
 *      Died in between: either the name is there or it is not; the file behind it is complete
 * either way.
 *   3. A file that holds just a header with base_seq = last seq of the batch replaces the active
 * one, durably. Died between 2 and 3: the records are in the batch and in the active file. The next
 * start sees a batch whose last seq is not below the frames' and does step 3 again before anything
 * is sent, evicted or appended, so that no record is sealed twice. For the same reason the batch is
 * offered only after step 3: as long as step 3 fails the stream takes no records (`stale`), and the
 * batch cannot be acknowledged and deleted, which would make the frames look unsealed.
 *
 * Nothing is ever in neither place: step 3 comes after the sync of step 2. The frames themselves
 * need no sync of their own: a record that a power failure takes out of the active file is gone
 * from the kernel's ring as well.
 */
#include "spool/internal.h"

#include "core/base/endian.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>
#include <zstd.h>

void spool_note_range(struct wedr_spool *s,
                      const struct wedr_spool_stream *st,
                      const struct wedr_spool_frame *f,
                      uint32_t reason)
{
    struct wedr_batch_id id;
    memset(&id, 0, sizeof(id));
    id.epoch = st->epoch;
    memcpy(id.boot_id, st->boot_id, WEDR_BOOT_ID_LEN);
    memcpy(id.stream, st->name, sizeof(id.stream));
    id.first_seq = f->first_seq;
    id.last_seq = f->last_seq;
    id.count = f->count;
    s->stats.corrupt += f->count;
    s->cfg.losses.note(s->cfg.losses.arg, &id, reason);
}

/* Moves the lines of the intact frames to the front of the file's memory; what is not intact is
 * noted as lost. */
static int collect(struct wedr_spool *s,
                   struct wedr_spool_stream *st,
                   struct wedr_buf *file,
                   size_t *ret_len,
                   struct wedr_batch_id *id)
{
    struct scan sc = {sizeof(struct wedr_spool_header), 0, 0};
    struct frame_view fv;
    size_t len = 0;
    bool noted = false;
    uint64_t before = st->base_seq;
    while (spool_next_frame(file->p, file->len, &sc, &fv)) {
        struct wedr_spool_frame gap = {.first_seq = before + 1, .last_seq = fv.f.first_seq - 1};
        if (sc.skipped > 0 && fv.f.count > 0 && gap.last_seq >= gap.first_seq) {
            uint64_t n = gap.last_seq - gap.first_seq + 1;
            gap.count = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
            spool_note_range(s, st, &gap, WEDR_LOSS_REASON_CORRUPT);
            noted = true;
        }
        before = fv.f.produced;
        if (!fv.intact) {
            spool_note_range(s, st, &fv.f, WEDR_LOSS_REASON_CORRUPT);
            noted = true;
            continue;
        }
        if (fv.f.count == 0 || fv.f.first_seq <= id->last_seq) {
            continue; /* counters alone; or seqs that came before, which no writer of ours makes */
        }
        memmove(file->p + len, fv.lines, fv.f.len);
        len += fv.f.len;
        id->first_seq = id->count == 0 ? fv.f.first_seq : id->first_seq;
        id->last_seq = fv.f.last_seq;
        id->count += fv.f.count;
    }
    *ret_len = len;
    return noted ? s->cfg.losses.flush(s->cfg.losses.arg) : WEDR_OK;
}

static int compress_lines(
    const struct wedr_spool *s, const uint8_t *lines, size_t len, uint8_t **ret_z, size_t *ret_len)
{
    size_t cap = ZSTD_compressBound(len);
    uint8_t *z = wedr_alloc(cap, 1);
    if (!z) {
        return WEDR_E_NOMEM;
    }
    size_t n = ZSTD_compress(z, cap, lines, len, s->cfg.zstd_level);
    if (ZSTD_isError(n)) {
        wedr_free(z);
        return WEDR_E_NOMEM;
    }
    *ret_z = z;
    *ret_len = n;
    return WEDR_OK;
}

static int write_temp(struct wedr_spool *s, const char *name, const uint8_t *z, size_t len)
{
    wedr_handle h;
    int err =
        wedr_fs_open_at(s->dir, name, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &h);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_fs_write(h, z, len);
    if (err == WEDR_OK) {
        err = wedr_fs_sync(h);
    }
    wedr_fs_close(h);
    if (err != WEDR_OK) {
        (void)!wedr_fs_unlink_at(s->dir, name);
    }
    return err;
}

/* Steps 1 and 2. */
static int write_batch(struct wedr_spool *s,
                       struct wedr_batch_id *id,
                       const uint8_t *lines,
                       size_t len,
                       uint64_t *ret_bytes)
{
    char temp[48];
    char name[WEDR_BATCH_NAME_MAX];
    uint8_t *z = NULL;
    size_t z_len = 0;
    int err = compress_lines(s, lines, len, &z, &z_len);
    if (err != WEDR_OK) {
        return err;
    }
    wedr_sha256(z, z_len, id->sha256);
    (void)snprintf(temp, sizeof(temp), "seal.%llu" WEDR_SPOOL_TMP_SUFFIX,
                   (unsigned long long)s->temp_next++);
    err = wedr_batch_name(id, name);
    if (err == WEDR_OK) {
        err = write_temp(s, temp, z, z_len);
    }
    wedr_free(z);
    if (err == WEDR_OK) {
        err = spool_hook(s, "seal.temp_written");
    }
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_fs_rename_at(s->dir, temp, name);
    if (err != WEDR_OK) {
        (void)!wedr_fs_unlink_at(s->dir, temp);
        return err;
    }
    err = wedr_fs_sync(s->dir);
    if (err != WEDR_OK) {
        /* The frames stay and may be added to: a batch that covers a part of them must not. */
        (void)!wedr_fs_unlink_at(s->dir, name);
        return err;
    }
    *ret_bytes = z_len;
    return spool_hook(s, "seal.renamed");
}

static int seal_frames(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    struct wedr_buf file;
    struct wedr_batch_id id;
    size_t len = 0;
    uint64_t bytes = 0;
    memset(&id, 0, sizeof(id));
    id.epoch = st->epoch;
    memcpy(id.boot_id, st->boot_id, WEDR_BOOT_ID_LEN);
    memcpy(id.stream, st->name, sizeof(id.stream));
    id.produced = st->produced;
    id.lost = st->lost;
    int err = spool_read_active(s, st, &file);
    if (err == WEDR_OK && st->file != WEDR_HANDLE_NONE) {
        err = wedr_fs_sync(st->file);
    }
    if (err == WEDR_OK) {
        err = collect(s, st, &file, &len, &id);
    }
    if (err == WEDR_OK && id.count > 0) {
        err = write_batch(s, &id, file.p, len, &bytes);
    }
    wedr_buf_fini(&file);
    if (err != WEDR_OK) {
        return err;
    }
    st->base_seq = st->produced;
    st->stale = true;
    return id.count > 0 ? spool_add_sealed(s, &id, bytes) : WEDR_OK;
}

static int seal(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    int err = spool_hook(s, "seal");
    if (err != WEDR_OK) {
        return err;
    }
    if (st->count > 0 && !st->stale) {
        err = seal_frames(s, st);
        if (err != WEDR_OK) {
            return err;
        }
    }
    if (!st->stale && st->size <= sizeof(struct wedr_spool_header)) {
        return WEDR_OK;
    }
    st->base_seq = st->produced;
    err = spool_write_header(s, st);
    return err == WEDR_OK ? spool_hook(s, "seal.replaced") : err;
}

int wedr_spool_seal(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    int err = seal(s, st);
    return err == WEDR_E_NOSPC && spool_reserve_give(s) ? seal(s, st) : err;
}

int wedr_spool_end(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    int err = wedr_spool_seal(s, st);
    if (err != WEDR_OK || st->closed) {
        return err;
    }
    st->closed = true;
    err = spool_write_header(s, st);
    if (err != WEDR_OK) {
        st->closed = false;
    }
    return err;
}
