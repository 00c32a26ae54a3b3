/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/command.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include <string.h>

#define MAGIC_LEN 8u
#define KILL_LEN 28u
_Static_assert(WEDR_COMMAND_HEAD_LEN + KILL_LEN <= WEDR_COMMAND_MAX, "the longest one fits");

static const struct {
    uint16_t type, payload_len;
    const char *name;
} types[] = {
    {WEDR_COMMAND_KILL_PROCESS, KILL_LEN, "kill_process"},
    {WEDR_COMMAND_UPDATE_RULES, 0, "update_rules"},
};

const char *wedr_command_type_name(uint16_t type)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return NULL;
}

int wedr_command_type_of(const char *name, uint16_t *ret)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            *ret = types[i].type;
            return WEDR_OK;
        }
    }
    return WEDR_E_UNSUP;
}

/* WEDR_E_UNSUP. */
static int payload_len(uint16_t type, size_t *ret)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (types[i].type == type) {
            *ret = types[i].payload_len;
            return WEDR_OK;
        }
    }
    return WEDR_E_UNSUP;
}

static int head_ok(const struct wedr_command *c)
{
    return c->counter != 0 && c->issued_us > 0 && c->expires_us > c->issued_us;
}

static int payload_ok(const struct wedr_command *c)
{
    return c->type != WEDR_COMMAND_KILL_PROCESS || (c->kill.pid != 0 && c->kill.process_key != 0);
}

int wedr_command_encode(const struct wedr_command *c,
                        uint8_t ret[WEDR_COMMAND_MAX],
                        size_t *ret_len)
{
    size_t n = 0;
    int err = payload_len(c->type, &n);

    if (err != WEDR_OK) {
        return err;
    }
    if (!head_ok(c) || !payload_ok(c)) {
        return WEDR_E_RANGE;
    }
    memcpy(ret, WEDR_COMMAND_MAGIC, MAGIC_LEN);
    memcpy(ret + 8, c->key, WEDR_COMMAND_KEY_LEN);
    wedr_put_le64(ret + 40, c->counter);
    wedr_put_le64(ret + 48, (uint64_t)c->issued_us);
    wedr_put_le64(ret + 56, (uint64_t)c->expires_us);
    memcpy(ret + 64, c->id, WEDR_COMMAND_ID_LEN);
    wedr_put_le16(ret + 80, c->type);
    wedr_put_le16(ret + 82, (uint16_t)n);
    if (c->type == WEDR_COMMAND_KILL_PROCESS) {
        wedr_put_le32(ret + 84, c->kill.pid);
        wedr_put_le64(ret + 88, c->kill.process_key);
        memcpy(ret + 96, c->kill.boot_id, WEDR_BOOT_ID_LEN);
    }
    *ret_len = WEDR_COMMAND_HEAD_LEN + n;
    return WEDR_OK;
}

static int decode_head(struct wedr_span in, struct wedr_command *c)
{
    if (in.len < WEDR_COMMAND_HEAD_LEN || in.len > WEDR_COMMAND_MAX) {
        return WEDR_E_FORMAT;
    }
    if (memcmp(in.p, WEDR_COMMAND_MAGIC, MAGIC_LEN) != 0) {
        return WEDR_E_VERSION;
    }
    memset(c, 0, sizeof(*c));
    memcpy(c->key, in.p + 8, WEDR_COMMAND_KEY_LEN);
    c->counter = wedr_le64(in.p + 40);
    c->issued_us = (int64_t)wedr_le64(in.p + 48);
    c->expires_us = (int64_t)wedr_le64(in.p + 56);
    memcpy(c->id, in.p + 64, WEDR_COMMAND_ID_LEN);
    c->type = wedr_le16(in.p + 80);
    if (!head_ok(c) || wedr_le16(in.p + 82) != in.len - WEDR_COMMAND_HEAD_LEN) {
        return WEDR_E_FORMAT;
    }
    return WEDR_OK;
}

int wedr_command_decode(struct wedr_span in, struct wedr_command *ret)
{
    struct wedr_command c;
    size_t n = 0;
    int err = decode_head(in, &c);

    if (err != WEDR_OK) {
        return err;
    }
    err = payload_len(c.type, &n);
    if (err == WEDR_OK && n != in.len - WEDR_COMMAND_HEAD_LEN) {
        return WEDR_E_FORMAT;
    }
    if (err == WEDR_OK && c.type == WEDR_COMMAND_KILL_PROCESS) {
        c.kill.pid = wedr_le32(in.p + 84);
        c.kill.process_key = wedr_le64(in.p + 88);
        memcpy(c.kill.boot_id, in.p + 96, WEDR_BOOT_ID_LEN);
        if (!payload_ok(&c)) {
            return WEDR_E_FORMAT;
        }
    }
    *ret = c;
    return err;
}
