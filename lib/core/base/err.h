/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/err.h — the one way to fail: 0 or a negative WEDR_E_* code. Freestanding. */
#pragma once

enum wedr_err {
    WEDR_OK = 0,
#define X(name, number, text) WEDR_E_##name = -(number),
#include "core/base/err.def"
#undef X
};

/* English text of a code, "unknown error" for any other number. Static storage. */
const char *wedr_err_text(int err);
/* The code's name without prefix ("NOSPC"), "OK" for 0, "UNKNOWN" otherwise. Static storage. */
const char *wedr_err_name(int err);
