/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_scan.bpf.h — what the loader learns from files that it has open: inodes
 * to watch, and samples of the directory cache (how names are hashed, where a hash's chain begins),
 * from which it works out where the cache's table is. Nothing of that is exported by the kernel.
 */
#pragma once

#include "file_resolve.bpf.h"

#define BACK_STEPS 16

/* The bucket of a dentry: from node to node back along its chain. In a chain *pprev is the `next`
 * of the node before, which is that node's first word; the second word of a node leads back
 * likewise, the second word behind a bucket is the next bucket. */
static __always_inline u64 bucket_of(u64 dentry)
{
    u64 at = ADDRESS(dentry___file, dentry, d_hash.pprev);
    for (int i = 0; i < BACK_STEPS && at; i++) {
        u64 before = 0, again = 0;
        bpf_probe_read_kernel(&before, sizeof before, (const void *)(at + 8));
        if (before) {
            bpf_probe_read_kernel(&again, sizeof again, (const void *)before);
        }
        if ((again & ~1ull) != at) {
            return at;
        }
        at = before;
    }
    return 0;
}

static __always_inline void file_scanned(u64 file, u32 mechanism, struct wedr_file_sample *sample)
{
    struct file_work *w = work_get();
    u64 dentry = ADDRESS(file___file, file, f_path.dentry);
    u64 name = ADDRESS(dentry___file, dentry, d_name.name);
    if (mechanism != WEDR_SCAN_SAMPLE) {
        inode_watch(ADDRESS(file___file, file, f_inode), mechanism);
    }
    if (!w) {
        return;
    }
    bpf_probe_read_kernel_str(&w->text[TEXT_START], TEXT_ROOM, (const void *)name);
    u64 made = name_at(TEXT_START, ADDRESS(dentry___file, dentry, d_parent));
    sample->hash = LOAD(dentry___file, dentry, d_name.hash);
    sample->known =
        made >> 32 == sample->hash && (u32)made == LOAD(dentry___file, dentry, d_name.len);
    sample->bucket = bucket_of(dentry);
}
