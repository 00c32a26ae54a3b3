/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_builder.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/unpack.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on
#include <zstd.h>

/* Prepares and frees; the counts through out-parameters. */
static int counts_of(struct tb *b, uint32_t *accepted, uint32_t *rejected)
{
    struct wedr_prepared *p = NULL;
    int rc = tb_prepare(b, &p);
    if (rc == WEDR_OK) {
        wedr_prepared_counts(p, accepted, rejected);
    }
    wedr_prepared_free(p);
    return rc;
}

/* One line of text as a batch: accepted or not. */
static bool line_accepted(const char *stream, const char *text)
{
    struct tb b;
    uint32_t good = 0, bad = 0;
    tb_init(&b, stream);
    wedr_buf_adds(&b.raw, text);
    wedr_buf_adds(&b.raw, "\n");
    b.id.count = 1;
    b.id.first_seq = b.id.last_seq = 1;
    assert_int_equal(counts_of(&b, &good, &bad), WEDR_OK);
    assert_int_equal(good + bad, 1);
    tb_fini(&b);
    return good == 1;
}

#define FORK_HEAD                                                                            \
    "{\"ts\":\"2026-11-24T00:00:00.000001Z\",\"module\":\"kernel_callback\",\"event_type\":" \
    "\"process_fork\","
#define FORK_RAW                                                                               \
    "\"comm\":\"sh\",\"creating_pid\":1,\"parent_key\":\"0000000000000001\",\"parent_pid\":1," \
    "\"pid\":2,"                                                                               \
    "\"process_key\":\"0000000000000002\""
#define FORK_TAIL ",\"source\":\"kernel\",\"kind\":\"ProcessFork\",\"event_version\":7,\"seq\":1}"
#define FORK(extra) FORK_HEAD "\"raw\":{" FORK_RAW extra "}" FORK_TAIL
#define UID ",\"uid\":0"

static void every_line_of_a_valid_batch_is_accepted(void **state)
{
    (void)state;
    struct tb b;
    uint32_t good = 0, bad = 9;
    tb_init(&b, "kernel.critical");
    tb_create(&b, 1, TB_T0, 10, 1, "/usr/bin/id", "-u");
    tb_fork(&b, 2, TB_T0 + 1, 11, 10);
    tb_connect(&b, 3, TB_T0 + 2, 11, "10.0.0.1", 443);
    assert_int_equal(counts_of(&b, &good, &bad), WEDR_OK);
    assert_int_equal(good, 3);
    assert_int_equal(bad, 0);
    tb_fini(&b);
}

static void agent_records_are_accepted_and_become_facts(void **state)
{
    (void)state;
    struct tb b;
    struct wedr_prepared *p = NULL;
    tb_init(&b, "agent");
    tb_epoch_start(&b, 1, TB_T0, 7, "kernel.critical");
    tb_loss(&b, 2, TB_T0, 7, "kernel.critical", "evicted", 5, "10-12,20-21");
    tb_gap(&b, 3, TB_T0, "kernel", TB_T0 - 5000000, TB_T0, "host_off");
    tb_epoch_end(&b, 4, TB_T0, 7, "kernel.critical", 21);
    assert_int_equal(tb_prepare(&b, &p), WEDR_OK);
    assert_int_equal(p->accepted, 4);
    assert_int_equal(p->fact_count, 4);
    assert_int_equal(p->facts[0].boot_id[1], 0xA1);
    assert_int_equal(p->facts[1].lost, 5);
    assert_int_equal(p->facts[1].reason, WEDR_LOSS_REASON_EVICTED);
    assert_int_equal(p->facts[1].range_count, 2);
    assert_int_equal(p->facts[1].range[1].last, 21);
    assert_int_equal(p->facts[2].to_us - p->facts[2].from_us, 5000000);
    assert_int_equal(p->facts[3].produced, 21);
    wedr_prepared_free(p);
    tb_fini(&b);
}

static void a_line_passes_or_fails_by_schema_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {FORK(UID), true},
        {FORK(""), false},                        /* required uid missing */
        {FORK(UID ",\"nobody_knows\":1"), false}, /* unknown key */
        {FORK(UID ",\"uid\":0"), false},          /* twice */
        {FORK(",\"uid\":\"0\""), false},          /* wrong type */
        {FORK(",\"uid\":0.5"), false},
        {FORK(",\"uid\":-1"), false}, /* out of range */
        {FORK(",\"uid\":4294967296"), false},
        {FORK(",\"uid\":4294967295"), true},
        {FORK(",\"uid\":null"), false},
        {FORK(UID ",\"comm_cut\":true"), true},
        {FORK(UID ",\"comm_hex\":\"ff00\""), true},
        {FORK(UID ",\"comm_hex\":\"ff0\""), false},
        {FORK(UID ",\"comm_hex\":\"FF\""), false},
        {FORK_HEAD "\"raw\":{" FORK_RAW UID "},\"extra\":1" FORK_TAIL, false},
        {FORK_HEAD "\"process\":{\"pid\":2,\"name\":\"x\"},\"raw\":{" FORK_RAW UID "}" FORK_TAIL,
         true},
        {FORK_HEAD "\"process\":{\"name\":\"x\"},\"raw\":{" FORK_RAW UID "}" FORK_TAIL,
         false}, /* no pid */
        {FORK_HEAD "\"process\":{\"pid\":2,\"command_line\":\"x\"},\"raw\":{" FORK_RAW UID
                   "}" FORK_TAIL,
         false},
        {FORK_HEAD "\"raw\":{" FORK_RAW UID "},\"ts_ft_100ns\":5" FORK_TAIL,
         false}, /* no fork records on Windows */
        {FORK_HEAD "\"raw\":{" FORK_RAW UID "},\"drop_count\":3,\"trunc_count\":1" FORK_TAIL, true},
        {FORK_HEAD "\"raw\":{" FORK_RAW UID "},\"drop_count\":-3" FORK_TAIL, false},
        {FORK_HEAD "\"raw\":{" FORK_RAW UID ",\"deep\":{\"a\":1}}" FORK_TAIL, false},
        {"", false},
        {"[]", false},
        {"{}", false},
        {FORK(UID) " {}", false},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        if (line_accepted("kernel.critical", cases[i].text) != cases[i].good) {
            fail_msg("case %zu: %s", i, cases[i].text);
        }
    }
}

static void time_must_be_iso_with_six_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *ts;
        bool good;
    } cases[] = {{"2026-11-24T00:00:00.000001Z", true},  {"2026-11-24T00:00:00.001Z", false},
                 {"2026-02-29T00:00:00.000000Z", false}, {"2028-02-29T23:59:59.999999Z", true},
                 {"2026-13-01T00:00:00.000000Z", false}, {"2026-11-24T24:00:00.000000Z", false},
                 {"2026-11-24 00:00:00.000000Z", false}, {"1969-12-31T23:59:59.000000Z", false}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        char text[2048];
        (void)snprintf(text, sizeof(text),
                       "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_"
                       "fork\",\"raw\":{" FORK_RAW UID "}" FORK_TAIL,
                       cases[i].ts);
        if (line_accepted("kernel.critical", text) != cases[i].good) {
            fail_msg("%s", cases[i].ts);
        }
    }
}

static void nul_and_bad_utf8_reject_the_line(void **state)
{
    (void)state;
    assert_false(line_accepted("kernel.critical", FORK(UID ",\"comm_hex\":\"\\u0000\"")));
    assert_false(line_accepted(
        "kernel.critical", FORK_HEAD
        "\"process\":{\"pid\":2,\"name\":\"a\\u0000b\"},\"raw\":{" FORK_RAW UID "}" FORK_TAIL));
    assert_false(line_accepted(
        "kernel.critical", FORK_HEAD
        "\"process\":{\"pid\":2,\"name\":\"\xff\xfe\"},\"raw\":{" FORK_RAW UID "}" FORK_TAIL));
    assert_false(line_accepted("kernel.critical", FORK_HEAD
                               "\"process\":{\"pid\":2,\"name\":\"\\ud800\"},\"raw\":{" FORK_RAW UID
                               "}" FORK_TAIL));
    assert_true(line_accepted("kernel.critical", FORK_HEAD
                              "\"process\":{\"pid\":2,\"name\":\"\xc3\xa9\"},\"raw\":{" FORK_RAW UID
                              "}" FORK_TAIL));
}

static void a_lone_surrogate_rejects_the_line(void **state)
{
    (void)state;
#define WITH_EXE(text)                                                                      \
    FORK_HEAD "\"raw\":{\"comm\":\"" text                                                   \
              "\",\"creating_pid\":1,\"parent_key\":\"0000000000000001\",\"parent_pid\":1," \
              "\"pid\":2,\"process_key\":\"0000000000000002\"" UID "}" FORK_TAIL
    assert_true(line_accepted("kernel.critical", WITH_EXE("a\\ud83d\\ude00")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("a\\ud800")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("\\ud800b")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("\\ud800\\u0041")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("\\ud800\\ud800")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("\\udc00b")));
    assert_false(line_accepted("kernel.critical", WITH_EXE("b\\udfff")));
}

static void agent_and_plugin_records_only_come_in_their_own_streams(void **state)
{
    (void)state;
    const char *plugin = "{\"event_type\":\"plugin_event\",\"kind\":\"app.login\",\"module\":"
                         "\"plugin\",\"plugin_id\":\"8f3c\",\"raw\":{\"any\":"
                         "{\"thing\":[1,{\"x\":null}]}},\"source\":\"plugin\",\"ts\":\"2026-11-"
                         "24T00:00:00.000001Z\",\"event_version\":7,\"seq\":1}";
    const char *plugin_twice = "{\"event_type\":\"plugin_event\",\"kind\":\"app.login\",\"module\":"
                               "\"plugin\",\"plugin_id\":\"8f3c\",\"raw\":{\"a\":"
                               "{\"b\":1,\"b\":2}},\"source\":\"plugin\",\"ts\":\"2026-11-24T00:00:"
                               "00.000001Z\",\"event_version\":7,\"seq\":1}";
    assert_true(line_accepted("plugin.acme", plugin));
    assert_false(line_accepted("plugin.acme", plugin_twice));
    assert_false(line_accepted("kernel.critical", plugin));
    assert_false(line_accepted("agent", FORK(UID)));
    assert_false(line_accepted("plugin.acme", FORK(UID)));
}

static void alerts_only_come_in_their_own_stream(void **state)
{
    (void)state;
#define ALERT(evidence)                                                                          \
    "{\"ts\":\"2026-11-24T00:00:00.000001Z\",\"module\":\"agent\",\"event_type\":\"alert\","     \
    "\"raw\":"                                                                                   \
    "{\"alert_id\":\"00\",\"entity\":\"host\",\"event_time\":\"2026-11-24T00:00:00.000001Z\","   \
    "\"evidence\":" evidence ",\"match_count\":1,\"rule_id\":\"r\",\"rule_language\":\"sigma\"," \
    "\"rule_title\":\"t\",\"rules_serial\":\"1\",\"severity\":\"high\",\"severity_code\":4,"     \
    "\"suppressed\":0},\"source\":\"agent\",\"kind\":\"Alert\",\"event_version\":7,\"seq\":1}"
    assert_true(line_accepted("alert", ALERT("[{\"event\":{\"raw\":{\"pid\":1}},\"seq\":2}]")));
    assert_true(line_accepted("alert", ALERT("{}")));
    assert_false(line_accepted("alert", ALERT("\"text\"")));
    assert_false(line_accepted("alert", ALERT("7")));
    assert_false(line_accepted("agent", ALERT("[]")));
    assert_false(line_accepted("kernel.critical", ALERT("[]")));
    assert_false(line_accepted("alert", FORK(UID)));
#undef ALERT
}

static void rejected_lines_are_marked_in_the_bitmap(void **state)
{
    (void)state;
    struct tb b;
    struct wedr_prepared *p = NULL;
    tb_init(&b, "kernel.critical");
    tb_fork(&b, 5, TB_T0, 2, 1);
    tb_line(&b, 6, "{\"broken");
    tb_line(&b, 7, "{\"seq\":7}");
    tb_fork(&b, 9, TB_T0 + 5, 3, 1);
    assert_int_equal(tb_prepare(&b, &p), WEDR_OK);
    assert_int_equal(p->accepted, 2);
    assert_int_equal(p->rejected, 2);
    assert_int_equal(p->bitmap_len, 1);
    assert_int_equal(p->bitmap[0], 0x6);
    assert_int_equal(p->t1 - p->t0, 5);
    wedr_prepared_free(p);
    tb_fini(&b);
}

static int
prepare_forks(uint64_t a, uint64_t b_seq, uint64_t c, uint64_t first, uint64_t last, uint32_t count)
{
    struct tb b;
    uint32_t good, bad;
    tb_init(&b, "kernel.critical");
    tb_fork(&b, a, TB_T0, 2, 1);
    if (b_seq == 0) {
        tb_line(&b, 0, "garbage");
    } else {
        tb_fork(&b, b_seq, TB_T0, 2, 1);
    }
    tb_fork(&b, c, TB_T0, 2, 1);
    b.id.first_seq = first;
    b.id.last_seq = last;
    b.id.count = count;
    int rc = counts_of(&b, &good, &bad);
    tb_fini(&b);
    return rc;
}

static void a_batch_whose_seqs_or_count_lie_is_refused(void **state)
{
    (void)state;
    assert_int_equal(prepare_forks(1, 2, 3, 1, 3, 3), WEDR_OK);
    assert_int_equal(prepare_forks(1, 5, 9, 1, 9, 3), WEDR_OK);
    assert_int_equal(prepare_forks(1, 2, 3, 1, 3, 2), WEDR_E_RANGE);
    assert_int_equal(prepare_forks(1, 2, 3, 1, 4, 3), WEDR_E_RANGE);
    assert_int_equal(prepare_forks(2, 3, 4, 1, 4, 3), WEDR_E_RANGE);
    assert_int_equal(prepare_forks(1, 3, 3, 1, 3, 3), WEDR_E_RANGE);
    assert_int_equal(prepare_forks(1, 9, 3, 1, 9, 3), WEDR_E_RANGE);
    /* a line without a readable seq takes the free place, if there is one */
    assert_int_equal(prepare_forks(1, 0, 3, 1, 3, 3), WEDR_OK);
    assert_int_equal(prepare_forks(1, 0, 2, 1, 3, 3), WEDR_E_RANGE);
}

static void a_wrong_digest_is_refused_before_anything_else(void **state)
{
    (void)state;
    struct tb b;
    struct wedr_prepared *p = NULL;
    tb_init(&b, "kernel.critical");
    tb_forks(&b, 1, 3);
    tb_seal(&b);
    b.id.sha256[0] ^= 1;
    assert_int_equal(tb_prepare(&b, &p), WEDR_E_CORRUPT);
    tb_fini(&b);
}

/* A batch whose frame is given; the digest is right. */
static int prepare_frame(const void *z, size_t z_len, uint32_t count)
{
    struct wedr_ingest_batch in = {.agent_id = TB_AGENT, .hostname = "h", .z = z, .z_len = z_len};
    struct wedr_prepared *p = NULL;
    struct tb b;
    tb_init(&b, "kernel.critical");
    in.id = b.id;
    in.id.first_seq = 1;
    in.id.last_seq = in.id.produced = in.id.count = count;
    wedr_sha256(z, z_len, in.id.sha256);
    int rc = wedr_ingest_prepare(&in, &p, NULL);
    wedr_prepared_free(p);
    tb_fini(&b);
    return rc;
}

static size_t compress_zeroes(uint8_t *out, size_t cap, size_t n, bool with_size)
{
    static uint8_t chunk[1u << 16];
    memset(chunk, '\n', sizeof(chunk));
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
    if (with_size) {
        ZSTD_CCtx_setPledgedSrcSize(c, n);
    }
    ZSTD_outBuffer o = {out, cap, 0};
    size_t left = 1;
    while (left != 0) {
        size_t take = n < sizeof(chunk) ? n : sizeof(chunk);
        ZSTD_inBuffer in = {chunk, take, 0};
        n -= take;
        left = ZSTD_compressStream2(c, &o, &in, n == 0 ? ZSTD_e_end : ZSTD_e_continue);
        assert_false(ZSTD_isError(left));
        left = n == 0 ? left : 1;
    }
    ZSTD_freeCCtx(c);
    return o.pos;
}

static void s07_a_decompression_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    static uint8_t z[1u << 20];
    size_t n =
        compress_zeroes(z, sizeof(z), 40u << 20, false); /* 1000:1 and more, size not stated */
    assert_true(n < (40u << 20) / 1000u);
    assert_int_equal(prepare_frame(z, n, 1), WEDR_E_LIMIT);
    n = compress_zeroes(z, sizeof(z), 40u << 20, true);
    assert_int_equal(prepare_frame(z, n, 1), WEDR_E_LIMIT);
    n = compress_zeroes(z, sizeof(z), 31u << 20,
                        false); /* below the limit: refused for its count of lines */
    assert_int_equal(prepare_frame(z, n, 1), WEDR_E_RANGE);
}

static void a_frame_that_lies_about_its_size_is_refused(void **state)
{
    (void)state;
    struct tb b;
    tb_init(&b, "kernel.critical");
    tb_forks(&b, 1, 40);
    tb_seal(&b);
    uint8_t z[8192];
    assert_true(b.z_len < sizeof(z));
    memcpy(z, b.z, b.z_len);
    assert_int_equal(prepare_frame(z, b.z_len, 40), WEDR_OK);
    /* frame header: magic 4, descriptor 1, then the content size */
    assert_int_equal(z[4] & 0x20, 0x20);
    z[6] = (uint8_t)(z[6] + 1);
    int more = prepare_frame(z, b.z_len, 40);
    z[6] = (uint8_t)(z[6] - 2);
    int less = prepare_frame(z, b.z_len, 40);
    assert_true(more == WEDR_E_CORRUPT || more == WEDR_E_FORMAT);
    assert_true(less == WEDR_E_CORRUPT || less == WEDR_E_FORMAT);
    tb_fini(&b);
}

static void exactly_one_frame_with_nothing_behind_it(void **state)
{
    (void)state;
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    struct tb b;
    tb_init(&b, "kernel.critical");
    tb_forks(&b, 1, 2);
    tb_seal(&b);
    uint8_t z[8192];
    memcpy(z, b.z, b.z_len);
    z[b.z_len] = 0;
    assert_int_equal(prepare_frame(z, b.z_len + 1, 2), WEDR_E_FORMAT);
    memcpy(z + b.z_len, b.z, b.z_len);
    assert_int_equal(prepare_frame(z, 2 * b.z_len, 4), WEDR_E_FORMAT);
    assert_int_equal(prepare_frame(z, b.z_len - 1, 2), WEDR_E_FORMAT);
    assert_int_equal(prepare_frame(skippable, sizeof(skippable), 1), WEDR_E_FORMAT);
    assert_int_equal(prepare_frame("{\"a\":1}\n", 8, 1), WEDR_E_FORMAT);
    assert_int_equal(prepare_frame("", 0, 1), WEDR_E_FORMAT);
    tb_fini(&b);
}

/* A line of n keys, or n opening brackets, between two texts. */
static int prepare_repeated(const char *head, bool keys, size_t n, const char *tail, uint32_t *bad)
{
    struct tb b;
    uint32_t good = 0;
    tb_init(&b, "plugin.acme");
    wedr_buf_adds(&b.raw, head);
    for (size_t i = 0; i < n; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "\"k%zu\":1,", i);
        wedr_buf_adds(&b.raw, keys ? key : "[");
    }
    wedr_buf_adds(&b.raw, tail);
    wedr_buf_adds(&b.raw, "\n");
    b.id.count = 1;
    b.id.first_seq = b.id.last_seq = 1;
    int rc = counts_of(&b, &good, bad);
    tb_fini(&b);
    return rc;
}

#define PLUGIN_HEAD                                                                              \
    "{\"event_type\":\"plugin_event\",\"kind\":\"k\",\"module\":\"plugin\",\"plugin_id\":\"8\"," \
    "\"source\":\"plugin\","                                                                     \
    "\"ts\":\"2026-11-24T00:00:00.000001Z\",\"event_version\":7,\"seq\":1,\"raw\":{"

static void deep_json_and_a_flood_of_keys_only_cost_their_line(void **state)
{
    (void)state;
    uint32_t bad = 0;
    assert_int_equal(prepare_repeated("{\"a\":", false, 1000000, "}", &bad), WEDR_OK);
    assert_int_equal(bad, 1);
    assert_int_equal(prepare_repeated(PLUGIN_HEAD, true, 100000, "\"z\":1}}", &bad), WEDR_OK);
    assert_int_equal(bad, 1);
    assert_int_equal(prepare_repeated(PLUGIN_HEAD, true, 300, "\"z\":1}}", &bad), WEDR_OK);
    assert_int_equal(bad, 0);
    assert_int_equal(prepare_repeated(PLUGIN_HEAD, true, 300, "\"k7\":1}}", &bad), WEDR_OK);
    assert_int_equal(bad, 1);
}

static void a_large_batch_gets_columns_and_filters_a_small_one_none(void **state)
{
    (void)state;
    for (uint32_t n = WEDR_BLOCK_LINES_MIN - 1; n <= WEDR_BLOCK_LINES_MIN; n++) {
        struct tb b;
        struct wedr_prepared *p = NULL;
        tb_init(&b, "kernel.critical");
        tb_forks(&b, 1, n);
        assert_int_equal(tb_prepare(&b, &p), WEDR_OK);
        assert_int_equal(p->tiny, n < WEDR_BLOCK_LINES_MIN);
        assert_int_equal(p->col.len != 0, !p->tiny);
        assert_int_equal(p->bloom.len != 0, !p->tiny);
        assert_int_equal(p->counts[WEDR_EV_PROCESS_FORK], n);
        wedr_prepared_free(p);
        tb_fini(&b);
    }
}

static bool batch_canonical(const char *odd_line)
{
    struct tb b;
    struct wedr_prepared *p = NULL;
    tb_init(&b, "kernel.critical");
    tb_line(&b, 1, "%s", odd_line);
    tb_forks(&b, 2, 600);
    assert_int_equal(tb_prepare(&b, &p), WEDR_OK);
    assert_int_equal(p->rejected, 0);
    bool canonical = p->canonical;
    wedr_prepared_free(p);
    tb_fini(&b);
    return canonical;
}

static void odd_spelling_clears_the_canonical_flag(void **state)
{
    (void)state;
    assert_true(batch_canonical(FORK(UID)));
    assert_false(batch_canonical(FORK(" ,\"uid\": 0")));
    assert_false(batch_canonical(FORK(",\"\\u0075id\":0")));
    assert_true(batch_canonical(
        FORK_HEAD "\"process\":{\"pid\":2,\"name\":\"a\\\\b\\\"\\u001f\"},\"raw\":{" FORK_RAW UID
                  "}" FORK_TAIL));
    assert_false(batch_canonical(FORK_HEAD
                                 "\"process\":{\"pid\":2,\"name\":\"a\\/b\"},\"raw\":{" FORK_RAW UID
                                 "}" FORK_TAIL));
}

static void every_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    struct tb b;
    tb_init(&b, "kernel.critical");
    tb_forks(&b, 1, 600);
    tb_seal(&b);
    for (size_t n = 1; n < 200; n++) {
        struct wedr_prepared *p = NULL;
        wedr_alloc_fail_nth(n);
        int rc = tb_prepare(&b, &p);
        size_t made = wedr_alloc_fail_nth(0);
        wedr_prepared_free(p);
        if (rc == WEDR_OK) {
            if (n <= made) {
                fail_msg("allocation %zu of %zu failed unnoticed", n, made);
            }
            tb_fini(&b);
            return;
        }
        assert_int_equal(rc, WEDR_E_NOMEM);
    }
    fail_msg("prepare never succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_a_valid_batch_is_accepted),
        cmocka_unit_test(agent_records_are_accepted_and_become_facts),
        cmocka_unit_test(a_line_passes_or_fails_by_schema_alone),
        cmocka_unit_test(time_must_be_iso_with_six_decimals),
        cmocka_unit_test(nul_and_bad_utf8_reject_the_line),
        cmocka_unit_test(a_lone_surrogate_rejects_the_line),
        cmocka_unit_test(agent_and_plugin_records_only_come_in_their_own_streams),
        cmocka_unit_test(alerts_only_come_in_their_own_stream),
        cmocka_unit_test(rejected_lines_are_marked_in_the_bitmap),
        cmocka_unit_test(a_batch_whose_seqs_or_count_lie_is_refused),
        cmocka_unit_test(a_wrong_digest_is_refused_before_anything_else),
        cmocka_unit_test(s07_a_decompression_bomb_stops_at_the_limit),
        cmocka_unit_test(a_frame_that_lies_about_its_size_is_refused),
        cmocka_unit_test(exactly_one_frame_with_nothing_behind_it),
        cmocka_unit_test(deep_json_and_a_flood_of_keys_only_cost_their_line),
        cmocka_unit_test(a_large_batch_gets_columns_and_filters_a_small_one_none),
        cmocka_unit_test(odd_spelling_clears_the_canonical_flag),
        cmocka_unit_test(every_failed_allocation_is_an_error_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
