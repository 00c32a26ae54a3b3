/* SPDX-License-Identifier: Apache-2.0 */
#include "auditd_record.h"

#include "common/show.h"
#include "core/base/attr.h"
#include <inttypes.h>
#include <string.h>

#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define VALUE_MAX ((size_t)1 << 20)

static const struct {
    uint16_t number;
    const char *name;
} types[] = {{1006, "LOGIN"},         {1130, "SERVICE_START"},
             {1131, "SERVICE_STOP"},  {1300, "SYSCALL"},
             {1302, "PATH"},          {1303, "IPC"},
             {1304, "SOCKETCALL"},    {1305, "CONFIG_CHANGE"},
             {1306, "SOCKADDR"},      {1307, "CWD"},
             {1309, "EXECVE"},        {1319, "TTY"},
             {1320, "EOE"},           {1321, "BPRM_FCAPS"},
             {1322, "CAPSET"},        {1323, "MMAP"},
             {1325, "NETFILTER_CFG"}, {1326, "SECCOMP"},
             {1327, "PROCTITLE"},     {1330, "KERN_MODULE"},
             {1331, "FANOTIFY"},      {1334, "BPF"},
             {1336, "URINGOP"},       {1337, "OPENAT2"},
             {1400, "AVC"},           {1700, "ANOM_PROMISCUOUS"},
             {1701, "ANOM_ABEND"}};

static const struct {
    const char *name;
    int16_t x86_64, i386, aarch64;
} syscalls[] = {
#define S(name, x86_64, i386, aarch64) {#name, x86_64, i386, aarch64},
#include "syscalls.def"
#undef S
};

static struct wedr_text of(const char *s)
{
    return wedr_text(s, strlen(s));
}

static bool is(struct wedr_text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

static bool is_one_of(struct wedr_text t, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is(t, names[i])) {
            return true;
        }
    }
    return false;
}

static struct wedr_text from(struct wedr_text t, size_t at)
{
    return wedr_text(t.p + at, t.len - at);
}

/* The first place of s in t, or t.len. */
static size_t find(struct wedr_text t, const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i + n <= t.len; i++) {
        if (t.p[i] == s[0] && memcmp(t.p + i, s, n) == 0) {
            return i;
        }
    }
    return t.len;
}

/* Digits in front of `end`, which is taken too. */
static bool number(struct wedr_text *t, char end, uint64_t max, uint64_t *ret_v)
{
    uint64_t v = 0;
    uint32_t i = 0;
    for (; i < t->len && t->p[i] >= '0' && t->p[i] <= '9'; i++) {
        v = v * 10 + (uint64_t)(t->p[i] - '0');
        if (v > max) {
            return false;
        }
    }
    if (i == 0 || i == t->len || t->p[i] != end) {
        return false;
    }
    *t = from(*t, (size_t)i + 1);
    *ret_v = v;
    return true;
}

bool wedr_audit_head(struct wedr_text line, struct wedr_audit_head *ret_head)
{
    struct wedr_audit_head h = {.serial = 0};
    uint64_t seconds = 0;
    uint64_t ms = 0;
    size_t at = find(line, "type=");
    size_t node = find(wedr_text(line.p, at), "node=");
    if (at == line.len || (at > 0 && line.p[at - 1] != ' ')) {
        return false;
    }
    if (node < at) {
        h.node = wedr_text(line.p + node + 5, at - node - 5);
        h.node.len = (uint32_t)find(h.node, " ");
    }
    h.type = from(line, at + 5);
    size_t len = find(h.type, " ");
    h.rest = from(h.type, len);
    h.type.len = (uint32_t)len;
    /* Between the type and the stamp: "msg=" from the daemon, nothing from the kernel. */
    size_t stamp = find(h.rest, "audit(");
    if (len == 0 || stamp > 6 || stamp == h.rest.len) {
        return false;
    }
    h.rest = from(h.rest, stamp + 6);
    if (!number(&h.rest, '.', (uint64_t)SECONDS_MAX, &seconds) || !number(&h.rest, ':', 999, &ms) ||
        !number(&h.rest, ')', UINT64_MAX / 20, &h.serial)) {
        return false;
    }
    h.time_us = (int64_t)seconds * 1000000 + (int64_t)ms * 1000;
    if (h.rest.len > 0 && h.rest.p[0] == ':') {
        h.rest = from(h.rest, 1);
    }
    h.type = wedr_audit_type(h.type);
    *ret_head = h;
    return true;
}

struct wedr_text wedr_audit_type(struct wedr_text type)
{
    struct wedr_text t = type;
    if (t.len > 9 && memcmp(t.p, "UNKNOWN[", 8) == 0 && t.p[t.len - 1] == ']') {
        t = wedr_text(t.p + 8, t.len - 9u);
    }
    unsigned v = 0;
    for (uint32_t i = 0; i < t.len; i++) {
        if (t.p[i] < '0' || t.p[i] > '9' || v > 9999) {
            return type;
        }
        v = v * 10 + (unsigned)(t.p[i] - '0');
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (types[i].number == v) {
            return of(types[i].name);
        }
    }
    return type;
}

/* 0x1D stands between what the kernel wrote and the names that auditd added. */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\x1d' || c == '\'' || c == '{' || c == '}' || c == ',';
}

static bool is_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '[' || c == ']';
}

static uint32_t value_end(struct wedr_text t)
{
    uint32_t n = 0;
    while (n < t.len && t.p[n] != ' ' && t.p[n] != '\x1d' && t.p[n] != '\'' && t.p[n] != '}') {
        n++;
    }
    return n;
}

bool wedr_audit_next(struct wedr_text *text, struct wedr_audit_field *ret_field)
{
    struct wedr_text t = *text;
    while (t.len > 0) {
        uint32_t n = 0;
        while (t.len > 0 && is_blank(t.p[0])) {
            t = from(t, 1);
        }
        while (n < t.len && is_key(t.p[n])) {
            n++;
        }
        if (n == 0 || n == t.len || t.p[n] != '=') {
            t = from(t, n + (n < t.len)); /* a word, or a byte that belongs to nothing */
            continue;
        }
        struct wedr_audit_field f = {.key = wedr_text(t.p, n)};
        t = from(t, (size_t)n + 1);
        if (t.len > 0 && (t.p[0] == '\'' || t.p[0] == '{')) {
            continue;
        }
        f.quoted = t.len > 0 && t.p[0] == '"';
        t = f.quoted ? from(t, 1) : t;
        n = f.quoted ? (uint32_t)find(t, "\"") : value_end(t);
        f.value = wedr_text(t.p, n);
        *text = from(t, n + (f.quoted && n < t.len));
        *ret_field = f;
        return true;
    }
    *text = t;
    return false;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_hex(struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        if (hex_digit(t.p[i]) < 0) {
            return false;
        }
    }
    return t.len > 0 && t.len % 2 == 0;
}

/* A field whose value anybody may choose: auditd puts it in quotes, or writes it as hexadecimal. */
static bool is_untrusted(struct wedr_text key)
{
    static const char *const names[] = {
        "name", "cwd",  "exe",    "comm",   "proctitle", "cmd",      "acct",     "path",
        "key",  "data", "file",   "dir",    "watch",     "ocomm",    "root_dir", "vm",
        "grp",  "unit", "device", "cgroup", "new-disk",  "old-disk", "id_name",  "sw"};
    return is_one_of(key, names, WEDR_ARRAY_COUNT(names));
}

static void unhex(struct wedr_text t, char separator, struct wedr_buf *out)
{
    uint8_t *to = wedr_buf_reserve(out, t.len / 2);
    size_t n = t.len / 2;
    if (!to) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int c = hex_digit(t.p[2 * i]) * 16 + hex_digit(t.p[2 * i + 1]);
        to[i] = (uint8_t)(c == 0 && separator ? separator : c);
    }
    wedr_buf_commit(out, n);
}

void wedr_audit_decode(const struct wedr_audit_field *f, char separator, struct wedr_buf *out)
{
    if (!f->quoted && is_hex(f->value)) {
        unhex(f->value, separator, out);
    } else {
        wedr_buf_add(out, f->value.p, f->value.len);
    }
}

/* --- JSON. */

static void add_key(struct wedr_buf *out, struct wedr_text key)
{
    wedr_buf_adds(out, out->len > 0 && out->p[out->len - 1] != '{' ? "," : "");
    wedr_show_json(out, key);
    wedr_buf_adds(out, ":");
}

static void add_field(struct wedr_buf *out, struct wedr_text key, struct wedr_text value)
{
    add_key(out, key);
    wedr_show_json(out, value);
}

static struct wedr_text held(const struct wedr_buf *b)
{
    return wedr_text(b->p ? (const char *)b->p : "", b->len);
}

static void add_decoded(struct wedr_buf *out, const struct wedr_audit_field *f)
{
    struct wedr_buf b;
    char separator = '\0';
    if (is(f->key, "proctitle") || is(f->key, "key")) {
        separator = is(f->key, "key") ? ',' : ' ';
    }
    wedr_buf_init(&b, VALUE_MAX);
    wedr_audit_decode(f, separator, &b);
    while (is(f->key, "proctitle") && b.len > 0 && b.p[b.len - 1] == ' ') {
        wedr_buf_truncate(&b, b.len - 1);
    }
    for (size_t i = 0; is(f->key, "key") && i < b.len; i++) {
        b.p[i] = b.p[i] == 1 ? ',' : b.p[i]; /* between several keys */
    }
    add_field(out, f->key, held(&b));
    out->overflow = out->overflow || b.overflow;
    wedr_buf_fini(&b);
}

static void add_value(struct wedr_buf *out, const struct wedr_audit_field *f)
{
    if (is_untrusted(f->key)) {
        add_decoded(out, f);
    } else {
        add_field(out, f->key, f->value);
    }
}

static bool get(const struct wedr_audit_head *r, const char *key, struct wedr_audit_field *ret)
{
    struct wedr_text rest = r->rest;
    while (wedr_audit_next(&rest, ret)) {
        if (is(ret->key, key)) {
            return true;
        }
    }
    return false;
}

static const struct wedr_audit_head *record_of(const struct wedr_audit_event *e, const char *type)
{
    for (size_t i = 0; i < e->count; i++) {
        if (is(e->records[i].type, type)) {
            return &e->records[i];
        }
    }
    return NULL;
}

/* The name of the system call by its number and the machine. */
static void add_syscall(struct wedr_buf *out, const struct wedr_audit_head *r)
{
    struct wedr_audit_field arch;
    struct wedr_audit_field f;
    int v = 0;
    if (get(r, "SYSCALL", &f)) {
        add_field(out, f.key, f.value);
        return;
    }
    if (!get(r, "syscall", &f) || f.value.len > 4 || !get(r, "arch", &arch)) {
        return;
    }
    for (uint32_t i = 0; i < f.value.len; i++) {
        v = v * 10 + (f.value.p[i] - '0');
        if (f.value.p[i] < '0' || f.value.p[i] > '9') {
            return;
        }
    }
    bool x86_64 = is(arch.value, "c000003e");
    bool i386 = is(arch.value, "40000003");
    bool aarch64 = is(arch.value, "c00000b7");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(syscalls); i++) {
        if ((x86_64 && syscalls[i].x86_64 == v) || (i386 && syscalls[i].i386 == v) ||
            (aarch64 && syscalls[i].aarch64 == v)) {
            add_field(out, of("SYSCALL"), of(syscalls[i].name));
            return;
        }
    }
}

static unsigned byte_at(struct wedr_text hex, size_t i)
{
    return (unsigned)(hex_digit(hex.p[2 * i]) * 16 + hex_digit(hex.p[2 * i + 1]));
}

/* The address of a SOCKADDR record, under the names that ausearch gives. */
static void add_address(struct wedr_buf *out, struct wedr_text hex)
{
    char text[64];
    if (!is_hex(hex) || hex.len < 16) {
        return;
    }
    unsigned family = byte_at(hex, 0) | byte_at(hex, 1) << 8;
    bool v6 = family == 10 && hex.len >= 48;
    if (family == 1) {
        struct wedr_buf path;
        wedr_buf_init(&path, VALUE_MAX);
        unhex(from(hex, 4), '\0', &path);
        size_t len = 0;
        while (len < path.len && (path.p[len] != '\0' || len == 0)) {
            len++;
        }
        add_field(out, of("saddr_fam"), of("local"));
        add_field(out, of("path"), wedr_text((const char *)path.p, path.p ? len : 0));
        wedr_buf_fini(&path);
        return;
    }
    if (family != 2 && !v6) {
        return;
    }
    add_field(out, of("saddr_fam"), of(v6 ? "inet6" : "inet"));
    (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", byte_at(hex, 4), byte_at(hex, 5),
                   byte_at(hex, 6), byte_at(hex, 7));
    for (size_t i = 0, n = 0; v6 && i < 8 && n < sizeof(text); i++) {
        int w = snprintf(text + n, sizeof(text) - n, "%s%x", i > 0 ? ":" : "",
                         byte_at(hex, 8 + 2 * i) << 8 | byte_at(hex, 9 + 2 * i));
        n += w > 0 ? (size_t)w : 0;
    }
    add_field(out, of("laddr"), of(text));
    (void)snprintf(text, sizeof(text), "%u", byte_at(hex, 2) << 8 | byte_at(hex, 3));
    add_field(out, of("lport"), of(text));
}

/* "a12" or the first piece "a12[0]" begins an argument, "a12[3]" goes on with it. */
enum part { OTHER, BEGINS, GOES_ON };

static enum part argument(struct wedr_text key)
{
    uint32_t i = 1;
    while (i < key.len && key.p[i] >= '0' && key.p[i] <= '9') {
        i++;
    }
    if (i == 1 || key.p[0] != 'a' || (i < key.len && key.p[i] != '[')) {
        return OTHER;
    }
    return i == key.len || is(from(key, i), "[0]") ? BEGINS : GOES_ON;
}

/* The arguments of all EXECVE records of the event: each as a field, or all of them with blanks
 * between them. False when there is none. */
static bool add_arguments(const struct wedr_audit_event *e, bool joined, struct wedr_buf *out)
{
    struct wedr_buf b;
    char key[16];
    unsigned count = 0;
    wedr_buf_init(&b, VALUE_MAX);
    for (size_t i = 0; i < e->count; i++) {
        struct wedr_text rest = e->records[i].rest;
        struct wedr_audit_field f;
        while (is(e->records[i].type, "EXECVE") && wedr_audit_next(&rest, &f)) {
            enum part part = argument(f.key);
            if (part == OTHER || (part == BEGINS && count == WEDR_AUDIT_ARGS_MAX)) {
                continue;
            }
            if (part == BEGINS && count > 0 && !joined) {
                (void)snprintf(key, sizeof(key), "a%u", count - 1);
                add_field(out, of(key), held(&b));
                wedr_buf_truncate(&b, 0);
            }
            wedr_buf_adds(&b, part == BEGINS && count > 0 && joined ? " " : "");
            count += part == BEGINS;
            wedr_audit_decode(&f, '\0', &b);
        }
    }
    if (count > 0) {
        (void)snprintf(key, sizeof(key), "a%u", count - 1);
        add_field(out, joined ? of("proctitle") : of(key), held(&b));
    }
    out->overflow = out->overflow || b.overflow;
    wedr_buf_fini(&b);
    return count > 0;
}

/* What the record lacks and others of its event have. */
static void
add_context(const struct wedr_audit_event *e, const struct wedr_audit_head *r, struct wedr_buf *out)
{
    static const char *const names[] = {"exe",  "comm", "pid",  "ppid",
                                        "auid", "uid",  "euid", "success"};
    const struct wedr_audit_head *call = record_of(e, "SYSCALL");
    struct wedr_audit_field f;
    struct wedr_audit_field own;
    bool is_call = is(r->type, "SYSCALL");
    if (is_call || is(r->type, "EXECVE")) {
        const struct wedr_audit_head *cwd = record_of(e, "CWD");
        const struct wedr_audit_head *title = record_of(e, "PROCTITLE");
        if (cwd && get(cwd, "cwd", &f)) {
            add_decoded(out, &f);
        }
        if (!add_arguments(e, true, out) && title && get(title, "proctitle", &f)) {
            add_decoded(out, &f);
        }
    }
    if (call && !is_call) {
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
            if (get(call, names[i], &f) && !get(r, names[i], &own)) {
                add_value(out, &f);
            }
        }
        add_syscall(out, call);
    }
}

void wedr_audit_json(const struct wedr_audit_event *e, size_t index, struct wedr_buf *out)
{
    const struct wedr_audit_head *r = &e->records[index];
    struct wedr_text rest = r->rest;
    struct wedr_audit_field f;
    bool execve = is(r->type, "EXECVE");
    if (is(r->type, "EOE") || (execve && r != record_of(e, "EXECVE"))) {
        return;
    }
    wedr_buf_adds(out, "{");
    add_field(out, of("type"), r->type);
    if (r->node.len > 0) {
        add_field(out, of("node"), r->node);
    }
    while (wedr_audit_next(&rest, &f)) {
        if (execve && f.key.p[0] == 'a' && !is(f.key, "argc")) {
            continue; /* a1, a1_len, a1[0] */
        }
        if (!is(f.key, "SYSCALL")) {
            add_value(out, &f);
        }
        if (is(f.key, "saddr")) {
            add_address(out, f.value);
        }
    }
    if (execve) {
        (void)add_arguments(e, false, out);
    }
    if (is(r->type, "SYSCALL")) {
        add_syscall(out, r);
    }
    add_context(e, r, out);
    wedr_buf_adds(out, "}");
}
