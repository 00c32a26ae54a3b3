/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/entry.c — lines to entries: `kind value expires=DATE # comment` or
 * `kind,value,comment,date`. */
#include "ioc/entry.h"
#include "core/base/err.h"
#include "ir/value.h"
#include <stdio.h>
#include <string.h>

#define DAY_US INT64_C(86400000000)
/* Shorter prefixes would match a good part of all traffic: a slip of the pen. */
#define V4_BITS_MIN 8u
#define V6_BITS_MIN 16u
#define DOMAIN_MAX 253u
/* A path of fewer fixed characters would match nearly everything. */
#define PATH_FIXED_MIN 4u

/* What the kinds are called: our own words and those of the usual exports. */
static const struct kind_name {
    const char *name;
    enum wedr_ioc_kind kind;
    uint8_t digits; /* of a hash, 0: by its length */
} kind_names[] = {
    {"hash", WEDR_IOC_HASH, 0}, {"sha256", WEDR_IOC_HASH, 64},  {"sha1", WEDR_IOC_HASH, 40},
    {"md5", WEDR_IOC_HASH, 32}, {"domain", WEDR_IOC_DOMAIN, 0}, {"hostname", WEDR_IOC_DOMAIN, 0},
    {"ip", WEDR_IOC_NET, 0},    {"cidr", WEDR_IOC_NET, 0},      {"ipv4", WEDR_IOC_NET, 0},
    {"ipv6", WEDR_IOC_NET, 0},  {"ip-dst", WEDR_IOC_NET, 0},    {"ip-src", WEDR_IOC_NET, 0},
    {"path", WEDR_IOC_PATH, 0},
};

/* A line apart, nothing decoded. */
struct parts {
    struct wedr_text kind, value, comment, expires;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct wedr_text wedr_ioc_trim(struct wedr_text t)
{
    while (t.len > 0 && is_blank(t.p[0])) {
        t.p++;
        t.len--;
    }
    while (t.len > 0 && is_blank(t.p[t.len - 1])) {
        t.len--;
    }
    return t;
}

int wedr_ioc_expiry(struct wedr_text date, int64_t *ret_us)
{
    char full[24];
    int64_t us = 0;
    if (date.len != 10) {
        return WEDR_E_FORMAT;
    }
    int n = snprintf(full, sizeof(full), "%.10sT00:00:00Z", date.p);
    if (n != 20 || wedr_time_parse(full, 20, &us) < 0) {
        return WEDR_E_FORMAT;
    }
    *ret_us = us + DAY_US;
    return WEDR_OK;
}

/* The longest run of zeroes among the groups of an IPv6 address. */
static size_t zero_run(const uint16_t groups[8], size_t *ret_count)
{
    size_t best = 0;
    *ret_count = 0;
    for (size_t i = 0; i < 8; i++) {
        size_t n = 0;
        while (i + n < 8 && groups[i + n] == 0) {
            n++;
        }
        if (n > *ret_count && n > 1) {
            best = i;
            *ret_count = n;
        }
    }
    return best;
}

static int v6_text(const uint8_t *addr, char out[64])
{
    uint16_t groups[8];
    size_t zeroes = 0;
    int n = 0;
    for (size_t i = 0; i < 8; i++) {
        groups[i] = (uint16_t)(addr[2 * i] << 8 | addr[2 * i + 1]);
    }
    size_t first = zero_run(groups, &zeroes);
    for (size_t i = 0; i < 8; i++) {
        if (zeroes > 0 && i == first) {
            n += snprintf(out + n, 64 - (size_t)n, "::");
            i += zeroes - 1;
            continue;
        }
        bool colon = i > 0 && !(zeroes > 0 && i == first + zeroes);
        n += snprintf(out + n, 64 - (size_t)n, "%s%x", colon ? ":" : "", groups[i]);
    }
    return n;
}

void wedr_ioc_net_text(const struct wedr_net *net, char out[64])
{
    const uint8_t *a = net->addr;
    int n = net->family == 4 ? snprintf(out, 64, "%u.%u.%u.%u", a[0], a[1], a[2], a[3])
                             : v6_text(a, out);
    if (n > 0 && net->bits < (net->family == 4 ? 32 : 128)) {
        (void)snprintf(out + n, 64 - (size_t)n, "/%u", net->bits);
    }
}

/* The next column of a CSV line; the quotes of a quoted one stay inside (doubled ones too). */
static struct wedr_text next_column(struct wedr_text *rest)
{
    struct wedr_text column = {rest->p, 0};
    bool quoted = rest->len > 0 && rest->p[0] == '"';
    uint32_t at = 0;
    bool inside = quoted;
    for (at = quoted ? 1 : 0; at < rest->len && (inside || rest->p[at] != ','); at++) {
        inside ^= quoted && rest->p[at] == '"';
    }
    column.len = at;
    at += at < rest->len;
    rest->p += at;
    rest->len -= at;
    return wedr_ioc_trim(column);
}

static void split_csv(struct wedr_text line, struct parts *ret)
{
    ret->kind = next_column(&line);
    ret->value = next_column(&line);
    ret->comment = next_column(&line);
    ret->expires = next_column(&line);
}

/* The comment begins at a # with a blank before it: paths may have one. */
static void split_blanks(struct wedr_text line, struct parts *ret)
{
    static const char word[] = "expires=";
    uint32_t at = 0;
    while (at < line.len && !is_blank(line.p[at])) {
        at++;
    }
    ret->kind = wedr_text(line.p, at);
    uint32_t end = line.len;
    for (uint32_t i = at; i + 1 < line.len; i++) {
        if (is_blank(line.p[i]) && line.p[i + 1] == '#') {
            end = i;
            ret->comment = wedr_ioc_trim(wedr_text(line.p + i + 2, line.len - i - 2));
            break;
        }
    }
    struct wedr_text value = wedr_ioc_trim(wedr_text(line.p + at, end - at));
    uint32_t last = value.len;
    while (last > 0 && !is_blank(value.p[last - 1])) {
        last--;
    }
    if (last > 0 && value.len - last > sizeof(word) - 1 &&
        memcmp(value.p + last, word, sizeof(word) - 1) == 0) {
        uint32_t skip = last + (uint32_t)sizeof(word) - 1;
        ret->expires = wedr_text(value.p + skip, value.len - skip);
        value = wedr_ioc_trim(wedr_text(value.p, last));
    }
    ret->value = value;
}

/* Without the quotes around it and with doubled quotes made one; out holds max bytes. */
static int unquote(struct wedr_text t, char *out, size_t max, size_t *ret_len)
{
    bool quoted = t.len >= 2 && t.p[0] == '"' && t.p[t.len - 1] == '"';
    uint32_t end = quoted ? t.len - 1 : t.len;
    size_t len = 0;
    for (uint32_t i = quoted ? 1 : 0; i < end; i++) {
        if (len == max) {
            return WEDR_E_LIMIT;
        }
        out[len++] = t.p[i];
        i += quoted && t.p[i] == '"' && i + 1 < end && t.p[i + 1] == '"';
    }
    *ret_len = len;
    return WEDR_OK;
}

/* Reports are written with [.] for the dots, so that nobody clicks. */
static void refang(struct wedr_ioc_entry *e)
{
    size_t len = 0;
    for (size_t i = 0; i < e->len; i++) {
        bool bracket = i + 2 < e->len && e->value[i] == '[' && e->value[i + 2] == ']' &&
                       (e->value[i + 1] == '.' || e->value[i + 1] == ':');
        e->value[len++] = e->value[bracket ? i + 1 : i];
        i += bracket ? 2 : 0;
    }
    e->len = len;
}

static void lower(struct wedr_ioc_entry *e)
{
    for (size_t i = 0; i < e->len; i++) {
        if (e->value[i] >= 'A' && e->value[i] <= 'Z') {
            e->value[i] = (char)(e->value[i] + ('a' - 'A'));
        }
    }
}

static int check_hash(struct wedr_ioc_entry *e, unsigned digits, struct wedr_errinfo *ei)
{
    lower(e);
    for (size_t i = 0; i < e->len; i++) {
        char c = e->value[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return wedr_fail(ei, WEDR_E_FORMAT, "a hash is hexadecimal digits");
        }
    }
    if (digits ? e->len != digits : e->len != 32 && e->len != 40 && e->len != 64) {
        return wedr_fail(ei, WEDR_E_FORMAT,
                         "a hash of %zu digits: MD5 has 32, SHA-1 40, SHA-256 64", e->len);
    }
    return WEDR_OK;
}

static int check_domain(struct wedr_ioc_entry *e, struct wedr_errinfo *ei)
{
    refang(e);
    lower(e);
    size_t skip = e->len > 2 && e->value[0] == '*' && e->value[1] == '.' ? 2
                  : e->len > 1 && e->value[0] == '.'                     ? 1
                                                                         : 0;
    memmove(e->value, e->value + skip, e->len - skip);
    e->len -= skip;
    e->len -= e->len > 0 && e->value[e->len - 1] == '.';
    size_t label = 0;
    unsigned dots = 0;
    for (size_t i = 0; i < e->len; i++) {
        char c = e->value[i];
        bool name = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!name && (c != '.' || label == 0)) {
            return wedr_fail(ei, WEDR_E_FORMAT, "no domain name (others than ASCII as xn--...)");
        }
        dots += c == '.';
        label = c == '.' ? 0 : label + 1;
        if (label > 63) {
            return wedr_fail(ei, WEDR_E_FORMAT, "a part of a domain name has at most 63 bytes");
        }
    }
    if (dots == 0 || e->len > DOMAIN_MAX) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a domain has 2 parts at least, 253 bytes at most");
    }
    return WEDR_OK;
}

static int check_net(struct wedr_ioc_entry *e, struct wedr_errinfo *ei)
{
    refang(e);
    if (wedr_net_parse(e->value, e->len, &e->net) < 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "no address and no network");
    }
    if (e->net.bits < (e->net.family == 4 ? V4_BITS_MIN : V6_BITS_MIN)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a network of that size would match too much");
    }
    char text[64];
    wedr_ioc_net_text(&e->net, text);
    e->len = strlen(text);
    memcpy(e->value, text, e->len);
    return WEDR_OK;
}

static int check_path(struct wedr_ioc_entry *e, struct wedr_errinfo *ei)
{
    size_t fixed = 0;
    bool slash = false;
    for (size_t i = 0; i < e->len; i++) {
        char c = e->value[i];
        bool wild = c == '*' || c == '?';
        e->wildcards |= wild;
        e->windows |= c == '\\';
        slash |= c == '/';
        fixed += !wild && c != '/' && c != '\\' && c != '.';
    }
    if (!e->windows && !slash) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a path is whole: /... or X:\\... or begins with *");
    }
    if (fixed < PATH_FIXED_MIN) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a path of that kind would match too much");
    }
    return WEDR_OK;
}

static int check_value(struct wedr_ioc_entry *e, unsigned digits, struct wedr_errinfo *ei)
{
    if (e->len == 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "no value");
    }
    for (size_t i = 0; i < e->len; i++) {
        if ((uint8_t)e->value[i] < 0x20 || e->value[i] == 0x7F) {
            return wedr_fail(ei, WEDR_E_FORMAT, "a control character in the value");
        }
    }
    switch (e->kind) {
    case WEDR_IOC_HASH:
        return check_hash(e, digits, ei);
    case WEDR_IOC_DOMAIN:
        return check_domain(e, ei);
    case WEDR_IOC_NET:
        return check_net(e, ei);
    default:
        return check_path(e, ei);
    }
}

/* Cut at the end of a character. */
static void take_comment(struct wedr_text t, struct wedr_ioc_entry *e)
{
    if (unquote(t, e->comment, sizeof(e->comment), &e->comment_len) < 0) {
        e->comment_len = sizeof(e->comment);
        while (e->comment_len > 0 && ((uint8_t)e->comment[e->comment_len - 1] & 0xC0) == 0x80) {
            e->comment_len--;
        }
        e->comment_len -= e->comment_len > 0 && (uint8_t)e->comment[e->comment_len - 1] >= 0xC0;
    }
    for (size_t i = 0; i < e->comment_len; i++) {
        if ((uint8_t)e->comment[i] < 0x20 || e->comment[i] == 0x7F) {
            e->comment[i] = ' ';
        }
    }
}

static const struct kind_name *find_kind(struct wedr_text t)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(kind_names); i++) {
        const char *name = kind_names[i].name;
        if (wedr_text_equal(t, wedr_text(name, strlen(name)), false)) {
            return &kind_names[i];
        }
    }
    return NULL;
}

int wedr_ioc_entry_read(const char *line,
                        size_t len,
                        struct wedr_ioc_entry *e,
                        struct wedr_errinfo *ei)
{
    struct parts p = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    size_t word = 0;
    while (word < len && line[word] != ',' && !is_blank(line[word])) {
        word++;
    }
    *e = (struct wedr_ioc_entry){.kind = WEDR_IOC_HASH};
    if (word < len && line[word] == ',') {
        split_csv(wedr_text(line, len), &p);
        e->skip = wedr_text_equal(p.kind, wedr_text("type", 4), false);
        if (e->skip) {
            return WEDR_OK;
        }
    } else {
        split_blanks(wedr_text(line, len), &p);
    }
    const struct kind_name *kind = find_kind(p.kind);
    if (!kind) {
        return wedr_fail(ei, WEDR_E_FORMAT, "unknown kind '%.*s': hash, domain, ip, cidr or path",
                         (int)(p.kind.len < 32 ? p.kind.len : 32), p.kind.len ? p.kind.p : "");
    }
    e->kind = kind->kind;
    if (unquote(p.value, e->value, sizeof(e->value), &e->len) < 0) {
        return wedr_fail(ei, WEDR_E_LIMIT, "a value of more than %u bytes", WEDR_IOC_VALUE_MAX);
    }
    take_comment(p.comment, e);
    if (p.expires.len > 0 && wedr_ioc_expiry(p.expires, &e->expiry_us) < 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a date is written YYYY-MM-DD");
    }
    return check_value(e, kind->digits, ei);
}
