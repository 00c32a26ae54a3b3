/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/sensor_policy.h — what the Linux sensor's programs ask before they make a record. One
 * BPF array map "policy" with one value, written by the holder, read by the programs. Two banks:
 * the programs read the active one, a new policy is put together in the other one and becomes valid
 * by one store to `active`. The members of the sets (users, cgroups, prefixes) lie in maps of their
 * own whose keys begin with the bank.
 */
#pragma once

#include "wedr/wire/event.h"

#define WEDR_POLICY_KINDS 64u   /* event types that a kernel sensor writes have codes below this */
#define WEDR_POLICY_SELF_MAX 8u /* processes of the agent */
#define WEDR_POLICY_SET_MAX 1024u /* members of each set in each bank */
#define WEDR_POLICY_PREFIX_MAX \
    120u /* bytes of a path prefix or of a prefix of an attribute's name */

struct wedr_policy_bank {
    uint64_t kinds;                     /* bit c: records of type c are made */
    uint64_t window_ns;                 /* of the budgets */
    uint32_t budget[WEDR_POLICY_KINDS]; /* records of a kind per process and window; 0: no limit */
    uint32_t uid_count, cgroup_count, prefix_count, xattr_count; /* members of the sets */
};

struct wedr_policy_page {
    uint32_t active; /* 0 or 1 */
    uint32_t reserved;
    uint32_t self[WEDR_POLICY_SELF_MAX]; /* thread group ids of the agent's processes; 0: unused */
    struct wedr_policy_bank bank[2];
};

/* Keys of the sets. */
struct wedr_policy_uid {
    uint32_t bank, uid;
};
struct wedr_policy_cgroup {
    uint64_t id;
    uint32_t bank, zero;
};

/* Longest-prefix key: prefix_bits counts the bits of set and of the text that belong to it. */
enum wedr_policy_set { WEDR_POLICY_PATHS = 0, WEDR_POLICY_XATTRS = 2 }; /* + bank */
struct wedr_policy_prefix {
    uint32_t prefix_bits;
    uint8_t set;
    uint8_t text[WEDR_POLICY_PREFIX_MAX + 3]; /* 124 bytes with set */
};
/* What is done with the names that begin so; the longest prefix decides. */
enum wedr_policy_prefix_class {
    WEDR_PREFIX_NONE = 0,  /* no prefix matches */
    WEDR_PREFIX_OUT = 1,   /* no record of a bulk kind */
    WEDR_PREFIX_WATCH = 2, /* recorded whatever else is left out, and never held back by a budget */
};

/* Kinds that can have a budget, and their places in an entry. */
#define WEDR_BUDGET_KINDS(X) \
    X(MODULE_LOAD, 0)        \
    X(THREAD_CREATE, 1)      \
    X(THREAD_EXIT, 2)        \
    X(FILE_WRITE, 3)         \
    X(FILE_RENAME, 4)        \
    X(FILE_DELETE, 5)        \
    X(NETWORK_CONNECT, 6)    \
    X(NETWORK_ACCEPT, 7)     \
    X(DNS_QUERY, 8)          \
    X(FILE_LINK, 9)          \
    X(FILE_ATTRIBUTE, 10)    \
    X(NETWORK_CLOSE, 11)     \
    X(NETWORK_LISTEN, 12)    \
    X(MEMFD_CREATE, 13)      \
    X(IO_URING_SETUP, 14)    \
    X(MEMORY_EXEC, 15)
#define WEDR_BUDGET_SLOTS 16u
#define WEDR_BUDGET_PROCESSES 4096u        /* that do something of a bulk kind at one time */
#define WEDR_BUDGET_USERS 1024u            /* of processes that have no entry */
#define WEDR_BUDGET_IDLE_NS 60000000000ull /* so long without use, and the sweep takes an entry */
#define WEDR_BUDGET_CLOSED (1ull << 63)

/* What a process did of the kinds with a budget; the value of the map "budgets", by process key,
 * and of "budget_users", by user id: for all his processes that have no entry, because there was no
 * room or because they are past their end. The entry of key 0 of "budgets" is nobody's: events that
 * no process is known for, and of all for which there was no room in either. */
struct wedr_budget_slot {
    uint64_t window;      /* when the current one began, boot-time ns */
    uint64_t first, last; /* of those held back and not told yet */
    uint64_t over;        /* how many; with WEDR_BUDGET_CLOSED: counted elsewhere, the entry goes */
    uint32_t used;        /* in this window */
    uint32_t reserved;
};
struct wedr_budget {
    uint32_t pid, uid;
    uint64_t since; /* made, boot-time ns; 0: not ready, or about to go */
    struct wedr_budget_slot slot[WEDR_BUDGET_SLOTS];
};

_Static_assert(sizeof(struct wedr_policy_prefix) == 128, "four bytes of length, 124 of data");
_Static_assert(sizeof(struct wedr_policy_page) % 8 == 0, "a value of an array map");
