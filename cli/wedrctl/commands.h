/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/commands.h — what the table of commands names. Each returns an exit code. */
#pragma once

#include "ctl.h"

int wedr_ctl_login(struct wedr_ctl *c);
int wedr_ctl_logout(struct wedr_ctl *c);
int wedr_ctl_status(struct wedr_ctl *c);
int wedr_ctl_endpoints_list(struct wedr_ctl *c);
int wedr_ctl_endpoints_show(struct wedr_ctl *c);
int wedr_ctl_endpoints_set_group(struct wedr_ctl *c);
int wedr_ctl_endpoints_revoke(struct wedr_ctl *c);
int wedr_ctl_events(struct wedr_ctl *c);
int wedr_ctl_tail(struct wedr_ctl *c);
int wedr_ctl_sql(struct wedr_ctl *c);
int wedr_ctl_export(struct wedr_ctl *c);
int wedr_ctl_alerts_list(struct wedr_ctl *c);
int wedr_ctl_alerts_show(struct wedr_ctl *c);
int wedr_ctl_alerts_set(struct wedr_ctl *c);
int wedr_ctl_alerts_assign(struct wedr_ctl *c);
int wedr_ctl_alerts_comment(struct wedr_ctl *c);
int wedr_ctl_tree(struct wedr_ctl *c);
int wedr_ctl_timeline(struct wedr_ctl *c);
int wedr_ctl_ledger(struct wedr_ctl *c);
int wedr_ctl_gaps(struct wedr_ctl *c);
int wedr_ctl_command_send(struct wedr_ctl *c);
int wedr_ctl_command_list(struct wedr_ctl *c);
int wedr_ctl_command_show(struct wedr_ctl *c);
int wedr_ctl_command_cancel(struct wedr_ctl *c);
int wedr_ctl_token_list(struct wedr_ctl *c);
int wedr_ctl_token_create(struct wedr_ctl *c);
int wedr_ctl_token_revoke(struct wedr_ctl *c);
int wedr_ctl_enroll_token_list(struct wedr_ctl *c);
int wedr_ctl_enroll_token_create(struct wedr_ctl *c);
int wedr_ctl_enroll_token_revoke(struct wedr_ctl *c);
int wedr_ctl_user_list(struct wedr_ctl *c);
int wedr_ctl_user_show(struct wedr_ctl *c);
int wedr_ctl_user_create(struct wedr_ctl *c);
int wedr_ctl_user_set(struct wedr_ctl *c);
int wedr_ctl_user_reset_password(struct wedr_ctl *c);
int wedr_ctl_user_unlock(struct wedr_ctl *c);
int wedr_ctl_user_remove_totp(struct wedr_ctl *c);
int wedr_ctl_user_delete(struct wedr_ctl *c);
int wedr_ctl_audit_list(struct wedr_ctl *c);
int wedr_ctl_complete(struct wedr_ctl *c);
int wedr_ctl_help_command(struct wedr_ctl *c);
