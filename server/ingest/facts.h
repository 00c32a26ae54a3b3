/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/facts.h — ledger facts out of the agent's own records.
 */
#pragma once

#include "ingest/line_schema.h"
#include "ingest/prepared.h"

/* True when the type of the line speaks about the ledger. */
bool wedr_fact_type(uint8_t code);
/* Reads one accepted line. WEDR_E_FORMAT when a value that passed the schema makes no sense
 * (ranges, unknown reason, epoch 0): the line is then rejected. */
WEDR_MUST_USE int wedr_fact_read(const struct wedr_line *line,
                                 const struct wedr_line_info *info,
                                 struct wedr_fact *ret);
