/* SPDX-License-Identifier: Apache-2.0 */
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ctl.h"
#include <string.h>

#define BASE "/api/v1"
#define PATH_BYTES 4000u
#define PAGE_MAX 1000u
#define LIMIT_DEFAULT 100u
#define CONNECT_MS 10000u
#define ANSWER_MS 120000u
#define SILENCE_MS 60000u /* the server writes at least every 15 s */
#define JSON_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

int wedr_ctl_connect(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
    const char *proxy = c->args->text[WEDR_CTL_PROXY];
    struct wedr_http_cfg cfg = {.base_url = c->context.url,
                                .ca_sha256 = c->context.ca_sha256,
                                .proxy = proxy                 ? proxy
                                         : c->context.proxy[0] ? c->context.proxy
                                                               : NULL,
                                .connect_timeout_ms = CONNECT_MS,
                                .total_timeout_ms = ANSWER_MS,
                                .user_agent = "wedrctl"};
    wedr_http_free(c->http);
    c->http = NULL;
    int err = wedr_http_new(&cfg, &c->http, &ei);
    return err == WEDR_OK ? WEDR_CTL_DONE : wedr_ctl_say(WEDR_CTL_USAGE, "%s", ei.text);
}

int wedr_ctl_open(struct wedr_ctl *c)
{
    struct wedr_errinfo ei = {""};
    const char *name = wedr_ctl_context_name(c->args->text[WEDR_CTL_CONTEXT]);
    int err = wedr_ctl_context_load(name, &c->context, &ei);
    if (err != WEDR_OK) {
        return wedr_ctl_say(err == WEDR_E_INVAL   ? WEDR_CTL_USAGE
                            : err == WEDR_E_NOENT ? WEDR_CTL_SIGNED_OUT
                                                  : WEDR_CTL_FAILED,
                            "%s", ei.text);
    }
    if (!c->context.token[0]) {
        return wedr_ctl_say(WEDR_CTL_SIGNED_OUT, "signed out of %s: wedrctl login", c->context.url);
    }
    return wedr_ctl_connect(c);
}

/* What RFC 3986 calls unreserved stays. */
static void add_encoded(struct wedr_buf *out, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *s; s++) {
        unsigned char b = (unsigned char)*s;
        bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
                     strchr("-._~", b) != NULL;
        char text[3] = {'%', hex[b >> 4], hex[b & 15]};
        wedr_buf_add(out, plain ? s : text, plain ? 1 : sizeof(text));
    }
}

void wedr_ctl_path_add(struct wedr_buf *path, const char *segment)
{
    wedr_buf_adds(path, "/");
    add_encoded(path, segment);
}

void wedr_ctl_path_param(struct wedr_buf *path, const char *name, const char *value)
{
    bool more = path->p && memchr(path->p, '?', path->len) != NULL;
    wedr_buf_adds(path, more ? "&" : "?");
    add_encoded(path, name);
    wedr_buf_adds(path, "=");
    add_encoded(path, value);
}

struct answer {
    int err, status;
    char error[256];
    uint32_t retry_after_s;
    json_t *json; /* NULL: no body, or none that is JSON */
    bool body;
    char *header; /* WEDR_HTTP_HEADER_MAX, or NULL */
    wedr_ctl_piece_fn *fn;
    void *arg;
    int code; /* what fn returned */
};

static void on_done(void *arg, const struct wedr_http_response *r)
{
    struct answer *a = arg;
    a->err = r->err;
    a->status = r->status;
    a->retry_after_s = r->retry_after_s;
    a->body = r->body_len > 0;
    (void)snprintf(a->error, sizeof(a->error), "%s",
                   r->error_text ? r->error_text : wedr_err_text(r->err));
    a->json = json_loadb((const char *)r->body, r->body_len, JSON_FLAGS, NULL);
    if (a->header) {
        (void)snprintf(a->header, WEDR_HTTP_HEADER_MAX, "%s", r->header ? r->header : "");
    }
}

static int on_piece(void *arg, const void *p, size_t n)
{
    struct answer *a = arg;
    a->code = a->fn(a->arg, p, n);
    return a->code;
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

/* One line of a problem document. */
static int say_problem(const struct wedr_ctl *c, const struct answer *a)
{
    char when[48] = "", place[64] = "";
    const char *title = text_of(a->json, "title");
    const char *detail = text_of(a->json, "detail");
    int code = a->status == 401   ? WEDR_CTL_SIGNED_OUT
               : a->status == 403 ? WEDR_CTL_REFUSED
                                  : WEDR_CTL_FAILED;
    const json_t *line = json_object_get(a->json, "line");
    if (json_is_integer(line)) {
        (void)snprintf(place, sizeof(place),
                       "line %lld, column %lld: ", (long long)json_integer_value(line),
                       (long long)json_integer_value(json_object_get(a->json, "column")));
    }
    if (a->retry_after_s > 0) {
        (void)snprintf(when, sizeof(when), "; try again in %u s", a->retry_after_s);
    }
    if (!title[0] && !detail[0]) {
        return wedr_ctl_say(code, "%s answers HTTP %d%s", c->context.url, a->status, when);
    }
    return wedr_ctl_say(code, "%s%s%s%s%s", title, title[0] && detail[0] ? ": " : "", place, detail,
                        when);
}

/* Bearer token, or the session of a sign-in. */
static size_t set_headers(const struct wedr_ctl *c,
                          const struct wedr_ctl_ask *ask,
                          char bearer[128],
                          struct wedr_http_header ret[6])
{
    size_t n = 0;
    if (ask->cookie || c->cookie) {
        ret[n++] = (struct wedr_http_header){"Cookie", ask->cookie ? ask->cookie : c->cookie};
        ret[n++] = (struct wedr_http_header){"X-CSRF-Token", ask->csrf ? ask->csrf : ""};
    } else if (c->context.token[0]) {
        (void)snprintf(bearer, 128, "Bearer %s", c->context.token);
        ret[n++] = (struct wedr_http_header){"Authorization", bearer};
    }
    if (ask->body) {
        ret[n++] = (struct wedr_http_header){"Content-Type", "application/json"};
    }
    if (ask->last_event_id) {
        ret[n++] = (struct wedr_http_header){"Last-Event-ID", ask->last_event_id};
    }
    if (ask->if_match) {
        ret[n++] = (struct wedr_http_header){"If-Match", ask->if_match};
    }
    return n;
}

static int exchange(struct wedr_ctl *c, const struct wedr_ctl_ask *ask, struct answer *a)
{
    char path[PATH_BYTES], bearer[128];
    struct wedr_http_header headers[6];
    char *body = ask->body ? json_dumps(ask->body, JSON_COMPACT) : NULL;
    int n = snprintf(path, sizeof(path), BASE "%s", ask->path);
    if (n < 0 || (size_t)n >= sizeof(path) || (ask->body && !body)) {
        return wedr_ctl_say(WEDR_CTL_FAILED, "%s",
                            body || !ask->body ? "the request is too long" : "out of memory");
    }
    struct wedr_http_request rq = {.method = ask->method ? ask->method : "GET",
                                   .path = path,
                                   .headers = headers,
                                   .header_count = set_headers(c, ask, bearer, headers),
                                   .body = body,
                                   .body_len = body ? strlen(body) : 0,
                                   .response_max = WEDR_CTL_ANSWER_MAX,
                                   .piece = a->fn ? on_piece : NULL,
                                   .silence_ms = a->fn ? SILENCE_MS : 0,
                                   .want_header = ask->want_header};
    int err = wedr_http_once(c->http, &rq, on_done, a);
    wedr_wipe(bearer, sizeof(bearer));
    if (body) {
        wedr_wipe(body, rq.body_len); /* may be a password */
    }
    wedr_ctl_json_free(body);
    if (err != WEDR_OK) {
        return wedr_ctl_say(WEDR_CTL_FAILED, "%s", wedr_err_text(err));
    }
    return WEDR_CTL_DONE;
}

int wedr_ctl_ask(struct wedr_ctl *c, struct wedr_ctl_ask *ask, json_t **ret_json)
{
    struct answer a = {.header = ask->want_header ? ask->header : NULL};
    int code = exchange(c, ask, &a);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    ask->status = a.status;
    bool good = a.status >= 200 && a.status < 300;
    if (a.err != WEDR_OK) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", c->context.url, a.error);
    } else if (!good && a.status == ask->quiet_status) {
        ask->problem = json_incref(a.json);
        code = WEDR_CTL_FAILED;
    } else if (!good) {
        code = say_problem(c, &a);
    } else if (ret_json && a.status != 204 && !a.json) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s sent something that is no JSON", c->context.url);
    } else if (ret_json) {
        *ret_json = json_incref(a.json);
    }
    json_decref(a.json);
    return code;
}

int wedr_ctl_get(struct wedr_ctl *c, const char *path, json_t **ret_json)
{
    struct wedr_ctl_ask ask = {.path = path};
    return wedr_ctl_ask(c, &ask, ret_json);
}

int wedr_ctl_send_take(
    struct wedr_ctl *c, const char *method, const char *path, json_t *body, json_t **ret_json)
{
    struct wedr_ctl_ask ask = {.method = method, .path = path, .body = body};
    int code = wedr_ctl_ask(c, &ask, ret_json);
    json_decref(body);
    return code;
}

int wedr_ctl_stream(struct wedr_ctl *c,
                    const char *path,
                    const json_t *body,
                    const char *last_event_id,
                    wedr_ctl_piece_fn *fn,
                    void *arg)
{
    struct wedr_ctl_ask ask = {
        .method = body ? "POST" : NULL, .path = path, .body = body, .last_event_id = last_event_id};
    struct answer a = {.fn = fn, .arg = arg};
    int code = exchange(c, &ask, &a);
    if (code == WEDR_CTL_DONE && a.code != 0) {
        code = a.code;
    } else if (code == WEDR_CTL_DONE && a.err != WEDR_OK) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", c->context.url, a.error);
    } else if (code == WEDR_CTL_DONE && (a.status < 200 || a.status > 299)) {
        code = say_problem(c, &a);
    }
    json_decref(a.json);
    return code;
}

/* One page; *ret_next (the caller's, NULL: the last one) goes into the next. */
static int one_page(
    struct wedr_ctl *c, const char *path, uint64_t limit, const char *cursor, json_t **ret_page)
{
    struct wedr_buf full;
    char number[24];
    json_t *page = NULL;
    wedr_buf_init(&full, PATH_BYTES);
    wedr_buf_adds(&full, path);
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)limit);
    wedr_ctl_path_param(&full, "limit", number);
    if (cursor) {
        wedr_ctl_path_param(&full, "cursor", cursor);
    }
    int code = full.overflow ? wedr_ctl_say(WEDR_CTL_USAGE, "the request is too long")
                             : wedr_ctl_get(c, (const char *)full.p, &page);
    wedr_buf_fini(&full);
    if (code == WEDR_CTL_DONE && !json_is_array(json_object_get(page, "items"))) {
        json_decref(page);
        return wedr_ctl_say(WEDR_CTL_FAILED, "%s sent no list", c->context.url);
    }
    *ret_page = page;
    return code;
}

int wedr_ctl_pages(struct wedr_ctl *c, const char *path, wedr_ctl_page_fn *fn, void *arg)
{
    uint64_t left = wedr_ctl_has(c->args, WEDR_CTL_ALL) ? UINT64_MAX
                    : c->args->number[WEDR_CTL_LIMIT]   ? c->args->number[WEDR_CTL_LIMIT]
                                                        : LIMIT_DEFAULT;
    json_t *page = NULL;
    int code = WEDR_CTL_DONE;
    do {
        json_t *next = NULL;
        const char *cursor = json_string_value(json_object_get(page, "next"));
        code = one_page(c, path, left < PAGE_MAX ? left : PAGE_MAX, cursor, &next);
        json_decref(page);
        page = code == WEDR_CTL_DONE ? next : NULL;
        if (page) {
            const json_t *items = json_object_get(page, "items");
            size_t n = json_array_size(items);
            code = fn(arg, items);
            left = n > left ? 0 : left - n;
        }
    } while (code == WEDR_CTL_DONE && left > 0 && json_is_string(json_object_get(page, "next")));
    json_decref(page);
    return code;
}

static bool is_id(const char *s)
{
    size_t n = strlen(s);
    return n == 36 && strspn(s, "0123456789abcdef-") == n && s[8] == '-' && s[13] == '-';
}

int wedr_ctl_endpoint(struct wedr_ctl *c, const char *name, char ret_id[37])
{
    struct wedr_buf path;
    json_t *page = NULL;
    const char *found = NULL;
    size_t count = 0, i = 0;
    const json_t *item = NULL;
    if (is_id(name)) {
        memcpy(ret_id, name, 37);
        return WEDR_CTL_DONE;
    }
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/endpoints");
    wedr_ctl_path_param(&path, "q", name);
    int code = one_page(c, (const char *)path.p, PAGE_MAX, NULL, &page);
    wedr_buf_fini(&path);
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        const char *id = text_of(item, "id");
        if (strcmp(text_of(item, "hostname"), name) == 0 && is_id(id)) {
            found = id;
            count++;
        }
    }
    if (code == WEDR_CTL_DONE && count == 1) {
        memcpy(ret_id, found, 37);
    } else if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_say(WEDR_CTL_FAILED,
                            count == 0 ? "no endpoint has the host name or id %s"
                                       : "several endpoints have the host name %s: use an id",
                            name);
    }
    json_decref(page);
    return code;
}
