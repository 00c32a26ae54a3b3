/* SPDX-License-Identifier: Apache-2.0
 * server/main/files.h — rule files of a person's choice into memory. */
#pragma once

#include "detect/sources.h"

#define WEDR_FILES_DEPTH_MAX 16u

/* Adds a file by its last name, or every rule file below a folder (links inside are not followed)
 * by its path from that folder on, the folder's own name first. *ret_count counts files. WEDR_E_*
 * with the reason. */
WEDR_MUST_USE int wedr_files_add(struct wedr_sources *s,
                                 const char *path,
                                 uint32_t *ret_count,
                                 struct wedr_errinfo *ei);
