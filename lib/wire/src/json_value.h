/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/src/json_value.h — private to lib/wire: is a text one JSON value that a line can take as
 * it is? No allocation; its stack does not grow with the depth.
 */
#pragma once

#include "core/base/span.h"
#include <stdbool.h>

#define WIRE_JSON_DEPTH_MAX 24u /* a line's own limit is 32, and two of it are around the value */

/* True for one array or object of RFC 8259 in valid UTF-8, nested at most WIRE_JSON_DEPTH_MAX deep,
 * without a byte below 0x20 and without blanks between the tokens. */
bool wire_json_ok(struct wedr_span text);
