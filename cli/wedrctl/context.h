/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/context.h — who is signed in where: one file for each name,
 * $XDG_CONFIG_HOME/wedr/wedrctl/NAME.json or ~/.config/wedr/wedrctl/NAME.json, 0600 in a folder
 * 0700. No link is followed below the configuration folder, and a file of another user, or one that
 * others may read, is refused. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>

struct wedr_ctl_context {
    char name[64];
    char url[256];
    char ca_sha256[65];
    char user[65];
    char token[96]; /* "": signed out */
    char token_id[24];
    char expires[32];
    char proxy[256];
};

/* WEDR_E_NOENT: nothing is stored under that name. WEDR_E_INVAL: no good name (letters, digits,
 * dot, dash, underscore). WEDR_E_PERM, WEDR_E_FORMAT. ret->name is set in any case but INVAL. */
WEDR_MUST_USE int
wedr_ctl_context_load(const char *name, struct wedr_ctl_context *ret, struct wedr_errinfo *ei);
WEDR_MUST_USE int wedr_ctl_context_store(const struct wedr_ctl_context *context,
                                         struct wedr_errinfo *ei);
void wedr_ctl_context_wipe(struct wedr_ctl_context *context);
/* The name that holds: what was asked for, else WEDR_CONTEXT, else "default". */
const char *wedr_ctl_context_name(const char *asked);
