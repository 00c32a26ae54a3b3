/* SPDX-License-Identifier: Apache-2.0
 * login and logout: a session as long as it takes to make an API token, which is kept. */
#include "commands.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "session.h"
#include "wedr/plat/proc.h"
#include <string.h>

#define DAYS_DEFAULT 30u

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

static int make_token(struct wedr_ctl *c, const struct wedr_ctl_session *s, const json_t *session)
{
    struct wedr_ctl_context *x = &c->context;
    struct wedr_host host;
    char name[128];
    json_t *token = NULL;
    bool known = wedr_host_info(&host) == WEDR_OK;
    (void)snprintf(name, sizeof(name), "wedrctl on %.64s", known ? host.hostname : "a host");
    json_t *body =
        wedr_ctl_new_token(c->args, name, scopes_of(wedr_ctl_text(session, "user.role")));
    int code = wedr_ctl_session_ask(c, s, "POST", "/tokens", body, &token);
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
    wedr_ctl_wipe_member(token, "token");
    json_decref(token);
    return code;
}

static void token_path(struct wedr_buf *path, const char *id)
{
    wedr_buf_init(path, 256);
    wedr_buf_adds(path, "/tokens");
    wedr_ctl_path_add(path, id);
}

/* old: id of the token of the time before, which would otherwise work until it expires. */
static int sign_in(struct wedr_ctl *c, const char *old)
{
    struct wedr_ctl_session s = {.password = ""};
    struct wedr_buf path;
    json_t *session = NULL;
    int code = wedr_ctl_session_begin(c, &s, &session);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    code = make_token(c, &s, session);
    if (code == WEDR_CTL_DONE && old[0]) {
        token_path(&path, old);
        struct wedr_ctl_ask ask = {.method = "DELETE",
                                   .path = (const char *)path.p,
                                   .cookie = s.cookie,
                                   .csrf = s.csrf,
                                   .quiet_status = 404};
        (void)wedr_ctl_ask(c, &ask, NULL);
        json_decref(ask.problem);
        wedr_buf_fini(&path);
    }
    wedr_ctl_session_end(c, &s);
    json_decref(session);
    return code;
}

/* A token that somebody made elsewhere: it must work. */
static int take_token(struct wedr_ctl *c)
{
    char rest[64];
    struct wedr_ctl_context *x = &c->context;
    int code = wedr_ctl_read_lines(c->args->text[WEDR_CTL_TOKEN_FILE], x->token, sizeof(x->token),
                                   rest, sizeof(rest));
    x->token_id[0] = x->expires[0] = x->user[0] = '\0';
    if (code == WEDR_CTL_DONE) { /* 403: it works, but not for reading */
        struct wedr_ctl_ask ask = {.path = "/endpoints?limit=1", .quiet_status = 403};
        code = wedr_ctl_ask(c, &ask, NULL);
        code = ask.status == 403 ? WEDR_CTL_DONE : code;
        json_decref(ask.problem);
    }
    return code;
}

int wedr_ctl_login(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
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
    code = wedr_ctl_has(c->args, WEDR_CTL_TOKEN_FILE) ? take_token(c) : sign_in(c, old);
    if (code == WEDR_CTL_DONE && wedr_ctl_context_store(&c->context, &ei) != WEDR_OK) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
    }
    if (code == WEDR_CTL_DONE) {
        wedr_buf_addf(&c->out, "signed in to %s", c->context.url);
        wedr_buf_addf(&c->out, c->context.user[0] ? " as %s\n" : "%s\n", c->context.user);
        code = wedr_ctl_flush(c);
    }
    return code;
}

/* A server before /token: with the password. */
static int revoke_in_session(struct wedr_ctl *c)
{
    struct wedr_ctl_session s = {.password = ""};
    struct wedr_buf path;
    json_t *session = NULL;
    token_path(&path, c->context.token_id);
    wedr_wipe(c->context.token, sizeof(c->context.token));
    int code = wedr_ctl_session_begin(c, &s, &session);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_session_ask(c, &s, "DELETE", (const char *)path.p, NULL, NULL);
        wedr_ctl_session_end(c, &s);
    }
    json_decref(session);
    wedr_buf_fini(&path);
    return code;
}

/* With the token itself. */
static int revoke_own(struct wedr_ctl *c)
{
    if (!c->context.token_id[0]) {
        return wedr_ctl_say(WEDR_CTL_DONE,
                            "the token was made elsewhere: it is forgotten, not revoked");
    }
    struct wedr_ctl_ask ask = {.method = "DELETE", .path = "/token", .quiet_status = 404};
    int code = wedr_ctl_ask(c, &ask, NULL);
    if (code != WEDR_CTL_DONE && ask.status == 404) {
        code = revoke_in_session(c);
    }
    json_decref(ask.problem);
    return ask.status == 401 ? WEDR_CTL_DONE : code; /* it is revoked already */
}

/* Address, fingerprint and user stay for the next time. */
int wedr_ctl_logout(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    code = revoke_own(c);
    if (code == WEDR_CTL_DONE) {
        wedr_wipe(c->context.token, sizeof(c->context.token));
        c->context.token_id[0] = c->context.expires[0] = '\0';
        if (wedr_ctl_context_store(&c->context, &ei) != WEDR_OK) {
            code = wedr_ctl_say(WEDR_CTL_FAILED, "%s", ei.text);
        }
    }
    return code;
}
