/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/elf.h"

#include "core/base/err.h"
#include <stdbool.h>
#include <string.h>

enum {
    CLASS_AT = 4,
    DATA_AT = 5,
    CLASS_32 = 1,
    CLASS_64 = 2,
    DATA_LITTLE = 1,
    DATA_BIG = 2,
    PT_INTERP = 3,
    PT_NOTE = 4,
    NT_GNU_BUILD_ID = 3,
    HEADER_32 = 52,
    HEADER_64 = 64,
    PROGRAM_32 = 32,
    PROGRAM_64 = 56
};

struct file {
    const uint8_t *p;
    size_t n;
    bool wide, big;
};

/* A segment that lies among the bytes. */
struct segment {
    const uint8_t *p;
    size_t n;
};

/* len bytes at `at`, which the caller made sure of. */
static uint64_t number(const struct file *f, size_t at, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        v = v << 8 | f->p[at + (f->big ? i : len - 1 - i)];
    }
    return v;
}

/* What of [offset, offset + size) is there. */
static struct segment part(const struct file *f, uint64_t offset, uint64_t size)
{
    if (offset >= f->n) {
        return (struct segment){f->p, 0};
    }
    size_t there = f->n - (size_t)offset;
    return (struct segment){f->p + offset, size < there ? (size_t)size : there};
}

static void take_interpreter(struct segment s, struct wedr_elf *ret)
{
    const uint8_t *nul = s.n > 0 ? memchr(s.p, 0, s.n) : NULL;
    size_t len = nul ? (size_t)(nul - s.p) : 0;
    if (len > 0 && len < sizeof(ret->interpreter)) {
        memcpy(ret->interpreter, s.p, len);
        ret->interpreter[len] = '\0';
    }
}

/* Notes stand one after another: lengths of name and content, type, name, content, both padded to
 * four bytes. */
static void take_notes(const struct file *f, struct segment s, struct wedr_elf *ret)
{
    struct file notes = {s.p, s.n, f->wide, f->big};
    size_t at = 0;
    for (unsigned i = 0; i < WEDR_ELF_NOTES_MAX && s.n - at >= 12; i++) {
        uint64_t name_len = number(&notes, at, 4);
        uint64_t len = number(&notes, at + 4, 4);
        uint64_t type = number(&notes, at + 8, 4);
        uint64_t name_room = (name_len + 3) & ~(uint64_t)3;
        uint64_t room = (len + 3) & ~(uint64_t)3;
        size_t left = s.n - at - 12;
        if (name_room > left || len > left - name_room) {
            return;
        }
        const uint8_t *name = s.p + at + 12;
        if (type == NT_GNU_BUILD_ID && name_len == 4 && memcmp(name, "GNU", 4) == 0 && len > 0 &&
            len <= sizeof(ret->build_id)) {
            memcpy(ret->build_id, name + name_room, (size_t)len);
            ret->build_id_len = (uint8_t)len;
            return;
        }
        if (room > left - name_room) {
            return;
        }
        at += 12 + (size_t)name_room + (size_t)room;
    }
}

static void take_segment(const struct file *f, size_t at, struct wedr_elf *ret)
{
    uint64_t type = number(f, at, 4);
    uint64_t offset = f->wide ? number(f, at + 8, 8) : number(f, at + 4, 4);
    uint64_t size = f->wide ? number(f, at + 32, 8) : number(f, at + 16, 4);
    if (type == PT_INTERP && ret->interpreter[0] == '\0') {
        take_interpreter(part(f, offset, size), ret);
    } else if (type == PT_NOTE && ret->build_id_len == 0) {
        take_notes(f, part(f, offset, size), ret);
    }
}

int wedr_elf_read(const void *p, size_t n, struct wedr_elf *ret)
{
    struct file f = {(const uint8_t *)p, n, false, false};
    memset(ret, 0, sizeof(*ret));
    if (n < HEADER_32 || memcmp(p, "\177ELF", 4) != 0) {
        return WEDR_E_FORMAT;
    }
    f.wide = f.p[CLASS_AT] == CLASS_64;
    f.big = f.p[DATA_AT] == DATA_BIG;
    if ((!f.wide && f.p[CLASS_AT] != CLASS_32) || (!f.big && f.p[DATA_AT] != DATA_LITTLE) ||
        (f.wide && n < HEADER_64)) {
        return WEDR_E_FORMAT;
    }
    uint64_t offset = f.wide ? number(&f, 32, 8) : number(&f, 28, 4);
    uint64_t each = number(&f, f.wide ? 54 : 42, 2);
    uint64_t count = number(&f, f.wide ? 56 : 44, 2);
    if (each < (f.wide ? PROGRAM_64 : PROGRAM_32)) {
        return WEDR_OK;
    }
    for (uint64_t i = 0; i < count && i < WEDR_ELF_PROGRAM_HEADERS_MAX; i++) {
        if (offset > n || each > n - offset) {
            break;
        }
        take_segment(&f, (size_t)offset, ret);
        offset += each;
    }
    return WEDR_OK;
}
