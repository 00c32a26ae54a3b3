/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/event.h"
#include "wedr/rules/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"Image",       "CommandLine", "EventID",
                                    "Target.Name", "Hashes",      "ProcessImage"};
enum { IMAGE, COMMAND_LINE, EVENT_ID, TARGET_NAME, HASHES, PROCESS_IMAGE };

struct fixture {
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_rule_event *ev;
    uint32_t create, load;
    struct wedr_errinfo ei;
};

static const struct wedr_rule_event_limits small = {
    .values_max = 64, .document_max = 4096, .depth_max = 6, .name_max = 64};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->rs = wedr_ruleset_new(1u << 24);
    for (uint32_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
        uint32_t id;
        assert_int_equal(wedr_ruleset_field(f->rs, names[i], strlen(names[i]), &id), WEDR_OK);
        assert_int_equal(id, i);
    }
    assert_int_equal(wedr_ruleset_class(f->rs, "create", 6, &f->create), WEDR_OK);
    assert_int_equal(wedr_ruleset_class(f->rs, "load", 4, &f->load), WEDR_OK);
    f->map = wedr_field_map_new(f->rs);
    f->ev = wedr_rule_event_new(f->rs, &small);
    assert_non_null(f->map);
    assert_non_null(f->ev);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    wedr_rule_event_free(f->ev);
    wedr_field_map_free(f->map);
    wedr_ruleset_free(f->rs);
    test_free(f);
    return 0;
}

static int read_text(struct fixture *f, const char *json)
{
    /* an exact copy, so that a read behind the end is seen */
    size_t len = strlen(json);
    char *copy = test_malloc(len ? len : 1);
    memcpy(copy, json, len);
    int r = wedr_rule_event_read_json(f->ev, f->map, copy, len, &f->ei);
    for (uint32_t i = 0; i < wedr_rule_event_value_count(f->ev); i++) {
        (void)wedr_rule_event_text(f->ev, i);
    }
    static char kept[4096];
    if (r == WEDR_OK) {
        assert_int_equal(
            wedr_rule_event_read_json(f->ev, f->map, memcpy(kept, json, len), len, &f->ei),
            WEDR_OK);
    }
    test_free(copy);
    return r;
}

static void read_ok(struct fixture *f, const char *json)
{
    if (read_text(f, json) != WEDR_OK) {
        fail_msg("%s: %s", json, f->ei.text);
    }
}

/* All values of a field, joined by |. */
static const char *values(struct fixture *f, uint32_t field)
{
    static char out[512];
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t v = wedr_rule_event_first(f->ev, field); v != WEDR_IR_NONE;
         v = wedr_rule_event_value(f->ev, v)->next) {
        struct wedr_text t = wedr_rule_event_text(f->ev, v);
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%.*s", at ? "|" : "", (int)t.len,
                               t.p ? t.p : "");
    }
    return out;
}

static void keys_that_are_fields_need_no_entry(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f, " {\"Image\" : \"a\", \"x\":[],\"y\":{}, \"EventID\":1 "
               ",\"Target\":{\"Name\":\"n\"},\"CommandLine\":[\"p\",[\"q\"],{\"z\":1}]}\n");
    assert_string_equal(values(f, IMAGE), "a");
    assert_string_equal(values(f, EVENT_ID), "1");
    assert_string_equal(values(f, TARGET_NAME), "n");
    assert_string_equal(values(f, COMMAND_LINE), "p|q");
    assert_int_equal(wedr_rule_event_value_count(f->ev), 6);
    assert_int_equal(wedr_rule_event_first(f->ev, HASHES), WEDR_IR_NONE);
    read_ok(f, "{\"Target.Name\":\"flat\",\"Image\":\"b\",\"Image\":\"c\"}");
    assert_string_equal(values(f, TARGET_NAME), "flat");
    assert_string_equal(values(f, IMAGE), "b|c");
    assert_string_equal(values(f, EVENT_ID), "");
    read_ok(f, "{}");
    assert_int_equal(wedr_rule_event_value_count(f->ev), 0);
}

static void escapes_and_types_are_resolved(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f, "{\"Im\\u0061ge\":\"C:\\\\x\\/\\\"\\n\\u00e9\\ud83d\\ude00\\ud800z\\udc00\"}");
    assert_string_equal(values(f, IMAGE),
                        "C:\\x/\"\n\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBDz\xEF\xBF\xBD");
    read_ok(f, "{\"Image\":[null,true,false,-12.50e1,18446744073709551615,\"\"]}");
    assert_string_equal(values(f, IMAGE), "true|false|-12.50e1|18446744073709551615|");
    const struct wedr_rule_value *v =
        wedr_rule_event_value(f->ev, wedr_rule_event_first(f->ev, IMAGE));
    static const uint8_t kinds[] = {WEDR_VALUE_NULL,   WEDR_VALUE_BOOL,   WEDR_VALUE_BOOL,
                                    WEDR_VALUE_NUMBER, WEDR_VALUE_NUMBER, WEDR_VALUE_TEXT};
    for (size_t i = 0; i < sizeof(kinds); i++, v = wedr_rule_event_value(f->ev, v->next)) {
        assert_int_equal(v->kind, kinds[i]);
    }
    assert_int_equal(wedr_rule_event_value(f->ev, 3)->number.v.i, -125);
}

static void numbers_are_what_they_say(void **state)
{
    static const char *const numbers[] = {"0",
                                          "7",
                                          "-7",
                                          "12345678",
                                          "123456789",
                                          "1234567890123456",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775807",
                                          "-9223372036854775808",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "9999999999999999999",
                                          "12345678.5",
                                          "1234567e2",
                                          "-0",
                                          "-0.0",
                                          "123456789012345678901234567890"};
    static const char *const wrong[] = {"-",        "01", "-01", "1.", "+1", "12345678a",
                                        "00000000", "1-", "--1", ".5", "1e", "0x1"};
    struct fixture *f = *state;
    char json[80];
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(numbers); i++) {
        struct wedr_number n;
        (void)snprintf(json, sizeof(json), "{\"EventID\":%s}", numbers[i]);
        read_ok(f, json);
        const struct wedr_rule_value *v =
            wedr_rule_event_value(f->ev, wedr_rule_event_first(f->ev, EVENT_ID));
        assert_int_equal(wedr_number_parse(numbers[i], strlen(numbers[i]), &n), WEDR_OK);
        assert_int_equal(v->number.kind, n.kind);
        assert_memory_equal(&v->number.v, &n.v, sizeof(n.v));
        assert_string_equal(values(f, EVENT_ID), numbers[i]);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(wrong); i++) {
        (void)snprintf(json, sizeof(json), "{\"EventID\":%s}", wrong[i]);
        assert_int_equal(read_text(f, json), WEDR_E_FORMAT);
    }
}

static void malformed_documents_leave_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      " ",
                                      "[]",
                                      "1",
                                      "{",
                                      "}",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{\"a\" 1}",
                                      "{\"a\":tru}",
                                      "{\"a\":nul",
                                      "{\"a\":01}",
                                      "{\"a\":+1}",
                                      "{\"a\":-}",
                                      "{\"a\":-",
                                      "{\"a\":1.}",
                                      "{\"a\":.5}",
                                      "{\"a\":\"}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12\"}",
                                      "{\"a\":\"\\u12g4\"}",
                                      "{\"a\":\"\\",
                                      "{\"a\":[1,]}",
                                      "{\"a\":[1 2]}",
                                      "{\"a\":[}",
                                      "{\"a\":{]}",
                                      "{\"a\":1}}",
                                      "{\"a\":1}{}",
                                      "{\"a\":1} x",
                                      "{a:1}",
                                      "{\"a\":'1'}",
                                      "{\"a\":[[[[[[1]]]]]]}",
                                      "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}"};
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        int r = read_text(f, bad[i]);
        if (r != (i < WEDR_ARRAY_COUNT(bad) - 2 ? WEDR_E_FORMAT : WEDR_E_LIMIT)) {
            fail_msg("%s: %d", bad[i], r);
        }
        assert_non_null(strstr(f->ei.text, "offset"));
        assert_int_equal(wedr_rule_event_value_count(f->ev), 0);
    }
}

static void limits_are_refused_and_named(void **state)
{
    struct fixture *f = *state;
    char json[4200] = "{\"a\":[";
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    size_t n = strlen(json);
    for (int i = 0; i < 65; i++) {
        n += (size_t)snprintf(json + n, sizeof(json) - n, "%s1", i ? "," : "");
    }
    (void)snprintf(json + n, sizeof(json) - n, "]}");
    assert_int_equal(read_text(f, json), WEDR_E_LIMIT);
    memset(json, ' ', 4097);
    assert_int_equal(wedr_rule_event_read_json(f->ev, f->map, json, 4097, &f->ei), WEDR_E_LIMIT);
    /* a name that is too long has no field, the value stays for keywords */
    n = (size_t)snprintf(
        json, sizeof(json),
        "{\"Target\":{\"%0100d\":{\"\":{\"Name\":[{\"Image\":\"kept\"}]}}},\"Image\":1}", 1);
    json[n] = '\0';
    read_ok(f, json);
    assert_int_equal(wedr_rule_event_value_count(f->ev), 2);
    assert_string_equal(values(f, IMAGE), "1");
}

static void views_and_classes_come_from_selectors(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_add(f->map, 0, "id", "EventID"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 1, "path", "Image"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 2, "path", "Hashes"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 2, "path", "CommandLine"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 2, "path", "NoRuleHasIt"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 2, "Image", "ProcessImage"), WEDR_OK);
    const struct wedr_selector_condition create[] = {{"kind", "Create"}, {"os", "windows"}};
    const struct wedr_selector_condition load[] = {{"kind", "load"}, {"loaded", NULL}};
    assert_int_equal(wedr_field_map_select(f->map, create, 2, 1, "create"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(f->map, load, 2, 2, "load"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(f->map, load, 1, 1, "unknown"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(f->map, load, 0, 1, "load"), WEDR_E_INVAL);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 0, "a", "Image"), WEDR_E_STATE);

    read_ok(f, "{\"path\":\"p\",\"kind\":\"CREATE\",\"os\":\"Windows\",\"id\":7,\"EventID\":8}");
    assert_string_equal(values(f, IMAGE), "p");
    assert_string_equal(values(f, EVENT_ID), "7|8");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 1);
    assert_int_equal(wedr_rule_event_class(f->ev, 0), f->create);

    read_ok(f, "{\"path\":\"\\\\p\",\"kind\":\"load\",\"loaded\":0,\"Image\":\"i\"}");
    assert_string_equal(values(f, IMAGE), ""); /* in this view Image is the process */
    assert_string_equal(values(f, PROCESS_IMAGE), "i");
    assert_string_equal(values(f, HASHES), "\\p");
    assert_string_equal(values(f, COMMAND_LINE), "\\p");
    assert_int_equal(wedr_rule_event_class(f->ev, 0), f->load);

    read_ok(f, "{\"path\":\"p\",\"kind\":\"load\",\"loaded\":null,\"Image\":\"i\"}");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 0);
    assert_string_equal(values(f, IMAGE), "p|i");
    read_ok(f, "{\"path\":\"p\",\"kind\":\"create\",\"os\":\"linux\",\"Image\":\"i\"}");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 0);
    assert_string_equal(values(f, IMAGE), "i");
}

static void prefixes_and_pairs_reach_nested_forms(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_prefix(f->map, "Event.EventData."), WEDR_OK);
    assert_int_equal(wedr_field_map_prefix(f->map, "Event.System."), WEDR_OK);
    assert_int_equal(wedr_field_map_prefix(f->map, "winlog.event_data."), WEDR_OK);
    assert_int_equal(
        wedr_field_map_pairs(f->map, "Event.EventData.Data", "@Name", "#text", "Event.EventData."),
        WEDR_OK);
    assert_int_equal(
        wedr_field_map_pairs(f->map, "Event.EventData.Data", "Name", "Value", "Event.EventData."),
        WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 0, "EventID.#text", "EventID"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f, "{\"Event\":{\"System\":{\"EventID\":{\"#text\":4104}},\"EventData\":{\"Image\":"
               "\"a\",\"Target\":{\"Name\":\"t\"}}}}");
    assert_string_equal(values(f, IMAGE), "a");
    assert_string_equal(values(f, TARGET_NAME), "t");
    assert_string_equal(values(f, EVENT_ID), "4104");
    read_ok(
        f,
        "{\"winlog.event_data.Image\":\"b\",\"winlog\":{\"event_data\":{\"CommandLine\":\"c\"}}}");
    assert_string_equal(values(f, IMAGE), "b");
    assert_string_equal(values(f, COMMAND_LINE), "c");
    read_ok(f, "{\"Event\":{\"EventData\":{\"Data\":[{\"@Name\":\"Image\",\"#text\":\"d\"},{\"#"
               "text\":\"e\",\"@Name\":\"Target\\u002eName\"},"
               "{\"@Name\":\"Image\"},{},{\"Name\":\"Hashes\",\"Value\":\"h\"}],\"CommandLine\":"
               "\"after\"}}}");
    assert_string_equal(values(f, IMAGE), "d");
    assert_string_equal(values(f, TARGET_NAME), "e");
    assert_string_equal(values(f, HASHES), "h");
    assert_string_equal(values(f, COMMAND_LINE), "after");
}

static void a_class_may_ask_only_that_a_key_is_there(void **state)
{
    struct fixture *f = *state;
    const struct wedr_selector_condition there[] = {{"Channel", NULL}};
    const struct wedr_selector_condition both[] = {{"Channel", NULL}, {"kind", "Load"}};
    assert_int_equal(wedr_field_map_select(f->map, there, 1, 1, "create"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(f->map, both, 2, 2, "load"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 1, "path", "Image"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f, "{\"Channel\":[null,\"Security\",\"x\"],\"path\":\"p\"}");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 1);
    assert_int_equal(wedr_rule_event_class(f->ev, 0), f->create);
    assert_string_equal(values(f, IMAGE), "p");
    read_ok(f, "{\"Channel\":0,\"kind\":\"LOAD\"}");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 2);
    read_ok(f, "{\"Channel\":null,\"kind\":\"load\",\"path\":\"p\"}");
    assert_int_equal(wedr_rule_event_class_count(f->ev), 0);
    assert_string_equal(values(f, IMAGE), "");
}

static void values_are_composed_of_others(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",         "no source",      "{a", "{}", "{:hex}",
                                      "{a}{{b}}", "{a}{b}{c}{d}{e}"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(wedr_field_map_compose(f->map, 0, bad[i], "Image"), WEDR_E_FORMAT);
    }
    const struct wedr_selector_condition one[] = {{"kind", "one"}};
    assert_int_equal(wedr_field_map_select(f->map, one, 1, 1, "create"), WEDR_OK);
    assert_int_equal(wedr_field_map_compose(f->map, 1, "{raw.key}\\{raw.value}", "Target.Name"),
                     WEDR_OK);
    assert_int_equal(wedr_field_map_compose(f->map, 1, "SHA256={sha},X={n:hex}.", "Hashes"),
                     WEDR_OK);
    assert_int_equal(wedr_field_map_compose(f->map, 0, "{n:hex}", "EventID"), WEDR_OK);
    assert_int_equal(wedr_field_map_compose(f->map, 0, "{n}", "NoRuleHasIt"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f,
            "{\"raw\":{\"value\":\"v\\u00e9\",\"key\":\"HKLM\\\\k\"},\"kind\":\"ONE\",\"n\":4660,"
            "\"sha\":[null,\"ab\",\"cd\"]}");
    assert_string_equal(values(f, TARGET_NAME), "HKLM\\k\\v\xC3\xA9");
    assert_string_equal(values(f, HASHES), "SHA256=ab,X=0x1234.");
    assert_string_equal(values(f, EVENT_ID), "0x1234");
    /* What is missing takes the literal before it along; the first one has to be there. */
    read_ok(f, "{\"raw\":{\"key\":\"k\"},\"kind\":\"one\",\"n\":\"0x1F\",\"sha\":\"\"}");
    assert_string_equal(values(f, TARGET_NAME), "k");
    assert_string_equal(values(f, HASHES), "SHA256=,X=0x1F.");
    assert_string_equal(values(f, EVENT_ID), "0x1F");
    read_ok(f, "{\"raw\":{\"value\":\"v\"},\"kind\":\"one\",\"n\":-1,\"sha\":null}");
    assert_int_equal(wedr_rule_event_first(f->ev, TARGET_NAME), WEDR_IR_NONE);
    assert_int_equal(wedr_rule_event_first(f->ev, HASHES), WEDR_IR_NONE);
    assert_string_equal(values(f, EVENT_ID), "-1");
    read_ok(f, "{\"raw\":{\"key\":\"k\"},\"kind\":\"two\",\"sha\":\"x\",\"n\":\"16\"}");
    assert_int_equal(wedr_rule_event_first(f->ev, TARGET_NAME), WEDR_IR_NONE);
    assert_string_equal(values(f, EVENT_ID), "0x10");
}

static void a_value_may_be_said_in_other_words(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_value(f->map, 0, "way", "Outbound", "Image", "true"), WEDR_OK);
    assert_int_equal(wedr_field_map_value(f->map, 0, "way", "inbound", "Image", "false"), WEDR_OK);
    assert_int_equal(wedr_field_map_value(f->map, 7, "way", "inbound", "Hashes", "view"), WEDR_OK);
    assert_int_equal(wedr_field_map_value(f->map, 0, "port", "53", "CommandLine", "dns"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(f, "{\"way\":\"OUTBOUND\",\"port\":53}");
    assert_string_equal(values(f, IMAGE), "true");
    assert_string_equal(values(f, COMMAND_LINE), "dns");
    read_ok(f, "{\"way\":[\"inbound\",\"outbound\",null]}");
    assert_string_equal(values(f, IMAGE), "false|true");
    assert_int_equal(wedr_rule_event_first(f->ev, HASHES), WEDR_IR_NONE);
    read_ok(f, "{\"way\":\"both\"}");
    assert_int_equal(wedr_rule_event_first(f->ev, IMAGE), WEDR_IR_NONE);
}

static void composed_texts_never_outgrow_their_memory(void **state)
{
    struct fixture *f = *state;
    char json[4096];
    assert_int_equal(wedr_field_map_compose(f->map, 0, "{a}{a}{a}{a}", "Image"), WEDR_OK);
    assert_int_equal(wedr_field_map_compose(f->map, 0, "{a}", "Hashes"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    memset(json, 'x', sizeof(json));
    memcpy(json, "{\"a\":\"", 6);
    memcpy(json + sizeof(json) - 3, "\"}", 3);
    read_ok(f, json); /* four times as much is more than a document may be */
    assert_int_equal(wedr_rule_event_first(f->ev, IMAGE), WEDR_IR_NONE);
    assert_int_equal(wedr_rule_event_text(f->ev, wedr_rule_event_first(f->ev, HASHES)).len,
                     sizeof(json) - 9);
}

static void pairs_may_name_their_value_one_level_deeper(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_prefix(f->map, "Event.EventData."), WEDR_OK);
    assert_int_equal(wedr_field_map_pairs(f->map, "Event.EventData.Data", "#attributes.Name",
                                          "#text", "Event.EventData."),
                     WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    read_ok(
        f,
        "{\"Event\":{\"EventData\":{\"Data\":["
        "{\"#attributes\":{\"Name\":\"Image\"},\"#text\":\"a\"},"
        "{\"#attributes\":{\"Name\":\"EventID\"}},"
        "{\"#attributes\":{\"Name\":\"Comm\\u0061ndLine\"},\"#text\":\"b\"},{\"#text\":\"c\"}]}}}");
    assert_string_equal(values(f, IMAGE), "a");
    assert_string_equal(values(f, COMMAND_LINE), "b");
    assert_int_equal(wedr_rule_event_first(f->ev, EVENT_ID), WEDR_IR_NONE);
    read_ok(f, "{\"Event\":{\"EventData\":{\"Data\":"
               "{\"#attributes\":{\"Name\":\"Image\"},\"#text\":\"one\"}}}}");
    assert_string_equal(values(f, IMAGE), "one");
}

static void setters_make_text_when_asked(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        wedr_rule_event_clear(f->ev);
        assert_int_equal(wedr_rule_event_add_text(f->ev, IMAGE, "abc", 3), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_i64(f->ev, IMAGE, -5), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_u64(f->ev, IMAGE, UINT64_MAX), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_f64(f->ev, IMAGE, 0.1), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_bool(f->ev, IMAGE, true), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_null(f->ev, IMAGE), WEDR_OK);
        assert_string_equal(values(f, IMAGE), "abc|-5|18446744073709551615|0.1|true|");
    }
    assert_int_equal(wedr_rule_event_add_text(f->ev, 99, "x", 1), WEDR_E_INVAL);
    assert_int_equal(wedr_rule_event_add_text(f->ev, WEDR_IR_NONE, "x", 1), WEDR_OK);
    assert_int_equal(wedr_rule_event_value(f->ev, 6)->field, WEDR_IR_NONE);
    for (int i = 7; i < 64; i++) {
        assert_int_equal(wedr_rule_event_add_i64(f->ev, HASHES, i), WEDR_OK);
    }
    assert_int_equal(wedr_rule_event_add_i64(f->ev, HASHES, 1), WEDR_E_LIMIT);
    for (uint32_t i = 0; i < WEDR_EVENT_CLASSES_MAX; i++) {
        assert_int_equal(wedr_rule_event_add_class(f->ev, i), WEDR_OK);
        assert_int_equal(wedr_rule_event_add_class(f->ev, i), WEDR_OK); /* once */
    }
    assert_int_equal(wedr_rule_event_add_class(f->ev, 999), WEDR_E_LIMIT);
}

static void nothing_is_allocated_per_event(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    (void)wedr_alloc_fail_nth(0);
    read_ok(f, "{\"Image\":\"a\\\\b\",\"x\":{\"y\":[1,2,{\"z\":null}]}}");
    (void)values(f, IMAGE);
    assert_int_equal(wedr_alloc_fail_nth(0), 0);
}

static uint32_t below(uint32_t n)
{
    static uint64_t seed = 1;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

/* What may stand between two parts of a document. */
static const char *blank(void)
{
    static const char *const blanks[] = {"", "", "", " ", "\n", "\r\n\t", "  "};
    return blanks[below(WEDR_ARRAY_COUNT(blanks))];
}

static const char *scalar(void)
{
    static const char *const scalars[] = {"\"v\\\\\"",
                                          "\"\"",
                                          "\"a longer value, without any escape in it\"",
                                          "true",
                                          "null",
                                          "-7",
                                          "12345678",
                                          "0",
                                          "1.5e3",
                                          "\"\\u00e9 sixteen bytes and an escape\\n\""};
    return scalars[below(WEDR_ARRAY_COUNT(scalars))];
}

/* Same keys in different places, keys that are too long to be remembered, with escapes and
 * dots. */
static size_t some_object(char *to, size_t room, unsigned depth)
{
    static const char *const keys[] = {"Image",
                                       "Target",
                                       "Name",
                                       "EventData.Image",
                                       "Hashes",
                                       "Event",
                                       "Im\\u0061ge",
                                       "a_key_of_more_than_24_bytes",
                                       "",
                                       "EventID",
                                       "a_key_of_16_bytes"};
    size_t len = 1;
    to[0] = '{';
    for (uint32_t n = below(6); n > 0 && room - len > 200; n--) {
        len +=
            (size_t)snprintf(to + len, room - len, "%s%s%s\"%s\"%s:%s", blank(), len > 1 ? "," : "",
                             blank(), keys[below(WEDR_ARRAY_COUNT(keys))], blank(), blank());
        bool list = below(4) == 0;
        len += (size_t)snprintf(to + len, room - len, "%s%s", list ? "[" : "", blank());
        if (depth < 3 && below(3) == 0) {
            len += some_object(to + len, room - len - 8, depth + 1);
        } else {
            len += (size_t)snprintf(to + len, room - len, "%s%s", scalar(), blank());
        }
        len += (size_t)snprintf(to + len, room - len, "%s", list ? ",7]" : "");
    }
    return len + (size_t)snprintf(to + len, room - len, "}");
}

static void assert_same_values(struct wedr_rule_event *a, struct wedr_rule_event *b)
{
    assert_int_equal(wedr_rule_event_value_count(a), wedr_rule_event_value_count(b));
    for (uint32_t i = 0; i < wedr_rule_event_value_count(a); i++) {
        const struct wedr_rule_value *x = wedr_rule_event_value(a, i);
        const struct wedr_rule_value *y = wedr_rule_event_value(b, i);
        assert_int_equal(x->field, y->field);
        assert_int_equal(x->source, y->source);
        assert_int_equal(x->kind, y->kind);
        struct wedr_text s = wedr_rule_event_text(a, i);
        struct wedr_text t = wedr_rule_event_text(b, i);
        assert_int_equal(s.len, t.len);
        assert_true(s.len == 0 || memcmp(s.p, t.p, s.len) == 0);
    }
}

static void a_remembered_key_means_what_it_meant(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wedr_field_map_prefix(f->map, "Event.EventData."), WEDR_OK);
    assert_int_equal(wedr_field_map_prefix(f->map, "EventData."), WEDR_OK);
    assert_int_equal(wedr_field_map_add(f->map, 0, "Event.Image", "ProcessImage"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(f->map), WEDR_OK);
    struct wedr_field_map *other = wedr_field_map_new(f->rs);
    assert_int_equal(wedr_field_map_add(other, 0, "Image", "CommandLine"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(other), WEDR_OK);
    char json[2000];
    unsigned read = 0;
    for (unsigned i = 0; i < 3000; i++) {
        const struct wedr_field_map *map = i / 100 % 2 ? other : f->map;
        size_t len = some_object(json, sizeof(json), 0);
        struct wedr_rule_event *fresh = wedr_rule_event_new(f->rs, &small);
        int r = wedr_rule_event_read_json(f->ev, map, json, len, NULL);
        assert_int_equal(wedr_rule_event_read_json(fresh, map, json, len, NULL), r);
        read += r == WEDR_OK;
        assert_same_values(f->ev, fresh);
        wedr_rule_event_free(fresh);
    }
    assert_true(read > 2000);
    wedr_field_map_free(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys_that_are_fields_need_no_entry),
        TEST(escapes_and_types_are_resolved),
        TEST(numbers_are_what_they_say),
        TEST(malformed_documents_leave_nothing),
        TEST(limits_are_refused_and_named),
        TEST(views_and_classes_come_from_selectors),
        TEST(prefixes_and_pairs_reach_nested_forms),
        TEST(a_class_may_ask_only_that_a_key_is_there),
        TEST(values_are_composed_of_others),
        TEST(a_value_may_be_said_in_other_words),
        TEST(composed_texts_never_outgrow_their_memory),
        TEST(pairs_may_name_their_value_one_level_deeper),
        TEST(setters_make_text_when_asked),
        TEST(a_remembered_key_means_what_it_meant),
        TEST(nothing_is_allocated_per_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
