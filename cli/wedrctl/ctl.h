/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/ctl.h — what a command works with: the arguments, the server, the output. Functions
 * that return an exit code (args.h) have said on standard error what went wrong. One thread. */
#pragma once

#include "args.h"
#include "context.h"
#include "wedr/plat/http.h"
#include <jansson.h>

#define WEDR_CTL_ANSWER_MAX ((size_t)40 << 20) /* bytes of one answer */

struct wedr_ctl {
    const struct wedr_ctl_args *args;
    struct wedr_ctl_context context;
    struct wedr_http *http;
    const char *cookie;  /* of a session that stands instead of the token, or NULL */
    struct wedr_buf out; /* emptied into standard output by wedr_ctl_flush */
    bool color, utf8;
    unsigned columns; /* of the terminal; 0: it is none, nothing is cut */
};

/* Standard output and error. */
void wedr_ctl_init(struct wedr_ctl *c, const struct wedr_ctl_args *args);
void wedr_ctl_fini(struct wedr_ctl *c);
/* One line on standard error, made safe for a terminal; returns code. */
int wedr_ctl_say(int code, const char *fmt, ...) WEDR_PRINTF(2, 3);
/* What json_dumps returned; NULL is allowed. */
void wedr_ctl_json_free(char *text);
/* An exit code: WEDR_CTL_FAILED when standard output takes no more. */
int wedr_ctl_flush(struct wedr_ctl *c);

/* --- The server (client.c). --- */

/* Loads the context and makes the client. An exit code. */
int wedr_ctl_open(struct wedr_ctl *c);
/* The client alone, of what stands in c->context. An exit code. */
int wedr_ctl_connect(struct wedr_ctl *c);

/* Appends a percent-encoded segment of a path, or a query parameter. */
void wedr_ctl_path_add(struct wedr_buf *path, const char *segment);
void wedr_ctl_path_param(struct wedr_buf *path, const char *name, const char *value);

/* One request below /api/v1. */
struct wedr_ctl_ask {
    const char *method;        /* NULL: GET */
    const char *path;          /* "/users" */
    const json_t *body;        /* NULL: none */
    const char *if_match;      /* NULL: none */
    const char *cookie, *csrf; /* instead of the token, or NULL */
    const char *last_event_id; /* of a stream that goes on, or NULL */
    const char *want_header;   /* kept in header, or NULL */
    char header[WEDR_HTTP_HEADER_MAX];
    int status;       /* out */
    json_t *problem;  /* out, when quiet_status answered: the caller's */
    int quiet_status; /* this status is not an error to be told: returns WEDR_CTL_FAILED */
};
/* *ret_json (may be NULL) is the caller's, NULL for an answer without body. An exit code. */
int wedr_ctl_ask(struct wedr_ctl *c, struct wedr_ctl_ask *ask, json_t **ret_json);
/* Short forms. body may be NULL and is taken. */
int wedr_ctl_get(struct wedr_ctl *c, const char *path, json_t **ret_json);
int wedr_ctl_send_take(
    struct wedr_ctl *c, const char *method, const char *path, json_t *body, json_t **ret_json);
/* GET of a list, page by page, up to --limit, or --all. fn gets each page's items (borrowed);
 * anything but 0 ends it and is returned. */
typedef int wedr_ctl_page_fn(void *arg, const json_t *items);
int wedr_ctl_pages(struct wedr_ctl *c, const char *path, wedr_ctl_page_fn *fn, void *arg);
/* A request whose answer has no bound: fn gets its pieces, anything but 0 ends it and is returned.
 * body NULL: GET. last_event_id may be NULL. An exit code. */
typedef int wedr_ctl_piece_fn(void *arg, const char *p, size_t n);
int wedr_ctl_stream(struct wedr_ctl *c,
                    const char *path,
                    const json_t *body,
                    const char *last_event_id,
                    wedr_ctl_piece_fn *fn,
                    void *arg);
/* The id of an endpoint that a person named by id or host name. An exit code. */
int wedr_ctl_endpoint(struct wedr_ctl *c, const char *name, char ret_id[37]);

/* --- What several commands send. New references; NULL: out of memory, or no UTF-8. --- */

/* "a,b" as an array of texts. */
json_t *wedr_ctl_words(const char *list);
/* The body of POST /tokens; scopes: when --scope is not given. */
json_t *wedr_ctl_new_token(const struct wedr_ctl_args *a, const char *name, const char *scopes);

/* The word, or standard input for "-", into ret (init'ed here; the caller's in any case). An exit
 * code. */
int wedr_ctl_read_input(const char *word, size_t max, struct wedr_buf *ret);
