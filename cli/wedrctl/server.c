/* SPDX-License-Identifier: Apache-2.0
 * status, ledger, gaps, audit. */
#include "commands.h"
#include "form.h"

#define PATH_BYTES 4000u

/* The events of the last day as a line of bars, the newest to the right. */
static void add_bars(struct wedr_ctl *c, const json_t *buckets)
{
    static const char *const bars[] = {" ",
                                       "\xE2\x96\x81",
                                       "\xE2\x96\x82",
                                       "\xE2\x96\x83",
                                       "\xE2\x96\x84",
                                       "\xE2\x96\x85",
                                       "\xE2\x96\x86",
                                       "\xE2\x96\x87",
                                       "\xE2\x96\x88"};
    json_int_t most = 1, total = 0;
    size_t i = 0;
    const json_t *b = NULL;
    json_array_foreach(buckets, i, b)
    {
        json_int_t n = json_integer_value(json_object_get(b, "count"));
        most = n > most ? n : most;
        total += n;
    }
    wedr_buf_addf(&c->out, "events, 24 h     %lld ", (long long)total);
    json_array_foreach(buckets, i, b)
    {
        json_int_t n = json_integer_value(json_object_get(b, "count"));
        size_t height = n <= 0 ? 0 : 1 + (size_t)((double)n * 7 / (double)most);
        wedr_buf_adds(&c->out, c->utf8 ? bars[height < 9 ? height : 8] : "");
    }
    wedr_buf_adds(&c->out, "\n");
}

static void add_open_alerts(struct wedr_ctl *c, const json_t *open)
{
    static const char *const severities[] = {"critical", "high", "medium", "low", "informational"};
    wedr_buf_adds(&c->out, "open alerts      ");
    bool any = false;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(severities); i++) {
        json_int_t n = json_integer_value(json_object_get(open, severities[i]));
        if (n > 0) {
            wedr_buf_adds(&c->out, any ? ", " : "");
            wedr_buf_addf(&c->out, c->color ? "\x1b[%sm" : "%.0s", wedr_ctl_color(severities[i]));
            wedr_buf_addf(&c->out, "%lld %s", (long long)n, severities[i]);
            wedr_buf_adds(&c->out, c->color ? "\x1b[0m" : "");
            any = true;
        }
    }
    wedr_buf_adds(&c->out, any ? "\n" : "none\n");
}

int wedr_ctl_status(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column rules[] = {{"ALERTS", "alerts", WEDR_CTL_COUNT},
                                                   {"SEVERITY", "severity", WEDR_CTL_WORD},
                                                   {"RULE", "rule_title", WEDR_CTL_LONG}};
    static const struct wedr_ctl_column store[] = {
        {"losses, 24 h   ", "losses_24h", WEDR_CTL_COUNT},
        {"stored events", "store.events", WEDR_CTL_COUNT},
        {"store", "store.bytes", WEDR_CTL_BYTES},
        {"oldest event", "store.oldest", WEDR_CTL_TIME},
        {"server", "version", WEDR_CTL_TEXT}};
    struct wedr_ctl_table table;
    json_t *o = NULL;
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_get(c, "/overview", &o);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    if (wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
        wedr_ctl_json(&c->out, o);
    } else {
        wedr_buf_addf(&c->out, "endpoints        %lld: %lld online, %lld degraded, %lld offline\n",
                      (long long)json_integer_value(wedr_ctl_member(o, "endpoints.total")),
                      (long long)json_integer_value(wedr_ctl_member(o, "endpoints.online")),
                      (long long)json_integer_value(wedr_ctl_member(o, "endpoints.degraded")),
                      (long long)json_integer_value(wedr_ctl_member(o, "endpoints.offline")));
        add_open_alerts(c, wedr_ctl_member(o, "alerts.open"));
        add_bars(c, json_object_get(o, "events_24h"));
        wedr_ctl_card(c, o, store, WEDR_ARRAY_COUNT(store));
        if (json_array_size(json_object_get(o, "top_rules")) > 0) {
            wedr_buf_adds(&c->out, "\n");
            wedr_ctl_table_init(&table, c, rules, WEDR_ARRAY_COUNT(rules));
            wedr_ctl_table_add(&table, json_object_get(o, "top_rules"));
        }
    }
    json_decref(o);
    return wedr_ctl_flush(c);
}

/* "ring_full 7, disk 2" */
static json_t *ledger_row(const json_t *row)
{
    struct wedr_buf why;
    size_t i = 0;
    const json_t *loss = NULL;
    json_t *out = json_copy((json_t *)(uintptr_t)row);
    wedr_buf_init(&why, 65536);
    json_array_foreach(json_object_get(row, "losses"), i, loss)
    {
        wedr_buf_addf(&why, "%s%s %lld", i > 0 ? ", " : "", wedr_ctl_text(loss, "reason"),
                      (long long)json_integer_value(json_object_get(loss, "lost")));
    }
    (void)json_object_set_new(out, "why", json_stringn(why.p ? (const char *)why.p : "", why.len));
    wedr_buf_fini(&why);
    return out;
}

int wedr_ctl_ledger(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"HOST", "hostname", WEDR_CTL_TEXT},
                                                     {"STREAM", "stream", WEDR_CTL_TEXT},
                                                     {"EPOCH", "epoch", WEDR_CTL_TEXT},
                                                     {"STATE", "state", WEDR_CTL_TEXT},
                                                     {"PRODUCED", "produced", WEDR_CTL_COUNT},
                                                     {"STORED", "stored", WEDR_CTL_COUNT},
                                                     {"EXPIRED", "expired", WEDR_CTL_COUNT},
                                                     {"IN FLIGHT", "in_flight", WEDR_CTL_COUNT},
                                                     {"LOST", "lost", WEDR_CTL_COUNT},
                                                     {"MISSING", "missing", WEDR_CTL_COUNT},
                                                     {"WHY", "why", WEDR_CTL_LONG}};
    char path[64] = "/ledger", id[37];
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE && c->args->word_count > 0) {
        code = wedr_ctl_endpoint(c, c->args->words[0], id);
        (void)snprintf(path, sizeof(path), "/endpoints/%s/ledger", code == WEDR_CTL_DONE ? id : "");
    }
    return code == WEDR_CTL_DONE
               ? wedr_ctl_list(c, path, columns, WEDR_ARRAY_COUNT(columns), ledger_row)
               : code;
}

int wedr_ctl_gaps(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"HOST", "hostname", WEDR_CTL_TEXT},
                                                     {"STREAM", "stream", WEDR_CTL_TEXT},
                                                     {"FROM", "from", WEDR_CTL_TIME_MS},
                                                     {"TO", "to", WEDR_CTL_TIME_MS},
                                                     {"REASON", "reason", WEDR_CTL_LONG}};
    int code = wedr_ctl_open(c);
    return code == WEDR_CTL_DONE
               ? wedr_ctl_list(c, "/coverage-gaps", columns, WEDR_ARRAY_COUNT(columns), NULL)
               : code;
}

int wedr_ctl_audit_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {
        {"TIME", "ts", WEDR_CTL_TIME},       {"ACTOR", "actor", WEDR_CTL_TEXT},
        {"BY", "actor_kind", WEDR_CTL_TEXT}, {"ADDRESS", "address", WEDR_CTL_TEXT},
        {"ACTION", "action", WEDR_CTL_TEXT}, {"OBJECT", "object", WEDR_CTL_LONG},
        {"DETAIL", "detail", WEDR_CTL_LONG}};
    struct wedr_buf path;
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/audit");
    wedr_ctl_param_period(&path, c->args);
    wedr_ctl_param_option(&path, c->args, "actor", WEDR_CTL_ACTOR);
    wedr_ctl_param_option(&path, c->args, "action", WEDR_CTL_ACTION);
    code = wedr_ctl_list(c, (const char *)path.p, columns, WEDR_ARRAY_COUNT(columns), NULL);
    wedr_buf_fini(&path);
    return code;
}
