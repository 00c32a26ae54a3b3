/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int rig_unable(void)
{
    struct wedr_sensor_probe_line lines[WEDR_SENSOR_PROBE_MAX];
    size_t count = 0;
    bool works = false;
    wedr_sensor_probe(lines, &count, &works);
    for (size_t i = 0; !works && i < count; i++) {
        if (!lines[i].ok) {
            printf("skipped: %s: %s\n", lines[i].topic, lines[i].text);
        }
    }
    return works ? 0 : 77;
}

void rig_reopen(struct rig *r)
{
    struct wedr_errinfo ei = {""};
    struct wedr_sensor_cfg cfg = {
        .pin_name = r->pin_name,
        .ring_bytes = r->ring_bytes,
        .slow_walk = r->slow_walk,
        .without = r->without,
        .without_count = r->without_count,
        .areas = r->areas,
    };
    struct wedr_sensor_handles h;
    if (wedr_sensor_open(&cfg, &r->sensor, &r->how, &ei) != WEDR_OK) {
        fail_msg("open: %s", ei.text);
    }
    wedr_sensor_handles(r->sensor, &h);
    assert_int_equal(wedr_bpf_ring_open(h.ring[WEDR_LANE_CRITICAL], h.ring_bytes, &r->ring), 0);
    assert_int_equal(wedr_bpf_ring_open(h.ring[WEDR_LANE_BULK], h.ring_bytes, &r->bulk), 0);
}

static void open_new(struct rig *r, const char *const *areas, bool slow_walk, uint32_t ring_bytes)
{
    memset(r, 0, sizeof *r);
    r->slow_walk = slow_walk;
    r->areas = areas;
    r->ring_bytes = ring_bytes;
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/wedr-bpf-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    assert_int_equal(chmod(r->dir, 0755), 0);
    assert_int_equal(wedr_sensor_pin_name(r->dir, r->pin_name), 0);
    r->views = wedr_alloc(RIG_RECORDS, sizeof *r->views);
    assert_non_null(r->views);
    rig_reopen(r);
}

void rig_open(struct rig *r, bool slow_walk, uint32_t ring_bytes)
{
    open_new(r, NULL, slow_walk, ring_bytes);
}

void rig_open_areas(struct rig *r, const char *const *areas, uint32_t ring_bytes)
{
    open_new(r, areas, false, ring_bytes);
}

void rig_open_walk(struct rig *r, const char *const *areas, bool slow_walk)
{
    open_new(r, areas, slow_walk, 0);
}

void rig_detach(struct rig *r)
{
    wedr_bpf_ring_close(r->ring);
    wedr_bpf_ring_close(r->bulk);
    wedr_sensor_close(r->sensor);
    r->ring = NULL;
    r->bulk = NULL;
    r->sensor = NULL;
}

/* rm, not nftw: some tests make paths longer than the system takes. */
static void remove_folder(const char *dir)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", "--one-file-system", dir, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
}

void rig_close(struct rig *r)
{
    rig_detach(r);
    (void)(wedr_sensor_unpin(r->pin_name, NULL) == WEDR_OK);
    for (size_t i = 0; i < r->count; i++) {
        wedr_free((void *)(uintptr_t)r->views[i].rec.p);
    }
    wedr_free(r->views);
    remove_folder(r->dir);
}

static bool is_by(const struct wedr_event_view *v, pid_t pid)
{
    const struct wedr_field_info *f = wedr_event_field(v, "source_pid");
    f = f ? f : wedr_event_field(v, "pid");
    return f && wedr_event_uint(v, f) == (uint64_t)pid;
}

static void pump_lane(struct rig *r, struct wedr_bpf_ring *ring, enum wedr_lane lane)
{
    struct wedr_span rec;
    uint64_t pos = wedr_bpf_ring_consumer(ring);
    int err;
    while ((err = wedr_bpf_ring_next(ring, &pos, &rec)) == WEDR_OK) {
        assert_true(r->count < RIG_RECORDS);
        struct wedr_event_view *v = &r->views[r->count];
        uint8_t *copy = wedr_alloc(1, rec.len);
        assert_non_null(copy);
        memcpy(copy, rec.p, rec.len);
        assert_int_equal(wedr_event_decode(wedr_span(copy, rec.len), v), WEDR_OK);
        assert_int_equal(v->h.size, rec.len);
        assert_int_equal(v->h.stream, lane);
        if (r->noisy && is_by(v, r->noisy)) {
            wedr_free(copy);
        } else {
            r->count++;
        }
    }
    assert_int_equal(err, WEDR_E_AGAIN);
    wedr_bpf_ring_release(ring, pos);
}

void rig_pump(struct rig *r)
{
    pump_lane(r, r->ring, WEDR_LANE_CRITICAL);
    pump_lane(r, r->bulk, WEDR_LANE_BULK);
}

static const struct wedr_event_view *
find(const struct rig *r, uint16_t type, pid_t pid, size_t n, size_t *ret_found)
{
    size_t found = 0;
    const struct wedr_event_view *hit = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == type && is_by(v, pid) && found++ == n) {
            hit = v;
        }
    }
    *ret_found = found;
    return hit;
}

const struct wedr_event_view *rig_wait(struct rig *r, uint16_t type, pid_t pid, size_t n)
{
    for (int i = 0; i < 300; i++) {
        size_t found = 0;
        rig_pump(r);
        const struct wedr_event_view *v = find(r, type, pid, n, &found);
        if (v) {
            return v;
        }
        wedr_time_sleep_ms(10);
    }
    return NULL;
}

size_t rig_count(struct rig *r, uint16_t type, pid_t pid)
{
    size_t found = 0;
    rig_pump(r);
    (void)find(r, type, pid, SIZE_MAX, &found);
    return found;
}

size_t rig_lane_count(const struct rig *r, enum wedr_lane lane)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        count += r->views[i].h.stream == lane;
    }
    return count;
}

void rig_assert_whole(struct rig *r, const struct wedr_sensor_lane *counted, enum wedr_lane lane)
{
    uint64_t made = 1, known = 0;
    for (int i = 0; i < 300 && made != known; i++) {
        wedr_time_sleep_ms(i ? 10 : 0);
        rig_pump(r);
        known =
            rig_lane_count(r, lane) + wedr_sensor_count(&counted->lost[WEDR_LOSS_REASON_RING_FULL]);
        made = wedr_sensor_count(&counted->seq); /* last: it hides no hole */
    }
    assert_int_equal(made, known);
}

void rig_enable(struct rig *r, uint16_t type)
{
    struct wedr_sensor_policy p;
    struct wedr_errinfo ei = {""};
    wedr_sensor_policy_init(&p);
    r->enabled |= UINT64_C(1) << type;
    p.kinds |= r->enabled;
    if (wedr_sensor_policy_set(r->sensor, &p, &ei) != WEDR_OK) {
        fail_msg("policy: %s", ei.text);
    }
}

bool rig_has_hook(const struct rig *r, const char *name)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    size_t count = 0;
    assert_int_equal(wedr_sensor_list_hooks(r->pin_name, hooks, WEDR_SENSOR_HOOKS_MAX, &count), 0);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(hooks[i].name, name) == 0) {
            if (!hooks[i].live) {
                print_message("no hook %s: %s\n", name, hooks[i].reason);
            }
            return hooks[i].live;
        }
    }
    fail_msg("there is no hook of the name %s", name);
    return false;
}

pid_t rig_run(int (*setup)(void *arg), void *arg, int *ret_status)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(setup(arg) ? 95 : 96);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (ret_status) {
        *ret_status = status;
    }
    return pid;
}

struct victim_run {
    const char *const *args;
    int out;
};

static int run_victim(void *arg)
{
    const struct victim_run *v = arg;
    const char *argv[16] = {WEDR_VICTIM};
    for (size_t i = 0; v->args[i] && i < 14; i++) {
        argv[i + 1] = v->args[i];
    }
    if (v->out >= 0 && dup2(v->out, 1) < 0) {
        return -1;
    }
    return execv(WEDR_VICTIM, (char **)(uintptr_t)argv);
}

pid_t rig_victim(const char *const *args, int *ret_status)
{
    struct victim_run v = {args, -1};
    return rig_run(run_victim, &v, ret_status);
}

pid_t rig_victim_says(const char *const *args, long *ret_number)
{
    int ends[2];
    char text[32] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct victim_run v = {args, ends[1]};
    pid_t pid = rig_run(run_victim, &v, NULL);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    *ret_number = strtol(text, NULL, 10);
    return pid;
}

void rig_copy_victim(const char *path, unsigned mode)
{
    char buf[65536];
    ssize_t n;
    int in = open(WEDR_VICTIM, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        assert_int_equal(write(out, buf, (size_t)n), n);
    }
    (void)close(in);
    (void)close(out);
    assert_int_equal(chmod(path, mode), 0);
}

uint64_t rec_uint(const struct wedr_event_view *v, const char *field)
{
    const struct wedr_field_info *f = wedr_event_field(v, field);
    assert_non_null(f);
    return wedr_event_uint(v, f);
}

struct wedr_span rec_str(const struct wedr_event_view *v, const char *field, uint16_t *ret_flags)
{
    uint16_t flags = 0;
    const struct wedr_field_info *f = wedr_event_field(v, field);
    assert_non_null(f);
    struct wedr_span s = wedr_event_str(v, f, &flags);
    if (ret_flags) {
        *ret_flags = flags;
    }
    return s;
}

void assert_str(const struct wedr_event_view *v, const char *field, const char *expected)
{
    struct wedr_span s = rec_str(v, field, NULL);
    if (s.len != strlen(expected) || (s.len && memcmp(s.p, expected, s.len) != 0)) {
        fail_msg("%s is \"%.*s\", not \"%s\"", field, (int)s.len, (const char *)s.p, expected);
    }
}

int rig_setup_fast(void **state)
{
    static struct rig rig;
    rig_open(&rig, false, 0);
    *state = &rig;
    return 0;
}

int rig_setup_slow(void **state)
{
    static struct rig rig;
    rig_open(&rig, true, 0);
    *state = &rig;
    return 0;
}

int rig_teardown(void **state)
{
    rig_close(*state);
    return 0;
}

const struct wedr_event_view *rig_exec_of(struct rig *r, pid_t pid)
{
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, 0);
    assert_non_null(v);
    return v;
}

/* A test that fails does not leave it behind. */
static pid_t child_for_ever(void (*fn)(void *arg), void *arg)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            fn(arg);
        }
    }
    return pid;
}

static void do_nothing(void *unused)
{
    (void)unused;
    (void)pause();
}

pid_t rig_idler(void)
{
    return child_for_ever(do_nothing, NULL);
}

pid_t rig_noise(struct rig *r, void (*fn)(void *arg), void *arg)
{
    r->noisy = child_for_ever(fn, arg);
    return r->noisy;
}

void rig_idler_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}
