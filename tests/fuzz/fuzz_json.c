/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_json.c — any bytes as a string: what is written is JSON, says the same, and stays
 * in its memory. */
#include "core/base/utf16.h"
#include "core/util/json.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

/* Six bytes out for one in is the worst case. */
static size_t write_both(char *out, size_t cap, const uint8_t *data, size_t size, bool valid[2])
{
    struct wedr_json j;
    wedr_json_init(&j, out, cap);
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "utf8");
    valid[0] = wedr_json_str(&j, (const char *)data, size);
    wedr_json_key(&j, "utf16");
    valid[1] = wedr_json_utf16(&j, data, size);
    wedr_json_key(&j, "bytes");
    wedr_json_hex(&j, data, size);
    wedr_json_obj_end(&j);
    require(wedr_json_len(&j) <= cap);
    return j.overflow ? 0 : wedr_json_len(&j);
}

static void check_text(const json_t *root, const char *key, const void *want, size_t len)
{
    const json_t *s = json_object_get(root, key);
    require(json_is_string(s) && json_string_length(s) == len);
    require(len == 0 || memcmp(json_string_value(s), want, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536) {
        return 0;
    }
    size_t cap = 20 * size + 64;
    char *out = malloc(cap);
    uint8_t *text = malloc(3 * size + 1);
    require(out && text);
    bool valid[2];
    size_t len = write_both(out, cap, data, size, valid);
    require(len > 0);
    require(valid[0] == wedr_utf8_valid(data, size));
    json_t *root = json_loadb(out, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    require(root != NULL);
    if (valid[0]) {
        check_text(root, "utf8", data, size);
    }
    struct wedr_utf_result r = wedr_utf16_to_utf8(data, size, text, 3 * size + 1);
    require(!r.cut && r.used == size);
    check_text(root, "utf16", text, r.len);
    json_decref(root);

    /* The same text into every smaller room: refused, never a byte too far (the block is exactly
     * that large). */
    size_t step = len / 16 + 1;
    for (size_t small = 0; small < len; small += step) {
        char *tight = malloc(small ? small : 1);
        require(tight != NULL);
        require(write_both(tight, small, data, size, valid) == 0);
        free(tight);
    }
    free(text);
    free(out);
    return 0;
}
