/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/persistence.h — how the loader tells the Linux sensor's programs which files make code
 * run by themselves (persistence.def). The programs ask in two steps. First bits: does a hash of
 * the last component, or of one of the two folders above it, occur in any pattern, is the file or
 * its folder a watched inode? No string is built for that. Only on a hit is the path made and
 * compared: absolute patterns in a longest-prefix map, the others by the hash of their last one or
 * two components.
 */
#pragma once

#include "wedr/wire/event.h"

#define WEDR_PERSIST_NAME_MAX 31u /* bytes of a component of a pattern */
#define WEDR_PERSIST_TEXT 60u     /* an absolute pattern with its NUL */
#define WEDR_PERSIST_NAMES 512u   /* entries of the maps */
#define WEDR_PERSIST_INODES 8192u
#define WEDR_PERSIST_WORDS 128u /* 64-bit words of a bit set */

/* Map "persist_prefixes", longest prefix: a file's text ends with NUL, a folder's with a slash.
 * Value: u32, the mechanism. */
struct wedr_persist_prefix {
    uint32_t prefix_bits;
    uint8_t text[WEDR_PERSIST_TEXT];
};

/* Map "persist_inodes", value: u32, the mechanism. */
struct wedr_persist_inode {
    uint64_t inode;
    uint32_t dev;
    uint32_t
        generation; /* an inode number comes back, with another generation where there are any */
};

/* Map "persist_bits", one value. */
struct wedr_persist_bits {
    uint64_t file[WEDR_PERSIST_WORDS]; /* by hash of the last component */
    uint64_t dir[WEDR_PERSIST_WORDS];  /* by hash of a folder's name */
    uint64_t inode[WEDR_PERSIST_WORDS];
};

/* Map "file_ctl", one value: how names are looked up in the kernel's directory cache, found out by
 * the loader; and what the loader has open for the scan. */
#define WEDR_SCAN_FILES 512u
#define WEDR_SCAN_SAMPLE 0xffu /* in place of a mechanism: tells how names are found, no more */
struct wedr_file_ctl {
    uint64_t table;   /* address of the first bucket; 0: names are not looked up */
    uint32_t shift;   /* bucket = hash >> shift */
    uint32_t scanner; /* process whose open files are scanned: the loader */
    uint8_t mechanism[WEDR_SCAN_FILES]; /* of its descriptor of that number; 0: not to be watched */
};

/* What the scan says about one open file: where the chain of its name's hash begins. */
struct wedr_file_sample {
    uint64_t bucket;
    uint32_t hash;
    uint32_t known; /* 1: the programs compute the same hash */
};

/* Of the keys of the map "persist_names" (value: u32, the mechanism). */
enum wedr_persist_kind {
    WEDR_PERSIST_FILE = 1,      /* name */
    WEDR_PERSIST_FILE_IN = 2,   /* folder/name */
    WEDR_PERSIST_FOLDER = 3,    /* folder/ */
    WEDR_PERSIST_FOLDER_IN = 4, /* folder/folder/ */
};

static inline uint64_t wedr_persist_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9fb21c651e98df25ull;
    return h ^ h >> 32;
}

/* Of a name of at most WEDR_PERSIST_NAME_MAX bytes, filled up with NULs to four words. */
static inline uint64_t wedr_persist_hash(const uint64_t name[4])
{
    uint64_t h = wedr_persist_mix(0x57454452u, name[0]);
    h = wedr_persist_mix(h, name[1]);
    h = wedr_persist_mix(h, name[2]);
    return wedr_persist_mix(h, name[3]);
}

/* upper: hash of the folder before it, 0 for the kinds of one component. */
static inline uint64_t wedr_persist_key(uint64_t upper, uint64_t hash, enum wedr_persist_kind kind)
{
    return wedr_persist_mix(wedr_persist_mix(wedr_persist_mix((uint64_t)kind, hash), upper), hash);
}

/* Number of the bit that stands for a hash. */
static inline uint32_t wedr_persist_bit(uint64_t hash)
{
    return (uint32_t)(hash & (WEDR_PERSIST_WORDS * 64u - 1));
}
