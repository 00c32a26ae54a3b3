/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(uid_t uid, int out, const char *program, const char *const *args)
{
    const char *argv[16] = {program};
    for (size_t i = 0; args[i] && i < 14; i++) {
        argv[i + 1] = args[i];
    }
    if (dup2(out, 1) < 0) {
        _exit(94);
    }
    if (uid && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 ||
                setresuid(uid, uid, uid) != 0)) {
        _exit(95);
    }
    (void)execv(program, (char **)(uintptr_t)argv);
    _exit(96);
}

static void read_numbers(int from, struct play *p)
{
    char text[128];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = read(from, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)n;
        if (memchr(text, '\n', len)) {
            break;
        }
    }
    text[len] = 0;
    char *end = text;
    p->says[0] = strtol(text, &end, 10);
    p->says[1] = strtol(end, NULL, 10);
}

void play_start(struct play *p, uid_t uid, const char *program, const char *const *args)
{
    int ends[2];
    memset(p, 0, sizeof *p);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        child(uid, ends[1], program, args);
    }
    (void)close(ends[1]);
    read_numbers(ends[0], p);
    (void)close(ends[0]);
}

void play(struct play *p, uid_t uid, const char *program, const char *const *args)
{
    play_start(p, uid, program, args);
    assert_int_equal(waitpid(p->pid, &p->status, 0), p->pid);
}

void play_end(struct play *p)
{
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    assert_int_equal(waitpid(p->pid, &p->status, 0), p->pid);
}

void assert_played(const struct play *p)
{
    if (!WIFEXITED(p->status) || WEXITSTATUS(p->status) != 0) {
        fail_msg("the victim ended with status 0x%x", (unsigned)p->status);
    }
}

void play_copy(const char *from, const char *to, unsigned mode)
{
    char buf[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        assert_int_equal(write(out, buf, (size_t)n), n);
    }
    (void)close(in);
    (void)close(out);
    assert_int_equal(chmod(to, mode), 0);
}

static bool is_about(const struct wedr_event_view *v, pid_t pid)
{
    const struct wedr_field_info *f = wedr_event_field(v, "pid");
    if (!f) {
        f = wedr_event_field(v, "source_pid");
    }
    return f && wedr_event_uint(v, f) == (uint64_t)pid;
}

static bool begins_with(const struct wedr_event_view *v, const char *field, const char *text)
{
    struct wedr_span s = rec_str(v, field, NULL);
    size_t len = strlen(text);
    return s.len >= len && memcmp(s.p, text, len) == 0;
}

size_t play_count(struct rig *r,
                  uint16_t type,
                  pid_t pid,
                  const char *field,
                  const char *text,
                  const struct wedr_event_view **ret_first)
{
    size_t found = 0;
    rig_pump(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == type && is_about(v, pid) && (!field || begins_with(v, field, text))) {
            if (found++ == 0 && ret_first) {
                *ret_first = v;
            }
        }
    }
    return found;
}

const struct wedr_event_view *
play_only(struct rig *r, uint16_t type, pid_t pid, const char *field, const char *text)
{
    const struct wedr_event_view *v = NULL;
    size_t found = play_count(r, type, pid, field, text, &v);
    if (found != 1) {
        fail_msg("%zu records of type %u%s%s", found, (unsigned)type, text ? " for " : "",
                 text ? text : "");
    }
    return v;
}

uint64_t play_key(struct rig *r, pid_t pid)
{
    const struct wedr_event_view *v = NULL;
    if (play_count(r, WEDR_EV_PROCESS_FORK, pid, NULL, NULL, &v) == 0 &&
        play_count(r, WEDR_EV_PROCESS_CREATE, pid, NULL, NULL, &v) == 0) {
        fail_msg("nothing tells of process %d", (int)pid);
    }
    return rec_uint(v, "process_key");
}
