/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/event.h — wire version 7: the record that a kernel sensor writes and the agent decodes.
 * Little-endian, packed, no OS, no allocation: compiled into the Windows driver, the BPF programs
 * and the agent. A record is one structure of schema.def (header first, then its fields) followed
 * by the bytes of its strings. docs/wire.md has the layout in words.
 */
#pragma once

#include "core/base/attr.h"
#include <stdint.h>

#define WEDR_WIRE_VERSION 7
#define WEDR_RECORD_MAX 131072u   /* 128 KiB: bytes of a whole record */
#define WEDR_ARGV_COPY_MAX 32767u /* bytes of argv that a record carries */
#define WEDR_PATH_COPY_MAX 4095u  /* bytes of a path that a record carries */
#define WEDR_BOOT_ID_LEN 16u

enum wedr_os { WEDR_OS_WINDOWS = 1, WEDR_OS_LINUX = 2 };

/* Streams that a kernel sensor and the agent themselves own; the name is what travels and is
 * stored. */
enum wedr_stream {
    WEDR_STREAM_CRITICAL = 0,
    WEDR_STREAM_BULK = 1,
    WEDR_STREAM_AGENT = 2,
    WEDR_STREAM_ALERT = 3
};
#define WEDR_STREAM_NAME_CRITICAL "kernel.critical"
#define WEDR_STREAM_NAME_BULK "kernel.bulk"
#define WEDR_STREAM_NAME_MISSED "kernel.missed" /* no records: what the kernel did not run */
#define WEDR_STREAM_NAME_AGENT "agent"
#define WEDR_STREAM_NAME_ALERT "alert" /* of the agent's epoch, with its own seqs */
#define WEDR_STREAM_NAME_MAX 48u       /* with NUL; [a-z0-9._-] */

enum wedr_lane { WEDR_LANE_CRITICAL = 0, WEDR_LANE_BULK = 1, WEDR_LANE_COUNT = 2 };

/* header.flags */
#define WEDR_EVF_EXISTING 0x0001u /* inventory: was there before the sensor */

/* wedr_str_ref.flags */
#define WEDR_SF_CUT 0x0001u      /* the tail is missing */
#define WEDR_SF_HEAD_CUT 0x0002u /* the head is missing (a path longer than WEDR_PATH_COPY_MAX) */
#define WEDR_SF_UTF16 0x0004u /* UTF-16LE; otherwise bytes that are UTF-8 by habit, not by rule */
#define WEDR_SF_UNREADABLE \
    0x0008u                     /* the kernel could not read it; len is 0 or covers what it could */
#define WEDR_SF_NO_NAME 0x0010u /* not reachable by name: memfd, O_TMPFILE, lazily unmounted */
#define WEDR_SF_DELETED 0x0020u /* the name was removed before the record was made */

/* 48 bytes */
struct WEDR_PACKED wedr_event_header {
    uint16_t version; /*  0: WEDR_WIRE_VERSION */
    uint16_t type;    /*  2: enum wedr_event_type */
    uint32_t size;    /*  4: bytes of the whole record, <= WEDR_RECORD_MAX */
    uint64_t seq; /*  8: 1, 2, 3 ... within (epoch, stream), taken before the record can be lost */
    int64_t time; /* 16: Linux: CLOCK_BOOTTIME ns. Windows: 100 ns since 1601 UTC */
    uint64_t drop_count;  /* 24: records of this stream lost since the epoch began, as known when it
                             was made */
    uint32_t trunc_count; /* 32: strings cut since the epoch began, this record's included */
    uint16_t fixed_size;  /* 36: bytes before the strings; a decoder accepts more than it knows, not
                             less */
    uint8_t os;           /* 38: enum wedr_os */
    uint8_t stream;       /* 39: enum wedr_stream */
    uint16_t flags;       /* 40: WEDR_EVF_* */
    uint16_t reserved0;   /* 42: 0 */
    uint32_t reserved1;   /* 44: 0 */
};

/* 8 bytes: where a string is. offset is from the start of the record, >= fixed_size when len > 0.
 */
struct WEDR_PACKED wedr_str_ref {
    uint32_t offset;
    uint16_t len;   /* bytes, no NUL counted */
    uint16_t flags; /* WEDR_SF_* */
};

/* 17 bytes. family 0 (absent), 4 or 6; IPv4 sits in the first 4 bytes, network order, the rest 0.
 */
struct WEDR_PACKED wedr_ip {
    uint8_t family;
    uint8_t addr[16];
};

#define WEDR_TYPE(ID, lower, code, ...) WEDR_EV_##ID = (code),
#define WEDR_FIELD(...)
#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower)
enum wedr_event_type {
#include "wedr/wire/schema.def"
};
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

/* WEDR_REGISTRY_OP_SET_VALUE, WEDR_LOSS_REASON_RING_FULL, WEDR_EXEC_FLAGS_MEMFD ... */
#define WEDR_LABEL(SET, NAME, code, text) WEDR_##SET##_##NAME = (code),
enum wedr_label_code {
#include "wedr/wire/labels.def"
};
#undef WEDR_LABEL

/* KIND -> C type */
#define WEDR_CT_U8 uint8_t
#define WEDR_CT_U16 uint16_t
#define WEDR_CT_U32 uint32_t
#define WEDR_CT_U64 uint64_t
#define WEDR_CT_I32 int32_t
#define WEDR_CT_I64 int64_t
#define WEDR_CT_BOOL uint8_t
#define WEDR_CT_KEY uint64_t
#define WEDR_CT_TIME int64_t
#define WEDR_CT_IP struct wedr_ip
#define WEDR_CT_STR struct wedr_str_ref
#define WEDR_CT_ARGV struct wedr_str_ref
#define WEDR_CT_LIST struct wedr_str_ref
#define WEDR_CT_JSON struct wedr_str_ref
#define WEDR_CT_BYTES struct wedr_str_ref
#define WEDR_CT_REGISTRY_OP uint16_t
#define WEDR_CT_HANDLE_OP uint16_t
#define WEDR_CT_FILE_OP uint16_t
#define WEDR_CT_NET_PROTOCOL uint16_t
#define WEDR_CT_LOSS_REASON uint16_t
#define WEDR_CT_GAP_REASON uint16_t
#define WEDR_CT_ALERT_SEVERITY uint16_t
#define WEDR_CT_RESPONSE_ACTION uint16_t
#define WEDR_CT_RESPONSE_RESULT uint16_t
#define WEDR_CT_VIA uint16_t
#define WEDR_CT_PATH_SOURCE uint16_t
#define WEDR_CT_PERSISTENCE uint16_t
#define WEDR_CT_KERNEL_OBJECT uint16_t
#define WEDR_CT_DNS_OP uint16_t
#define WEDR_CT_CREDENTIAL_OP uint16_t
#define WEDR_CT_NAMESPACE_OP uint16_t
#define WEDR_CT_ACTIVITY uint16_t
#define WEDR_CT_EXEC_FLAGS uint32_t
#define WEDR_CT_NAMESPACES uint32_t
#define WEDR_CT_MAP_FLAGS uint32_t

#ifdef _MSC_VER
#    pragma pack(push, 1)
#endif

/* struct wedr_linux_process_create { struct wedr_event_header h; uint32_t pid; ... } and so on */
#define WEDR_MEMBER_LINUX_BOTH(KIND, name) WEDR_CT_##KIND name;
#define WEDR_MEMBER_LINUX_LINUX(KIND, name) WEDR_CT_##KIND name;
#define WEDR_MEMBER_LINUX_WINDOWS(KIND, name)
#define WEDR_TYPE(ID, lower, ...)           \
    struct WEDR_PACKED wedr_linux_##lower { \
        struct wedr_event_header h;
#define WEDR_FIELD(ID, name, KIND, OS, ...) WEDR_MEMBER_LINUX_##OS(KIND, name)
#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower) \
    }                            \
    ;
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD

/* struct wedr_windows_process_create ... */
#define WEDR_MEMBER_WINDOWS_BOTH(KIND, name) WEDR_CT_##KIND name;
#define WEDR_MEMBER_WINDOWS_LINUX(KIND, name)
#define WEDR_MEMBER_WINDOWS_WINDOWS(KIND, name) WEDR_CT_##KIND name;
#define WEDR_TYPE(ID, lower, ...)             \
    struct WEDR_PACKED wedr_windows_##lower { \
        struct wedr_event_header h;
#define WEDR_FIELD(ID, name, KIND, OS, ...) WEDR_MEMBER_WINDOWS_##OS(KIND, name)
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

#ifdef _MSC_VER
#    pragma pack(pop)
#endif

_Static_assert(sizeof(struct wedr_event_header) == 48, "header layout is frozen per wire version");
_Static_assert(sizeof(struct wedr_str_ref) == 8,
               "string reference layout is frozen per wire version");

/* Process key on Linux: start time of the group leader (boot-time ns) with the pid folded in at bit
 * 42, so that two processes started in the same nanosecond differ. Unique per boot; 0 means
 * unknown. */
static inline uint64_t wedr_linux_process_key(uint64_t start_boottime_ns, uint32_t pid)
{
    return start_boottime_ns ^ ((uint64_t)pid << 42);
}
