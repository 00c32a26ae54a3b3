/* SPDX-License-Identifier: Apache-2.0 */
#include "command_offer.h"

#include "core/base/err.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include "wedr/wire/schema.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 65536u
#define POLL_MAX_S 3600

static int read_id(const char *text, uint8_t ret[WEDR_COMMAND_ID_LEN])
{
    char hex[2 * WEDR_COMMAND_ID_LEN];
    size_t n = 0;
    if (!text || strlen(text) != WEDR_COMMAND_ID_TEXT - 1) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; text[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) {
            return WEDR_E_FORMAT;
        }
        if (!dash) {
            hex[n++] = text[i];
        }
    }
    return wedr_unhex(hex, n, ret, WEDR_COMMAND_ID_LEN);
}

static int read_base64(const json_t *v, void *ret, size_t cap, size_t *ret_len)
{
    return json_is_string(v)
               ? wedr_unbase64(json_string_value(v), json_string_length(v), ret, cap, ret_len)
               : WEDR_E_FORMAT;
}

static int read_offer(const json_t *o, struct wedr_command_offer *ret)
{
    size_t len = 0, sig = 0;
    int err = read_id(json_string_value(json_object_get(o, "id")), ret->id);
    if (err == WEDR_OK) {
        err = read_base64(json_object_get(o, "signed"), ret->bytes, sizeof(ret->bytes), &len);
    }
    if (err == WEDR_OK) {
        err = read_base64(json_object_get(o, "signature"), ret->signature, sizeof(ret->signature),
                          &sig);
    }
    ret->len = (uint16_t)len;
    return err == WEDR_OK && sig != sizeof(ret->signature) ? WEDR_E_FORMAT : err;
}

void wedr_command_offers_read(const void *body, size_t len, struct wedr_command_offers *ret)
{
    json_error_t e;
    json_t *root =
        len <= ANSWER_MAX ? json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, &e) : NULL;
    const json_t *list = json_object_get(root, "pending_commands");
    const json_t *poll = json_object_get(root, "command_poll_seconds");
    ret->count = 0;
    ret->poll_s = 0;
    for (size_t i = 0; i < json_array_size(list) && ret->count < WEDR_COMMAND_OFFERS_MAX; i++) {
        ret->count += read_offer(json_array_get(list, i), &ret->v[ret->count]) == WEDR_OK;
    }
    if (json_is_integer(poll) && json_integer_value(poll) > 0) {
        json_int_t s = json_integer_value(poll);
        ret->poll_s = (uint32_t)(s < POLL_MAX_S ? s : POLL_MAX_S);
    }
    json_decref(root);
}

void wedr_command_id_text(const uint8_t id[WEDR_COMMAND_ID_LEN], char ret[WEDR_COMMAND_ID_TEXT])
{
    char hex[2 * WEDR_COMMAND_ID_LEN + 1];
    wedr_hex(id, WEDR_COMMAND_ID_LEN, hex);
    (void)snprintf(ret, WEDR_COMMAND_ID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}

static const char *result_text(const struct wedr_msg_command_result *m)
{
    static const char *const outcomes[] = {"", "done", "refused", "failed"};
    const char *label =
        m->response ? wedr_label_text(WEDR_KIND_RESPONSE_RESULT, m->response) : NULL;
    return label ? label : m->outcome <= WEDR_MSG_COMMAND_FAILED ? outcomes[m->outcome] : "";
}

size_t wedr_command_ack_write(const struct wedr_msg_command_result *m,
                              char text[WEDR_COMMAND_ACK_MAX])
{
    struct wedr_json j;
    const char *type = wedr_command_type_name(m->type);
    wedr_json_init(&j, text, WEDR_COMMAND_ACK_MAX);
    wedr_json_obj_begin(&j);
    wedr_json_put_str(&j, "status", m->outcome == WEDR_MSG_COMMAND_DONE ? "success" : "failed");
    wedr_json_key(&j, "result");
    wedr_json_obj_begin(&j);
    if (type) {
        wedr_json_put_str(&j, "action", type);
    }
    wedr_json_put_str(&j, "result", result_text(m));
    wedr_json_put_str(&j, "detail", m->detail);
    if (m->pid) {
        wedr_json_key(&j, "pid");
        wedr_json_u64(&j, m->pid);
        wedr_json_key(&j, "process_key");
        wedr_json_hex64(&j, m->process_key);
        wedr_json_key(&j, "duration_us");
        wedr_json_u64(&j, m->duration_us < INT64_MAX ? m->duration_us : INT64_MAX);
    }
    wedr_json_obj_end(&j);
    wedr_json_obj_end(&j);
    return wedr_json_len(&j);
}
