/* SPDX-License-Identifier: Apache-2.0
 * server/admin/meta.h — what the interface says about itself. */
#pragma once

#include "http/route.h"

extern const struct wedr_route wedr_meta_routes[];
extern const size_t wedr_meta_route_count;
