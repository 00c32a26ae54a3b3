/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/wire/command.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* "WEDRCMD1", key 00 .. 1f, counter, issued, expires, id f0 .. ff, type 1, 28 bytes: pid, process
 * key, boot id. Written by hand from docs/commands.md. */
static const uint8_t golden[] = {
    'W',  'E',  'D',  'R',  'C',  'M',  'D',  '1',  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
    0x00, 0x10, 0xa5, 0xd4, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x20, 0xa5, 0xd4, 0xe8, 0x00, 0x00, 0x00,
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
    0x01, 0x00, 0x1c, 0x00, 0x92, 0x10, 0x00, 0x00, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static struct wedr_command golden_command(void)
{
    struct wedr_command c = {.counter = 0x0102030405060708u,
                             .issued_us = 0xe8d4a51000,
                             .expires_us = 0xe8d4a52000,
                             .type = WEDR_COMMAND_KILL_PROCESS,
                             .kill = {.pid = 4242, .process_key = 0x0123456789abcdefu}};
    for (uint8_t i = 0; i < 32; i++) {
        c.key[i] = i;
    }
    for (uint8_t i = 0; i < 16; i++) {
        c.id[i] = (uint8_t)(0xf0 + i);
        c.kill.boot_id[i] = (uint8_t)(0x11 * i);
    }
    return c;
}

static void bytes_are_the_golden_ones(void **state)
{
    struct wedr_command c = golden_command(), back;
    uint8_t out[WEDR_COMMAND_MAX];
    size_t n = 0;
    (void)state;
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_OK);
    assert_int_equal(n, sizeof(golden));
    assert_memory_equal(out, golden, n);
    assert_int_equal(wedr_command_decode(wedr_span(golden, sizeof(golden)), &back), WEDR_OK);
    assert_true(back.counter == c.counter && back.issued_us == c.issued_us &&
                back.expires_us == c.expires_us && back.type == c.type);
    assert_memory_equal(back.key, c.key, sizeof(c.key));
    assert_memory_equal(back.id, c.id, sizeof(c.id));
    assert_true(back.kill.pid == c.kill.pid && back.kill.process_key == c.kill.process_key);
    assert_memory_equal(back.kill.boot_id, c.kill.boot_id, sizeof(c.kill.boot_id));
}

static void a_command_without_payload_is_its_head(void **state)
{
    struct wedr_command c = golden_command(), back;
    uint8_t out[WEDR_COMMAND_MAX];
    size_t n = 0;
    (void)state;
    c.type = WEDR_COMMAND_UPDATE_RULES;
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_OK);
    assert_int_equal(n, WEDR_COMMAND_HEAD_LEN);
    assert_int_equal(wedr_command_decode(wedr_span(out, n), &back), WEDR_OK);
    assert_int_equal(back.kill.pid, 0);
}

static void every_other_length_is_refused(void **state)
{
    struct wedr_command c;
    uint8_t longer[WEDR_COMMAND_MAX + 1] = {0};
    (void)state;
    memcpy(longer, golden, sizeof(golden));
    for (size_t n = 0; n <= sizeof(longer); n++) {
        if (n != sizeof(golden)) {
            assert_int_equal(wedr_command_decode(wedr_span(longer, n), &c), WEDR_E_FORMAT);
        }
    }
}

static int decode_with(size_t at, size_t n, uint8_t byte)
{
    struct wedr_command c;
    uint8_t b[sizeof(golden)];
    memcpy(b, golden, sizeof(b));
    memset(b + at, byte, n);
    return wedr_command_decode(wedr_span(b, sizeof(b)), &c);
}

static void fields_outside_their_bounds_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_with(7, 1, '2'), WEDR_E_VERSION);
    assert_int_equal(decode_with(40, 8, 0), WEDR_E_FORMAT);    /* counter 0 */
    assert_int_equal(decode_with(48, 8, 0), WEDR_E_FORMAT);    /* issued 0 */
    assert_int_equal(decode_with(48, 8, 0xff), WEDR_E_FORMAT); /* issued before 1970 */
    assert_int_equal(decode_with(56, 8, 0), WEDR_E_FORMAT);    /* expires before it was issued */
    assert_int_equal(decode_with(80, 1, 2), WEDR_E_FORMAT);    /* a payload that it has not */
    assert_int_equal(decode_with(82, 1, 27), WEDR_E_FORMAT);
    assert_int_equal(decode_with(84, 4, 0), WEDR_E_FORMAT); /* pid 0 */
    assert_int_equal(decode_with(88, 8, 0), WEDR_E_FORMAT); /* key 0 */
}

static void an_unknown_type_gives_its_head(void **state)
{
    struct wedr_command c = {.counter = 0};
    uint8_t b[sizeof(golden)], out[WEDR_COMMAND_MAX];
    size_t n = 0;
    (void)state;
    memcpy(b, golden, sizeof(b));
    b[80] = 77;
    assert_int_equal(wedr_command_decode(wedr_span(b, sizeof(b)), &c), WEDR_E_UNSUP);
    assert_true(c.counter == 0x0102030405060708u);
    assert_int_equal(c.id[0], 0xf0);
    assert_int_equal(c.kill.pid, 0);
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_E_UNSUP);
}

static void encode_keeps_the_same_bounds(void **state)
{
    uint8_t out[WEDR_COMMAND_MAX];
    size_t n = 0;
    (void)state;
    struct wedr_command c = golden_command();
    c.counter = 0;
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_E_RANGE);
    c = golden_command();
    c.expires_us = c.issued_us;
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_E_RANGE);
    c = golden_command();
    c.kill.pid = 0;
    assert_int_equal(wedr_command_encode(&c, out, &n), WEDR_E_RANGE);
}

static void types_have_names(void **state)
{
    uint16_t type = 0;
    (void)state;
    assert_int_equal(wedr_command_type_of("update_rules", &type), WEDR_OK);
    assert_int_equal(type, WEDR_COMMAND_UPDATE_RULES);
    assert_string_equal(wedr_command_type_name(WEDR_COMMAND_KILL_PROCESS), "kill_process");
    assert_int_equal(wedr_command_type_of("run_shell", &type), WEDR_E_UNSUP);
    assert_null(wedr_command_type_name(77));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_golden_ones),
        cmocka_unit_test(a_command_without_payload_is_its_head),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(fields_outside_their_bounds_are_refused),
        cmocka_unit_test(an_unknown_type_gives_its_head),
        cmocka_unit_test(encode_keeps_the_same_bounds),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
