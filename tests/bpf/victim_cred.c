/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim_cred.c — does one step after the other: victim_cred
 * STEP[:ARGUMENT[,ARGUMENT...]]
 * ... A step that fails ends it with 90. Static and not position independent, so that its strings
 * have addresses that a 32-bit system call can take. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 4

static pthread_barrier_t gate;

struct step {
    const char *arg[ARGS_MAX]; /* "" when there is none */
    long number[ARGS_MAX];
};

static void *idle(void *unused)
{
    (void)unused;
    (void)pthread_barrier_wait(&gate);
    for (;;) {
        (void)pause();
    }
    return NULL;
}

/* That many other threads, alive from here on. */
static int do_threads(const struct step *s)
{
    pthread_t t;
    (void)pthread_barrier_init(&gate, NULL, (unsigned)s->number[0] + 1);
    for (long i = 0; i < s->number[0]; i++) {
        if (pthread_create(&t, NULL, idle, NULL) != 0) {
            return -1;
        }
    }
    (void)pthread_barrier_wait(&gate);
    return 0;
}

static int do_setuid(const struct step *s)
{
    return setuid((uid_t)s->number[0]);
}

static int do_setgid(const struct step *s)
{
    return setgid((gid_t)s->number[0]);
}

static int do_setreuid(const struct step *s)
{
    return setreuid((uid_t)s->number[0], (uid_t)s->number[1]);
}

static int do_setregid(const struct step *s)
{
    return setregid((gid_t)s->number[0], (gid_t)s->number[1]);
}

static int do_setresuid(const struct step *s)
{
    return setresuid((uid_t)s->number[0], (uid_t)s->number[1], (uid_t)s->number[2]);
}

static int do_setresgid(const struct step *s)
{
    return setresgid((gid_t)s->number[0], (gid_t)s->number[1], (gid_t)s->number[2]);
}

static int do_setfsuid(const struct step *s)
{
    (void)setfsuid((uid_t)s->number[0]);
    return 0;
}

static int do_setfsgid(const struct step *s)
{
    (void)setfsgid((gid_t)s->number[0]);
    return 0;
}

static int do_setgroups(const struct step *s)
{
    gid_t list[ARGS_MAX];
    size_t n = 0;
    while (n < ARGS_MAX && s->arg[n][0]) {
        list[n] = (gid_t)s->number[n];
        n++;
    }
    return setgroups(n, list);
}

/* Gives one capability away, from both sets. */
static int do_capdrop(const struct step *s)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    if (syscall(SYS_capget, &h, d) != 0) {
        return -1;
    }
    d[s->number[0] / 32].effective &= ~(1u << s->number[0] % 32);
    d[s->number[0] / 32].permitted &= ~(1u << s->number[0] % 32);
    return (int)syscall(SYS_capset, &h, d);
}

static int do_unshare(const struct step *s)
{
    return unshare((int)s->number[0]);
}

/* setns:PATH,FLAGS */
static int do_setns(const struct step *s)
{
    int fd = open(s->arg[0], O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : setns(fd, (int)s->number[1]);
}

/* A child with these flags, which leaves at once; prints its pid. */
static int do_clone(const struct step *s)
{
    long pid = syscall(SYS_clone, s->number[0] | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    printf("%ld\n", pid);
    (void)fflush(stdout);
    return pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid ? 0 : -1;
}

static int do_exec(const struct step *s)
{
    return execl(s->arg[0], s->arg[0], (char *)NULL);
}

static int do_rename_comm(const struct step *s)
{
    return prctl(PR_SET_NAME, s->arg[0]);
}

#ifdef __x86_64__
static char low[4][4096]; /* below 4 GiB */

static long int80(long nr, long a, long b, long c, long d)
{
    long ret;
    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    if (ret < 0 && ret > -4096) {
        errno = (int)-ret;
        return -1;
    }
    return ret;
}

/* int80:NUMBER,ARGUMENT,ARGUMENT,ARGUMENT: a number, or a string that is copied where 32 bits
 * reach. */
static int do_int80(const struct step *s)
{
    long v[ARGS_MAX] = {0};
    for (int i = 0; i < ARGS_MAX; i++) {
        char c = s->arg[i][0];
        bool is_text = c != 0 && c != '-' && (c < '0' || c > '9');
        if (is_text) {
            (void)snprintf(low[i], sizeof low[i], "%s", s->arg[i]);
        }
        v[i] = is_text ? (long)low[i] : s->number[i];
    }
    return int80(v[0], v[1], v[2], v[3], 0) < 0 ? -1 : 0;
}
#endif

static const struct {
    const char *name;
    int (*run)(const struct step *s);
} verbs[] = {
    {"threads", do_threads},     {"setuid", do_setuid},     {"setgid", do_setgid},
    {"setreuid", do_setreuid},   {"setregid", do_setregid}, {"setresuid", do_setresuid},
    {"setresgid", do_setresgid}, {"setfsuid", do_setfsuid}, {"setfsgid", do_setfsgid},
    {"setgroups", do_setgroups}, {"capdrop", do_capdrop},   {"unshare", do_unshare},
    {"setns", do_setns},         {"clone", do_clone},       {"exec", do_exec},
    {"comm", do_rename_comm},
#ifdef __x86_64__
    {"int80", do_int80},
#endif
};

/* 0 done, -1 failed, -2 no such step. */
static int run_step(char *text)
{
    struct step s = {{"", "", "", ""}, {0}};
    char *arg = strchr(text, ':');
    if (arg) {
        *arg++ = 0;
    }
    for (int i = 0; arg && i < ARGS_MAX; i++) {
        char *next = strchr(arg, ',');
        if (next) {
            *next++ = 0;
        }
        s.arg[i] = arg;
        s.number[i] = strtol(arg, NULL, 0);
        arg = next;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(text, verbs[i].name) == 0) {
            return verbs[i].run(&s) < 0 ? -1 : 0;
        }
    }
    return -2;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int err = run_step(argv[i]);
        if (err) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], err == -2 ? "unknown" : strerror(errno));
            return 90;
        }
    }
    return 0;
}
