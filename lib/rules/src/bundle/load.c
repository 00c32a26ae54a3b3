/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/load.c — a bundle to a ruleset and its field map. */
#include "bundle/reader.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

/* Texts stay in the body until the ruleset copies them; each has a NUL behind it. */
static void read_strings(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, WEDR_BUNDLE_STRINGS_MAX, 2);
    r->strings = wedr_bundle_block(r, n, sizeof(*r->strings));
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        size_t len = (size_t)wedr_bundle_number(r, WEDR_IR_TEXT_MAX);
        const char *p = (const char *)wedr_bundle_bytes(r, len + 1);
        if (p && p[len] != '\0') {
            (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "a text without its end");
        }
        r->strings[i] = p ? wedr_text(p, len) : wedr_text("", 0);
        r->string_count++;
    }
}

static void check(struct wedr_bundle_reader *r, int err, const char *what)
{
    if (err < 0 && r->err == WEDR_OK) {
        (void)wedr_bundle_bad(r, err == WEDR_E_INVAL ? WEDR_E_FORMAT : err, what);
    }
}

/* A field of the map: its name, or one that is none. */
static const char *read_field(struct wedr_bundle_reader *r, bool none)
{
    uint32_t field = wedr_bundle_id(r, &r->fields, none);
    return field == WEDR_IR_NONE ? "" : wedr_ruleset_field_name(r->rs, field).p;
}

static void read_selector(struct wedr_bundle_reader *r)
{
    struct wedr_selector_condition conditions[WEDR_SELECTOR_CONDITIONS_MAX];
    uint32_t view = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
    uint32_t event_class = wedr_bundle_id(r, &r->classes, true);
    uint32_t count = wedr_bundle_count(r, WEDR_SELECTOR_CONDITIONS_MAX, 3);
    for (uint32_t i = 0; i < count; i++) {
        conditions[i].source = wedr_bundle_cstr(r);
        bool valued = wedr_bundle_number(r, 1) != 0;
        const char *value = wedr_bundle_cstr(r);
        conditions[i].value = valued ? value : NULL;
    }
    if (r->err == WEDR_OK) {
        const char *name =
            event_class == WEDR_IR_NONE ? NULL : wedr_ruleset_class_name(r->rs, event_class).p;
        check(r, wedr_field_map_select(r->map, conditions, count, view, name), "a selector");
    }
}

static void read_entry(struct wedr_bundle_reader *r)
{
    const char *source = wedr_bundle_cstr(r);
    uint32_t view = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
    const char *field = read_field(r, true);
    if (r->err == WEDR_OK) {
        check(r, wedr_field_map_add(r->map, view, source, field), "a key");
    }
}

static void read_derived(struct wedr_bundle_reader *r)
{
    uint32_t view = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
    const char *field = read_field(r, false);
    bool composed = wedr_bundle_number(r, 1) != 0;
    const char *first = wedr_bundle_cstr(r);
    const char *value = composed ? "" : wedr_bundle_cstr(r);
    const char *text = composed ? "" : wedr_bundle_cstr(r);
    if (r->err == WEDR_OK) {
        check(r,
              composed ? wedr_field_map_compose(r->map, view, first, field)
                       : wedr_field_map_value(r->map, view, first, value, field, text),
              "a composed value");
    }
}

static void read_prefixes(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, WEDR_MAP_PREFIXES_MAX, 1);
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        const char *prefix = wedr_bundle_cstr(r);
        check(r, r->err < 0 ? r->err : wedr_field_map_prefix(r->map, prefix), "a prefix");
    }
    n = wedr_bundle_count(r, WEDR_MAP_PAIRS_MAX, 4);
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        const char *array = wedr_bundle_cstr(r);
        const char *name = wedr_bundle_cstr(r);
        const char *value = wedr_bundle_cstr(r);
        const char *prefix = wedr_bundle_cstr(r);
        check(r, r->err < 0 ? r->err : wedr_field_map_pairs(r->map, array, name, value, prefix),
              "an array of pairs");
    }
}

void wedr_bundle_read_map(struct wedr_bundle_reader *r)
{
    static void (*const readers[])(struct wedr_bundle_reader *) = {read_entry, read_selector,
                                                                   read_derived};
    r->map = r->err < 0 ? NULL : wedr_field_map_new(r->rs);
    if (!r->map) {
        (void)wedr_bundle_bad(r, WEDR_E_NOMEM, "the field map");
        return;
    }
    read_prefixes(r);
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(readers); k++) {
        uint32_t n = wedr_bundle_count(r, UINT32_MAX - 1, 3);
        for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
            readers[k](r);
        }
    }
    check(r, r->err < 0 ? r->err : wedr_field_map_seal(r->map), "the field map");
}

int wedr_bundle_read_body(const uint8_t *body,
                          size_t len,
                          uint32_t rules,
                          size_t memory_max,
                          struct wedr_ruleset **ret_rs,
                          struct wedr_field_map **ret_map,
                          struct wedr_errinfo *ei)
{
    struct wedr_bundle_reader r = {.p = body, .start = body, .end = body + len, .ei = ei};
    r.pool.memory_max = memory_max;
    r.rs = wedr_ruleset_new(memory_max);
    if (!r.rs) {
        return WEDR_E_NOMEM;
    }
    read_strings(&r);
    wedr_bundle_read_names(&r);
    wedr_bundle_read_sets(&r);
    wedr_bundle_read_nodes(&r);
    wedr_bundle_read_rules(&r);
    wedr_bundle_read_map(&r);
    if (r.err == WEDR_OK && (r.p != r.end || r.rules.count != rules)) {
        (void)wedr_bundle_bad(&r, WEDR_E_FORMAT, "another size or number of rules than it says");
    }
    wedr_pool_fini(&r.pool);
    if (r.err < 0) {
        wedr_field_map_free(r.map);
        wedr_ruleset_free(r.rs);
        return r.err;
    }
    *ret_rs = r.rs;
    *ret_map = r.map;
    return WEDR_OK;
}

int wedr_bundle_load(const void *bytes,
                     size_t len,
                     size_t memory_max,
                     struct wedr_ruleset **ret_rs,
                     struct wedr_field_map **ret_map,
                     struct wedr_errinfo *ei)
{
    struct wedr_bundle_info info;
    const char *settings;
    size_t settings_len, at = WEDR_BUNDLE_HEADER_LEN;
    int r = wedr_bundle_read_header(bytes, len, &info, ei);
    r = r < 0 ? r : wedr_bundle_check_body(bytes, len, ei);
    if (r < 0) {
        return r;
    }
    if (wedr_bundle_settings(bytes, len, &settings, &settings_len) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a rule bundle whose settings do not fit");
    }
    at += info.format < WEDR_BUNDLE_FORMAT_SETTINGS ? 0 : WEDR_BUNDLE_SETTINGS_AT + settings_len;
    return wedr_bundle_read_body((const uint8_t *)bytes + at, len - at - WEDR_BUNDLE_SIGNATURE_LEN,
                                 info.rules, memory_max, ret_rs, ret_map, ei);
}
