/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"

#include "svc_internal.h"
#include "wedr/plat/svc.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[64];
static char path[96];
static int manager = -1;

static int setup(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)state;
    temp_make(dir);
    (void)snprintf(path, sizeof(path), "%s/notify", dir);
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)close(manager);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    temp_remove(dir);
    return 0;
}

static const char *received(void)
{
    static char text[1024];
    ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    size_t fds = count_fds();
    wedr_svc_ready("x");
    wedr_svc_status("x");
    wedr_svc_stopping();
    wedr_svc_watchdog_ping();
    wedr_svc_log(0, "x", 1);
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1), 0);
    wedr_svc_ready("x");
    assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    wedr_svc_ready("x");
    assert_int_equal(count_fds(), fds);
    assert_int_equal(wedr_svc_watchdog_ms(), 0);
}

static void the_manager_hears_ready_status_stopping_and_watchdog(void **state)
{
    (void)state;
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    wedr_svc_ready("running");
    assert_string_equal(received(), "READY=1\nSTATUS=running");
    wedr_svc_status("degraded\nREADY=1");
    assert_string_equal(received(),
                        "STATUS=degraded READY=1"); /* no second assignment from a text */
    wedr_svc_stopping();
    assert_string_equal(received(), "STOPPING=1");
    wedr_svc_watchdog_ping();
    assert_string_equal(received(), "WATCHDOG=1");
}

static void an_abstract_address_works(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char name[64];
    char text[64] = "";
    (void)state;
    int n = snprintf(name, sizeof(name), "@wedr-test-%d", (int)getpid());
    memcpy(sa.sun_path, name, (size_t)n);
    sa.sun_path[0] = '\0';
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    assert_int_equal(bind(s, (const struct sockaddr *)&sa, len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    wedr_svc_stopping();
    assert_int_equal(recv(s, text, sizeof(text) - 1, MSG_DONTWAIT), 10);
    assert_string_equal(text, "STOPPING=1");
    (void)close(s);
}

static void the_watchdog_is_only_for_the_process_it_names(void **state)
{
    char pid[16];
    (void)state;
    assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
    assert_int_equal(wedr_svc_watchdog_ms(), 30000);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(wedr_svc_watchdog_ms(), 30000);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    assert_int_equal(wedr_svc_watchdog_ms(), 0);
}

static void a_log_line_becomes_one_journal_entry_of_its_level(void **state)
{
    static const char *const priorities[] = {"PRIORITY=3\n", "PRIORITY=4\n", "PRIORITY=6\n",
                                             "PRIORITY=7\n"};
    (void)state;
    for (int level = 0; level < 4; level++) {
        wedr_svc_journal(path, level, "{\"event\":\"x\"} and more", 13);
        const char *text = received();
        assert_non_null(strstr(text, priorities[level]));
        assert_non_null(strstr(text, "\nMESSAGE={\"event\":\"x\"}\n"));
    }
    wedr_svc_journal(path, 0, "two\nlines", 9);
    assert_string_equal(received(), "");
}

static void a_forked_child_does_not_use_its_parents_closed_socket(void **state)
{
    (void)state;
    wedr_svc_journal(path, 0, "parent", 6);
    assert_int_not_equal(received()[0], '\0');
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 64; fd++) {
            (void)close(fd);
        }
        wedr_svc_journal(path, 0, "child", 5);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_non_null(strstr(received(), "MESSAGE=child\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(the_manager_hears_ready_status_stopping_and_watchdog, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_abstract_address_works, setup, teardown),
        cmocka_unit_test_setup_teardown(the_watchdog_is_only_for_the_process_it_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_log_line_becomes_one_journal_entry_of_its_level, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_forked_child_does_not_use_its_parents_closed_socket,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
