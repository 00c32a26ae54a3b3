/* SPDX-License-Identifier: Apache-2.0
 * server/admin/commands.h — routes of people over commands to agents. */
#pragma once

#include "http/route.h"

extern const struct wedr_route wedr_command_routes[];
extern const size_t wedr_command_route_count;
