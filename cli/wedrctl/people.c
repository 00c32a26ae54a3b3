/* SPDX-License-Identifier: Apache-2.0
 * Users, API tokens, enrolment tokens. */
#include "commands.h"
#include "session.h"
#include <string.h>

#define PATH_BYTES 512u

static int
list(struct wedr_ctl *c, const char *path, const struct wedr_ctl_column *columns, size_t count)
{
    int code = wedr_ctl_open(c);
    return code == WEDR_CTL_DONE ? wedr_ctl_list(c, path, columns, count, NULL) : code;
}

/* DELETE of each id that stands as a word; stops at the first that fails. */
static int revoke(struct wedr_ctl *c, const char *base)
{
    int code = wedr_ctl_open(c);
    for (size_t i = 0; i < c->args->word_count && code == WEDR_CTL_DONE; i++) {
        struct wedr_buf path;
        wedr_buf_init(&path, PATH_BYTES);
        wedr_buf_adds(&path, base);
        wedr_ctl_path_add(&path, c->args->words[i]);
        code = wedr_ctl_send_take(c, "DELETE", (const char *)path.p, NULL, NULL);
        wedr_buf_fini(&path);
    }
    return code;
}

/* --- API tokens: an API token does not make or see others, so these ask for the password. --- */

static int begin(struct wedr_ctl *c, struct wedr_ctl_session *s)
{
    json_t *session = NULL;
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_session_begin(c, s, &session);
    }
    json_decref(session);
    return code;
}

int wedr_ctl_token_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {
        {"ID", "id", WEDR_CTL_COUNT},          {"NAME", "name", WEDR_CTL_LONG},
        {"OWNER", "owner", WEDR_CTL_TEXT},     {"SCOPES", "scopes", WEDR_CTL_TEXT},
        {"EXPIRES", "expires", WEDR_CTL_TIME}, {"LAST USED", "last_used", WEDR_CTL_TIME}};
    struct wedr_ctl_session s = {.password = ""};
    int code = begin(c, &s);
    if (code == WEDR_CTL_DONE) {
        c->cookie = s.cookie;
        code = wedr_ctl_list(c, "/tokens", columns, WEDR_ARRAY_COUNT(columns), NULL);
        c->cookie = NULL;
        wedr_ctl_session_end(c, &s);
    }
    return code;
}

int wedr_ctl_token_create(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"id", "id", WEDR_CTL_TEXT},
                                                     {"scopes", "scopes", WEDR_CTL_TEXT},
                                                     {"expires", "expires", WEDR_CTL_TIME},
                                                     {"token", "token", WEDR_CTL_TEXT}};
    struct wedr_ctl_session s = {.password = ""};
    json_t *token = NULL;
    json_t *body = wedr_ctl_new_token(c->args, c->args->words[0], "read");
    if (!body) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "the name is no UTF-8");
    }
    int code = begin(c, &s);
    if (code != WEDR_CTL_DONE) {
        json_decref(body);
        return code;
    }
    code = wedr_ctl_session_ask(c, &s, "POST", "/tokens", body, &token);
    wedr_ctl_session_end(c, &s);
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, token, columns, WEDR_ARRAY_COUNT(columns))
                                 : code;
}

int wedr_ctl_token_revoke(struct wedr_ctl *c)
{
    struct wedr_ctl_session s = {.password = ""};
    int code = begin(c, &s);
    for (size_t i = 0; i < c->args->word_count && code == WEDR_CTL_DONE; i++) {
        struct wedr_buf path;
        wedr_buf_init(&path, PATH_BYTES);
        wedr_buf_adds(&path, "/tokens");
        wedr_ctl_path_add(&path, c->args->words[i]);
        code = wedr_ctl_session_ask(c, &s, "DELETE", (const char *)path.p, NULL, NULL);
        wedr_buf_fini(&path);
    }
    wedr_ctl_session_end(c, &s);
    return code;
}

/* --- Enrolment tokens. --- */

int wedr_ctl_enroll_token_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {
        {"ID", "id", WEDR_CTL_COUNT},          {"USES LEFT", "uses_left", WEDR_CTL_COUNT},
        {"GROUP", "group", WEDR_CTL_TEXT},     {"CREATED", "created", WEDR_CTL_TIME},
        {"EXPIRES", "expires", WEDR_CTL_TIME}, {"NOTE", "note", WEDR_CTL_LONG}};
    return list(c, "/enrollment-tokens", columns, WEDR_ARRAY_COUNT(columns));
}

int wedr_ctl_enroll_token_create(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {
        {"id", "id", WEDR_CTL_TEXT},           {"group", "group", WEDR_CTL_TEXT},
        {"uses", "uses_left", WEDR_CTL_COUNT}, {"expires", "expires", WEDR_CTL_TIME},
        {"token", "token", WEDR_CTL_TEXT},     {"CA", "ca_sha256", WEDR_CTL_TEXT},
        {"command", "command", WEDR_CTL_TEXT}};
    static const struct {
        const char *key;
        enum wedr_ctl_option option;
        bool number;
    } parts[] = {{"uses", WEDR_CTL_USES, true},
                 {"hours", WEDR_CTL_HOURS, true},
                 {"group", WEDR_CTL_GROUP, false},
                 {"note", WEDR_CTL_NOTE, false}};
    json_t *body = json_object(), *token = NULL;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(parts); i++) {
        const char *text = c->args->text[parts[i].option];
        if (text) {
            (void)json_object_set_new(
                body, parts[i].key,
                parts[i].number ? json_integer((json_int_t)c->args->number[parts[i].option])
                                : json_string(text));
        }
    }
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        json_decref(body);
        return code;
    }
    code = wedr_ctl_send_take(c, "POST", "/enrollment-tokens", body, &token);
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, token, columns, WEDR_ARRAY_COUNT(columns))
                                 : code;
}

int wedr_ctl_enroll_token_revoke(struct wedr_ctl *c)
{
    return revoke(c, "/enrollment-tokens");
}

/* --- Users. --- */

static const struct wedr_ctl_column user_card[] = {
    {"id", "id", WEDR_CTL_TEXT},
    {"user", "username", WEDR_CTL_TEXT},
    {"name", "display_name", WEDR_CTL_TEXT},
    {"role", "role", WEDR_CTL_TEXT},
    {"groups", "groups", WEDR_CTL_TEXT},
    {"disabled", "disabled", WEDR_CTL_TEXT},
    {"second factor", "totp", WEDR_CTL_TEXT},
    {"locked until", "locked_until", WEDR_CTL_TIME},
    {"created", "created", WEDR_CTL_TIME},
    {"last seen", "last_seen", WEDR_CTL_TIME},
    {"must change password", "must_change_password", WEDR_CTL_TEXT},
    {"password", "password", WEDR_CTL_TEXT}};

int wedr_ctl_user_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {
        {"ID", "id", WEDR_CTL_COUNT},
        {"USER", "username", WEDR_CTL_TEXT},
        {"NAME", "display_name", WEDR_CTL_LONG},
        {"ROLE", "role", WEDR_CTL_TEXT},
        {"GROUPS", "groups", WEDR_CTL_LONG},
        {"TOTP", "totp", WEDR_CTL_TEXT},
        {"DISABLED", "disabled", WEDR_CTL_TEXT},
        {"LOCKED UNTIL", "locked_until", WEDR_CTL_TIME},
        {"LAST SEEN", "last_seen", WEDR_CTL_TIME}};
    return list(c, "/users", columns, WEDR_ARRAY_COUNT(columns));
}

/* Looks for a user by name or id in a page of /users. */
struct search {
    const char *name;
    char id[24];
    bool by_name;
};

static int look(void *arg, const json_t *items)
{
    struct search *s = arg;
    size_t i = 0;
    const json_t *user = NULL;
    json_array_foreach(items, i, user)
    {
        bool named = strcmp(wedr_ctl_text(user, "username"), s->name) == 0;
        if (named || (!s->by_name && strcmp(wedr_ctl_text(user, "id"), s->name) == 0)) {
            (void)snprintf(s->id, sizeof(s->id), "%s", wedr_ctl_text(user, "id"));
            s->by_name = named;
        }
    }
    return WEDR_CTL_DONE;
}

/* "/users/{id}" of the user that the first word names, and `rest` behind it. */
static int user_path(struct wedr_ctl *c, const char *rest, struct wedr_buf *ret_path)
{
    struct search s = {.name = c->args->words[0]};
    struct wedr_ctl_args every = *c->args;
    const struct wedr_ctl_args *own = c->args;
    every.text[WEDR_CTL_ALL] = "";
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        c->args = &every;
        code = wedr_ctl_pages(c, "/users", look, &s);
        c->args = own;
    }
    if (code == WEDR_CTL_DONE && !s.id[0]) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "there is no user %s", s.name);
    }
    wedr_buf_init(ret_path, PATH_BYTES);
    wedr_buf_adds(ret_path, "/users");
    wedr_ctl_path_add(ret_path, s.id);
    wedr_buf_adds(ret_path, rest);
    return code;
}

/* A request about one user; what it answers is printed as a card. body may be NULL and is taken. */
static int on_user(struct wedr_ctl *c, const char *method, const char *rest, json_t *body)
{
    struct wedr_buf path;
    json_t *answer = NULL;
    int code = user_path(c, rest, &path);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_send_take(c, method, (const char *)path.p, body,
                                  strcmp(method, "DELETE") == 0 ? NULL : &answer);
    } else {
        json_decref(body);
    }
    wedr_buf_fini(&path);
    return code == WEDR_CTL_DONE && answer
               ? wedr_ctl_card_take(c, answer, user_card, WEDR_ARRAY_COUNT(user_card))
               : code;
}

int wedr_ctl_user_show(struct wedr_ctl *c)
{
    return on_user(c, "GET", "", NULL);
}

/* What --role, --groups and --display-name say. */
static json_t *user_body(const struct wedr_ctl_args *a)
{
    json_t *body = json_object();
    const char *groups = a->text[WEDR_CTL_GROUPS];
    if (a->text[WEDR_CTL_ROLE]) {
        (void)json_object_set_new(body, "role", json_string(a->text[WEDR_CTL_ROLE]));
    }
    if (a->text[WEDR_CTL_DISPLAY_NAME]) {
        (void)json_object_set_new(body, "display_name",
                                  json_string(a->text[WEDR_CTL_DISPLAY_NAME]));
    }
    if (groups) {
        (void)json_object_set_new(
            body, "groups", strcmp(groups, "all") == 0 ? json_null() : wedr_ctl_words(groups));
    }
    return body;
}

int wedr_ctl_user_create(struct wedr_ctl *c)
{
    json_t *user = NULL;
    if (!c->args->text[WEDR_CTL_ROLE]) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "--role is needed");
    }
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        json_t *body = user_body(c->args);
        (void)json_object_set_new(body, "username", json_string(c->args->words[0]));
        code = wedr_ctl_send_take(c, "POST", "/users", body, &user);
    }
    return code == WEDR_CTL_DONE
               ? wedr_ctl_card_take(c, user, user_card, WEDR_ARRAY_COUNT(user_card))
               : code;
}

int wedr_ctl_user_set(struct wedr_ctl *c)
{
    bool disable = wedr_ctl_has(c->args, WEDR_CTL_DISABLE);
    bool enable = wedr_ctl_has(c->args, WEDR_CTL_ENABLE);
    if (disable && enable) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "either --disable or --enable");
    }
    json_t *body = user_body(c->args);
    if (disable || enable) {
        (void)json_object_set_new(body, "disabled", json_boolean(disable));
    }
    if (json_object_size(body) == 0) {
        json_decref(body);
        return wedr_ctl_say(WEDR_CTL_USAGE,
                            "what? --role, --groups, --display-name, --disable or --enable");
    }
    return on_user(c, "PATCH", "", body);
}

int wedr_ctl_user_reset_password(struct wedr_ctl *c)
{
    return on_user(c, "POST", "/reset-password", NULL);
}

int wedr_ctl_user_unlock(struct wedr_ctl *c)
{
    return on_user(c, "POST", "/unlock", NULL);
}

int wedr_ctl_user_remove_totp(struct wedr_ctl *c)
{
    return on_user(c, "DELETE", "/totp", NULL);
}

int wedr_ctl_user_delete(struct wedr_ctl *c)
{
    return on_user(c, "DELETE", "", NULL);
}
