/* SPDX-License-Identifier: Apache-2.0
 * The table of commands. */
#include "commands.h"

#define B(id) (UINT64_C(1) << WEDR_CTL_##id)
#define SERVER (B(CONTEXT) | B(PROXY))
#define TABLE (SERVER | B(JSON) | B(COLOR) | B(NO_COLOR))
#define PAGES (TABLE | B(LIMIT) | B(ALL))
#define PERIOD (B(SINCE) | B(UNTIL))
#define FORM (PERIOD | B(ENDPOINT) | B(TYPE) | B(PID) | B(IMAGE) | B(HASH) | B(CONTAINS) | B(WHERE))
#define SESSION (B(USER) | B(PASSWORD_FILE) | B(NEW_PASSWORD_FILE))
#define CHANGE (SERVER | B(JSON) | B(COLOR) | B(NO_COLOR))

const struct wedr_ctl_command wedr_ctl_commands[] = {
    {"login", "[URL]", 0, 1,
     SERVER | B(CA_SHA256) | B(USER) | B(PASSWORD_FILE) | B(NEW_PASSWORD_FILE) | B(TOKEN_FILE) |
         B(DAYS) | B(SCOPE),
     "Sign in to a server, https://HOST[:PORT]. Nothing is sent before the server has shown the CA "
     "with the fingerprint of --ca-sha256, which is kept. Password and one-time code are asked for "
     "at the terminal. An API token is made and kept in a file that only you may read; the "
     "password is not.",
     wedr_ctl_login},
    {"logout", "", 0, 0, SERVER | SESSION,
     "Revoke the API token, with the password when the server wants it, and forget it.",
     wedr_ctl_logout},
    {"status", "", 0, 0, TABLE,
     "Endpoints, open alerts, events of the last day, losses, the store.", wedr_ctl_status},
    {"endpoints list", "[TEXT]", 0, 1, PAGES | B(STATUS) | B(GROUP),
     "Endpoints, of which host name or id has this text.", wedr_ctl_endpoints_list},
    {"endpoints show", "ENDPOINT", 1, 1, TABLE,
     "One endpoint: what its agent said last, what its sensor sees.", wedr_ctl_endpoints_show},
    {"endpoints set-group", "GROUP ENDPOINT...", 2, WEDR_CTL_WORDS_MAX, CHANGE | B(IF_VERSION),
     "Move endpoints to a group.", wedr_ctl_endpoints_set_group},
    {"endpoints revoke", "ENDPOINT...", 1, WEDR_CTL_WORDS_MAX, CHANGE | B(IF_VERSION) | B(NOTE),
     "Refuse the certificates of endpoints from now on.", wedr_ctl_endpoints_revoke},
    {"events", "", 0, 0, PAGES | FORM | B(FIELD) | B(FOLLOW),
     "Stored events that fit a form, the newest first.", wedr_ctl_events},
    {"tail", "", 0, 0, TABLE | B(ENDPOINT) | B(TYPE) | B(FIELD),
     "Events as they come in, until it is stopped. Says so when the server had to skip some.",
     wedr_ctl_tail},
    {"sql", "STATEMENT|-", 1, 1, TABLE | B(LIMIT),
     "One read-only statement over events, alerts, ledger and the other tables; - reads it from "
     "standard input. --limit is at most 10,000; export has no limit.",
     wedr_ctl_sql},
    {"export", "", 0, 0, SERVER | FORM | B(FORMAT) | B(OUTPUT) | B(SQL),
     "All events that fit a form, or all rows of a statement, as NDJSON or CSV.", wedr_ctl_export},
    {"alerts list", "[TEXT]", 0, 1,
     PAGES | PERIOD | B(STATE) | B(SEVERITY) | B(ENDPOINT) | B(RULE) | B(ASSIGNEE) | B(FOLLOW),
     "Alerts, the newest first, of which title, message or command line has this text.",
     wedr_ctl_alerts_list},
    {"alerts show", "ALERT", 1, 1, TABLE,
     "One alert with its evidence, the processes above it, responses and comments.",
     wedr_ctl_alerts_show},
    {"alerts set", "ALERT...", 1, WEDR_CTL_WORDS_MAX,
     CHANGE | B(STATE) | B(RESOLUTION) | B(TAGS) | B(IF_VERSION),
     "Change state, resolution or labels of alerts.", wedr_ctl_alerts_set},
    {"alerts assign", "USER ALERT...", 2, WEDR_CTL_WORDS_MAX, CHANGE,
     "Give alerts to a user; - as the user: to nobody.", wedr_ctl_alerts_assign},
    {"alerts comment", "ALERT TEXT|-", 2, 2, CHANGE,
     "Comment an alert; - reads the text from standard input.", wedr_ctl_alerts_comment},
    {"tree", "[ENDPOINT PROCESS-KEY]", 0, 2, TABLE | B(ALERT) | B(DEPTH),
     "A process below its ancestors, with its children.", wedr_ctl_tree},
    {"timeline", "[ENDPOINT PROCESS-KEY]", 0, 2, PAGES | PERIOD | B(ALERT) | B(FIELD),
     "What a process did, the oldest first.", wedr_ctl_timeline},
    {"ledger", "[ENDPOINT]", 0, 1, PAGES,
     "What each producer made, what is stored, what was lost and why.", wedr_ctl_ledger},
    {"gaps", "", 0, 0, PAGES, "Times in which an endpoint had no producer, the newest first.",
     wedr_ctl_gaps},
    {"command send", "ENDPOINT TYPE [PID PROCESS-KEY]", 2, 4, CHANGE | B(REASON),
     "Tell an endpoint to do something: kill_process with the process, or update_rules. What "
     "became of it is what command show says.",
     wedr_ctl_command_send},
    {"command list", "", 0, 0, PAGES | B(ENDPOINT) | B(TYPE) | B(STATE),
     "What endpoints were told to do, the newest first.", wedr_ctl_command_list},
    {"command show", "COMMAND", 1, 1, TABLE, "One command with its result, by id.",
     wedr_ctl_command_show},
    {"command cancel", "COMMAND...", 1, WEDR_CTL_WORDS_MAX, SERVER,
     "Withdraw commands that were not sent yet.", wedr_ctl_command_cancel},
    {"token list", "", 0, 0, PAGES | SESSION, "API tokens; asks for the password.",
     wedr_ctl_token_list},
    {"token create", "NAME", 1, 1, CHANGE | SESSION | B(DAYS) | B(SCOPE),
     "Make an API token for a program, to read or for --scope; it is shown this once. Asks for the "
     "password.",
     wedr_ctl_token_create},
    {"token revoke", "ID...", 1, WEDR_CTL_WORDS_MAX, CHANGE | SESSION,
     "Revoke API tokens; asks for the password.", wedr_ctl_token_revoke},
    {"enroll-token list", "", 0, 0, PAGES, "Enrolment tokens that still work.",
     wedr_ctl_enroll_token_list},
    {"enroll-token create", "", 0, 0, CHANGE | B(USES) | B(HOURS) | B(GROUP) | B(NOTE),
     "Make an enrolment token and show the line that enrols an agent with it.",
     wedr_ctl_enroll_token_create},
    {"enroll-token revoke", "ID...", 1, WEDR_CTL_WORDS_MAX, CHANGE, "Revoke enrolment tokens.",
     wedr_ctl_enroll_token_revoke},
    {"user list", "", 0, 0, PAGES, "Users.", wedr_ctl_user_list},
    {"user show", "USER", 1, 1, TABLE, "One user, by name or id.", wedr_ctl_user_show},
    {"user create", "NAME", 1, 1, CHANGE | B(ROLE) | B(GROUPS) | B(DISPLAY_NAME),
     "Make a user; the password, good for one sign-in, is shown this once.", wedr_ctl_user_create},
    {"user set", "USER", 1, 1,
     CHANGE | B(ROLE) | B(GROUPS) | B(DISPLAY_NAME) | B(DISABLE) | B(ENABLE),
     "Change a user; the sessions end when the rights change.", wedr_ctl_user_set},
    {"user reset-password", "USER", 1, 1, CHANGE,
     "Give a user a password that is good for one sign-in.", wedr_ctl_user_reset_password},
    {"user unlock", "USER", 1, 1, CHANGE, "End a user's lock-out.", wedr_ctl_user_unlock},
    {"user remove-totp", "USER", 1, 1, CHANGE, "Take a user's second factor away.",
     wedr_ctl_user_remove_totp},
    {"user delete", "USER", 1, 1, CHANGE, "Delete a user with sessions and API tokens.",
     wedr_ctl_user_delete},
    {"audit list", "", 0, 0, PAGES | PERIOD | B(ACTOR) | B(ACTION),
     "Who changed what, the newest first.", wedr_ctl_audit_list},
    {"completion", "bash|zsh", 1, 1, 0,
     "The completion for a shell: source <(wedrctl completion bash)", wedr_ctl_complete},
    {"help", "[COMMAND [SUBCOMMAND]]", 0, 2, B(MDOC), "This text, or the manual page.",
     wedr_ctl_help_command},
};
const size_t wedr_ctl_command_count = WEDR_ARRAY_COUNT(wedr_ctl_commands);
