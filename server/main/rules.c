/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/rules_key.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/publish.h"
#include "main/commands.h"
#include "main/files.h"
#include "store/print.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPS (&wedr_state_sqlite)

/* --- What does not compile. */

struct said {
    bool json;
    uint32_t errors;
};

static void say_problem(void *ctx, const struct wedr_problem *p)
{
    struct said *s = ctx;
    s->errors += !p->warning;
    if (s->json) {
        (void)fputs(s->errors > 1 || p->warning ? ",\n  {\"file\":" : "\n  {\"file\":", stdout);
        wedr_print_json(stdout, p->file, strlen(p->file));
        (void)fprintf(stdout, ",\"line\":%u,\"reason\":", p->line);
        wedr_print_json(stdout, p->text, strlen(p->text));
        (void)fputc('}', stdout);
        return;
    }
    wedr_print_text(stderr, p->file, strlen(p->file));
    if (p->line) {
        (void)fprintf(stderr, ":%u", p->line);
    }
    if (p->column) {
        (void)fprintf(stderr, ":%u", p->column);
    }
    (void)fputs(p->warning ? ": warning: " : ": ", stderr);
    wedr_print_text(stderr, p->text, strlen(p->text));
    (void)fputc('\n', stderr);
}

/* Of `validate --json`: warnings are no failures and are not listed. */
static void list_failed(void *ctx, const struct wedr_problem *p)
{
    if (!p->warning) {
        say_problem(ctx, p);
    }
}

static int add_files(const struct wedr_server_args *a, struct wedr_sources *s, uint32_t *ret_count)
{
    struct wedr_errinfo ei = {""};
    for (size_t i = 0; i < a->word_count; i++) {
        int err = wedr_files_add(s, a->words[i], ret_count, &ei);
        if (err != WEDR_OK) {
            return wedr_main_fail("rules", err, &ei);
        }
    }
    return 0;
}

static const char *author_of(const struct wedr_server_args *a)
{
    const char *name =
        a->author ? a->author : getenv("SUDO_USER"); /* NOLINT(concurrency-mt-unsafe) */
    name = name ? name : getenv("USER");             /* NOLINT(concurrency-mt-unsafe) */
    return name && strlen(name) < 128 ? name : "wedr-server";
}

static int add(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct wedr_sources s;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct said said = {0};
    uint32_t files = 0, refused = 0, stored = 0, bad = 0;
    int64_t now = wedr_time_utc_us();
    int err = wedr_sources_load(&s, OPS, state, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("rules", err, &ei);
    }
    int code = add_files(a, &s, &files);
    if (code == 0) {
        err = wedr_sources_compile(&s, now, say_problem, &said, &rs, &map, &refused, &ei);
        err = err == WEDR_OK ? wedr_sources_store(&s, OPS, state, author_of(a), now, &stored, &ei)
                             : err;
        code = err == WEDR_OK ? 0 : wedr_main_fail("rules", err, &ei);
    }
    for (size_t i = 0; i < s.count; i++) {
        bad += s.v[i].fresh && s.v[i].problems;
    }
    if (code == 0) {
        (void)printf("%u files, %u stored, %u not stored\n", files, stored, bad);
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&s);
    return code ? code : bad ? 1 : 0;
}

static int validate(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct wedr_sources s;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct said said = {.json = a->json};
    uint32_t files = 0, refused = 0;
    int err = wedr_sources_load(&s, OPS, state, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("rules", err, &ei);
    }
    int code = add_files(a, &s, &files);
    if (code == 0) {
        if (a->json) {
            (void)fputs("{\"failed\":[", stdout);
        }
        err = wedr_sources_compile(&s, wedr_time_utc_us(), a->json ? list_failed : say_problem,
                                   &said, &rs, &map, &refused, &ei);
        code = err == WEDR_OK ? refused != 0 : wedr_main_fail("rules", err, &ei);
    }
    if (err == WEDR_OK && rs) {
        uint32_t rules = wedr_ruleset_rule_count(rs);
        (void)printf(a->json ? "],\"files\":%zu,\"rules\":%u,\"refused\":%u}\n"
                             : "%zu files, %u rules, %u refused\n",
                     s.count, rules, refused);
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&s);
    return code;
}

/* --- Looking at them. */

struct listing {
    bool json, first;
};

static int print_rule(void *ctx, const struct wedr_stored_rule *r)
{
    struct listing *l = ctx;
    if (!l->json) {
        wedr_print_text(stdout, r->id, strlen(r->id));
        (void)printf("\t%s\t%u\t%s\t%s\t", r->language, r->version,
                     r->enabled ? "enabled" : "disabled", r->builtin ? "builtin" : "own");
        wedr_print_text(stdout, r->source, strlen(r->source));
        (void)fputc('\t', stdout);
        wedr_print_text(stdout, r->title, strlen(r->title));
        (void)fputc('\n', stdout);
        return 0;
    }
    (void)fputs(l->first ? "[{\"id\":" : ",\n{\"id\":", stdout);
    l->first = false;
    wedr_print_json(stdout, r->id, strlen(r->id));
    (void)printf(",\"language\":\"%s\",\"version\":%u,\"enabled\":%s,\"builtin\":%s,"
                 "\"updated_at\":%" PRId64 ",\"author\":",
                 r->language, r->version, r->enabled ? "true" : "false",
                 r->builtin ? "true" : "false", r->updated_us);
    wedr_print_json(stdout, r->author, strlen(r->author));
    (void)fputs(",\"source\":", stdout);
    wedr_print_json(stdout, r->source, strlen(r->source));
    (void)fputs(",\"title\":", stdout);
    wedr_print_json(stdout, r->title, strlen(r->title));
    (void)fputc('}', stdout);
    return 0;
}

static int list(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct listing l = {a->json, true};
    int err = OPS->rules->each(state, false, print_rule, &l);
    if (err != WEDR_OK) {
        return wedr_main_fail("rules", err, NULL);
    }
    if (a->json) {
        (void)fputs(l.first ? "[]\n" : "]\n", stdout);
    }
    return 0;
}

static int print_text(void *ctx, const struct wedr_stored_rule *r)
{
    (void)ctx;
    return fwrite(r->text, 1, r->text_len, stdout) == r->text_len ? 0 : WEDR_E_IO;
}

static int show(const struct wedr_server_args *a, struct wedr_state *state)
{
    int err = OPS->rules->get(state, a->words[0], (uint32_t)a->version, print_text, NULL);
    return err == WEDR_OK ? 0 : wedr_main_fail(a->words[0], err, NULL);
}

/* --- Changing them. */

static int note_builtin(void *ctx, const struct wedr_stored_rule *r)
{
    *(bool *)ctx = r->builtin;
    return 0;
}

static int remove_one(struct wedr_state *state, const char *id)
{
    bool builtin = false;
    struct wedr_errinfo ei = {""};
    int err = OPS->rules->get(state, id, 0, note_builtin, &builtin);
    if (err == WEDR_OK && builtin) {
        err = wedr_fail(&ei, WEDR_E_PERM, "it comes with the program: disable it instead");
    }
    err = err == WEDR_OK ? OPS->rules->remove(state, id) : err;
    return err == WEDR_OK ? 0 : wedr_main_fail(id, err, &ei);
}

static int each_id(const struct wedr_server_args *a, struct wedr_state *state)
{
    int code = 0;
    for (size_t i = 0; i < a->word_count; i++) {
        if (a->command == WEDR_CMD_RULES_REMOVE) {
            code |= remove_one(state, a->words[i]);
        } else {
            struct wedr_errinfo ei = {""};
            int err = OPS->rules->enable(state, a->words[i], a->command == WEDR_CMD_RULES_ENABLE);
            if (err == WEDR_E_NOENT) {
                (void)wedr_fail(&ei, err,
                                "no stored file has this id; one rule of a file is switched by a "
                                "profile: profile set NAME disable=ID");
            }
            code |= err == WEDR_OK ? 0 : wedr_main_fail(a->words[i], err, &ei);
        }
    }
    return code;
}

static void say_published(void *ctx, const struct wedr_bundle_row *row)
{
    (void)ctx;
    (void)printf("%s\t%s\t%" PRIu64 "\t%u rules\t%" PRIu64 " bytes\n", row->profile, row->os,
                 row->serial, row->rules, row->size);
}

static int publish(const struct wedr_server_args *a, struct wedr_state *state)
{
    uint8_t secret[WEDR_SIGN_SECRET_LEN], pub[WEDR_SIGN_PUBLIC_LEN];
    struct wedr_errinfo ei = {""};
    struct said said = {0};
    uint32_t refused = 0;
    struct wedr_publish p = {.ops = OPS,
                             .state = state,
                             .secret = secret,
                             .now_us = wedr_time_utc_us(),
                             .profile = a->profile,
                             .problem = say_problem,
                             .published = say_published,
                             .ctx = &said};
    int err = wedr_rules_key_open(a->data, secret, pub, &ei);
    err = err == WEDR_OK ? wedr_publish(&p, &refused, &ei) : err;
    wedr_wipe(secret, sizeof(secret));
    return err == WEDR_OK ? 0 : wedr_main_fail("publish", err, &ei);
}

static bool only_reads(enum wedr_server_command c)
{
    return c == WEDR_CMD_RULES_VALIDATE || c == WEDR_CMD_RULES_LIST || c == WEDR_CMD_RULES_SHOW;
}

int wedr_cmd_rules(const struct wedr_server_args *a)
{
    struct wedr_errinfo ei = {""};
    struct wedr_state *state = NULL;
    wedr_handle lock = WEDR_HANDLE_NONE;
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = only_reads(a->command) ? WEDR_OK : wedr_rules_lock(a->data, &lock, &ei);
    err = err == WEDR_OK ? OPS->open(a->data, &state, &ei) : err;
    if (err != WEDR_OK) {
        wedr_fs_close(lock);
        return wedr_main_fail("cannot open the state", err, &ei);
    }
    int code = a->command == WEDR_CMD_RULES_ADD        ? add(a, state)
               : a->command == WEDR_CMD_RULES_VALIDATE ? validate(a, state)
               : a->command == WEDR_CMD_RULES_LIST     ? list(a, state)
               : a->command == WEDR_CMD_RULES_SHOW     ? show(a, state)
               : a->command == WEDR_CMD_RULES_PUBLISH  ? publish(a, state)
                                                       : each_id(a, state);
    OPS->close(state);
    wedr_fs_close(lock);
    return code;
}
