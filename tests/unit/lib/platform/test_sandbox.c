/* SPDX-License-Identifier: Apache-2.0
 *
 * Every test enters a profile in a process of its own and tries there what a compromised agent
 * process would try. */
#include "plat_test.h"

#include "core/util/buf.h"
#include "sandbox_internal.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define TEST_UID 54321u
#define ENTER_FAILED 250 /* above every errno a probe returns */

static char dir[64];     /* CORE's folder */
static char outside[64]; /* holds key.pem, readable for all */

static bool is_root(void)
{
    return geteuid() == 0;
}

static struct wedr_sandbox_cfg config(enum wedr_sandbox_profile profile, bool keep_ids)
{
    uint32_t id = keep_ids || !is_root() ? 0 : TEST_UID;
    struct wedr_sandbox_cfg cfg = {
        .profile = profile, .uid = id, .gid = id, .dir = profile == WEDR_SANDBOX_CORE ? dir : NULL};
    return cfg;
}

/* Runs probe inside cfg and gives back what it returned (0..249), or 256 + signal. */
static int run_cfg(const struct wedr_sandbox_cfg *cfg, int (*probe)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct wedr_sandbox_report report;
        struct wedr_errinfo ei = {""};
        if (wedr_sandbox_enter(cfg, &report, &ei) != WEDR_OK) {
            (void)fprintf(stderr, "%s\n", ei.text);
            _exit(ENTER_FAILED);
        }
        _exit(probe());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int run(enum wedr_sandbox_profile profile, int (*probe)(void))
{
    struct wedr_sandbox_cfg cfg = config(profile, false);
    return run_cfg(&cfg, probe);
}

static void denied_everywhere(int (*probe)(void), int expected)
{
    assert_int_equal(run(WEDR_SANDBOX_PARSER, probe), expected);
    assert_int_equal(run(WEDR_SANDBOX_CORE, probe), expected);
    assert_int_equal(run(WEDR_SANDBOX_NET, probe), expected);
}

/* errno of a failed call, 0 of one that worked */
static int result(long r)
{
    return r < 0 ? errno : 0;
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1;
}

static int setup(void **state)
{
    char path[128];
    (void)state;
    temp_make(dir);
    temp_make(outside);
    assert_int_equal(chmod(outside, 0755), 0);
    write_file(outside, "key.pem", "secret");
    (void)snprintf(path, sizeof(path), "%s/key.pem", outside);
    assert_int_equal(chmod(path, 0644), 0);
    if (is_root()) {
        assert_int_equal(chown(dir, TEST_UID, TEST_UID), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(dir);
    temp_remove(outside);
    return 0;
}

/* ---- what nobody may do ---- */

static int do_exec(void)
{
    char *argv[] = {(char *)(uintptr_t) "/bin/true", NULL};
    return result(execve(argv[0], argv, argv + 1));
}
static int do_execveat(void)
{
    return result(syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0));
}
static int do_fork(void)
{
    return result(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}
static int do_clone_namespace(void)
{
    return result(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}
static int do_bpf(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    return result(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}
static int do_kill_init(void)
{
    return result(kill(1, 0));
}
static int do_kill_parent(void)
{
    return result(kill(getppid(), SIGTERM));
}
static int do_tgkill_parent(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), SIGTERM));
}
static int do_queue_signal(void)
{
    siginfo_t si = {0};
    return result(syscall(SYS_rt_sigqueueinfo, getppid(), SIGTERM, &si));
}
static int do_ptrace_attach(void)
{
    return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int do_read_other_memory(void)
{
    return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}
static int do_write_other_memory(void)
{
    return result(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0));
}
static int do_pidfd_open(void)
{
    return result(syscall(SYS_pidfd_open, getppid(), 0));
}
static int do_unshare(void)
{
    return result(unshare(CLONE_NEWUSER));
}
static int do_setns(void)
{
    return result(setns(0, 0));
}
static int do_io_uring(void)
{
    return result(syscall(SYS_io_uring_setup, 1, NULL));
}
static int do_perf(void)
{
    return result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}
static int do_mount(void)
{
    return result(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
}
static int do_keyctl(void)
{
    return result(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}
static int do_setuid(void)
{
    return result(syscall(SYS_setuid, 0));
}
static int do_module(void)
{
    return result(syscall(SYS_finit_module, 0, "", 0));
}
static int do_memfd(void)
{
    return result(syscall(SYS_memfd_create, "x", 0));
}
static int do_userfaultfd(void)
{
    return result(syscall(SYS_userfaultfd, 0));
}
static int do_dumpable(void)
{
    return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int do_clear_death_signal(void)
{
    return result(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}
static int do_raise_limit(void)
{
    struct {
        uint64_t cur, max;
    } rl = {100, 100};
    return WEDR_SANITIZED ? EPERM : result(syscall(SYS_prlimit64, 0, 7, &rl, NULL));
}
static int do_chroot(void)
{
    return result(chroot("/tmp"));
}
static int do_chown(void)
{
    return result(fchown(0, 0, 0));
}
static int do_hard_link(void)
{
    return result(syscall(SYS_linkat, AT_FDCWD, "/etc/passwd", AT_FDCWD, "x", 0));
}
static int do_symbolic_link(void)
{
    return result(syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, "x"));
}
static int do_writable_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}
static int do_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int do_packet_socket(void)
{
    return result(socket(AF_PACKET, SOCK_RAW, 0));
}
static int do_unix_socket(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int do_listen(void)
{
    return result(listen(0, 1));
}
static int do_accept(void)
{
    return result(accept(0, NULL, NULL));
}

static void no_profile_starts_programs_or_processes(void **state)
{
    (void)state;
    denied_everywhere(do_exec, EPERM);
    denied_everywhere(do_execveat, EPERM);
    denied_everywhere(do_fork, EPERM);
    denied_everywhere(do_clone_namespace, EPERM);
}

static void no_profile_loads_bpf_or_kernel_code(void **state)
{
    (void)state;
    denied_everywhere(do_bpf, EPERM);
    denied_everywhere(do_module, EPERM);
    denied_everywhere(do_perf, EPERM);
    denied_everywhere(do_io_uring, EPERM);
    denied_everywhere(do_userfaultfd, EPERM);
}

static void no_profile_signals_or_inspects_other_processes(void **state)
{
    (void)state;
    denied_everywhere(do_kill_init, EPERM);
    denied_everywhere(do_kill_parent, EPERM);
    denied_everywhere(do_tgkill_parent, EPERM);
    denied_everywhere(do_queue_signal, EPERM);
    denied_everywhere(do_ptrace_attach, EPERM);
    denied_everywhere(do_read_other_memory, EPERM);
    denied_everywhere(do_write_other_memory, EPERM);
    denied_everywhere(do_pidfd_open, EPERM);
}

static void no_profile_changes_namespaces_mounts_ids_or_limits(void **state)
{
    (void)state;
    denied_everywhere(do_unshare, EPERM);
    denied_everywhere(do_setns, EPERM);
    denied_everywhere(do_mount, EPERM);
    denied_everywhere(do_chroot, EPERM);
    denied_everywhere(do_keyctl, EPERM);
    denied_everywhere(do_setuid, EPERM);
    denied_everywhere(do_chown, EPERM);
    denied_everywhere(do_dumpable, EPERM);
    denied_everywhere(do_clear_death_signal, EPERM);
    denied_everywhere(do_raise_limit, EPERM);
}

static void no_profile_makes_code_or_anonymous_files(void **state)
{
    (void)state;
    denied_everywhere(do_writable_code, EPERM);
    denied_everywhere(do_make_code, EPERM);
    denied_everywhere(do_memfd, EPERM);
    denied_everywhere(do_hard_link, EPERM);
    denied_everywhere(do_symbolic_link, EPERM);
}

static void no_profile_opens_raw_or_local_sockets_or_listens(void **state)
{
    (void)state;
    denied_everywhere(do_packet_socket, EPERM);
    denied_everywhere(do_unix_socket, EPERM);
    denied_everywhere(do_listen, EPERM);
    denied_everywhere(do_accept, EPERM);
}

/* ---- files ---- */

static int do_open_shadow(void)
{
    return result(open("/etc/shadow", O_RDONLY));
}
static int do_open_passwd(void)
{
    return result(open("/etc/passwd", O_RDONLY));
}
static int do_open_key(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/key.pem", outside);
    return result(open(path, O_RDONLY));
}
static int do_open_through_link(void)
{
    return result(open("link-out", O_RDONLY));
}
static int do_create_outside(void)
{
    return result(open("/tmp/wedr-plat-planted", O_WRONLY | O_CREAT, 0600));
}
static int do_climb(void)
{
    return result(open("..", O_RDONLY | O_DIRECTORY));
}
static int do_open_proc(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
    return result(open(path, O_RDONLY));
}

static void core_opens_nothing_outside_its_folder(void **state)
{
    char link[128];
    (void)state;
    if (!has_landlock()) {
        print_message("no landlock in this kernel\n");
        skip();
    }
    (void)snprintf(link, sizeof(link), "%s/link-out", dir);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    for (int keep = 0; keep < 2;
         keep++) { /* also when root's ids were kept: landlock, not the file modes */
        struct wedr_sandbox_cfg cfg = config(WEDR_SANDBOX_CORE, keep == 1);
        assert_int_equal(run_cfg(&cfg, do_open_shadow), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_passwd), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_key), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_through_link), EACCES);
        assert_int_equal(run_cfg(&cfg, do_create_outside), EACCES);
        assert_int_equal(run_cfg(&cfg, do_climb), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_proc), EACCES);
    }
    assert_int_equal(unlink(link), 0);
}

static void parser_opens_no_file_at_all(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_PARSER, do_open_passwd), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_PARSER, do_climb), EPERM);
}

static int do_open_hosts(void)
{
    return result(open("/etc/hosts", O_RDONLY));
}
static int do_write_hosts(void)
{
    return result(open("/etc/hosts", O_WRONLY));
}

static void net_reads_name_service_files_and_nothing_else(void **state)
{
    (void)state;
    if (!has_landlock()) {
        print_message("no landlock in this kernel\n");
        skip();
    }
    for (int keep = 0; keep < 2; keep++) {
        struct wedr_sandbox_cfg cfg = config(WEDR_SANDBOX_NET, keep == 1);
        assert_int_equal(run_cfg(&cfg, do_open_hosts), 0);
        assert_int_equal(run_cfg(&cfg, do_write_hosts), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_shadow), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_passwd), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_key), EACCES);
        assert_int_equal(run_cfg(&cfg, do_create_outside), EACCES);
        assert_int_equal(run_cfg(&cfg, do_open_proc), EACCES);
    }
}

/* ---- sockets ---- */

static int do_inet_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}
static int do_netlink_socket(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}
static int do_audit_socket(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
}
static int do_bind_inet(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? 1 : result(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)));
}
static int do_bind_inet_short(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? 1 : result(bind(fd, (const struct sockaddr *)&sa, 12));
}
static int do_bind_inet6_short(void)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    return fd < 0 ? EINVAL : result(bind(fd, (const struct sockaddr *)&sa, 12));
}

static void core_and_parser_open_no_socket(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_CORE, do_inet_socket), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_CORE, do_netlink_socket), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_PARSER, do_inet_socket), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_PARSER, do_netlink_socket), EPERM);
}

static void net_cannot_bind_an_internet_socket(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_NET, do_bind_inet), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_bind_inet_short), EINVAL);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_bind_inet6_short), EINVAL);
    assert_int_equal(run(WEDR_SANDBOX_NET, do_audit_socket), EPERM);
}

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
    int step = 0;
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
        cmocka_unit_test(no_profile_starts_programs_or_processes),
        cmocka_unit_test(no_profile_loads_bpf_or_kernel_code),
        cmocka_unit_test(no_profile_signals_or_inspects_other_processes),
        cmocka_unit_test(no_profile_changes_namespaces_mounts_ids_or_limits),
        cmocka_unit_test(no_profile_makes_code_or_anonymous_files),
        cmocka_unit_test(no_profile_opens_raw_or_local_sockets_or_listens),
        cmocka_unit_test(core_opens_nothing_outside_its_folder),
        cmocka_unit_test(parser_opens_no_file_at_all),
        cmocka_unit_test(net_reads_name_service_files_and_nothing_else),
        cmocka_unit_test(core_and_parser_open_no_socket),
        cmocka_unit_test(net_cannot_bind_an_internet_socket),
        cmocka_unit_test(net_resolves_connects_and_makes_threads),
        cmocka_unit_test(core_works_with_files_in_its_folder_and_threads),
        cmocka_unit_test(every_profile_uses_its_channel_and_passed_handles),
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
