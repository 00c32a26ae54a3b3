/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl.h"

#include "common/show.h"
#include "wedr/plat/term.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)256 << 20)
#define LINE_MAX 1024u

static const char *environment(const char *name)
{
    const char *v = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread, nobody sets it */
    return v && v[0] ? v : NULL;
}

/* Whether the locale writes UTF-8: then trees have lines. */
static bool is_utf8(void)
{
    const char *locale = environment("LC_ALL");
    locale = locale ? locale : environment("LC_CTYPE");
    locale = locale ? locale : environment("LANG");
    return locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
}

void wedr_ctl_init(struct wedr_ctl *c, const struct wedr_ctl_args *args)
{
    memset(c, 0, sizeof(*c));
    c->args = args;
    wedr_buf_init(&c->out, OUT_MAX);
    c->columns = wedr_term_out() ? wedr_term_columns() : 0;
    c->utf8 = is_utf8();
    c->color = wedr_ctl_has(args, WEDR_CTL_COLOR) ||
               (!wedr_ctl_has(args, WEDR_CTL_NO_COLOR) && !environment("NO_COLOR") && c->columns);
}

void wedr_ctl_fini(struct wedr_ctl *c)
{
    wedr_http_free(c->http);
    wedr_buf_fini(&c->out);
    wedr_ctl_context_wipe(&c->context);
}

int wedr_ctl_say(int code, const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    wedr_show_problem("wedrctl", 0, line);
    return code;
}

int wedr_ctl_flush(struct wedr_ctl *c)
{
    if (wedr_show_flush(&c->out) && fflush(stdout) == 0) {
        return WEDR_CTL_DONE;
    }
    return wedr_ctl_say(WEDR_CTL_FAILED, "standard output takes no more");
}

void wedr_ctl_json_free(char *text)
{
    /* jansson's own allocator made it. */
    json_free_t release = NULL;
    json_get_alloc_funcs(NULL, &release);
    release(text);
}
