/* SPDX-License-Identifier: Apache-2.0
 *
 * What a start finds in the spool folder, put in order again.
 */
#include "spool/internal.h"

#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

/* Names are collected first: a folder is not changed while it is listed. */
struct names {
    char (*name)[WEDR_BATCH_NAME_MAX];
    size_t count, cap;
};

static int add_name(void *arg, const char *name)
{
    struct names *n = arg;
    if (strlen(name) >= WEDR_BATCH_NAME_MAX) {
        return WEDR_OK;
    }
    if (n->count == n->cap) {
        size_t cap = n->cap == 0 ? 64 : 2 * n->cap;
        void *p = wedr_realloc(n->name, cap, sizeof(*n->name));
        if (!p) {
            return WEDR_E_NOMEM;
        }
        n->name = p;
        n->cap = cap;
    }
    memcpy(n->name[n->count++], name, strlen(name) + 1);
    return WEDR_OK;
}

static int file_stat(struct wedr_spool *s, const char *name, struct wedr_fs_stat *ret)
{
    wedr_handle h;
    int err = wedr_fs_open_at(s->dir, name, WEDR_FS_READ, 0, &h);
    if (err == WEDR_OK) {
        err = wedr_fs_stat(h, ret);
        wedr_fs_close(h);
    }
    return err;
}

static int by_age(const void *a, const void *b)
{
    const struct sealed *x = a;
    const struct sealed *y = b;
    if (x->order != y->order) {
        return x->order < y->order ? -1 : 1;
    }
    return x->id.first_seq < y->id.first_seq ? -1 : x->id.first_seq > y->id.first_seq;
}

static int recover_sealed(struct wedr_spool *s, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        struct wedr_batch_id id;
        struct wedr_fs_stat st;
        const char *name = names->name[i];
        if (!ends_with(name, ".zst") ||
            strncmp(name, WEDR_SPOOL_ASIDE_PREFIX, strlen(WEDR_SPOOL_ASIDE_PREFIX)) == 0 ||
            wedr_batch_name_parse(name, strlen(name), &id) != WEDR_OK ||
            file_stat(s, name, &st) != WEDR_OK) {
            continue;
        }
        int err = spool_add_sealed(s, &id, st.size);
        if (err != WEDR_OK) {
            return err;
        }
        s->sealed[s->sealed_count - 1].order = st.mtime_us > 0 ? (uint64_t)st.mtime_us : 0;
    }
    if (s->sealed_count > 0) {
        qsort(s->sealed, s->sealed_count, sizeof(*s->sealed), by_age);
    }
    s->order_next = 0;
    for (size_t i = 0; i < s->sealed_count; i++) {
        s->sealed[i].order = s->order_next++;
    }
    s->stats.sealed = 0;
    return WEDR_OK;
}

static uint64_t highest_sealed(const struct wedr_spool *s,
                               const struct wedr_spool_stream *st,
                               struct wedr_batch_id *ret)
{
    uint64_t last = 0;
    for (size_t i = 0; i < s->sealed_count; i++) {
        const struct wedr_batch_id *id = &s->sealed[i].id;
        if (id->epoch == st->epoch && strcmp(id->stream, st->name) == 0 && id->last_seq > last) {
            last = id->last_seq;
            *ret = *id;
        }
    }
    return last;
}

/* Counts what the frames hold and where they end; frames that a seal covers make the file stale. */
static void
take_frames(struct wedr_spool *s, struct wedr_spool_stream *st, const struct wedr_buf *file)
{
    struct scan sc = {sizeof(struct wedr_spool_header), 0, 0};
    struct frame_view fv;
    struct wedr_batch_id top = {.epoch = 0};
    uint64_t sealed_to = highest_sealed(s, st, &top);
    size_t good = sc.at;
    while (spool_next_frame(file->p, file->len, &sc, &fv)) {
        good = sc.at;
        if (fv.f.produced < st->produced) {
            continue;
        }
        st->produced = fv.f.produced;
        st->lost = fv.f.lost;
        st->explained = fv.f.explained;
        if (fv.f.count > 0) {
            st->first_seq = st->count == 0 ? fv.f.first_seq : st->first_seq;
            st->last_seq = fv.f.last_seq;
            st->count += fv.f.count;
            st->raw += fv.f.len;
        }
    }
    s->stats.torn_bytes_cut += file->len - good;
    st->size = good;
    if (sealed_to > st->base_seq) {
        if (st->count == 0 || st->last_seq <= sealed_to) {
            st->count = 0;
            st->raw = 0;
            st->first_seq = st->last_seq = 0;
            st->stale = true;
        }
        if (top.produced > st->produced) {
            st->produced = top.produced;
            st->lost = top.lost;
        }
        st->base_seq = st->stale ? st->produced : sealed_to;
    }
}

static int cut_tail(struct wedr_spool *s, struct wedr_spool_stream *st, size_t file_len)
{
    if (st->size == file_len) {
        return WEDR_OK;
    }
    uint64_t size = st->size;
    int err = spool_open_active(s, st);
    if (err == WEDR_OK) {
        err = wedr_fs_truncate(st->file, size);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_seek_end(st->file);
    }
    st->size = size;
    return err;
}

static int recover_active(struct wedr_spool *s, const char *name)
{
    struct wedr_spool_stream *st = spool_new_stream(s);
    struct wedr_buf file;
    char expected[WEDR_BATCH_NAME_MAX];
    wedr_handle h;
    if (!st) {
        return WEDR_OK; /* more marks than we ever keep: left alone */
    }
    wedr_buf_init(&file, (size_t)4 * WEDR_BATCH_RAW_MAX);
    int err = wedr_fs_open_at(s->dir, name, WEDR_FS_READ, 0, &h);
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(h, &file);
        wedr_fs_close(h);
    }
    if (err == WEDR_E_NOMEM) {
        goto out;
    }
    if (err == WEDR_OK) {
        err = spool_read_header(file.p, file.len, st);
    }
    if (err == WEDR_OK) {
        spool_active_name(st, expected);
        err = strcmp(expected, name) == 0 ? WEDR_OK : WEDR_E_CORRUPT;
    }
    if (err != WEDR_OK) {
        /* Whose records these were is not known any more: kept for people, shown as missing by the
         * server. */
        char aside[WEDR_BATCH_NAME_MAX + 8] = WEDR_SPOOL_ASIDE_PREFIX;
        memcpy(aside + strlen(WEDR_SPOOL_ASIDE_PREFIX), name, strlen(name) + 1);
        err = wedr_fs_rename_at(s->dir, name, aside);
        s->stats.set_aside++;
        spool_free_stream(st);
        st = NULL;
        goto out;
    }
    take_frames(s, st, &file);
    st->since_ms = wedr_time_mono_ms();
    err = st->stale ? spool_write_header(s, st) : cut_tail(s, st, file.len);
    if (err == WEDR_E_NOSPC && st->stale) {
        err = WEDR_OK; /* what makes room is shipping the other batches; this stream waits for it */
    }
out:
    if (err != WEDR_OK && st) {
        spool_free_stream(st);
    }
    wedr_buf_fini(&file);
    return err;
}

int spool_recover(struct wedr_spool *s)
{
    struct names names = {NULL, 0, 0};
    int err = wedr_fs_list(s->dir, add_name, &names);
    for (size_t i = 0; err == WEDR_OK && i < names.count; i++) {
        if (ends_with(names.name[i], WEDR_SPOOL_TMP_SUFFIX)) {
            (void)!wedr_fs_unlink_at(s->dir, names.name[i]);
        }
    }
    if (err == WEDR_OK) {
        err = recover_sealed(s, &names);
    }
    for (size_t i = 0; err == WEDR_OK && i < names.count; i++) {
        if (ends_with(names.name[i], WEDR_SPOOL_ACTIVE_SUFFIX) &&
            strncmp(names.name[i], WEDR_SPOOL_ASIDE_PREFIX, strlen(WEDR_SPOOL_ASIDE_PREFIX)) != 0) {
            err = recover_active(s, names.name[i]);
        }
    }
    wedr_free(names.name);
    if (err == WEDR_OK) {
        spool_bound_aside(s);
    }
    return err;
}
