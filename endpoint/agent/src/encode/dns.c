/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/dns.h"

#include "core/base/err.h"
#include "encode/values.h"
#include <string.h>

#define HEADER_LEN 12u
#define WIRE_NAME_MAX 255u
#define LABEL_MAX 63u
#define POINTER 0xc0u

enum { TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16 };
enum { TYPE_AAAA = 28, TYPE_SRV = 33 };

struct message {
    const uint8_t *p;
    size_t len;
    bool ended; /* something reached behind the last byte */
};

/* Text that grows at the end; what does not fit sets full. */
struct text {
    char *p;
    size_t len, cap;
    bool full;
};

static bool has(struct message *m, size_t at, size_t n)
{
    if (at > m->len || n > m->len - at) {
        m->ended = true;
        return false;
    }
    return true;
}

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put(struct text *t, char c)
{
    if (t->len < t->cap) {
        t->p[t->len++] = c;
    } else {
        t->full = true;
    }
}

static void put_text(struct text *t, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(t, s[i]);
    }
}

static void put_number(struct text *t, unsigned v)
{
    char digits[10];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    while (n > 0) {
        put(t, digits[--n]);
    }
}

/* lowest: the first byte that needs no escape. */
static void put_escaped(struct text *t, uint8_t c, uint8_t lowest, bool dot)
{
    if (c < lowest || c > 0x7e) {
        put(t, '\\');
        put(t, (char)('0' + c / 100));
        put(t, (char)('0' + c / 10 % 10));
        put(t, (char)('0' + c % 10));
        return;
    }
    if (c == '\\' || (c == '.' && dot)) {
        put(t, '\\');
    }
    put(t, (char)c);
}

/* The name at *at to t; *at moves behind it. A pointer must lead to before the labels that it
 * follows, so that every walk ends. */
static bool read_name(struct message *m, size_t *at, struct text *t)
{
    size_t pos = *at, wire = 1;
    size_t run = pos;
    bool jumped = false;
    for (;;) {
        if (!has(m, pos, 1)) {
            return false;
        }
        uint8_t n = m->p[pos];
        if (n == 0) {
            break;
        }
        if ((n & POINTER) == POINTER) {
            if (!has(m, pos, 2)) {
                return false;
            }
            size_t target = be16(m->p + pos) & 0x3fffu;
            *at = jumped ? *at : pos + 2;
            jumped = true;
            if (target >= run) {
                return false;
            }
            pos = run = target;
            continue;
        }
        wire += (size_t)n + 1;
        if (n > LABEL_MAX || wire > WIRE_NAME_MAX || !has(m, pos + 1, n)) {
            return false;
        }
        if (wire > (size_t)n + 2) {
            put(t, '.');
        }
        for (size_t i = 0; i < n; i++) {
            put_escaped(t, m->p[pos + 1 + i], '!', true);
        }
        pos += (size_t)n + 1;
    }
    if (wire == 1) {
        put(t, '.');
    }
    *at = jumped ? *at : pos + 1;
    return true;
}

static bool skip_name(struct message *m, size_t *at)
{
    size_t pos = *at;
    while (has(m, pos, 1) && m->p[pos] != 0) {
        if ((m->p[pos] & POINTER) == POINTER) {
            *at = pos + 2;
            return has(m, pos, 2);
        }
        if (m->p[pos] > LABEL_MAX || pos - *at > WIRE_NAME_MAX) {
            return false;
        }
        pos += (size_t)m->p[pos] + 1;
    }
    *at = pos + 1;
    return pos < m->len;
}

static void put_address(struct text *t, const uint8_t *bytes, uint8_t family)
{
    uint8_t ip[sizeof(struct wedr_ip)] = {family};
    char room[64 + WEDR_TEXT_SLACK];
    struct wedr_line_text quoted = {room, room + sizeof(room), false};
    memcpy(ip + 1, bytes, family == 4 ? 4 : 16);
    wedr_value_ip(&quoted, ip);
    put_text(t, room + 1, (size_t)(quoted.p - room) - 2);
}

static bool put_strings(struct message *m, size_t at, size_t end, struct text *t)
{
    while (at < end) {
        size_t n = m->p[at++];
        if (n > end - at) {
            return false;
        }
        for (; n > 0; n--) {
            put_escaped(t, m->p[at++], ' ', false);
        }
    }
    return true;
}

/* count numbers of 16 bits, then a name that ends with the data. */
static bool
put_numbers_and_name(struct message *m, size_t at, size_t end, size_t count, struct text *t)
{
    if (end - at < 2 * count) {
        return false;
    }
    for (; count > 0; count--, at += 2) {
        put_number(t, be16(m->p + at));
        put(t, ' ');
    }
    return read_name(m, &at, t) && at == end;
}

/* False when the data breaks the rules of its type. *ret_known: the type has a text. */
static bool
put_data(struct message *m, unsigned type, size_t at, size_t end, struct text *t, bool *ret_known)
{
    *ret_known = true;
    switch (type) {
    case TYPE_A:
    case TYPE_AAAA: {
        bool right = end - at == (type == TYPE_A ? 4u : 16u);
        if (right) {
            put_address(t, m->p + at, type == TYPE_A ? 4 : 6);
        }
        return right;
    }
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        return put_numbers_and_name(m, at, end, 0, t);
    case TYPE_MX:
        return put_numbers_and_name(m, at, end, 1, t);
    case TYPE_SRV:
        return put_numbers_and_name(m, at, end, 3, t);
    case TYPE_TXT:
        return put_strings(m, at, end, t);
    default:
        *ret_known = false;
        return true;
    }
}

/* One resource record; its text is kept whole or not at all. */
static bool read_answer(struct message *m, size_t *at, struct text *t)
{
    if (!skip_name(m, at) || !has(m, *at, 10)) {
        return false;
    }
    unsigned type = be16(m->p + *at);
    size_t data = *at + 10, len = be16(m->p + *at + 8), before = t->len;
    bool known = false;
    if (!has(m, data, len)) {
        return false;
    }
    bool right = put_data(m, type, data, data + len, t, &known);
    if (known && right) {
        put(t, 0);
    }
    if (!known || !right || t->full) {
        t->len = before;
    }
    *at = data + len;
    return right;
}

static void read_answers(struct message *m, size_t at, bool cut, struct wedr_dns *d)
{
    struct text t = {d->answers, 0, sizeof(d->answers), false};
    for (unsigned left = be16(m->p + 6); left > 0 && !t.full; left--) {
        if (!read_answer(m, &at, &t)) {
            d->cut = m->ended && cut;
            d->damaged = d->damaged || !d->cut;
            break;
        }
    }
    d->cut = d->cut || t.full;
    d->answers_len = t.len;
}

int wedr_dns_parse(struct wedr_span message, bool cut, struct wedr_dns *ret_dns)
{
    struct message m = {message.p, message.len, false};
    struct wedr_dns *d = ret_dns;
    struct text name = {d->name, 0, sizeof(d->name) - 1, false};
    size_t at = HEADER_LEN;

    memset(d, 0, offsetof(struct wedr_dns, name));
    d->name[0] = 0;
    if (!has(&m, 0, HEADER_LEN)) {
        d->damaged = true;
        return WEDR_E_FORMAT;
    }
    unsigned questions = be16(m.p + 4);
    for (unsigned i = 0; i < questions; i++) {
        bool right = i == 0 ? read_name(&m, &at, &name) : skip_name(&m, &at);
        if (!right || !has(&m, at, 4)) {
            d->damaged = true;
            d->name[0] = 0;
            d->type = 0;
            return WEDR_E_FORMAT;
        }
        d->type = i == 0 ? be16(m.p + at) : d->type;
        at += 4;
    }
    d->response = (m.p[2] & 0x80) != 0;
    d->opcode = m.p[2] >> 3 & 15;
    d->rcode = m.p[3] & 15;
    d->name_len = name.len;
    d->name[name.len] = 0;
    /* Nothing sends another number of questions but what hides something, or speaks another
     * language. */
    d->damaged = questions != 1;
    read_answers(&m, at, cut, d);
    return WEDR_OK;
}
