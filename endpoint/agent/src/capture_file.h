/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/capture_file.h — buffered writer of a capture file. Private to capture.c and
 * gen.c.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/batch.h"

struct capture_file {
    wedr_handle file;
    uint8_t *buffer;
    size_t len;
    uint64_t bytes;
};

WEDR_MUST_USE int
capture_begin(struct capture_file *f, wedr_handle file, const struct wedr_capture_header *h);
WEDR_MUST_USE int capture_add(struct capture_file *f, struct wedr_span rec);
/* TELEMETRY_LOSS of the stream when lost is not 0. */
WEDR_MUST_USE int capture_loss(struct capture_file *f,
                               uint64_t epoch,
                               unsigned lane,
                               uint32_t reason,
                               uint64_t lost,
                               uint64_t produced);
WEDR_MUST_USE int
capture_end_stream(struct capture_file *f, uint64_t epoch, unsigned lane, uint64_t produced);
WEDR_MUST_USE int capture_flush(struct capture_file *f);
void capture_fini(struct capture_file *f);
