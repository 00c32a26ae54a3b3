/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/platform/sandbox_probe.h — runs a function inside a profile, in a process of its
 * own. */
#pragma once

#include "plat_test.h"

#include "sandbox_internal.h"
#include "wedr/plat/sandbox.h"
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define TEST_UID 54321u
#define ENTER_FAILED 250 /* above every errno a probe returns */

static char dir[64];     /* CORE's folder */
static char outside[64]; /* holds key.pem, readable for all */

static inline bool is_root(void)
{
    return geteuid() == 0;
}

static inline struct wedr_sandbox_cfg config(enum wedr_sandbox_profile profile, bool keep_ids)
{
    uint32_t id = keep_ids || !is_root() ? 0 : TEST_UID;
    struct wedr_sandbox_cfg cfg = {
        .profile = profile, .uid = id, .gid = id, .dir = profile == WEDR_SANDBOX_CORE ? dir : NULL};
    return cfg;
}

/* Runs probe inside cfg and gives back what it returned (0..249), or 256 + signal. */
static inline int run_cfg(const struct wedr_sandbox_cfg *cfg, int (*probe)(void))
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

static inline int run(enum wedr_sandbox_profile profile, int (*probe)(void))
{
    struct wedr_sandbox_cfg cfg = config(profile, false);
    return run_cfg(&cfg, probe);
}

/* With the ids changed and, so that the filter alone must do it, with them kept. */
static inline void denied_everywhere(int (*probe)(void), int expected)
{
    for (int p = WEDR_SANDBOX_PARSER; p <= (int)WEDR_SANDBOX_NET; p++) {
        for (int keep = 0; keep < 2; keep++) {
            struct wedr_sandbox_cfg cfg = config((enum wedr_sandbox_profile)p, keep == 1);
            assert_int_equal(run_cfg(&cfg, probe), expected);
        }
    }
}

/* errno of a failed call, 0 of one that worked */
static inline int result(long r)
{
    return r < 0 ? errno : 0;
}

static inline bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    temp_remove(dir);
    temp_remove(outside);
    return 0;
}
