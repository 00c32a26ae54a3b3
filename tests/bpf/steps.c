/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(const char *program, unsigned uid, const char *const *steps)
{
    const char *argv[STEPS_MAX + 2] = {program};
    for (int i = 0; i < STEPS_MAX && steps[i]; i++) {
        argv[i + 1] = steps[i];
    }
    if (uid && setresuid(uid, uid, uid) != 0) {
        _exit(91);
    }
    (void)execv(program, (char **)(uintptr_t)argv);
    _exit(92);
}

static void must_end_well(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

pid_t steps_run(const char *program, unsigned uid, const char *const *steps)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(program, uid, steps);
    }
    must_end_well(pid);
    return pid;
}

pid_t steps_run_says(const char *program, const char *const *steps, long *ret_number)
{
    int ends[2];
    char text[32] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        become(program, 0, steps);
    }
    (void)close(ends[1]);
    must_end_well(pid);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    (void)close(ends[0]);
    *ret_number = strtol(text, NULL, 10);
    return pid;
}

void steps_finish(pid_t pid, int go)
{
    assert_int_equal(write(go, "x", 1), 1);
    (void)close(go);
    must_end_well(pid);
}

void steps_ended(struct rig *r, pid_t pid)
{
    assert_non_null(rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, 0));
    rig_pump(r);
}

void steps_copy(const char *from, const char *to)
{
    char buf[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        assert_int_equal(write(out, buf, (size_t)n), n);
    }
    (void)close(in);
    (void)close(out);
    assert_int_equal(chmod(to, 0755), 0);
}
