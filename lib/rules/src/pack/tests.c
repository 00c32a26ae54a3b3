/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pack/tests.c */
#include "pack/texts.h"
#include "wedr/rules/pack.h"

const char *wedr_pack_test_file(size_t index, const char **ret_text, size_t *ret_len)
{
    return wedr_pack_text_at(wedr_pack_test_texts, index, ret_text, ret_len);
}
