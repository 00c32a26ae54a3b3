/* SPDX-License-Identifier: Apache-2.0
 * Who runs a new process: SID, integrity and elevation of its primary token, in both forms in which
 * kernels give them. Linked with --wrap for PsReferencePrimaryToken and SeQueryInformationToken. */
#include "driver_expect.h"
#include "nt_probe.h"

#define PID 300u
#define TOKEN_USER_CLASS 1u
#define TOKEN_ELEVATION_CLASS 20u
#define TOKEN_INTEGRITY_CLASS 25u
#define NOT_THERE 0xffffffffu /* an integrity level that is not known */
#define SID_MAX 68u

/* ---- SDDL text --------------------------------------------------------------------------------
 */

struct sid {
    uint8_t bytes[SID_MAX + 4];
    size_t len;
};

static struct sid sid_of(uint8_t revision, uint64_t authority, unsigned count, uint32_t each)
{
    struct sid s = {.bytes = {revision, (uint8_t)count},
                    .len = 8 + 4 * (size_t)(count < 16 ? count : 16)};

    for (unsigned i = 0; i < 6; i++) {
        s.bytes[2 + i] = (uint8_t)(authority >> (40 - 8 * i));
    }
    for (unsigned i = 0; i < count && i < 16; i++) {
        memcpy(s.bytes + 8 + 4 * i, &each, sizeof(each));
    }
    return s;
}

static void check_text(struct sid s, const char *want)
{
    uint16_t text[PROBE_SID_TEXT_MAX];
    const struct ntsim_text expected = text_of(want);
    uint16_t len = probe_sid_text(s.bytes, s.len, text);

    assert_int_equal(len, expected.len);
    assert_memory_equal(text, expected.units, len);
}

static void sid_text_is_sddl(void **state)
{
    struct sid s = sid_of(1, 5, 3, 0);
    const uint32_t parts[] = {21, 0, 4294967295u};

    (void)state;
    memcpy(s.bytes + 8, parts, sizeof(parts));
    check_text(s, "S-1-5-21-0-4294967295");
    check_text(sid_of(1, 0, 1, 0), "S-1-0-0");
    check_text(sid_of(1, 1, 1, 10), "S-1-1-10");
    check_text(sid_of(1, 16, 1, 12288), "S-1-16-12288");
    check_text(sid_of(1, 5, 1, 1234567890), "S-1-5-1234567890");
}

static void sid_without_sub_authorities_ends_behind_the_authority(void **state)
{
    (void)state;
    check_text(sid_of(1, 5, 0, 0), "S-1-5");
    check_text(sid_of(1, 9, 0, 0), "S-1-9");
    check_text(sid_of(1, 10, 0, 0), "S-1-10");
}

static void authority_above_32_bits_is_hexadecimal(void **state)
{
    (void)state;
    check_text(sid_of(1, 0xffffffff, 1, 7), "S-1-4294967295-7");
    check_text(sid_of(1, 0x100000000, 1, 7), "S-1-0x000100000000-7");
    check_text(sid_of(1, 0x0123456789ab, 1, 7), "S-1-0x0123456789ab-7");
    check_text(sid_of(1, 0xcdef00000000, 0, 7), "S-1-0xcdef00000000");
}

static void longest_sid_fills_the_room_exactly(void **state)
{
    char want[PROBE_SID_TEXT_MAX + 1] = "S-1-0xffffffffffff";

    (void)state;
    for (unsigned i = 0; i < 15; i++) {
        strcat(want, "-4294967295");
    }
    assert_int_equal(strlen(want), PROBE_SID_TEXT_MAX);
    check_text(sid_of(1, 0xffffffffffff, 15, 0xffffffff), want);
}

static void what_is_no_sid_has_no_text(void **state)
{
    (void)state;
    check_text(sid_of(0, 5, 1, 18), "");
    check_text(sid_of(2, 5, 1, 18), "");
    check_text(sid_of(1, 5, 16, 18), "");
    check_text(sid_of(1, 5, 255, 18), "");
    check_text(sid_of(1, 5, 15, 8), "S-1-5-8-8-8-8-8-8-8-8-8-8-8-8-8-8-8");
}

/* ---- the record -------------------------------------------------------------------------------
 */

static struct ntsim_process *create(const struct ntsim_process_spec *given)
{
    struct ntsim_process_spec s = *given;
    struct ntsim_process *p;

    s.pid = PID;
    s.start_key = DRIVER_KEY(PID);
    s.create_time = NTSIM_TIME;
    s.image = NTSIM_TEXT(DRIVER_IMAGE);
    p = ntsim_process_new(&s);
    driver_fire_start(p, NTSIM_NULL);
    return p;
}

static struct wants wants(struct ntsim_text sid, uint32_t integrity, unsigned elevated)
{
    struct wants w = {.type = WEDR_EV_PROCESS_CREATE, .lane = WEDR_LANE_CRITICAL};

    want_number(&w, "pid", PID);
    want_number(&w, "parent_pid", 0);
    want_number(&w, "creating_pid", 4);
    want_number(&w, "process_key", DRIVER_KEY(PID));
    want_number(&w, "parent_key", 0);
    want_text(&w, "image_path", NTSIM_TEXT(DRIVER_IMAGE), 0);
    want_nothing(&w, "command_line", 0);
    want_nothing(&w, "parent_image_path", WEDR_SF_UNREADABLE);
    want_nothing(&w, "cwd", 0);
    want_text(&w, "user_sid", sid, sid.len > 0 ? 0 : WEDR_SF_UNREADABLE);
    want_number(&w, "integrity_level", integrity);
    want_number(&w, "session_id", 0);
    want_number(&w, "elevated", elevated);
    return w;
}

/* One process of that kind; then it is gone. */
static void
check_record(struct ntsim_file *f, const struct ntsim_process_spec *s, const struct wants *w)
{
    struct ntsim_process *p = create(s);

    expect_record(f, w);
    assert_int_equal(ntsim_references(), 0);
    ntsim_process_free(p);
}

static void d21_user_is_that_of_the_token(void **state)
{
    static const struct {
        uint64_t authority;
        unsigned count;
        const char *text;
    } kinds[] = {{5, 0, "S-1-5"},
                 {5, 1, "S-1-5-9"},
                 {15, 15, "S-1-15-9-9-9-9-9-9-9-9-9-9-9-9-9-9-9"},
                 {0x800000000000, 1, "S-1-0x800000000000-9"}};

    for (unsigned i = 0; i < 4; i++) {
        struct sid sid = sid_of(1, kinds[i].authority, kinds[i].count, 9);
        const struct ntsim_process_spec s = {
            .sid = sid.bytes, .sid_len = sid.len, .integrity = 0x2000};
        const struct wants w = wants(text_of(kinds[i].text), 0x2000, 0);

        check_record(*state, &s, &w);
    }
    expect_truncated(*state, 0, 0);
}

static void d21_longest_user_is_whole(void **state)
{
    struct sid sid = sid_of(1, 0xffffffffffff, 15, 0xffffffff);
    const struct ntsim_process_spec s = {.sid = sid.bytes, .sid_len = sid.len};
    uint16_t text[PROBE_SID_TEXT_MAX];
    struct wants w = wants(NTSIM_BYTES(text, sizeof(text)), 0, 0);

    assert_int_equal(probe_sid_text(sid.bytes, sid.len, text), sizeof(text));
    check_record(*state, &s, &w);
    expect_truncated(*state, 0, 0);
}

static void user_that_is_no_sid_is_flagged(void **state)
{
    struct sid sid = sid_of(2, 5, 1, 18);
    const struct ntsim_process_spec s = {
        .sid = sid.bytes, .sid_len = sid.len, .integrity = 0x1000, .elevated = true};
    const struct wants w = wants(NTSIM_BYTES(u"", 0), 0x1000, 1);

    check_record(*state, &s, &w);
}

static void d21_integrity_and_elevation_are_read_in_both_forms(void **state)
{
    static const uint32_t levels[] = {0, 0x1000, 0x2000, 0x3000, 0x4000, 0xffff};

    for (unsigned i = 0; i < 24; i++) {
        const struct ntsim_process_spec s = {
            .integrity = levels[i / 4], .elevated = i % 2 != 0, .by_pointer = i % 4 / 2 != 0};
        const struct wants w = wants(NTSIM_TEXT(u"S-1-5-18"), levels[i / 4], i % 2);

        check_record(*state, &s, &w);
    }
}

static void integrity_above_16_bits_comes_by_pointer(void **state)
{
    const struct ntsim_process_spec s = {.integrity = 0x12345678, .by_pointer = true};
    const struct wants w = wants(NTSIM_TEXT(u"S-1-5-18"), 0x12345678, 0);

    check_record(*state, &s, &w);
}

static void what_cannot_be_read_is_filled_all_the_same(void **state)
{
    struct ntsim_process *p = driver_process(PID, 0);
    struct probe_token token;

    (void)state;
    ntsim_process_fail(p, NTSIM_FAIL_USER | NTSIM_FAIL_INTEGRITY | NTSIM_FAIL_ELEVATION);
    probe_token(p, &token);
    assert_int_equal(token.integrity, NOT_THERE);
    assert_false(token.elevated);
    assert_int_equal(token.sid_len, 0);
}

/* ---- answers that the simulated token does not give -------------------------------------------
 */

static struct {
    bool no_token;
    unsigned class;    /* this one is answered with */
    uintptr_t value;   /* this, or */
    const uint8_t *at; /* a label, or a user, with this SID */
    size_t len;
} bend;

void *__real_PsReferencePrimaryToken(void *process);
void *__wrap_PsReferencePrimaryToken(void *process);
void *__wrap_PsReferencePrimaryToken(void *process)
{
    return bend.no_token ? NULL : __real_PsReferencePrimaryToken(process);
}

void *ExAllocatePoolWithTag(int type, size_t len, uint32_t tag);
int32_t __real_SeQueryInformationToken(void *token, unsigned class, void **ret);
int32_t __wrap_SeQueryInformationToken(void *token, unsigned class, void **ret);
int32_t __wrap_SeQueryInformationToken(void *token, unsigned class, void **ret)
{
    struct {
        void *sid;
        uint64_t attributes;
    } * answer;

    if (class != bend.class) {
        return __real_SeQueryInformationToken(token, class, ret);
    }
    *ret = (void *)bend.value;
    if (bend.at) {
        answer = ExAllocatePoolWithTag(512, sizeof(*answer) + bend.len, 0x6c62614c);
        assert_non_null(answer);
        answer->sid = answer + 1;
        answer->attributes = 0x20;
        memcpy(answer + 1, bend.at, bend.len);
        *ret = answer;
    }
    return NTSIM_SUCCESS;
}

static int bend_setup(void **state)
{
    memset(&bend, 0, sizeof(bend));
    return expect_setup(state);
}

static int bend_teardown(void **state)
{
    memset(&bend, 0, sizeof(bend));
    return driver_teardown(state);
}

static void process_without_a_token_is_announced_all_the_same(void **state)
{
    const struct ntsim_process_spec s = {.integrity = 0x3000, .elevated = true};
    const struct wants w = wants(NTSIM_BYTES(u"", 0), NOT_THERE, 0);

    bend.no_token = true;
    check_record(*state, &s, &w);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 1, 1, 0);
}

static void label_is_the_last_part_of_its_sid(void **state)
{
    static const unsigned counts[] = {0, 1, 2, 15, 16, 255};

    for (unsigned i = 0; i < 6; i++) {
        struct sid sid = sid_of(1, 16, counts[i] < 15 ? counts[i] : 15, 1);
        const struct ntsim_process_spec s = {.elevated = true};
        uint32_t level = 0x2100;
        bool valid = counts[i] >= 1 && counts[i] <= 15;
        const struct wants w = wants(NTSIM_TEXT(u"S-1-5-18"), valid ? level : NOT_THERE, 1);

        sid.bytes[1] = (uint8_t)counts[i];
        memcpy(sid.bytes + 4 + 4 * (counts[i] < 15 ? counts[i] : 15), &level, sizeof(level));
        bend.class = TOKEN_INTEGRITY_CLASS;
        bend.at = sid.bytes;
        bend.len = sid.len;
        check_record(*state, &s, &w);
    }
}

static void no_buffer_lies_in_the_first_64_kib(void **state)
{
    static const uintptr_t values[] = {0, 1, 0xffff};
    const struct ntsim_process_spec s = {.integrity = 0x3000};

    for (unsigned i = 0; i < 3; i++) {
        struct wants w = wants(NTSIM_BYTES(u"", 0), 0x3000, 0);

        bend.value = values[i];
        bend.class = TOKEN_USER_CLASS;
        check_record(*state, &s, &w);
        w = wants(NTSIM_TEXT(u"S-1-5-18"), (uint32_t)values[i], 0);
        bend.class = TOKEN_INTEGRITY_CLASS;
        check_record(*state, &s, &w);
        w = wants(NTSIM_TEXT(u"S-1-5-18"), 0x3000, values[i] != 0);
        bend.class = TOKEN_ELEVATION_CLASS;
        check_record(*state, &s, &w);
    }
}

#define BEND_TEST(f) cmocka_unit_test_setup_teardown(f, bend_setup, bend_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sid_text_is_sddl),
        cmocka_unit_test(sid_without_sub_authorities_ends_behind_the_authority),
        cmocka_unit_test(authority_above_32_bits_is_hexadecimal),
        cmocka_unit_test(longest_sid_fills_the_room_exactly),
        cmocka_unit_test(what_is_no_sid_has_no_text),
        EXPECT_TEST(d21_user_is_that_of_the_token),
        EXPECT_TEST(d21_longest_user_is_whole),
        EXPECT_TEST(user_that_is_no_sid_is_flagged),
        EXPECT_TEST(d21_integrity_and_elevation_are_read_in_both_forms),
        EXPECT_TEST(integrity_above_16_bits_comes_by_pointer),
        EXPECT_TEST(what_cannot_be_read_is_filled_all_the_same),
        BEND_TEST(process_without_a_token_is_announced_all_the_same),
        BEND_TEST(label_is_the_last_part_of_its_sid),
        BEND_TEST(no_buffer_lies_in_the_first_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
