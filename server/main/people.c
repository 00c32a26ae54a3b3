/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "auth/password.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "main/commands.h"
#include "store/print.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPS (wedr_state_sqlite.people)

static struct wedr_audit by_command(const char *action, const char *object, const char *detail)
{
    struct wedr_audit who = {.ts_us = wedr_time_utc_us(),
                             .actor = "",
                             .actor_kind = "command",
                             .address = "",
                             .action = action,
                             .object = object,
                             .detail = detail};
    return who;
}

static int add_user(struct wedr_state *s,
                    const char *name,
                    int role,
                    const struct wedr_audit *who,
                    char ret_password[WEDR_PASSWORD_ONCE_LEN])
{
    struct wedr_user_row u = {
        .role = role, .all_groups = true, .must_change_password = true, .created_us = who->ts_us};
    int64_t id = 0;
    (void)snprintf(u.username, sizeof(u.username), "%s", name);
    wedr_password_once(ret_password);
    int err = wedr_password_hash(ret_password, u.password);
    return err == WEDR_OK ? OPS->user_add(s, &u, who, &id) : err;
}

static int any_user(void *ctx, const struct wedr_user_row *u)
{
    (void)u;
    *(bool *)ctx = true;
    return WEDR_OK;
}

int wedr_main_first_admin(const char *data, struct wedr_state *s, bool *ret_made)
{
    char password[WEDR_PASSWORD_ONCE_LEN], text[WEDR_PASSWORD_ONCE_LEN + 1];
    struct wedr_audit who = by_command("user.create", "admin", "the first admin");
    wedr_handle dir = WEDR_HANDLE_NONE;
    bool any = false;
    who.actor_kind = "server";
    *ret_made = false;
    int err = OPS->user_each(s, 0, 1, any_user, &any);
    if (err != WEDR_OK || any) {
        return err;
    }
    err = add_user(s, "admin", WEDR_ROLE_ADMIN, &who, password);
    err = err == WEDR_OK ? wedr_fs_open_dir(data, &dir) : err;
    if (err == WEDR_OK) {
        int n = snprintf(text, sizeof(text), "%s\n", password);
        err = wedr_fs_replace_at(dir, WEDR_FIRST_PASSWORD_FILE, text, (size_t)n, 0600);
        wedr_fs_close(dir);
    }
    wedr_wipe(password, sizeof(password));
    wedr_wipe(text, sizeof(text));
    *ret_made = err == WEDR_OK;
    return err;
}

static int print_user(void *ctx, const struct wedr_user_row *u)
{
    const char *role = wedr_role_name(u->role);
    (void)ctx;
    (void)printf("%s\t%s\t%s\t%s%s%s%s\n", u->username, role ? role : "?",
                 u->all_groups ? "*" : u->groups, u->disabled ? "disabled " : "",
                 u->locked_until_us > wedr_time_utc_us() ? "locked " : "",
                 u->must_change_password ? "must_change " : "", u->totp ? "totp" : "");
    return WEDR_OK;
}

static int list_users(struct wedr_state *s)
{
    (void)puts("username\trole\tgroups\tstate");
    int err = OPS->user_each(s, 0, WEDR_USERS_MAX, print_user, NULL);
    return err == WEDR_OK ? 0 : wedr_main_fail("user list", err, NULL);
}

static int print_password(const char *what, int err, char password[WEDR_PASSWORD_ONCE_LEN])
{
    if (err == WEDR_OK) {
        (void)printf("%s\n", password);
    }
    wedr_wipe(password, WEDR_PASSWORD_ONCE_LEN);
    return err == WEDR_OK ? 0 : wedr_main_fail(what, err, NULL);
}

static int run_add(struct wedr_state *s, const struct wedr_server_args *a)
{
    char password[WEDR_PASSWORD_ONCE_LEN];
    const char *name = a->words[0], *role = a->word_count > 1 ? a->words[1] : "viewer";
    struct wedr_audit who = by_command("user.create", name, role);
    if (!wedr_role_parse(role)) {
        (void)fputs("wedr-server: a role is viewer, analyst, responder or admin\n", stderr);
        return 2;
    }
    if (!wedr_admin_username_ok(name)) {
        (void)fputs(
            "wedr-server: a user name has 1 to 64 of a-z 0-9 . _ - and begins with a letter "
            "or digit\n",
            stderr);
        return 2;
    }
    return print_password("user add", add_user(s, name, wedr_role_parse(role), &who, password),
                          password);
}

static int run_reset(struct wedr_state *s, const struct wedr_server_args *a)
{
    char password[WEDR_PASSWORD_ONCE_LEN] = "", hash[WEDR_PASSWORD_HASH_LEN];
    struct wedr_user_row u;
    struct wedr_audit who = by_command("user.reset_password", a->words[0], "");
    int err = OPS->user_find(s, a->words[0], &u);
    if (err == WEDR_OK) {
        wedr_password_once(password);
        err = wedr_password_hash(password, hash);
    }
    if (err == WEDR_OK) {
        err = OPS->user_password(s, u.id, hash, true, 0, &who);
    }
    return print_password("user reset-password", err, password);
}

static int run_on_user(struct wedr_state *s, const struct wedr_server_args *a)
{
    struct wedr_user_row u;
    bool unlock = a->command == WEDR_CMD_USER_UNLOCK;
    struct wedr_audit who =
        by_command(unlock ? "user.unlock" : "user.totp_removed", a->words[0], "");
    int err = OPS->user_find(s, a->words[0], &u);
    if (err == WEDR_OK) {
        err =
            unlock ? OPS->signin_clear(s, u.username, &who) : OPS->totp_remove(s, u.id, true, &who);
    }
    return err == WEDR_OK ? 0 : wedr_main_fail(a->words[0], err, NULL);
}

static int run_audit(struct wedr_state *s)
{
    struct wedr_errinfo ei = {""};
    uint64_t count = 0;
    char head[65] = "";
    int err = OPS->audit_verify(s, &count, head, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("audit verify", err, &ei);
    }
    (void)printf("%" PRIu64 " entries, the chain holds, head %s\n", count, head);
    return 0;
}

int wedr_cmd_people(const struct wedr_server_args *a)
{
    struct wedr_errinfo ei = {""};
    struct wedr_state *s = NULL;
    int code = 1;
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = wedr_state_sqlite.open(a->data, &s, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot open the state", err, &ei);
    }
    if (a->command == WEDR_CMD_USER_ADD) {
        code = run_add(s, a);
    } else if (a->command == WEDR_CMD_USER_LIST) {
        code = list_users(s);
    } else if (a->command == WEDR_CMD_USER_RESET_PASSWORD) {
        code = run_reset(s, a);
    } else if (a->command == WEDR_CMD_AUDIT_VERIFY) {
        code = run_audit(s);
    } else {
        code = run_on_user(s, a);
    }
    wedr_state_sqlite.close(s);
    return code;
}
