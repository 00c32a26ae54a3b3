/* SPDX-License-Identifier: Apache-2.0
 * server/detect/json_span.h — pieces of JSON text that was validated before, as they stand: values
 * are passed on without being written anew. Pure; no byte beyond the span is read. */
#pragma once

#include "core/base/span.h"
#include <stdbool.h>

/* Value of the first member of that name (written without escapes) in an object's text. */
bool wedr_json_member(struct wedr_span object, const char *key, struct wedr_span *ret);
/* The next element of an array's text; *at begins at 0. */
bool wedr_json_element(struct wedr_span array, size_t *at, struct wedr_span *ret);
/* Inside of a string without escapes; false for anything else. */
bool wedr_json_plain(struct wedr_span value, struct wedr_span *ret);
/* Digits alone, up to INT64_MAX. */
bool wedr_json_u63(struct wedr_span value, uint64_t *ret);
