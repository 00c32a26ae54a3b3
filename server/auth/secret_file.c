/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/secret_file.h"
#include "core/base/err.h"

int wedr_secret_file_check(wedr_handle file, const char *name, struct wedr_errinfo *ei)
{
    struct wedr_fs_stat st;
    int err = wedr_fs_stat(file, &st);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "%s: %s", name, wedr_err_text(err));
    }
    if (!st.regular) {
        return wedr_fail(ei, WEDR_E_PERM, "%s is not a regular file", name);
    }
    if ((st.mode & 077u) != 0) {
        return wedr_fail(ei, WEDR_E_PERM,
                         "%s is open to others (mode %04o): make sure that nobody copied it, then "
                         "chmod 0600",
                         name, st.mode);
    }
    return WEDR_OK;
}
