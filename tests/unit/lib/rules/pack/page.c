/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/pack/page.c */
#include "page.h"
#include "wedr/rules/pack.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char head[] =
    "# Our own rules\n"
    "\n"
    "Made by `rule_pack --write docs/rule-pack.md` from `lib/rules/packs`; do not edit. "
    "`unit.rule_pack` compares.\n"
    "\n"
    "The rules are compiled into the server and `wedr-rules`; they are on by default. Each has "
    "cases for both outcomes as whole\n"
    "events beside it (`*.test.yml`, [rule-tests.md](rule-tests.md)), and none fires on a "
    "recording of an ordinary development\n"
    "machine (packages, compilers, git, scripts, cron). Rules in Sigma see one event, rules in "
    "Waza may see several, lists in `ioc/`\n"
    "name things ([ioc.md](ioc.md)).\n"
    "\n"
    "Severities: *critical* wakes somebody up, *high* is looked at today, *medium* needs a look at "
    "what is around it, *low* is worth\n"
    "a line in the story of a machine, *informational* tests the way of an alert. What is known to "
    "set a rule off without harm\n"
    "stands in its `falsepositives`; what ordinary machines do all day is in its filters.\n"
    "\n"
    "## Trying it out\n"
    "\n"
    "`/bin/true " WEDR_PACK_MARKER
    "` raises *Test of the detection pipeline* (`" WEDR_PACK_MARKER_RULE "`).\n"
    "It is harmless and always on. A look-up of `" WEDR_PACK_MARKER
    ".invalid` does the same for lists.\n"
    "\n"
    "`sh -c 'sleep 600; :' " WEDR_PACK_KILL_MARKER
    "` is for *Demonstration of the kill action* (`" WEDR_PACK_KILL_RULE "`):\n"
    "that rule is off, and kills only where an operator turned it on and the policy allows kill.\n";

static void add_text(struct wedr_buf *out, struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        char c = t.p[i] == '\n' ? ' ' : t.p[i];
        if (c == '|' || c == '*' || c == '<') {
            wedr_buf_adds(out, "\\");
        }
        wedr_buf_add(out, &c, 1);
    }
}

static void add_techniques(struct wedr_buf *out, const struct wedr_rule *r)
{
    bool any = false;
    for (uint32_t i = 0; i < r->tags.count; i++) {
        struct wedr_text t = r->tags.v[i];
        if (t.len > 8 && t.p[7] == 't' && isdigit((unsigned char)t.p[8])) {
            wedr_buf_addf(out, "%sT%.*s", any ? " " : "", (int)t.len - 8, t.p + 8);
            any = true;
        }
    }
}

/* Classes of a rule and of what feeds it, each once. */
struct classes {
    uint32_t v[64];
    unsigned count;
};

static void collect(const struct wedr_ruleset *rs, uint32_t rule, struct classes *c)
{
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    for (uint32_t i = 0; i < r->class_count; i++) {
        bool known = false;
        for (unsigned k = 0; k < c->count; k++) {
            known |= c->v[k] == r->classes[i];
        }
        if (!known && c->count < 64) {
            c->v[c->count++] = r->classes[i];
        }
    }
    if (r->correlation != WEDR_IR_NONE) {
        const struct wedr_correlation *x = wedr_ruleset_correlation(rs, r->correlation);
        for (uint32_t i = 0; i < x->member_count; i++) {
            collect(rs, x->members[i], c);
        }
    }
}

static void add_events(struct wedr_buf *out, const struct wedr_ruleset *rs, uint32_t rule)
{
    struct classes c = {.count = 0};
    collect(rs, rule, &c);
    if (c.count == 0) {
        wedr_buf_adds(out, "all that carry one");
    }
    for (unsigned i = 0; i < c.count; i++) {
        struct wedr_text name = wedr_ruleset_class_name(rs, c.v[i]);
        uint32_t skip = name.len > 5 && memcmp(name.p, "waza:", 5) == 0 ? 5 : 0;
        uint32_t len = name.len - skip;
        while (len > 2 && memcmp(name.p + skip + len - 2, "/*", 2) == 0) {
            len -= 2;
        }
        wedr_buf_addf(out, "%s%.*s", i ? ", " : "", (int)len, name.p + skip);
    }
}

static void add_rule(struct wedr_buf *out, const struct wedr_ruleset *rs, uint32_t rule)
{
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    wedr_buf_adds(out, "| ");
    add_text(out, r->title);
    wedr_buf_addf(out, " | %s%s | ", wedr_severity_name(r->severity),
                  r->flags & WEDR_RULE_DISABLED ? ", off" : "");
    add_techniques(out, r);
    wedr_buf_adds(out, " | ");
    add_events(out, rs, rule);
    wedr_buf_addf(out, " | `%.*s` | ", (int)r->id.len, r->id.p);
    add_text(out, r->description);
    wedr_buf_adds(out, " |\n");
}

void page_write(const struct wedr_ruleset *rules, struct wedr_buf *out)
{
    const char *text;
    const char *name;
    size_t len;
    wedr_buf_adds(out, head);
    for (size_t i = 0; (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        bool begun = false;
        for (uint32_t k = 0; k < wedr_ruleset_rule_count(rules); k++) {
            const struct wedr_rule *r = wedr_ruleset_rule(rules, k);
            if ((r->flags & WEDR_RULE_HIDDEN) != 0 ||
                !wedr_text_equal(r->source_file, wedr_text(name, strlen(name)), true)) {
                continue;
            }
            if (!begun) {
                wedr_buf_addf(
                    out,
                    "\n## %s\n\n| rule | severity | ATT&CK | events | id | what it means |\n"
                    "|---|---|---|---|---|---|\n",
                    name);
                begun = true;
            }
            add_rule(out, rules, k);
        }
    }
}
