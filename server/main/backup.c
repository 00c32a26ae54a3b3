/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"
#include "core/base/err.h"
#include "main/commands.h"
#include <inttypes.h>
#include <stdio.h>

/* A backup that nobody ever read is a hope: the copy is verified like the original would be. */
int wedr_cmd_backup(const struct wedr_server_args *a)
{
    struct wedr_backup_sums s;
    struct wedr_errinfo ei = {""};
    struct wedr_server_args copy = *a;
    if (!a->to) {
        return wedr_main_fail("backup", WEDR_E_INVAL, &(struct wedr_errinfo){"--to DIR is needed"});
    }
    int err = wedr_backup(a->data, a->to, &s, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("backup", err, &ei);
    }
    (void)fprintf(a->json ? stderr : stdout, "%s: %" PRIu64 " files, %" PRIu64 " bytes\n", a->to,
                  s.files, s.bytes);
    copy.data = a->to;
    return wedr_cmd_verify(&copy);
}

int wedr_cmd_restore(const struct wedr_server_args *a)
{
    struct wedr_backup_sums s;
    struct wedr_errinfo ei = {""};
    if (!a->from) {
        return wedr_main_fail("restore", WEDR_E_INVAL,
                              &(struct wedr_errinfo){"--from DIR is needed"});
    }
    int err = wedr_restore(a->from, a->data, &s, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("restore", err, &ei);
    }
    (void)printf("%s: %" PRIu64 " files, %" PRIu64 " bytes\n", a->data, s.files, s.bytes);
    return 0;
}
