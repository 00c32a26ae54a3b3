/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/command_payload.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "fleet/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATUS_DEPTH 16u
#define PAYLOAD_DEPTH 4u

static bool boot_id_ok(const char *s)
{
    return s && strlen(s) == (size_t)2 * WEDR_BOOT_ID_LEN &&
           strspn(s, "0123456789abcdef") == (size_t)2 * WEDR_BOOT_ID_LEN;
}

void wedr_command_target_read(const char *status_json, struct wedr_command_target *ret)
{
    struct wedr_errinfo ei;
    json_t *o = wedr_fleet_load(status_json, strlen(status_json), STATUS_DEPTH, &ei);
    const json_t *list = json_object_get(o, "commands");
    const char *boot = json_string_value(json_object_get(o, "boot_id"));
    uint16_t type = 0;
    memset(ret, 0, sizeof(*ret));
    ret->named = json_is_array(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name && wedr_command_type_of(name, &type) == WEDR_OK) {
            ret->takes |= 1u << type;
        }
    }
    if (boot_id_ok(boot)) {
        memcpy(ret->boot_id, boot, sizeof(ret->boot_id));
    }
    json_decref(o);
}

static int take_kill(const json_t *payload,
                     const char *boot_of_agent,
                     struct wedr_command *c,
                     struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"pid", "process_key", "boot_id"};
    const json_t *pid = json_object_get(payload, "pid");
    const json_t *named = json_object_get(payload, "boot_id");
    const char *boot = named ? json_string_value(named) : boot_of_agent;
    char key[17];
    int err = wedr_fleet_known(payload, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err != WEDR_OK) {
        return err;
    }
    if (!json_is_integer(pid) || json_integer_value(pid) < 1 ||
        json_integer_value(pid) > UINT32_MAX) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"pid\" must be a process's number");
    }
    err = wedr_fleet_string(payload, "process_key", 16, key, sizeof(key), ei);
    if (err != WEDR_OK || !wedr_fleet_hex64(key, &c->kill.process_key)) {
        return wedr_fail(ei, WEDR_E_FORMAT,
                         "\"process_key\" must be 16 lower-case hex digits, not all 0");
    }
    if (!named && !boot[0]) {
        return wedr_fail(ei, WEDR_E_STATE,
                         "the endpoint has not said in which boot it is: name \"boot_id\"");
    }
    if (!boot_id_ok(boot)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"boot_id\" must be 32 lower-case hex digits");
    }
    c->kill.pid = (uint32_t)json_integer_value(pid);
    return wedr_unhex(boot, strlen(boot), c->kill.boot_id, sizeof(c->kill.boot_id));
}

static void write_payload(const struct wedr_command *c, char ret[WEDR_COMMAND_PAYLOAD_MAX + 1])
{
    char boot[2 * WEDR_BOOT_ID_LEN + 1];
    if (c->type != WEDR_COMMAND_KILL_PROCESS) {
        memcpy(ret, "{}", 3);
        return;
    }
    wedr_hex(c->kill.boot_id, sizeof(c->kill.boot_id), boot);
    (void)snprintf(ret, WEDR_COMMAND_PAYLOAD_MAX + 1,
                   "{\"pid\":%" PRIu32 ",\"process_key\":\"%016" PRIx64 "\",\"boot_id\":\"%s\"}",
                   c->kill.pid, c->kill.process_key, boot);
}

int wedr_command_payload_take(const char *type,
                              const json_t *payload,
                              const struct wedr_command_target *target,
                              struct wedr_command *c,
                              char ret_text[WEDR_COMMAND_PAYLOAD_MAX + 1],
                              struct wedr_errinfo *ei)
{
    int err = wedr_command_type_of(type, &c->type);
    if (err != WEDR_OK || (target->named && (target->takes & 1u << c->type) == 0)) {
        return wedr_fail(ei, WEDR_E_UNSUP, "the agent does not take commands of the type \"%.32s\"",
                         type);
    }
    if (payload && !json_is_object(payload)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"payload\" must be an object");
    }
    if (c->type == WEDR_COMMAND_KILL_PROCESS) {
        err = payload ? take_kill(payload, target->boot_id, c, ei)
                      : wedr_fail(ei, WEDR_E_FORMAT, "\"payload\" with the process is required");
    } else if (json_object_size(payload) != 0) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"payload\" of this type has no members");
    }
    if (err == WEDR_OK) {
        write_payload(c, ret_text);
    }
    return err;
}

/* Text of a UUID to its bytes. */
static int read_id(const char *text, uint8_t ret[WEDR_COMMAND_ID_LEN])
{
    char hex[2 * WEDR_COMMAND_ID_LEN + 1];
    size_t n = 0;
    for (; *text && n < sizeof(hex) - 1; text++) {
        if (*text != '-') {
            hex[n++] = *text;
        }
    }
    return *text ? WEDR_E_CORRUPT : wedr_unhex(hex, n, ret, WEDR_COMMAND_ID_LEN);
}

int wedr_command_of_row(const struct wedr_command_row *row, struct wedr_command *ret)
{
    static const struct wedr_command_target any;
    struct wedr_errinfo ei;
    char text[WEDR_COMMAND_PAYLOAD_MAX + 1];
    memset(ret, 0, sizeof(*ret));
    json_t *o = wedr_fleet_load(row->payload, strlen(row->payload), PAYLOAD_DEPTH, &ei);
    int err = o ? wedr_command_payload_take(row->type, o, &any, ret, text, &ei) : WEDR_E_FORMAT;
    json_decref(o);
    err = err == WEDR_OK ? read_id(row->id, ret->id) : err;
    ret->counter = row->counter;
    ret->issued_us = row->created_us;
    ret->expires_us = row->expires_us;
    return err == WEDR_OK ? WEDR_OK : WEDR_E_CORRUPT;
}
