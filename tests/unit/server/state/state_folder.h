/* SPDX-License-Identifier: Apache-2.0
 * A fresh data folder per test, and the state store opened in it. */
#pragma once

#include "store/state.h"
#include "store/state_detect.h"

#define STATE_OPS (&wedr_state_sqlite)
#define STATE_NOW 1800000000000000LL

extern char state_folder[64];
int state_set_up(void **state);
int state_tear_down(void **state);
struct wedr_state *state_open(void);
/* Enrols an agent of that id; os "linux" or "windows". */
void state_add_agent(struct wedr_state *s, const char *id, const char *os);
/* An alert of an endpoint's own, severity high; the texts are borrowed. */
struct wedr_alert_row
state_alert(const char *agent, const char *id, const char *rule, int64_t ts_us);
