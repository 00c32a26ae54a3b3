/* SPDX-License-Identifier: Apache-2.0 */
#include "keypath.h"

#include "core/base/endian.h"

/* A path as two runs of units with a backslash between them. With one run, rest is never read. */
struct view {
    const WCHAR *head, *rest;
    size_t head_units, units; /* of all */
};

static size_t piece_units(PCUNICODE_STRING s)
{
    return s && s->Buffer ? s->Length / sizeof(WCHAR) : 0;
}

static struct view view_of(const struct wedr_keyname *name)
{
    size_t root = piece_units(name->root);
    size_t leaf = piece_units(name->leaf);
    struct view v = {L"", L"", 0, 0};

    if (root > 0) {
        v.head = name->root->Buffer;
        v.head_units = root;
        v.units = root;
        if (leaf > 0) {
            v.rest = name->leaf->Buffer;
            v.units = root + 1 + leaf;
        }
    } else if (leaf > 0) {
        v.head = name->leaf->Buffer;
        v.head_units = leaf;
        v.units = leaf;
    }
    return v;
}

size_t wedr_keypath_units(const struct wedr_keyname *name)
{
    return view_of(name).units;
}

/* Unit i of the path; i is below units. */
static WCHAR unit_at(const struct view *v, size_t i)
{
    if (i < v->head_units) {
        return v->head[i];
    }
    return i == v->head_units ? L'\\' : v->rest[i - v->head_units - 1];
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
    struct view v = view_of(name);

    if (units == 0 || units > v.units) {
        return false;
    }
    for (size_t i = 0; i < units; i++) {
        WCHAR want = (WCHAR)wedr_le16(prefix.p + i * 2);
        WCHAR is = unit_at(&v, i);

        if (want != is && upper(want) != upper(is)) {
            return false;
        }
    }
    return units == v.units || unit_at(&v, units) == L'\\' || unit_at(&v, units - 1) == L'\\';
}

static bool same(char pattern, WCHAR c)
{
    return (WCHAR)(unsigned char)pattern == (c >= L'A' && c <= L'Z' ? (WCHAR)(c + 32) : c);
}

size_t wedr_keypath_match(const char *pattern, const struct wedr_keyname *name, size_t from)
{
    struct view v = view_of(name);
    size_t i = from;

    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            while (i < v.units && unit_at(&v, i) != L'\\') {
                i++;
            }
        } else if (i < v.units && same(*pattern, unit_at(&v, i))) {
            i++;
        } else {
            return 0;
        }
    }
    return i == v.units || (i < v.units && unit_at(&v, i) == L'\\') ? i : 0;
}
