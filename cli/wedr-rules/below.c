/* SPDX-License-Identifier: Apache-2.0 */
#include "below.h"

#include "core/base/err.h"
#include "walk.h"
#include <stdio.h>
#include <string.h>

bool wedr_below_folder(const char *path, char *ret_folder, size_t cap)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + (slash == path) : 0;
    int n = len > 0 ? snprintf(ret_folder, cap, "%.*s", (int)len, path)
                    : snprintf(ret_folder, cap, ".");
    return n > 0 && (size_t)n < cap;
}

int wedr_below_open(const char *folder, wedr_handle *ret_dir)
{
    char dot[WEDR_WALK_PATH_MAX + 4];
    int n = snprintf(dot, sizeof(dot), "%s/.", folder);
    return n < 0 || (size_t)n >= sizeof(dot) ? WEDR_E_LIMIT : wedr_fs_open_dir(dot, ret_dir);
}

int wedr_below_read(const char *folder, const char *relative, struct wedr_buf *out)
{
    char name[WEDR_WALK_PATH_MAX];
    wedr_handle dir = WEDR_HANDLE_NONE;
    int r = wedr_below_open(folder, &dir);
    while (r == WEDR_OK) {
        const char *slash = strchr(relative, '/');
        size_t len = slash ? (size_t)(slash - relative) : strlen(relative);
        wedr_handle next = WEDR_HANDLE_NONE;
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, relative);
        if (len == 0 || len >= sizeof(name) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            r = WEDR_E_PERM;
            break;
        }
        r = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &next);
        wedr_fs_close(dir);
        dir = next;
        if (r == WEDR_OK && !slash) {
            r = wedr_fs_read_all(dir, out);
            break;
        }
        relative += len + 1;
    }
    wedr_fs_close(dir);
    return r;
}
