/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/lists.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++) {
        n += text[i] == '\n';
    }
    return n;
}

static void split(struct wedr_source_list *l, size_t len)
{
    char *p = l->text, *end = l->text + len;
    while (p < end) {
        char *nl = memchr(p, '\n', (size_t)(end - p));
        char *stop = nl ? nl : end;
        char *last = stop;
        while (last > p && (last[-1] == '\r' || last[-1] == ' ')) {
            last--;
        }
        *last = '\0';
        if (last > p && *p != '#') {
            l->values[l->count++] = p;
        }
        p = stop + 1;
    }
}

static int add_list(void *ctx, const char *name, const char *text, size_t len)
{
    struct wedr_sources *s = ctx;
    if (s->list_count == WEDR_SOURCE_LISTS_MAX) {
        return WEDR_E_LIMIT;
    }
    struct wedr_source_list *v = wedr_realloc(s->lists, s->list_count + 1, sizeof(*v));
    if (!v) {
        return WEDR_E_NOMEM;
    }
    s->lists = v;
    struct wedr_source_list *l = &v[s->list_count++];
    memset(l, 0, sizeof(*l));
    l->name = wedr_strndup(name, strlen(name));
    l->text = wedr_strndup(text, len);
    l->values = wedr_alloc(count_lines(text, len), sizeof(*l->values));
    if (!l->name || !l->text || !l->values) {
        return WEDR_E_NOMEM;
    }
    split(l, len);
    return WEDR_OK;
}

int wedr_source_lists_load(struct wedr_sources *s,
                           const struct wedr_state_ops *ops,
                           struct wedr_state *state)
{
    return ops->rules->list_each(state, add_list, s);
}

void wedr_source_lists_free(struct wedr_sources *s)
{
    for (size_t i = 0; i < s->list_count; i++) {
        wedr_free(s->lists[i].name);
        wedr_free(s->lists[i].text);
        wedr_free((void *)(uintptr_t)s->lists[i].values);
    }
    wedr_free(s->lists);
}
