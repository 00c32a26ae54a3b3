/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/sensor.h — loads, pins, adopts, watches and removes the eBPF sensor. Root
 * only (the holder); one thread. Pins lie in /sys/fs/bpf/<pin_name>/: maps state, ring0 (critical),
 * ring1 (bulk), the
 * policy and its sets, the report on the hooks, and one link per hook. The folder appears under its
 * name by one rename when everything in it works, so a half-made set is never adopted.
 * docs/sensor.md says what the programs do.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/sensor_state.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_PIN_NAME_MAX 24u /* "wedr-" + 16 hex digits + NUL, rounded up */

/* "wedr-" + the first 16 hex digits of sha256(absolute path of the state folder). WEDR_E_NOENT when
 * the folder does not exist. */
WEDR_MUST_USE int wedr_sensor_pin_name(const char *state_dir, char ret_name[WEDR_PIN_NAME_MAX]);
/* The same for the sensor of a recording, which lives no longer than the recorder: whoever holds
 * the state folder's lock may unpin what a killed one left. */
WEDR_MUST_USE int wedr_sensor_record_name(const char *state_dir, char ret_name[WEDR_PIN_NAME_MAX]);

struct wedr_sensor; /* a set of pinned programs and maps that this process holds open */

struct wedr_sensor_cfg {
    const char *pin_name;
    uint32_t
        ring_bytes; /* of each ring; 0 = WEDR_RING_BYTES. Else a power of two, >= 64 KiB (tests) */
    bool slow_walk; /* take the object for kernels before 6.2 also on newer ones (tests) */
    const char *const
        *without; /* names of hooks that are not attached though the kernel has them */
    size_t without_count;
    const char *const *areas; /* only these, ended by NULL; NULL: all. `process` always (tests) */
};

/* Files of the persistence list that are watched by their names alone, because there were too many
 * when the set began. */
struct wedr_sensor_unwatched {
    bool full;      /* in all */
    bool others;    /* of users, in the system's own places */
    uint32_t homes; /* homes with too many; home: the first of them */
    char home[128];
};

struct wedr_sensor_opened {
    bool adopted;  /* the same epoch goes on; otherwise a new one began */
    char why[128]; /* not adopted: the reason in words ("nothing was pinned", "link exec is gone",
                      ...) */
    uint32_t existing; /* not adopted: living processes that the inventory wrote to ring0 */
    struct wedr_sensor_unwatched unwatched; /* not adopted */
};

/* Adopts what is pinned when its magic, boot id, ring size and object match and every link is
 * alive. Otherwise what was pinned is detached and kept aside (wedr_sensor_old_open), and a new set
 * is loaded, attached, pinned, and the inventory of living processes runs once. Mounts the BPF file
 * system when needed. Ignores memlock limits. WEDR_E_PERM without the rights, WEDR_E_UNSUP when the
 * kernel lacks something (wedr_sensor_probe says what); ei has the reason, with libbpf's own words
 * where it gave any. */
WEDR_MUST_USE int wedr_sensor_open(const struct wedr_sensor_cfg *cfg,
                                   struct wedr_sensor **ret,
                                   struct wedr_sensor_opened *ret_how,
                                   struct wedr_errinfo *ei);
/* Closes this process's descriptors; what is pinned goes on. NULL is allowed. */
void wedr_sensor_close(struct wedr_sensor *s);

/* The oldest set that was detached but not discarded: its rings still hold records and its state
 * the final counters. Drain it, end its epoch, then discard. WEDR_E_NOENT when there is none.
 * Survives a crash of the caller: until it is discarded it is found again. At most
 * WEDR_SENSOR_OLD_MAX are kept; the oldest goes first. */
#define WEDR_SENSOR_OLD_MAX 4u
WEDR_MUST_USE int
wedr_sensor_old_open(const char *pin_name, struct wedr_sensor **ret_old, struct wedr_errinfo *ei);
/* Removes its pins and closes it. */
void wedr_sensor_old_discard_take(struct wedr_sensor *old);

struct wedr_sensor_handles {
    wedr_handle ring[WEDR_LANE_COUNT]; /* for wedr_bpf_ring_open, in whatever process */
    wedr_handle state; /* frozen: can only be mapped for reading; for wedr_sensor_state_map */
    uint32_t ring_bytes;
};
/* Borrowed: valid until close; pass them on by duplicating (wedr_ipc_send does). */
void wedr_sensor_handles(const struct wedr_sensor *s, struct wedr_sensor_handles *ret);
/* Borrowed mapping of the counters, valid until close. */
const struct wedr_sensor_state *wedr_sensor_state(const struct wedr_sensor *s);

struct wedr_sensor_health {
    uint32_t links, links_alive; /* of the hooks that were attached when the set began */
    uint32_t repinned;   /* pins that somebody had removed and that this call put back (nothing was
                            lost) */
    bool policy_foreign; /* somebody else has written the policy that is in force; so until it is
                            set again */
    uint64_t missed; /* events that the kernel did not run a program for (recursion), cumulative;
                        they have no seq */
};
/* Some system calls per link; every few seconds is fine. Also passes missed on to the state page
 * and tells what budgets hold back. The links are held by descriptor, so removing a pin does not
 * detach anything while this process lives: it is put back and counted. WEDR_E_CLOSED: a link is
 * dead (ei names it): close and open again. */
WEDR_MUST_USE int
wedr_sensor_check(struct wedr_sensor *s, struct wedr_sensor_health *ret, struct wedr_errinfo *ei);

/* How a hook is attached. */
enum wedr_sensor_tier {
    WEDR_TIER_TRACEPOINT,
    WEDR_TIER_RAW,
    WEDR_TIER_CGROUP,
    WEDR_TIER_FENTRY,
    WEDR_TIER_LSM,
};
const char *wedr_sensor_tier_text(enum wedr_sensor_tier tier);

#define WEDR_SENSOR_HOOKS_MAX 160u
#define WEDR_SENSOR_REASON_MAX 160u
struct wedr_sensor_hook {
    char name[32];  /* "exec" */
    char area[16];  /* "process" */
    char point[64]; /* "tp_btf/sched_process_exec" */
    enum wedr_sensor_tier tier;
    bool required;
    bool blind; /* not live, and nothing else sees what it would */
    bool live;  /* attached when the set began; else reason says why not, in libbpf's words where it
                   gave any */
    char reason[WEDR_SENSOR_REASON_MAX];
    uint32_t link_id, prog_id;
    bool alive, pinned; /* as found now; a live one should be both */
    uint64_t missed;
};
/* Up to cap hooks of what is pinned under pin_name, for status, doctor and heartbeat: the one list
 * of hooks; *ret_count may be 0. Does not need an open sensor and changes nothing. WEDR_E_PERM. */
WEDR_MUST_USE int wedr_sensor_list_hooks(const char *pin_name,
                                         struct wedr_sensor_hook *ret_hooks,
                                         size_t cap,
                                         size_t *ret_count);

/* Removes every pin of this name, old sets too, and the folders. A process that still has the
 * sensor open keeps the programs attached: close it as well. WEDR_E_NOENT when nothing was there.
 */
WEDR_MUST_USE int wedr_sensor_unpin(const char *pin_name, struct wedr_errinfo *ei);

/* One line of what doctor prints. */
struct wedr_sensor_probe_line {
    char topic[24]; /* "rights", "kernel BTF", "lockdown", ... */
    bool ok;        /* false: the sensor cannot work because of this */
    bool degraded;  /* works, with the limit that text names */
    char text[200]; /* what is there, and what to do when not ok */
};
#define WEDR_SENSOR_PROBE_MAX 16u
/* Looks, changes nothing; works without root too (then says so). *ret_works is false when any line
 * is not ok. */
void wedr_sensor_probe(struct wedr_sensor_probe_line ret_lines[WEDR_SENSOR_PROBE_MAX],
                       size_t *ret_count,
                       bool *ret_works);
