/* SPDX-License-Identifier: Apache-2.0
 * server/auth/person.h — who is asking: a signed-in person or an API token of one, what it may do,
 * and which endpoints it sees. Constant once it hangs in a request; any thread. */
#pragma once

#include "core/base/attr.h"
#include "http/route.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_USERNAME_MAX 65u /* with NUL; letters, digits, '.', '_', '-' in lower case */
#define WEDR_GROUPS_MAX 4096u /* bytes of a list of endpoint groups */
#define WEDR_GROUP_NAME_MAX 65u

/* Each includes the one before. The numbers are stored. */
enum wedr_role {
    WEDR_ROLE_VIEWER = 1,
    WEDR_ROLE_ANALYST,
    WEDR_ROLE_RESPONDER,
    WEDR_ROLE_ADMIN,
};

struct wedr_person {
    int64_t user_id;
    char username[WEDR_USERNAME_MAX];
    enum wedr_role role;
    uint32_t may;       /* bit 1 << enum wedr_need, READ to ADMIN: role and scopes of the token */
    int64_t session_id; /* 0: it came with an API token */
    int64_t token_id;   /* 0: it came with a session */
    bool must_change_password, must_set_totp;
    const char *groups;               /* NULL: all endpoints. Names, a NUL behind each, then "" */
    char group_text[WEDR_GROUPS_MAX]; /* what groups points to */
};

/* "viewer" ... "admin"; NULL for another number. */
const char *wedr_role_name(int role);
/* 0 for an unknown name. */
int wedr_role_parse(const char *name);
/* Bits of `may` that a role has. */
uint32_t wedr_role_may(int role);
bool wedr_person_may(const struct wedr_person *p, enum wedr_need need);
/* Whether an endpoint of this group exists for the person. */
bool wedr_person_sees(const struct wedr_person *p, const char *group);
/* A comma-separated text of group names ("" = none) becomes the list of p->groups; NULL: all. False
 * when it does not fit: the person sees nothing then. */
bool wedr_person_set_groups(struct wedr_person *p, const char *comma_separated);
