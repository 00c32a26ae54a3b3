/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_ioc.c — any bytes as a list of indicators: what is refused says why in one line,
 * the counts add up, and an event that is made of the list's own words matches exactly when an
 * entry can be named for it. */
#include "core/base/err.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/ioc.h"
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

struct seen {
    uint32_t refused, lists;
};

static void on_report(void *ctx, const struct wedr_ioc_report *r)
{
    struct seen *s = ctx;
    s->refused += r->outcome == WEDR_IOC_ENTRY_REFUSED;
    s->lists += r->outcome <= WEDR_IOC_LIST_REFUSED;
    require(!strchr(r->text, '\n'));
    require((r->outcome != WEDR_IOC_ENTRY_REFUSED && r->outcome != WEDR_IOC_LIST_REFUSED) ||
            (r->err < 0 && r->text[0] != '\0'));
}

/* The n-th run of bytes between blanks, commas, quotes and line ends. */
static struct wedr_text word(const char *s, size_t len, unsigned n)
{
    static const char ends[] = " \t\r\n,\"";
    size_t at = 0;
    for (;;) {
        while (at < len && memchr(ends, s[at], sizeof(ends) - 1)) {
            at++;
        }
        size_t first = at;
        while (at < len && !memchr(ends, s[at], sizeof(ends) - 1)) {
            at++;
        }
        if (n-- == 0 || first == len) {
            return wedr_text(s + first, at - first);
        }
    }
}

static void match(struct wedr_ruleset *rs, const char *s, size_t len)
{
    struct wedr_engine *e;
    if (wedr_engine_new_take(rs, NULL, &e, NULL) < 0) {
        wedr_ruleset_free(rs);
        return;
    }
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    struct wedr_matcher *m = wedr_matcher_new(e);
    require(ev && m);
    for (unsigned n = 0; n < 24; n++) {
        struct wedr_text w = word(s, len, n);
        const uint32_t *rules;
        size_t count;
        struct wedr_ioc_hit hit;
        if (w.len == 0) {
            break;
        }
        wedr_rule_event_clear(ev);
        for (uint32_t f = 0; f < wedr_ruleset_field_count(rs); f++) {
            if (!wedr_text_equal(wedr_ruleset_field_name(rs, f), wedr_text("ioc.note", 8), true)) {
                require(wedr_rule_event_add_text(ev, f, w.p, w.len) == WEDR_OK);
            }
        }
        require(wedr_matcher_run(m, ev, &rules, &count) == WEDR_OK);
        if (count > 0) {
            require(wedr_ioc_find(rs, 0, ev, &hit) == WEDR_OK && hit.entry[0] != '\0');
        } else if ((wedr_ruleset_rule(rs, 0)->flags & WEDR_RULE_DISABLED) == 0) {
            require(wedr_ioc_find(rs, 0, ev, &hit) == WEDR_E_NOENT);
        }
    }
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
    wedr_engine_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_ioc_options options = {.now_us = INT64_C(1767225600000000)};
    struct wedr_ioc_stats st;
    struct seen seen = {0, 0};
    if (size > INPUT_MAX) {
        return 0;
    }
    struct wedr_ruleset *rs = wedr_ruleset_new(4u << 20);
    require(rs != NULL);
    int r = wedr_ioc_add(rs, "f.ioc", (const char *)data, size, &options, on_report, &seen, &st);
    require(seen.lists == 1 && seen.refused == st.refused);
    require(st.entries == st.hashes + st.domains + st.nets + st.paths);
    if (st.rule == WEDR_IR_NONE) {
        require(r < 0 && wedr_ruleset_rule_count(rs) == 0);
        wedr_ruleset_free(rs);
    } else {
        require(wedr_ruleset_rule_count(rs) == 1 && (r < 0) == (st.refused > 0));
        match(rs, (const char *)data, size);
    }
    return 0;
}
