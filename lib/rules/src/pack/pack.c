/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pack/pack.c */
#include "wedr/rules/pack.h"
#include "pack/texts.h"

const char *wedr_pack_file(size_t index, const char **ret_text, size_t *ret_len)
{
    return wedr_pack_text_at(wedr_pack_texts, index, ret_text, ret_len);
}
