/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/template.h — which Waza sources a profile has: for agents that take rules as text
 * instead of a compiled bundle. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state.h"

/* on: it is enabled, compiles, and the profile has one of its rules at least. Texts are borrowed
 * during the call. Anything but 0 ends the walk and is returned. */
typedef int wedr_template_fn(void *ctx, const char *name, bool on, const char *text, size_t len);

/* All stored Waza sources in order of their names. WEDR_E_NOENT: no such profile. */
WEDR_MUST_USE int wedr_template_each(const struct wedr_state_ops *ops,
                                     struct wedr_state *state,
                                     const char *profile,
                                     int64_t now_us,
                                     wedr_template_fn *fn,
                                     void *ctx,
                                     struct wedr_errinfo *ei);
