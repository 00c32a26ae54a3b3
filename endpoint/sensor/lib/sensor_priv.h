/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/sensor_priv.h — what the files of the loader share. */
#pragma once

#include "sensor.h"
#include "wedr/wire/sensor_policy.h"

#define BPFFS "/sys/fs/bpf"
#define PIN_PATH_MAX 160u
#define SENSOR_MAGIC 0x57534e53u

struct bpf_object;
struct bpf_program;
struct btf;

/* sensor_hooks.c: the table of sensor_hooks.def. */
#define WEDR_HOOK(area, name, need, point) HOOK_##name,
enum hook {
#include "sensor_hooks.def"
    HOOK_COUNT
};
#undef WEDR_HOOK
struct hook_info {
    const char *area, *name, *program, *pin, *point;
    enum hook_need { NEED_REQUIRED, NEED_OPTIONAL, NEED_EXTRA } need;
};
extern const struct hook_info wedr_hooks[HOOK_COUNT];
enum wedr_sensor_tier wedr_hook_tier(const char *point);
/* "" when the running kernel has what the point names, else the reason in words. */
void wedr_hook_missing(const struct hook_info *h,
                       const struct btf *btf,
                       char ret_reason[WEDR_SENSOR_REASON_MAX]);

/* Does the configuration leave the hook out? The reason is then HOOK_SWITCHED_OFF. */
bool wedr_hook_is_off(const struct hook_info *h, const struct wedr_sensor_cfg *cfg);
#define HOOK_SWITCHED_OFF "switched off"

struct wedr_set;
/* sensor_cred.c: once everything is attached and listed. From now on a change of identity that no
 * hook explains is told as unexplained; not on a kernel that lacks one of the hooks that explain.
 */
void wedr_cred_arm(const struct wedr_set *set);

/* sensor_compat.c: can a process of this machine make 32-bit system calls? The hooks per system
 * call are silent for those; hook compat looks at every call and is attached only where it has
 * something to see. */
bool wedr_compat_possible(const struct btf *btf);

/* sensor_attach.c: attaches a loaded program. *ret_link is a link that can be pinned. */
WEDR_MUST_USE int wedr_hook_attach(const struct hook_info *h, int prog, int *ret_link);
/* Id of a tracepoint "group/name"; WEDR_E_NOENT. Needs no mounted tracefs. */
WEDR_MUST_USE int wedr_tracepoint_id(const char *tracepoint, uint64_t *ret_id);
/* Root folder of the cgroup2 hierarchy, mounted for this purpose alone when nobody has it. */
WEDR_MUST_USE int wedr_cgroup_root(int *ret_fd);

enum pinned_map {
    MAP_STATE,
    MAP_RING0,
    MAP_RING1,
    MAP_HOOKS, /* not of an object: struct hook_report by enum hook, frozen */
    MAP_POLICY,
    MAP_UIDS,
    MAP_CGROUPS,
    MAP_PREFIXES,
    MAP_BUDGETS,
    MAP_BUDGET_USERS,
    MAP_MISSED,
    MAP_COUNT
};
extern const char *const wedr_map_pins[MAP_COUNT];

/* What became of a hook when the set was started; for whoever finds the pins. */
struct hook_report {
    char area[16], name[16], point[64];
    uint8_t live, need, reserved[6];
    char reason[WEDR_SENSOR_REASON_MAX]; /* "" when live */
};

/* Arrays of programs that the programs of an area jump to. The kernel empties one that nobody
 * holds: they are pinned. */
#define TAILS_COUNT 2
extern const char *const wedr_tails_pins[TAILS_COUNT];

struct wedr_sensor {
    uint32_t magic;
    char folder[PIN_PATH_MAX]; /* where its pins are */
    int sweep;                 /* program; -1 in an old set */
    int tails[TAILS_COUNT];    /* maps: the kernel empties one that nobody holds; -1: none */
    int map[MAP_COUNT];        /* -1 when closed; MAP_STATE is frozen: mapped for reading only */
    int link[HOOK_COUNT];      /* -1: not live, or an old set, which has none */
    uint32_t link_id[HOOK_COUNT];
    bool live[HOOK_COUNT], off[HOOK_COUNT]; /* off: by the configuration that it began with */
    uint32_t ring_bytes;
    const struct wedr_sensor_state *state;
    /* As this process has set it last; known: it has. */
    struct {
        bool known;
        uint32_t active, self[WEDR_POLICY_SELF_MAX];
        struct wedr_policy_bank bank;
        uint64_t sets; /* digest of the members */
    } policy;
};

/* sensor_pin.c: folders and pins below BPFFS. */
WEDR_MUST_USE int wedr_pin_mount(struct wedr_errinfo *ei);
WEDR_MUST_USE int
wedr_pin_path(char ret[PIN_PATH_MAX], const char *pin_name, const char *suffix, const char *entry);
/* Like wedr_pin_path below an opened sensor's folder. */
WEDR_MUST_USE int wedr_pin_entry(char ret[PIN_PATH_MAX], const char *folder, const char *entry);
/* Pins a link or a map as an entry of the folder. */
WEDR_MUST_USE int wedr_pin_fd(int fd, const char *folder, const char *entry);
/* Unlinks the entries of a folder and the folder. WEDR_E_NOENT when it is missing. */
WEDR_MUST_USE int wedr_pin_remove(const char *folder);
/* Suffix of the oldest (by name) folder <pin_name>-old-*; *ret_count of all. WEDR_E_NOENT when
 * there is none. */
WEDR_MUST_USE int wedr_pin_oldest(const char *pin_name, char ret_suffix[32], size_t *ret_count);
/* Detaches the set pinned under its plain name and renames it to <pin_name>-old-<stamp>. WEDR_OK
 * when none is there. */
WEDR_MUST_USE int wedr_pin_retire(const char *pin_name, struct wedr_errinfo *ei);

/* sensor_areas.c: the objects that are built in, `process` first. */
#define WEDR_AREAS_MAX 16u
struct wedr_area {
    const char *name;
    const void *(*fast)(size_t *ret_len);  /* walks with bpf_loop and rdonly_cast */
    const void *(*probe)(size_t *ret_len); /* walks with probe reads; or the same object */
};
size_t wedr_area_list(const struct wedr_area **ret);
/* SHA-256 over all objects and the table of hooks: two agents with the same one would load the
 * same. */
void wedr_areas_digest(uint8_t ret[32]);
/* Lets go of the pages of the objects, some MiB: they are constants of the program and come back
 * from its file when somebody reads them. */
void wedr_areas_forget(void);

/* sensor_load.c: everything that was loaded and is not attached yet. */
struct wedr_set {
    struct bpf_object *obj[WEDR_AREAS_MAX];          /* NULL: refused */
    char reason[HOOK_COUNT][WEDR_SENSOR_REASON_MAX]; /* "": its program is loaded */
};
/* Loads what this kernel takes of all areas; fails when a required hook is not among it. */
WEDR_MUST_USE int wedr_set_load(const struct wedr_sensor_cfg *cfg,
                                uint32_t ring_bytes,
                                struct wedr_set **ret,
                                struct wedr_errinfo *ei);
void wedr_set_free(struct wedr_set *set); /* NULL is allowed */

/* sensor_start.c: fills the state and the policy, attaches, pins below folder (exists, empty) and
 * runs the inventory. Of *how it sets existing and unwatched. */
WEDR_MUST_USE int wedr_set_start(struct wedr_set *set,
                                 const char *folder,
                                 struct wedr_sensor_opened *how,
                                 struct wedr_errinfo *ei);

/* sensor_sweep.c: runs an iterator over all tasks (map -1) or over a map, to its end; *ret_bytes:
 * what it gave. */
WEDR_MUST_USE int wedr_iterate(int prog, int map, uint32_t *ret_bytes);
/* Tells what the budgets hold back; users -1: a set of an older kind has none. */
WEDR_MUST_USE int wedr_sweep(int prog, int budgets, int users);
/* For the set that is pinned in the folder: leaves the sum of skipped runs for the sweep, while the
 * links are there; and sweeps: tells what the budgets hold back. WEDR_E_NOENT: it is of a kind that
 * has no sweep. */
void wedr_missed_note(const char *folder);
#define SWEEP_PIN "prog_sweep"
WEDR_MUST_USE int wedr_sweep_pins(const char *folder);

/* sensor_policy.c: what holds until somebody sets a policy. */
WEDR_MUST_USE int wedr_policy_fill(int policy_map, int budgets_map);
/* Is the policy in force the one that was set through this handle? True when none was. */
bool wedr_policy_is_ours(const struct wedr_sensor *s);

/* sensor.c: opens what is pinned in folder. with_links false: an old set. ret_s->folder is set. */
WEDR_MUST_USE int wedr_sensor_from_pins(const char *folder,
                                        bool with_links,
                                        struct wedr_sensor **ret,
                                        struct wedr_errinfo *ei);

/* sensor_watch.c: id and alive of a link by descriptor; program facts. */
struct wedr_link_facts {
    uint32_t link_id, prog_id;
    uint64_t missed;
    char program[16];
};
WEDR_MUST_USE int wedr_link_facts(int link_fd, struct wedr_link_facts *ret);

/* Collects libbpf's warnings instead of standard error: the first one since the last start, and the
 * program that the last one was about ("" when none was). One thread. */
void wedr_libbpf_capture(void);
const char *wedr_libbpf_said(void);
const char *wedr_libbpf_program(void);
