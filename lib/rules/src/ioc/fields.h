/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/fields.h — the fields of an event that carry what a list is about. */
#pragma once

#include "wedr/rules/ioc.h"

/* Names of the fields of a kind, NULL at the end. A name that no event has costs nothing when
 * matching. */
const char *const *wedr_ioc_fields(enum wedr_ioc_kind kind);
/* The notes of a list are a set of its rule as its entries are, on a field that events do not have:
 * so they travel in bundles like every list. An entry is the key, a tab, the comment. */
#define WEDR_IOC_NOTE_FIELD "ioc.note"
