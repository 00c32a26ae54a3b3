/* SPDX-License-Identifier: Apache-2.0
 * server/main/commands.h — commands beside main.c, a file per subject. Each returns the program's
 * exit code: 0 done, 1 something failed (and was said on standard error), 2 wrong words. */
#pragma once

#include "api/api.h"
#include "main/args.h"

/* "wedr-server: what: why" on standard error; 1. */
int wedr_main_fail(const char *what, int err, const struct wedr_errinfo *ei);
/* The data folder, made when it is missing. 0 or 1. */
int wedr_main_data_dir(const char *dir);
int wedr_main_config(const struct wedr_server_args *a, struct wedr_server_cfg *cfg);
int wedr_cmd_rules(const struct wedr_server_args *a);
int wedr_cmd_profile(const struct wedr_server_args *a);
int wedr_cmd_lists(const struct wedr_server_args *a);
int wedr_cmd_alerts(const struct wedr_server_args *a);
int wedr_cmd_hunt(const struct wedr_server_args *a);
/* user ..., audit ... */
int wedr_cmd_people(const struct wedr_server_args *a);
/* A server without users gets the user "admin", whose one-time password is in the data folder's
 * file WEDR_FIRST_PASSWORD_FILE (0600) until it is changed. */
WEDR_MUST_USE int wedr_main_first_admin(const char *data, struct wedr_state *s, bool *ret_made);
int wedr_cmd_verify(const struct wedr_server_args *a);
int wedr_cmd_backup(const struct wedr_server_args *a);
int wedr_cmd_restore(const struct wedr_server_args *a);
