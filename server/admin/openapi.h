/* SPDX-License-Identifier: Apache-2.0
 * server/admin/openapi.h — the OpenAPI document of the interface for people, made at build from
 * admin/openapi by tools/openapi_build: those operations that exist. Constant data, any thread. */
#pragma once

#include <stddef.h>

extern const char wedr_openapi_json[]; /* with a NUL behind */
extern const size_t wedr_openapi_json_len;
