/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/term.h"
#include <string.h>

#define COOKIE "__Host-wedr_session="

/* The first line, and the second one when ret_second is given; "" for one that is not there. */
int wedr_ctl_read_lines(
    const char *path, char *ret_first, size_t cap, char *ret_second, size_t cap2)
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
    if (err == WEDR_OK && (first == 0 || first >= cap || second >= cap2)) {
        err = WEDR_E_FORMAT;
    }
    if (err == WEDR_OK) {
        (void)snprintf(ret_first, cap, "%.*s", (int)first, text);
        (void)snprintf(ret_second, cap2, "%.*s", (int)second, rest);
    }
    wedr_wipe(text, sizeof(text));
    return err == WEDR_OK ? WEDR_CTL_DONE
                          : wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", path,
                                         err == WEDR_E_FORMAT ? "empty, or a line is too long"
                                                              : wedr_err_text(err));
}

static int wedr_ctl_ask_person(bool hidden, const char *prompt, char *ret, size_t cap)
{
    struct wedr_errinfo ei = {""};
    int err =
        hidden ? wedr_term_secret(prompt, ret, cap, &ei) : wedr_term_line(prompt, ret, cap, &ei);
    return err == WEDR_OK ? WEDR_CTL_DONE : wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
}

void wedr_ctl_wipe_member(json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (v) {
        wedr_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
}

static int
post_session(struct wedr_ctl *c, struct wedr_ctl_session *s, struct wedr_ctl_ask *ask, json_t **ret)
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
    wedr_ctl_wipe_member(body, "password");
    json_decref(body);
    return code;
}

/* The session's cookie and CSRF token into s; *ret_session is the caller's. */
static int begin_session(struct wedr_ctl *c, struct wedr_ctl_session *s, json_t **ret_session)
{
    struct wedr_ctl_ask ask;
    json_t *session = NULL;
    int code = post_session(c, s, &ask, &session);
    if (code != WEDR_CTL_DONE && ask.problem) {
        bool wants_code = json_is_true(json_object_get(ask.problem, "totp_required"));
        const char *detail = wedr_ctl_text(ask.problem, "detail");
        code = wants_code ? wedr_ctl_ask_person(false, "One-time or recovery code: ", s->code,
                                                sizeof(s->code))
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
int wedr_ctl_session_ask(struct wedr_ctl *c,
                         const struct wedr_ctl_session *s,
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

static int change_password(struct wedr_ctl *c, struct wedr_ctl_session *s)
{
    const char *file = c->args->text[WEDR_CTL_NEW_PASSWORD_FILE];
    char again[WEDR_CTL_SECRET_MAX] = "";
    int code = WEDR_CTL_DONE;
    if (file) {
        code = wedr_ctl_read_lines(file, s->fresh, sizeof(s->fresh), again, sizeof(again));
    } else {
        code = wedr_ctl_ask_person(true, "The password must be changed. New one: ", s->fresh,
                                   sizeof(s->fresh));
        if (code == WEDR_CTL_DONE) {
            code = wedr_ctl_ask_person(true, "Once more: ", again, sizeof(again));
        }
        if (code == WEDR_CTL_DONE && strcmp(s->fresh, again) != 0) {
            code = wedr_ctl_say(WEDR_CTL_FAILED, "the two are not the same");
        }
    }
    wedr_wipe(again, sizeof(again));
    if (code == WEDR_CTL_DONE) {
        json_t *body = json_pack("{s:s, s:s}", "current", s->password, "new", s->fresh);
        json_t *kept = json_incref(body);
        code = wedr_ctl_session_ask(c, s, "POST", "/account/password", body, NULL);
        wedr_ctl_wipe_member(kept, "current");
        wedr_ctl_wipe_member(kept, "new");
        json_decref(kept);
    }
    return code;
}

static int set_totp(struct wedr_ctl *c, struct wedr_ctl_session *s)
{
    static const struct wedr_ctl_column columns[] = {{"secret", "secret", WEDR_CTL_TEXT},
                                                     {"address", "otpauth_uri", WEDR_CTL_TEXT}};
    static const struct wedr_ctl_column codes[] = {
        {"recovery codes", "recovery_codes", WEDR_CTL_TEXT}};
    json_t *secret = NULL, *answer = NULL;
    char code_text[16] = "";
    json_t *body = json_pack("{s:s}", "password", s->fresh[0] ? s->fresh : s->password);
    json_t *kept = json_incref(body);
    int code = wedr_ctl_session_ask(c, s, "POST", "/account/totp", body, &secret);
    wedr_ctl_wipe_member(kept, "password");
    json_decref(kept);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_adds(&c->out, "A second factor is demanded. Put this into your authenticator:\n");
    wedr_ctl_card(c, secret, columns, WEDR_ARRAY_COUNT(columns));
    json_decref(secret);
    code = wedr_ctl_flush(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_ask_person(false, "Its code: ", code_text, sizeof(code_text));
    }
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_session_ask(c, s, "PUT", "/account/totp",
                                    json_pack("{s:s}", "code", code_text), &answer);
    }
    if (code == WEDR_CTL_DONE) {
        wedr_buf_adds(&c->out, "Keep these; each signs in once without the authenticator:\n");
        wedr_ctl_card(c, answer, codes, WEDR_ARRAY_COUNT(codes));
        code = wedr_ctl_flush(c);
    }
    json_decref(answer);
    return code;
}

int wedr_ctl_session_begin(struct wedr_ctl *c, struct wedr_ctl_session *s, json_t **ret_session)
{
    struct wedr_ctl_context *x = &c->context;
    const char *file = c->args->text[WEDR_CTL_PASSWORD_FILE];
    const char *user = c->args->text[WEDR_CTL_USER];
    json_t *session = NULL;
    int code = WEDR_CTL_DONE;
    if (user) {
        (void)snprintf(x->user, sizeof(x->user), "%s", user);
    } else if (!x->user[0]) {
        code = wedr_ctl_ask_person(false, "User: ", x->user, sizeof(x->user));
    }
    if (code == WEDR_CTL_DONE) {
        code = file ? wedr_ctl_read_lines(file, s->password, sizeof(s->password), s->code,
                                          sizeof(s->code))
                    : wedr_ctl_ask_person(true, "Password: ", s->password, sizeof(s->password));
    }
    if (code == WEDR_CTL_DONE) {
        code = begin_session(c, s, &session);
    }
    if (code == WEDR_CTL_DONE && json_is_true(json_object_get(session, "must_change_password"))) {
        code = change_password(c, s);
    }
    if (code == WEDR_CTL_DONE && json_is_true(json_object_get(session, "must_set_totp"))) {
        code = set_totp(c, s);
    }
    if (code != WEDR_CTL_DONE) {
        wedr_ctl_session_end(c, s);
        json_decref(session);
        return code;
    }
    *ret_session = session;
    return code;
}

void wedr_ctl_session_end(struct wedr_ctl *c, struct wedr_ctl_session *s)
{
    struct wedr_ctl_ask ask = {
        .method = "DELETE", .path = "/session", .cookie = s->cookie, .csrf = s->csrf};
    if (s->cookie[0]) {
        (void)wedr_ctl_ask(c, &ask, NULL);
    }
    wedr_wipe(s, sizeof(*s));
}
