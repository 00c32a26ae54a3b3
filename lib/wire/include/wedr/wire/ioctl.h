/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/ioctl.h — what the Windows driver and the agent say to each other through
 * DeviceIoControl. Little-endian, packed (and free of padding anyway), METHOD_BUFFERED only.
 * Compiled into the driver and the agent. SET_FILTER is the only one with input, and the driver
 * takes it only after wedr_filter_check.
 *
 * GET_EVENT    out: one record. An output buffer below WEDR_RECORD_MAX is completed at once with
 * STATUS_BUFFER_OVERFLOW and, when 4 bytes fit, the needed size as u32; nothing is taken, nothing
 * is parked. No record waiting: the request is parked until one is there or it is cancelled.
 * GET_EVENTS   out: whole records one behind another, at least one, critical lane first. Size and
 * parking as above. GET_STATS    out: struct wedr_ioctl_stats. A shorter buffer gets what fits,
 * from 16 bytes on; never parked. GET_VERSION  out: struct wedr_ioctl_version. As GET_STATS.
 * SET_FILTER   in: struct wedr_filter_header with what follows it. Replaces the whole filter, or
 * changes nothing.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/event.h"
#include <stddef.h>

/* CTL_CODE(FILE_DEVICE_UNKNOWN, function, METHOD_BUFFERED, access) */
#define WEDR_CTL_CODE(function, access) (0x22u << 16 | (access) << 14 | (function) << 2)
#define WEDR_CTL_READ 1u
#define WEDR_CTL_WRITE 2u
#define WEDR_IOCTL_GET_EVENT WEDR_CTL_CODE(0x800u, WEDR_CTL_READ)
#define WEDR_IOCTL_GET_EVENTS WEDR_CTL_CODE(0x801u, WEDR_CTL_READ)
#define WEDR_IOCTL_GET_STATS WEDR_CTL_CODE(0x802u, WEDR_CTL_READ)
#define WEDR_IOCTL_GET_VERSION WEDR_CTL_CODE(0x803u, WEDR_CTL_READ)
#define WEDR_IOCTL_SET_FILTER WEDR_CTL_CODE(0x804u, WEDR_CTL_READ | WEDR_CTL_WRITE)
_Static_assert(WEDR_IOCTL_GET_EVENT == 0x00226000u, "frozen: agents of every release use it");
_Static_assert(WEDR_IOCTL_GET_EVENTS == 0x00226004u, "frozen");
_Static_assert(WEDR_IOCTL_GET_STATS == 0x00226008u, "frozen");
_Static_assert(WEDR_IOCTL_GET_VERSION == 0x0022600cu, "frozen");
_Static_assert(WEDR_IOCTL_SET_FILTER == 0x0022e010u, "frozen");

#define WEDR_IOCTL_VERSION 1u      /* of the structures below; grows only at their ends */
#define WEDR_IOCTL_LOST_REASONS 8u /* index: LOSS_REASON 1 .. 7 of labels.def */

/* The kernel interfaces the driver registers with; index of wedr_ioctl_stats.callback. */
enum wedr_callback {
    WEDR_CALLBACK_PROCESS = 0,
    WEDR_CALLBACK_IMAGE = 1,
    WEDR_CALLBACK_REGISTRY = 2,
    WEDR_CALLBACK_THREAD = 3,
    WEDR_CALLBACK_HANDLE = 4,
    WEDR_CALLBACK_COUNT = 5,
    WEDR_CALLBACK_MAX = 8 /* slots in the structure */
};

enum wedr_callback_state {
    WEDR_CALLBACK_ABSENT = 0,  /* this Windows does not have the interface */
    WEDR_CALLBACK_ACTIVE = 1,  /* registered */
    WEDR_CALLBACK_FAILED = 2,  /* registration failed with `status`: the source is off */
    WEDR_CALLBACK_STOPPED = 3, /* unregistered */
    WEDR_CALLBACK_FILTERED = 4 /* registered, but its event class is off */
};

#ifdef _MSC_VER
#    pragma pack(push, 1)
#endif

/* 64 bytes */
struct WEDR_PACKED wedr_ioctl_version {
    uint32_t size;          /*  0: bytes the driver knows of this structure */
    uint16_t ioctl_version; /*  4: WEDR_IOCTL_VERSION */
    uint16_t wire_version;  /*  6: WEDR_WIRE_VERSION */
    uint16_t driver_major, driver_minor, driver_patch; /* 8 */
    uint16_t reserved0;                                /* 14: 0 */
    uint32_t record_max;                               /* 16: WEDR_RECORD_MAX */
    uint32_t lane_slots;                               /* 20: descriptors of one lane */
    uint64_t lane_bytes;                               /* 24: arena of one lane */
    uint64_t epoch;                                    /* 32 */
    uint8_t boot_id[WEDR_BOOT_ID_LEN];                 /* 40 */
    uint64_t reserved1;                                /* 56: 0 */
};

/* 128 bytes. produced = delivered + queued + sum of lost, at every moment that the lane's lock is
 * free. */
struct WEDR_PACKED wedr_ioctl_lane {
    uint64_t produced;                      /*  0: sequence numbers given out */
    uint64_t delivered;                     /*  8: records copied out */
    uint64_t lost[WEDR_IOCTL_LOST_REASONS]; /* 16: by reason; index 0 unused */
    uint64_t truncated;                     /* 80: strings cut */
    uint64_t filtered;        /* 88: left out by the filter, before a number was given */
    uint64_t bytes_delivered; /* 96 */
    uint32_t queued;          /* 104: records in the ring */
    uint32_t queued_peak;     /* 108 */
    uint64_t bytes_queued;    /* 112 */
    uint64_t bytes_peak;      /* 120 */
};

/* 32 bytes */
struct WEDR_PACKED wedr_ioctl_callback {
    uint8_t state; /* 0: enum wedr_callback_state */
    uint8_t reserved0[3];
    int32_t status;  /*  4: NTSTATUS of the registration */
    uint64_t calls;  /*  8: operations of a kind that the source looks at */
    uint64_t events; /* 16: records made, number given */
    uint64_t failed; /* 24: calls that could not make the record they should have made */
};

/* 608 bytes */
struct WEDR_PACKED wedr_ioctl_stats {
    uint32_t size;                     /*  0: bytes the driver knows of this structure */
    uint16_t ioctl_version;            /*  4 */
    uint8_t lane_count;                /*  6: WEDR_LANE_COUNT */
    uint8_t callback_count;            /*  7: WEDR_CALLBACK_COUNT */
    uint64_t epoch;                    /*  8 */
    uint8_t boot_id[WEDR_BOOT_ID_LEN]; /* 16 */
    int64_t start_time;                /* 32: 100 ns since 1601 UTC, when the epoch began */
    uint32_t parked;                   /* 40: requests waiting now */
    uint32_t filter_generation;        /* 44: successful SET_FILTER calls */
    uint64_t completed;                /* 48: requests completed with records */
    uint64_t cancelled;                /* 56: parked requests cancelled */
    uint64_t refused; /* 64: requests refused: bad size, bad filter, unknown code */
    uint64_t bugs;    /* 72: internal inconsistencies survived */
    struct wedr_ioctl_lane lane[WEDR_LANE_COUNT];           /* 80 */
    struct wedr_ioctl_callback callback[WEDR_CALLBACK_MAX]; /* 336 */
    uint32_t processes; /* 592: live processes that the driver keeps track of */
    uint32_t reserved0; /* 596: 0 */
    uint64_t
        processes_untracked; /* 600: processes that found that table full since the epoch began:
                              * their first threads look injected, their creation handles show */
};

/* Event classes of the filter. PROCESS cannot be switched off. */
#define WEDR_CLASS_PROCESS 0x0001u
#define WEDR_CLASS_MODULE 0x0002u
#define WEDR_CLASS_REGISTRY 0x0004u
#define WEDR_CLASS_THREAD 0x0008u
#define WEDR_CLASS_HANDLE 0x0010u
#define WEDR_CLASS_ALL 0x001fu

#define WEDR_FILTER_MAGIC 0x37464557u /* "WEF7" */
#define WEDR_FILTER_MAX 65536u        /* bytes of a whole filter */
#define WEDR_FILTER_PATHS_MAX 64u     /* image path prefixes whose module loads are left out */
#define WEDR_FILTER_REGISTRY_MAX \
    128u /* key prefixes watched besides the built-in persistence keys */
#define WEDR_FILTER_PREFIX_MAX 1024u /* bytes of one prefix */

/* 32 bytes, followed by path_count, then registry_count struct wedr_filter_prefix, then their text:
 * UTF-16LE in NT form, from a backslash on, no NUL, compared without case. */
struct WEDR_PACKED wedr_filter_header {
    uint32_t magic;          /*  0: WEDR_FILTER_MAGIC */
    uint32_t size;           /*  4: bytes of the whole filter = length of the input buffer */
    uint16_t ioctl_version;  /*  8: WEDR_IOCTL_VERSION */
    uint16_t path_count;     /* 10 */
    uint16_t registry_count; /* 12 */
    uint16_t reserved0;      /* 14: 0 */
    uint32_t classes;        /* 16: WEDR_CLASS_* that are recorded; PROCESS among them */
    uint32_t reserved1;      /* 20: 0 */
    uint64_t reserved2;      /* 24: 0 */
};

/* 8 bytes */
struct WEDR_PACKED wedr_filter_prefix {
    uint32_t offset;   /* from the start of the filter, behind the last prefix, even */
    uint16_t len;      /* bytes, even, 2 .. WEDR_FILTER_PREFIX_MAX */
    uint16_t reserved; /* 0 */
};

#ifdef _MSC_VER
#    pragma pack(pop)
#endif

#define WEDR_AT(type, member, at) _Static_assert(offsetof(struct type, member) == (at), #member)
_Static_assert(sizeof(struct wedr_ioctl_version) == 64, "layout is frozen");
WEDR_AT(wedr_ioctl_version, driver_major, 8);
WEDR_AT(wedr_ioctl_version, record_max, 16);
WEDR_AT(wedr_ioctl_version, lane_bytes, 24);
WEDR_AT(wedr_ioctl_version, epoch, 32);
WEDR_AT(wedr_ioctl_version, boot_id, 40);
_Static_assert(sizeof(struct wedr_ioctl_lane) == 128, "layout is frozen");
WEDR_AT(wedr_ioctl_lane, lost, 16);
WEDR_AT(wedr_ioctl_lane, truncated, 80);
WEDR_AT(wedr_ioctl_lane, queued, 104);
WEDR_AT(wedr_ioctl_lane, bytes_peak, 120);
_Static_assert(sizeof(struct wedr_ioctl_callback) == 32, "layout is frozen");
WEDR_AT(wedr_ioctl_callback, status, 4);
WEDR_AT(wedr_ioctl_callback, calls, 8);
_Static_assert(sizeof(struct wedr_ioctl_stats) == 608, "layout is frozen");
WEDR_AT(wedr_ioctl_stats, boot_id, 16);
WEDR_AT(wedr_ioctl_stats, start_time, 32);
WEDR_AT(wedr_ioctl_stats, completed, 48);
WEDR_AT(wedr_ioctl_stats, lane, 80);
WEDR_AT(wedr_ioctl_stats, callback, 336);
WEDR_AT(wedr_ioctl_stats, processes_untracked, 600);
_Static_assert(sizeof(struct wedr_filter_header) == 32, "layout is frozen");
WEDR_AT(wedr_filter_header, classes, 16);
_Static_assert(sizeof(struct wedr_filter_prefix) == 8, "layout is frozen");
#undef WEDR_AT

/* What the driver keeps of a filter that passed: counts and classes in host order. */
struct wedr_filter {
    uint32_t classes;
    uint16_t path_count;
    uint16_t registry_count;
};

/* Checks a filter that came from user mode: every bound above. WEDR_OK; WEDR_E_LIMIT: larger than a
 * maximum; WEDR_E_VERSION: another magic or version; WEDR_E_RANGE: classes unknown or without
 * PROCESS; WEDR_E_FORMAT: anything else. in must be a buffer that nobody else can write
 * (METHOD_BUFFERED gives one). Any IRQL at which in may be read. */
WEDR_MUST_USE int wedr_filter_check(struct wedr_span in, struct wedr_filter *ret);
/* UTF-16LE bytes of prefix i (paths first, then registry keys) of a filter that passed; i below the
 * sum of counts. */
struct wedr_span wedr_filter_prefix_at(struct wedr_span in, size_t i);

/* Checks what the driver answered to GET_STATS or GET_VERSION (the agent's side). WEDR_E_AGAIN:
 * shorter than the structure of this release; WEDR_E_VERSION; WEDR_E_FORMAT: counts out of bounds
 * or epoch 0. */
WEDR_MUST_USE int wedr_ioctl_stats_decode(struct wedr_span in, struct wedr_ioctl_stats *ret);
WEDR_MUST_USE int wedr_ioctl_version_decode(struct wedr_span in, struct wedr_ioctl_version *ret);
