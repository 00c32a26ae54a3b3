/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "form.h"

#define PATH_BYTES 4000u

int wedr_ctl_endpoints_list(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"HOST", "hostname", WEDR_CTL_LONG},
                                                     {"STATUS", "status", WEDR_CTL_WORD},
                                                     {"GROUP", "group", WEDR_CTL_TEXT},
                                                     {"SYSTEM", "os_version", WEDR_CTL_LONG},
                                                     {"AGENT", "agent_version", WEDR_CTL_TEXT},
                                                     {"LAST SEEN", "last_seen", WEDR_CTL_TIME},
                                                     {"ID", "id", WEDR_CTL_TEXT},
                                                     {"HEALTH", "health", WEDR_CTL_LONG}};
    struct wedr_buf path;
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/endpoints");
    if (c->args->word_count > 0) {
        wedr_ctl_path_param(&path, "q", c->args->words[0]);
    }
    wedr_ctl_param_option(&path, c->args, "status", WEDR_CTL_STATUS);
    wedr_ctl_param_option(&path, c->args, "group", WEDR_CTL_GROUP);
    code = wedr_ctl_list(c, (const char *)path.p, columns, WEDR_ARRAY_COUNT(columns), NULL);
    wedr_buf_fini(&path);
    return code;
}

static const struct wedr_ctl_column card[] = {
    {"host", "hostname", WEDR_CTL_TEXT},
    {"id", "id", WEDR_CTL_TEXT},
    {"status", "status", WEDR_CTL_WORD},
    {"group", "group", WEDR_CTL_TEXT},
    {"note", "note", WEDR_CTL_TEXT},
    {"version", "version", WEDR_CTL_COUNT},
    {"system", "os_version", WEDR_CTL_TEXT},
    {"agent", "agent_version", WEDR_CTL_TEXT},
    {"address", "address", WEDR_CTL_TEXT},
    {"enrolled", "enrolled", WEDR_CTL_TIME},
    {"last seen", "last_seen", WEDR_CTL_TIME},
    {"health", "health", WEDR_CTL_TEXT},
    {"profile", "profile", WEDR_CTL_TEXT},
    {"rules", "rules_serial", WEDR_CTL_TEXT},
    {"source", "sensor.source", WEDR_CTL_TEXT},
    {"level", "sensor.level", WEDR_CTL_TEXT},
    {"hooks missing", "sensor.hooks_missing", WEDR_CTL_TEXT},
    {"metrics", "metrics", WEDR_CTL_TEXT}};

int wedr_ctl_endpoints_show(struct wedr_ctl *c)
{
    char id[37], path[64];
    json_t *endpoint = NULL;
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_endpoint(c, c->args->words[0], id);
    }
    if (code == WEDR_CTL_DONE) {
        (void)snprintf(path, sizeof(path), "/endpoints/%s", id);
        code = wedr_ctl_get(c, path, &endpoint);
    }
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, endpoint, card, WEDR_ARRAY_COUNT(card))
                                 : code;
}

const char *wedr_ctl_if_match(const struct wedr_ctl_args *a, char ret_tag[32])
{
    const char *version = a->text[WEDR_CTL_IF_VERSION];
    if (!version) {
        return "*";
    }
    (void)snprintf(ret_tag, 32, "\"%.24s\"", version);
    return ret_tag;
}

/* The same change for the endpoints that stand from `first` on; stops at the first that fails. */
static int change(struct wedr_ctl *c, size_t first, const json_t *body)
{
    char id[37], path[64], tag[32];
    int code = wedr_ctl_open(c);
    for (size_t i = first; i < c->args->word_count && code == WEDR_CTL_DONE; i++) {
        json_t *endpoint = NULL;
        code = wedr_ctl_endpoint(c, c->args->words[i], id);
        if (code != WEDR_CTL_DONE) {
            break;
        }
        (void)snprintf(path, sizeof(path), "/endpoints/%s", id);
        struct wedr_ctl_ask ask = {.method = "PATCH",
                                   .path = path,
                                   .body = body,
                                   .if_match = wedr_ctl_if_match(c->args, tag)};
        code = wedr_ctl_ask(c, &ask, &endpoint);
        if (code == WEDR_CTL_DONE && wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
            wedr_ctl_json(&c->out, endpoint);
        } else if (code == WEDR_CTL_DONE) {
            wedr_ctl_cell(&c->out, json_object_get(endpoint, "hostname"), WEDR_CTL_TEXT);
            wedr_buf_addf(&c->out, " (%s): ", id);
            wedr_ctl_cell(&c->out, json_object_get(endpoint, "status"), WEDR_CTL_TEXT);
            wedr_buf_adds(&c->out, ", group ");
            wedr_ctl_cell(&c->out, json_object_get(endpoint, "group"), WEDR_CTL_TEXT);
            wedr_buf_adds(&c->out, "\n");
        }
        json_decref(endpoint);
    }
    int flushed = wedr_ctl_flush(c);
    return code == WEDR_CTL_DONE ? flushed : code;
}

int wedr_ctl_endpoints_set_group(struct wedr_ctl *c)
{
    json_t *body = json_pack("{s:s}", "group", c->args->words[0]);
    int code = body ? change(c, 1, body) : wedr_ctl_say(WEDR_CTL_USAGE, "no good group");
    json_decref(body);
    return code;
}

int wedr_ctl_endpoints_revoke(struct wedr_ctl *c)
{
    json_t *body = json_pack("{s:b}", "revoked", 1);
    if (c->args->text[WEDR_CTL_NOTE]) {
        (void)json_object_set_new(body, "note", json_string(c->args->text[WEDR_CTL_NOTE]));
    }
    int code = body ? change(c, 0, body) : wedr_ctl_say(WEDR_CTL_FAILED, "out of memory");
    json_decref(body);
    return code;
}
