/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pack/pack.c */
#include "wedr/rules/pack.h"
#include "pack/texts.h"

const char *wedr_pack_file(size_t index, const char **ret_text, size_t *ret_len)
{
    for (size_t i = 0; wedr_pack_texts[i].name; i++) {
        if (i == index) {
            *ret_text = wedr_pack_texts[i].text;
            *ret_len = wedr_pack_texts[i].len;
            return wedr_pack_texts[i].name;
        }
    }
    return NULL;
}
