/* SPDX-License-Identifier: Apache-2.0
 * What endpoints are told to do. */
#include "commands.h"
#include "form.h"
#include <errno.h>
#include <string.h>

#define PATH_BYTES 4000u

static const struct wedr_ctl_column card[] = {{"id", "id", WEDR_CTL_TEXT},
                                              {"host", "hostname", WEDR_CTL_TEXT},
                                              {"endpoint", "endpoint_id", WEDR_CTL_TEXT},
                                              {"type", "type", WEDR_CTL_TEXT},
                                              {"payload", "payload", WEDR_CTL_TEXT},
                                              {"state", "state", WEDR_CTL_WORD},
                                              {"by", "created_by", WEDR_CTL_TEXT},
                                              {"reason", "reason", WEDR_CTL_TEXT},
                                              {"created", "created", WEDR_CTL_TIME_MS},
                                              {"sent", "sent", WEDR_CTL_TIME_MS},
                                              {"done", "done", WEDR_CTL_TIME_MS},
                                              {"expires", "expires", WEDR_CTL_TIME},
                                              {"result", "result.result", WEDR_CTL_TEXT},
                                              {"detail", "result.detail", WEDR_CTL_TEXT}};

/* What stands behind the type, or a say of what is wrong. NULL: said. */
static json_t *payload_of(const struct wedr_ctl_args *a)
{
    if (a->word_count == 2) {
        return json_object();
    }
    char *end = NULL;
    errno = 0;
    unsigned long long pid = strtoull(a->words[2], &end, 10);
    if (a->word_count != 4 || errno || *end || pid == 0 || pid > UINT32_MAX) {
        (void)wedr_ctl_say(WEDR_CTL_USAGE, "a process is named as PID PROCESS-KEY");
        return NULL;
    }
    return json_pack("{s:I, s:s}", "pid", (json_int_t)pid, "process_key", a->words[3]);
}

int wedr_ctl_command_send(struct wedr_ctl *c)
{
    char id[37], path[80];
    json_t *answer = NULL, *payload = payload_of(c->args);
    if (!payload) {
        return WEDR_CTL_USAGE;
    }
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_endpoint(c, c->args->words[0], id);
    }
    if (code == WEDR_CTL_DONE) {
        json_t *body = json_pack("{s:s, s:O, s:s*}", "type", c->args->words[1], "payload", payload,
                                 "reason", c->args->text[WEDR_CTL_REASON]);
        (void)snprintf(path, sizeof(path), "/endpoints/%s/commands", id);
        code = body ? wedr_ctl_send_take(c, "POST", path, body, &answer)
                    : wedr_ctl_say(WEDR_CTL_USAGE, "no good type");
    }
    json_decref(payload);
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, answer, card, WEDR_ARRAY_COUNT(card))
                                 : code;
}

int wedr_ctl_command_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"CREATED", "created", WEDR_CTL_TIME},
                                                     {"HOST", "hostname", WEDR_CTL_LONG},
                                                     {"TYPE", "type", WEDR_CTL_TEXT},
                                                     {"STATE", "state", WEDR_CTL_WORD},
                                                     {"RESULT", "result.result", WEDR_CTL_TEXT},
                                                     {"BY", "created_by", WEDR_CTL_TEXT},
                                                     {"ID", "id", WEDR_CTL_TEXT},
                                                     {"DETAIL", "result.detail", WEDR_CTL_LONG}};
    char id[37];
    struct wedr_buf path;
    const char *endpoint = c->args->text[WEDR_CTL_ENDPOINT];
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE && endpoint) {
        code = wedr_ctl_endpoint(c, endpoint, id);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/commands");
    if (endpoint) {
        wedr_ctl_path_param(&path, "endpoint", id);
    }
    wedr_ctl_param_option(&path, c->args, "type", WEDR_CTL_TYPE);
    wedr_ctl_param_option(&path, c->args, "state", WEDR_CTL_STATE);
    code = wedr_ctl_list(c, (const char *)path.p, columns, WEDR_ARRAY_COUNT(columns), NULL);
    wedr_buf_fini(&path);
    return code;
}

/* A request about the command of word i. */
static int on_command(struct wedr_ctl *c, const char *method, size_t i, json_t **ret_json)
{
    struct wedr_buf path;
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/commands");
    wedr_ctl_path_add(&path, c->args->words[i]);
    int code = wedr_ctl_send_take(c, method, (const char *)path.p, NULL, ret_json);
    wedr_buf_fini(&path);
    return code;
}

int wedr_ctl_command_show(struct wedr_ctl *c)
{
    json_t *answer = NULL;
    int code = wedr_ctl_open(c);
    code = code == WEDR_CTL_DONE ? on_command(c, "GET", 0, &answer) : code;
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, answer, card, WEDR_ARRAY_COUNT(card))
                                 : code;
}

int wedr_ctl_command_cancel(struct wedr_ctl *c)
{
    int code = wedr_ctl_open(c);
    for (size_t i = 0; i < c->args->word_count && code == WEDR_CTL_DONE; i++) {
        code = on_command(c, "DELETE", i, NULL);
    }
    return code;
}
