/* SPDX-License-Identifier: Apache-2.0
 * lib/platform/posix/fs_path.h — opening by name without following links; shared by fs.c and ipc.c.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* One component: not empty, no '/', neither "." nor "..", at most 255 bytes. */
bool wedr_path_is_name(const char *name);
/* openat of one component that refuses links (errno ELOOP), always close-on-exec. -1 and errno on
 * failure. */
int wedr_path_openat(int dir, const char *name, int flags, mode_t mode);
