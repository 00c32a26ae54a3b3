/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/commands.h — a function per command, in a file of its name. Each returns the exit
 * code. */
#pragma once

#include "args.h"

int wedr_rules_validate(const struct wedr_rules_args *args);
int wedr_rules_scan(const struct wedr_rules_args *args);
int wedr_rules_explain(const struct wedr_rules_args *args);
int wedr_rules_bench(const struct wedr_rules_args *args);
int wedr_rules_list(const struct wedr_rules_args *args);
int wedr_rules_test(const struct wedr_rules_args *args);
int wedr_rules_compile(const struct wedr_rules_args *args);
int wedr_rules_bundle(const struct wedr_rules_args *args);
int wedr_rules_schema(const struct wedr_rules_args *args);
int wedr_rules_convert(const struct wedr_rules_args *args);
int wedr_rules_fmt(const struct wedr_rules_args *args);
