/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/session.h — a session with the password, as long as one command: for what an API
 * token must not do, making and revoking API tokens. Functions that return an exit code have said
 * what went wrong. One thread. */
#pragma once

#include "table.h"

#define WEDR_CTL_SECRET_MAX 257u /* a password's 256 bytes and NUL */

/* Zeroed by the caller; full of secrets until its end. */
struct wedr_ctl_session {
    char password[WEDR_CTL_SECRET_MAX], code[64], fresh[WEDR_CTL_SECRET_MAX];
    char cookie[512], csrf[160]; /* cookie "": none */
};

/* Signs in as --user, else as the context's user, else as who the person says, with the password of
 * --password-file or of the terminal, and does what the server demands of the account. On success
 * *ret_session is the caller's. */
int wedr_ctl_session_begin(struct wedr_ctl *c, struct wedr_ctl_session *s, json_t **ret_session);
/* A request within it; body may be NULL and is taken, ret may be NULL. */
int wedr_ctl_session_ask(struct wedr_ctl *c,
                         const struct wedr_ctl_session *s,
                         const char *method,
                         const char *path,
                         json_t *body,
                         json_t **ret);
/* Ends it, when it was begun, and wipes s. */
void wedr_ctl_session_end(struct wedr_ctl *c, struct wedr_ctl_session *s);

/* The first two lines of a file, or of standard input for "-"; the second one is "" when it is not
 * there. An exit code. */
int wedr_ctl_read_lines(
    const char *path, char *ret_first, size_t cap, char *ret_second, size_t cap2);
/* Wipes a text before the object is released: jansson does not. */
void wedr_ctl_wipe_member(json_t *object, const char *key);
