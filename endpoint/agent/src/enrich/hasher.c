/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/hasher.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/exe.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/target.h"
#include "wedr/plat/time.h"
#include "wedr/wire/event.h"
#include <string.h>

#define NS_PER_S 1000000000
#define COARSE_MS 2000u /* of a file system that keeps no parts of a second */

/* The file that is worked on. */
struct job {
    bool active;
    struct wedr_msg_exe_ask ask;
    struct wedr_exe_id id;
    wedr_handle file;
    bool touched;               /* the file got another ctime since */
    struct wedr_target process; /* where it must have run all the time; handle NONE: unknown */
    uint64_t ready_ms;          /* not read before */
    uint64_t at;
    struct wedr_sha256_state sha;
    uint16_t head_len;
    uint8_t head[WEDR_MSG_HEAD_MAX];
};

struct wedr_hasher {
    struct wedr_hasher_cfg cfg;
    struct wedr_msg_exe_ask queue[WEDR_HASHER_QUEUE];
    uint32_t first, count;
    struct wedr_msg_exe busy[WEDR_HASHER_QUEUE]; /* turned away, not said yet */
    uint32_t busy_count;
    struct job job;
    uint64_t tokens, tokens_ms;
    uint64_t asked, hashed, hashed_bytes, skipped[WEDR_MSG_EXE_RESULT_LAST + 1];
    uint8_t slice[WEDR_HASHER_SLICE];
};

struct wedr_hasher *wedr_hasher_new(const struct wedr_hasher_cfg *cfg)
{
    struct wedr_hasher *h = wedr_alloc(1, sizeof(*h));
    if (h) {
        h->cfg = *cfg;
        h->tokens = cfg->bytes_per_second;
        h->job.file = WEDR_HANDLE_NONE;
        h->job.process.handle = WEDR_HANDLE_NONE;
    }
    return h;
}

static void job_close(struct job *j)
{
    wedr_fs_close(j->file);
    wedr_fs_close(j->process.handle);
    j->file = WEDR_HANDLE_NONE;
    j->process.handle = WEDR_HANDLE_NONE;
    j->active = false;
}

void wedr_hasher_free(struct wedr_hasher *h)
{
    if (h) {
        job_close(&h->job);
        wedr_free(h);
    }
}

void wedr_hasher_ask(struct wedr_hasher *h, const struct wedr_msg_exe_ask *m)
{
    h->asked++;
    if (h->count < WEDR_HASHER_QUEUE) {
        h->queue[(h->first + h->count++) % WEDR_HASHER_QUEUE] = *m;
    } else if (h->busy_count < WEDR_HASHER_QUEUE) {
        h->busy[h->busy_count++] = m->exe;
    } else {
        h->skipped[WEDR_MSG_EXE_BUSY]++; /* the one who asked gives up by itself */
    }
}

static void answer(struct wedr_hasher *h,
                   const struct wedr_msg_exe *exe,
                   uint8_t result,
                   struct wedr_msg_exe_facts *ret)
{
    wedr_msg_begin(ret, WEDR_MSG_T_EXE_FACTS);
    ret->exe = *exe;
    ret->result = result;
    if (result != WEDR_MSG_EXE_KNOWN) {
        h->skipped[result]++;
    }
}

static uint8_t result_of(int err)
{
    switch (err) {
    case WEDR_E_NOENT:
        return WEDR_MSG_EXE_GONE;
    case WEDR_E_CONFLICT:
        return WEDR_MSG_EXE_CHANGED;
    case WEDR_E_UNSUP:
        return WEDR_MSG_EXE_REMOTE;
    case WEDR_E_LIMIT:
        return WEDR_MSG_EXE_TOO_LARGE;
    default:
        return WEDR_MSG_EXE_UNREADABLE;
    }
}

static int open_file(struct job *j)
{
    int64_t ctime_ns = j->id.ctime_ns;
    int err = wedr_exe_open_running(j->ask.exe.pid, &j->id, &j->file, &ctime_ns);
    j->touched = err == WEDR_OK && ctime_ns != j->id.ctime_ns;
    if (j->touched) {
        j->id.ctime_ns = ctime_ns; /* from now on it shall stay */
    }
    if (err != WEDR_OK && err != WEDR_E_UNSUP && j->ask.path[0]) {
        int by_path = wedr_exe_open_path(j->ask.path, &j->id, &j->file);
        /* "Another file has the name" says more than "the process is gone". */
        err = by_path == WEDR_E_NOENT ? err : by_path;
    }
    return err;
}

/* The process of that key, so that nobody who got its number later speaks for it. */
static void find_process(struct job *j)
{
    struct wedr_target t;
    struct wedr_msg_exe exe = j->ask.exe;
    if (wedr_target_open(exe.pid, &t) != WEDR_OK) {
        return;
    }
    uint64_t start = wedr_linux_process_key(exe.process_key, exe.pid); /* its own inverse */
    if (start >= t.start_boot_ns && start - t.start_boot_ns < t.start_step_ns && !t.ended) {
        j->process = t;
    } else {
        wedr_fs_close(t.handle);
    }
}

static bool still_runs(const struct job *j)
{
    struct wedr_wait w = {j->process.handle, WEDR_WAIT_READ, 0};
    size_t ready = 0;
    return j->process.handle != WEDR_HANDLE_NONE && wedr_exe_is_run_by(j->ask.exe.pid, &j->id) &&
           wedr_wait_any(&w, 1, 0, &ready) == WEDR_OK && w.got == 0;
}

/* Changes within one tick of the kernel's clock leave the same times: what is read after a tick was
 * there at its end. */
static uint64_t ready_at(const struct wedr_exe_id *id, uint64_t now_ms)
{
    uint64_t need = id->ctime_ns % NS_PER_S == 0 ? COARSE_MS : WEDR_HASHER_TICK_MS;
    int64_t age_ms = wedr_time_utc_us() / 1000 - id->ctime_ns / 1000000;
    if (age_ms < 0) {
        return now_ms + need;
    }
    return (uint64_t)age_ms >= need ? now_ms : now_ms + need - (uint64_t)age_ms;
}

static int job_begin(struct wedr_hasher *h, uint64_t now_ms)
{
    struct job *j = &h->job;
    j->ask = h->queue[h->first];
    h->first = (h->first + 1) % WEDR_HASHER_QUEUE;
    h->count--;
    j->id = (struct wedr_exe_id){.inode = j->ask.exe.inode,
                                 .size = j->ask.exe.size,
                                 .ctime_ns = j->ask.exe.ctime_ns,
                                 .mtime_ns = j->ask.exe.mtime_ns,
                                 .dev = j->ask.exe.dev};
    if (j->id.size > h->cfg.file_bytes_max) {
        return WEDR_E_LIMIT;
    }
    find_process(j);
    int err = open_file(j);
    if (err != WEDR_OK) {
        return err;
    }
    j->active = true;
    j->ready_ms = ready_at(&j->id, now_ms);
    j->at = 0;
    j->head_len = 0;
    wedr_sha256_begin(&j->sha);
    return WEDR_OK;
}

static void refill(struct wedr_hasher *h, uint64_t now_ms)
{
    uint64_t passed = now_ms - h->tokens_ms;
    uint64_t most = h->cfg.bytes_per_second;
    uint64_t more = passed >= 1000 ? most : most / 1000 * passed;
    h->tokens = h->tokens + more < most ? h->tokens + more : most;
    h->tokens_ms = now_ms;
}

/* WEDR_E_AGAIN: there is more to read. */
static int job_step(struct wedr_hasher *h)
{
    struct job *j = &h->job;
    size_t n = 0;
    uint64_t left = j->id.size - j->at;
    size_t want = left < sizeof(h->slice) ? (size_t)left : sizeof(h->slice);
    int err = wedr_fs_pread(j->file, h->slice, want, j->at, &n);
    if (err != WEDR_OK || n == 0) {
        return err != WEDR_OK ? err : WEDR_E_CONFLICT;
    }
    if (j->at == 0 && n >= 4 && memcmp(h->slice, "\177ELF", 4) == 0) {
        j->head_len = (uint16_t)(n < sizeof(j->head) ? n : sizeof(j->head));
        memcpy(j->head, h->slice, j->head_len);
    }
    wedr_sha256_add(&j->sha, h->slice, n);
    j->at += n;
    h->tokens -= n < h->tokens ? n : h->tokens;
    h->hashed_bytes += n;
    if (j->at < j->id.size) {
        return WEDR_E_AGAIN;
    }
    return wedr_exe_unchanged(j->file, &j->id) ? WEDR_OK : WEDR_E_CONFLICT;
}

static void job_end(struct wedr_hasher *h, uint64_t now_ms, struct wedr_msg_exe_facts *ret)
{
    struct job *j = &h->job;
    bool runs = still_runs(j);
    if (j->touched && !runs) {
        answer(h, &j->ask.exe, WEDR_MSG_EXE_CHANGED, ret);
        return;
    }
    answer(h, &j->ask.exe, WEDR_MSG_EXE_KNOWN, ret);
    ret->running = runs;
    ret->touched = j->touched;
    wedr_sha256_end(&j->sha, ret->sha256);
    ret->head_len = j->head_len;
    memcpy(ret->head, j->head, j->head_len);
    /* The path of a process in a container may be another file's here. */
    if (h->cfg.packages && j->ask.path[0] && wedr_exe_is_at(j->ask.path, &j->id)) {
        (void)wedr_packages_owner(h->cfg.packages, j->ask.path, now_ms, ret->package,
                                  ret->package_version);
    }
    h->hashed++;
}

static uint32_t wait_for_tokens(const struct wedr_hasher *h)
{
    uint64_t need =
        WEDR_HASHER_SLICE < h->cfg.bytes_per_second ? WEDR_HASHER_SLICE : h->cfg.bytes_per_second;
    if (h->tokens >= need) {
        return 0;
    }
    uint64_t each_ms = h->cfg.bytes_per_second / 1000;
    return (uint32_t)((need - h->tokens) / (each_ms > 0 ? each_ms : 1) + 1);
}

bool wedr_hasher_run(struct wedr_hasher *h,
                     uint64_t now_ms,
                     struct wedr_msg_exe_facts *ret,
                     uint32_t *ret_wait_ms)
{
    struct job *j = &h->job;
    int err = WEDR_E_AGAIN;
    *ret_wait_ms = 0;
    if (h->busy_count > 0) {
        answer(h, &h->busy[--h->busy_count], WEDR_MSG_EXE_BUSY, ret);
        return true;
    }
    if (!j->active && h->count == 0) {
        *ret_wait_ms = UINT32_MAX;
        return false;
    }
    if (!j->active) {
        err = job_begin(h, now_ms);
        err = err == WEDR_OK ? WEDR_E_AGAIN : err;
    }
    if (err == WEDR_E_AGAIN && now_ms < j->ready_ms) {
        *ret_wait_ms = (uint32_t)(j->ready_ms - now_ms);
        return false;
    }
    refill(h, now_ms);
    if (err == WEDR_E_AGAIN && (*ret_wait_ms = wait_for_tokens(h)) > 0) {
        return false;
    }
    err = err == WEDR_E_AGAIN ? job_step(h) : err;
    if (err == WEDR_E_AGAIN) {
        return false;
    }
    if (err == WEDR_OK) {
        job_end(h, now_ms, ret);
    } else {
        answer(h, &j->ask.exe, result_of(err), ret);
    }
    job_close(j);
    return true;
}

void wedr_hasher_stats(const struct wedr_hasher *h, struct wedr_msg_facts_stats *ret)
{
    ret->asked = h->asked;
    ret->hashed = h->hashed;
    ret->hashed_bytes = h->hashed_bytes;
    memcpy(ret->skipped, h->skipped, sizeof(h->skipped));
    ret->waiting = h->count + (h->job.active ? 1 : 0);
}
