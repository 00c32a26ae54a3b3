/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_record.bpf.h — what the file programs write. The path is built first and
 * decides which record it becomes: persistence_write in the critical lane, or one of a bulk kind.
 * Strings begin behind the largest of them. A process that makes very many persistence_write has
 * the rest of them in the bulk lane, so that it cannot fill the critical one.
 */
#pragma once

#include "file_persist.bpf.h"
#include "filter.bpf.h"
#include "rate.bpf.h"
#include "record.bpf.h"

union file_record {
    struct wedr_linux_persistence_write persistence;
    struct wedr_linux_file_write write;
    struct wedr_linux_file_rename rename;
    struct wedr_linux_file_delete remove;
    struct wedr_linux_file_link link;
    struct wedr_linux_file_attribute attribute;
};

/* What happened, before it is known which record tells it. Lies in map memory, not on the stack:
 * there the verifier would follow each combination of values to the end. */
struct file_event {
    u32 op;        /* WEDR_FILE_OP_* */
    u32 mechanism; /* WEDR_PERSISTENCE_*; 0: none */
    u32 source;    /* WEDR_PATH_SOURCE_* */
    u32 via;       /* WEDR_VIA_*; 0: a plain system call */
    u32 open_flags;
    u32 mode; /* of the file, after the change */
    u32 owner, group;
    u32 cut; /* strings cut */
    struct task_head head;
    struct inode_facts file;
    struct wedr_str_ref target, origin, attribute;
};

/* The bulk type that tells an operation. Global functions, this and the next: what follows them is
 * verified once and not for each result. */
__attribute__((noinline)) u32 file_type(u32 op)
{
    switch (op) {
    case WEDR_FILE_OP_RENAME:
        return WEDR_EV_FILE_RENAME;
    case WEDR_FILE_OP_DELETE:
        return WEDR_EV_FILE_DELETE;
    case WEDR_FILE_OP_LINK:
    case WEDR_FILE_OP_SYMLINK:
        return WEDR_EV_FILE_LINK;
    case WEDR_FILE_OP_CHMOD:
    case WEDR_FILE_OP_CHOWN:
    case WEDR_FILE_OP_SETXATTR:
    case WEDR_FILE_OP_REMOVEXATTR:
        return WEDR_EV_FILE_ATTRIBUTE;
    default:
        return WEDR_EV_FILE_WRITE;
    }
}

__attribute__((noinline)) int type_wanted(u32 type)
{
    switch (type) {
    case WEDR_EV_FILE_RENAME:
        return wanted(WEDR_EV_FILE_RENAME);
    case WEDR_EV_FILE_DELETE:
        return wanted(WEDR_EV_FILE_DELETE);
    case WEDR_EV_FILE_LINK:
        return wanted(WEDR_EV_FILE_LINK);
    case WEDR_EV_FILE_ATTRIBUTE:
        return wanted(WEDR_EV_FILE_ATTRIBUTE);
    default:
        return wanted(WEDR_EV_FILE_WRITE);
    }
}

/* path_take for the string at `at` of the slot's record. any_path: no path is left out, the budget
 * alone is asked. A global function: verified once. */
__attribute__((noinline)) int file_take(u32 slot, u32 type, u32 at, u32 len, u32 any_path)
{
    struct build b = {.slot = slot, .at = at, .len = len};
    struct task_head h;
    task_head(&h);
    u32 class = any_path ? WEDR_PREFIX_NONE : path_class(&b);
    return class == WEDR_PREFIX_WATCH || (class != WEDR_PREFIX_OUT && budget_take(type, &h));
}

/* What all of them have. */
#define PUT_COMMON(rec, e)                   \
    do {                                     \
        PUT_HEAD(rec, &(e)->head);           \
        PUT(rec, target_path, (e)->target);  \
        PUT(rec, inode, (e)->file.inode);    \
        PUT(rec, dev, (e)->file.dev);        \
        PUT(rec, nlink, (e)->file.nlink);    \
        PUT(rec, path_source, (e)->source);  \
        PUT(rec, via, (e)->via);             \
        PUT(rec, ns_mnt, mount_namespace()); \
    } while (0)

static __always_inline void put_persistence(union file_record *u, const struct file_event *e)
{
    struct wedr_linux_persistence_write *r = &u->persistence;
    PUT_COMMON(r, e);
    PUT(r, op, (u16)e->op);
    PUT(r, mechanism, (u16)e->mechanism);
    PUT(r, source_path, e->origin);
    PUT(r, xattr_name, e->attribute);
    PUT(r, file_mode, e->mode);
}

static __always_inline void put_write(union file_record *u, const struct file_event *e)
{
    struct wedr_linux_file_write *r = &u->write;
    PUT_COMMON(r, e);
    PUT(r, op, (u16)e->op);
    PUT(r, open_flags, e->open_flags);
    PUT(r, file_mode, e->mode);
}

static __always_inline void put_attribute(union file_record *u, const struct file_event *e)
{
    struct wedr_linux_file_attribute *r = &u->attribute;
    PUT_COMMON(r, e);
    PUT(r, op, (u16)e->op);
    PUT(r, file_mode, e->mode);
    PUT(r, owner_uid, e->owner);
    PUT(r, owner_gid, e->group);
    PUT(r, xattr_name, e->attribute);
}

static __always_inline void put_names(union file_record *u, const struct file_event *e, u32 type)
{
    if (type == WEDR_EV_FILE_RENAME) {
        PUT_COMMON(&u->rename, e);
        PUT(&u->rename, source_path, e->origin);
    } else if (type == WEDR_EV_FILE_LINK) {
        PUT_COMMON(&u->link, e);
        PUT(&u->link, op, (u16)e->op);
        PUT(&u->link, source_path, e->origin);
    } else {
        PUT_COMMON(&u->remove, e);
    }
}

static __always_inline void to_lane(struct build *b, u32 lane_nr)
{
    struct wedr_sensor_state *st = state_get();
    if (st) {
        b->lane_nr = lane_nr;
        b->lane = &st->lane[lane_nr & 1];
    }
}

/* Ends the record as what it turned out to be, or drops it. bulk: whether the kind is wanted. What
 * has no room in the critical lane goes to the bulk one whatever bulk kinds are switched off and
 * paths left out; the budget of the bulk kind that tells such an operation holds it back and counts
 * it. */
static __always_inline void
file_end(struct build *b, union file_record *u, struct file_event *e, bool bulk)
{
    u32 type = file_type(e->op), persistence = e->mechanism != 0;
    task_head(&e->head);
    b->cut += e->cut;
    if (persistence && is_critical(e->head.key)) {
        to_lane(b, WEDR_LANE_CRITICAL);
    } else if ((!bulk && !persistence) ||
               !file_take(b->slot, type, e->target.offset, e->target.len, persistence)) {
        build_drop(b);
        return;
    }
    if (persistence) {
        put_persistence(u, e);
        build_end(b, u, WEDR_EV_PERSISTENCE_WRITE, sizeof u->persistence, 0);
        return;
    }
    u32 fixed = sizeof u->remove;
    if (type == WEDR_EV_FILE_WRITE) {
        put_write(u, e);
        fixed = sizeof u->write;
    } else if (type == WEDR_EV_FILE_ATTRIBUTE) {
        put_attribute(u, e);
        fixed = sizeof u->attribute;
    } else {
        put_names(u, e, type);
        fixed = type == WEDR_EV_FILE_RENAME ? sizeof u->rename
                : type == WEDR_EV_FILE_LINK ? sizeof u->link
                                            : sizeof u->remove;
    }
    build_end(b, u, type, fixed, 0);
}
