/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/names.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define ROOM (64u << 10) /* bytes of an entry; a group of many members is long */

static int keep(const char *name, char *ret_name, size_t cap)
{
    size_t n = name ? strlen(name) : 0;
    if (n == 0) {
        return WEDR_E_NOENT;
    }
    if (n >= cap) {
        return WEDR_E_RANGE;
    }
    memcpy(ret_name, name, n + 1);
    return WEDR_OK;
}

int wedr_name_of(bool group, uint32_t id, char *ret_name, size_t cap)
{
    struct passwd user;
    struct passwd *found_user = NULL;
    struct group of;
    struct group *found_group = NULL;
    char *room = wedr_alloc(ROOM, 1);
    if (!room) {
        return WEDR_E_NOMEM;
    }
    int e = group ? getgrgid_r(id, &of, room, ROOM, &found_group)
                  : getpwuid_r(id, &user, room, ROOM, &found_user);
    const char *name = NULL;
    if (found_group) {
        name = found_group->gr_name;
    } else if (found_user) {
        name = found_user->pw_name;
    }
    int err = e != 0 && !name ? wedr_err_from_os(e) : keep(name, ret_name, cap);
    wedr_free(room);
    return err;
}

void wedr_names_local(bool group,
                      unsigned max,
                      void (*fn)(void *arg, uint32_t id, const char *name),
                      void *arg)
{
    FILE *f = fopen(group ? "/etc/group" : "/etc/passwd", "re");
    for (unsigned i = 0; f && i < max; i++) {
        if (group) {
            /* cppcheck-suppress fgetgrentCalled */
            const struct group *g = fgetgrent(f); /* NOLINT(concurrency-mt-unsafe) */
            if (!g) {
                break;
            }
            fn(arg, g->gr_gid, g->gr_name);
        } else {
            /* cppcheck-suppress fgetpwentCalled */
            const struct passwd *p = fgetpwent(f); /* NOLINT(concurrency-mt-unsafe) */
            if (!p) {
                break;
            }
            fn(arg, p->pw_uid, p->pw_name);
        }
    }
    if (f) {
        (void)fclose(f);
    }
}
