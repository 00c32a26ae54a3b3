/* SPDX-License-Identifier: Apache-2.0 */
#include "homes.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_ROOM 256u

/* "name:password:uid:gid:text:home:shell" */
static bool read_line(const char *line, struct wedr_home *ret)
{
    const char *at = line, *uid = NULL;
    for (int i = 0; i < 5 && at; i++) {
        uid = i == 2 ? at : uid;
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    size_t len = at ? strcspn(at, ":\n") : 0;
    if (len < 2 || len >= sizeof ret->path || at[0] != '/' || *uid < '0' || *uid > '9') {
        return false;
    }
    memcpy(ret->path, at, len);
    ret->path[len] = 0;
    ret->uid = (uid_t)strtoul(uid, NULL, 10);
    return true;
}

int wedr_homes_read(struct wedr_home **ret, size_t *ret_count)
{
    char line[1024];
    size_t count = 0;
    struct wedr_home *homes = wedr_alloc(WEDR_HOMES_MAX, sizeof *homes);
    FILE *f = homes ? fopen("/etc/passwd", "re") : NULL;
    while (f && count < WEDR_HOMES_MAX && fgets(line, sizeof line, f)) {
        count += read_line(line, &homes[count]);
    }
    if (f) {
        (void)fclose(f);
    }
    if (!homes) {
        return WEDR_E_NOMEM;
    }
    *ret = homes;
    *ret_count = count;
    return WEDR_OK;
}

/* One part, whatever it is. */
static int open_part(int dir, const char *name, bool *over_link, struct stat *ret_st)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, ret_st) == 0 && !S_ISLNK(ret_st->st_mode)) {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
        *over_link = true;
        fd = openat(dir, name, O_PATH | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, ret_st) == 0) {
            return fd;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

int wedr_home_open(const struct wedr_home *h, int dir, const char *path, bool *over_link)
{
    char part[PART_ROOM];
    struct stat st = {0};
    int fd = -1;
    for (const char *at = path + strspn(path, "/"); *at;) {
        size_t len = strcspn(at, "/");
        int next = -1;
        if (len < sizeof part) {
            memcpy(part, at, len);
            part[len] = 0;
            next = open_part(fd >= 0 ? fd : dir, part, over_link, &st);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
        fd = next;
        if (fd < 0) {
            return -1;
        }
        at += len;
        at += strspn(at, "/");
    }
    if (fd >= 0 && st.st_uid != h->uid && (*over_link || st.st_uid != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}
