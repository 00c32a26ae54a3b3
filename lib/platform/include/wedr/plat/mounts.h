/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/mounts.h — whether looking at a path may have to wait for somebody else: a server of
 * the network, a user's program (FUSE), a mount on demand. Whoever must not wait leaves such paths
 * alone.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>

struct wedr_mounts;

/* The mounts of this process's namespace as they are now (/proc/self/mountinfo, proc(5)); none of
 * them is touched. WEDR_E_NOMEM; an error of reading; then *ret is NULL. */
WEDR_MUST_USE int wedr_mounts_read(struct wedr_mounts **ret);
void wedr_mounts_free(struct wedr_mounts *m); /* NULL is allowed */

/* True: neither the absolute path nor a link on its way leads into a mount of a type that is not
 * known to be local; what does not exist is local. Each part is looked at only when all above it
 * is. NULL: nothing is known, and all is taken for local. The root itself counts as local. A path
 * of more than 1023 bytes and more than 16 links are not. */
bool wedr_mounts_local(const struct wedr_mounts *m, const char *path);
