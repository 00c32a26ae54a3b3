/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/status.h — what a person asks a running agent: status, stop, doctor. One
 * thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

/* Asks the agent that runs on the folder. WEDR_E_NOENT: none runs. WEDR_E_TIMEOUT: it does not
 * answer. */
WEDR_MUST_USE int wedr_status_get(const char *state_dir, struct wedr_msg_status *ret);
/* For people, or one JSON object and a newline; to standard output. */
void wedr_status_print(const char *state_dir, const struct wedr_msg_status *m);
WEDR_MUST_USE int wedr_status_print_json(const char *state_dir, const struct wedr_msg_status *m);
/* Asks it to stop and waits until it is gone. WEDR_E_NOENT: none runs. WEDR_E_STATE: it is gone,
 * and did not remove the sensor, or did not say that it has. */
WEDR_MUST_USE int wedr_stop_running(const char *state_dir, bool sensor, struct wedr_errinfo *ei);
/* Sentences to standard output; 0 when everything works, 1 when something is broken. */
int wedr_doctor(const char *state_dir, bool root);
