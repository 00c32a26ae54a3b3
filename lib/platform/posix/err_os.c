/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/fs.h"

#include "core/base/err.h"
#include <errno.h>

struct row {
    int os, err;
};

static const struct row rows[] = {
    {0, WEDR_OK},
    {EACCES, WEDR_E_PERM},
    {EADDRINUSE, WEDR_E_BUSY},
    {EAGAIN, WEDR_E_AGAIN},
    {EBADF, WEDR_E_INVAL},
    {EBUSY, WEDR_E_BUSY},
    {ECONNREFUSED, WEDR_E_NOENT},
    {ECONNRESET, WEDR_E_CLOSED},
    {EDQUOT, WEDR_E_NOSPC},
    {EEXIST, WEDR_E_EXIST},
    {EFAULT, WEDR_E_BUG},
    {EFBIG, WEDR_E_LIMIT},
    {EINVAL, WEDR_E_INVAL},
    {EISDIR, WEDR_E_INVAL},
    {ELOOP, WEDR_E_PERM}, /* a link where none is followed */
    {EMFILE, WEDR_E_LIMIT},
    {EMSGSIZE, WEDR_E_LIMIT},
    {ENAMETOOLONG, WEDR_E_INVAL},
    {ENFILE, WEDR_E_LIMIT},
    {ENODEV, WEDR_E_NOENT},
    {ENOENT, WEDR_E_NOENT},
    {ENOMEM, WEDR_E_NOMEM},
    {ENOSPC, WEDR_E_NOSPC},
    {ENOSYS, WEDR_E_UNSUP},
    {ENOTDIR, WEDR_E_PERM}, /* with O_DIRECTORY | O_NOFOLLOW a link shows up like this */
    {ENOTSUP, WEDR_E_UNSUP},
    {ENXIO, WEDR_E_NOENT},
    {EPERM, WEDR_E_PERM},
    {EPIPE, WEDR_E_CLOSED},
    {EROFS, WEDR_E_PERM},
    {ESRCH, WEDR_E_NOENT},
    {ETIMEDOUT, WEDR_E_TIMEOUT},
    {ETOOMANYREFS, WEDR_E_LIMIT},
    {EXDEV, WEDR_E_PERM}, /* a path that leaves its folder (openat2) */
};

int wedr_err_from_os(int os_error)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        if (rows[i].os == os_error) {
            return rows[i].err;
        }
    }
    return WEDR_E_IO;
}
