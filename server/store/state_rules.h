/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state_rules.h — what detection is made of: rule sources with all their versions,
 * lists, profiles, and the bundles that were compiled for them. Part of the state store: same
 * rules of threads and durability.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_RULE_ID_MAX 256u     /* bytes of a stored rule's id, with NUL */
#define WEDR_RULE_SOURCE_MAX 512u /* of the name of its source, with NUL */
#define WEDR_RULE_SOURCE_TEXT_MAX ((size_t)8 << 20)
#define WEDR_RULES_STORED_MAX 100000u
#define WEDR_PROFILE_NAME_MAX 64u
#define WEDR_PROFILE_DEFAULT "default"
/* Bundle of the rules that the server itself runs; no agent can be assigned to it. */
#define WEDR_PROFILE_SERVER "@server"
#define WEDR_PROFILE_LIST_MAX 16384u
#define WEDR_PROFILE_SENSOR_MAX 8193u /* WEDR_SETTINGS_TEXT_MAX and a NUL */
#define WEDR_BUNDLE_STORED_MAX ((size_t)16 << 20)
#define WEDR_BUNDLES_KEPT 8u /* newest ones of a profile and system; older ones are deleted */

struct wedr_state;

/* One stored source: a file of any rule language, with one or several rules in it. Texts are
 * borrowed during the call. */
struct wedr_stored_rule {
    const char *id;       /* of the first rule in it, or the name of its source */
    const char *language; /* "sigma", "waza", "ioc" */
    const char *title;
    const char *source; /* name of the file, unique; errors name it */
    const char *text;   /* NULL in lists */
    size_t text_len;
    const char *author; /* of this version */
    uint32_t version;   /* 1, 2, 3 ... */
    bool enabled, builtin;
    int64_t updated_us;
    const char *severity; /* of the gravest rule in it, "none" without one; "" before it was
                           * compiled. put leaves it */
};
/* Anything but 0 ends the walk and is returned. */
typedef int wedr_stored_rule_fn(void *ctx, const struct wedr_stored_rule *rule);
typedef int wedr_stored_list_fn(void *ctx, const char *name, const char *text, size_t len);

struct wedr_profile {
    char name[WEDR_PROFILE_NAME_MAX];
    bool all;             /* every enabled rule, whatever its tags */
    uint8_t severity_min; /* enum wedr_severity; rules below it are left out */
    bool kill_allowed;
    char tags[WEDR_PROFILE_LIST_MAX]; /* without `all`: rules with one of these; comma-separated */
    char enable[WEDR_PROFILE_LIST_MAX], disable[WEDR_PROFILE_LIST_MAX]; /* ids, whatever else */
    char sensor[WEDR_PROFILE_SENSOR_MAX]; /* lines of rules/settings.h */
};
typedef int wedr_profile_fn(void *ctx, const struct wedr_profile *p, uint32_t agents);

struct wedr_bundle_row {
    char profile[WEDR_PROFILE_NAME_MAX];
    char os[16];     /* "linux", "windows"; "server" for WEDR_PROFILE_SERVER */
    uint64_t serial; /* <= INT64_MAX */
    char sha256[65]; /* of the bytes */
    uint64_t size;
    uint32_t rules;
    int64_t created_us;
};

struct wedr_bundle_new {
    struct wedr_bundle_row row;
    const void *bytes;
    size_t len;
};

struct wedr_state_rules_ops {
    /* Adds a source or a new version of one; the same text again changes nothing. Versions are
     * only ever appended, also when a removed rule comes back. WEDR_E_CONFLICT: another rule has
     * the name of the source; WEDR_E_LIMIT. */
    int (*put)(struct wedr_state *s,
               const struct wedr_stored_rule *rule,
               int64_t now_us,
               uint32_t *ret_version);
    /* version 0: the current one, with text. WEDR_E_NOENT. */
    int (*get)(
        struct wedr_state *s, const char *id, uint32_t version, wedr_stored_rule_fn *fn, void *ctx);
    /* All in order of their sources' names. */
    int (*each)(struct wedr_state *s, bool with_text, wedr_stored_rule_fn *fn, void *ctx);
    /* WEDR_E_NOENT. Its versions stay. */
    int (*remove)(struct wedr_state *s, const char *id);
    int (*enable)(struct wedr_state *s, const char *id, bool on);
    int (*severity)(struct wedr_state *s, const char *id, const char *severity);

    /* A list by name: what a placeholder of rules stands for, one entry per line. */
    int (*list_put)(
        struct wedr_state *s, const char *name, const char *text, size_t len, int64_t now_us);
    int (*list_remove)(struct wedr_state *s, const char *name); /* WEDR_E_NOENT */
    int (*list_each)(struct wedr_state *s, wedr_stored_list_fn *fn, void *ctx);

    int (*profile_put)(struct wedr_state *s, const struct wedr_profile *p);
    int (*profile_get)(struct wedr_state *s, const char *name, struct wedr_profile *ret);
    int (*profile_each)(struct wedr_state *s, wedr_profile_fn *fn, void *ctx);
    /* WEDR_E_NOENT: no such agent or profile. */
    int (*profile_assign)(struct wedr_state *s, const char *agent_id, const char *profile);

    /* All of them or none: what agents get and what the server runs is of one publishing.
     * WEDR_E_CONFLICT: a serial does not rise. */
    int (*bundles_put)(struct wedr_state *s, const struct wedr_bundle_new *bundles, size_t count);
    /* The newest of a profile for a system; ret_bytes NULL: the row alone. WEDR_E_NOENT. */
    int (*bundle_newest)(struct wedr_state *s,
                         const char *profile,
                         const char *os,
                         struct wedr_bundle_row *ret,
                         struct wedr_buf *ret_bytes);
    /* The newest of the agent's profile (`default` when it has none) and system. */
    int (*bundle_of_agent)(struct wedr_state *s,
                           const char *agent_id,
                           struct wedr_bundle_row *ret,
                           struct wedr_buf *ret_bytes);
};
