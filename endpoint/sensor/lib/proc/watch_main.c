/* SPDX-License-Identifier: Apache-2.0
 *
 * The child: what the kernel says, put together with what /proc says, becomes records. */
#include "watch_priv.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/errinfo.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/time.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_MS 1000u
#define MARK_MS 30000u
#define TURN_EVENTS 4096u /* before the other descriptors are looked at */

struct watcher {
    struct watch_records records;
    struct watch_table *table;
    struct watch_facts facts;
    struct watch_files *files; /* NULL: none */
    struct wedr_ipc *channel;
    int netlink;
    struct watch_clock clock;
    int64_t last_read_us; /* UTC, when the queue was last found empty */
    uint32_t existing;
};

static uint64_t boot_of(const struct watcher *w, uint64_t mono_ns)
{
    return mono_ns ? watch_clock_boot(&w->clock, mono_ns) : wedr_time_boot_ns();
}

/* Fills an entry from what /proc just said. */
static void take_facts(struct watcher *w, struct watch_process *p, const struct watch_facts *f)
{
    const struct watch_process *parent = watch_table_find(w->table, f->parent_pid);
    p->parent_pid = f->parent_pid;
    p->parent_key = parent ? parent->key : 0;
    p->ids = f->ids;
    memcpy(p->comm, f->comm, sizeof p->comm);
    if (p->key == 0) {
        p->key = wedr_linux_process_key(f->start_ns, p->pid);
    }
}

/* The entry of a process, from /proc when it is not known yet. NULL: it is gone, or there are too
 * many. */
static struct watch_process *known(struct watcher *w, uint32_t tgid)
{
    struct watch_process *p = watch_table_find(w->table, tgid);
    if (p) {
        return p;
    }
    watch_facts_read(&w->facts, tgid, false);
    p = w->facts.alive ? watch_table_add(w->table, tgid) : NULL;
    if (p) {
        take_facts(w, p, &w->facts);
    }
    return p;
}

static void on_fork(struct watcher *w, const struct watch_event *e)
{
    uint64_t boot_ns = boot_of(w, e->mono_ns);
    struct watch_process *parent = known(w, e->parent_tgid);
    struct watch_process from = parent ? *parent : (struct watch_process){.pid = e->parent_tgid};
    struct watch_process *p = watch_table_find(w->table, e->tgid);
    if (p && p->seen) {
        p->seen = false; /* the inventory was faster */
        return;
    }
    p = watch_table_add(w->table, e->tgid);
    if (!p) {
        return;
    }
    *p = from; /* a child begins as its parent is */
    p->pid = e->tgid;
    p->parent_pid = from.pid;
    p->parent_key = from.key;
    p->key = wedr_linux_process_key(boot_ns, e->tgid);
    p->leader_gone = p->seen = false;
    p->exit_code = 0;
    watch_record_fork(&w->records, p, boot_ns);
}

static void on_exec(struct watcher *w, const struct watch_event *e)
{
    watch_facts_read(&w->facts, e->tgid, true);
    struct watch_process *p = watch_table_add(w->table, e->tgid);
    struct watch_process stranger = {.pid = e->tgid};
    if (!p) {
        p = &stranger;
    }
    if (w->facts.alive) {
        take_facts(w, p, &w->facts);
    } else if (p->key == 0) { /* neither its fork nor itself was seen */
        p->key = wedr_linux_process_key(boot_of(w, e->mono_ns), e->tgid);
    }
    watch_record_create(&w->records, p, &w->facts, boot_of(w, e->mono_ns), false);
}

static void end_process(struct watcher *w, struct watch_process *p, uint64_t boot_ns, bool code)
{
    watch_record_exit(&w->records, p, boot_ns, code);
    watch_table_remove(w->table, p->pid);
}

/* A process ends with its last thread. /proc counts those that are left, this one among them. */
static void on_exit_event(struct watcher *w, const struct watch_event *e)
{
    struct watch_process *p = watch_table_find(w->table, e->tgid);
    if (!p) {
        return;
    }
    if (e->pid == e->tgid) {
        p->leader_gone = true;
        p->exit_code = e->exit_code;
    }
    if (!p->leader_gone) {
        return;
    }
    watch_facts_read(&w->facts, e->tgid, false);
    if (!w->facts.alive || w->facts.threads <= 1) {
        end_process(w, p, boot_of(w, e->mono_ns), true);
    }
}

static bool same_ids(const struct watch_ids *a, const struct watch_ids *b)
{
    return a->uid == b->uid && a->euid == b->euid && a->suid == b->suid && a->fsuid == b->fsuid &&
           a->gid == b->gid && a->egid == b->egid && a->sgid == b->sgid && a->fsgid == b->fsgid;
}

static void on_ids(struct watcher *w, const struct watch_event *e)
{
    struct watch_process *p = watch_table_find(w->table, e->tgid);
    struct watch_ids old;
    if (!p) {
        (void)known(w, e->tgid); /* only what it is now can be told */
        return;
    }
    old = p->ids;
    watch_facts_read(&w->facts, e->tgid, false);
    if (w->facts.alive) {
        p->ids = w->facts.ids;
    } else if (e->group) {
        p->ids.gid = e->real;
        p->ids.egid = e->effective;
    } else {
        p->ids.uid = e->real;
        p->ids.euid = e->effective;
    }
    if (!same_ids(&old, &p->ids)) {
        uint16_t op = e->group ? WEDR_CREDENTIAL_OP_SETGID : WEDR_CREDENTIAL_OP_SETUID;
        watch_record_ids(&w->records, p, &old, op, boot_of(w, e->mono_ns));
    }
}

static void on_event(struct watcher *w, const struct watch_event *e)
{
    struct watch_process *p;
    switch (e->kind) {
    case WATCH_FORK:
        if (e->pid == e->tgid) { /* else a thread */
            on_fork(w, e);
        }
        break;
    case WATCH_EXEC:
        on_exec(w, e);
        break;
    case WATCH_EXIT:
        on_exit_event(w, e);
        break;
    case WATCH_ID:
        on_ids(w, e);
        break;
    case WATCH_COMM:
        p = e->pid == e->tgid ? watch_table_find(w->table, e->tgid) : NULL;
        if (p) {
            memcpy(p->comm, e->comm, sizeof p->comm);
        }
        break;
    default:
        break;
    }
}

/* Every process that /proc shows and nobody told of. */
static void list_all(struct watcher *w)
{
    DIR *d = opendir("/proc");
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        uint32_t pid = (uint32_t)strtoul(e->d_name, NULL, 10);
        struct watch_process *p = pid ? watch_table_find(w->table, pid) : NULL;
        if (p) {
            p->seen = true;
            continue;
        }
        if (pid == 0) {
            continue;
        }
        watch_facts_read(&w->facts, pid, true);
        p = w->facts.alive ? watch_table_add(w->table, pid) : NULL;
        if (p) {
            take_facts(w, p, &w->facts);
            p->seen = true;
            watch_record_create(&w->records, p, &w->facts, wedr_time_boot_ns(), true);
            w->existing++;
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

static void unsee(void *arg, struct watch_process *p)
{
    (void)arg;
    p->seen = false;
}

static void end_unseen(void *arg, struct watch_process *p)
{
    struct watcher *w = arg;
    if (!p->seen) {
        end_process(w, p, wedr_time_boot_ns(), false);
    }
}

static void tell(struct watcher *w, const struct watch_word *word)
{
    (void)!wedr_ipc_send(w->channel, word, sizeof *word, NULL, 0);
}

/* The kernel threw events away: nobody knows how many. What lives is listed again; what is gone
 * ended some time in between, with a code that nobody knows. */
static void on_overrun(struct watcher *w)
{
    struct watch_word word = {.kind = WATCH_OVERRUN};
    word.from_us = w->last_read_us;
    word.to_us = w->last_read_us = wedr_time_utc_us();
    watch_table_each(w->table, unsee, w);
    list_all(w);
    watch_table_each(w->table, end_unseen, w);
    tell(w, &word);
}

static void read_events(struct watcher *w)
{
    watch_clock_read(&w->clock);
    for (unsigned i = 0; i < TURN_EVENTS; i++) {
        struct watch_event e;
        int err = watch_netlink_next(w->netlink, &e);
        if (err == WEDR_OK) {
            on_event(w, &e);
        } else if (err == WEDR_E_FULL) {
            on_overrun(w);
        } else if (err == WEDR_E_AGAIN) {
            w->last_read_us = wedr_time_utc_us();
            return;
        }
    }
}

/* Leaders that went before their threads, whose last one slipped through. */
static void sweep_one(void *arg, struct watch_process *p)
{
    struct watcher *w = arg;
    if (!p->leader_gone) {
        return;
    }
    watch_facts_read(&w->facts, p->pid, false);
    if (!w->facts.alive || w->facts.threads <= 1) {
        end_process(w, p, wedr_time_boot_ns(), true);
    }
}

static void on_file(void *arg, const struct watch_file_event *e)
{
    struct watcher *w = arg;
    const struct watch_process *p = known(w, e->pid);
    struct watch_process stranger = {.pid = e->pid};
    watch_record_file(&w->records, p ? p : &stranger, e, wedr_time_boot_ns());
}

static int prepare(struct watcher *w, struct wedr_errinfo *ei)
{
    int err = watch_table_new(&w->table);
    if (err) {
        return wedr_fail(ei, err, "no memory for the table of processes");
    }
    watch_clock_read(&w->clock);
    err = watch_netlink_open(&w->netlink, ei);
    if (err) {
        return err;
    }
    if (watch_files_open(&w->files) == WEDR_OK) {
        watch_files_mark(w->files);
    } else {
        w->files = NULL; /* the opener's blind spots say so */
    }
    const struct wedr_sandbox_cfg sandbox = {.profile = WEDR_SANDBOX_WATCH};
    struct wedr_sandbox_report report;
    err = wedr_sandbox_enter(&sandbox, &report, ei);
    if (err) {
        return err;
    }
    w->last_read_us = wedr_time_utc_us();
    list_all(w);
    return WEDR_OK;
}

static void serve(struct watcher *w)
{
    uint64_t next_sweep = 0, next_mark = wedr_time_mono_ms() + MARK_MS;
    for (;;) {
        struct wedr_wait on[3] = {
            {wedr_ipc_handle(w->channel), WEDR_WAIT_READ, 0},
            {w->netlink, WEDR_WAIT_READ, 0},
            {w->files ? watch_files_fd(w->files) : WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0}};
        int err = wedr_wait_any(on, 3, SWEEP_MS, NULL);
        read_events(w);
        if (err != WEDR_OK || on[0].got) {
            return; /* the opener has nothing to say but that it is gone */
        }
        if (on[2].got && watch_files_read(w->files, on_file, w) == WEDR_E_FULL) {
            on_overrun(w);
        }
        uint64_t now = wedr_time_mono_ms();
        if (now >= next_sweep) {
            next_sweep = now + SWEEP_MS;
            watch_table_each(w->table, sweep_one, w);
        }
        if (w->files && now >= next_mark) {
            next_mark = now + MARK_MS;
            watch_files_mark(w->files);
        }
    }
}

int watch_main(void *rings, struct wedr_ipc *channel)
{
    struct watcher *w = wedr_alloc(1, sizeof *w);
    struct wedr_errinfo ei = {""};
    struct watch_word word = {.kind = WATCH_READY};
    if (!w) {
        return 1;
    }
    w->channel = channel;
    w->records.rings = rings;
    int err = prepare(w, &ei);
    word.err = err;
    word.kind = err ? WATCH_FAILED : WATCH_READY;
    word.existing = w->existing;
    word.files = w->files != NULL;
    (void)snprintf(word.text, sizeof word.text, "%s", ei.text);
    tell(w, &word);
    if (!err) {
        serve(w);
    }
    return err ? 1 : 0;
}
