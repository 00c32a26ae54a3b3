/* SPDX-License-Identifier: Apache-2.0
 * login and logout: a session as long as it takes to make an API token, which is kept. */
#include "commands.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "table.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/term.h"
#include <string.h>

#define SECRET_MAX 257u /* a password's 256 bytes and NUL */
#define COOKIE "__Host-wedr_session="
#define DAYS_DEFAULT 30u

struct secrets {
    char password[SECRET_MAX], code[64], fresh[SECRET_MAX];
    char cookie[512], csrf[160];
};

/* The first line, and the second one when ret_second is given; "" for one that is not there. */
static int read_lines(const char *path, char *ret_first, size_t cap, char *ret_second, size_t cap2)
{
    char text[1024];
    size_t len = 0, n = 1;
    bool input = strcmp(path, "-") == 0;
    wedr_handle h = input ? wedr_term_input() : WEDR_HANDLE_NONE;
    int err = input ? WEDR_OK : wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    while (err == WEDR_OK && n > 0 && len < sizeof(text) - 1) {
        err = wedr_fs_read(h, text + len, sizeof(text) - 1 - len, &n);
        len += err == WEDR_OK ? n : 0;
    }
    if (!input) {
        wedr_fs_close(h);
    }
    text[len] = '\0';
    size_t first = strcspn(text, "\r\n");
    const char *rest = text + first;
    rest += *rest == '\r' ? 1 : 0;
    rest += *rest == '\n' ? 1 : 0;
    size_t second = strcspn(rest, "\r\n");
    if (err == WEDR_OK && (first == 0 || first >= cap || (ret_second && second >= cap2))) {
        err = WEDR_E_FORMAT;
    }
    if (err == WEDR_OK) {
        memcpy(ret_first, text, first);
        ret_first[first] = '\0';
    }
    if (err == WEDR_OK && ret_second) {
        memcpy(ret_second, rest, second);
        ret_second[second] = '\0';
    }
    wedr_wipe(text, sizeof(text));
    return err == WEDR_OK ? WEDR_CTL_DONE
                          : wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", path,
                                         err == WEDR_E_FORMAT ? "empty, or a line is too long"
                                                              : wedr_err_text(err));
}

static int ask_person(bool hidden, const char *prompt, char *ret, size_t cap)
{
    struct wedr_errinfo ei = {""};
    int err =
        hidden ? wedr_term_secret(prompt, ret, cap, &ei) : wedr_term_line(prompt, ret, cap, &ei);
    return err == WEDR_OK ? WEDR_CTL_DONE : wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
}

/* Address and fingerprint, from the command line or from the last time. */
static int choose_server(struct wedr_ctl *c)
{
    struct wedr_ctl_context *x = &c->context;
    const char *url = c->args->word_count > 0 ? c->args->words[0] : x->url;
    const char *pin = c->args->text[WEDR_CTL_CA_SHA256];
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    if (len == 0 || len >= sizeof(x->url)) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "which server? wedrctl login https://HOST:PORT");
    }
    bool same = strlen(x->url) == len && memcmp(x->url, url, len) == 0;
    if (!same && !pin) {
        return wedr_ctl_say(WEDR_CTL_USAGE,
                            "--ca-sha256 is needed the first time; on the server: wedr-server ca "
                            "fingerprint");
    }
    if (pin && wedr_fingerprint_parse(pin, x->ca_sha256) != WEDR_OK) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "--ca-sha256 wants 64 hexadecimal digits");
    }
    if (!same) {
        wedr_wipe(x->token, sizeof(x->token));
        x->token_id[0] = '\0';
        memmove(x->url, url, len);
        x->url[len] = '\0';
    }
    const char *proxy = c->args->text[WEDR_CTL_PROXY];
    if (proxy) {
        (void)snprintf(x->proxy, sizeof(x->proxy), "%s", proxy);
    }
    return wedr_ctl_connect(c);
}

/* jansson does not wipe what it frees. */
static void wipe_member(json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (v) {
        wedr_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
}

static int
post_session(struct wedr_ctl *c, struct secrets *s, struct wedr_ctl_ask *ask, json_t **ret)
{
    bool six = strlen(s->code) == 6 && strspn(s->code, "0123456789") == 6;
    json_t *body = json_pack("{s:s, s:s}", "username", c->context.user, "password", s->password);
    if (s->code[0]) {
        (void)json_object_set_new(body, six ? "totp" : "recovery_code", json_string(s->code));
    }
    *ask = (struct wedr_ctl_ask){.method = "POST",
                                 .path = "/session",
                                 .body = body,
                                 .want_header = "Set-Cookie",
                                 .quiet_status = s->code[0] ? 0 : 401};
    int code = body ? wedr_ctl_ask(c, ask, ret) : wedr_ctl_say(WEDR_CTL_FAILED, "no UTF-8");
    wipe_member(body, "password");
    json_decref(body);
    return code;
}

/* The session's cookie and CSRF token into s; *ret_session is the caller's. */
static int begin_session(struct wedr_ctl *c, struct secrets *s, json_t **ret_session)
{
    struct wedr_ctl_ask ask;
    json_t *session = NULL;
    int code = post_session(c, s, &ask, &session);
    if (code != WEDR_CTL_DONE && ask.problem) {
        bool wants_code = json_is_true(json_object_get(ask.problem, "totp_required"));
        const char *detail = wedr_ctl_text(ask.problem, "detail");
        code = wants_code
                   ? ask_person(false, "One-time or recovery code: ", s->code, sizeof(s->code))
                   : wedr_ctl_say(WEDR_CTL_SIGNED_OUT, "%s",
                                  detail[0] ? detail : "user or password are wrong");
        json_decref(ask.problem);
        if (code == WEDR_CTL_DONE) {
            code = post_session(c, s, &ask, &session);
        }
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    size_t n = strcspn(ask.header, "; ");
    if (strncmp(ask.header, COOKIE, strlen(COOKIE)) != 0 || n >= sizeof(s->cookie)) {
        json_decref(session);
        return wedr_ctl_say(WEDR_CTL_FAILED, "the server began no session");
    }
    memcpy(s->cookie, ask.header, n);
    s->cookie[n] = '\0';
    wedr_wipe(ask.header, sizeof(ask.header));
    (void)snprintf(s->csrf, sizeof(s->csrf), "%s", wedr_ctl_text(session, "csrf"));
    *ret_session = session;
    return WEDR_CTL_DONE;
}

/* A request within the session; body may be NULL and is taken. */
static int in_session(struct wedr_ctl *c,
                      const struct secrets *s,
                      const char *method,
                      const char *path,
                      json_t *body,
                      json_t **ret)
{
    struct wedr_ctl_ask ask = {
        .method = method, .path = path, .body = body, .cookie = s->cookie, .csrf = s->csrf};
    int code = wedr_ctl_ask(c, &ask, ret);
    json_decref(body);
    return code;
}

static int change_password(struct wedr_ctl *c, struct secrets *s)
{
    const char *file = c->args->text[WEDR_CTL_NEW_PASSWORD_FILE];
    char again[SECRET_MAX] = "";
    int code = WEDR_CTL_DONE;
    if (file) {
        code = read_lines(file, s->fresh, sizeof(s->fresh), NULL, 0);
    } else {
        code =
            ask_person(true, "The password must be changed. New one: ", s->fresh, sizeof(s->fresh));
        if (code == WEDR_CTL_DONE) {
            code = ask_person(true, "Once more: ", again, sizeof(again));
        }
        if (code == WEDR_CTL_DONE && strcmp(s->fresh, again) != 0) {
            code = wedr_ctl_say(WEDR_CTL_FAILED, "the two are not the same");
        }
    }
    wedr_wipe(again, sizeof(again));
    if (code == WEDR_CTL_DONE) {
        json_t *body = json_pack("{s:s, s:s}", "current", s->password, "new", s->fresh);
        json_t *kept = json_incref(body);
        code = in_session(c, s, "POST", "/account/password", body, NULL);
        wipe_member(kept, "current");
        wipe_member(kept, "new");
        json_decref(kept);
    }
    return code;
}

static int set_totp(struct wedr_ctl *c, struct secrets *s)
{
    static const struct wedr_ctl_column columns[] = {{"secret", "secret", WEDR_CTL_TEXT},
                                                     {"address", "otpauth_uri", WEDR_CTL_TEXT}};
    static const struct wedr_ctl_column codes[] = {
        {"recovery codes", "recovery_codes", WEDR_CTL_TEXT}};
    json_t *secret = NULL, *answer = NULL;
    char code_text[16] = "";
    int code = in_session(c, s, "POST", "/account/totp", json_object(), &secret);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_adds(&c->out, "A second factor is demanded. Put this into your authenticator:\n");
    wedr_ctl_card(c, secret, columns, WEDR_ARRAY_COUNT(columns));
    json_decref(secret);
    code = wedr_ctl_flush(c);
    if (code == WEDR_CTL_DONE) {
        code = ask_person(false, "Its code: ", code_text, sizeof(code_text));
    }
    if (code == WEDR_CTL_DONE) {
        code = in_session(c, s, "PUT", "/account/totp", json_pack("{s:s}", "code", code_text),
                          &answer);
    }
    if (code == WEDR_CTL_DONE) {
        wedr_buf_adds(&c->out, "Keep these; each signs in once without the authenticator:\n");
        wedr_ctl_card(c, answer, codes, WEDR_ARRAY_COUNT(codes));
        code = wedr_ctl_flush(c);
    }
    json_decref(answer);
    return code;
}

json_t *wedr_ctl_words(const char *list)
{
    json_t *out = json_array();
    while (out && *list) {
        size_t n = strcspn(list, ",");
        if (n > 0) {
            (void)json_array_append_new(out, json_stringn(list, n));
        }
        list += n + (list[n] ? 1 : 0);
    }
    return out;
}

/* All that a role may do. */
static const char *scopes_of(const char *role)
{
    return strcmp(role, "admin") == 0       ? "read,triage,respond,admin"
           : strcmp(role, "responder") == 0 ? "read,triage,respond"
           : strcmp(role, "analyst") == 0   ? "read,triage"
                                            : "read";
}

json_t *wedr_ctl_new_token(const struct wedr_ctl_args *a, const char *name, const char *scopes)
{
    uint64_t days = a->number[WEDR_CTL_DAYS] ? a->number[WEDR_CTL_DAYS] : DAYS_DEFAULT;
    const char *asked = a->text[WEDR_CTL_SCOPE];
    return json_pack("{s:s, s:o, s:I}", "name", name, "scopes",
                     wedr_ctl_words(asked ? asked : scopes), "expires_days", (json_int_t)days);
}

static int make_token(struct wedr_ctl *c, const struct secrets *s, const json_t *session)
{
    struct wedr_ctl_context *x = &c->context;
    struct wedr_host host;
    char name[128];
    json_t *token = NULL;
    bool known = wedr_host_info(&host) == WEDR_OK;
    (void)snprintf(name, sizeof(name), "wedrctl on %.64s", known ? host.hostname : "a host");
    json_t *body =
        wedr_ctl_new_token(c->args, name, scopes_of(wedr_ctl_text(session, "user.role")));
    int code = in_session(c, s, "POST", "/tokens", body, &token);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    const char *text = wedr_ctl_text(token, "token");
    if (!text[0] || strlen(text) >= sizeof(x->token)) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "the server made no token");
    } else {
        (void)snprintf(x->token, sizeof(x->token), "%s", text);
        (void)snprintf(x->token_id, sizeof(x->token_id), "%s", wedr_ctl_text(token, "id"));
        (void)snprintf(x->expires, sizeof(x->expires), "%s", wedr_ctl_text(token, "expires"));
    }
    wipe_member(token, "token");
    json_decref(token);
    return code;
}

static int sign_in(struct wedr_ctl *c, struct secrets *s)
{
    struct wedr_ctl_context *x = &c->context;
    const char *file = c->args->text[WEDR_CTL_PASSWORD_FILE];
    const char *user = c->args->text[WEDR_CTL_USER];
    json_t *session = NULL;
    int code = WEDR_CTL_DONE;
    if (user) {
        (void)snprintf(x->user, sizeof(x->user), "%s", user);
    } else if (!x->user[0] || !file) {
        code = ask_person(false, "User: ", x->user, sizeof(x->user));
    }
    if (code == WEDR_CTL_DONE) {
        code = file ? read_lines(file, s->password, sizeof(s->password), s->code, sizeof(s->code))
                    : ask_person(true, "Password: ", s->password, sizeof(s->password));
    }
    if (code == WEDR_CTL_DONE) {
        code = begin_session(c, s, &session);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    if (json_is_true(json_object_get(session, "must_change_password"))) {
        code = change_password(c, s);
    }
    if (code == WEDR_CTL_DONE && json_is_true(json_object_get(session, "must_set_totp"))) {
        code = set_totp(c, s);
    }
    if (code == WEDR_CTL_DONE) {
        code = make_token(c, s, session);
    }
    int ended = in_session(c, s, "DELETE", "/session", NULL, NULL);
    json_decref(session);
    return code == WEDR_CTL_DONE ? ended : code;
}

/* A token that somebody made elsewhere: it must work. */
static int take_token(struct wedr_ctl *c)
{
    struct wedr_ctl_context *x = &c->context;
    json_t *page = NULL;
    int code = read_lines(c->args->text[WEDR_CTL_TOKEN_FILE], x->token, sizeof(x->token), NULL, 0);
    if (code == WEDR_CTL_DONE) {
        x->token_id[0] = x->expires[0] = x->user[0] = '\0';
        code = wedr_ctl_get(c, "/tokens?limit=1", &page);
        json_decref(page);
    }
    return code;
}

/* The token of the last time would otherwise work until it expires. */
static void revoke_old(struct wedr_ctl *c, const char *id)
{
    struct wedr_buf path;
    if (!id[0] || strcmp(id, c->context.token_id) == 0) {
        return;
    }
    wedr_buf_init(&path, 256);
    wedr_buf_adds(&path, "/tokens");
    wedr_ctl_path_add(&path, id);
    struct wedr_ctl_ask ask = {
        .method = "DELETE", .path = (const char *)path.p, .quiet_status = 404};
    (void)wedr_ctl_ask(c, &ask, NULL);
    json_decref(ask.problem);
    wedr_buf_fini(&path);
}

int wedr_ctl_login(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
    struct secrets s = {.password = ""};
    char old[24] = "";
    int err = wedr_ctl_context_load(wedr_ctl_context_name(c->args->text[WEDR_CTL_CONTEXT]),
                                    &c->context, &ei);
    if (err == WEDR_E_INVAL || err == WEDR_E_PERM) {
        return wedr_ctl_say(err == WEDR_E_INVAL ? WEDR_CTL_USAGE : WEDR_CTL_FAILED, "%s", ei.text);
    }
    int code = choose_server(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    (void)snprintf(old, sizeof(old), "%s", c->context.token_id);
    wedr_wipe(c->context.token, sizeof(c->context.token));
    code = wedr_ctl_has(c->args, WEDR_CTL_TOKEN_FILE) ? take_token(c) : sign_in(c, &s);
    wedr_wipe(&s, sizeof(s));
    if (code == WEDR_CTL_DONE && wedr_ctl_context_store(&c->context, &ei) != WEDR_OK) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
    }
    if (code == WEDR_CTL_DONE) {
        revoke_old(c, old);
        wedr_buf_addf(&c->out, "signed in to %s", c->context.url);
        wedr_buf_addf(&c->out, c->context.user[0] ? " as %s\n" : "%s\n", c->context.user);
        code = wedr_ctl_flush(c);
    }
    return code;
}

/* Address and fingerprint stay for the next time. */
int wedr_ctl_logout(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
    struct wedr_buf path;
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    if (c->context.token_id[0]) {
        wedr_buf_init(&path, 256);
        wedr_buf_adds(&path, "/tokens");
        wedr_ctl_path_add(&path, c->context.token_id);
        code = wedr_ctl_send_take(c, "DELETE", (const char *)path.p, NULL, NULL);
        wedr_buf_fini(&path);
    }
    wedr_wipe(c->context.token, sizeof(c->context.token));
    c->context.token_id[0] = c->context.expires[0] = '\0';
    if (wedr_ctl_context_store(&c->context, &ei) != WEDR_OK) {
        return wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
    }
    return code == WEDR_CTL_SIGNED_OUT ? WEDR_CTL_DONE : code;
}
