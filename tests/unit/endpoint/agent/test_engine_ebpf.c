/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine over the real sensor: what this machine executes, through the pinned rings, over a
 * restart.
 */
#include "sensor/lib/sensor.h"
#include "support.h"

#include "wedr/plat/time.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PIN "wedr-test-engine"

static struct wedr_sensor *sensor;

static int take(struct wedr_engine *e, bool adopted)
{
    struct wedr_sensor_handles h;
    struct wedr_errinfo ei = {""};
    wedr_sensor_handles(sensor, &h);
    struct wedr_engine_ebpf s = {.ring = {fcntl((int)h.ring[0], F_DUPFD_CLOEXEC, 3),
                                          fcntl((int)h.ring[1], F_DUPFD_CLOEXEC, 3)},
                                 .state = fcntl((int)h.state, F_DUPFD_CLOEXEC, 3),
                                 .ring_bytes = h.ring_bytes,
                                 .adopted = adopted};
    int err = wedr_engine_source_ebpf_take(e, &s, &ei);
    if (err != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return err;
}

static void execute(int times)
{
    for (int i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)execl("/bin/true", "true", "engine-ebpf-test", (char *)NULL);
            _exit(127);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

static void pump_for(struct wedr_engine *e, struct t_server *srv, uint32_t ms)
{
    uint64_t begin = wedr_time_mono_ms();
    do {
        t_rounds(e, 3);
        wedr_time_sleep_ms(10);
    } while (wedr_time_mono_ms() - begin < ms);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    (void)t_ship(srv, e, SIZE_MAX);
}

static void real_executions_arrive_once_also_those_made_without_an_agent(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct wedr_engine_stats st;
    t_server_init(&srv);
    struct wedr_engine *e = t_open(&cfg);
    assert_int_equal(take(e, false), WEDR_OK);
    execute(100);
    pump_for(e, &srv, 300);
    wedr_spool_close(e->spool); /* killed */
    e->spool = NULL;
    wedr_engine_close(e);
    execute(100);
    e = t_open(&cfg);
    assert_int_equal(take(e, true), WEDR_OK);
    pump_for(e, &srv, 100);
    execute(50);
    pump_for(e, &srv, 300);
    assert_int_equal(wedr_engine_source_end(e, "stopped"), WEDR_OK);
    assert_int_equal(wedr_engine_stop(e, "agent_stop"), WEDR_OK);
    (void)t_ship(&srv, e, SIZE_MAX);
    wedr_engine_stats(e, &st);
    assert_int_equal(st.lane[0].malformed + st.lane[1].malformed, 0);
    struct t_stream *s = t_stream(&srv, st.epoch, "kernel.critical");
    assert_true(s->stored >= 750); /* fork, exec and exit of each */
    assert_int_equal(s->twice, 0);
    assert_int_equal(t_missing(s), 0);
    assert_int_equal(s->ends, 1);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_rmdir(dir);
}

int main(void)
{
    struct wedr_sensor_cfg cfg = {.pin_name = PIN};
    struct wedr_sensor_opened how;
    struct wedr_errinfo ei = {""};
    (void)!wedr_sensor_unpin(PIN, NULL);
    int err = wedr_sensor_open(&cfg, &sensor, &how, &ei);
    if (err != WEDR_OK) {
        (void)printf("SKIP the sensor does not load here: %s\n", ei.text);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_executions_arrive_once_also_those_made_without_an_agent),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    wedr_sensor_close(sensor);
    (void)!wedr_sensor_unpin(PIN, NULL);
    return failed;
}
