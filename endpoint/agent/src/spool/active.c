/* SPDX-License-Identifier: Apache-2.0
 *
 * Active files: header, frames, appending. A frame is one write; a write that did not go through as
 * a whole is cut off again at once, or found by its checksums at the next start.
 */
#include "spool/internal.h"

#include "core/base/endian.h"
#include "core/util/alloc.h"
#include "spool/crc32c.h"
#include "wedr/plat/time.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define HEADER_AT(m) offsetof(struct wedr_spool_header, m)
#define FRAME_AT(m) offsetof(struct wedr_spool_frame, m)
#define HEADER_SIZE sizeof(struct wedr_spool_header)
#define FRAME_SIZE sizeof(struct wedr_spool_frame)

void spool_active_name(const struct wedr_spool_stream *st, char ret[WEDR_BATCH_NAME_MAX])
{
    (void)snprintf(ret, WEDR_BATCH_NAME_MAX, "%016llx.%s" WEDR_SPOOL_ACTIVE_SUFFIX,
                   (unsigned long long)st->epoch, st->name);
}

static void encode_header(const struct wedr_spool_stream *st, uint8_t h[HEADER_SIZE])
{
    memset(h, 0, HEADER_SIZE);
    memcpy(h, WEDR_SPOOL_MAGIC, 8);
    wedr_put_le32(h + HEADER_AT(size), (uint32_t)HEADER_SIZE);
    wedr_put_le64(h + HEADER_AT(epoch), st->epoch);
    memcpy(h + HEADER_AT(boot_id), st->boot_id, WEDR_BOOT_ID_LEN);
    memcpy(h + HEADER_AT(stream), st->name, strlen(st->name));
    wedr_put_le64(h + HEADER_AT(base_seq), st->base_seq);
    wedr_put_le64(h + HEADER_AT(produced), st->produced);
    wedr_put_le64(h + HEADER_AT(lost), st->lost);
    wedr_put_le64(h + HEADER_AT(explained), st->explained);
    wedr_put_le32(h + HEADER_AT(flags), st->closed ? WEDR_SPOOL_F_CLOSED : 0);
    wedr_put_le64(h + HEADER_AT(utc_us), (uint64_t)st->utc_us);
    wedr_put_le32(h + HEADER_AT(crc), wedr_crc32c(0, h, HEADER_SIZE));
}

int spool_read_header(const uint8_t *file, size_t len, struct wedr_spool_stream *st)
{
    uint8_t h[HEADER_SIZE];
    if (len < HEADER_SIZE || memcmp(file, WEDR_SPOOL_MAGIC, 8) != 0) {
        return WEDR_E_CORRUPT;
    }
    memcpy(h, file, HEADER_SIZE);
    uint32_t crc = wedr_le32(h + HEADER_AT(crc));
    wedr_put_le32(h + HEADER_AT(crc), 0);
    const char *name = (const char *)h + HEADER_AT(stream);
    const char *name_end = memchr(name, 0, WEDR_STREAM_NAME_MAX);
    size_t name_len = name_end ? (size_t)(name_end - name) : WEDR_STREAM_NAME_MAX;
    if (wedr_crc32c(0, h, HEADER_SIZE) != crc || wedr_le32(h + HEADER_AT(size)) != HEADER_SIZE ||
        name_len == WEDR_STREAM_NAME_MAX || !wedr_stream_name_valid(name, name_len) ||
        wedr_le64(h + HEADER_AT(epoch)) == 0) {
        return WEDR_E_CORRUPT;
    }
    st->epoch = wedr_le64(h + HEADER_AT(epoch));
    memcpy(st->boot_id, h + HEADER_AT(boot_id), WEDR_BOOT_ID_LEN);
    memcpy(st->name, name, name_len + 1);
    st->base_seq = wedr_le64(h + HEADER_AT(base_seq));
    st->produced = wedr_le64(h + HEADER_AT(produced));
    st->lost = wedr_le64(h + HEADER_AT(lost));
    st->explained = wedr_le64(h + HEADER_AT(explained));
    st->closed = (wedr_le32(h + HEADER_AT(flags)) & WEDR_SPOOL_F_CLOSED) != 0;
    st->utc_us = (int64_t)wedr_le64(h + HEADER_AT(utc_us));
    return st->produced < st->base_seq ? WEDR_E_CORRUPT : WEDR_OK;
}

static bool frame_header(const uint8_t *p, size_t len, struct wedr_spool_frame *ret)
{
    uint8_t h[FRAME_SIZE];
    if (len < FRAME_SIZE || wedr_le32(p) != WEDR_SPOOL_FRAME_MAGIC) {
        return false;
    }
    memcpy(h, p, FRAME_SIZE);
    wedr_put_le32(h + FRAME_AT(crc), 0);
    if (wedr_crc32c(0, h, FRAME_SIZE) != wedr_le32(p + FRAME_AT(crc))) {
        return false;
    }
    ret->len = wedr_le32(h + FRAME_AT(len));
    ret->payload_crc = wedr_le32(h + FRAME_AT(payload_crc));
    ret->count = wedr_le32(h + FRAME_AT(count));
    ret->first_seq = wedr_le64(h + FRAME_AT(first_seq));
    ret->last_seq = wedr_le64(h + FRAME_AT(last_seq));
    ret->produced = wedr_le64(h + FRAME_AT(produced));
    ret->lost = wedr_le64(h + FRAME_AT(lost));
    ret->explained = wedr_le64(h + FRAME_AT(explained));
    return (ret->count == 0) == (ret->len == 0) && ret->count <= WEDR_BATCH_LINES_MAX &&
           (ret->count == 0 ||
            (ret->first_seq >= 1 && ret->first_seq <= ret->last_seq &&
             ret->last_seq - ret->first_seq >= ret->count - 1u && ret->produced >= ret->last_seq));
}

/* A flipped bit in a frame's header must not cost the frames behind it: look for the next header
 * that checks out. */
static size_t resync(const uint8_t *file, size_t len, size_t at)
{
    struct wedr_spool_frame f;
    for (size_t i = at + 1; i + FRAME_SIZE <= len; i++) {
        if (file[i] == (WEDR_SPOOL_FRAME_MAGIC & 0xffu) && frame_header(file + i, len - i, &f)) {
            return i;
        }
    }
    return len;
}

bool spool_next_frame(const uint8_t *file, size_t len, struct scan *sc, struct frame_view *ret)
{
    sc->torn = sc->skipped = 0;
    if (sc->at >= len) {
        return false;
    }
    if (!frame_header(file + sc->at, len - sc->at, &ret->f)) {
        size_t next = resync(file, len, sc->at);
        if (next == len) {
            sc->torn = len - sc->at;
            return false;
        }
        size_t skipped = next - sc->at;
        sc->at = next;
        bool found = spool_next_frame(file, len, sc, ret);
        sc->skipped = skipped;
        return found;
    }
    size_t left = len - sc->at - FRAME_SIZE;
    if (ret->f.len > left) {
        size_t next = resync(file, len, sc->at);
        if (next == len) {
            sc->torn = len - sc->at;
            return false;
        }
        /* Cannot come from a torn write, since something was written behind it. */
        ret->intact = false;
        ret->lines = NULL;
        sc->at = next;
        return true;
    }
    ret->lines = file + sc->at + FRAME_SIZE;
    ret->intact = wedr_crc32c(0, ret->lines, ret->f.len) == ret->f.payload_crc;
    size_t behind = sc->at + FRAME_SIZE + ret->f.len;
    if (!ret->intact && behind >= len) {
        sc->torn = len - sc->at; /* the file grew, its bytes did not come */
        return false;
    }
    sc->at = behind;
    return true;
}

int spool_read_active(struct wedr_spool *s,
                      const struct wedr_spool_stream *st,
                      struct wedr_buf *ret)
{
    char name[WEDR_BATCH_NAME_MAX];
    wedr_handle h;
    wedr_buf_init(ret, (size_t)4 * WEDR_BATCH_RAW_MAX);
    spool_active_name(st, name);
    int err = wedr_fs_open_at(s->dir, name, WEDR_FS_READ, 0, &h);
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(h, ret);
        wedr_fs_close(h);
    }
    return err;
}

int spool_open_active(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    char name[WEDR_BATCH_NAME_MAX];
    struct wedr_fs_stat fst;
    spool_active_name(st, name);
    int err = wedr_fs_open_at(s->dir, name, WEDR_FS_READ | WEDR_FS_WRITE, 0, &st->file);
    if (err != WEDR_OK) {
        st->file = WEDR_HANDLE_NONE;
        return err;
    }
    err = wedr_fs_stat(st->file, &fst);
    if (err == WEDR_OK) {
        err = wedr_fs_seek_end(st->file);
    }
    if (err != WEDR_OK) {
        wedr_fs_close(st->file);
        st->file = WEDR_HANDLE_NONE;
        return err;
    }
    st->size = fst.size;
    return WEDR_OK;
}

int spool_write_header(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    char name[WEDR_BATCH_NAME_MAX];
    uint8_t h[HEADER_SIZE];
    st->utc_us = wedr_time_utc_us();
    encode_header(st, h);
    spool_active_name(st, name);
    int err = spool_hook(s, "header");
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(s->dir, name, h, sizeof(h), 0600);
    }
    if (err != WEDR_OK) {
        return err;
    }
    wedr_fs_close(st->file);
    st->file = WEDR_HANDLE_NONE;
    st->size = HEADER_SIZE;
    st->raw = 0;
    st->count = 0;
    st->first_seq = st->last_seq = 0;
    st->stale = false;
    return WEDR_OK;
}

uint64_t wedr_spool_room(const struct wedr_spool *s, const struct wedr_spool_stream *st)
{
    return st->raw < s->cfg.raw_max ? s->cfg.raw_max - st->raw : 0;
}

static void encode_frame(const struct wedr_spool_frame_in *f, uint8_t h[FRAME_SIZE])
{
    memset(h, 0, FRAME_SIZE);
    wedr_put_le32(h, WEDR_SPOOL_FRAME_MAGIC);
    wedr_put_le32(h + FRAME_AT(len), (uint32_t)f->len);
    wedr_put_le32(h + FRAME_AT(payload_crc), wedr_crc32c(0, f->lines, f->len));
    wedr_put_le32(h + FRAME_AT(count), f->count);
    wedr_put_le64(h + FRAME_AT(first_seq), f->first_seq);
    wedr_put_le64(h + FRAME_AT(last_seq), f->last_seq);
    wedr_put_le64(h + FRAME_AT(produced), f->produced);
    wedr_put_le64(h + FRAME_AT(lost), f->lost);
    wedr_put_le64(h + FRAME_AT(explained), f->explained);
    wedr_put_le32(h + FRAME_AT(crc), wedr_crc32c(0, h, FRAME_SIZE));
}

/* Header and lines lie in one piece: the caller left FRAME_SIZE bytes before the lines
 * (WEDR_SPOOL_FRAME_ROOM). */
static int write_frame(struct wedr_spool_stream *st, const struct wedr_spool_frame_in *f)
{
    uint8_t *p = (uint8_t *)f->lines - FRAME_SIZE;
    encode_frame(f, p);
    int err = wedr_fs_write(st->file, p, FRAME_SIZE + f->len);
    if (err == WEDR_OK) {
        return WEDR_OK;
    }
    /* A part may be there. When it cannot be cut off now, the next append or the next start does.
     */
    if (wedr_fs_truncate(st->file, st->size) != WEDR_OK || wedr_fs_seek_end(st->file) != WEDR_OK) {
        wedr_fs_close(st->file);
        st->file = WEDR_HANDLE_NONE;
    }
    return err;
}

static int make_ready(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    if (st->stale) {
        int err = spool_write_header(s, st);
        if (err != WEDR_OK) {
            return err;
        }
    }
    if (st->file != WEDR_HANDLE_NONE) {
        return WEDR_OK;
    }
    uint64_t size = st->size;
    int err = spool_open_active(s, st);
    if (err == WEDR_OK && st->size != size) {
        err = st->size > size ? wedr_fs_truncate(st->file, size) : WEDR_E_CORRUPT;
        if (err == WEDR_OK) {
            err = wedr_fs_seek_end(st->file);
        }
        if (err != WEDR_OK) {
            wedr_fs_close(st->file);
            st->file = WEDR_HANDLE_NONE;
        }
        st->size = size;
    }
    return err;
}

int wedr_spool_append(struct wedr_spool *s,
                      struct wedr_spool_stream *st,
                      const struct wedr_spool_frame_in *f)
{
    if (st->closed) {
        return WEDR_E_STATE;
    }
    if (st->count > 0 &&
        (st->raw + f->len > s->cfg.raw_max || st->count + f->count > WEDR_BATCH_LINES_MAX)) {
        return WEDR_E_FULL;
    }
    int err = spool_hook(s, "append");
    if (err == WEDR_OK) {
        err = make_ready(s, st);
    }
    if (err == WEDR_OK) {
        err = write_frame(st, f);
    }
    if (err != WEDR_OK) {
        return err;
    }
    st->size += FRAME_SIZE + f->len;
    st->produced = f->produced;
    st->lost = f->lost;
    st->explained = f->explained;
    if (f->count > 0) {
        if (st->count == 0) {
            st->first_seq = f->first_seq;
            st->since_ms = wedr_time_mono_ms();
        }
        st->last_seq = f->last_seq;
        st->count += f->count;
        st->raw += f->len;
    }
    return spool_hook(s, "append.written");
}
