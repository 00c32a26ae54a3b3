/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/hunt.h"
#include "core/base/err.h"
#include "core/util/json.h"
#include "main/commands.h"
#include "main/files.h"
#include "store/print.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPS (&wedr_state_sqlite)
#define MATCHES_DEFAULT 10000u

static void put_time(FILE *out, int64_t us)
{
    char mem[48];
    struct wedr_json j;
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_time_us(&j, us);
    (void)fprintf(out, "%.*s", (int)wedr_json_len(&j) - 2, mem + 1); /* without its quotes */
}

static void put_text(const char *key, struct wedr_text t)
{
    (void)printf("\"%s\":", key);
    wedr_print_json(stdout, t.p, t.len);
    (void)fputc(',', stdout);
}

static int print_json(void *ctx, const struct wedr_hunt_match *m)
{
    const struct wedr_event_block *b = m->block;
    (void)ctx;
    (void)fputc('{', stdout);
    put_text("rule_id", m->rule->id);
    put_text("rule_title", m->rule->title);
    (void)printf("\"severity\":\"%s\",\"count\":%" PRIu64 ",\"agent_id\":\"%s\",\"hostname\":",
                 wedr_severity_name(m->rule->severity), m->count, b->agent_id);
    wedr_print_json(stdout, b->hostname, strlen(b->hostname));
    (void)fputs(",\"ts\":\"", stdout);
    put_time(stdout, m->line->ts_us);
    (void)printf("\",\"epoch\":\"%016" PRIx64 "\",\"stream\":\"%s\",\"seq\":%" PRIu64 ",\"event\":",
                 b->epoch, b->stream, m->line->seq);
    wedr_print_json_value(stdout, m->line->text.p, m->line->text.len);
    (void)fputs("}\n", stdout);
    return ferror(stdout) ? WEDR_E_IO : 0;
}

static int print_row(void *ctx, const struct wedr_hunt_match *m)
{
    const struct wedr_event_block *b = m->block;
    (void)ctx;
    put_time(stdout, m->line->ts_us);
    (void)printf("\t%s\t", wedr_severity_name(m->rule->severity));
    wedr_print_text(stdout, b->hostname, strlen(b->hostname));
    (void)printf("\t%016" PRIx64 "/%s/%" PRIu64 "\t", b->epoch, b->stream, m->line->seq);
    wedr_print_text(stdout, m->rule->title.p, m->rule->title.len);
    (void)fputc('\n', stdout);
    return ferror(stdout) ? WEDR_E_IO : 0;
}

static void print_progress(void *ctx, const struct wedr_hunt_stats *s)
{
    (void)ctx;
    (void)fprintf(stderr, "\r%" PRIu64 " batches, %" PRIu64 " events, %" PRIu64 " matches ",
                  s->blocks, s->events, s->matches);
    (void)fflush(stderr);
}

static void say_problem(void *ctx, const struct wedr_problem *p)
{
    (void)ctx;
    if (!p->warning) {
        (void)fprintf(stderr, "wedr-server: ");
        wedr_print_text(stderr, p->file, strlen(p->file));
        (void)fprintf(stderr, ":%u: ", p->line);
        wedr_print_text(stderr, p->text, strlen(p->text));
        (void)fputc('\n', stderr);
    }
}

/* A word that names a file or folder is one; any other is the id of a stored rule. */
static int choose(const struct wedr_server_args *a,
                  struct wedr_sources *s,
                  struct wedr_ruleset **rs,
                  struct wedr_field_map **map,
                  struct wedr_errinfo *ei)
{
    const char *ids[64];
    size_t count = 0;
    uint32_t files = 0;
    for (size_t i = 0; i < a->word_count; i++) {
        if (access(a->words[i], F_OK) != 0) {
            ids[count++] = a->words[i];
            continue;
        }
        int err = wedr_files_add(s, a->words[i], &files, ei);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return wedr_hunt_choose(s, ids, count, say_problem, NULL, rs, map, ei);
}

static int run(const struct wedr_server_args *a,
               const struct wedr_server_cfg *cfg,
               struct wedr_ruleset *rs,
               struct wedr_field_map *map)
{
    struct wedr_errinfo ei = {""};
    struct wedr_hunt_stats s;
    bool terminal = isatty(STDERR_FILENO) != 0;
    struct wedr_hunt h = {.events_ops = &wedr_events_embedded,
                          .data_dir = a->data,
                          .agent_id = a->agent,
                          .from_us = a->from_us,
                          .to_us = a->to_us,
                          .match_limit = a->limit ? a->limit : MATCHES_DEFAULT,
                          .time_limit_ms = cfg->hunt_time_limit_ms,
                          .match = a->json ? print_json : print_row,
                          .progress = terminal ? print_progress : NULL};
    int err = wedr_hunt_run_take(&h, rs, map, &s, &ei);
    (void)fflush(stdout);
    (void)fprintf(stderr,
                  "%s%" PRIu64 " batches, %" PRIu64 " events (%" PRIu64 " looked at), %" PRIu64
                  " matches%s, %.3f s\n",
                  terminal ? "\r" : "", s.blocks, s.events, s.looked_at, s.matches,
                  s.limited ? " (the limit)" : "", (double)s.milliseconds / 1000.0);
    return err == WEDR_OK ? 0 : wedr_main_fail("hunt", err, &ei);
}

int wedr_cmd_hunt(const struct wedr_server_args *a)
{
    static struct wedr_server_cfg cfg;
    struct wedr_sources s = {0};
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_state *state = NULL;
    if (wedr_main_config(a, &cfg) != 0 || wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = OPS->open(a->data, &state, &ei);
    err = err == WEDR_OK ? wedr_sources_load(&s, OPS, state, &ei) : err;
    if (state) {
        OPS->close(state);
    }
    err = err == WEDR_OK ? choose(a, &s, &rs, &map, &ei) : err;
    wedr_sources_fini(&s);
    return err == WEDR_OK ? run(a, &cfg, rs, map) : wedr_main_fail("hunt", err, &ei);
}
