/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/packages.h — which package a file belongs to, by its path, as the
 * machine's own package database says (dpkg, rpm). An index of keyed hashes of paths, 8 bytes a
 * file: nobody can aim a path at a package's. Built when first asked, and again when the database
 * has changed. That a package owns a path says nothing about what stands in the file. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/sha256.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_PACKAGES_MAX 65535u
#define WEDR_PACKAGE_FILES_MAX (1u << 20)
#define WEDR_PACKAGE_TEXT_MAX ((size_t)8 << 20) /* names and versions */
#define WEDR_PACKAGES_LOOK_MS 30000u /* the database is looked at again after this time */

struct wedr_packages;

/* root: what stands before every path, "" for this machine. NULL when out of memory. */
WEDR_MUST_USE struct wedr_packages *wedr_packages_new(const char *root);
void wedr_packages_free(struct wedr_packages *p); /* NULL is allowed */
/* False: no package has that path. Reads the database when it was not looked at for a while. */
bool wedr_packages_owner(struct wedr_packages *p,
                         const char *path,
                         uint64_t now_ms,
                         char ret_name[WEDR_MSG_NAME_MAX],
                         char ret_version[WEDR_MSG_NAME_MAX]);
struct wedr_packages_stats {
    uint64_t packages, files, bytes;
    enum wedr_msg_package_source source;
};
void wedr_packages_stats(const struct wedr_packages *p, struct wedr_packages_stats *ret);
