/* SPDX-License-Identifier: Apache-2.0
 * server/auth/secret_file.h — a secret key's file must belong to the server alone. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"

/* WEDR_E_PERM and what to do about it when group or others may read or change the open file, or
 * when it is no regular file. Windows: the folder's access list decides, nothing is checked. name
 * is for the message. */
WEDR_MUST_USE int
wedr_secret_file_check(wedr_handle file, const char *name, struct wedr_errinfo *ei);
