/* SPDX-License-Identifier: Apache-2.0
 * server/http/static.h — the files of the console, read into memory once. No path of a request ever
 * reaches the file system: a request looks for a name in a sorted table. A loaded set never
 * changes; any thread. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "http/http.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_STATIC_FILES_MAX 256u
#define WEDR_STATIC_DEPTH_MAX 4u
#define WEDR_STATIC_FILE_BYTES_MAX (4u << 20)
#define WEDR_STATIC_BYTES_MAX (32u << 20)
#define WEDR_STATIC_PATH_MAX 160u

struct wedr_static;

struct wedr_static_file {
    char path[WEDR_STATIC_PATH_MAX]; /* as in a request: "/assets/index-Bq3.js" */
    const char *content_type;
    char etag[36];             /* 32 hex digits of the SHA-256, without quotes */
    bool immutable;            /* below /assets/: its name changes with its content */
    struct wedr_shared *plain; /* owned by the set */
    struct wedr_shared *gzip;  /* the same compressed (the file's name with .gz); NULL: none */
};

/* Reads folder and what is below it. Names of [A-Za-z0-9._-] that do not begin with a dot and have
 * a known suffix are taken, others are left out. WEDR_E_NOENT: no folder, or no index.html in it.
 * WEDR_E_LIMIT: more files or bytes than above. WEDR_E_PERM: a link among them. */
WEDR_MUST_USE int
wedr_static_load(const char *folder, struct wedr_static **ret, struct wedr_errinfo *ei);
void wedr_static_free(struct wedr_static *s); /* NULL is allowed */
size_t wedr_static_count(const struct wedr_static *s);
/* The file of this path; index.html for "/" and for paths that a view of the console may have:
 * those whose last segment has no dot. NULL: none, or the path belongs to the API (/api, /healthz,
 * /readyz, /metrics). */
const struct wedr_static_file *wedr_static_find(const struct wedr_static *s, const char *path);
/* Answers rq with what is at its path: 200, or 304 when If-None-Match names it. False: nothing is
 * there, and rq is as it was. */
bool wedr_static_answer(const struct wedr_static *s, struct wedr_request *rq);
/* Whether an Accept-Encoding (NULL: absent) takes gzip. */
bool wedr_static_takes_gzip(const char *accept_encoding);
