/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "encode/dns.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define POINTS_TO_QUESTION "\xc0\x0c"
#define QUESTION "\7example\3com\0" /* and its type and class: the class is always 1 */

static struct wedr_dns dns;

/* A message of literal parts. */
static struct message {
    uint8_t bytes[1024];
    size_t len;
} m;

static void add(const void *bytes, size_t len)
{
    assert_true(len <= sizeof(m.bytes) - m.len);
    memcpy(m.bytes + m.len, bytes, len);
    m.len += len;
}
#define ADD(literal) add(literal, sizeof(literal) - 1)

static void begin(uint16_t flags, uint8_t questions, uint8_t answers)
{
    const uint8_t header[12] = {0x12, 0x34,   (uint8_t)(flags >> 8), (uint8_t)flags, 0, questions,
                                0,    answers};
    m.len = 0;
    add(header, sizeof(header));
}

/* Owner, type, class IN, a time to live, data. */
static void add_record(uint8_t type, const void *data, uint8_t len)
{
    const uint8_t fixed[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, len};
    add(fixed, sizeof(fixed));
    add(data, len);
}
#define ADD_RECORD(type, literal) add_record(type, literal, sizeof(literal) - 1)

static int parse(bool cut)
{
    return wedr_dns_parse(wedr_span(m.bytes, m.len), cut, &dns);
}

static void assert_answers(const char *expected, size_t len)
{
    assert_int_equal(dns.answers_len, len);
    assert_memory_equal(dns.answers, expected, len);
}
#define ASSERT_ANSWERS(literal) assert_answers(literal, sizeof(literal) - 1)

static void a_question_has_name_and_type(void **state)
{
    (void)state;
    begin(0x0100, 1, 0);
    ADD(QUESTION "\0\34\0\1");
    assert_int_equal(parse(false), WEDR_OK);
    assert_string_equal(dns.name, "example.com");
    assert_int_equal(dns.type, 28);
    assert_false(dns.response || dns.damaged || dns.cut);
    assert_int_equal(dns.answers_len, 0);
}

static void answers_of_every_type_become_text(void **state)
{
    (void)state;
    begin(0x8180, 1, 9);
    ADD(QUESTION "\0\1\0\1");
    ADD_RECORD(5, "\3www" POINTS_TO_QUESTION);
    ADD_RECORD(1, "\xc0\0\2\1");
    ADD_RECORD(28, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
    ADD_RECORD(15, "\0\12\4mail" POINTS_TO_QUESTION);
    ADD_RECORD(16, "\4a b.\3c\\d");
    ADD_RECORD(12, "\3ptr\0");
    ADD_RECORD(2, POINTS_TO_QUESTION);
    ADD_RECORD(33, "\0\1\0\2\1\xbb\3srv\0");
    ADD_RECORD(65, "\0\1\0"); /* a type without a text */
    assert_int_equal(parse(false), WEDR_OK);
    assert_false(dns.damaged || dns.cut);
    assert_true(dns.response);
    ASSERT_ANSWERS("www.example.com\0"
                   "192.0.2.1\0"
                   "2001:db8::1\0"
                   "10 mail.example.com\0"
                   "a b.c\\\\d\0"
                   "ptr\0"
                   "example.com\0"
                   "1 2 443 srv\0");
}

static void the_response_code_is_kept(void **state)
{
    (void)state;
    begin(0x8183, 1, 0);
    ADD(QUESTION "\0\1\0\1");
    assert_int_equal(parse(false), WEDR_OK);
    assert_int_equal(dns.rcode, 3);
}

static void what_a_label_may_not_show_is_escaped(void **state)
{
    (void)state;
    begin(0x0100, 1, 0);
    ADD("\7a.\\b \0\xff\2De\0\0\1\0\1");
    assert_int_equal(parse(false), WEDR_OK);
    assert_string_equal(dns.name, "a\\.\\\\b\\032\\000\\255.De");
    begin(0x0100, 1, 0);
    ADD("\0\0\2\0\1");
    assert_int_equal(parse(false), WEDR_OK);
    assert_string_equal(dns.name, ".");
}

static void the_longest_name_fits_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    for (size_t last = 61; last <= 62; last++) {
        uint8_t label[64];
        memset(label, 0xff, sizeof(label));
        begin(0x0100, 1, 0);
        label[0] = 63;
        for (int i = 0; i < 3; i++) {
            add(label, 64);
        }
        label[0] = (uint8_t)last;
        add(label, last + 1);
        ADD("\0\0\1\0\1");
        assert_int_equal(parse(false), last == 61 ? WEDR_OK : WEDR_E_FORMAT);
        assert_int_equal(dns.name_len, last == 61 ? (size_t)(3 * 63 + 61) * 4 + 3 : 0);
    }
}

static void pointers_that_do_not_lead_back_are_refused(void **state)
{
    (void)state;
    begin(0x0100, 1, 0);
    ADD("\xc0\x0c\0\1\0\1"); /* to itself */
    assert_int_equal(parse(false), WEDR_E_FORMAT);
    begin(0x0100, 1, 0);
    ADD("\1a\xc0\x0c\0\1\0\1"); /* to the label before: for ever */
    assert_int_equal(parse(false), WEDR_E_FORMAT);
    assert_true(dns.damaged);
    assert_string_equal(dns.name, "");
    begin(0x8100, 1, 1);
    ADD(QUESTION "\0\1\0\1");
    ADD_RECORD(5, "\1b\xc0\x29"); /* to the label in front of it */
    assert_int_equal(parse(false), WEDR_OK);
    assert_true(dns.damaged);
    assert_string_equal(dns.name, "example.com");
    assert_int_equal(dns.answers_len, 0);
}

static void half_a_message_gives_what_it_has(void **state)
{
    (void)state;
    begin(0x8100, 1, 2);
    ADD(QUESTION "\0\1\0\1");
    ADD_RECORD(1, "\xc0\0\2\1");
    ADD_RECORD(1, "\xc0\0\2\2");
    m.len -= 2;
    assert_int_equal(parse(true), WEDR_OK);
    assert_true(dns.cut && !dns.damaged);
    ASSERT_ANSWERS("192.0.2.1\0");
    assert_int_equal(parse(false), WEDR_OK);
    assert_true(dns.damaged && !dns.cut);
    ASSERT_ANSWERS("192.0.2.1\0");
    for (m.len = 0; m.len < 12 + 17; m.len++) {
        assert_int_equal(parse(true), WEDR_E_FORMAT);
    }
}

static void more_answers_than_fit_are_cut_between_two(void **state)
{
    (void)state;
    uint8_t label[64];
    memset(label, 'x', sizeof(label));
    label[0] = 63;
    begin(0x8100, 1, 50);
    add(label, 64);
    add(label, 64);
    add(label, 64);
    ADD("\0\0\5\0\1");
    for (int i = 0; i < 50; i++) {
        ADD_RECORD(5, POINTS_TO_QUESTION);
    }
    assert_int_equal(parse(false), WEDR_OK);
    assert_true(dns.cut && !dns.damaged);
    assert_int_equal(dns.answers_len, 8192 / (3 * 64) * (3 * 64));
    assert_int_equal(dns.answers[dns.answers_len - 1], 0);
}

static void other_numbers_of_questions_are_marked(void **state)
{
    (void)state;
    begin(0x0100, 0, 0);
    assert_int_equal(parse(false), WEDR_OK);
    assert_true(dns.damaged && dns.name_len == 0);
    begin(0x0100, 2, 0);
    ADD(QUESTION "\0\1\0\1\1b\0\0\2\0\1");
    assert_int_equal(parse(false), WEDR_OK);
    assert_true(dns.damaged && dns.type == 1);
    assert_string_equal(dns.name, "example.com");
}

static uint8_t record[WEDR_RECORD_MAX];
static struct wedr_dns_room room;

/* The message as the sensor would send it, unfolded. */
static struct wedr_event_view unfold(uint16_t op, uint16_t flags)
{
    struct wedr_record r;
    struct wedr_event_view v;
    assert_int_equal(
        wedr_record_begin(&r, record, sizeof(record), WEDR_EV_DNS_QUERY, WEDR_OS_LINUX), 0);
    assert_int_equal(wedr_record_set_uint(&r, "pid", 77), 0);
    assert_int_equal(wedr_record_set_uint(&r, "dns_op", op), 0);
    assert_int_equal(wedr_record_set_str(&r, "payload", m.bytes, m.len, flags), 0);
    wedr_record_set_counts(&r, 3, 4);
    size_t len = wedr_record_finish(&r, 5, 6, WEDR_STREAM_BULK, 0);
    assert_int_equal(wedr_event_decode(wedr_span(record, len), &v), WEDR_OK);
    wedr_dns_unfold(&room, &v);
    assert_int_equal(v.h.seq, 5);
    assert_int_equal(v.h.time, 6);
    assert_int_equal(v.h.drop_count, 3);
    assert_int_equal(v.h.trunc_count, 4);
    assert_int_equal(wedr_event_uint(&v, wedr_event_field(&v, "pid")), 77);
    return v;
}

static struct wedr_span text(const struct wedr_event_view *v, const char *field, uint16_t *flags)
{
    return wedr_event_str(v, wedr_event_field(v, field), flags);
}

static void a_record_gets_what_its_message_says(void **state)
{
    (void)state;
    uint16_t flags = 0;
    begin(0x8185, 1, 2);
    ADD(QUESTION "\0\1\0\1");
    ADD_RECORD(1, "\xc0\0\2\1");
    ADD_RECORD(1, "\xc0\0\2\2");
    m.len -= 2;
    struct wedr_event_view v = unfold(WEDR_DNS_OP_ANSWER, WEDR_SF_CUT);
    struct wedr_span name = text(&v, "query_name", &flags);
    assert_int_equal(name.len, 11);
    assert_memory_equal(name.p, "example.com", 11);
    assert_int_equal(wedr_event_uint(&v, wedr_event_field(&v, "query_type")), 1);
    assert_int_equal(wedr_event_uint(&v, wedr_event_field(&v, "query_status")), 5);
    struct wedr_span answers = text(&v, "answers", &flags);
    assert_int_equal(answers.len, 10);
    assert_memory_equal(answers.p, "192.0.2.1", 10);
    assert_int_equal(flags, WEDR_SF_CUT);
    assert_int_equal(text(&v, "payload", &flags).len, 0);
}

static void what_was_not_understood_keeps_its_bytes(void **state)
{
    (void)state;
    uint16_t flags = 0;
    begin(0x0100, 1, 0);
    ADD("\xc0\x0c\0\1\0\1");
    struct wedr_event_view v = unfold(WEDR_DNS_OP_QUERY, 0);
    assert_int_equal(text(&v, "query_name", &flags).len, 0);
    assert_int_equal(text(&v, "payload", &flags).len, m.len);
    /* A question where an answer was due is no DNS server's. */
    begin(0x0100, 1, 0);
    ADD(QUESTION "\0\1\0\1");
    v = unfold(WEDR_DNS_OP_ANSWER, 0);
    assert_int_equal(text(&v, "query_name", &flags).len, 11);
    assert_int_equal(text(&v, "payload", &flags).len, m.len);
    /* What follows the first question of a cut copy is nowhere else. */
    begin(0x0100, 1, 0);
    ADD(QUESTION "\0\1\0\1");
    ADD("\0\x1d and another question");
    v = unfold(WEDR_DNS_OP_QUERY, WEDR_SF_CUT);
    assert_int_equal(text(&v, "query_name", &flags).len, 11);
    assert_int_equal(text(&v, "payload", &flags).len, m.len);
}

static void other_records_are_left_alone(void **state)
{
    (void)state;
    struct wedr_record r;
    struct wedr_event_view v;
    assert_int_equal(
        wedr_record_begin(&r, record, sizeof(record), WEDR_EV_NETWORK_LISTEN, WEDR_OS_LINUX), 0);
    size_t len = wedr_record_finish(&r, 5, 6, WEDR_STREAM_BULK, 0);
    assert_int_equal(wedr_event_decode(wedr_span(record, len), &v), WEDR_OK);
    wedr_dns_unfold(&room, &v);
    assert_ptr_equal(v.rec.p, record);
    assert_int_equal(
        wedr_record_begin(&r, record, sizeof(record), WEDR_EV_DNS_QUERY, WEDR_OS_WINDOWS), 0);
    len = wedr_record_finish(&r, 5, 6, WEDR_STREAM_BULK, 0);
    assert_int_equal(wedr_event_decode(wedr_span(record, len), &v), WEDR_OK);
    wedr_dns_unfold(&room, &v);
    assert_ptr_equal(v.rec.p, record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_has_name_and_type),
        cmocka_unit_test(answers_of_every_type_become_text),
        cmocka_unit_test(the_response_code_is_kept),
        cmocka_unit_test(what_a_label_may_not_show_is_escaped),
        cmocka_unit_test(the_longest_name_fits_and_a_longer_one_is_refused),
        cmocka_unit_test(pointers_that_do_not_lead_back_are_refused),
        cmocka_unit_test(half_a_message_gives_what_it_has),
        cmocka_unit_test(more_answers_than_fit_are_cut_between_two),
        cmocka_unit_test(other_numbers_of_questions_are_marked),
        cmocka_unit_test(a_record_gets_what_its_message_says),
        cmocka_unit_test(what_was_not_understood_keeps_its_bytes),
        cmocka_unit_test(other_records_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
