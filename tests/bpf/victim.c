/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim.c — the program that the tests start and watch: victim MODE [ARGUMENT ...]. Any
 * other first argument means: leave with 0. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **args;
static pthread_barrier_t gate;

static void *do_exec(void *unused)
{
    (void)unused;
    (void)execv(args[2], args + 2);
    _exit(99);
}

/* A thread, not the leader, runs args[2]. */
static int thread_exec(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, do_exec, NULL) != 0) {
        return 98;
    }
    (void)pthread_join(t, NULL);
    return 97;
}

static void *late_exit(void *unused)
{
    (void)unused;
    (void)usleep(20000);
    _exit(7);
}

/* The leader ends first; the process ends 20 ms later with 7. */
static int leader_first(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, late_exit, NULL) != 0) {
        return 98;
    }
    (void)syscall(SYS_exit, 3);
    return 97;
}

static void *race(void *unused)
{
    (void)unused;
    (void)pthread_barrier_wait(&gate);
    (void)syscall(SYS_exit, 0);
    return NULL;
}

/* Two threads end in the same moment. */
static int together(void)
{
    pthread_t t;
    (void)pthread_barrier_init(&gate, NULL, 2);
    if (pthread_create(&t, NULL, race, NULL) != 0) {
        return 98;
    }
    (void)race(NULL);
    return 97;
}

/* Prints the child's pid. The child's parent is our parent. */
static int clone_parent(void)
{
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    printf("%ld\n", pid);
    return pid < 0;
}

/* Prints the grandchild's pid after its parent is gone; the grandchild then runs args[2]. */
static int double_fork(void)
{
    int gone[2];
    if (pipe(gone) != 0) {
        return 98;
    }
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            char c;
            (void)close(gone[1]);
            (void)!read(gone[0], &c, 1);
            (void)execv(args[2], args + 2);
            _exit(99);
        }
        printf("%d\n", (int)grandchild);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    (void)close(gone[1]);
    return 0;
}

static int die(int signo)
{
    struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_CORE, &core);
    (void)signal(signo, SIG_DFL);
    (void)kill(getpid(), signo);
    return 97;
}

static void start_one(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        (void)execl(args[0], args[0], "flooded", (char *)NULL);
        _exit(99);
    }
    (void)waitpid(pid, NULL, 0);
}

static int flood(long count)
{
    for (long i = 0; i < count; i++) {
        start_one();
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    args = argv;
    if (strcmp(mode, "exit") == 0 && argc > 2) {
        return (int)strtol(argv[2], NULL, 10);
    }
    if (strcmp(mode, "die") == 0 && argc > 2) {
        return die((int)strtol(argv[2], NULL, 10));
    }
    if (strcmp(mode, "flood") == 0 && argc > 2) {
        return flood(strtol(argv[2], NULL, 10));
    }
    if (strcmp(mode, "sleep") == 0) {
        (void)pause();
    }
    if (strcmp(mode, "thread-exec") == 0) {
        return thread_exec();
    }
    if (strcmp(mode, "leader-first") == 0) {
        return leader_first();
    }
    if (strcmp(mode, "together") == 0) {
        return together();
    }
    if (strcmp(mode, "clone-parent") == 0) {
        return clone_parent();
    }
    if (strcmp(mode, "double-fork") == 0) {
        return double_fork();
    }
    return 0;
}
