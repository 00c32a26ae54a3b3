/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pack/texts.h — what the build makes of lib/rules/packs; ends with a NULL name. */
#pragma once

#include <stddef.h>

struct wedr_pack_text {
    const char *name, *text;
    size_t len;
};
extern const struct wedr_pack_text wedr_pack_texts[];
