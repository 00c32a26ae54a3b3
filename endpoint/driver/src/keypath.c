/* SPDX-License-Identifier: Apache-2.0 */
#include "keypath.h"

#include "core/base/endian.h"

static size_t piece_units(PCUNICODE_STRING s)
{
    return s && s->Buffer ? s->Length / sizeof(WCHAR) : 0;
}

size_t wedr_keypath_units(const struct wedr_keyname *name)
{
    size_t root = piece_units(name->root);
    size_t leaf = piece_units(name->leaf);

    return root + leaf + (root > 0 && leaf > 0 ? 1 : 0);
}

/* Unit i of the path; i is below wedr_keypath_units. */
static WCHAR unit_at(const struct wedr_keyname *name, size_t i)
{
    size_t root = piece_units(name->root);

    if (i < root) {
        return name->root->Buffer[i];
    }
    if (root == 0) {
        return name->leaf->Buffer[i];
    }
    return i == root ? L'\\' : name->leaf->Buffer[i - root - 1];
}

static WCHAR upper(WCHAR c)
{
    if (c < 0x80) {
        return c >= L'a' && c <= L'z' ? (WCHAR)(c - 32) : c;
    }
    return RtlUpcaseUnicodeChar(c);
}

bool wedr_keypath_below(struct wedr_span prefix, const struct wedr_keyname *name)
{
    size_t units = prefix.len / 2;
    size_t have = wedr_keypath_units(name);

    if (units == 0 || units > have) {
        return false;
    }
    for (size_t i = 0; i < units; i++) {
        WCHAR want = (WCHAR)wedr_le16(prefix.p + i * 2);
        WCHAR is = unit_at(name, i);

        if (want != is && upper(want) != upper(is)) {
            return false;
        }
    }
    return units == have || unit_at(name, units) == L'\\' || unit_at(name, units - 1) == L'\\';
}

static bool same(char pattern, WCHAR c)
{
    return (WCHAR)(unsigned char)pattern == (c >= L'A' && c <= L'Z' ? (WCHAR)(c + 32) : c);
}

size_t wedr_keypath_match(const char *pattern, const struct wedr_keyname *name, size_t from)
{
    size_t have = wedr_keypath_units(name);
    size_t i = from;

    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            while (i < have && unit_at(name, i) != L'\\') {
                i++;
            }
        } else if (i < have && same(*pattern, unit_at(name, i))) {
            i++;
        } else {
            return 0;
        }
    }
    return i == have || unit_at(name, i) == L'\\' ? i : 0;
}
