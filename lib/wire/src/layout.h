/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/src/layout.h — private to lib/wire: position of each type in the tables, and the record
 * structures under names made of the type's ID, so that the rows of schema.def can use offsetof.
 */
#pragma once

#include "wedr/wire/schema.h"

/* WIRE_INDEX_PROCESS_CREATE = 0 ... in schema.def's order, which is ascending by code. */
#define WEDR_TYPE(ID, ...) WIRE_INDEX_##ID,
#define WEDR_FIELD(...)
#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower)
enum wire_type_index {
#include "wedr/wire/schema.def"
    WIRE_TYPE_COUNT
};
#undef WEDR_TYPE

#define WEDR_TYPE(ID, lower, ...)      \
    struct wire_linux_##ID {           \
        struct wedr_linux_##lower r;   \
    };                                 \
    struct wire_windows_##ID {         \
        struct wedr_windows_##lower r; \
    };
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

#define WIRE_OFFSET_LINUX(ID, name) ((uint16_t)offsetof(struct wire_linux_##ID, r.name))
#define WIRE_OFFSET_WINDOWS(ID, name) ((uint16_t)offsetof(struct wire_windows_##ID, r.name))

extern const struct wedr_type_info wedr_wire_types[WIRE_TYPE_COUNT];
