/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enroll.h — `wedr-agent enroll`: makes keys, has a child without rights talk to
 * the server, stores the identity. On a folder that is enrolled under the same CA it renews the
 * certificate with the old key. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_enroll_args {
    const char *state_dir, *server_url, *token, *ca_sha256; /* token may be "" for a renewal */
    bool replace; /* a new agent_id even under the same CA */
    bool root;
    const char *version;
};
enum wedr_enroll_kind { WEDR_ENROLLED_NEW, WEDR_ENROLLED_RENEWED, WEDR_ENROLLED_REPLACED };

/* WEDR_E_AUTH: the server refuses the token (or the renewal). WEDR_E_TLS: the server does not show
 * that CA; nothing was sent. WEDR_E_BUSY: an agent runs on an enrolled folder. ei says it in words.
 */
WEDR_MUST_USE int wedr_enroll(const struct wedr_enroll_args *args,
                              enum wedr_enroll_kind *ret_kind,
                              char ret_agent_id[37],
                              struct wedr_errinfo *ei);
