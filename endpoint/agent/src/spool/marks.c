/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept of the past: headers of other epochs as marks, batches that were set aside. Both are
 * bounded.
 */
#include "spool/internal.h"

#include <string.h>

static bool keeps(const uint64_t *epochs, size_t count, uint64_t epoch)
{
    for (size_t i = 0; i < count; i++) {
        if (epochs[i] == epoch) {
            return true;
        }
    }
    return false;
}

static int remove_stream(struct wedr_spool *s, struct wedr_spool_stream *st)
{
    char name[WEDR_BATCH_NAME_MAX];
    spool_active_name(st, name);
    int err = wedr_fs_unlink_at(s->dir, name);
    if (err == WEDR_OK || err == WEDR_E_NOENT) {
        spool_free_stream(st);
        return WEDR_OK;
    }
    return err;
}

static struct wedr_spool_stream *
oldest_mark(struct wedr_spool *s, const uint64_t *keep, size_t count, size_t *ret_marks)
{
    struct wedr_spool_stream *old = NULL;
    *ret_marks = 0;
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        struct wedr_spool_stream *st = &s->streams[i];
        if (st->in_use && !keeps(keep, count, st->epoch)) {
            (*ret_marks)++;
            old = !old || st->utc_us < old->utc_us ? st : old;
        }
    }
    return old;
}

int wedr_spool_retire(struct wedr_spool *s, const uint64_t *keep_epochs, size_t count)
{
    for (size_t i = 0; i < WEDR_SPOOL_STREAMS_MAX; i++) {
        struct wedr_spool_stream *st = &s->streams[i];
        if (!st->in_use || keeps(keep_epochs, count, st->epoch)) {
            continue;
        }
        int err = wedr_spool_seal(s, st);
        /* An epoch of the agent itself never goes on after its process: its batches say all there
         * is. */
        if (err == WEDR_OK && (strcmp(st->name, WEDR_STREAM_NAME_AGENT) == 0 ||
                               strcmp(st->name, WEDR_STREAM_NAME_ALERT) == 0)) {
            err = remove_stream(s, st);
        }
        if (err != WEDR_OK) {
            return err;
        }
        wedr_fs_close(st->file);
        st->file = WEDR_HANDLE_NONE;
    }
    for (;;) {
        size_t marks;
        struct wedr_spool_stream *old = oldest_mark(s, keep_epochs, count, &marks);
        if (marks <= WEDR_SPOOL_MARKS_MAX) {
            return WEDR_OK;
        }
        int err = remove_stream(s, old);
        if (err != WEDR_OK) {
            return err;
        }
    }
}

struct aside {
    struct wedr_spool *s;
    size_t files;
    uint64_t bytes;
    char oldest[WEDR_BATCH_NAME_MAX];
    int64_t oldest_us;
};

static int look_aside(void *arg, const char *name)
{
    struct aside *a = arg;
    struct wedr_fs_stat st;
    wedr_handle h;
    if (strncmp(name, WEDR_SPOOL_ASIDE_PREFIX, strlen(WEDR_SPOOL_ASIDE_PREFIX)) != 0 ||
        strlen(name) >= sizeof(a->oldest) ||
        wedr_fs_open_at(a->s->dir, name, WEDR_FS_READ, 0, &h) != WEDR_OK) {
        return WEDR_OK;
    }
    if (wedr_fs_stat(h, &st) == WEDR_OK) {
        a->files++;
        a->bytes += st.size;
        if (a->oldest[0] == '\0' || st.mtime_us < a->oldest_us) {
            memcpy(a->oldest, name, strlen(name) + 1);
            a->oldest_us = st.mtime_us;
        }
    }
    wedr_fs_close(h);
    return WEDR_OK;
}

void spool_bound_aside(struct wedr_spool *s)
{
    for (;;) {
        struct aside a;
        memset(&a, 0, sizeof(a));
        a.s = s;
        if (wedr_fs_list(s->dir, look_aside, &a) != WEDR_OK ||
            (a.files <= WEDR_SPOOL_ASIDE_FILES_MAX && a.bytes <= WEDR_SPOOL_ASIDE_BYTES_MAX) ||
            wedr_fs_unlink_at(s->dir, a.oldest) != WEDR_OK) {
            return;
        }
    }
}
