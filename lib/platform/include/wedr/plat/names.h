/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/names.h — names of users and groups, as the system's name service has them. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May take as long as a directory server likes. WEDR_E_NOENT: it has no name. WEDR_E_RANGE: longer
 * than cap - 1. Any thread. */
WEDR_MUST_USE int wedr_name_of(bool group, uint32_t id, char *ret_name, size_t cap);
/* The machine's own users (/etc/passwd) or groups (/etc/group), at most max of them: quick, nobody
 * is asked. Not while another thread does the same. */
void wedr_names_local(bool group,
                      unsigned max,
                      void (*fn)(void *arg, uint32_t id, const char *name),
                      void *arg);
