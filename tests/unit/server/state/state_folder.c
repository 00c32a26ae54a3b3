/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "state_folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char state_folder[64];

int state_set_up(void **state)
{
    (void)state;
    (void)snprintf(state_folder, sizeof(state_folder), "/tmp/wedr-state.XXXXXX");
    return mkdtemp(state_folder) ? 0 : -1;
}

int state_tear_down(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", state_folder);
    return system(command);
}

struct wedr_state *state_open(void)
{
    struct wedr_state *s = NULL;
    struct wedr_errinfo ei = {""};
    if (STATE_OPS->open(state_folder, &s, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return s;
}

void state_add_agent(struct wedr_state *s, const char *id, const char *os)
{
    struct wedr_agent_row a;
    memset(&a, 0, sizeof(a));
    (void)snprintf(a.agent_id, sizeof(a.agent_id), "%s", id);
    (void)snprintf(a.hostname, sizeof(a.hostname), "host-%c", id[0]);
    (void)snprintf(a.os, sizeof(a.os), "%s", os);
    a.enrolled_us = a.last_seen_us = STATE_NOW;
    assert_int_equal(STATE_OPS->token_add(s, id, 1, STATE_NOW + 10), WEDR_OK);
    assert_int_equal(STATE_OPS->enroll(s, id, STATE_NOW, &a), WEDR_OK);
}

struct wedr_alert_row
state_alert(const char *agent, const char *id, const char *rule, int64_t ts_us)
{
    return (struct wedr_alert_row){.alert_id = id,
                                   .agent_id = agent,
                                   .hostname = "h",
                                   .origin = "agent",
                                   .ts_us = ts_us,
                                   .rule_id = rule,
                                   .rule_title = "t",
                                   .rule_language = "sigma",
                                   .severity = "high",
                                   .message = "",
                                   .tags = "[]",
                                   .actions = "[]",
                                   .pid = -1,
                                   .entity = "",
                                   .rules_serial = "1",
                                   .profile = "",
                                   .ancestry = "[]",
                                   .matched = "[]"};
}
