/* SPDX-License-Identifier: Apache-2.0
 *
 * What the profiles must leave possible, and what the kernel shows of a process in one. */
#include "sandbox_probe.h"

#include "core/util/buf.h"
#include "core/util/cfg.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static uint16_t server_port;

static void thread_body(void *arg)
{
    *(int *)arg = 7;
}

static int do_thread(void)
{
    struct wedr_thread *t = NULL;
    int seen = 0;
    if (wedr_thread_new(&t, "probe", thread_body, &seen) != WEDR_OK) {
        return 1;
    }
    wedr_thread_join(t);
    return seen == 7 ? 0 : 2;
}

static int do_connect(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(server_port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        send(fd, "x", 1, 0) != 1) {
        return errno;
    }
    return 0;
}

static int do_resolve(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int e = getaddrinfo("localhost", "443", &hints, &found);
    if (e == 0) {
        freeaddrinfo(found);
    }
    return e == 0 ? 0 : 100 - e;
}

static void net_resolves_connects_and_makes_threads(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    server_port = ntohs(sa.sin_port);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_connect), 0);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_resolve), 0);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_thread), 0);
    (void)close(fd);
}

/* ---- what CORE must be able to do ---- */

static int count_name(void *arg, const char *name)
{
    (void)name;
    *(int *)arg += 1;
    return 0;
}

#define STEP(call)               \
    do {                         \
        step++;                  \
        if ((call) != WEDR_OK) { \
            return step;         \
        }                        \
    } while (0)

static int do_core_work(void)
{
    int step = 0;
    int names = 0;
    wedr_handle d = WEDR_HANDLE_NONE;
    wedr_handle f = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    uint64_t bytes = 0;
    struct wedr_buf b;
    STEP(wedr_fs_open_dir(".", &d));
    STEP(wedr_fs_open_at(d, "a", WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_EXCL, 0600,
                         &f));
    STEP(wedr_fs_lock(f));
    STEP(wedr_fs_write(f, "hello", 5));
    STEP(wedr_fs_truncate(f, 4));
    STEP(wedr_fs_sync(f));
    STEP(wedr_fs_stat(f, &st));
    wedr_buf_init(&b, 100);
    STEP(wedr_fs_read_all(f, &b));
    wedr_buf_fini(&b);
    wedr_fs_close(f);
    STEP(wedr_fs_rename_at(d, "a", "b"));
    STEP(wedr_fs_replace_at(d, "b", "new", 3, 0640));
    STEP(wedr_fs_list(d, count_name, &names));
    STEP(names == 1 ? WEDR_OK : WEDR_E_BUG);
    STEP(wedr_fs_unlink_at(d, "b"));
    STEP(wedr_fs_sync(d));
    STEP(wedr_fs_free_bytes(d, &bytes));
    wedr_fs_close(d);
    STEP(do_thread());
    wedr_time_sleep_ms(1);
    return 0;
}

static void core_works_with_files_in_its_folder_and_threads(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_CORE, do_core_work), 0);
}

static int sandboxed_channel(void *arg, struct wedr_ipc *channel)
{
    enum wedr_sandbox_profile profile = *(enum wedr_sandbox_profile *)arg;
    struct wedr_sandbox_cfg cfg = config(profile, false);
    struct wedr_sandbox_report report;
    uint8_t text[64];
    size_t len = 0;
    size_t count = 0;
    wedr_handle file = WEDR_HANDLE_NONE;
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    int step = 0;
    STEP(wedr_sandbox_enter(&cfg, &report, NULL));
    STEP(wedr_wait_any(&w, 1, 5000, NULL));
    STEP(wedr_ipc_recv(channel, text, sizeof(text), &len, &file, 1, &count));
    STEP(count == 1 ? WEDR_OK : WEDR_E_BUG);
    STEP(wedr_fs_pread(file, text, sizeof(text), 0, &len));
    STEP(wedr_ipc_send(channel, text, len, &file, 1));
    return 0;
}

static void every_profile_uses_its_channel_and_passed_handles(void **state)
{
    (void)state;
    for (int p = WEDR_SANDBOX_PARSER; p <= (int)WEDR_SANDBOX_NET; p++) {
        enum wedr_sandbox_profile profile = (enum wedr_sandbox_profile)p;
        struct wedr_child *c = NULL;
        struct wedr_ipc *channel = NULL;
        char path[128];
        uint8_t text[64];
        size_t len = 0;
        size_t count = 0;
        wedr_handle file = WEDR_HANDLE_NONE;
        int code = -1;
        (void)snprintf(path, sizeof(path), "%s/key.pem", outside);
        assert_int_equal(wedr_fs_open(path, WEDR_FS_READ, 0, &file), 0);
        assert_int_equal(wedr_child_start("probe", sandboxed_channel, &profile, &c, &channel), 0);
        assert_int_equal(wedr_ipc_send(channel, "x", 1, &file, 1), 0);
        wedr_fs_close(file);
        assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
        assert_int_equal(code, 0);
        assert_int_equal(wedr_ipc_recv(channel, text, sizeof(text), &len, &file, 1, &count), 0);
        assert_int_equal(len, 6);
        assert_memory_equal(text, "secret", 6);
        wedr_fs_close(file);
        wedr_ipc_close(channel);
        wedr_child_free(c);
    }
}

static int do_parse(void)
{
    struct {
        uint64_t rate;
    } cfg = {0};
    static const struct wedr_cfg_option table[] = {
        {.name = "agent.rate",
         .type = WEDR_CFG_U64,
         .offset = 0,
         .size = sizeof(uint64_t),
         .min = 1,
         .max = 9},
    };
    static const char json[] = "{\"agent\": {\"rate\": 7}}";
    int err = wedr_cfg_parse(table, 1, json, sizeof(json) - 1, &cfg, NULL);
    return err == WEDR_OK && cfg.rate == 7 ? 0 : 1;
}

static void parser_can_parse_a_configuration(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_PARSER, do_parse), 0);
}

/* ---- the process itself ---- */

static int do_abort(void)
{
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static void abort_still_ends_the_process_by_its_signal(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_CORE, do_abort), 256 + SIGABRT);
}

#if defined(__x86_64__)
static int do_foreign_architecture(void)
{
    long r = 20; /* getpid of the 32-bit table */
    (void)signal(SIGSYS, SIG_DFL);
    __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
    return 0;
}

static void a_system_call_of_another_architecture_kills(void **state)
{
    (void)state;
    assert_int_not_equal(run(WEDR_SANDBOX_CORE, do_foreign_architecture), 0);
    assert_int_not_equal(run(WEDR_SANDBOX_PARSER, do_foreign_architecture), 0);
}
#endif

static int do_map_much(void)
{
    void *p = mmap(NULL, 1u << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}
static int do_open_many(void)
{
    for (int i = 0; i < 64; i++) {
        if (dup(2) < 0) {
            return errno;
        }
    }
    return 0;
}

static void memory_and_descriptor_limits_hold(void **state)
{
    struct wedr_sandbox_cfg cfg = config(WEDR_SANDBOX_CORE, false);
    (void)state;
    cfg.files_max = 32;
    assert_int_equal(run_cfg(&cfg, do_open_many), EMFILE);
    cfg.memory_max = 256u << 20;
    if (!WEDR_SANITIZED) {
        assert_int_equal(run_cfg(&cfg, do_map_much), ENOMEM);
    }
}

static void expect_status(const char *status, const char *line)
{
    if (strstr(status, line) == NULL) {
        print_message("%s\nlacks: %s\n", status, line);
        fail();
    }
}

static int wait_for_eof(void *arg, struct wedr_ipc *channel)
{
    enum wedr_sandbox_profile profile = *(enum wedr_sandbox_profile *)arg;
    struct wedr_sandbox_cfg cfg = config(profile, false);
    struct wedr_sandbox_report report;
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    static const gid_t extra[] = {4, 27};
    int step = 0;
    STEP(is_root() && setgroups(2, extra) != 0 ? WEDR_E_PERM : WEDR_OK);
    STEP(wedr_sandbox_enter(&cfg, &report, NULL));
    STEP(wedr_ipc_send(channel, "in", 2, NULL, 0));
    STEP(wedr_wait_any(&w, 1, 20000, NULL));
    return 0;
}

static void the_kernel_shows_no_rights_left(void **state)
{
    enum wedr_sandbox_profile profile = WEDR_SANDBOX_CORE;
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    char path[64];
    static char text[8192];
    int code = -1;
    (void)state;
    if (!is_root()) {
        print_message("needs root to change ids\n");
        skip();
    }
    assert_int_equal(wedr_child_start("probe", wait_for_eof, &profile, &c, &channel), 0);
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    assert_int_equal(wedr_wait_any(&w, 1, 10000, NULL), 0);
    (void)snprintf(path, sizeof(path), "/proc/%u/status", wedr_child_pid(c));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    (void)fclose(f);
    expect_status(text, "Uid:\t54321\t54321\t54321\t54321");
    expect_status(text, "Gid:\t54321\t54321\t54321\t54321");
    expect_status(text, "Groups:\t \n");
    expect_status(text, "CapInh:\t0000000000000000");
    expect_status(text, "CapPrm:\t0000000000000000");
    expect_status(text, "CapEff:\t0000000000000000");
    expect_status(text, "CapBnd:\t0000000000000000");
    expect_status(text, "CapAmb:\t0000000000000000");
    expect_status(text, "NoNewPrivs:\t1");
    expect_status(text, "Seccomp:\t2");
    wedr_ipc_close(channel);
    assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
    assert_int_equal(code, 0);
    wedr_child_free(c);
}

/* The change of ids clears the parent-death signal: enter must have set it again. */
static void a_sandboxed_child_dies_with_its_parent(void **state)
{
    int pipe_fds[2];
    pid_t grandchild = 0;
    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t middle = fork();
    assert_true(middle >= 0);
    if (middle == 0) {
        enum wedr_sandbox_profile profile = WEDR_SANDBOX_CORE;
        struct wedr_child *c = NULL;
        struct wedr_ipc *channel = NULL;
        if (wedr_child_start("probe", wait_for_eof, &profile, &c, &channel) != WEDR_OK) {
            _exit(1);
        }
        struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
        if (wedr_wait_any(&w, 1, 10000, NULL) != WEDR_OK || w.got != WEDR_WAIT_READ) {
            _exit(2);
        }
        /* A second holder of the channel's end, so that only the signal can end the child. */
        if (fork() == 0) {
            (void)close(pipe_fds[1]);
            wedr_time_sleep_ms(1500);
            _exit(0);
        }
        grandchild = (pid_t)wedr_child_pid(c);
        (void)!write(pipe_fds[1], &grandchild, sizeof(grandchild));
        wedr_time_sleep_ms(20000);
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    (void)close(pipe_fds[0]);
    int pidfd = (int)syscall(SYS_pidfd_open, grandchild, 0);
    assert_true(pidfd >= 0);
    assert_int_equal(kill(middle, SIGKILL), 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1000), 1);
    (void)close(pidfd);
    (void)waitpid(middle, NULL, 0);
}

static void enter_refuses_half_given_ids_and_missing_folders(void **state)
{
    struct wedr_sandbox_report report;
    struct wedr_sandbox_cfg cfg = {.profile = WEDR_SANDBOX_NET, .uid = TEST_UID};
    (void)state;
    assert_int_equal(wedr_sandbox_enter(&cfg, &report, NULL), WEDR_E_INVAL);
    cfg = (struct wedr_sandbox_cfg){.profile = WEDR_SANDBOX_CORE};
    assert_int_equal(wedr_sandbox_enter(&cfg, &report, NULL), WEDR_E_INVAL);
    cfg.dir = "/tmp/wedr-plat-no-such-folder";
    assert_int_equal(wedr_sandbox_enter(&cfg, &report, NULL), WEDR_E_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_resolves_connects_and_makes_threads),
        cmocka_unit_test(core_works_with_files_in_its_folder_and_threads),
        cmocka_unit_test(every_profile_uses_its_channel_and_passed_handles),
        cmocka_unit_test(parser_can_parse_a_configuration),
        cmocka_unit_test(abort_still_ends_the_process_by_its_signal),
#if defined(__x86_64__)
        cmocka_unit_test(a_system_call_of_another_architecture_kills),
#endif
        cmocka_unit_test(memory_and_descriptor_limits_hold),
        cmocka_unit_test(the_kernel_shows_no_rights_left),
        cmocka_unit_test(a_sandboxed_child_dies_with_its_parent),
        cmocka_unit_test(enter_refuses_half_given_ids_and_missing_folders),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
