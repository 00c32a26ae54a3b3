/* SPDX-License-Identifier: Apache-2.0
 * server/store/state/sqlite/command.h — commands in state.db. */
#pragma once

#include "store/state/sqlite/db.h"
#include "store/state_command.h"

extern const struct wedr_state_command_ops wedr_state_command_sqlite;
