/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/body.c — the order of what a body says of a rule. */
#include "bundle/bundle.h"

#define TEXT(name) (uint16_t) offsetof(struct wedr_rule, name)

/* Appended to only: an older format has the first ones. */
const uint16_t wedr_bundle_texts[] = {
    TEXT(id),       TEXT(title),       TEXT(description), TEXT(author),   TEXT(date),
    TEXT(modified), TEXT(status),      TEXT(license),     TEXT(category), TEXT(product),
    TEXT(service),  TEXT(source_file), TEXT(needs),       TEXT(message),  TEXT(language),
};
const size_t wedr_bundle_text_count = WEDR_ARRAY_COUNT(wedr_bundle_texts);
const uint16_t wedr_bundle_lists[] = {
    TEXT(tags),
    TEXT(references),
    TEXT(false_positives),
    TEXT(exceptions),
};
const size_t wedr_bundle_list_count = WEDR_ARRAY_COUNT(wedr_bundle_lists);
