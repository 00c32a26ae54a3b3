/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim_handle.c — what a process does with other processes and with threads:
 * victim_handle VERB [ARGUMENT ...]. Leaves with 0 when everything it was to do worked. Verbs that
 * make another process or thread print its id.
 */
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static char **args;

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "victim_handle: %s: %s\n", what, strerror(errno));
        _exit(99);
    }
}

/* ---- other processes ---- */

static long word = 42;

static pid_t start_child(void)
{
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
    printf("%d\n", (int)pid);
    (void)fflush(stdout);
    return pid;
}

static void end_child(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, __WALL);
}

static void attach(pid_t pid)
{
    int status;
    must(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0, "attach");
    must(waitpid(pid, &status, __WALL) == pid, "waitpid");
}

/* A target is args[2] when given, else a child of ours. */
static pid_t target(void)
{
    return args[2] ? (pid_t)strtol(args[2], NULL, 10) : start_child();
}

static int do_attach(void)
{
    pid_t pid = target();
    attach(pid);
    must(ptrace(PTRACE_DETACH, pid, 0, 0) == 0, "detach");
    if (!args[2]) {
        end_child(pid);
    }
    return 0;
}

static int try_attach(void)
{
    return ptrace(PTRACE_ATTACH, target(), 0, 0) == 0 ? 0 : errno;
}

static int do_seize(void)
{
    pid_t pid = target();
    must(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0, "seize");
    end_child(pid);
    return 0;
}

static int poke(void)
{
    pid_t pid = target();
    attach(pid);
    for (int i = 0; i < 100; i++) {
        must(ptrace(PTRACE_POKEDATA, pid, &word, (void *)1l) == 0, "poke");
    }
    end_child(pid);
    return 0;
}

static int set_registers(void)
{
    struct user_regs_struct regs;
    struct iovec all = {&regs, sizeof regs};
    pid_t pid = target();
    attach(pid);
    must(ptrace(PTRACE_GETREGSET, pid, (void *)1l, &all) == 0, "getregset");
    must(ptrace(PTRACE_SETREGSET, pid, (void *)1l, &all) == 0, "setregset");
    end_child(pid);
    return 0;
}

/* What a debugger does all the time. */
static int step(void)
{
    struct user_regs_struct regs;
    struct iovec all = {&regs, sizeof regs};
    pid_t pid = target();
    attach(pid);
    must(ptrace(PTRACE_GETREGSET, pid, (void *)1l, &all) == 0, "getregset");
    errno = 0;
    (void)ptrace(PTRACE_PEEKDATA, pid, &word, 0);
    must(errno == 0, "peek");
    must(ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD) == 0, "options");
    must(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "cont");
    must(ptrace(PTRACE_POKEDATA, pid, &word, (void *)1l) != 0, "poke a running one");
    end_child(pid);
    return 0;
}

static int trace_me(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) != 0);
    }
    printf("%d\n", (int)pid);
    int status = 1;
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

static ssize_t reach(pid_t pid, void *where, int write)
{
    long mine = 1;
    struct iovec here = {&mine, sizeof mine}, there = {where, sizeof mine};
    return write ? process_vm_writev(pid, &here, 1, &there, 1, 0)
                 : process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static int vm_read(void)
{
    pid_t pid = target();
    for (int i = 0; i < 50; i++) {
        must(reach(pid, &word, 0) == sizeof word, "process_vm_readv");
    }
    end_child(pid);
    return 0;
}

static int vm_write(void)
{
    pid_t pid = target();
    must(reach(pid, &word, 1) == sizeof word, "process_vm_writev");
    end_child(pid);
    return 0;
}

static int vm_self(void)
{
    must(reach(getpid(), &word, 0) == sizeof word, "process_vm_readv");
    must(reach(getpid(), &word, 1) == sizeof word, "process_vm_writev");
    must(reach(0x3fffffff, &word, 0) < 0, "process_vm_readv of nobody");
    return 0;
}

static int try_vm_read(void)
{
    return reach(target(), &word, 0) > 0 ? 0 : errno;
}

static int get_fd(void)
{
    pid_t pid = target();
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    must(pidfd >= 0, "pidfd_open");
    must(syscall(SYS_pidfd_getfd, pidfd, 1, 0) >= 0, "pidfd_getfd");
    must(syscall(SYS_pidfd_getfd, pidfd, 77, 0) < 0, "pidfd_getfd of nothing");
    must(syscall(SYS_pidfd_getfd, 1, 77, 0) < 0, "pidfd_getfd from nobody");
    end_child(pid);
    return 0;
}

/* A second process gets the pid of a first one that is gone; both are attached to. */
static int reuse(void)
{
    pid_t pid = start_child();
    attach(pid);
    end_child(pid);
    struct clone_args again = {.exit_signal = SIGCHLD, .set_tid_size = 1};
    again.set_tid = (uintptr_t)&pid;
    long other = syscall(SYS_clone3, &again, sizeof again);
    if (other == 0) {
        (void)pause();
        _exit(0);
    }
    must(other == pid, "clone3");
    attach(pid);
    end_child(pid);
    return 0;
}

/* args[2]: a target's thread, by its own id. */
static void *idle(void *unused)
{
    (void)unused;
    printf("%d %d\n", (int)getpid(), (int)gettid());
    (void)fflush(stdout);
    (void)pause();
    return NULL;
}

static int with_thread(void)
{
    pthread_t t;
    must(pthread_create(&t, NULL, idle, NULL) == 0, "pthread_create");
    (void)pthread_join(t, NULL);
    return 0;
}

/* The rest of the line runs as process 2 or so of a pid namespace of its own. */
static int in_pid_namespace(char **argv)
{
    must(unshare(CLONE_NEWPID) == 0, "unshare");
    pid_t pid = fork();
    if (pid == 0) {
        (void)execv("/proc/self/exe", argv);
        _exit(97);
    }
    int status = 1;
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

/* ---- signals ---- */

static int send(void)
{
    must(kill(target(), (int)strtol(args[3], NULL, 10)) == 0, "kill");
    return 0;
}

static int send_often(void)
{
    for (int i = 0; i < 50; i++) {
        (void)send();
        (void)usleep(1000);
    }
    return 0;
}

/* args[4]: what the sender claims as the signal's origin. */
static int queue(void)
{
    siginfo_t info = {0};
    info.si_code = (int)strtol(args[4], NULL, 10);
    info.si_signo = (int)strtol(args[3], NULL, 10);
    must(syscall(SYS_rt_sigqueueinfo, target(), info.si_signo, &info) == 0, "rt_sigqueueinfo");
    return 0;
}

static int by_pidfd(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, target(), 0);
    must(pidfd >= 0, "pidfd_open");
    must(syscall(SYS_pidfd_send_signal, pidfd, (int)strtol(args[3], NULL, 10), NULL, 0) == 0,
         "pidfd_send_signal");
    return 0;
}

static int kill_own_child(void)
{
    args[2] = NULL;
    end_child(start_child());
    return 0;
}

/* The child has left for a session of its own; args[2]: it is a grandchild whose parent is gone. */
static int kill_daemon(void)
{
    int ends[2];
    pid_t pid = 0;
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0 && args[2] && fork() != 0) {
        _exit(0);
    }
    if (child == 0) {
        pid = getpid();
        (void)setsid();
        (void)!write(ends[1], &pid, sizeof pid);
        (void)pause();
        _exit(0);
    }
    if (args[2]) {
        must(waitpid(child, NULL, 0) == child, "waitpid");
    }
    must(read(ends[0], &pid, sizeof pid) == sizeof pid, "read");
    printf("%d\n", (int)pid);
    must(kill(pid, SIGKILL) == 0, "kill");
    (void)waitpid(pid, NULL, 0);
    return 0;
}

static void ignore(int signo)
{
    (void)signo;
}

/* Handles args[2] and waits, in a session of its own. */
static int handle(void)
{
    if (args[2]) {
        (void)signal((int)strtol(args[2], NULL, 10), ignore);
    }
    (void)setsid();
    printf("%d\n", (int)getpid());
    (void)fflush(stdout);
    while (pause() < 0) {
    }
    return 0;
}

/* ---- threads ---- */

static void *nothing(void *unused)
{
    (void)unused;
    printf("%d\n", (int)gettid());
    (void)fflush(stdout);
    return NULL;
}

static int thread(void)
{
    pthread_t t;
    must(pthread_create(&t, NULL, nothing, NULL) == 0, "pthread_create");
    must(pthread_join(t, NULL) == 0, "pthread_join");
    return 0;
}

static int no_thread(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    printf("%d\n", (int)pid);
    return waitpid(pid, NULL, 0) != pid;
}

static const struct {
    const char *name;
    int (*run)(void);
} verbs[] = {
    {"attach", do_attach},
    {"try-attach", try_attach},
    {"seize", do_seize},
    {"poke", poke},
    {"set-registers", set_registers},
    {"step", step},
    {"trace-me", trace_me},
    {"vm-read", vm_read},
    {"vm-write", vm_write},
    {"vm-self", vm_self},
    {"try-vm-read", try_vm_read},
    {"get-fd", get_fd},
    {"reuse", reuse},
    {"with-thread", with_thread},
    {"send", send},
    {"send-often", send_often},
    {"queue", queue},
    {"by-pidfd", by_pidfd},
    {"kill-own-child", kill_own_child},
    {"kill-daemon", kill_daemon},
    {"handle", handle},
    {"thread", thread},
    {"no-thread", no_thread},
};

int main(int argc, char **argv)
{
    args = argv;
    if (argc > 2 && strcmp(argv[1], "in-pid-namespace") == 0) {
        return in_pid_namespace(argv + 1);
    }
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run();
        }
    }
    return 96;
}
