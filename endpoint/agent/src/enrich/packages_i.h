/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/packages_i.h — the index while it is filled, for the readers of each
 * kind of database. Private to enrich/.
 */
#pragma once

#include "enrich/packages.h"
#include "wedr/plat/fs.h"

struct package {
    uint32_t name, arch, version; /* places in the text */
};

struct index {
    uint8_t key[WEDR_HASH_KEY_LEN];
    struct package *package; /* of dpkg sorted by name while it is read */
    uint32_t package_count, package_room;
    uint64_t *file; /* hash << 16 | package; sorted */
    uint32_t file_count, file_room;
    struct wedr_buf text;
    bool merged; /* /bin, /sbin, /lib* lead into /usr */
    bool full;
};

/* What tells that a database has changed. */
struct database_state {
    int64_t first_us, second_us;
    uint64_t size;
};

/* UINT32_MAX in *ret when there is no room (`full` says so). WEDR_E_NOMEM. */
WEDR_MUST_USE int index_text(struct index *x, const char *s, size_t n, uint32_t *ret);
WEDR_MUST_USE int index_package(struct index *x, const struct package *p);
WEDR_MUST_USE int index_file(struct index *x, const char *path, size_t n, uint32_t package);

/* WEDR_E_NOENT: no such database here. WEDR_E_UNSUP: one of a kind that is not read. */
WEDR_MUST_USE int dpkg_state(const char *root, struct database_state *ret);
WEDR_MUST_USE int dpkg_read(const char *root, struct index *x);
WEDR_MUST_USE int rpm_state(const char *root, struct database_state *ret);
WEDR_MUST_USE int rpm_read(const char *root, struct index *x);
/* The files that a package header of rpm names: foreign bytes, bounded. */
WEDR_MUST_USE int rpm_header_read(const void *p, size_t n, struct index *x);
