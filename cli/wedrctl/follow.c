/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "form.h"
#include "sse.h"
#include "wedr/plat/time.h"
#include <string.h>

#define SHORTEST_MS 1000u /* a server that ends each at once is not asked for ever */

struct follow {
    struct wedr_ctl_table table;
    wedr_ctl_shape_fn *shape;
    struct wedr_sse sse;
    bool json;
};

/* Widths for rows that come one by one: what is usual, not what the first one has. */
static void lay_out(struct wedr_ctl_table *t)
{
    static const size_t usual[] = {
        [WEDR_CTL_TEXT] = 18, [WEDR_CTL_LONG] = 28, [WEDR_CTL_TIME] = 20, [WEDR_CTL_TIME_MS] = 24,
        [WEDR_CTL_COUNT] = 7, [WEDR_CTL_BYTES] = 9, [WEDR_CTL_WORD] = 13};
    size_t used = 0;
    for (size_t i = 0; i < t->count; i++) {
        t->width[i] = usual[t->columns[i].cell];
        used += t->width[i] + (i > 0 ? 2 : 0);
    }
    if (t->c->columns > used) { /* the last one takes what is left */
        t->width[t->count - 1] += t->c->columns - used;
    }
}

static int on_event(void *arg, const char *event, const char *data, size_t len)
{
    struct follow *f = arg;
    struct wedr_ctl *c = f->table.c;
    json_t *j = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object(j)) {
        json_decref(j);
        return wedr_ctl_say(WEDR_CTL_FAILED, "%s sent an event that is no JSON", c->context.url);
    }
    if (strcmp(event, "lost") == 0) {
        const json_t *n = json_object_get(j, "count");
        if (json_is_integer(n)) {
            (void)wedr_ctl_say(0, "%lld not shown: more came than could be sent",
                               (long long)json_integer_value(n));
        } else {
            (void)wedr_ctl_say(0, "a new stream: what came since the last one ended is not shown");
        }
        json_decref(j);
        return 0;
    }
    if (f->json) {
        wedr_ctl_json(&c->out, j);
    } else {
        json_t *rows = json_array();
        (void)json_array_append_new(rows, f->shape ? f->shape(j) : json_incref(j));
        wedr_ctl_table_add(&f->table, rows);
        json_decref(rows);
    }
    json_decref(j);
    return wedr_ctl_flush(c);
}

static int on_piece(void *arg, const char *p, size_t n)
{
    struct follow *f = arg;
    int r = wedr_sse_feed(&f->sse, p, n);
    return r == WEDR_E_LIMIT ? wedr_ctl_say(WEDR_CTL_FAILED, "an event is too large") : r;
}

int wedr_ctl_follow(struct wedr_ctl *c,
                    const char *path,
                    const struct wedr_ctl_column *columns,
                    size_t count,
                    wedr_ctl_shape_fn *shape)
{
    struct follow f = {.shape = shape, .json = wedr_ctl_has(c->args, WEDR_CTL_JSON)};
    wedr_ctl_table_init(&f.table, c, columns, count);
    lay_out(&f.table);
    wedr_sse_init(&f.sse, on_event, &f);
    const char *last = NULL;
    int code = WEDR_CTL_DONE;
    while (code ==
           WEDR_CTL_DONE) { /* the server ends each after some minutes and looks again who asks */
        uint64_t begun = wedr_time_mono_ms();
        code = wedr_ctl_stream(c, path, NULL, last, on_piece, &f);
        if (code == WEDR_CTL_DONE && wedr_time_mono_ms() - begun < SHORTEST_MS) {
            code = wedr_ctl_say(WEDR_CTL_FAILED, "the server ended the stream");
        }
        last = f.sse.id[0] ? f.sse.id : "0";
        wedr_sse_reset(&f.sse);
    }
    wedr_sse_fini(&f.sse);
    return code;
}
