/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include "core/base/err.h"
#include <string.h>

static const char *const names[WEDR_FACT_COUNT][WEDR_FACTS_CANDIDATES] = {
    /* The clock that all channels of a host share comes before Sysmon's own. */
    {"ts", "TimeCreated.#attributes.SystemTime", "TimeCreated.@SystemTime",
     "TimeCreated.SystemTime", "TimeCreated", "SystemTime", "UtcTime", "@timestamp", "timestamp",
     "EventTime", "TimeGenerated", "__REALTIME_TIMESTAMP", "time", "_time"},
    {"host.hostname", "Computer", "host.name", "hostname", "_HOSTNAME", "node", "host"},
    {"User", "SubjectUserName", "TargetUserName", "user.name", "raw.user", "auid", "uid", "_UID"},
    {"Image", "process.executable", "SourceImage", "process.path", "exe", "_EXE", "ProcessName",
     "Application"},
    {"CommandLine",
     "ScriptBlockText",
     "TargetObject",
     "TargetFilename",
     "ImageLoaded",
     "QueryName",
     "process.command_line",
     "proctitle",
     "name",
     "ServiceName",
     "PipeName",
     "TargetImage",
     "DestinationIp",
     "laddr",
     "ObjectName",
     "Payload",
     "Data",
     "Message",
     "message",
     "MESSAGE"}};

int wedr_facts_intern(struct wedr_facts *facts,
                      struct wedr_ruleset *rs,
                      const char *const *more,
                      size_t more_count,
                      struct wedr_errinfo *ei)
{
    int r = WEDR_OK;
    if (more_count > WEDR_FACTS_MORE_MAX) {
        return wedr_fail(ei, WEDR_E_INVAL, "at most %u fields can be shown", WEDR_FACTS_MORE_MAX);
    }
    memset(facts, 0xFF, sizeof(*facts));
    for (size_t fact = 0; fact < WEDR_FACT_COUNT; fact++) {
        for (size_t i = 0; r == WEDR_OK && i < WEDR_FACTS_CANDIDATES && names[fact][i]; i++) {
            r = wedr_ruleset_field(rs, names[fact][i], strlen(names[fact][i]),
                                   &facts->fields[fact][i]);
        }
    }
    for (size_t i = 0; r == WEDR_OK && i < more_count; i++) {
        r = wedr_ruleset_field(rs, more[i], strlen(more[i]), &facts->more[i]);
    }
    facts->more_count = more_count;
    return r == WEDR_OK ? r : wedr_fail(ei, r, "fields to show: %s", wedr_err_text(r));
}

static struct wedr_text first_value(struct wedr_rule_event *ev, uint32_t field)
{
    uint32_t value = field == WEDR_IR_NONE ? field : wedr_rule_event_first(ev, field);
    struct wedr_text t = {NULL, 0};
    for (; value != WEDR_IR_NONE && t.len == 0; value = wedr_rule_event_value(ev, value)->next) {
        t = wedr_rule_event_text(ev, value);
    }
    return t.len > 0 ? t : wedr_text("", 0);
}

struct wedr_text
wedr_facts_text(const struct wedr_facts *facts, struct wedr_rule_event *ev, enum wedr_fact fact)
{
    struct wedr_text t = wedr_text("", 0);
    for (size_t i = 0; i < WEDR_FACTS_CANDIDATES && t.len == 0; i++) {
        t = first_value(ev, facts->fields[fact][i]);
    }
    return t;
}

struct wedr_text
wedr_facts_more(const struct wedr_facts *facts, struct wedr_rule_event *ev, size_t index)
{
    return first_value(ev, facts->more[index]);
}

bool wedr_facts_time(const struct wedr_facts *facts, struct wedr_rule_event *ev, int64_t *ret_us)
{
    for (size_t i = 0; i < WEDR_FACTS_CANDIDATES; i++) {
        struct wedr_text t = first_value(ev, facts->fields[WEDR_FACT_TIME][i]);
        if (t.len > 0 && wedr_time_parse(t.p, t.len, ret_us) == WEDR_OK) {
            return true;
        }
    }
    return false;
}
