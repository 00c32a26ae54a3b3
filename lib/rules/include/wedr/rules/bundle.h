/* SPDX-License-Identifier: Apache-2.0
 * rules/bundle.h — a ruleset and its field map compiled into one signed file, as agents get it: no
 * YAML, no front end, one Ed25519 signature over everything; with them what the profile says about
 * the sensor. docs/bundle.md has the bytes. A reader
 * trusts nothing, even behind a good signature: every index, count, length and depth is checked.
 * Any thread. */
#pragma once

#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include "wedr/rules/event.h"

#define WEDR_BUNDLE_FORMAT 2u              /* the newest; 1 has no settings */
#define WEDR_BUNDLE_FORMAT_MIN 1u          /* the oldest that opens */
#define WEDR_BUNDLE_MAX ((size_t)16 << 20) /* bytes of a file */
#define WEDR_BUNDLE_PROFILE_MAX 64u        /* with the NUL */
#define WEDR_BUNDLE_PUBLIC_KEY_LEN 32u     /* Ed25519 */
#define WEDR_BUNDLE_SECRET_KEY_LEN 64u     /* as libsodium has it: seed and public key */
#define WEDR_BUNDLE_SIGNATURE_LEN 64u

enum wedr_bundle_policy { WEDR_BUNDLE_KILL_ALLOWED = 1 };

struct wedr_bundle_info {
    uint32_t format;
    uint64_t serial; /* when it was compiled: microseconds since 1970, UTC; a newer one is higher */
    char profile[WEDR_BUNDLE_PROFILE_MAX];
    uint32_t policy;    /* enum wedr_bundle_policy */
    uint32_t rules;     /* hidden ones too */
    uint8_t sha256[32]; /* of the whole file: what an ETag and a heartbeat name */
    size_t len;         /* of the whole file */
};

/* What goes in; 0: everything. */
enum wedr_bundle_part {
    /* What can match on an agent: no Sigma correlations, no rules with WEDR_RULE_SERVER, DISABLED
     * or NEEDS_LIST, none whose classes the map never gives, and no hidden rule that no kept
     * correlation counts. */
    WEDR_BUNDLE_AGENT = 1,
    WEDR_BUNDLE_LINUX = 2,  /* of the rules that name a product: those for Linux... */
    WEDR_BUNDLE_WINDOWS = 4 /* ...and those for Windows; neither bit: any product */
};

/* Whether a rule goes in, asked besides the parts; members of a correlation that goes in go in with
 * it (hidden, if they were refused by themselves). */
typedef bool wedr_bundle_keep_fn(void *ctx, const struct wedr_ruleset *rs, uint32_t rule);

struct wedr_bundle_options {
    uint64_t serial;
    const char *profile;       /* 1 to 63 printable ASCII characters */
    uint32_t policy;           /* enum wedr_bundle_policy */
    uint32_t parts;            /* enum wedr_bundle_part */
    const char *settings;      /* lines of settings.h for the sensor; NULL or empty: none */
    wedr_bundle_keep_fn *keep; /* NULL: every rule */
    void *keep_ctx;
};

/* Appends the bundle to out (max: at least WEDR_BUNDLE_MAX, or less on purpose). Fields, classes,
 * nodes, sets that no kept rule needs are left out. The same input gives the same bytes. map: a
 * sealed map of rs. ret_info may be NULL. Without settings the format is 1, which older agents read
 * too. WEDR_E_INVAL (profile, settings too long), WEDR_E_STATE (map), WEDR_E_LIMIT
 * (too long for a file or for out), WEDR_E_NOMEM; out is as before then. */
WEDR_MUST_USE int wedr_bundle_write(const struct wedr_ruleset *rs,
                                    const struct wedr_field_map *map,
                                    const struct wedr_bundle_options *options,
                                    const uint8_t secret_key[WEDR_BUNDLE_SECRET_KEY_LEN],
                                    struct wedr_buf *out,
                                    struct wedr_bundle_info *ret_info,
                                    struct wedr_errinfo *ei);

/* Reads the fixed header, in this order: WEDR_E_FORMAT (no bundle, or cut off, or too long),
 * WEDR_E_VERSION (a format that this program does not know: ei names it), WEDR_E_AUTH (not signed
 * by that key, or a byte changed), WEDR_E_CORRUPT (signed, but the checksum of the body is wrong).
 * Parses nothing but fixed offsets: fit for a process with rights. */
WEDR_MUST_USE int wedr_bundle_check(const void *bytes,
                                    size_t len,
                                    const uint8_t public_key[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                                    struct wedr_bundle_info *ret_info,
                                    struct wedr_errinfo *ei);

/* The same without the signature: for showing a file whose key nobody has here. Says nothing about
 * who made it. WEDR_E_FORMAT, WEDR_E_VERSION, WEDR_E_CORRUPT. */
WEDR_MUST_USE int wedr_bundle_peek(const void *bytes,
                                   size_t len,
                                   struct wedr_bundle_info *ret_info,
                                   struct wedr_errinfo *ei);

/* The ruleset (at most memory_max bytes) and its sealed field map, which the ruleset, or the engine
 * that takes it, must outlive. Checks format, checksum and every bound, not the signature. Nothing
 * of bytes is kept. Rules keep their order, not their indexes. WEDR_E_FORMAT, WEDR_E_VERSION,
 * WEDR_E_CORRUPT (ei says where), WEDR_E_LIMIT, WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_bundle_load(const void *bytes,
                                   size_t len,
                                   size_t memory_max,
                                   struct wedr_ruleset **ret_rs,
                                   struct wedr_field_map **ret_map,
                                   struct wedr_errinfo *ei);

/* Where the settings are in a bundle that wedr_bundle_check or wedr_bundle_peek accepted: at most
 * WEDR_SETTINGS_TEXT_MAX bytes, not ended by a NUL; borrowed from bytes. *ret_len 0: none.
 * WEDR_E_FORMAT: the length that stands there cannot be. */
WEDR_MUST_USE int
wedr_bundle_settings(const void *bytes, size_t len, const char **ret, size_t *ret_len);
