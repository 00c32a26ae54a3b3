/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/prune.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/merge.h"
#include "store/events/sql/metas.h"
#include "store/events/sql/test_value.h"
#include <stdio.h>
#include <string.h>

#define GRAM 4u
#define VALUES_MAX 64u              /* of one IN that are asked for */
#define KEPT_MAX ((size_t)96 << 20) /* of token filters that a query keeps */
#define LOWER_MAX 4096u             /* longer values are not asked for */

struct prune_key {
    uint64_t value, field; /* of the value alone; of its field and it, 0: none */
};

struct wedr_prune {
    const struct wedr_events_ask *ask;
    size_t tests;                 /* that token filters can answer */
    size_t until[WEDR_TESTS_MAX]; /* of each: where its keys end */
    struct prune_key key[];
};

/* A text value of the line, which stands in the filters unless it is a number there. */
static bool line_text(int column)
{
    return column >= C_PROCESS_KEY && column < C_RAW && !wedr_events_is_number(column);
}

bool wedr_prune_like_number(struct wedr_span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '-') {
            return false;
        }
    }
    return true;
}

/* --- Token filter. */

static bool bloom_usable(const struct wedr_test *t)
{
    if (t->op != WEDR_TEST_ANY || t->count == 0 || t->count > VALUES_MAX) {
        return false;
    }
    bool number = t->column == C_PID || t->column == C_PPID;
    for (size_t i = 0; i < t->count; i++) {
        bool good = number ? t->number[i] >= 0 && t->number[i] <= UINT32_MAX
                           : line_text(t->column) && !wedr_prune_like_number(t->text[i]) &&
                                 t->text[i].len <= LOWER_MAX;
        if (!good) {
            return false;
        }
    }
    return number || line_text(t->column);
}

static uint64_t key_of(const struct wedr_test *t, size_t i)
{
    char text[LOWER_MAX];
    size_t len;
    if (t->column == C_PID || t->column == C_PPID) {
        len = (size_t)snprintf(text, sizeof(text), "%s=%lld", t->column == C_PID ? "pid" : "ppid",
                               (long long)t->number[i]);
    } else {
        len = t->text[i].len;
        memcpy(text, t->text[i].p, len);
        wedr_lower(text, len);
    }
    return wedr_filter_hash(text, len);
}

/* The field that keys of a newer filter have before such a value; NULL: none. */
static const char *field_of(const struct wedr_events_ask *a, const struct wedr_test *t)
{
    bool life = t->column == C_PROCESS_KEY;
    for (unsigned code = 0; life && code < 256; code++) {
        life = !a->code_ok[code] || wedr_events_type_text((uint8_t)code) == NULL ||
               wedr_filter_life_type((uint8_t)code);
    }
    return life ? WEDR_FILTER_LIFE : t->column == C_PARENT_KEY ? WEDR_FILTER_PARENT : NULL;
}

int wedr_prune_new(const struct wedr_events_ask *ask, struct wedr_prune **ret)
{
    size_t keys = 0, at = 0;
    for (size_t i = 0; i < ask->count; i++) {
        keys += bloom_usable(&ask->test[i]) ? ask->test[i].count : 0;
    }
    struct wedr_prune *p = wedr_alloc(1, sizeof(*p) + keys * sizeof(p->key[0]));
    if (p == NULL) {
        return WEDR_E_NOMEM;
    }
    p->ask = ask;
    for (size_t i = 0; i < ask->count; i++) {
        const struct wedr_test *t = &ask->test[i];
        if (!bloom_usable(t)) {
            continue;
        }
        const char *field = field_of(ask, t);
        for (size_t v = 0; v < t->count; v++) {
            p->key[at++] = (struct prune_key){
                key_of(t, v),
                field == NULL
                    ? 0
                    : wedr_filter_field_hash(field, (const char *)t->text[v].p, t->text[v].len)};
        }
        p->until[p->tests++] = at;
    }
    *ret = p;
    return WEDR_OK;
}

void wedr_prune_free(struct wedr_prune *p)
{
    wedr_free(p);
}

/* True when each test has a key that the filter may have. */
static bool bloom_allows(const struct wedr_prune *p, const uint8_t *bloom, size_t len)
{
    bool fields = wedr_bloom_has_fields(bloom, len);
    bool allowed = true;
    for (size_t i = 0, at = 0; allowed && i < p->tests; i++) {
        for (allowed = false; !allowed && at < p->until[i]; at++) {
            const struct prune_key *k = &p->key[at];
            /* Both, because one key in two hundred seems to be there and is not. */
            allowed = wedr_bloom_may_contain(bloom, len, k->value) &&
                      (!fields || k->field == 0 || wedr_bloom_may_contain(bloom, len, k->field));
        }
        at = p->until[i];
    }
    return allowed;
}

/* --- 4-grams. */

static bool hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* How many bytes at the beginning of s may belong to an escape whose backslash stands before:
 * the letter of \n, or any tail of \u001f. */
static size_t escape_tail(const char *s, size_t len)
{
    size_t i = 0;
    if (len != 0 && s[0] == 'u') {
        i = 1;
    }
    for (int zeros = 0; zeros < 2 && i < len && s[i] == '0'; zeros++) {
        i++;
    }
    for (int digits = 0; digits < 2 && i < len && hex(s[i]); digits++) {
        i++;
    }
    return i == 0 && len != 0 && strchr("bfnrt/", s[0]) != NULL ? 1 : i;
}

/* False for what can stand in a line outside of texts and names: numbers, times, literals. */
static bool only_in_texts(const char *s, size_t len)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(literals); i++) {
        if (wedr_contains(literals[i], strlen(literals[i]), s, len)) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] == 0 || strchr("0123456789+-.etz", s[i]) == NULL) {
            return true;
        }
    }
    return false;
}

bool wedr_prune_raw_allows(const uint8_t bits[WEDR_NGRAM_BYTES], const char *needle, size_t len)
{
    size_t at = escape_tail(needle, len);
    while (at < len) {
        size_t end = at;
        while (end < len && (needle[end] == 0 || strchr("\"\\:,{}[]", needle[end]) == NULL)) {
            end++;
        }
        if (end - at >= GRAM && only_in_texts(needle + at, end - at) &&
            !wedr_ngram_may_contain(bits, needle + at, end - at)) {
            return false;
        }
        bool escape = end < len && needle[end] == '\\';
        at = end + 1;
        at += escape && at < len ? escape_tail(needle + at, len - at) : 0;
    }
    return true;
}

static bool ngram_usable(const struct wedr_test *t, bool canonical)
{
    bool whole = t->op == WEDR_TEST_ANY && t->count == 1 && line_text(t->column);
    bool part = (t->op == WEDR_TEST_LIKE || t->op == WEDR_TEST_CONTAINS) &&
                (line_text(t->column) || (t->column == C_RAW && canonical));
    for (size_t i = 0; (whole || part) && i < t->count; i++) {
        if (t->text[i].len >= GRAM && t->text[i].len <= LOWER_MAX &&
            !wedr_prune_like_number(t->text[i])) {
            return true;
        }
    }
    return false;
}

static bool ngram_allows(const struct wedr_test *t, const uint8_t bits[WEDR_NGRAM_BYTES])
{
    for (size_t i = 0; i < t->count; i++) {
        char text[LOWER_MAX];
        size_t len = t->text[i].len;
        if (len < GRAM || len > LOWER_MAX || wedr_prune_like_number(t->text[i])) {
            continue;
        }
        memcpy(text, t->text[i].p, len);
        wedr_lower(text, len);
        if (t->column == C_RAW ? !wedr_prune_raw_allows(bits, text, len)
                               : !wedr_ngram_may_contain(bits, text, len)) {
            return false;
        }
    }
    return true;
}

/* --- Both. */

/* The block's token filter: one that was kept, or *ret_own to be freed. False: there is none. */
static bool
find_filter(struct wedr_block *b, const struct wedr_block_meta *m, struct wedr_kept_filter *ret_own)
{
    struct wedr_kept_filter *kept = NULL, *none = NULL;
    int err = wedr_block_part(b, WEDR_PART_FILTER, &ret_own->p, &ret_own->len);
    atomic_size_t *sum = b->sql->keep_to;
    if (err != WEDR_OK || sum == NULL || atomic_load(sum) + ret_own->len > KEPT_MAX) {
        return err == WEDR_OK;
    }
    kept = wedr_alloc(1, sizeof(*kept));
    if (kept != NULL) {
        *kept = *ret_own;
        if (atomic_compare_exchange_strong(m->kept, &none, kept)) {
            atomic_fetch_add(sum, kept->len);
            ret_own->p = NULL; /* the list's now */
        } else {
            wedr_free(kept);
        }
    }
    return true;
}

static bool
tokens_allow(const struct wedr_prune *p, struct wedr_block *b, const struct wedr_block_meta *m)
{
    struct wedr_kept_filter own = {NULL, 0};
    if (p->tests == 0) {
        return true;
    }
    const struct wedr_kept_filter *kept = atomic_load(m->kept);
    if (kept == NULL) {
        if (!find_filter(b, m, &own)) {
            return true;
        }
        kept = own.p != NULL ? &own : atomic_load(m->kept);
    }
    bool allowed = bloom_allows(p, kept->p, kept->len);
    wedr_free(own.p);
    return allowed;
}

static bool grams_allow(const struct wedr_events_ask *a, struct wedr_block *b, bool canonical)
{
    uint8_t bits[WEDR_NGRAM_BYTES];
    uint8_t *packed = NULL;
    size_t len = 0;
    bool allowed = true;
    for (size_t i = 0; allowed && i < a->count; i++) {
        const struct wedr_test *t = &a->test[i];
        if (!ngram_usable(t, canonical)) {
            continue;
        }
        if (packed == NULL && (wedr_block_part(b, WEDR_PART_NGRAM, &packed, &len) != WEDR_OK ||
                               wedr_ngram_unpack(packed, len, bits) != WEDR_OK)) {
            break;
        }
        allowed =
            (t->column == C_RAW && !wedr_ngram_has_envelope(packed, len)) || ngram_allows(t, bits);
    }
    wedr_free(packed);
    return allowed;
}

bool wedr_prune_kept_allows(const struct wedr_prune *p, const struct wedr_block_meta *m)
{
    const struct wedr_kept_filter *kept = m->tiny || p->tests == 0 ? NULL : atomic_load(m->kept);
    return kept == NULL || bloom_allows(p, kept->p, kept->len);
}

bool wedr_prune_allows(const struct wedr_prune *p,
                       struct wedr_block *b,
                       const struct wedr_block_meta *m)
{
    return b->tiny || (tokens_allow(p, b, m) && grams_allow(p->ask, b, m->canonical));
}
