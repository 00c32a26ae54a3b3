/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/wire/msg.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct row {
    uint16_t type;
    enum wedr_msg_direction direction;
    size_t size, handles;
};

static const struct row rows[] = {
#define X(direction, NAME, code, structure, handles) \
    {(code), WEDR_MSG_##direction, sizeof(struct wedr_msg_##structure), (handles)},
    WEDR_MSG_LIST(X)
#undef X
};

static uint8_t mem[WEDR_MSG_SIZE_MAX + 1];

static struct wedr_msg_batch_id good_id(void)
{
    struct wedr_batch_id id;
    struct wedr_msg_batch_id m;
    memset(&id, 0, sizeof(id));
    id.epoch = 7;
    memcpy(id.stream, "kernel.bulk", 12);
    id.first_seq = 1;
    id.last_seq = 20;
    id.count = 20;
    id.produced = 20;
    wedr_msg_from_batch(&id, &m);
    return m;
}

/* A message of that type that passes its check. */
static void make(const struct row *r)
{
    memset(mem, 0, sizeof(mem));
    wedr_msg_begin(mem, r->type);
    struct wedr_msg_batch_id id = good_id();
    switch (r->type) {
    case WEDR_MSG_T_SIGN:
    case WEDR_MSG_T_SIGNED:
    case WEDR_MSG_T_BATCH:
    case WEDR_MSG_T_OUTCOME:
        memcpy(mem + sizeof(struct wedr_msg_header), &id, sizeof(id));
        break;
    case WEDR_MSG_T_RULES:
        mem[offsetof(struct wedr_msg_rules, serial)] = 1;
        break;
    case WEDR_MSG_T_KILL_RESULT:
        mem[offsetof(struct wedr_msg_kill_result, result)] = WEDR_RESPONSE_RESULT_DONE;
        break;
    case WEDR_MSG_T_COMMAND_RESULT:
        mem[offsetof(struct wedr_msg_command_result, outcome)] = WEDR_MSG_COMMAND_DONE;
        break;
    case WEDR_MSG_T_EXE_FACTS:
        mem[offsetof(struct wedr_msg_exe_facts, result)] = WEDR_MSG_EXE_KNOWN;
        break;
    default:
        break;
    }
    if (r->type == WEDR_MSG_T_OUTCOME) {
        mem[offsetof(struct wedr_msg_batch_outcome, outcome)] = WEDR_MSG_ACKED;
        mem[offsetof(struct wedr_msg_batch_outcome, window)] = 1;
    }
}

static void every_message_passes_in_its_direction_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        make(&rows[i]);
        for (int d = 0; d <= WEDR_MSG_FACTS_TO_CORE + 1; d++) {
            uint16_t type = 0;
            int err = wedr_msg_check((enum wedr_msg_direction)d, mem, rows[i].size, rows[i].handles,
                                     &type);
            if (d == (int)rows[i].direction) {
                assert_int_equal(err, WEDR_OK);
                assert_int_equal(type, rows[i].type);
            } else {
                assert_int_equal(err, WEDR_E_FORMAT);
            }
        }
    }
}

static void any_other_length_is_refused(void **state)
{
    uint16_t type = 0;
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        make(&rows[i]);
        for (size_t len = 0; len < 9; len++) {
            if (len != rows[i].size) {
                assert_int_equal(
                    wedr_msg_check(rows[i].direction, mem, len, rows[i].handles, &type),
                    WEDR_E_FORMAT);
            }
        }
        assert_int_equal(
            wedr_msg_check(rows[i].direction, mem, rows[i].size - 1, rows[i].handles, &type),
            WEDR_E_FORMAT);
        assert_int_equal(
            wedr_msg_check(rows[i].direction, mem, rows[i].size + 1, rows[i].handles, &type),
            WEDR_E_FORMAT);
    }
    assert_int_equal(type, 0);
}

static void another_number_of_handles_is_refused(void **state)
{
    uint16_t type = 0;
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        make(&rows[i]);
        for (size_t n = 0; n <= WEDR_MSG_HANDLES_MAX + 1; n++) {
            int err = wedr_msg_check(rows[i].direction, mem, rows[i].size, n, &type);
            assert_int_equal(err, n == rows[i].handles ? WEDR_OK : WEDR_E_FORMAT);
        }
    }
}

static void header_that_lies_about_version_or_size_is_refused(void **state)
{
    uint16_t type = 0;
    (void)state;
    make(&rows[0]);
    mem[0] = WEDR_MSG_VERSION + 1;
    assert_int_equal(wedr_msg_check(rows[0].direction, mem, rows[0].size, rows[0].handles, &type),
                     WEDR_E_FORMAT);
    make(&rows[0]);
    mem[4]++;
    assert_int_equal(wedr_msg_check(rows[0].direction, mem, rows[0].size, rows[0].handles, &type),
                     WEDR_E_FORMAT);
}

static void refuse_filled(uint16_t type_code, enum wedr_msg_direction d, size_t at, size_t n)
{
    uint16_t type = 0;
    size_t handles = 0;
    const struct row r = {type_code, d, wedr_msg_size(type_code, &handles), 0};
    make(&r);
    assert_int_equal(wedr_msg_check(d, mem, r.size, handles, &type), WEDR_OK);
    memset(mem + at, 'x', n);
    assert_int_equal(wedr_msg_check(d, mem, r.size, handles, &type), WEDR_E_FORMAT);
    mem[at + n - 1] = 0;
    assert_int_equal(wedr_msg_check(d, mem, r.size, handles, &type), WEDR_OK);
}

#define FILL(TYPE, direction, structure, member)                 \
    refuse_filled(WEDR_MSG_T_##TYPE, WEDR_MSG_##direction,       \
                  offsetof(struct wedr_msg_##structure, member), \
                  sizeof(((struct wedr_msg_##structure *)0)->member))

static void text_without_an_end_is_refused(void **state)
{
    (void)state;
    FILL(SOURCE_END, HOLDER_TO_CORE, text, text);
    FILL(CORE_STOP, HOLDER_TO_CORE, text, text);
    FILL(CORE_READY, CORE_TO_HOLDER, text, text);
    FILL(SOURCE_STARTED, CORE_TO_HOLDER, result, text);
    FILL(CORE_STATS, CORE_TO_HOLDER, core_stats, source);
    FILL(STATS_FOR_NET, CORE_TO_NET, core_stats, source);
    FILL(NET_STATS, NET_TO_HOLDER, net_stats, last_error);
    FILL(HOLDER_STATE, HOLDER_TO_NET, holder_state, health);
    FILL(HOLDER_STATE, HOLDER_TO_NET, holder_state, rules_profile);
    FILL(HOLDER_STATE, HOLDER_TO_NET, holder_state, rules_error);
    FILL(RULES, HOLDER_TO_CORE, rules, profile);
    FILL(RULES_RESULT, CORE_TO_HOLDER, rules_result, text);
    FILL(KILL, CORE_TO_HOLDER, kill, alert_id);
    FILL(KILL, CORE_TO_HOLDER, kill, rule_id);
    FILL(KILL_RESULT, HOLDER_TO_CORE, kill_result, alert_id);
    FILL(KILL_RESULT, HOLDER_TO_CORE, kill_result, rule_id);
    FILL(KILL_RESULT, HOLDER_TO_CORE, kill_result, detail);
    FILL(CERT, NET_TO_HOLDER, pem, pem);
    FILL(STATUS, HOLDER_TO_CLI, status, agent_id);
    FILL(STATUS, HOLDER_TO_CLI, status, server_url);
    FILL(STATUS, HOLDER_TO_CLI, status, sandbox_missing);
    FILL(STATUS, HOLDER_TO_CLI, status, core.source);
    FILL(STATUS, HOLDER_TO_CLI, status, net.last_error);
    FILL(STATUS, HOLDER_TO_CLI, status, holder.health);
    FILL(STATUS, HOLDER_TO_CLI, status, holder.rules_error);
    FILL(ENROLLED, HELPER_TO_PARENT, enrolled, agent_id);
    FILL(ENROLLED, HELPER_TO_PARENT, enrolled, cert_pem);
    FILL(ENROLLED, HELPER_TO_PARENT, enrolled, ca_pem);
    FILL(ENROLLED, HELPER_TO_PARENT, enrolled, rules_key);
    FILL(ENROLLED, HELPER_TO_PARENT, enrolled, command_key);
    FILL(COMMAND_RESULT, HOLDER_TO_NET, command_result, detail);
    FILL(OPTIONS, HELPER_TO_PARENT, options, text);
    FILL(FACTS_READY, FACTS_TO_HOLDER, text, text);
    FILL(EXE_ASK, CORE_TO_FACTS, exe_ask, path);
    FILL(EXE_FACTS, FACTS_TO_CORE, exe_facts, package);
    FILL(EXE_FACTS, FACTS_TO_CORE, exe_facts, package_version);
    FILL(NAME, FACTS_TO_CORE, name, name);
}

static void numbers_outside_their_bounds_are_refused(void **state)
{
    uint16_t type = 0;
    struct wedr_msg_batch_outcome o;
    (void)state;
    wedr_msg_begin(&o, WEDR_MSG_T_OUTCOME);
    o.id = good_id();
    o.outcome = WEDR_MSG_POISON;
    o.window = WEDR_MSG_WINDOW_MAX;
    o.wait_ms = WEDR_MSG_WAIT_MAX_MS;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_CORE, &o, sizeof(o), 0, &type), WEDR_OK);
    o.outcome = WEDR_MSG_POISON + 1;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_CORE, &o, sizeof(o), 0, &type), WEDR_E_FORMAT);
    o.outcome = 0;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_CORE, &o, sizeof(o), 0, &type), WEDR_E_FORMAT);
    o.outcome = WEDR_MSG_ACKED;
    o.window = 0;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_CORE, &o, sizeof(o), 0, &type), WEDR_E_FORMAT);
    o.window = 1;
    o.wait_ms++;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_CORE, &o, sizeof(o), 0, &type), WEDR_E_FORMAT);
    static struct wedr_msg_log l;
    wedr_msg_begin(&l, WEDR_MSG_T_CORE_LOG);
    l.len = WEDR_MSG_LINE_MAX;
    assert_int_equal(wedr_msg_check(WEDR_MSG_CORE_TO_HOLDER, &l, sizeof(l), 0, &type), WEDR_OK);
    l.len++;
    assert_int_equal(wedr_msg_check(WEDR_MSG_CORE_TO_HOLDER, &l, sizeof(l), 0, &type),
                     WEDR_E_FORMAT);
    static struct wedr_msg_options op;
    wedr_msg_begin(&op, WEDR_MSG_T_OPTIONS);
    op.block_len = WEDR_MSG_OPTIONS_MAX + 1;
    assert_int_equal(wedr_msg_check(WEDR_MSG_HELPER_TO_PARENT, &op, sizeof(op), 0, &type),
                     WEDR_E_FORMAT);
}

/* What a rule asks for decides about a process's life: nothing of it is taken on trust. */
static void rules_and_kills_outside_their_bounds_are_refused(void **state)
{
    uint16_t type = 0;
    struct wedr_msg_rules r;
    struct wedr_msg_rules_fetched f;
    struct wedr_msg_kill_result k;
    struct wedr_msg_holder_state h;
    (void)state;
    wedr_msg_begin(&r, WEDR_MSG_T_RULES);
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_CORE, &r, sizeof(r), 1, &type),
                     WEDR_E_FORMAT); /* serial 0 */
    r.serial = 1;
    r.len = WEDR_MSG_RULES_MAX + 1;
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_CORE, &r, sizeof(r), 1, &type),
                     WEDR_E_FORMAT);
    wedr_msg_begin(&f, WEDR_MSG_T_RULES_FETCHED);
    f.len = WEDR_MSG_RULES_MAX;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_HOLDER, &f, sizeof(f), 0, &type), WEDR_OK);
    f.len++;
    assert_int_equal(wedr_msg_check(WEDR_MSG_NET_TO_HOLDER, &f, sizeof(f), 0, &type),
                     WEDR_E_FORMAT);
    wedr_msg_begin(&k, WEDR_MSG_T_KILL_RESULT);
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_CORE, &k, sizeof(k), 0, &type),
                     WEDR_E_FORMAT); /* no result */
    k.result = WEDR_RESPONSE_RESULT_FAILED + 1;
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_CORE, &k, sizeof(k), 0, &type),
                     WEDR_E_FORMAT);
    wedr_msg_begin(&h, WEDR_MSG_T_HOLDER_STATE);
    h.kill_allowed = 2;
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_NET, &h, sizeof(h), 0, &type),
                     WEDR_E_FORMAT);
    h.kill_allowed = 1;
    h.governor = WEDR_MSG_GOVERNOR_NO_BULK + 1;
    assert_int_equal(wedr_msg_check(WEDR_MSG_HOLDER_TO_NET, &h, sizeof(h), 0, &type),
                     WEDR_E_FORMAT);
}

static void batch_identity_survives_the_trip_and_a_bad_one_does_not(void **state)
{
    struct wedr_batch_id id, back;
    struct wedr_msg_batch_id m = good_id();
    (void)state;
    assert_int_equal(wedr_msg_to_batch(&m, &id), WEDR_OK);
    wedr_msg_from_batch(&id, &m);
    assert_int_equal(wedr_msg_to_batch(&m, &back), WEDR_OK);
    assert_int_equal(back.epoch, 7);
    assert_string_equal(back.stream, "kernel.bulk");
    assert_int_equal(back.last_seq, 20);
    m.first_seq = 0;
    assert_int_equal(wedr_msg_to_batch(&m, &back), WEDR_E_FORMAT);
    m = good_id();
    memset(m.stream, 'a', sizeof(m.stream));
    assert_int_equal(wedr_msg_to_batch(&m, &back), WEDR_E_FORMAT);
    m = good_id();
    m.stream[0] = '/';
    assert_int_equal(wedr_msg_to_batch(&m, &back), WEDR_E_FORMAT);
}

static void text_is_cut_to_its_field(void **state)
{
    char field[8];
    (void)state;
    wedr_msg_put_text(field, sizeof(field), "0123456789");
    assert_string_equal(field, "0123456");
    wedr_msg_put_text(field, sizeof(field), NULL);
    assert_string_equal(field, "");
}

static void refuse_byte(uint16_t type_code, enum wedr_msg_direction d, size_t at, uint8_t value)
{
    uint16_t type = 0;
    size_t handles = 0;
    const struct row r = {type_code, d, wedr_msg_size(type_code, &handles), 0};
    make(&r);
    mem[at] = value;
    assert_int_equal(wedr_msg_check(d, mem, r.size, handles, &type), WEDR_E_FORMAT);
}

static void facts_out_of_their_bounds_are_refused(void **state)
{
    (void)state;
    refuse_byte(WEDR_MSG_T_EXE_ASK, WEDR_MSG_CORE_TO_FACTS,
                offsetof(struct wedr_msg_exe_ask, settled), 2);
    refuse_byte(WEDR_MSG_T_NAME_ASK, WEDR_MSG_CORE_TO_FACTS,
                offsetof(struct wedr_msg_name_ask, group), 2);
    refuse_byte(WEDR_MSG_T_NAME, WEDR_MSG_FACTS_TO_CORE, offsetof(struct wedr_msg_name, group), 2);
    refuse_byte(WEDR_MSG_T_EXE_FACTS, WEDR_MSG_FACTS_TO_CORE,
                offsetof(struct wedr_msg_exe_facts, result), 0);
    refuse_byte(WEDR_MSG_T_EXE_FACTS, WEDR_MSG_FACTS_TO_CORE,
                offsetof(struct wedr_msg_exe_facts, result), WEDR_MSG_EXE_RESULT_LAST + 1);
    refuse_byte(WEDR_MSG_T_EXE_FACTS, WEDR_MSG_FACTS_TO_CORE,
                offsetof(struct wedr_msg_exe_facts, running), 2);
    refuse_byte(WEDR_MSG_T_EXE_FACTS, WEDR_MSG_FACTS_TO_CORE,
                offsetof(struct wedr_msg_exe_facts, touched), 1);
    refuse_byte(WEDR_MSG_T_EXE_FACTS, WEDR_MSG_FACTS_TO_CORE,
                offsetof(struct wedr_msg_exe_facts, head_len) + 1, 0x20);
    refuse_byte(WEDR_MSG_T_FACTS_STATS, WEDR_MSG_FACTS_TO_HOLDER,
                offsetof(struct wedr_msg_facts_stats, package_source),
                WEDR_MSG_PACKAGES_UNSUPPORTED + 1);
    refuse_byte(WEDR_MSG_T_STATUS, WEDR_MSG_HOLDER_TO_CLI,
                offsetof(struct wedr_msg_status, facts) +
                    offsetof(struct wedr_msg_facts_stats, package_source),
                WEDR_MSG_PACKAGES_UNSUPPORTED + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_passes_in_its_direction_only),
        cmocka_unit_test(any_other_length_is_refused),
        cmocka_unit_test(another_number_of_handles_is_refused),
        cmocka_unit_test(header_that_lies_about_version_or_size_is_refused),
        cmocka_unit_test(text_without_an_end_is_refused),
        cmocka_unit_test(facts_out_of_their_bounds_are_refused),
        cmocka_unit_test(numbers_outside_their_bounds_are_refused),
        cmocka_unit_test(rules_and_kills_outside_their_bounds_are_refused),
        cmocka_unit_test(batch_identity_survives_the_trip_and_a_bad_one_does_not),
        cmocka_unit_test(text_is_cut_to_its_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
