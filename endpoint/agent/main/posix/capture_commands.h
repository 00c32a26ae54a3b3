/* SPDX-License-Identifier: Apache-2.0
 * endpoint/agent/main/posix/capture_commands.h — `wedr-agent record` and `gen`. */
#pragma once

#include <stdint.h>

/* Both return the program's exit code and say on standard error what went wrong. */
int wedr_command_record(const char *state_dir, const char *path);
int wedr_command_gen(const char *path, uint64_t events, uint64_t seed);
