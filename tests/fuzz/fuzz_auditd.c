/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_auditd.c — any bytes as a log of the Linux audit daemon: whatever the pieces that
 * they come in, the same documents come out, each one JSON object of texts, none out of bounds. */
#include "auditd.h"
#include "core/base/err.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    uint64_t documents, hash;
};

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static int on_doc(void *ctx, const struct wedr_doc *doc)
{
    struct sum *s = ctx;
    s->documents++;
    s->hash = s->hash * 31 + doc->index * 7 + doc->line;
    require(doc->bad != NULL || (doc->timed && doc->len > 2));
    for (size_t i = 0; !doc->bad && i < doc->len; i++) {
        s->hash = s->hash * 31 + (uint8_t)doc->json[i];
    }
    if (!doc->bad) {
        json_t *object = json_loadb(doc->json, doc->len, JSON_ALLOW_NUL, NULL);
        require(json_is_object(object) && json_is_string(json_object_get(object, "type")));
        json_decref(object);
    }
    return 0;
}

static struct sum run(const uint8_t *data, size_t size, size_t piece)
{
    struct sum s = {0, 0};
    struct wedr_auditd *a = wedr_auditd_new(on_doc, &s);
    require(a != NULL);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        require(wedr_auditd_feed(a, (const char *)data + at, n) == WEDR_OK);
    }
    require(wedr_auditd_end(a) == WEDR_OK);
    wedr_auditd_free(a);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum whole = run(data, size, size + 1);
    struct sum parts = run(data, size, size % 13 + 1);
    (void)wedr_auditd_knows((const char *)data, size);
    require(whole.documents == parts.documents && whole.hash == parts.hash);
    return 0;
}
