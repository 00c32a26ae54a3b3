/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/person.h"
#include <string.h>

static const char *const names[] = {"viewer", "analyst", "responder", "admin"};

const char *wedr_role_name(int role)
{
    return role >= WEDR_ROLE_VIEWER && role <= WEDR_ROLE_ADMIN ? names[role - WEDR_ROLE_VIEWER]
                                                               : NULL;
}

int wedr_role_parse(const char *name)
{
    for (int i = 0; i < (int)WEDR_ARRAY_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return WEDR_ROLE_VIEWER + i;
        }
    }
    return 0;
}

uint32_t wedr_role_may(int role)
{
    static const enum wedr_need step[] = {WEDR_NEED_READ, WEDR_NEED_TRIAGE, WEDR_NEED_RESPOND,
                                          WEDR_NEED_ADMIN};
    uint32_t may = 0;
    for (int i = 0; i < (int)WEDR_ARRAY_COUNT(step) && WEDR_ROLE_VIEWER + i <= role; i++) {
        may |= 1u << step[i];
    }
    return may;
}

bool wedr_person_may(const struct wedr_person *p, enum wedr_need need)
{
    switch (need) {
    case WEDR_NEED_SESSION:
        return p->session_id != 0;
    case WEDR_NEED_SELF:
        return p->session_id != 0 && !p->must_change_password && !p->must_set_totp;
    case WEDR_NEED_TOKEN:
        return p->token_id != 0;
    case WEDR_NEED_READ:
    case WEDR_NEED_TRIAGE:
    case WEDR_NEED_RESPOND:
    case WEDR_NEED_ADMIN:
        break;
    }
    return !p->must_change_password && !p->must_set_totp && (p->may & 1u << need) != 0;
}

bool wedr_person_sees(const struct wedr_person *p, const char *group)
{
    if (!p->groups) {
        return true;
    }
    for (const char *g = p->groups; *g; g += strlen(g) + 1) {
        if (strcmp(g, group) == 0) {
            return true;
        }
    }
    return false;
}

bool wedr_person_set_groups(struct wedr_person *p, const char *comma_separated)
{
    memset(p->group_text, 0, sizeof(p->group_text));
    p->groups = comma_separated ? p->group_text : NULL;
    if (!comma_separated) {
        return true;
    }
    size_t len = strlen(comma_separated);
    if (len + 2 > sizeof(p->group_text)) {
        return false;
    }
    memcpy(p->group_text, comma_separated, len);
    for (size_t i = 0; i < len; i++) {
        if (p->group_text[i] == ',') {
            p->group_text[i] = '\0';
        }
    }
    return true;
}
