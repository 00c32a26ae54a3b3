/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/below.h — files that rules and their tests name: only below a folder, one
 * component after another, never through a link. Any thread. */
#pragma once

#include "core/util/buf.h"
#include "wedr/plat/fs.h"

/* A folder that a person named: a link to it is followed. */
WEDR_MUST_USE int wedr_below_open(const char *folder, wedr_handle *ret_dir);
/* Reads folder/relative into out (init'ed with its maximum). WEDR_E_PERM for a link, an absolute
 * path, ".." and the like; errors of wedr_fs_open_at and wedr_fs_read_all. */
WEDR_MUST_USE int wedr_below_read(const char *folder, const char *relative, struct wedr_buf *out);
/* The folder of a path: "." when it has none. False when it does not fit. */
bool wedr_below_folder(const char *path, char *ret_folder, size_t cap);
