/* SPDX-License-Identifier: Apache-2.0
 * server/fleet/text.h — strict reading of JSON objects; for server/fleet alone. */
#pragma once

#include "core/util/errinfo.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One object with nothing behind it, doubled keys refused, at most `len` bytes and `depth` levels.
 * NULL and ei. */
json_t *wedr_fleet_load(const void *body, size_t len, size_t depth, struct wedr_errinfo *ei);
/* Every key of o is one of the count names. */
int wedr_fleet_known(const json_t *o,
                     const char *const *names,
                     size_t count,
                     struct wedr_errinfo *ei);
/* A string of min..cap-1 bytes without control characters. */
int wedr_fleet_string(
    const json_t *o, const char *key, size_t min, char *ret, size_t cap, struct wedr_errinfo *ei);
/* 16 lower-case hex digits, not 0. */
bool wedr_fleet_hex64(const char *s, uint64_t *ret);
