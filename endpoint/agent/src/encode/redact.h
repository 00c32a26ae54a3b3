/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/redact.h — finds secrets in the arguments of a program and takes them
 * out: --password=x, token: x, credentials in URLs, keys that are known by their form.
 * docs/operations.md has the list. The time is bounded: after WEDR_REDACT_CHECKS places that look
 * like one the rest of the names is not looked at. One thread; no allocation after new.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_REDACT_NAMES 64u    /* of the policy */
#define WEDR_REDACT_NAME_MAX 32u /* bytes of one */
#define WEDR_REDACT_SECRETS 32u  /* of one command line; from the last one on all of it is taken */
#define WEDR_REDACT_CHECKS 1024u
#define WEDR_REDACT_TEXT "***"

struct wedr_redact;

/* names: separated by commas, blanks allowed. WEDR_E_FORMAT when there are too many or one is too
 * long. */
WEDR_MUST_USE int wedr_redact_new(const char *names, struct wedr_redact **ret);
void wedr_redact_free(struct wedr_redact *r); /* NULL is allowed */
/* args: NUL-terminated strings one after another, <= WEDR_ARGV_COPY_MAX bytes. True: *ret_args is
 * the same without its secrets, borrowed until the next call. */
WEDR_MUST_USE bool
wedr_redact_args(struct wedr_redact *r, struct wedr_span args, struct wedr_span *ret_args);
/* Forgets the secrets that were found last. */
void wedr_redact_forget(struct wedr_redact *r);
/* Takes the secrets that were found last out of any text, in place. Returns its new length. */
size_t wedr_redact_text(const struct wedr_redact *r, char *text, size_t len);
uint64_t wedr_redact_count(const struct wedr_redact *r); /* command lines that had one */
