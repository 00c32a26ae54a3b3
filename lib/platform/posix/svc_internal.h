/* SPDX-License-Identifier: Apache-2.0
 * lib/platform/posix/svc_internal.h — the two datagrams behind svc.c, apart so that a test can
 * receive them. */
#pragma once

#include <stddef.h>

/* One journal entry to the datagram socket at path; silently nothing when nobody is there. */
void wedr_svc_journal(const char *path, int level, const char *line, size_t len);
