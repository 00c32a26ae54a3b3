/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_commands.h"

#include "capture.h"
#include "core/base/err.h"
#include "holder.h"
#include "sensor/lib/sensor.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_FLAGS (WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC)

static int fail(const char *what, int err, const struct wedr_errinfo *ei)
{
    (void)fprintf(stderr, "wedr-agent: %s: %s\n", what,
                  ei && ei->text[0] ? ei->text : wedr_err_text(err));
    return 1;
}

int wedr_command_gen(const char *path, uint64_t events, uint64_t seed)
{
    struct wedr_errinfo ei = {""};
    wedr_handle file = WEDR_HANDLE_NONE;
    int err = wedr_fs_open(path, FILE_FLAGS, 0600, &file);
    if (err != WEDR_OK) {
        return fail(path, err, NULL);
    }
    err = wedr_gen(file, events, seed, &ei);
    wedr_fs_close(file);
    return err == WEDR_OK ? 0 : fail(path, err, &ei);
}

static int duplicate(wedr_handle h, wedr_handle *ret)
{
    int fd = fcntl((int)h, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    *ret = fd;
    return WEDR_OK;
}

static bool stop_asked(void *arg)
{
    return wedr_stop_signal_take(*(const wedr_handle *)arg) != 0;
}

static int record(const char *pin_name, wedr_handle file)
{
    struct wedr_sensor *sensor = NULL;
    struct wedr_sensor_opened how;
    struct wedr_sensor_handles h;
    struct wedr_capture_stats stats = {0, 0, 0};
    struct wedr_errinfo ei = {""};
    wedr_handle signal = WEDR_HANDLE_NONE;
    struct wedr_sensor_cfg cfg = {.pin_name = pin_name};
    int err = wedr_stop_signal_open(&signal);
    (void)!wedr_sensor_unpin(pin_name, NULL); /* of a recorder that was killed: old records */
    if (err == WEDR_OK) {
        err = wedr_sensor_open(&cfg, &sensor, &how, &ei);
    }
    if (err != WEDR_OK) {
        wedr_fs_close(signal);
        return fail("record", err, &ei);
    }
    wedr_sensor_handles(sensor, &h);
    struct wedr_engine_ebpf src = {.ring = {WEDR_HANDLE_NONE, WEDR_HANDLE_NONE},
                                   .state = WEDR_HANDLE_NONE,
                                   .ring_bytes = h.ring_bytes,
                                   .adopted = how.adopted};
    wedr_handle *to[] = {&src.ring[0], &src.ring[1], &src.state};
    const wedr_handle from[] = {h.ring[0], h.ring[1], h.state};
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(to); i++) {
        err = duplicate(from[i], to[i]);
    }
    if (err == WEDR_OK) {
        (void)fprintf(stderr, "recording; Ctrl-C ends it\n");
        err = wedr_capture_record(&src, file, stop_asked, &signal, &stats, &ei);
    }
    wedr_sensor_close(sensor);
    (void)!wedr_sensor_unpin(pin_name, NULL);
    wedr_fs_close(signal);
    if (err != WEDR_OK) {
        return fail("record", err, &ei);
    }
    (void)fprintf(stderr, "%" PRIu64 " records, %" PRIu64 " bytes, %" PRIu64 " lost\n",
                  stats.records, stats.bytes, stats.lost);
    return 0;
}

int wedr_command_record(const char *state_dir, const char *path)
{
    char pin_name[WEDR_PIN_NAME_MAX];
    wedr_handle lock = WEDR_HANDLE_NONE, file = WEDR_HANDLE_NONE;
    int err = wedr_state_lock(state_dir, true, 0, &lock);
    if (err == WEDR_E_BUSY) {
        (void)fprintf(stderr, "wedr-agent: an agent runs on %s: stop it first\n", state_dir);
        return 1;
    }
    if (err == WEDR_OK) {
        err = wedr_sensor_record_name(state_dir, pin_name);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_open(path, FILE_FLAGS, 0600, &file);
    }
    if (err != WEDR_OK) {
        wedr_fs_close(lock);
        return fail(path, err, NULL);
    }
    /* A sensor of its own: what is pinned for the agent waits for the agent. */
    int code = record(pin_name, file);
    wedr_fs_close(file);
    wedr_fs_close(lock);
    return code;
}
