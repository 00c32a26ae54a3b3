/* SPDX-License-Identifier: Apache-2.0 */
#define SIMDJSON_EXCEPTIONS 0
extern "C" {
#include "ingest/line_parse.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
}
#include <cstring>
#include <new>
#include <simdjson.h>

using simdjson::dom::element;
using simdjson::dom::element_type;

#define WEDR_LINE_CAPACITY (1024u * 1024u) /* WEDR_LINE_MAX of the wire format */

struct wedr_line_parser {
    simdjson::dom::parser parser;
    wedr_lp_member *m = nullptr;
    size_t count = 0;
    size_t cap = 0;
    bool escapes = false; /* the line has any: only they can make a NUL character */
    wedr_line_parser() noexcept : parser(WEDR_LINE_CAPACITY)
    {
    }
};

namespace
{

bool has_nul(const wedr_line_parser *p, std::string_view s)
{
    return p->escapes && !s.empty() && memchr(s.data(), 0, s.size()) != nullptr;
}

wedr_lp_member *add(wedr_line_parser *p)
{
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 256 : p->cap * 2;
        void *m = wedr_realloc(p->m, cap, sizeof(*p->m));
        if (m == nullptr) {
            return nullptr;
        }
        p->m = static_cast<wedr_lp_member *>(m);
        p->cap = cap;
    }
    return &p->m[p->count++];
}

int set_scalar(const wedr_line_parser *p, wedr_lp_member *m, element e)
{
    switch (e.type()) {
    case element_type::STRING: {
        std::string_view s;
        if (e.get(s) != simdjson::SUCCESS || has_nul(p, s)) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_STR;
        m->s = s.data();
        m->s_len = static_cast<uint32_t>(s.size());
        return WEDR_OK;
    }
    case element_type::INT64: {
        int64_t v = 0;
        if (e.get(v) != simdjson::SUCCESS) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_INT;
        m->v = static_cast<uint64_t>(v);
        return WEDR_OK;
    }
    case element_type::UINT64:
        if (e.get(m->v) != simdjson::SUCCESS) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_UINT;
        return WEDR_OK;
    case element_type::BOOL: {
        bool v = false;
        if (e.get(v) != simdjson::SUCCESS) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_BOOL;
        m->v = v ? 1 : 0;
        return WEDR_OK;
    }
    case element_type::DOUBLE:
        m->type = WEDR_LP_REAL;
        return WEDR_OK;
    case element_type::NULL_VALUE:
        m->type = WEDR_LP_NULL;
        return WEDR_OK;
    default:
        return WEDR_E_BUG;
    }
}

uint8_t child_scope(uint8_t scope, const char *key, size_t len)
{
    if (scope == WEDR_LP_TOP && len == 7 && memcmp(key, "process", 7) == 0) {
        return WEDR_LP_PROCESS;
    }
    if (scope == WEDR_LP_TOP && len == 3 && memcmp(key, "raw", 3) == 0) {
        return WEDR_LP_RAW;
    }
    return WEDR_LP_NESTED;
}

int walk_object(
    wedr_line_parser *p, simdjson::dom::object o, uint8_t scope, uint32_t parent, uint64_t *ret_n);

/* Adds one value and what is below it. The depth is bounded by the parser. */
int walk_value(wedr_line_parser *p, element e, std::string_view key, uint8_t scope, uint32_t parent)
{
    if (p->count >= WEDR_LINE_MEMBERS_MAX) {
        return WEDR_E_LIMIT;
    }
    wedr_lp_member *m = add(p);
    if (m == nullptr) {
        return WEDR_E_NOMEM;
    }
    uint32_t self = static_cast<uint32_t>(p->count - 1);
    *m = wedr_lp_member{key.data(), nullptr, 0, static_cast<uint32_t>(key.size()),
                        0,          parent,  0, scope};
    uint64_t n = 0;
    int rc = WEDR_OK;
    if (e.type() == element_type::OBJECT) {
        simdjson::dom::object o;
        if (e.get(o) != simdjson::SUCCESS) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_OBJ;
        rc = walk_object(p, o, child_scope(scope, key.data(), key.size()), self, &n);
    } else if (e.type() == element_type::ARRAY) {
        simdjson::dom::array a;
        if (e.get(a) != simdjson::SUCCESS) {
            return WEDR_E_FORMAT;
        }
        m->type = WEDR_LP_LIST;
        for (element child : a) {
            rc = walk_value(p, child, std::string_view(), WEDR_LP_NESTED, self);
            if (rc != WEDR_OK) {
                return rc;
            }
            n++;
        }
    } else {
        return set_scalar(p, m, e);
    }
    p->m[self].v = n;
    return rc;
}

int walk_object(
    wedr_line_parser *p, simdjson::dom::object o, uint8_t scope, uint32_t parent, uint64_t *ret_n)
{
    uint64_t n = 0;
    for (simdjson::dom::key_value_pair f : o) {
        if (has_nul(p, f.key)) {
            return WEDR_E_FORMAT;
        }
        int rc = walk_value(p, f.value, f.key, scope, parent);
        if (rc != WEDR_OK) {
            return rc;
        }
        n++;
    }
    *ret_n = n;
    return WEDR_OK;
}

bool escape_is_ours(const char *s, size_t left)
{
    if (left < 2) {
        return false;
    }
    if (s[1] != 'u') {
        return s[1] != 0 && strchr("\"\\bfnrt", s[1]) != nullptr;
    }
    if (left < 6 || memcmp(s + 2, "00", 2) != 0 || (s[4] != '0' && s[4] != '1')) {
        return false;
    }
    if (s[4] == '0' && s[5] != 0 && strchr("89acd", s[5]) != nullptr) {
        return false; /* has a short form */
    }
    return (s[5] >= '0' && s[5] <= '9') || (s[5] >= 'a' && s[5] <= 'f');
}

bool escapes_are_ours(const char *s, size_t len)
{
    const char *end = s + len;
    while (s < end) {
        const char *b = static_cast<const char *>(memchr(s, '\\', static_cast<size_t>(end - s)));
        if (b == nullptr) {
            return true;
        }
        if (!escape_is_ours(b, static_cast<size_t>(end - b))) {
            return false;
        }
        s = b + 2;
    }
    return true;
}

} // namespace

extern "C" struct wedr_line_parser *wedr_line_parser_new(size_t line_max)
{
    size_t cap = line_max < 1024 ? 1024 : line_max;
    wedr_line_parser *p = new (std::nothrow) wedr_line_parser();
    if (p != nullptr && p->parser.allocate(cap, WEDR_LINE_DEPTH_MAX) != simdjson::SUCCESS) {
        delete p;
        p = nullptr;
    }
    return p;
}

extern "C" void wedr_line_parser_free(struct wedr_line_parser *p)
{
    if (p != nullptr) {
        wedr_free(p->m);
        delete p;
    }
}

extern "C" int
wedr_line_parse(struct wedr_line_parser *p, const char *s, size_t len, struct wedr_line *ret_line)
{
    element root;
    simdjson::error_code err =
        p->parser.parse(reinterpret_cast<const uint8_t *>(s), len, false).get(root);
    if (err == simdjson::DEPTH_ERROR || err == simdjson::CAPACITY) {
        return WEDR_E_LIMIT;
    }
    if (err == simdjson::MEMALLOC) {
        return WEDR_E_NOMEM;
    }
    simdjson::dom::object o;
    if (err != simdjson::SUCCESS || root.get(o) != simdjson::SUCCESS) {
        return WEDR_E_FORMAT;
    }
    p->count = 0;
    p->escapes = memchr(s, '\\', len) != nullptr;
    uint64_t n = 0;
    int rc = walk_object(p, o, WEDR_LP_TOP, UINT32_MAX, &n);
    if (rc == WEDR_OK) {
        ret_line->m = p->m;
        ret_line->count = p->count;
    }
    return rc;
}

/* Line by line, so that the scratch stays in the processor's cache. */
extern "C" int wedr_text_canonical(const char *s, size_t len, char *out)
{
    const char *end = s + len;
    while (s < end) {
        const void *nl = memchr(s, '\n', static_cast<size_t>(end - s));
        size_t n = nl == nullptr ? static_cast<size_t>(end - s)
                                 : static_cast<size_t>(static_cast<const char *>(nl) - s);
        size_t out_len = 0;
        if (simdjson::minify(s, n, out, out_len) != simdjson::SUCCESS || out_len != n ||
            !escapes_are_ours(s, n)) {
            return 0;
        }
        s += nl == nullptr ? n : n + 1;
    }
    return 1;
}
