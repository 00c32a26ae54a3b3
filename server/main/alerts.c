/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/json.h"
#include "main/commands.h"
#include "store/print.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPS (&wedr_state_sqlite)
#define LIMIT_DEFAULT 1000u

struct listing {
    bool json, first;
};

static void put_time(int64_t us)
{
    char mem[48];
    struct wedr_json j;
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_time_us(&j, us);
    (void)printf("%.*s", (int)wedr_json_len(&j) - 2, mem + 1);
}

static void put_text(const char *key, const char *s)
{
    (void)printf(",\"%s\":", key);
    if (s) {
        wedr_print_json(stdout, s, strlen(s));
    } else {
        (void)fputs("null", stdout);
    }
}

/* What an agent sent as JSON, verified when it came. */
static void put_value(const char *key, const char *json)
{
    (void)printf(",\"%s\":", key);
    wedr_print_json_value(stdout, json, strlen(json));
}

static void print_json(const struct wedr_alert_row *a)
{
    (void)printf("{\"id\":%" PRId64 ",\"ts\":\"", a->id);
    put_time(a->ts_us);
    (void)fputc('"', stdout);
    put_text("alert_id", a->alert_id);
    put_text("agent_id", a->agent_id);
    put_text("hostname", a->hostname);
    put_text("origin", a->origin);
    put_text("severity", a->severity);
    put_text("rule_id", a->rule_id);
    put_text("rule_title", a->rule_title);
    put_text("rule_language", a->rule_language);
    put_text("message", a->message);
    put_text("entity", a->entity);
    put_text("process_key", a->process_key);
    put_text("image_path", a->image_path);
    put_text("command_line", a->command_line);
    put_text("user", a->user);
    if (a->pid >= 0) {
        (void)printf(",\"pid\":%" PRId64, a->pid);
    }
    (void)printf(",\"suppressed\":%" PRIu64 ",\"match_count\":%" PRIu64, a->suppressed,
                 a->match_count);
    put_value("tags", a->tags);
    put_value("actions", a->actions);
    put_value("ancestry", a->ancestry);
    put_value("matched", a->matched);
    (void)fputc('}', stdout);
}

static int print_alert(void *ctx, const struct wedr_alert_row *a)
{
    struct listing *l = ctx;
    if (l->json) {
        (void)fputs(l->first ? "[" : ",\n", stdout);
        print_json(a);
        l->first = false;
        return 0;
    }
    const char *what = a->command_line ? a->command_line
                       : a->image_path ? a->image_path
                                       : a->entity;
    put_time(a->ts_us);
    (void)printf("\t%s\t", a->severity);
    wedr_print_text(stdout, a->hostname, strlen(a->hostname));
    (void)fputc('\t', stdout);
    wedr_print_text(stdout, a->rule_title, strlen(a->rule_title));
    (void)fputc('\t', stdout);
    wedr_print_text(stdout, what, strlen(what));
    (void)fputc('\n', stdout);
    return 0;
}

int wedr_cmd_alerts(const struct wedr_server_args *a)
{
    struct wedr_errinfo ei = {""};
    struct wedr_state *state = NULL;
    struct listing l = {a->json, true};
    struct wedr_alert_query q = {.since_us = a->from_us,
                                 .agent_id = a->agent,
                                 .rule_id = a->rule,
                                 .limit = a->limit ? a->limit : LIMIT_DEFAULT};
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = OPS->open(a->data, &state, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot open the state", err, &ei);
    }
    err = OPS->detect->alerts(state, &q, print_alert, &l);
    OPS->close(state);
    if (err == WEDR_OK && a->json) {
        (void)fputs(l.first ? "[]\n" : "]\n", stdout);
    }
    return err == WEDR_OK ? 0 : wedr_main_fail("alerts", err, NULL);
}
