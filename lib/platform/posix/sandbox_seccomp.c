/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_internal.h"

#include "core/base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is in no table below is answered with EPERM. */

/* Every profile: work on what is open, memory, time, own signals, leaving. */
static const int common_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(signalfd4),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* CORE: files; landlock keeps them below its folder. */
static const int core_calls[] = {
    SCMP_SYS(openat),     SCMP_SYS(openat2),   SCMP_SYS(statx),     SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64), SCMP_SYS(mkdirat),   SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),      SCMP_SYS(rename),    SCMP_SYS(renameat),  SCMP_SYS(renameat2),
    SCMP_SYS(ftruncate),  SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(fchmod),
    SCMP_SYS(flock),      SCMP_SYS(fsync),     SCMP_SYS(fdatasync),
};

/* NET: outgoing connections and name resolution; landlock keeps files to a few for reading. */
static const int net_calls[] = {
    SCMP_SYS(openat),      SCMP_SYS(openat2),     SCMP_SYS(statx),     SCMP_SYS(getdents64),
    SCMP_SYS(fstatfs),     SCMP_SYS(access),      SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),    SCMP_SYS(readlinkat),  SCMP_SYS(connect),   SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),    SCMP_SYS(sendmmsg),    SCMP_SYS(recvmmsg),  SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername),
};

/* FACTS: files for reading, what processes run, local name services. */
static const int facts_calls[] = {
    SCMP_SYS(statx),      SCMP_SYS(getdents64), SCMP_SYS(fstatfs),     SCMP_SYS(fadvise64),
    SCMP_SYS(access),     SCMP_SYS(faccessat),  SCMP_SYS(faccessat2),  SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(pidfd_open), SCMP_SYS(connect),     SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),   SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
};

/* WATCH: files for reading, fanotify's marks and the handles that its events name folders by. */
static const int watch_calls[] = {
    SCMP_SYS(statx),
    SCMP_SYS(getdents64),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(recvfrom),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fanotify_mark),
    SCMP_SYS(name_to_handle_at),
};

/* What the runtimes of AddressSanitizer and ThreadSanitizer call behind the program's back: probing
 * whether memory is mapped and finding their own binary for a report. Never in a product build. */
static const int sanitizer_calls[] = {
    SCMP_SYS(pipe), SCMP_SYS(mincore), SCMP_SYS(readlink), SCMP_SYS(prlimit64), SCMP_SYS(msync),
};

#define NEW_NAMESPACES                                                                       \
    ((unsigned)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
     CLONE_NEWPID | CLONE_NEWNET)
#define SOCKET_TYPE 0xfu /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define NETLINK_ADDRESS_LEN 12u

static int allow_all(scmp_filter_ctx f, const int *calls, size_t count)
{
    int e = 0;
    for (size_t i = 0; i < count && e == 0; i++) {
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
    }
    return e;
}

/* Memory that never becomes code. */
static int allow_data_memory(scmp_filter_ctx f)
{
    int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (e == 0) {
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return e;
}

/* The name, reading limits, and abort(): tgkill of its own process only. */
static int allow_own_process(scmp_filter_ctx f)
{
    int e =
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (e == 0) {
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    }
    if (e == 0) {
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
                             SCMP_A2(SCMP_CMP_EQ, 0));
    }
    return e;
}

/* Threads, never processes or namespaces. clone3 hides its flags behind a pointer: ENOSYS makes the
 * C library use clone. */
static int allow_threads(scmp_filter_ctx f)
{
    int e = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (e == 0) {
        e = seccomp_rule_add(
            f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
            SCMP_A0(SCMP_CMP_MASKED_EQ, (unsigned)CLONE_THREAD | NEW_NAMESPACES, CLONE_THREAD));
    }
    return e;
}

static int allow_socket(scmp_filter_ctx f, int family, int type)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family),
                            SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (scmp_datum_t)type));
}

static int allow_network(scmp_filter_ctx f)
{
    static const int families[] = {AF_INET, AF_INET6};
    int e = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(families) && e == 0; i++) {
        e = allow_socket(f, families[i], SOCK_STREAM);
        e = e == 0 ? allow_socket(f, families[i], SOCK_DGRAM) : e;
    }
    if (e == 0) { /* getaddrinfo asks the kernel which addresses this machine has */
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                             SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE));
    }
    if (e == 0) { /* its bind: an address of this length is too short for any internet socket */
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(bind), 1,
                             SCMP_A2(SCMP_CMP_EQ, NETLINK_ADDRESS_LEN));
    }
    if (e == 0) { /* how libcurl wakes itself */
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                             SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    }
    if (e == 0) {
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD));
    }
    if (e == 0) { /* name service modules are loaded: code from a file, never writable memory */
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_EXEC));
    }
    return e;
}

/* Nothing that is opened can be written to or made. */
static int allow_reading(scmp_filter_ctx f)
{
    int e = seccomp_rule_add(
        f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
        SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY));
    if (e == 0) { /* its flags stand behind a pointer; callers then use openat */
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
    }
    return e;
}

static int allow_local_services(scmp_filter_ctx f)
{
    int e = allow_socket(f, AF_UNIX, SOCK_STREAM);
    e = e == 0 ? allow_socket(f, AF_UNIX, SOCK_DGRAM) : e;
    if (e == 0) { /* name service modules are loaded */
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_EXEC));
    }
    return e;
}

static int add_profile(scmp_filter_ctx f, enum wedr_sandbox_profile profile)
{
    int e = allow_all(f, common_calls, WEDR_ARRAY_COUNT(common_calls));
    e = e == 0 ? allow_data_memory(f) : e;
    e = e == 0 ? allow_own_process(f) : e;
    if (e == 0 && profile != WEDR_SANDBOX_PARSER && profile != WEDR_SANDBOX_WATCH) {
        e = allow_threads(f);
    }
    if (e == 0 && profile == WEDR_SANDBOX_CORE) {
        e = allow_all(f, core_calls, WEDR_ARRAY_COUNT(core_calls));
    }
    if (e == 0 && profile == WEDR_SANDBOX_FACTS) {
        e = allow_all(f, facts_calls, WEDR_ARRAY_COUNT(facts_calls));
        e = e == 0 ? allow_reading(f) : e;
        e = e == 0 ? allow_local_services(f) : e;
    }
    if (e == 0 && profile == WEDR_SANDBOX_WATCH) {
        e = allow_all(f, watch_calls, WEDR_ARRAY_COUNT(watch_calls));
        e = e == 0 ? allow_reading(f) : e;
    }
    if (e == 0 && profile == WEDR_SANDBOX_NET) {
        e = allow_all(f, net_calls, WEDR_ARRAY_COUNT(net_calls));
        e = e == 0 ? allow_network(f) : e;
    }
    if (e == 0 && WEDR_SANITIZED) {
        e = allow_all(f, sanitizer_calls, WEDR_ARRAY_COUNT(sanitizer_calls));
    }
    return e;
}

int wedr_seccomp_apply(enum wedr_sandbox_profile profile, struct wedr_errinfo *ei)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (f == NULL) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    int e = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    e = e == 0 ? seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) : e;
    e = e == 0 ? seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) : e;
    e = e == 0 ? add_profile(f, profile) : e;
    e = e == 0 ? seccomp_load(f) : e;
    seccomp_release(f);
    if (e != 0) {
        return wedr_fail(ei, wedr_err_from_os(-e), "seccomp filter: errno %d", -e);
    }
    return WEDR_OK;
}
