/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/names.c — which list a name means: of the file, of those that it includes, of the
 * caller. */
#include "waza/compiler.h"
#include <string.h>

static struct wedr_waza_named *named(struct wedr_waza_named *first, struct wedr_text name)
{
    for (struct wedr_waza_named *l = first; l; l = l->next) {
        if (wedr_text_equal(l->name, name, true)) {
            return l;
        }
    }
    return NULL;
}

static struct wedr_waza_named *
search(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_text name, uint32_t depth)
{
    if (!f || f->visit == w->visit || depth > WEDR_WAZA_INCLUDE_DEPTH_MAX) {
        return NULL;
    }
    f->visit = w->visit;
    struct wedr_waza_named *l = named(f->lists, name);
    for (struct wedr_waza_include *i = f->includes; !l && i; i = i->next) {
        l = search(w, i->file, name, depth + 1);
    }
    return l;
}

struct wedr_waza_named *
wedr_waza_find_list(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_text name)
{
    w->visit++;
    struct wedr_waza_named *l = search(w, f, name, 0);
    return l ? l : named(w->lists, name);
}
