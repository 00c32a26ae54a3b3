/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/proc/watch_priv.h — what the files of the source without BPF share. */
#pragma once

#include "watch.h"
#include "wedr/plat/ipc.h"
#include "wedr/wire/decode.h"
#include <stddef.h>
#include <sys/types.h>

#define UNKNOWN_ID 0xffffffffu

/* watch_ring.c: the writing side of one ring, in memory that the reader maps. */
struct watch_lane {
    uint8_t *mem; /* consumer page, producer page, data */
    uint64_t size;
    uint64_t producer;              /* ours; the page shows it */
    uint64_t consumer;              /* last one that made sense */
    struct wedr_sensor_lane *count; /* in the state page */
};
struct watch_rings {
    struct watch_lane lane[WEDR_LANE_COUNT];
    struct wedr_sensor_state *state;
};
/* Maps descriptors that the opener made. */
WEDR_MUST_USE int
watch_rings_map(struct watch_rings *r, const int ring[WEDR_LANE_COUNT], uint32_t bytes, int state);
void watch_rings_unmap(struct watch_rings *r);
/* Takes the next seq, finishes the record with it and puts it in; counts it as lost when there is
 * no room. */
void watch_rings_put(struct watch_rings *r,
                     enum wedr_lane lane,
                     struct wedr_record *rec,
                     uint64_t boot_ns,
                     uint16_t flags);

/* watch_table.c: what is known of the processes that live, by pid. */
struct watch_ids {
    uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
};
struct watch_process {
    uint32_t pid; /* 0: free */
    uint32_t parent_pid;
    uint64_t key, parent_key;
    struct watch_ids ids;
    char comm[16];
    bool leader_gone; /* its threads go on */
    bool seen;        /* by the last look through /proc */
    uint32_t exit_code;
};
struct watch_table;
WEDR_MUST_USE int watch_table_new(struct watch_table **ret);
struct watch_process *watch_table_find(struct watch_table *t, uint32_t pid);
/* The entry of pid, a new one when there is none; NULL when the table is full. */
struct watch_process *watch_table_add(struct watch_table *t, uint32_t pid);
void watch_table_remove(struct watch_table *t, uint32_t pid);
/* Calls fn for each entry, which may remove that one only. */
void watch_table_each(struct watch_table *t,
                      void (*fn)(void *arg, struct watch_process *p),
                      void *arg);

/* watch_proc.c: /proc of one process. */
#define FACTS_ARGV_MAX WEDR_ARGV_COPY_MAX
struct watch_text {
    char s[WEDR_PATH_COPY_MAX + 1];
    size_t len;
    uint16_t flags; /* WEDR_SF_* */
};
struct watch_facts {
    bool alive; /* false: it was gone, nothing below is filled */
    uint32_t pid, parent_pid, pgid, sid, threads, kernel_flags, tty;
    char state;
    uint64_t start_ns; /* since boot, in steps of a clock tick */
    char comm[16];
    struct watch_ids ids;
    uint32_t login_uid, ns_pid_nr;
    uint32_t ns_user, ns_pid, ns_mnt, ns_net, ns_uts, ns_ipc, ns_cgroup;
    struct watch_text exe, cwd, root, cgroup;
    uint64_t exe_inode, exe_size;
    uint32_t exe_dev, exe_mode, exe_nlink, exe_uid;
    int64_t exe_ctime_ns, exe_mtime_ns;
    uint8_t argv[FACTS_ARGV_MAX];
    size_t argv_len;
    uint64_t argv_size; /* real one */
    bool argv_unreadable;
};
/* Everything (with_exec) or what stat and status say. */
void watch_facts_read(struct watch_facts *f, uint32_t pid, bool with_exec);
/* Target of /proc/PID/exe. */
void watch_exe_read(struct watch_text *t, uint32_t pid);

/* watch_clock.c: the boot clock at a time of the monotonic one. */
struct watch_clock {
    int64_t step_ns, before_ns; /* boot less monotonic: now, and before the last suspend */
    uint64_t before_until_ns;   /* monotonic; the last time at which `before` was seen */
    uint64_t seen_ns;           /* of the last look, 0: none yet */
};
/* Looks at both clocks. Before events are read, so that those after a suspend are not dated before
 * it. */
void watch_clock_read(struct watch_clock *c);
/* What it found. */
void watch_clock_note(struct watch_clock *c, uint64_t mono_ns, uint64_t boot_ns);
/* Of an event from between the last look before a suspend and the suspend itself nobody knows: it
 * is dated after it. */
uint64_t watch_clock_boot(const struct watch_clock *c, uint64_t mono_ns);

/* watch_netlink.c */
enum watch_event_kind { WATCH_FORK, WATCH_EXEC, WATCH_EXIT, WATCH_ID, WATCH_COMM };
struct watch_event {
    enum watch_event_kind kind;
    uint64_t mono_ns;                /* the kernel's own clock, at the event */
    uint32_t pid, tgid, parent_tgid; /* of the child for FORK */
    uint32_t exit_code;
    bool group;               /* ID: gid, not uid */
    uint32_t real, effective; /* ID */
    char comm[16];
};
WEDR_MUST_USE int watch_netlink_open(int *ret_fd, struct wedr_errinfo *ei);
/* The next event. WEDR_E_AGAIN: none now; WEDR_E_FULL: the kernel threw some away; WEDR_E_FORMAT:
 * this one is not for us. */
WEDR_MUST_USE int watch_netlink_next(int fd, struct watch_event *ret);

/* watch_files.c: fanotify on the places that code is started from. */
struct watch_file_event {
    uint32_t pid;
    uint16_t op, mechanism; /* WEDR_FILE_OP_*, WEDR_PERSISTENCE_* */
    char path[WEDR_PATH_COPY_MAX + 1];
    uint64_t inode;
    uint32_t dev, mode, nlink; /* 0 when it is gone */
};
struct watch_files;
/* WEDR_E_PERM, WEDR_E_UNSUP: it goes without. */
WEDR_MUST_USE int watch_files_open(struct watch_files **ret);
int watch_files_fd(const struct watch_files *w);
/* Marks the folders that are there now; again from time to time, because they come and go. */
void watch_files_mark(struct watch_files *w);
/* Reads what is there and calls fn per change. WEDR_E_FULL: the kernel threw some away. */
WEDR_MUST_USE int watch_files_read(struct watch_files *w,
                                   void (*fn)(void *arg, const struct watch_file_event *e),
                                   void *arg);

/* watch_record.c */
struct watch_records {
    struct watch_rings *rings;
    uint8_t mem[WEDR_RECORD_MAX];
    struct watch_text parent_exe;
};
/* f may be of a process that was gone: what the table knows stands in. */
void watch_record_create(struct watch_records *r,
                         const struct watch_process *p,
                         const struct watch_facts *f,
                         uint64_t boot_ns,
                         bool existing);
void watch_record_fork(struct watch_records *r, const struct watch_process *p, uint64_t boot_ns);
void watch_record_exit(struct watch_records *r,
                       const struct watch_process *p,
                       uint64_t boot_ns,
                       bool code_known);
void watch_record_ids(struct watch_records *r,
                      const struct watch_process *p,
                      const struct watch_ids *old,
                      uint16_t op,
                      uint64_t boot_ns);
void watch_record_file(struct watch_records *r,
                       const struct watch_process *p,
                       const struct watch_file_event *e,
                       uint64_t boot_ns);

/* watch_main.c: what the child and its opener say to each other. */
struct watch_word {
    uint32_t kind; /* enum watch_word_kind */
    int32_t err;
    uint32_t existing;      /* READY */
    uint32_t files;         /* READY: fanotify works */
    int64_t from_us, to_us; /* OVERRUN */
    char text[WEDR_ERRINFO_MAX];
};
enum watch_word_kind { WATCH_READY = 1, WATCH_FAILED, WATCH_OVERRUN };
int watch_main(void *rings, struct wedr_ipc *channel);
