/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/rig.h — a sensor of its own for a test, everything it recorded so far, and ways to
 * start things. */
#pragma once

#include "sensor/lib/bpf_ring.h"
#include "sensor/lib/sensor.h"
#include "sensor/lib/sensor_policy.h"
#include "wedr/wire/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#define RIG_RECORDS 262144u

struct rig {
    char pin_name[WEDR_PIN_NAME_MAX];
    char dir[64]; /* scratch folder, removed at close */
    bool slow_walk;
    uint32_t ring_bytes;        /* 0: the default */
    const char *const *without; /* hooks that are not attached; takes effect at rig_reopen */
    size_t without_count;
    const char *const *areas; /* only these areas beside process, ended by NULL; NULL: all */
    struct wedr_sensor *sensor;
    struct wedr_sensor_opened how;
    struct wedr_bpf_ring *ring; /* the critical lane's */
    struct wedr_bpf_ring *bulk;
    struct wedr_event_view *views; /* copies of what was read */
    size_t count;
    uint64_t enabled; /* kinds that rig_enable switched on */
    pid_t noisy;      /* records of this one are not kept; 0: none */
};

/* Prints why and returns 77 when this machine cannot run the sensor; 0 otherwise. */
int rig_unable(void);
/* New folder, new pins. */
void rig_open(struct rig *r, bool slow_walk, uint32_t ring_bytes);
/* The same with some areas only: loads faster. Ended by NULL. */
void rig_open_areas(struct rig *r, const char *const *areas, uint32_t ring_bytes);
/* The same with the one walk or the other. */
void rig_open_walk(struct rig *r, const char *const *areas, bool slow_walk);
/* Sensor and ring again after rig_detach. */
void rig_reopen(struct rig *r);
void rig_detach(struct rig *r); /* closes handles, leaves the pins */
void rig_close(struct rig *r);  /* removes everything */

/* A child that runs fn(arg) again and again and ends with the test at the latest; what it does is
 * told, but not kept. End it with rig_idler_end. One at a time. */
pid_t rig_noise(struct rig *r, void (*fn)(void *arg), void *arg);

/* Copies everything that is committed in both rings and releases it. Fails on a record that the
 * decoder refuses. */
void rig_pump(struct rig *r);
/* The n-th (0 = first) record of a type for a pid (source_pid where the type has that), waiting up
 * to 3 s; NULL after that. Both lanes. */
const struct wedr_event_view *rig_wait(struct rig *r, uint16_t type, pid_t pid, size_t n);
/* How many there are by now. To show that there are none, first wait for a later record of the same
 * lane. */
size_t rig_count(struct rig *r, uint16_t type, pid_t pid);
/* Records read so far of a lane, whatever their type. */
size_t rig_lane_count(const struct rig *r, enum wedr_lane lane);
/* Every number that was given out in the lane was read or counted as lost in a full ring. Others do
 * something meanwhile: it is looked at for three seconds. */
void rig_assert_whole(struct rig *r, const struct wedr_sensor_lane *counted, enum wedr_lane lane);
/* Switches a kind on that is off by default. */
void rig_enable(struct rig *r, uint16_t type);
/* Is the hook attached here? Prints the reason when it is not (a test of an optional hook then
 * skips). */
bool rig_has_hook(const struct rig *r, const char *name);

/* fork; the child calls setup(arg) and, when that returns 0, leaves with 96 (setup is expected to
 * exec). Waits. */
pid_t rig_run(int (*setup)(void *arg), void *arg, int *ret_status);
/* Runs the victim with these arguments (NULL-terminated, without argv[0]) and returns its pid. */
pid_t rig_victim(const char *const *args, int *ret_status);
/* The same, with the victim's standard output read as a number. */
pid_t rig_victim_says(const char *const *args, long *ret_number);
/* Copies the victim to path. */
void rig_copy_victim(const char *path, unsigned mode);

uint64_t rec_uint(const struct wedr_event_view *v, const char *field);
struct wedr_span rec_str(const struct wedr_event_view *v, const char *field, uint16_t *ret_flags);
void assert_str(const struct wedr_event_view *v, const char *field, const char *expected);

/* cmocka fixtures: a rig with the fast or the probing walk, and its end. */
int rig_setup_fast(void **state);
int rig_setup_slow(void **state);
int rig_teardown(void **state);
/* The tests with the one walk, then with the other; what main returns. */
#define rig_run_both_walks(tests)                                                     \
    ((cmocka_run_group_tests_name("fast walk", tests, rig_setup_fast, rig_teardown) + \
      cmocka_run_group_tests_name("probe walk", tests, rig_setup_slow, rig_teardown)) != 0)
/* A process of this program that only waits, to be reached for; and its end. */
pid_t rig_idler(void);
void rig_idler_end(pid_t pid);
/* The process_create record of pid; fails the test when none comes. */
const struct wedr_event_view *rig_exec_of(struct rig *r, pid_t pid);
