/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/bundle.h — the bytes of a bundle, shared by its writer and its reader.
 * docs/bundle.md is their description. */
#pragma once

#include "wedr/rules/bundle.h"
#include <stddef.h>

#define WEDR_BUNDLE_MAGIC "WEDRBNDL"

/* Offsets in the header; integers are little-endian. */
enum {
    WEDR_BUNDLE_AT_MAGIC = 0,
    WEDR_BUNDLE_AT_FORMAT = 8,
    WEDR_BUNDLE_AT_BODY_LEN = 12,
    WEDR_BUNDLE_AT_SERIAL = 16,
    WEDR_BUNDLE_AT_POLICY = 24,
    WEDR_BUNDLE_AT_RULES = 28,
    WEDR_BUNDLE_AT_PROFILE = 32,
    WEDR_BUNDLE_AT_HASH = 96, /* SHA-256 of the body */
    WEDR_BUNDLE_HEADER_LEN = 128
};

/* From this format on a body begins with the settings: u32 length, bytes. */
#define WEDR_BUNDLE_FORMAT_SETTINGS 2u
#define WEDR_BUNDLE_SETTINGS_AT 4u

/* Sums over a body; the writer keeps to them, the reader enforces them. */
#define WEDR_BUNDLE_WEIGHT_MAX UINT64_C(32000000) /* weights of all expressions of all rules */
#define WEDR_BUNDLE_STRINGS_MAX 2000000u
#define WEDR_BUNDLE_SETS_MAX 65535u

/* How a rule's texts and lists follow each other in a body: offsets into struct wedr_rule. */
extern const uint16_t wedr_bundle_texts[];
extern const size_t wedr_bundle_text_count;
extern const uint16_t wedr_bundle_lists[];
extern const size_t wedr_bundle_list_count;

static inline struct wedr_text *wedr_bundle_rule_text(struct wedr_rule *r, size_t i)
{
    return (void *)((char *)r + wedr_bundle_texts[i]);
}
static inline struct wedr_text_list *wedr_bundle_rule_list(struct wedr_rule *r, size_t i)
{
    return (void *)((char *)r + wedr_bundle_lists[i]);
}

/* All of info but the hash. */
WEDR_MUST_USE int wedr_bundle_read_header(const void *bytes,
                                          size_t len,
                                          struct wedr_bundle_info *ret_info,
                                          struct wedr_errinfo *ei);
/* The checksum of the body; the header was read. */
WEDR_MUST_USE int wedr_bundle_check_body(const void *bytes, size_t len, struct wedr_errinfo *ei);
/* The body alone, behind the settings: what fuzzing feeds. `rules`: the number that the header
 * promised. */
WEDR_MUST_USE int wedr_bundle_read_body(const uint8_t *body,
                                        size_t len,
                                        uint32_t rules,
                                        size_t memory_max,
                                        struct wedr_ruleset **ret_rs,
                                        struct wedr_field_map **ret_map,
                                        struct wedr_errinfo *ei);
