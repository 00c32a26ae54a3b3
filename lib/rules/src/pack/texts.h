/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pack/texts.h — what the build makes of lib/rules/packs; both end with a NULL name. */
#pragma once

#include <stddef.h>

struct wedr_pack_text {
    const char *name, *text;
    size_t len;
};
extern const struct wedr_pack_text wedr_pack_texts[];
extern const struct wedr_pack_text wedr_pack_test_texts[];

static inline const char *wedr_pack_text_at(const struct wedr_pack_text *table,
                                            size_t index,
                                            const char **ret_text,
                                            size_t *ret_len)
{
    for (size_t i = 0; table[i].name; i++) {
        if (i == index) {
            *ret_text = table[i].text;
            *ret_len = table[i].len;
            return table[i].name;
        }
    }
    return NULL;
}
