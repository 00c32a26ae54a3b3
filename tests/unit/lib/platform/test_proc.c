/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"

#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int echo_once(void *arg, struct wedr_ipc *channel)
{
    char text[64];
    size_t len = 0;
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    if (wedr_wait_any(&w, 1, 10000, NULL) != WEDR_OK ||
        wedr_ipc_recv(channel, text, sizeof(text), &len, NULL, 0, NULL) != WEDR_OK ||
        wedr_ipc_send(channel, text, len, NULL, 0) != WEDR_OK) {
        return 99;
    }
    return *(int *)arg;
}

static void a_child_talks_over_its_channel_and_leaves_with_its_result(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    char text[64] = "";
    size_t len = 0;
    int code = -1;
    int wanted = 23;
    (void)state;
    size_t fds = count_fds();
    assert_int_equal(wedr_child_start("echo", echo_once, &wanted, &c, &channel), 0);
    assert_int_equal(wedr_child_wait(c, 0, &code), WEDR_E_AGAIN);
    assert_int_equal(code, -1);
    assert_int_equal(wedr_ipc_send(channel, "ping", 4, NULL, 0), 0);
    struct wedr_wait w[1] = {{.handle = wedr_child_handle(c), .want = WEDR_WAIT_READ}};
    assert_int_equal(wedr_wait_any(w, 1, 10000, NULL), 0);
    assert_int_equal(w[0].got, WEDR_WAIT_READ);
    assert_int_equal(wedr_ipc_recv(channel, text, sizeof(text), &len, NULL, 0, NULL), 0);
    assert_string_equal(text, "ping");
    assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
    assert_int_equal(code, 23);
    assert_int_equal(wedr_child_wait(c, 0, &code), 0); /* remembered */
    assert_int_equal(code, 23);
    wedr_child_kill(c); /* no effect on whoever has that number now */
    wedr_child_free(c);
    wedr_ipc_close(channel);
    assert_int_equal(count_fds(), fds);
}

struct surroundings {
    int fds; /* open above 2 */
    char name[16];
    int death_signal;
};

static int report_surroundings(void *arg, struct wedr_ipc *channel)
{
    struct surroundings s = {0};
    (void)arg;
    for (int fd = 3; fd < 1024; fd++) {
        s.fds += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    (void)prctl(PR_GET_NAME, s.name);
    (void)prctl(PR_GET_PDEATHSIG, &s.death_signal);
    return wedr_ipc_send(channel, &s, sizeof(s), NULL, 0);
}

static void a_child_inherits_only_its_channel_and_is_named(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    struct surroundings s = {0};
    size_t len = 0;
    int code = -1;
    int extra[20];
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        extra[i] = dup(2); /* on both sides of the channel's number, none close-on-exec */
        assert_true(extra[i] >= 0);
    }
    (void)close(extra[5]);
    (void)close(extra[6]);
    assert_int_equal(wedr_child_start("wedr-test-child", report_surroundings, NULL, &c, &channel),
                     0);
    assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
    assert_int_equal(code, 0);
    assert_int_equal(wedr_ipc_recv(channel, &s, sizeof(s), &len, NULL, 0, NULL), 0);
    assert_int_equal(s.fds, 1);
    assert_string_equal(s.name, "wedr-test-child");
    assert_int_equal(s.death_signal, SIGKILL);
    wedr_child_free(c);
    wedr_ipc_close(channel);
    for (size_t i = 0; i < 20; i++) {
        (void)close(extra[i]);
    }
}

static int sleep_long(void *arg, struct wedr_ipc *channel)
{
    (void)arg;
    (void)channel;
    wedr_time_sleep_ms(60000);
    return 0;
}

static void a_killed_child_is_reported_with_its_signal(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    int code = -1;
    (void)state;
    assert_int_equal(wedr_child_start("sleeper", sleep_long, NULL, &c, &channel), 0);
    uint64_t before = wedr_time_mono_ms();
    assert_int_equal(wedr_child_wait(c, 50, &code), WEDR_E_AGAIN);
    assert_in_range(wedr_time_mono_ms() - before, 45, 5000);
    wedr_child_kill(c);
    assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
    assert_int_equal(code, 128 + SIGKILL);
    wedr_child_free(c);
    wedr_ipc_close(channel);
    wedr_child_free(NULL);
}

static void free_ends_a_running_child(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    (void)state;
    assert_int_equal(wedr_child_start("sleeper", sleep_long, NULL, &c, &channel), 0);
    pid_t pid = (pid_t)wedr_child_pid(c);
    wedr_child_free(c);
    wedr_ipc_close(channel);
    assert_int_equal(kill(pid, 0), -1); /* reaped as well */
}

static int stay(void *arg, struct wedr_ipc *channel)
{
    (void)arg;
    (void)channel;
    (void)pause();
    return 0;
}

static void an_abandoned_child_is_not_waited_for(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    int code = 0;
    (void)state;
    size_t fds = count_fds();
    assert_int_equal(wedr_child_start("stays", stay, NULL, &c, &channel), 0);
    pid_t pid = (pid_t)wedr_child_pid(c);
    wedr_child_abandon(c);
    wedr_child_abandon(NULL);
    wedr_ipc_close(channel);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(waitpid(pid, &code, WNOHANG), 0); /* it lives */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &code, 0), pid);
}

static void a_child_dies_with_its_parent(void **state)
{
    pid_t *grandchild =
        mmap(NULL, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    char c = 0;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct wedr_child *child = NULL;
        struct wedr_ipc *channel = NULL;
        if (wedr_child_start("sleeper", sleep_long, NULL, &child, &channel) != WEDR_OK) {
            _exit(1);
        }
        wedr_time_sleep_ms(50); /* the child has armed its signal */
        *grandchild = (pid_t)wedr_child_pid(child);
        (void)!write(ready[1], "r", 1);
        wedr_time_sleep_ms(60000);
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    (void)close(ready[0]);
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, *grandchild, 0), .events = POLLIN};
    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(kill(middle, SIGKILL), 0);
    assert_int_equal(poll(&p, 1, 1000), 1);
    (void)close(p.fd);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    assert_int_equal(munmap(grandchild, sizeof(pid_t)), 0);
}

static void the_parent_notices_a_dead_child_by_its_channel(void **state)
{
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    (void)state;
    assert_int_equal(wedr_child_start("sleeper", sleep_long, NULL, &c, &channel), 0);
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    assert_int_equal(kill((pid_t)wedr_child_pid(c), SIGKILL), 0);
    uint64_t before = wedr_time_mono_ms();
    assert_int_equal(wedr_wait_any(&w, 1, 5000, NULL), 0);
    assert_int_equal(w.got & WEDR_WAIT_GONE, WEDR_WAIT_GONE);
    assert_in_range(wedr_time_mono_ms() - before, 0, 1000);
    wedr_child_free(c);
    wedr_ipc_close(channel);
}

static void stop_signals_arrive_through_the_handle(void **state)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    sigset_t before;
    size_t ready = 0;
    (void)state;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
    assert_int_equal(wedr_stop_signal_open(&h), 0);
    struct wedr_wait w = {.handle = h, .want = WEDR_WAIT_READ};
    assert_int_equal(wedr_wait_any(&w, 1, 0, &ready), 0);
    assert_int_equal(ready, 0);
    assert_int_equal(wedr_stop_signal_take(h), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(wedr_wait_any(&w, 1, 5000, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(wedr_stop_signal_take(h), SIGTERM);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(wedr_stop_signal_take(h), SIGHUP);
    assert_int_equal(wedr_stop_signal_take(h), 0);
    wedr_fs_close(h);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

static void the_host_is_described(void **state)
{
    struct wedr_host h;
    struct wedr_host again;
    uint8_t zero[16] = {0};
    char name[256];
    (void)state;
    assert_int_equal(wedr_host_info(&h), 0);
    assert_int_equal(gethostname(name, sizeof(name)), 0);
    assert_string_equal(h.hostname, name);
    assert_string_equal(h.os_name, "linux");
    assert_int_not_equal(h.os_version[0], '\0');
    assert_null(strchr(h.os_version, '"'));
    assert_int_not_equal(h.os_release[0], '\0');
    assert_memory_not_equal(h.boot_id, zero, 16);
    assert_int_equal(wedr_host_info(&again), 0);
    assert_memory_equal(h.boot_id, again.boot_id, 16);
}

static void usage_counts_time_and_memory(void **state)
{
    struct wedr_proc_usage before;
    struct wedr_proc_usage after;
    volatile uint64_t work = 0;
    (void)state;
    assert_int_equal(wedr_proc_usage(0, &before), 0);
    assert_true(before.rss_bytes > 100000);
    if (before.pss_bytes != 0) {
        assert_true(before.pss_bytes <= before.rss_bytes * 2);
    }
    do {
        work++;
        assert_int_equal(wedr_proc_usage((uint32_t)getpid(), &after), 0);
    } while (after.cpu_us < before.cpu_us + 2000);
    assert_int_equal(wedr_proc_usage(0x3ffffff, &after), WEDR_E_NOENT);
}

/* KiB of files' pages in memory (RssFile of /proc/self/status). */
static unsigned long file_kib(void)
{
    char text[8192] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    const char *at = strstr(text, "RssFile:");
    assert_non_null(at);
    return strtoul(at + 8, NULL, 10);
}

static void settling_gives_code_back_once_and_it_still_runs(void **state)
{
    struct wedr_settle s = {0};
    struct wedr_host h;
    (void)state;
    assert_int_equal(wedr_host_info(&h), 0);
    wedr_settle_turn(&s, 1000);
    wedr_settle_turn(&s, 2000);
    assert_false(s.done);
    unsigned long before = file_kib();
    wedr_settle_turn(&s, 1000000);
    unsigned long after = file_kib();
    assert_true(s.done);
    assert_true(after < before);
    assert_int_equal(wedr_host_info(&h), 0);
    wedr_settle_turn(&s, 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_talks_over_its_channel_and_leaves_with_its_result),
        cmocka_unit_test(a_child_inherits_only_its_channel_and_is_named),
        cmocka_unit_test(a_killed_child_is_reported_with_its_signal),
        cmocka_unit_test(free_ends_a_running_child),
        cmocka_unit_test(an_abandoned_child_is_not_waited_for),
        cmocka_unit_test(a_child_dies_with_its_parent),
        cmocka_unit_test(the_parent_notices_a_dead_child_by_its_channel),
        cmocka_unit_test(stop_signals_arrive_through_the_handle),
        cmocka_unit_test(the_host_is_described),
        cmocka_unit_test(usage_counts_time_and_memory),
        cmocka_unit_test(settling_gives_code_back_once_and_it_still_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
