/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_priv.h"

#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_MAGIC 0xcafe4a11
#define OLD_INFIX "-old-"

static bool is_bpffs(void)
{
    struct statfs st;
    return statfs(BPFFS, &st) == 0 && (unsigned long)st.f_type == BPFFS_MAGIC;
}

int wedr_pin_mount(struct wedr_errinfo *ei)
{
    if (is_bpffs()) {
        return WEDR_OK;
    }
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
    if (mount("bpf", BPFFS, "bpf", flags, "mode=700") != 0) {
        int err = errno;
        return wedr_fail(ei, wedr_err_from_os(err), "cannot mount the BPF file system at %s: %s",
                         BPFFS, strerrordesc_np(err));
    }
    return WEDR_OK;
}

int wedr_pin_entry(char ret[PIN_PATH_MAX], const char *folder, const char *entry)
{
    int n = snprintf(ret, PIN_PATH_MAX, "%s/%s", folder, entry);
    return n < 0 || (unsigned)n >= PIN_PATH_MAX ? WEDR_E_RANGE : WEDR_OK;
}

int wedr_pin_path(char ret[PIN_PATH_MAX],
                  const char *pin_name,
                  const char *suffix,
                  const char *entry)
{
    size_t len = strlen(pin_name);
    if (len == 0 || len >= WEDR_PIN_NAME_MAX || strpbrk(pin_name, "/.")) {
        return WEDR_E_INVAL;
    }
    int n = snprintf(ret, PIN_PATH_MAX, "%s/%s%s%s%s", BPFFS, pin_name, suffix, entry[0] ? "/" : "",
                     entry);
    return n < 0 || (unsigned)n >= PIN_PATH_MAX ? WEDR_E_RANGE : WEDR_OK;
}

int wedr_pin_fd(int fd, const char *folder, const char *entry)
{
    char path[PIN_PATH_MAX];
    int err = wedr_pin_entry(path, folder, entry);
    if (err) {
        return err;
    }
    return bpf_obj_pin(fd, path) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

/* Unlinks the entries whose name begins with prefix. */
static int unlink_entries(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    if (!d) {
        return wedr_err_from_os(errno);
    }
    int err = WEDR_OK;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        if (unlinkat(dirfd(d), e->d_name, 0) != 0) {
            err = wedr_err_from_os(errno);
        }
    }
    (void)closedir(d);
    return err;
}

/* Detaches: nothing produces any more, unless another process holds the links. What the budgets
 * held back is told then. */
static int detach(const char *folder)
{
    wedr_missed_note(folder);
    /* What compares identities goes before what explains their changes. */
    int err = unlink_entries(folder, "link_cred_");
    if (!err) {
        err = unlink_entries(folder, "link_");
    }
    if (!err) {
        (void)(wedr_sweep_pins(folder) == WEDR_OK); /* an older kind of set has no budgets */
    }
    return err;
}

int wedr_pin_remove(const char *folder)
{
    int err = unlink_entries(folder, "");
    if (err) {
        return err;
    }
    return rmdir(folder) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

int wedr_pin_oldest(const char *pin_name, char ret_suffix[32], size_t *ret_count)
{
    char oldest[32] = "";
    size_t count = 0, len = strlen(pin_name);
    DIR *d = opendir(BPFFS);
    if (!d) {
        return errno == ENOENT ? WEDR_E_NOENT : wedr_err_from_os(errno);
    }
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        const char *suffix = e->d_name + len;
        if (strncmp(e->d_name, pin_name, len) != 0 ||
            strncmp(suffix, OLD_INFIX, strlen(OLD_INFIX)) != 0 || strlen(suffix) >= sizeof oldest) {
            continue;
        }
        count++;
        if (!oldest[0] || strcmp(suffix, oldest) < 0) {
            memcpy(oldest, suffix, strlen(suffix) + 1);
        }
    }
    (void)closedir(d);
    *ret_count = count;
    if (count == 0) {
        return WEDR_E_NOENT;
    }
    memcpy(ret_suffix, oldest, sizeof oldest);
    return WEDR_OK;
}

/* Keeps the number of retired sets bounded: their rings hold kernel memory. */
static int drop_oldest(const char *pin_name)
{
    for (;;) {
        char suffix[32], folder[PIN_PATH_MAX];
        size_t count = 0;
        int err = wedr_pin_oldest(pin_name, suffix, &count);
        if (err == WEDR_E_NOENT || (err == WEDR_OK && count < WEDR_SENSOR_OLD_MAX)) {
            return WEDR_OK;
        }
        if (!err) {
            err = wedr_pin_path(folder, pin_name, suffix, "");
        }
        if (!err) {
            err = wedr_pin_remove(folder);
        }
        if (err) {
            return err;
        }
    }
}

int wedr_pin_retire(const char *pin_name, struct wedr_errinfo *ei)
{
    char folder[PIN_PATH_MAX], old[PIN_PATH_MAX], suffix[32];
    int err = wedr_pin_path(folder, pin_name, "", "");
    if (!err && access(folder, F_OK) != 0) {
        return errno == ENOENT ? WEDR_OK : wedr_err_from_os(errno);
    }
    if (!err) {
        err = drop_oldest(pin_name);
    }
    if (!err) {
        err = detach(folder);
    }
    /* Boot time only grows, so names sort by age. */
    (void)snprintf(suffix, sizeof suffix, OLD_INFIX "%016llx",
                   (unsigned long long)wedr_time_boot_ns());
    if (!err) {
        err = wedr_pin_path(old, pin_name, suffix, "");
    }
    if (!err && rename(folder, old) != 0) {
        err = wedr_err_from_os(errno);
    }
    return err ? wedr_fail(ei, err, "cannot set the old sensor aside: %s", wedr_err_text(err))
               : WEDR_OK;
}

int wedr_sensor_unpin(const char *pin_name, struct wedr_errinfo *ei)
{
    char folder[PIN_PATH_MAX], suffix[32];
    bool removed = false;
    const char *const fixed[] = {"", "-new"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(fixed); i++) {
        int err = wedr_pin_path(folder, pin_name, fixed[i], "");
        if (!err) {
            err = detach(folder);
        }
        if (!err) {
            err = wedr_pin_remove(folder);
        }
        removed |= err == WEDR_OK;
        if (err && err != WEDR_E_NOENT) {
            return wedr_fail(ei, err, "cannot remove %s: %s", folder, wedr_err_text(err));
        }
    }
    for (;;) {
        size_t count = 0;
        int err = wedr_pin_oldest(pin_name, suffix, &count);
        if (err == WEDR_E_NOENT) {
            return removed ? WEDR_OK : WEDR_E_NOENT;
        }
        if (!err) {
            err = wedr_pin_path(folder, pin_name, suffix, "");
        }
        if (!err) {
            err = wedr_pin_remove(folder);
        }
        if (err) {
            return wedr_fail(ei, err, "cannot remove an old set: %s", wedr_err_text(err));
        }
        removed = true;
    }
}
