/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/errinfo.h — the reason of a failure for a person. Fixed storage, no allocation. */
#pragma once

#include "core/base/attr.h"

#define WEDR_ERRINFO_MAX 256

struct wedr_errinfo {
    char text[WEDR_ERRINFO_MAX]; /* NUL-terminated, cut when longer; one line, no secrets */
};

/* Formats into ei when ei is not NULL; returns err, so that `return wedr_fail(ei, WEDR_E_X, ...)`
 * reads well. */
int wedr_fail(struct wedr_errinfo *ei, int err, const char *fmt, ...) WEDR_PRINTF(3, 4);
