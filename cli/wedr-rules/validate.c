/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "common/show.h"
#include "load.h"
#include <inttypes.h>
#include <string.h>

#define FAILED_MAX ((size_t)256 << 20) /* bytes of the list of failures */

static void
on_failed(void *ctx, const char *file, uint32_t line, const char *reason, const char *shown)
{
    struct wedr_buf *out = ctx;
    (void)shown;
    wedr_buf_adds(out, out->len > 0 ? ",{\"file\":" : "{\"file\":");
    wedr_show_json(out, wedr_text(file, strlen(file)));
    wedr_buf_addf(out, ",\"line\":%" PRIu32 ",\"reason\":", line);
    wedr_show_json(out, wedr_text(reason, strlen(reason)));
    wedr_buf_adds(out, "}");
}

static void print_text(const struct wedr_load *l)
{
    (void)printf("%" PRIu64 " files, %" PRIu64 " rules, %" PRIu64 " compiled (%" PRIu64
                 " correlations, %" PRIu64 " filters), %" PRIu64 " failed\n",
                 l->files, l->rules, l->compiled, l->correlations, l->filters, l->failed);
    if (l->need_list > 0) {
        (void)printf("%" PRIu64 " of them cannot match: a placeholder has no list\n", l->need_list);
    }
    if (l->expired > 0) {
        (void)printf("%" PRIu64 " lists or entries of lists have expired\n", l->expired);
    }
}

int wedr_rules_validate(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_buf failed;
    wedr_buf_init(&failed, FAILED_MAX);
    struct wedr_load l = {.args = args, .failed_fn = args->json ? on_failed : NULL, .ctx = &failed};
    bool whole = true;
    int r = wedr_load_rules(&l, &ei);
    if (r < 0) {
        wedr_show_problem("", 0, ei.text);
    }
    if (args->json) {
        (void)printf("{\"files\":%" PRIu64 ",\"rules\":%" PRIu64 ",\"compiled\":%" PRIu64
                     ",\"failed\":[",
                     l.files, l.rules, l.compiled);
        whole = wedr_show_flush(&failed);
        (void)puts("]}");
    } else {
        print_text(&l);
    }
    wedr_buf_fini(&failed);
    wedr_load_fini(&l);
    return r < 0 || l.failed > 0 || !whole ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
