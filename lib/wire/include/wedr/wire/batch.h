/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/batch.h — identity of a batch: what core seals, the holder signs, net sends and the
 * server checks. A batch is one zstd frame of bare NDJSON lines of one (agent, epoch, stream), in
 * rising seq order. It never overlaps another batch of that stream and is never split. No OS, no
 * allocation.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/event.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_LINE_MAX 1048576u          /* bytes of one NDJSON line with its newline */
#define WEDR_BATCH_RAW_MAX 4194304u     /* bytes of NDJSON in a batch; below the server's limit */
#define WEDR_BATCH_Z_MAX 8388608u       /* bytes of the zstd frame that a server accepts */
#define WEDR_BATCH_RAW_ACCEPT 33554432u /* decompressed bytes that a server accepts */
#define WEDR_BATCH_LINES_MAX 65535u
#define WEDR_AGENT_ID_LEN 16u  /* UUID bytes */
#define WEDR_AGENT_ID_TEXT 37u /* 8-4-4-4-12 lower-case hex with NUL */
#define WEDR_BATCH_SIG_LEN 64u /* Ed25519 */

/* HTTP request headers of POST /api/v1/agents/{id}/logs. Numbers are decimal, epoch 16 and boot id
 * 32 hex digits, digest 64 and signature 128 hex digits. */
#define WEDR_HDR_EPOCH "X-Wedr-Epoch"
#define WEDR_HDR_BOOT_ID "X-Wedr-Boot-Id"
#define WEDR_HDR_STREAM "X-Wedr-Stream"
#define WEDR_HDR_FIRST_SEQ "X-Wedr-First-Seq"
#define WEDR_HDR_LAST_SEQ "X-Wedr-Last-Seq"
#define WEDR_HDR_COUNT "X-Wedr-Count"
#define WEDR_HDR_PRODUCED "X-Wedr-Produced"
#define WEDR_HDR_LOST "X-Wedr-Lost"
#define WEDR_HDR_SHA256 "X-Wedr-Sha256"
#define WEDR_HDR_SIGNATURE "X-Wedr-Signature"

struct wedr_batch_id {
    uint64_t epoch; /* not 0 */
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    char stream[WEDR_STREAM_NAME_MAX];
    uint64_t first_seq; /* >= 1; seq of the first line */
    uint64_t last_seq;  /* seq of the last line */
    uint32_t count;     /* lines, 1 .. WEDR_BATCH_LINES_MAX, <= last_seq - first_seq + 1 */
    uint64_t produced;  /* producer's counter: every record up to it was written or is a known hole.
                           >= last_seq */
    uint64_t lost; /* producer's own loss counter (before the ring was read) at the same moment */
    uint8_t sha256[32]; /* over the compressed bytes */
};

/* True for 1..47 bytes of [a-z0-9._-] that begin with a letter. */
bool wedr_stream_name_valid(const char *s, size_t len);

/* Checks every bound named above. WEDR_E_RANGE or WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_batch_id_check(const struct wedr_batch_id *id);

/* File name of a sealed batch, which carries the whole identity, all hex, fixed width except the
 * stream: <epoch 16>.<first 16>.<last 16>.<count 8>.<produced 16>.<lost 16>.<boot id 32>.<sha256
 * 64>.<stream>.zst Sorts by epoch, then seq. The stream name may hold dots: it is what stands
 * before ".zst". */
#define WEDR_BATCH_NAME_MAX 256u
/* ret_name gets the NUL-terminated name. WEDR_E_RANGE when id is not valid. */
WEDR_MUST_USE int wedr_batch_name(const struct wedr_batch_id *id,
                                  char ret_name[WEDR_BATCH_NAME_MAX]);
/* WEDR_E_FORMAT for any other text; the result passed wedr_batch_id_check. */
WEDR_MUST_USE int wedr_batch_name_parse(const char *name, size_t len, struct wedr_batch_id *ret_id);

/* The bytes that are signed: "WEDRBAT7", agent id 16, epoch 8, boot id 16, stream 48 (NUL-padded),
 * first 8, last 8, count 4, produced 8, lost 8, sha256 32; little-endian, 164 bytes. */
#define WEDR_BATCH_SIGNED_LEN 164u
void wedr_batch_signed_bytes(const uint8_t agent_id[WEDR_AGENT_ID_LEN],
                             const struct wedr_batch_id *id,
                             uint8_t ret[WEDR_BATCH_SIGNED_LEN]);

/* Capture file (record, gen, replay): this header, then wire records one after another, both
 * streams mixed in the order they were read, ended by one EPOCH_END record per stream of the
 * header. TELEMETRY_LOSS records between them carry the producer's own loss counters. All
 * agent-kind records in a capture have header.stream = the stream they speak of and seq 0. */
#define WEDR_CAPTURE_MAGIC "WEDRCAP7"
struct WEDR_PACKED wedr_capture_header {
    char magic[8];
    uint32_t size; /* of this header */
    uint8_t os;    /* enum wedr_os */
    uint8_t reserved[3];
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    uint64_t boot_ns; /* pair that maps record times to UTC (Linux) */
    int64_t utc_us;
};

#define WEDR_CAPTURE_HEADER_MAX \
    4096u /* records begin at header.size; a later release may add fields */

/* Checks the header at the start of in. WEDR_E_AGAIN: in is shorter than the header;
 * WEDR_E_VERSION: another magic; WEDR_E_FORMAT: size below 56 or above the maximum, epoch 0,
 * unknown os, reserved bytes not 0. */
WEDR_MUST_USE int wedr_capture_header_decode(struct wedr_span in, struct wedr_capture_header *ret);
