/* SPDX-License-Identifier: Apache-2.0
 * Stands in for the Waza front end in builds that do not have it: every file is refused. */
#include "core/base/err.h"
#include "wedr/rules/waza.h"

static struct wedr_waza_options options;

struct wedr_waza *wedr_waza_new(struct wedr_ruleset *rs, const struct wedr_waza_options *o)
{
    (void)rs;
    options = *o;
    return (struct wedr_waza *)(void *)&options;
}

void wedr_waza_free(struct wedr_waza *w)
{
    (void)w;
}

int wedr_waza_add(struct wedr_waza *w, const char *file, const char *text, size_t len)
{
    struct wedr_waza_error e = {.err = WEDR_E_UNSUP, .file = file, .text = "Waza is not built in"};
    (void)w;
    (void)text;
    (void)len;
    options.error(options.ctx, &e);
    return WEDR_E_UNSUP;
}

int wedr_waza_finish(struct wedr_waza *w)
{
    (void)w;
    return WEDR_OK;
}
