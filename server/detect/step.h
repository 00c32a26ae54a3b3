/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/step.h — what was found since the last commit of the cursor, and the readers of
 * lines that put it there. Every text of a line is hostile: bounded, cut at a character; who sent
 * it comes from the batch. One thread.
 */
#pragma once

#include "core/util/arena.h"
#include "ingest/line_parse.h"
#include "store/events.h"
#include "store/state_detect.h"

#define WEDR_STEP_BYTES_MAX ((size_t)64 << 20)
#define WEDR_STEP_ALERTS_MAX 512u
#define WEDR_STEP_RESPONSES_MAX 512u
#define WEDR_STEP_PROCESSES_MAX 8192u
#define WEDR_ALERT_LINE_MAX ((size_t)4 << 20)
#define WEDR_EVIDENCE_BYTES_MAX ((size_t)256 << 10) /* of the lines of one alert */

struct wedr_step {
    struct wedr_arena *arena;
    struct wedr_line_parser *parser;
    struct wedr_alert_row *alerts;
    struct wedr_response_row *responses;
    struct wedr_process_row *processes;
    size_t alert_count, response_count, process_count;
};

WEDR_MUST_USE int wedr_step_init(struct wedr_step *s);
void wedr_step_fini(struct wedr_step *s);
void wedr_step_clear(struct wedr_step *s);
/* True when the next block may not fit: apply first. */
bool wedr_step_is_full(const struct wedr_step *s);

/* A line of type alert or response. WEDR_E_FORMAT: not one that can be stored (counted by the
 * caller); WEDR_E_LIMIT: no room left in this step. */
WEDR_MUST_USE int wedr_step_alert(struct wedr_step *s,
                                  const struct wedr_event_block *b,
                                  const struct wedr_event_line *l);
WEDR_MUST_USE int wedr_step_response(struct wedr_step *s,
                                     const struct wedr_event_block *b,
                                     const struct wedr_event_line *l);
/* process_create, process_fork, process_terminate. Errors as above. */
WEDR_MUST_USE int wedr_step_process(struct wedr_step *s,
                                    const struct wedr_event_block *b,
                                    const struct wedr_event_line *l,
                                    enum wedr_process_event event);
/* Room for an alert that the caller fills in with texts of the arena; NULL when full. */
struct wedr_alert_row *wedr_step_new_alert(struct wedr_step *s);
/* Copies at most max bytes, cut at a character. NULL when the arena is full. */
const char *wedr_step_text(struct wedr_step *s, const char *text, size_t len, size_t max);
/* What the line says of its process, for alerts of the server: pid, key, path, command line, user.
 */
void wedr_step_describe(struct wedr_step *s,
                        const struct wedr_event_line *l,
                        struct wedr_alert_row *a);
