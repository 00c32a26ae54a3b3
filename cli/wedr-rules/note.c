/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include "core/base/err.h"
#include "wedr/rules/ioc.h"
#include <string.h>

void wedr_note(const struct wedr_ruleset *rs,
               uint32_t rule,
               struct wedr_rule_event *ev,
               struct wedr_buf *out)
{
    struct wedr_ioc_hit hit;
    struct wedr_text language = wedr_ruleset_rule(rs, rule)->language;
    if (language.len == 3 && memcmp(language.p, "ioc", 3) == 0 &&
        wedr_ioc_find(rs, rule, ev, &hit) == WEDR_OK) {
        wedr_ioc_describe(&hit, out);
    }
}
