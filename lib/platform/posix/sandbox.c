/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_internal.h"

#include "core/base/err.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64

static int os_failed(struct wedr_errinfo *ei, const char *what)
{
    int e = errno;
    return wedr_fail(ei, wedr_err_from_os(e), "%s: errno %d", what, e);
}

static int set_limit(int which, uint64_t value)
{
    struct rlimit rl = {(rlim_t)value, (rlim_t)value};
    return setrlimit((__rlimit_resource_t)which, &rl);
}

static int limit_resources(const struct wedr_sandbox_cfg *cfg, struct wedr_errinfo *ei)
{
    bool memory = cfg->memory_max > 0 && !WEDR_SANITIZED;
    if (set_limit(RLIMIT_CORE, 0) != 0 || (memory && set_limit(RLIMIT_AS, cfg->memory_max) != 0) ||
        (cfg->files_max > 0 && set_limit(RLIMIT_NOFILE, cfg->files_max) != 0)) {
        return os_failed(ei, "setrlimit");
    }
    return WEDR_OK;
}

/* So that not even an exec of a set-uid or file-capability program could bring one back. Without
 * CAP_SETPCAP (tests without root) the set stays, and no_new_privs alone does this work. */
static int drop_bounding_set(struct wedr_errinfo *ei)
{
    for (int cap = 0; cap < CAPABILITIES_MAX; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            if (errno == EINVAL || (errno == EPERM && geteuid() != 0)) {
                return WEDR_OK; /* past the last capability of this kernel */
            }
            return os_failed(ei, "capability bounding set");
        }
    }
    return WEDR_OK;
}

/* keep: what the process may do outlives the change. */
static int change_ids(uint32_t uid, uint32_t gid, bool keep, struct wedr_errinfo *ei)
{
    uid_t r;
    uid_t e;
    uid_t s;
    if (uid == 0) {
        return WEDR_OK;
    }
    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
        return os_failed(ei, "keeping capabilities");
    }
    /* Groups first: after setresuid there is no right to change them. */
    if (setgroups(0, NULL) != 0) {
        return os_failed(ei, "setgroups");
    }
    if (setresgid(gid, gid, gid) != 0) {
        return os_failed(ei, "setresgid");
    }
    if (setresuid(uid, uid, uid) != 0) {
        return os_failed(ei, "setresuid");
    }
    if (getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid || setuid(0) == 0) {
        return wedr_fail(ei, WEDR_E_BUG, "the user id did not change for good");
    }
    return WEDR_OK;
}

#define READER_CAPABILITIES (1u << CAP_DAC_READ_SEARCH | 1u << CAP_SYS_PTRACE)
_Static_assert(CAP_DAC_READ_SEARCH < 32 && CAP_SYS_PTRACE < 32, "both in the first word");

/* Profiles that read files of everybody. Landlock would hide other processes' from them. */
static bool is_reader(enum wedr_sandbox_profile profile)
{
    return profile == WEDR_SANDBOX_FACTS || profile == WEDR_SANDBOX_WATCH;
}

/* Of `keep`, what is there. */
static int drop_capabilities(uint32_t keep, struct wedr_errinfo *ei)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof(none));
    memset(has, 0, sizeof(has));
    if (keep != 0 && syscall(SYS_capget, &head, has) != 0) {
        return os_failed(ei, "capget");
    }
    none[0].effective = none[0].permitted = has[0].permitted & keep;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
        return os_failed(ei, "ambient capabilities");
    }
    if (syscall(SYS_capset, &head, none) != 0) {
        return os_failed(ei, "capset");
    }
    return WEDR_OK;
}

/* A change of ids has cleared the parent-death signal and the dump flag: both are set after it. */
static int seal_process(pid_t parent, struct wedr_errinfo *ei)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return os_failed(ei, "no_new_privs");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return os_failed(ei, "dumpable");
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return os_failed(ei, "parent death signal");
    }
    if (getppid() != parent) {
        return wedr_fail(ei, WEDR_E_STATE, "the parent process is gone");
    }
    return WEDR_OK;
}

/* The working folder: CORE's own, which "." reaches even when its parents are closed to the new
 * user. */
static int
enter_folder(const struct wedr_sandbox_cfg *cfg, wedr_handle *ret_dir, struct wedr_errinfo *ei)
{
    if (cfg->profile != WEDR_SANDBOX_CORE) {
        return chdir("/") != 0 ? os_failed(ei, "chdir") : WEDR_OK;
    }
    int err = wedr_fs_open_dir(cfg->dir, ret_dir);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "the folder of the sandbox cannot be opened");
    }
    return fchdir((int)*ret_dir) != 0 ? os_failed(ei, "fchdir") : WEDR_OK;
}

static int
apply(const struct wedr_sandbox_cfg *cfg, int landlock, pid_t parent, struct wedr_errinfo *ei)
{
    int err = limit_resources(cfg, ei);
    if (err == WEDR_OK) {
        err = drop_bounding_set(ei);
    }
    if (err == WEDR_OK) {
        err = change_ids(cfg->uid, cfg->gid, is_reader(cfg->profile), ei);
    }
    if (err == WEDR_OK) {
        err = drop_capabilities(is_reader(cfg->profile) ? READER_CAPABILITIES : 0, ei);
    }
    if (err == WEDR_OK) {
        err = seal_process(parent, ei);
    }
    if (err == WEDR_OK) {
        err = wedr_landlock_apply(landlock, ei);
    }
    return err;
}

int wedr_sandbox_enter(const struct wedr_sandbox_cfg *cfg,
                       struct wedr_sandbox_report *ret,
                       struct wedr_errinfo *ei)
{
    pid_t parent = getppid();
    wedr_handle dir = WEDR_HANDLE_NONE;
    int landlock = -1;
    struct wedr_sandbox_report report = {""};
    if ((cfg->profile == WEDR_SANDBOX_CORE) != (cfg->dir != NULL) ||
        (cfg->uid == 0) != (cfg->gid == 0)) {
        return wedr_fail(ei, WEDR_E_INVAL,
                         "a sandbox needs uid and gid, or none, and CORE alone a folder");
    }
    int err = enter_folder(cfg, &dir, ei);
    if (err == WEDR_OK) {
        err = is_reader(cfg->profile) ? WEDR_OK
                                      : wedr_landlock_build(cfg->profile, (int)dir, &landlock, ei);
    }
    if (err == WEDR_OK && landlock < 0 && !is_reader(cfg->profile)) {
        (void)snprintf(report.missing, sizeof(report.missing), "landlock");
    }
    if (err == WEDR_OK) {
        err = apply(cfg, landlock, parent, ei);
    }
    wedr_fs_close(dir);
    if (landlock >= 0) {
        (void)close(landlock);
    }
    if (err == WEDR_OK) {
        err = wedr_seccomp_apply(cfg->profile, ei);
    }
    if (err == WEDR_OK) {
        *ret = report;
    }
    return err;
}
