/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/cursor.h — the opaque `next` of lists: the values of the last row, so that a list
 * goes on at the same place whatever was added or removed meanwhile. It is no secret and proves
 * nothing: who brings one gets what the list shows behind that place. Pure.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_CURSOR_FIELDS_MAX 6u
#define WEDR_CURSOR_BYTES_MAX 380u
#define WEDR_CURSOR_TEXT_MAX 512u /* with NUL */

/* list names the list, so that the cursor of another one is refused. Texts without the character
 * 0x1F. False: too long, ret is "". */
bool wedr_cursor_make(const char *list,
                      const char *const *fields,
                      size_t count,
                      char ret[WEDR_CURSOR_TEXT_MAX]);

struct wedr_cursor {
    char mem[WEDR_CURSOR_BYTES_MAX + 1];
    const char *field[WEDR_CURSOR_FIELDS_MAX]; /* into mem */
};
/* False: not one that make gave for this list and number of fields. */
bool wedr_cursor_read(const char *text, const char *list, size_t count, struct wedr_cursor *ret);
