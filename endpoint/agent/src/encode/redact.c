/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/redact.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/wire/event.h"
#include <string.h>

#define STARS (sizeof(WEDR_REDACT_TEXT) - 1)
#define ARGS_MAX (WEDR_ARGV_COPY_MAX + 1u)
#define WORD_MAX 64u   /* bytes of a word before '=' or ':' that are looked at */
#define FREE_SUFFIX 5u /* a name of so many bytes counts at the end of any word: PGPASSWORD */
#define SHAPE_MIN 16u  /* bytes behind the prefix of a known key */

struct name {
    uint8_t len;
    char text[WEDR_REDACT_NAME_MAX]; /* lower case, '-' for '_' */
};

struct range {
    uint32_t at, len;
};

struct wedr_redact {
    struct name name[WEDR_REDACT_NAMES];
    size_t name_count;
    struct range secret[WEDR_REDACT_SECRETS];
    size_t secret_count;
    uint32_t checks;
    size_t len; /* of args */
    uint64_t count;
    char args[ARGS_MAX]; /* as they were */
    char out[ARGS_MAX + WEDR_REDACT_SECRETS * STARS];
};

/* How an option of a program carries a secret. */
enum how {
    ATTACHED, /* -psecret; -p alone asks for it */
    EITHER,   /* -psecret or -p secret */
    COLON,    /* as EITHER, what stands behind the first colon */
    PERCENT   /* as EITHER, what stands behind the first percent sign */
};

static const struct program {
    const char *name, *option;
    enum how how;
} programs[] = {
    {"mysql", "-p", ATTACHED},
    {"mysqldump", "-p", ATTACHED},
    {"mysqladmin", "-p", ATTACHED},
    {"mysqlimport", "-p", ATTACHED},
    {"mariadb", "-p", ATTACHED},
    {"mariadb-dump", "-p", ATTACHED},
    {"mariadb-admin", "-p", ATTACHED},
    {"7z", "-p", ATTACHED},
    {"7za", "-p", ATTACHED},
    {"xfreerdp", "/p:", ATTACHED},
    {"sshpass", "-p", EITHER},
    {"redis-cli", "-a", EITHER},
    {"mongo", "-p", EITHER},
    {"mongosh", "-p", EITHER},
    {"mongodump", "-p", EITHER},
    {"mongorestore", "-p", EITHER},
    {"ldapsearch", "-w", EITHER},
    {"ldapmodify", "-w", EITHER},
    {"ldapadd", "-w", EITHER},
    {"ldappasswd", "-w", EITHER},
    {"sqlcmd", "-P", EITHER},
    {"zip", "-P", EITHER},
    {"unzip", "-P", EITHER},
    {"evil-winrm", "-p", EITHER},
    {"curl", "-u", COLON},
    {"curl", "--user", COLON},
    {"curl", "-U", COLON},
    {"curl", "--proxy-user", COLON},
    {"smbclient", "-U", PERCENT},
    {"rpcclient", "-U", PERCENT},
};

/* Keys that say what they are. */
static const char *const shapes[] = {
    "AKIA",  "ASIA",  "ghp_",     "gho_",     "ghs_",       "ghu_",        "ghr_", "glpat-",
    "xoxb-", "xoxp-", "sk_live_", "rk_live_", "eyJhbGciOi", "github_pat_", "AIza", "hvs."};

/* One argument while it is searched. */
struct arg {
    struct wedr_redact *r;
    const char *s;
    size_t n;
    size_t base; /* of s among all arguments */
};

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return (char)(c == '_' ? '-' : c);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool ends_value(char c)
{
    return is_blank(c) || c == '"' || c == '\'' || c == '&' || c == ';' || c == ',' || c == '}' ||
           c == '|' || c == ')';
}

static int add_name(struct wedr_redact *r, const char *s, size_t n)
{
    while (n > 0 && is_blank(*s)) {
        s++;
        n--;
    }
    while (n > 0 && is_blank(s[n - 1])) {
        n--;
    }
    if (n == 0) {
        return WEDR_OK;
    }
    if (n > WEDR_REDACT_NAME_MAX || r->name_count == WEDR_REDACT_NAMES) {
        return WEDR_E_FORMAT;
    }
    struct name *to = &r->name[r->name_count++];
    to->len = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        to->text[i] = folded(s[i]);
    }
    return WEDR_OK;
}

int wedr_redact_new(const char *names, struct wedr_redact **ret)
{
    struct wedr_redact *r = wedr_alloc(1, sizeof(*r));
    int err = r ? WEDR_OK : WEDR_E_NOMEM;
    while (err == WEDR_OK && *names) {
        size_t n = strcspn(names, ",");
        err = add_name(r, names, n);
        names += n + (names[n] == ',' ? 1 : 0);
    }
    if (err != WEDR_OK) {
        wedr_redact_free(r);
        return err;
    }
    *ret = r;
    return WEDR_OK;
}

void wedr_redact_free(struct wedr_redact *r)
{
    if (r) {
        wedr_wipe(r, sizeof(*r));
        wedr_free(r);
    }
}

uint64_t wedr_redact_count(const struct wedr_redact *r)
{
    return r->count;
}

void wedr_redact_forget(struct wedr_redact *r)
{
    r->secret_count = 0;
}

/* The word [at, at + n) of the argument ends in one of the names. */
static bool is_name(struct arg *a, size_t at, size_t n)
{
    const struct wedr_redact *r = a->r;
    if (n == 0 || a->r->checks == WEDR_REDACT_CHECKS) {
        return false;
    }
    a->r->checks++;
    const char *end = a->s + at + n;
    for (size_t i = 0; i < r->name_count; i++) {
        size_t len = r->name[i].len;
        if (len > n || folded(end[-1]) != r->name[i].text[len - 1]) {
            continue;
        }
        const char *word = end - len;
        size_t k = 0;
        while (k < len && folded(word[k]) == r->name[i].text[k]) {
            k++;
        }
        if (k == len && (len >= FREE_SUFFIX || len == n || !is_word(word[-1]) ||
                         folded(word[-1]) == '-' || word[-1] == '.')) {
            return true;
        }
    }
    return false;
}

/* Where the word begins that ends before `end`. */
static size_t word_before(const struct arg *a, size_t end)
{
    size_t at = end;
    while (at > 0 && end - at < WORD_MAX && is_word(a->s[at - 1])) {
        at--;
    }
    return at;
}

/* Returns where to look on. Ranges come in order and do not overlap. */
static size_t take(struct arg *a, size_t at, size_t n)
{
    struct wedr_redact *r = a->r;
    uint32_t begin = (uint32_t)(a->base + at);
    const struct range *last = r->secret_count > 0 ? &r->secret[r->secret_count - 1] : NULL;
    if (n > 0 && r->secret_count < WEDR_REDACT_SECRETS &&
        (!last || begin >= last->at + last->len)) {
        bool full = r->secret_count == WEDR_REDACT_SECRETS - 1;
        r->secret[r->secret_count++] = (struct range){begin, (uint32_t)(full ? r->len - begin : n)};
    }
    return at + n;
}

/* A value that begins at `at`: in quotes, or up to what ends it. */
static size_t take_value(struct arg *a, size_t at)
{
    size_t begin = at;
    char quote = '\0';
    if (at < a->n && (a->s[at] == '"' || a->s[at] == '\'')) {
        quote = a->s[at];
        begin++;
    }
    size_t end = begin;
    while (end < a->n && (quote ? a->s[end] != quote : !ends_value(a->s[end]))) {
        end++;
    }
    return take(a, begin, end - begin);
}

/* name=value. All of an option's value, and of an argument that is one assignment. */
static size_t on_equals(struct arg *a, size_t i)
{
    size_t at = word_before(a, i);
    if (!is_name(a, at, i - at)) {
        return i + 1;
    }
    if (at == 0 && (a->s[0] == '-' || strcspn(a->s, " \t\n&;") >= a->n)) {
        return take(a, i + 1, a->n - i - 1);
    }
    return take_value(a, i + 1);
}

/* scheme://user:secret@host */
static size_t on_url(struct arg *a, size_t i)
{
    size_t begin = i + 3;
    size_t at_sign = 0;
    size_t colon = 0;
    for (size_t k = begin; k < a->n && a->s[k] != '/' && !is_blank(a->s[k]) && a->s[k] != '"';
         k++) {
        if (a->s[k] == '@') {
            at_sign = k;
        } else if (a->s[k] == ':' && colon == 0) {
            colon = k;
        }
    }
    return colon != 0 && at_sign > colon ? take(a, colon + 1, at_sign - colon - 1) : begin;
}

static bool is_authorization(const struct arg *a, size_t at, size_t n)
{
    static const char text[] = "authorization";
    size_t len = sizeof(text) - 1;
    if (n < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (folded(a->s[at + n - len + i]) != text[i]) {
            return false;
        }
    }
    return true;
}

/* name: value, "name": "value", Authorization: Scheme value */
static size_t on_colon(struct arg *a, size_t i)
{
    size_t end = i > 0 && (a->s[i - 1] == '"' || a->s[i - 1] == '\'') ? i - 1 : i;
    size_t at = word_before(a, end);
    size_t value = i + 1;
    if (i + 2 < a->n && a->s[i + 1] == '/' && a->s[i + 2] == '/') {
        return on_url(a, i);
    }
    while (value < a->n && a->s[value] == ' ') {
        value++;
    }
    if (is_authorization(a, at, end - at)) {
        size_t stop = value;
        while (stop < a->n && a->s[stop] != '"' && a->s[stop] != '\'') {
            stop++;
        }
        return take(a, value, stop - value);
    }
    return is_name(a, at, end - at) ? take_value(a, value) : i + 1;
}

/* --name value inside of one argument (sh -c "..."). */
static size_t on_blank(struct arg *a, size_t i)
{
    size_t at = word_before(a, i);
    size_t next = i + 1;
    while (next < a->n && a->s[next] == ' ') {
        next++;
    }
    if (at == i || a->s[at] != '-' || next == a->n || a->s[next] == '-' ||
        !is_name(a, at, i - at)) {
        return i + 1;
    }
    return take_value(a, next);
}

/* At the first byte of a word. */
static size_t on_shape(struct arg *a, size_t i)
{
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(shapes); k++) {
        size_t len = strlen(shapes[k]);
        if (shapes[k][0] != a->s[i] || a->n - i < len + SHAPE_MIN ||
            memcmp(a->s + i, shapes[k], len) != 0) {
            continue;
        }
        size_t end = i + len;
        while (end < a->n && (is_word(a->s[end]) || a->s[end] == '+' || a->s[end] == '=')) {
            end++;
        }
        if (end - i >= len + SHAPE_MIN) {
            return take(a, i, end - i);
        }
    }
    return i + 1;
}

static void search(struct arg *a)
{
    size_t i = 0;
    while (i < a->n) {
        char c = a->s[i];
        if (c == '=') {
            i = on_equals(a, i);
        } else if (c == ':') {
            i = on_colon(a, i);
        } else if (c == ' ') {
            i = on_blank(a, i);
        } else if ((i == 0 || !is_word(a->s[i - 1])) &&
                   (c == 'A' || c == 'g' || c == 'x' || c == 's' || c == 'r' || c == 'e' ||
                    c == 'h')) {
            i = on_shape(a, i);
        } else {
            i++;
        }
    }
}

/* The value of a program's option begins at `at`. */
static void take_by(struct arg *a, size_t at, enum how how)
{
    char mark = how == COLON ? ':' : '%';
    if (how == COLON || how == PERCENT) {
        const char *p = at < a->n ? memchr(a->s + at, mark, a->n - at) : NULL;
        if (!p) {
            return;
        }
        at = (size_t)(p - a->s) + 1;
    }
    (void)take(a, at, a->n - at);
}

/* What the arguments before say of the one that comes. */
struct expect {
    struct wedr_span program;
    bool next;
    enum how how;
};

/* True when the argument is done with. */
static bool program_option(struct arg *a, struct expect *x)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(programs); i++) {
        const struct program *p = &programs[i];
        size_t len = strlen(p->option);
        if (a->n < len || memcmp(a->s, p->option, len) != 0 || x->program.len != strlen(p->name) ||
            memcmp(x->program.p, p->name, x->program.len) != 0) {
            continue;
        }
        if (a->n == len) {
            x->next = p->how != ATTACHED;
            x->how = p->how;
            return true;
        }
        bool is_long = p->option[1] == '-';
        if (!is_long || a->s[len] == '=') {
            take_by(a, len + (is_long ? 1 : 0), p->how);
            return true;
        }
    }
    return false;
}

static void look_at(struct arg *a, struct expect *x)
{
    if (x->next) {
        x->next = false;
        if (a->n > 0 && (a->s[0] != '-' || x->how != EITHER)) {
            take_by(a, 0, x->how);
            return;
        }
    }
    if (a->n < 2) {
        return;
    }
    if (program_option(a, x)) {
        return;
    }
    size_t word = 0;
    while (word < a->n && is_word(a->s[word])) {
        word++;
    }
    if (a->s[0] == '-' && word == a->n) {
        x->next = is_name(a, 0, a->n);
        x->how = EITHER;
        return;
    }
    search(a);
}

/* Last component of the first argument. */
static struct wedr_span program_of(const char *s, size_t n)
{
    size_t at = n;
    while (at > 0 && s[at - 1] != '/') {
        at--;
    }
    return wedr_span(s + at, n - at);
}

static struct wedr_span without_secrets(struct wedr_redact *r, size_t len)
{
    size_t from = 0;
    size_t to = 0;
    for (size_t i = 0; i <= r->secret_count; i++) {
        size_t until = i < r->secret_count ? r->secret[i].at : len;
        memcpy(r->out + to, r->args + from, until - from);
        to += until - from;
        if (i < r->secret_count) {
            memcpy(r->out + to, WEDR_REDACT_TEXT, STARS);
            to += STARS;
            from = until + r->secret[i].len;
        }
    }
    return wedr_span(r->out, to);
}

bool wedr_redact_args(struct wedr_redact *r, struct wedr_span args, struct wedr_span *ret_args)
{
    struct expect x = {wedr_span(NULL, 0), false, EITHER};
    size_t len = args.len < ARGS_MAX ? args.len : ARGS_MAX - 1;
    r->secret_count = 0;
    r->checks = 0;
    r->len = len;
    if (len == 0) {
        return false;
    }
    memcpy(r->args, args.p, len);
    r->args[len] = '\0';
    for (size_t at = 0; at < len;) {
        size_t n = strlen(r->args + at);
        struct arg a = {r, r->args + at, n, at};
        if (at == 0) {
            x.program = program_of(a.s, n);
            search(&a);
        } else {
            look_at(&a, &x);
        }
        at += n + 1;
    }
    if (r->secret_count == 0) {
        return false;
    }
    r->count++;
    *ret_args = without_secrets(r, len);
    return true;
}

size_t wedr_redact_text(const struct wedr_redact *r, char *text, size_t len)
{
    for (size_t i = 0; i < r->secret_count; i++) {
        const char *secret = r->args + r->secret[i].at;
        size_t n = r->secret[i].len;
        for (size_t at = 0; at + n <= len;) {
            if (memcmp(text + at, secret, n) != 0) {
                at++;
                continue;
            }
            size_t stars = STARS < n ? STARS : n; /* in place: never longer */
            memcpy(text + at, WEDR_REDACT_TEXT, stars);
            memmove(text + at + stars, text + at + n, len - at - n);
            len -= n - stars;
            at += stars;
        }
    }
    return len;
}
