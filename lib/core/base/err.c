/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/err.c */
#include "core/base/err.h"

const char *wedr_err_text(int err)
{
    switch (err) {
    case WEDR_OK:
        return "success";
#define X(name, number, text) \
    case WEDR_E_##name:       \
        return text;
#include "core/base/err.def"
#undef X
    default:
        return "unknown error";
    }
}

const char *wedr_err_name(int err)
{
    switch (err) {
    case WEDR_OK:
        return "OK";
#define X(name, number, text) \
    case WEDR_E_##name:       \
        return #name;
#include "core/base/err.def"
#undef X
    default:
        return "UNKNOWN";
    }
}
