/* SPDX-License-Identifier: Apache-2.0
 * server/http/uri.h — percent-decoding of path segments and query parameters. Pure; fuzzed. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_URI_QUERY_MAX 64u          /* parameters of one request */
#define WEDR_URI_QUERY_BYTES_MAX 16384u /* the text behind '?' */
#define WEDR_URI_QUERY_NAME_MAX 64u     /* bytes of a name */

struct wedr_uri_query {
    char *mem; /* owned */
    size_t count;
    struct {
        const char *name, *value; /* in mem */
    } item[WEDR_URI_QUERY_MAX];
};

/* Decodes %XX (and '+' as a blank when form) into ret with a NUL. False: cut or wrong %XX, not
 * UTF-8, a control character, or cap bytes and more. */
bool wedr_uri_decode(const char *s, size_t len, bool form, char *ret, size_t cap);
/* "a=1&b=x%20y"; a name without '=' has the value "". WEDR_E_FORMAT (also a name given twice or one
 * that is not of letters, digits, '_', '.', '-'), WEDR_E_LIMIT, WEDR_E_NOMEM. On success the caller
 * owns ret->mem. */
WEDR_MUST_USE int
wedr_uri_query_parse(const char *text, struct wedr_uri_query *ret, struct wedr_errinfo *ei);
/* Value of a parameter, NULL when absent. */
const char *wedr_uri_query_get(const struct wedr_uri_query *q, const char *name);
void wedr_uri_query_fini(struct wedr_uri_query *q);
