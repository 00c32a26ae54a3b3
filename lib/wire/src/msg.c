/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/msg.h"

#include "core/base/err.h"
#include <stddef.h>
#include <string.h>

#define X(direction, NAME, code, structure, handles) \
    _Static_assert(sizeof(struct wedr_msg_##structure) <= WEDR_MSG_SIZE_MAX, "message too long");
WEDR_MSG_LIST(X)
#undef X

struct msg_row {
    uint16_t type;
    uint8_t direction, handles;
    uint32_t size;
};

static const struct msg_row msg_rows[] = {
#define X(direction, NAME, code, structure, handles) \
    {WEDR_MSG_T_##NAME, WEDR_MSG_##direction, (handles), sizeof(struct wedr_msg_##structure)},
    WEDR_MSG_LIST(X)
#undef X
};

static const struct msg_row *msg_find(uint16_t type)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(msg_rows); i++) {
        if (msg_rows[i].type == type) {
            return &msg_rows[i];
        }
    }
    return NULL;
}

size_t wedr_msg_size(uint16_t type, size_t *ret_handles)
{
    const struct msg_row *row = msg_find(type);
    if (!row) {
        return 0;
    }
    if (ret_handles) {
        *ret_handles = row->handles;
    }
    return row->size;
}

void wedr_msg_begin(void *m, uint16_t type)
{
    struct wedr_msg_header h = {WEDR_MSG_VERSION, type, (uint32_t)wedr_msg_size(type, NULL)};
    memset(m, 0, h.size);
    memcpy(m, &h, sizeof(h));
}

void wedr_msg_put_text(char *field, size_t cap, const char *text)
{
    memset(field, 0, cap);
    if (!text) {
        return;
    }
    size_t n = strlen(text);
    memcpy(field, text, n < cap ? n : cap - 1);
}

const char *wedr_msg_governor_text(uint8_t governor)
{
    static const char *const text[] = {"full", "quarter", "trickle", "no_bulk"};
    return governor <= WEDR_MSG_GOVERNOR_NO_BULK ? text[governor] : "unknown";
}

void wedr_msg_from_batch(const struct wedr_batch_id *id, struct wedr_msg_batch_id *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->epoch = id->epoch;
    memcpy(ret->boot_id, id->boot_id, sizeof(ret->boot_id));
    memcpy(ret->stream, id->stream, sizeof(ret->stream));
    ret->first_seq = id->first_seq;
    ret->last_seq = id->last_seq;
    ret->count = id->count;
    ret->produced = id->produced;
    ret->lost = id->lost;
    memcpy(ret->sha256, id->sha256, sizeof(ret->sha256));
}

static bool text_ok(const char *field, size_t cap)
{
    return memchr(field, 0, cap) != NULL;
}

int wedr_msg_to_batch(const struct wedr_msg_batch_id *m, struct wedr_batch_id *ret_id)
{
    struct wedr_batch_id id;
    memset(&id, 0, sizeof(id));
    id.epoch = m->epoch;
    memcpy(id.boot_id, m->boot_id, sizeof(id.boot_id));
    memcpy(id.stream, m->stream, sizeof(id.stream));
    id.first_seq = m->first_seq;
    id.last_seq = m->last_seq;
    id.count = m->count;
    id.produced = m->produced;
    id.lost = m->lost;
    memcpy(id.sha256, m->sha256, sizeof(id.sha256));
    if (!text_ok(id.stream, sizeof(id.stream)) || wedr_batch_id_check(&id) != WEDR_OK) {
        return WEDR_E_FORMAT;
    }
    *ret_id = id;
    return WEDR_OK;
}

static bool batch_ok(const uint8_t *at)
{
    struct wedr_msg_batch_id m;
    struct wedr_batch_id id;
    memcpy(&m, at, sizeof(m));
    return wedr_msg_to_batch(&m, &id) == WEDR_OK;
}

static bool outcome_ok(const uint8_t *p)
{
    struct wedr_msg_batch_outcome m;
    memcpy(&m, p, sizeof(m));
    return m.outcome >= WEDR_MSG_ACKED && m.outcome <= WEDR_MSG_POISON && m.window >= 1 &&
           m.window <= WEDR_MSG_WINDOW_MAX && m.wait_ms <= WEDR_MSG_WAIT_MAX_MS;
}

static bool log_ok(const uint8_t *p)
{
    struct wedr_msg_log m;
    memcpy(&m, p, sizeof(m));
    return m.level <= 3 && m.len <= WEDR_MSG_LINE_MAX;
}

static bool holder_state_ok(const uint8_t *p)
{
    struct wedr_msg_holder_state m;
    memcpy(&m, p, sizeof(m));
    return text_ok(m.health, sizeof(m.health)) &&
           text_ok(m.rules_profile, sizeof(m.rules_profile)) &&
           text_ok(m.rules_error, sizeof(m.rules_error)) && m.rules_fetch <= 1 &&
           m.kill_allowed <= 1 && m.governor <= WEDR_MSG_GOVERNOR_NO_BULK &&
           text_ok(m.hooks_missing_names, sizeof(m.hooks_missing_names)) &&
           text_ok(m.settings_error, sizeof(m.settings_error)) && m.commands <= 1;
}

static bool status_texts_ok(const uint8_t *p, size_t core_at, size_t net_at, size_t holder_at)
{
    const char *c = (const char *)p;
    if (core_at != SIZE_MAX &&
        !text_ok(c + core_at + offsetof(struct wedr_msg_core_stats, source), 16)) {
        return false;
    }
    if (net_at != SIZE_MAX &&
        (!text_ok(c + net_at + offsetof(struct wedr_msg_net_stats, last_error),
                  WEDR_MSG_TEXT_MAX) ||
         p[net_at + offsetof(struct wedr_msg_net_stats, server_state)] >
             WEDR_MSG_SERVER_NO_CONFIG)) {
        return false;
    }
    return holder_at == SIZE_MAX || holder_state_ok(p + holder_at);
}

#define TEXT_AT(structure, member)                                           \
    text_ok((const char *)p + offsetof(struct wedr_msg_##structure, member), \
            sizeof(((struct wedr_msg_##structure *)0)->member))

static bool facts_stats_ok(const uint8_t *p)
{
    return p[offsetof(struct wedr_msg_facts_stats, package_source)] <=
           WEDR_MSG_PACKAGES_UNSUPPORTED;
}

static bool status_ok(const uint8_t *p)
{
    return TEXT_AT(status, agent_id) && TEXT_AT(status, version) && TEXT_AT(status, server_url) &&
           TEXT_AT(status, sandbox_missing) &&
           facts_stats_ok(p + offsetof(struct wedr_msg_status, facts)) &&
           status_texts_ok(p, offsetof(struct wedr_msg_status, core),
                           offsetof(struct wedr_msg_status, net),
                           offsetof(struct wedr_msg_status, holder));
}

static bool enrolled_ok(const uint8_t *p)
{
    return TEXT_AT(enrolled, text) && TEXT_AT(enrolled, agent_id) && TEXT_AT(enrolled, cert_pem) &&
           TEXT_AT(enrolled, ca_pem) && TEXT_AT(enrolled, rules_key) &&
           TEXT_AT(enrolled, command_key);
}

static bool rules_ok(const uint8_t *p)
{
    struct wedr_msg_rules m;
    memcpy(&m, p, sizeof(m));
    return text_ok(m.profile, sizeof(m.profile)) && m.serial != 0 && m.len <= WEDR_MSG_RULES_MAX;
}

static bool sensor_state_ok(const uint8_t *p)
{
    return TEXT_AT(sensor_state, source) && TEXT_AT(sensor_state, level) &&
           TEXT_AT(sensor_state, reason) && TEXT_AT(sensor_state, hooks_live) &&
           TEXT_AT(sensor_state, hooks_missing);
}

static bool fetched_ok(const uint8_t *p)
{
    struct wedr_msg_rules_fetched m;
    memcpy(&m, p, sizeof(m));
    return m.len <= WEDR_MSG_RULES_MAX;
}

static bool kill_result_ok(const uint8_t *p)
{
    struct wedr_msg_kill_result m;
    memcpy(&m, p, sizeof(m));
    return TEXT_AT(kill_result, alert_id) && TEXT_AT(kill_result, rule_id) &&
           TEXT_AT(kill_result, detail) && m.result >= WEDR_RESPONSE_RESULT_DONE &&
           m.result <= WEDR_RESPONSE_RESULT_FAILED;
}

static bool command_ok(const uint8_t *p)
{
    struct wedr_msg_command m;
    memcpy(&m, p, sizeof(m));
    return m.len <= WEDR_COMMAND_MAX;
}

static bool command_result_ok(const uint8_t *p)
{
    struct wedr_msg_command_result m;
    memcpy(&m, p, sizeof(m));
    return TEXT_AT(command_result, detail) && m.outcome >= WEDR_MSG_COMMAND_DONE &&
           m.outcome <= WEDR_MSG_COMMAND_FAILED && m.response <= WEDR_RESPONSE_RESULT_FAILED;
}

static bool exe_facts_ok(const uint8_t *p)
{
    struct wedr_msg_exe_facts m;
    memcpy(&m, p, sizeof(m));
    return m.result >= WEDR_MSG_EXE_KNOWN && m.result <= WEDR_MSG_EXE_RESULT_LAST &&
           m.running <= 1 && m.touched <= m.running && m.head_len <= WEDR_MSG_HEAD_MAX &&
           TEXT_AT(exe_facts, package) && TEXT_AT(exe_facts, package_version);
}

static bool options_ok(const uint8_t *p)
{
    struct wedr_msg_options m;
    memcpy(&m, p, sizeof(m));
    return TEXT_AT(options, text) && m.block_len <= WEDR_MSG_OPTIONS_MAX;
}

/* Of the messages from and to facts, and about commands. */
static bool more_content_ok(uint16_t type, const uint8_t *p)
{
    switch (type) {
    case WEDR_MSG_T_COMMAND:
        return command_ok(p);
    case WEDR_MSG_T_COMMAND_RESULT:
        return command_result_ok(p);
    case WEDR_MSG_T_CERT:
        return TEXT_AT(pem, pem);
    case WEDR_MSG_T_FACTS_STATS:
        return facts_stats_ok(p);
    case WEDR_MSG_T_EXE_ASK:
        return TEXT_AT(exe_ask, path) && p[offsetof(struct wedr_msg_exe_ask, settled)] <= 1;
    case WEDR_MSG_T_EXE_FACTS:
        return exe_facts_ok(p);
    case WEDR_MSG_T_NAME_ASK:
        return p[offsetof(struct wedr_msg_name_ask, group)] <= 1;
    case WEDR_MSG_T_NAME:
        return TEXT_AT(name, name) && p[offsetof(struct wedr_msg_name, group)] <= 1;
    default:
        return true;
    }
}

/* What the length alone does not tell. p has the exact size of its type. */
static bool content_ok(uint16_t type, const uint8_t *p)
{
    switch (type) {
    case WEDR_MSG_T_SOURCE_EBPF:
        return p[offsetof(struct wedr_msg_source_ebpf, adopted)] <= 1 &&
               p[offsetof(struct wedr_msg_source_ebpf, proc)] <= 1;
    case WEDR_MSG_T_SOURCE_END:
    case WEDR_MSG_T_CORE_STOP:
    case WEDR_MSG_T_CORE_READY:
    case WEDR_MSG_T_NET_READY:
    case WEDR_MSG_T_FACTS_READY:
        return TEXT_AT(text, text);
    case WEDR_MSG_T_SOURCE_STARTED:
    case WEDR_MSG_T_SOURCE_ENDED:
    case WEDR_MSG_T_CORE_STOPPED:
    case WEDR_MSG_T_RENEWED:
    case WEDR_MSG_T_STOPPING:
    case WEDR_MSG_T_CHECKED:
    case WEDR_MSG_T_NET_GONE:
    case WEDR_MSG_T_FACTS_GONE:
        return TEXT_AT(result, text);
    case WEDR_MSG_T_SIGN:
    case WEDR_MSG_T_SIGNED:
    case WEDR_MSG_T_BATCH:
        return batch_ok(p + offsetof(struct wedr_msg_signed, id));
    case WEDR_MSG_T_OUTCOME:
        return batch_ok(p + offsetof(struct wedr_msg_batch_outcome, id)) && outcome_ok(p);
    case WEDR_MSG_T_CORE_LOG:
    case WEDR_MSG_T_NET_LOG:
    case WEDR_MSG_T_FACTS_LOG:
        return log_ok(p);
    case WEDR_MSG_T_CORE_STATS:
    case WEDR_MSG_T_STATS_FOR_NET:
        return status_texts_ok(p, 0, SIZE_MAX, SIZE_MAX);
    case WEDR_MSG_T_NET_STATS:
        return status_texts_ok(p, SIZE_MAX, 0, SIZE_MAX);
    case WEDR_MSG_T_HOLDER_STATE:
        return status_texts_ok(p, SIZE_MAX, SIZE_MAX, 0);
    case WEDR_MSG_T_SENSOR_STATE:
        return sensor_state_ok(p);
    case WEDR_MSG_T_RULES:
        return rules_ok(p);
    case WEDR_MSG_T_RULES_RESULT:
        return TEXT_AT(rules_result, text);
    case WEDR_MSG_T_RULES_FETCHED:
        return fetched_ok(p);
    case WEDR_MSG_T_KILL:
        return TEXT_AT(kill, alert_id) && TEXT_AT(kill, rule_id);
    case WEDR_MSG_T_KILL_RESULT:
        return kill_result_ok(p);
    case WEDR_MSG_T_CLI_STOP:
        return p[offsetof(struct wedr_msg_cli_stop, sensor)] <= 1;
    case WEDR_MSG_T_STATUS:
        return status_ok(p);
    case WEDR_MSG_T_OPTIONS:
        return options_ok(p);
    case WEDR_MSG_T_ENROLLED:
        return enrolled_ok(p);
    default:
        return more_content_ok(type, p);
    }
}

int wedr_msg_check(enum wedr_msg_direction direction,
                   const void *p,
                   size_t len,
                   size_t handles,
                   uint16_t *ret_type)
{
    struct wedr_msg_header h;
    if (len < sizeof(h)) {
        return WEDR_E_FORMAT;
    }
    memcpy(&h, p, sizeof(h));
    const struct msg_row *row = msg_find(h.type);
    if (h.version != WEDR_MSG_VERSION || !row || row->direction != direction || len != row->size ||
        h.size != len || handles != row->handles || !content_ok(h.type, (const uint8_t *)p)) {
        return WEDR_E_FORMAT;
    }
    *ret_type = h.type;
    return WEDR_OK;
}
