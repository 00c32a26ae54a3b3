/* SPDX-License-Identifier: Apache-2.0
 * rules/src/testcase/testcase.h — inside of the test cases. */
#pragma once

#include "core/util/arena.h"
#include "sigma/yaml.h"
#include "wedr/rules/testcase.h"

struct wedr_testfile {
    struct wedr_arena *arena;
    struct wedr_testcase *cases;
    size_t count;
};

/* A tree as one JSON text in the arena: maps as objects, plain scalars by their type, numbers as
 * written where JSON can. WEDR_E_NOMEM. */
WEDR_MUST_USE int
wedr_yaml_to_json(struct wedr_arena *a, const struct wedr_yaml *node, struct wedr_text *ret_json);

/* JSON documents (objects) one after another, apart or in arrays, blanks and commas between them.
 */
struct wedr_documents {
    const char *p, *end;
};

static inline struct wedr_documents wedr_documents(struct wedr_text t)
{
    struct wedr_documents d = {t.p, t.p + t.len};
    return d;
}

/* The next one; an empty text at the end. WEDR_E_FORMAT: something else stands there. Only braces
 * and strings are looked at. */
WEDR_MUST_USE int wedr_documents_next(struct wedr_documents *d, struct wedr_text *ret_document);

/* "30s", "500ms", "1m", "2h", "1d", a bare number of seconds; WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_testcase_offset(struct wedr_text t, int64_t *ret_us);
