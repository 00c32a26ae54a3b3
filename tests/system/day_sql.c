/* SPDX-License-Identifier: Apache-2.0
 *
 * day_sql FILE SQL: changes a day file as somebody would who knows how its pages are summed, and
 * prints how many rows. No server may have it open. */
#include "core/base/err.h"
#include "store/events/embedded/day_file.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    if (argc != 3) {
        return 2;
    }
    int err = wedr_db_open(argv[1], SQLITE_OPEN_READWRITE, &db);
    if (err != WEDR_OK || sqlite3_exec(db, argv[2], NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "day_sql: %s\n", err == WEDR_OK ? sqlite3_errmsg(db) : wedr_err_text(err));
        (void)sqlite3_close(db);
        return 1;
    }
    printf("%d\n", sqlite3_changes(db));
    return sqlite3_close(db) != SQLITE_OK;
}
