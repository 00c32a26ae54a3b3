/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/backup.h — a copy of a server's data folder, beside the running server too, and
 * back. The copy is a data folder with one more file, MANIFEST: path, size, mode and SHA-256 of
 * each file, written last. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdint.h>

#define WEDR_BACKUP_MANIFEST "MANIFEST"

struct wedr_backup_sums {
    uint64_t files, bytes;
};

/* All but totp.key, with which secrets of second factors are sealed in state.db.
 * data -> to, which must be missing or empty and becomes a folder of the caller alone (0700). Files
 * keep their modes; databases are copied as of one moment each, in an order that fits: the state
 * before the events that it has read, each day before the older ones, and no day is deleted
 * meanwhile. Everything is synced, and each database's pages are checked. WEDR_E_EXIST: to is not
 * empty; WEDR_E_BUSY: another backup is being made; WEDR_E_CORRUPT: a database is damaged;
 * WEDR_E_NOENT, NOSPC, IO, NOMEM. After an error the copy has no MANIFEST and is worth nothing. */
WEDR_MUST_USE int wedr_backup(const char *data,
                              const char *to,
                              struct wedr_backup_sums *ret_sums,
                              struct wedr_errinfo *ei);
/* from -> data, which must be missing or empty. Every file is checked against MANIFEST first and
 * again while it is copied. WEDR_E_CORRUPT: something is missing or is not what was backed up;
 * WEDR_E_FORMAT: no MANIFEST of ours; the others as above. */
WEDR_MUST_USE int wedr_restore(const char *from,
                               const char *data,
                               struct wedr_backup_sums *ret_sums,
                               struct wedr_errinfo *ei);
