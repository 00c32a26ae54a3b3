/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/profile.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "main/commands.h"
#include "store/print.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define OPS (&wedr_state_sqlite)

struct listing {
    bool json, first;
};

static void put_key(const char *key, const char *value)
{
    (void)printf(",\"%s\":", key);
    wedr_print_json(stdout, value, strlen(value));
}

static int print_profile(void *ctx, const struct wedr_profile *p, uint32_t agents)
{
    struct listing *l = ctx;
    const char *severity = wedr_severity_name(p->severity_min);
    if (!l->json) {
        (void)printf("%s\t%u agents\trules=%s\tmin_severity=%s\tkill=%s\ttags=%s\tenable=%s\t"
                     "disable=%s\n",
                     p->name, agents, p->all ? "all" : "none", severity,
                     p->kill_allowed ? "yes" : "no", p->tags, p->enable, p->disable);
        for (const char *at = p->sensor; *at; at += strcspn(at, "\n") + 1) {
            (void)printf("\t%.*s\n", (int)strcspn(at, "\n"), at);
        }
        return 0;
    }
    (void)printf("%s{\"name\":\"%s\",\"agents\":%u,\"rules\":\"%s\",\"min_severity\":\"%s\","
                 "\"kill\":%s",
                 l->first ? "[" : ",\n", p->name, agents, p->all ? "all" : "none", severity,
                 p->kill_allowed ? "true" : "false");
    put_key("tags", p->tags);
    put_key("enable", p->enable);
    put_key("disable", p->disable);
    put_key("sensor", p->sensor);
    (void)fputc('}', stdout);
    l->first = false;
    return 0;
}

static int list(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct listing l = {a->json, true};
    int err = OPS->rules->profile_each(state, print_profile, &l);
    if (err == WEDR_OK && a->json) {
        (void)fputs(l.first ? "[]\n" : "]\n", stdout);
    }
    return err == WEDR_OK ? 0 : wedr_main_fail("profile", err, NULL);
}

static int set(const struct wedr_server_args *a, struct wedr_state *state)
{
    static struct wedr_profile p;
    struct wedr_errinfo ei = {""};
    const char *name = a->words[0];
    if (!wedr_profile_name_valid(name)) {
        return wedr_main_fail(name, WEDR_E_INVAL, NULL);
    }
    int err = OPS->rules->profile_get(state, name, &p);
    if (err == WEDR_E_NOENT) {
        p = (struct wedr_profile){.all = true};
        (void)snprintf(p.name, sizeof(p.name), "%s", name);
        err = WEDR_OK;
    }
    for (size_t i = 1; err == WEDR_OK && i < a->word_count; i++) {
        err = wedr_profile_change(&p, a->words[i], &ei);
    }
    err = err == WEDR_OK ? OPS->rules->profile_put(state, &p) : err;
    if (err != WEDR_OK) {
        return wedr_main_fail("profile", err, &ei);
    }
    (void)puts("stored; `wedr-server rules publish` puts it into force");
    return 0;
}

static int assign(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct wedr_errinfo ei = {""};
    int err = OPS->rules->profile_assign(state, a->words[0], a->words[1]);
    if (err == WEDR_E_NOENT) {
        (void)wedr_fail(&ei, err, "no such agent, or no profile %.64s", a->words[1]);
    }
    return err == WEDR_OK ? 0 : wedr_main_fail(a->words[0], err, &ei);
}

static int print_list(void *ctx, const char *name, const char *text, size_t len)
{
    size_t lines = 0;
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    lines += len && text[len - 1] != '\n';
    wedr_print_text(stdout, name, strlen(name));
    (void)printf("\t%zu lines\n", lines);
    return 0;
}

static int set_list(const struct wedr_server_args *a, struct wedr_state *state)
{
    struct wedr_buf text;
    wedr_handle f = WEDR_HANDLE_NONE;
    wedr_buf_init(&text, WEDR_RULE_SOURCE_TEXT_MAX);
    int err = wedr_fs_open(a->words[1], WEDR_FS_READ, 0, &f);
    err = err == WEDR_OK ? wedr_fs_read_all(f, &text) : err;
    err = err == WEDR_OK ? OPS->rules->list_put(state, a->words[0], text.p ? (char *)text.p : "",
                                                text.len, wedr_time_utc_us())
                         : err;
    wedr_fs_close(f);
    wedr_buf_fini(&text);
    return err == WEDR_OK ? 0 : wedr_main_fail(a->words[1], err, NULL);
}

static int with_state(const struct wedr_server_args *a,
                      int (*fn)(const struct wedr_server_args *a, struct wedr_state *state))
{
    struct wedr_errinfo ei = {""};
    struct wedr_state *state = NULL;
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = OPS->open(a->data, &state, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot open the state", err, &ei);
    }
    int code = fn(a, state);
    OPS->close(state);
    return code;
}

static int list_lists(const struct wedr_server_args *a, struct wedr_state *state)
{
    (void)a;
    int err = OPS->rules->list_each(state, print_list, NULL);
    return err == WEDR_OK ? 0 : wedr_main_fail("lists", err, NULL);
}

static int remove_list(const struct wedr_server_args *a, struct wedr_state *state)
{
    int err = OPS->rules->list_remove(state, a->words[0]);
    return err == WEDR_OK ? 0 : wedr_main_fail(a->words[0], err, NULL);
}

int wedr_cmd_profile(const struct wedr_server_args *a)
{
    return with_state(a, a->command == WEDR_CMD_PROFILE_SET      ? set
                         : a->command == WEDR_CMD_PROFILE_ASSIGN ? assign
                                                                 : list);
}

int wedr_cmd_lists(const struct wedr_server_args *a)
{
    return with_state(a, a->command == WEDR_CMD_LISTS_SET      ? set_list
                         : a->command == WEDR_CMD_LISTS_REMOVE ? remove_list
                                                               : list_lists);
}
