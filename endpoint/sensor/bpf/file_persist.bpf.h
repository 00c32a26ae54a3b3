/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_persist.bpf.h — is this one of the files that make code run by
 * themselves? wedr/wire/persistence.h says how the question is split: bits for a dentry, then the
 * whole path. The set of watched inodes catches other names of the same file: hard links, bind
 * mounts, descriptors that came from elsewhere. The loader fills it; the programs add what they
 * see.
 */
#pragma once

#include "file_kernel.bpf.h"

#include "wedr/wire/persistence.h"

#define NAME_SCAN 264

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, WEDR_PERSIST_NAMES);
    __type(key, struct wedr_persist_prefix);
    __type(value, u32);
} persist_prefixes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, WEDR_PERSIST_NAMES);
    __type(key, u64);
    __type(value, u32);
} persist_names SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, WEDR_PERSIST_INODES);
    __type(key, struct wedr_persist_inode);
    __type(value, u32);
} persist_inodes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wedr_persist_bits);
} persist_bits SEC(".maps");

static __always_inline struct wedr_persist_bits *persist_bits_get(void)
{
    u32 zero = 0;
    return bpf_map_lookup_elem(&persist_bits, &zero);
}

static __always_inline bool bit_is_set(const uint64_t words[WEDR_PERSIST_WORDS], u64 hash)
{
    u32 bit = wedr_persist_bit(hash);
    return words[bit / 64 & (WEDR_PERSIST_WORDS - 1)] >> (bit & 63) & 1;
}

/* Hash of a kernel string; 0 for one that no pattern has a component as long as. */
static __always_inline u64 name_hash(u64 name, u32 len)
{
    uint64_t words[4] = {};
    if (len == 0 || len > WEDR_PERSIST_NAME_MAX) {
        return 0;
    }
    barrier_var(len);
    len &= WEDR_PERSIST_NAME_MAX;
    bpf_probe_read_kernel(words, len, (const void *)name);
    return wedr_persist_hash(words);
}

static __always_inline bool dentry_bit(const uint64_t words[WEDR_PERSIST_WORDS], u64 dentry)
{
    u64 hash = name_hash((u64)LOAD(dentry___file, dentry, d_name.name),
                         LOAD(dentry___file, dentry, d_name.len));
    return hash && bit_is_set(words, hash);
}

static __always_inline void inode_key(struct wedr_persist_inode *key, u64 inode)
{
    u64 sb = (u64)LOAD(inode___file, inode, i_sb);
    key->inode = LOAD(inode___file, inode, i_ino);
    key->dev = LOAD(super_block___file, sb, s_dev);
    key->generation = LOAD(inode___file, inode, i_generation);
}

static __always_inline u64 inode_hash(const struct wedr_persist_inode *key)
{
    return wedr_persist_mix(key->inode, (u64)key->generation << 32 | key->dev);
}

/* Mechanism of a watched inode, 0 for others. */
static __always_inline u32 inode_watched(const struct wedr_persist_bits *bits, u64 inode)
{
    struct wedr_persist_inode key = {};
    inode_key(&key, inode);
    if (!bit_is_set(bits->inode, inode_hash(&key))) {
        return 0;
    }
    u32 *mechanism = bpf_map_lookup_elem(&persist_inodes, &key);
    return mechanism ? *mechanism : 0;
}

/* From now on this inode is known by number. */
static __always_inline void inode_watch(u64 inode, u32 mechanism)
{
    struct wedr_persist_inode key = {};
    struct wedr_persist_bits *bits = persist_bits_get();
    inode_key(&key, inode);
    if (!bits || !key.inode || bpf_map_update_elem(&persist_inodes, &key, &mechanism, BPF_ANY)) {
        return;
    }
    u32 bit = wedr_persist_bit(inode_hash(&key));
    u32 word = bit / 64 & (WEDR_PERSIST_WORDS - 1);
    __sync_fetch_and_or(&bits->inode[word], 1ull << (bit & 63));
}

#define NEAR_NAME 0x100u /* only the path can tell */

/* From the root of a mount to where it is mounted. */
static __always_inline void leave_mount(struct spot *p)
{
    if (p->dentry == (u64)LOAD(mount___file, p->mount, mnt.mnt_root)) {
        p->dentry = (u64)LOAD(mount___file, p->mount, mnt_mountpoint);
        p->mount = (u64)LOAD(mount___file, p->mount, mnt_parent);
    }
}

/* What is known before the path is: the mechanism of a watched inode (the file's or one of two
 * folders above it), NEAR_NAME when one of these three has a name of which a pattern speaks; 0 for
 * nearly all files. */
static __always_inline u32 persist_near(u64 dentry, u64 vfsmount)
{
    struct wedr_persist_bits *bits = persist_bits_get();
    struct spot p = {dentry, vfsmount - bpf_core_field_offset(struct mount, mnt)};
    if (!bits) {
        return 0;
    }
    u32 mechanism = inode_watched(bits, (u64)LOAD(dentry___file, dentry, d_inode));
    u32 near = 0;
    for (int level = 0; level < 3 && !mechanism; level++) {
        if (level) {
            p.dentry = (u64)LOAD(dentry___file, p.dentry, d_parent);
            mechanism = inode_watched(bits, (u64)LOAD(dentry___file, p.dentry, d_inode));
        }
        leave_mount(&p);
        if (dentry_bit(level ? bits->dir : bits->file, p.dentry)) {
            near = NEAR_NAME;
        }
    }
    return mechanism ? mechanism : near;
}

#define BYTES_OF(b) ((b)*0x0101010101010101ull)

/* The high bit of every byte that is a slash. */
static __always_inline u64 slashes_in(u64 word)
{
    u64 x = word ^ BYTES_OF('/');
    return ~(((x & BYTES_OF(0x7f)) + BYTES_OF(0x7f)) | x | BYTES_OF(0x7f));
}

/* Position of the last slash before the byte `end` of the slot's record and not before `start`, in
 * about NAME_SCAN bytes; end when there is none. */
__attribute__((noinline)) u32 slash_before(u32 slot, u32 start, u32 end)
{
    struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
    if (!s) {
        return end;
    }
    u32 at = end;
    for (u32 i = 0; i < NAME_SCAN / 8; i++) {
        if (at < start + 1 || at < 8) {
            return end;
        }
        at -= 8;
        barrier_var(at);
        at &= REC_BYTES / 2 - 1;
        const u64 *word = (void *)&s->rec[at];
        barrier_var(word);
        u64 found = slashes_in(*word);
        for (u32 k = 8; found && k > 0; k--) {
            if (found >> 63) {
                u32 slash = at + k - 1;
                return slash < start ? end : slash;
            }
            found <<= 8;
        }
    }
    return end;
}

static __always_inline u32 name_lookup(u64 upper, u64 hash, enum wedr_persist_kind kind)
{
    u64 key = wedr_persist_key(upper, hash, kind);
    u32 *mechanism = bpf_map_lookup_elem(&persist_names, &key);
    return mechanism ? *mechanism : 0;
}

/* By the last components of a path: rec[start .. end). */
static __always_inline u32
match_names(struct scratch *s, u32 slot, u32 start, u32 end, u32 folder_too)
{
    u64 hash[4] = {};
    for (int i = 0; i < 4; i++) {
        u32 at = slash_before(slot, start, end);
        if (at == end) {
            break;
        }
        hash[i] = name_hash((u64)&s->rec[(at + 1) & (REC_BYTES / 2 - 1)], end - at - 1);
        end = at;
    }
    u32 found = name_lookup(0, hash[0], WEDR_PERSIST_FILE);
    if (!found) {
        found = name_lookup(hash[1], hash[0], WEDR_PERSIST_FILE_IN);
    }
    for (int i = 0; i < 3; i++) {
        if (found || (i == 0 && !folder_too)) {
            continue;
        }
        found = name_lookup(0, hash[i], WEDR_PERSIST_FOLDER);
        if (!found) {
            found = name_lookup(hash[i + 1], hash[i], WEDR_PERSIST_FOLDER_IN);
        }
    }
    return found;
}

_Static_assert(offsetof(struct wedr_persist_prefix, text) + 64 <= PREFIX_BYTES,
               "the byte behind the text has a place");

/* The mechanism that a path in the slot's record belongs to, 0 for none. folder_too: a folder of a
 * pattern counts as what is in it (it is itself renamed or linked). A global function, verified
 * once. */
__attribute__((noinline)) u32 persist_path(u32 slot, u32 pos, u32 len, u32 folder_too)
{
    struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
    if (!s || !len) {
        return 0;
    }
    barrier_var(pos);
    pos &= REC_BYTES / 2 - 1;
    u32 found = match_names(s, slot, pos, pos + len, folder_too);
    if (found) {
        return found;
    }
    /* In map memory: on the stack kernels before 6.6 take no index that is not a constant. */
    struct wedr_persist_prefix *key = (void *)s->prefix;
    u8 *text = &s->prefix[offsetof(struct wedr_persist_prefix, text)];
    key->prefix_bits = WEDR_PERSIST_TEXT * 8;
    bpf_probe_read_kernel(text, WEDR_PERSIST_TEXT, &s->rec[pos]);
    u32 end = len < WEDR_PERSIST_TEXT ? len : WEDR_PERSIST_TEXT;
    barrier_var(end);
    end &= 63;
    text[end] = 0;
    u32 *mechanism = bpf_map_lookup_elem(&persist_prefixes, key);
    if (!mechanism && folder_too) {
        text[end] = '/';
        mechanism = bpf_map_lookup_elem(&persist_prefixes, key);
    }
    return mechanism ? *mechanism : 0;
}
