/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool as a whole: open and close, the index of sealed batches, what leaves it.
 */
#include "spool/internal.h"

#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <string.h>

int spool_hook(struct wedr_spool *s, const char *step)
{
    return s->cfg.hook ? s->cfg.hook(s->cfg.hook_arg, step) : WEDR_OK;
}

unsigned spool_rank(const char *stream)
{
    return strcmp(stream, WEDR_STREAM_NAME_ALERT) == 0   ? 0
           : strcmp(stream, WEDR_STREAM_NAME_AGENT) == 0 ? 1
           : strcmp(stream, WEDR_STREAM_NAME_BULK) == 0  ? SPOOL_RANKS - 1
                                                         : 2;
}

int wedr_spool_open(const struct wedr_spool_cfg *cfg,
                    struct wedr_spool **ret,
                    struct wedr_errinfo *ei)
{
    if (cfg->raw_max == 0 || cfg->raw_max > WEDR_BATCH_RAW_MAX) {
        return wedr_fail(ei, WEDR_E_RANGE, "segment size is out of range");
    }
    struct wedr_spool *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    s->cfg = *cfg;
    s->dir = WEDR_HANDLE_NONE;
    s->streams = wedr_alloc(WEDR_SPOOL_STREAMS_MAX, sizeof(*s->streams));
    int err = s->streams ? WEDR_OK : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = wedr_fs_open_dir(cfg->dir, &s->dir);
    }
    if (err == WEDR_OK) {
        spool_reserve_find(s);
        err = spool_recover(s);
    }
    if (err != WEDR_OK) {
        wedr_spool_close(s);
        return wedr_fail(ei, err, "cannot open the spool: %s", wedr_err_text(err));
    }
    *ret = s;
    return WEDR_OK;
}

void wedr_spool_close(struct wedr_spool *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; s->streams && i < WEDR_SPOOL_STREAMS_MAX; i++) {
        if (s->streams[i].in_use) {
            spool_free_stream(&s->streams[i]);
        }
    }
    wedr_fs_close(s->dir);
    wedr_free(s->streams);
    wedr_free(s->sealed);
    wedr_free(s);
}

struct wedr_spool_stream *spool_new_stream(struct wedr_spool *s)
{
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        if (!s->streams[i].in_use) {
            memset(&s->streams[i], 0, sizeof(s->streams[i]));
            s->streams[i].in_use = true;
            s->streams[i].file = WEDR_HANDLE_NONE;
            return &s->streams[i];
        }
    }
    return NULL;
}

void spool_free_stream(struct wedr_spool_stream *st)
{
    wedr_fs_close(st->file);
    memset(st, 0, sizeof(*st));
    st->file = WEDR_HANDLE_NONE;
}

struct wedr_spool_stream *wedr_spool_find(struct wedr_spool *s, uint64_t epoch, const char *name)
{
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        struct wedr_spool_stream *st = &s->streams[i];
        if (st->in_use && st->epoch == epoch && strcmp(st->name, name) == 0) {
            return st;
        }
    }
    return NULL;
}

int wedr_spool_stream(struct wedr_spool *s,
                      uint64_t epoch,
                      const uint8_t boot_id[WEDR_BOOT_ID_LEN],
                      const char *name,
                      struct wedr_spool_stream **ret)
{
    struct wedr_spool_stream *st = wedr_spool_find(s, epoch, name);
    if (!st) {
        if (!wedr_stream_name_valid(name, strlen(name)) || epoch == 0) {
            return WEDR_E_INVAL;
        }
        st = spool_new_stream(s);
        if (!st) {
            return WEDR_E_LIMIT;
        }
        st->epoch = epoch;
        memcpy(st->boot_id, boot_id, WEDR_BOOT_ID_LEN);
        memcpy(st->name, name, strlen(name) + 1);
        int err = spool_write_header(s, st);
        if (err != WEDR_OK) {
            spool_free_stream(st);
            return err;
        }
    }
    *ret = st;
    return WEDR_OK;
}

int spool_add_sealed(struct wedr_spool *s, const struct wedr_batch_id *id, uint64_t bytes)
{
    if (s->sealed_count == s->sealed_cap) {
        size_t cap = s->sealed_cap == 0 ? 64 : 2 * s->sealed_cap;
        struct sealed *p = wedr_realloc(s->sealed, cap, sizeof(*p));
        if (!p) {
            return WEDR_E_NOMEM; /* the file is there; the next start finds it */
        }
        s->sealed = p;
        s->sealed_cap = cap;
    }
    s->sealed[s->sealed_count++] = (struct sealed){
        .id = *id, .bytes = bytes, .order = s->order_next++, .state = SEALED_WAITING};
    s->of_rank[spool_rank(id->stream)]++;
    s->sealed_bytes += bytes;
    s->stats.sealed++;
    return WEDR_OK;
}

static void drop_entry(struct wedr_spool *s, size_t index)
{
    s->of_rank[spool_rank(s->sealed[index].id.stream)]--;
    s->sealed_bytes -= s->sealed[index].bytes;
    s->sealed[index] = s->sealed[--s->sealed_count];
}

static size_t find_sealed(const struct wedr_spool *s, const struct wedr_batch_id *id)
{
    for (size_t i = 0; i < s->sealed_count; i++) {
        const struct wedr_batch_id *k = &s->sealed[i].id;
        if (k->first_seq == id->first_seq && k->last_seq == id->last_seq && k->epoch == id->epoch &&
            strcmp(k->stream, id->stream) == 0 &&
            memcmp(k->sha256, id->sha256, sizeof(k->sha256)) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* A batch whose active file still holds the same records may not leave yet (see seal.c). */
static bool is_held(struct wedr_spool *s, const struct wedr_batch_id *id)
{
    const struct wedr_spool_stream *st = wedr_spool_find(s, id->epoch, id->stream);
    return st && st->stale;
}

/* The oldest waiting batch of a rank. */
static size_t oldest(struct wedr_spool *s, unsigned rank)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < s->sealed_count; i++) {
        const struct sealed *b = &s->sealed[i];
        if (b->state != SEALED_WAITING || spool_rank(b->id.stream) != rank || is_held(s, &b->id)) {
            continue;
        }
        if (best == SIZE_MAX || b->order < s->sealed[best].order) {
            best = i;
        }
    }
    if (best == SIZE_MAX) {
        return best;
    }
    /* Ages across a restart come from a wall clock that may have jumped; within a stream the seqs
     * decide. */
    const struct wedr_batch_id id = s->sealed[best].id;
    for (size_t i = 0; i < s->sealed_count; i++) {
        const struct sealed *b = &s->sealed[i];
        if (b->state == SEALED_WAITING && b->id.epoch == id.epoch &&
            strcmp(b->id.stream, id.stream) == 0 &&
            b->id.first_seq < s->sealed[best].id.first_seq) {
            best = i;
        }
    }
    return best;
}

static int check_digest(struct wedr_spool *s, const struct sealed *b, wedr_handle *ret_file)
{
    char name[WEDR_BATCH_NAME_MAX];
    struct wedr_buf buf;
    uint8_t digest[32];
    wedr_handle h;
    int err = wedr_batch_name(&b->id, name);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(s->dir, name, WEDR_FS_READ, 0, &h);
    }
    if (err != WEDR_OK) {
        return err;
    }
    wedr_buf_init(&buf, WEDR_BATCH_Z_MAX);
    err = wedr_fs_read_all(h, &buf);
    if (err == WEDR_OK) {
        wedr_sha256(buf.p, buf.len, digest);
        err = memcmp(digest, b->id.sha256, sizeof(digest)) == 0 ? WEDR_OK : WEDR_E_CORRUPT;
    }
    wedr_buf_fini(&buf);
    if (err != WEDR_OK) {
        wedr_fs_close(h);
        return err == WEDR_E_LIMIT ? WEDR_E_CORRUPT : err;
    }
    *ret_file = h;
    return WEDR_OK;
}

int spool_give_up(struct wedr_spool *s, size_t index, uint32_t reason, bool keep)
{
    char name[WEDR_BATCH_NAME_MAX];
    char aside[WEDR_BATCH_NAME_MAX + 8] = WEDR_SPOOL_ASIDE_PREFIX;
    const struct wedr_batch_id id = s->sealed[index].id;
    int err = wedr_batch_name(&id, name);
    if (err != WEDR_OK) {
        return err;
    }
    s->cfg.losses.note(s->cfg.losses.arg, &id, reason);
    err = s->cfg.losses.flush(s->cfg.losses.arg);
    if (err == WEDR_OK) {
        err = spool_hook(s, "give_up.noted");
    }
    if (err != WEDR_OK) {
        return err;
    }
    if (keep) {
        memcpy(aside + strlen(WEDR_SPOOL_ASIDE_PREFIX), name, strlen(name) + 1);
        err = wedr_fs_rename_at(s->dir, name, aside);
    } else {
        err = wedr_fs_unlink_at(s->dir, name);
    }
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        return err;
    }
    drop_entry(s, index);
    s->stats.evicted += reason == WEDR_LOSS_REASON_EVICTED ? id.count : 0;
    s->stats.corrupt += reason == WEDR_LOSS_REASON_CORRUPT ? id.count : 0;
    if (keep) {
        s->stats.set_aside++;
        spool_bound_aside(s);
    }
    return WEDR_OK;
}

int wedr_spool_next(struct wedr_spool *s, struct wedr_batch_id *ret_id, wedr_handle *ret_file)
{
    for (;;) {
        size_t i = SIZE_MAX;
        for (unsigned rank = 0; i == SIZE_MAX && rank < SPOOL_RANKS; rank++) {
            i = oldest(s, rank);
        }
        if (i == SIZE_MAX) {
            return s->sealed_count == 0 ? WEDR_E_NOENT : WEDR_E_AGAIN;
        }
        int err = check_digest(s, &s->sealed[i], ret_file);
        if (err == WEDR_OK) {
            s->sealed[i].state = SEALED_UNDER_WAY;
            *ret_id = s->sealed[i].id;
            return WEDR_OK;
        }
        if (err == WEDR_E_NOENT) {
            /* Somebody deleted it. It is not ours to call lost: the server shows it as missing. */
            drop_entry(s, i);
            continue;
        }
        /* What the disk does not give back would hold up all the others for ever. */
        if (err != WEDR_E_CORRUPT && err != WEDR_E_IO) {
            return err;
        }
        err = spool_give_up(s, i, WEDR_LOSS_REASON_CORRUPT, true);
        if (err != WEDR_OK) {
            return err;
        }
    }
}

static int under_way(const struct wedr_spool *s, const struct wedr_batch_id *id, size_t *ret_index)
{
    size_t i = find_sealed(s, id);
    if (i == SIZE_MAX || s->sealed[i].state != SEALED_UNDER_WAY) {
        return WEDR_E_NOENT;
    }
    *ret_index = i;
    return WEDR_OK;
}

int wedr_spool_acked(struct wedr_spool *s, const struct wedr_batch_id *id)
{
    char name[WEDR_BATCH_NAME_MAX];
    size_t i;
    int err = under_way(s, id, &i);
    if (err == WEDR_OK) {
        err = wedr_batch_name(&s->sealed[i].id, name);
    }
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_fs_unlink_at(s->dir, name);
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        s->sealed[i].state =
            SEALED_WAITING; /* sent again later; the server answers a repeat the same way */
        return err;
    }
    drop_entry(s, i);
    s->stats.acked++;
    return WEDR_OK;
}

int wedr_spool_retry(struct wedr_spool *s, const struct wedr_batch_id *id)
{
    size_t i;
    int err = under_way(s, id, &i);
    if (err == WEDR_OK) {
        s->sealed[i].state = SEALED_WAITING;
    }
    return err;
}

int wedr_spool_refused(struct wedr_spool *s, const struct wedr_batch_id *id, uint32_t reason)
{
    size_t i;
    int err = under_way(s, id, &i);
    if (err != WEDR_OK) {
        return err;
    }
    err = spool_give_up(s, i, reason, true);
    if (err != WEDR_OK) {
        s->sealed[i].state = SEALED_WAITING;
    }
    return err;
}

static uint64_t all_bytes(const struct wedr_spool *s)
{
    uint64_t bytes = s->sealed_bytes;
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        bytes += s->streams[i].in_use ? s->streams[i].size : 0;
    }
    return bytes;
}

int wedr_spool_keep_cap(struct wedr_spool *s)
{
    spool_reserve_make(s);
    while (all_bytes(s) > s->cfg.bytes_max || s->sealed_count > WEDR_SPOOL_FILES_MAX) {
        size_t i = SIZE_MAX;
        for (unsigned rank = SPOOL_RANKS; i == SIZE_MAX && rank > 0; rank--) {
            i = oldest(s, rank - 1);
        }
        if (i == SIZE_MAX) {
            return WEDR_OK;
        }
        int err = spool_give_up(s, i, WEDR_LOSS_REASON_EVICTED, false);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

int wedr_spool_drop_all(struct wedr_spool *s, uint32_t reason)
{
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        int err = s->streams[i].in_use ? wedr_spool_seal(s, &s->streams[i]) : WEDR_OK;
        if (err != WEDR_OK) {
            return err;
        }
    }
    while (s->sealed_count > 0) {
        int err = spool_give_up(s, s->sealed_count - 1, reason, false);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

uint64_t wedr_spool_waiting(const struct wedr_spool *s, uint64_t epoch, const char *name)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->sealed_count; i++) {
        const struct wedr_batch_id *id = &s->sealed[i].id;
        n += id->epoch == epoch && strcmp(id->stream, name) == 0 ? id->count : 0;
    }
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        const struct wedr_spool_stream *st = &s->streams[i];
        n += st->in_use && !st->stale && st->epoch == epoch && strcmp(st->name, name) == 0
                 ? st->count
                 : 0;
    }
    return n;
}

size_t wedr_spool_backlog(const struct wedr_spool *s, const char *name)
{
    size_t n = 0;
    for (unsigned rank = 0; rank <= spool_rank(name); rank++) {
        n += s->of_rank[rank];
    }
    return n;
}

void wedr_spool_stats(const struct wedr_spool *s, struct wedr_spool_stats *ret)
{
    *ret = s->stats;
    ret->waiting = s->sealed_count;
    ret->bytes = all_bytes(s);
}
