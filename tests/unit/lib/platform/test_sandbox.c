/* SPDX-License-Identifier: Apache-2.0
 *
 * What a compromised process of the agent would try, in each profile. */
#include "sandbox_probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- what nobody may do ----
 * Where the kernel itself would answer EPERM, an argument is bad in a way that it finds first: the
 * expected EPERM can then only be the filter's. */

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
    return result(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, 1u << 20));
}
static int do_kill_init(void)
{
    return result(kill(1, 999));
}
static int do_kill_parent(void)
{
    return result(kill(getppid(), 999));
}
static int do_tgkill_parent(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 999));
}
static int do_queue_signal(void)
{
    return result(syscall(SYS_rt_sigqueueinfo, getppid(), SIGTERM, NULL));
}
static int do_ptrace_attach(void)
{
    return result(ptrace(PTRACE_ATTACH, 0x3ffffff, NULL, NULL));
}
static int do_read_other_memory(void)
{
    return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 1));
}
static int do_write_other_memory(void)
{
    return result(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 1));
}
static int do_pidfd_open(void)
{
    return result(syscall(SYS_pidfd_open, getppid(), 1));
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
    return result(syscall(SYS_mount, "none", "/tmp", (void *)1, 0, NULL));
}
static int do_keyctl(void)
{
    return result(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}
static int do_setuid(void)
{
    return result(syscall(SYS_setuid, geteuid()));
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
    return result(fchown(0, (uid_t)-1, (gid_t)-1));
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

/* FACTS tells processes apart by their handles and asks local name services. */
static void denied_but_to_facts(int (*probe)(void))
{
    for (int p = WEDR_SANDBOX_PARSER; p <= (int)WEDR_SANDBOX_NET; p++) {
        for (int keep = 0; keep < 2 && p != WEDR_SANDBOX_FACTS; keep++) {
            struct wedr_sandbox_cfg cfg = config((enum wedr_sandbox_profile)p, keep == 1);
            assert_int_equal(run_cfg(&cfg, probe), EPERM);
        }
    }
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
    denied_but_to_facts(do_pidfd_open);
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
    denied_but_to_facts(do_unix_socket);
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

static int do_write_passwd(void)
{
    return result(open("/etc/passwd", O_WRONLY));
}
static int do_append_passwd(void)
{
    return result(open("/etc/passwd", O_RDONLY | O_APPEND));
}
static int do_write_memory(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
    return result(open(path, O_RDWR));
}
static int do_stream_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}
static int do_see_parent(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
    return result(open(path, O_PATH));
}

static void facts_reads_any_file_and_writes_none(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_open_passwd), 0);
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_see_parent), 0);
    if (is_root()) { /* with another user's ids */
        assert_int_equal(run(WEDR_SANDBOX_FACTS, do_open_shadow), 0);
    }
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_create_outside), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_write_passwd), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_append_passwd), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_write_memory), EPERM);
    assert_int_equal(run(WEDR_SANDBOX_FACTS, do_stream_socket), EPERM);
}

static int do_make_thread(void)
{
    return result(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, NULL, NULL, NULL, 0));
}
static int do_new_fanotify(void)
{
    return result(syscall(SYS_fanotify_init, 0, 0));
}
static int do_connector(void)
{
    return result(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR));
}
static int do_send(void)
{
    return result(sendto(0, "x", 1, 0, NULL, 0));
}
static int do_connect(void)
{
    return result(connect(0, NULL, 0));
}
static int do_remove(void)
{
    return result(unlinkat(AT_FDCWD, "/tmp/wedr-plat-none", 0));
}

static void watch_reads_what_processes_show_and_nothing_more(void **state)
{
    (void)state;
    assert_int_equal(run(WEDR_SANDBOX_WATCH, do_open_passwd), 0);
    assert_int_equal(run(WEDR_SANDBOX_WATCH, do_see_parent), 0);
    if (is_root()) { /* with another user's ids */
        assert_int_equal(run(WEDR_SANDBOX_WATCH, do_open_shadow), 0);
    }
    for (int keep = 0; keep < 2; keep++) {
        struct wedr_sandbox_cfg cfg = config(WEDR_SANDBOX_WATCH, keep == 1);
        assert_int_equal(run_cfg(&cfg, do_create_outside), EPERM);
        assert_int_equal(run_cfg(&cfg, do_write_passwd), EPERM);
        assert_int_equal(run_cfg(&cfg, do_write_memory), EPERM);
        assert_int_equal(run_cfg(&cfg, do_remove), EPERM);
        assert_int_equal(run_cfg(&cfg, do_make_thread), EPERM);
        assert_int_equal(run_cfg(&cfg, do_new_fanotify), EPERM);
        assert_int_equal(run_cfg(&cfg, do_connector), EPERM);
        assert_int_equal(run_cfg(&cfg, do_stream_socket), EPERM);
        assert_int_equal(run_cfg(&cfg, do_send), EPERM);
        assert_int_equal(run_cfg(&cfg, do_connect), EPERM);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_profile_starts_programs_or_processes),
        cmocka_unit_test(no_profile_loads_bpf_or_kernel_code),
        cmocka_unit_test(no_profile_signals_or_inspects_other_processes),
        cmocka_unit_test(no_profile_changes_namespaces_mounts_ids_or_limits),
        cmocka_unit_test(no_profile_makes_code_or_anonymous_files),
        cmocka_unit_test(no_profile_opens_raw_or_local_sockets_or_listens),
        cmocka_unit_test(facts_reads_any_file_and_writes_none),
        cmocka_unit_test(watch_reads_what_processes_show_and_nothing_more),
        cmocka_unit_test(core_opens_nothing_outside_its_folder),
        cmocka_unit_test(parser_opens_no_file_at_all),
        cmocka_unit_test(net_reads_name_service_files_and_nothing_else),
        cmocka_unit_test(core_and_parser_open_no_socket),
        cmocka_unit_test(net_cannot_bind_an_internet_socket),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
