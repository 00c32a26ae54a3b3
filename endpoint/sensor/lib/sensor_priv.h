/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/sensor_priv.h — what the files of the loader share. */
#pragma once

#include "sensor.h"

#define BPFFS "/sys/fs/bpf"
#define PIN_PATH_MAX 160u
#define SENSOR_MAGIC 0x57534e53u

struct bpf_object;

/* The hooks of this stage, in the order in which they are attached. */
enum hook { HOOK_EXEC, HOOK_FORK, HOOK_EXIT, HOOK_COUNT };
struct hook_info {
    const char *name, *point, *program, *pin;
};
extern const struct hook_info wedr_hooks[HOOK_COUNT];

enum pinned_map { MAP_STATE, MAP_RING0, MAP_RING1, MAP_COUNT };
extern const char *const wedr_map_pins[MAP_COUNT];

struct wedr_sensor {
    uint32_t magic;
    char folder[PIN_PATH_MAX]; /* where its pins are */
    int map[MAP_COUNT];        /* -1 when closed; MAP_STATE is frozen: mapped for reading only */
    int link[HOOK_COUNT];      /* -1: an old set has none */
    uint32_t link_id[HOOK_COUNT];
    uint32_t ring_bytes;
    const struct wedr_sensor_state *state;
};

/* sensor_pin.c: folders and pins below BPFFS. */
WEDR_MUST_USE int wedr_pin_mount(struct wedr_errinfo *ei);
WEDR_MUST_USE int
wedr_pin_path(char ret[PIN_PATH_MAX], const char *pin_name, const char *suffix, const char *entry);
/* Like wedr_pin_path below an opened sensor's folder. */
WEDR_MUST_USE int wedr_pin_entry(char ret[PIN_PATH_MAX], const char *folder, const char *entry);
/* Unlinks the entries of a folder and the folder. WEDR_E_NOENT when it is missing. */
WEDR_MUST_USE int wedr_pin_remove(const char *folder);
/* Suffix of the oldest (by name) folder <pin_name>-old-*; *ret_count of all. WEDR_E_NOENT when
 * there is none. */
WEDR_MUST_USE int wedr_pin_oldest(const char *pin_name, char ret_suffix[32], size_t *ret_count);
/* Detaches the set pinned under its plain name and renames it to <pin_name>-old-<stamp>. WEDR_OK
 * when none is there. */
WEDR_MUST_USE int wedr_pin_retire(const char *pin_name, struct wedr_errinfo *ei);

/* sensor_load.c */
struct wedr_object {
    const void *bytes;
    size_t len;
    uint8_t sha256[32];
    const char *name;
};
#define WEDR_OBJECTS 2u /* 0: bpf_loop and rdonly_cast, 1: probe reads */
void wedr_object_get(unsigned which, struct wedr_object *ret);
/* Opens and loads the object that suits this kernel. The caller closes it with bpf_object__close.
 */
WEDR_MUST_USE int wedr_object_load(uint32_t ring_bytes,
                                   bool slow_walk,
                                   struct bpf_object **ret_obj,
                                   struct wedr_object *ret_which,
                                   struct wedr_errinfo *ei);
/* Fills the state, attaches, pins below folder (exists, empty) and runs the inventory. */
WEDR_MUST_USE int wedr_object_start(struct bpf_object *obj,
                                    const struct wedr_object *which,
                                    const char *folder,
                                    uint32_t *ret_existing,
                                    struct wedr_errinfo *ei);

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

/* Collects libbpf's warnings instead of standard error; text of the first one since the last start.
 * One thread. */
void wedr_libbpf_capture(void);
const char *wedr_libbpf_said(void);
