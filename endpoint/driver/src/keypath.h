/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/keypath.h — compares NT paths (files and registry keys) component by
 * component and without regard to case, as the object manager and the registry do. No allocation,
 * no copy. */
#pragma once

#include "core/base/span.h"
#include "nt.h"

/* A path in up to two pieces: root, a backslash, leaf; with one piece alone (the other NULL or
 * empty) there is no backslash. Both are borrowed. */
struct wedr_keyname {
    PCUNICODE_STRING root, leaf;
};

/* Is prefix (UTF-16LE bytes) the whole of name or followed by a backslash in it? A prefix that ends
 * in a backslash matches what lies below it. IRQL <= APC. */
bool wedr_keypath_below(struct wedr_span prefix, const struct wedr_keyname *name);

/* Does the pattern, in ASCII lower case, match name from unit `from` on, up to its end or a
 * backslash? `*` stands for the rest of a component. Returns the unit behind the match, 0 for none
 * (a pattern is never empty). */
size_t wedr_keypath_match(const char *pattern, const struct wedr_keyname *name, size_t from);

/* UTF-16 units of the whole path. */
size_t wedr_keypath_units(const struct wedr_keyname *name);
