/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/logfile.h — where the log lines of all three processes end:
 * <state>/log/agent.log (renamed to agent.log.1 at its maximum), the service manager's journal, and
 * standard error when there is no service manager. The holder owns it. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/log.h"
#include <stdbool.h>
#include <stdint.h>

/* Opens the file and becomes the sink of wedr_log in this process. */
WEDR_MUST_USE int
wedr_logfile_open(const char *state_dir, uint64_t max_bytes, const char *level, bool echo);
/* A line that a child sent: control characters become blanks, so that one message is one line. */
void wedr_logfile_child_line(enum wedr_log_level level, const char *line, size_t len);
