/* SPDX-License-Identifier: Apache-2.0 */
#include "http/static.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GZ ".gz"
#define NAMES_MAX 8192u
#define INDEX "/index.html"

struct wedr_static {
    struct wedr_static_file files[WEDR_STATIC_FILES_MAX]; /* by path */
    size_t count;
    size_t bytes;
    const struct wedr_static_file *index;
};

static const struct {
    const char *suffix, *content_type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
};

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (ends_with(path, types[i].suffix)) {
            return types[i].content_type;
        }
    }
    return NULL;
}

/* The names of one folder, each with its NUL: files are opened after the listing, not during it. */
struct names {
    char text[NAMES_MAX];
    size_t len;
};

static int note_name(void *arg, const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    struct names *n = arg;
    size_t len = strlen(name);
    if (name[0] == '.' || strspn(name, good) != len) {
        return 0;
    }
    if (len + 2 > sizeof(n->text) - n->len) {
        return WEDR_E_LIMIT;
    }
    memcpy(n->text + n->len, name, len + 1);
    n->len += len + 1;
    n->text[n->len] = '\0';
    return 0;
}

static int read_file(struct wedr_static *s, wedr_handle f, const char *path)
{
    struct wedr_buf b;
    uint8_t digest[WEDR_SHA256_LEN];
    char hex[WEDR_SHA256_HEX + 1];
    if (s->count == WEDR_STATIC_FILES_MAX) {
        return WEDR_E_LIMIT;
    }
    wedr_buf_init(&b, WEDR_STATIC_FILE_BYTES_MAX);
    int err = wedr_fs_read_all(f, &b);
    if (err == WEDR_OK && b.len > WEDR_STATIC_BYTES_MAX - s->bytes) {
        err = WEDR_E_LIMIT;
    }
    struct wedr_static_file *file = &s->files[s->count];
    file->plain = err == WEDR_OK ? wedr_shared_new(b.p, b.len) : NULL;
    if (err == WEDR_OK && !file->plain) {
        err = WEDR_E_NOMEM;
    }
    if (err == WEDR_OK) {
        (void)snprintf(file->path, sizeof(file->path), "%s", path);
        file->content_type = type_of(path);
        file->immutable = strncmp(path, "/assets/", 8) == 0;
        wedr_sha256(b.p, b.len, digest);
        wedr_hex(digest, sizeof(digest), hex);
        (void)snprintf(file->etag, sizeof(file->etag), "%.32s", hex);
        s->bytes += b.len;
        s->count++;
    }
    wedr_buf_fini(&b);
    return err;
}

static int read_folder(struct wedr_static *s, wedr_handle dir, const char *prefix, unsigned depth);

static int read_entry(
    struct wedr_static *s, wedr_handle dir, const char *prefix, const char *name, unsigned depth)
{
    char path[WEDR_STATIC_PATH_MAX];
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    int n = snprintf(path, sizeof(path), "%s/%s", prefix, name);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &h);
    err = err == WEDR_OK ? wedr_fs_stat(h, &st) : err;
    if (err == WEDR_OK && st.directory) {
        err = read_folder(s, h, path, depth + 1);
    } else if (err == WEDR_OK && (type_of(path) || ends_with(path, GZ))) {
        err = read_file(s, h, path);
    }
    wedr_fs_close(h);
    return err;
}

/* NOLINTNEXTLINE(misc-no-recursion): depth is bounded */
static int read_folder(struct wedr_static *s, wedr_handle dir, const char *prefix, unsigned depth)
{
    if (depth > WEDR_STATIC_DEPTH_MAX) {
        return WEDR_E_LIMIT;
    }
    struct names *n = wedr_alloc(1, sizeof(*n));
    if (!n) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_fs_list(dir, note_name, n);
    for (const char *p = n->text; err == WEDR_OK && *p; p += strlen(p) + 1) {
        err = read_entry(s, dir, prefix, p, depth);
    }
    wedr_free(n);
    return err;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct wedr_static_file *)a)->path,
                  ((const struct wedr_static_file *)b)->path);
}

static struct wedr_static_file *lookup(struct wedr_static *s, const char *path)
{
    struct wedr_static_file key = {.path = ""};
    size_t len = strlen(path);
    if (len >= sizeof(key.path)) {
        return NULL;
    }
    memcpy(key.path, path, len + 1);
    return bsearch(&key, s->files, s->count, sizeof(key), by_path);
}

/* "x.js.gz" becomes the packed form of "x.js"; one without its plain file goes. */
static void pair_up(struct wedr_static *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        char plain[WEDR_STATIC_PATH_MAX];
        if (!ends_with(s->files[i].path, GZ)) {
            continue;
        }
        (void)snprintf(plain, sizeof(plain), "%.*s", (int)(strlen(s->files[i].path) - 3),
                       s->files[i].path);
        struct wedr_static_file *f = lookup(s, plain);
        if (f) {
            f->gzip = s->files[i].plain;
        } else {
            wedr_shared_unref(s->files[i].plain);
        }
        s->files[i].plain = NULL;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->files[i].plain) {
            s->files[kept++] = s->files[i];
        }
    }
    s->count = kept;
}

int wedr_static_load(const char *folder, struct wedr_static **ret, struct wedr_errinfo *ei)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    struct wedr_static *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_fs_open_dir(folder, &dir);
    if (err == WEDR_OK) {
        err = read_folder(s, dir, "", 1);
    }
    wedr_fs_close(dir);
    if (err == WEDR_OK) {
        qsort(s->files, s->count, sizeof(s->files[0]), by_path);
        pair_up(s);
        s->index = lookup(s, INDEX);
        err = s->index ? WEDR_OK : WEDR_E_NOENT;
    }
    if (err != WEDR_OK) {
        wedr_static_free(s);
        return wedr_fail(ei, err, "console files in %s: %s", folder, wedr_err_text(err));
    }
    *ret = s;
    return WEDR_OK;
}

void wedr_static_free(struct wedr_static *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        wedr_shared_unref(s->files[i].plain);
        wedr_shared_unref(s->files[i].gzip);
    }
    wedr_free(s);
}

size_t wedr_static_count(const struct wedr_static *s)
{
    return s->count;
}

static bool is_api(const char *path)
{
    static const char *const roots[] = {"/api", "/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(roots); i++) {
        size_t n = strlen(roots[i]);
        if (strncmp(path, roots[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return true;
        }
    }
    return false;
}

const struct wedr_static_file *wedr_static_find(const struct wedr_static *s, const char *path)
{
    if (path[0] != '/' || is_api(path)) {
        return NULL;
    }
    const struct wedr_static_file *f = lookup((struct wedr_static *)(uintptr_t)s, path);
    if (f) {
        return f;
    }
    const char *last = strrchr(path, '/');
    return strchr(last, '.') ? NULL : s->index;
}

/* One element of the list: "gzip", "gzip;q=0.5", " * ". */
static bool element_takes_gzip(const char *p, size_t len)
{
    size_t name = 0;
    while (len && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }
    while (name < len && p[name] != ';' && p[name] != ' ' && p[name] != '\t') {
        name++;
    }
    if (!(name == 4 && strncmp(p, "gzip", 4) == 0) && !(name == 1 && *p == '*')) {
        return false;
    }
    /* Without a weight, or one with a digit above 0. */
    const char *q = memchr(p + name, '=', len - name);
    return !q || strcspn(q, "123456789") < (size_t)(p + len - q);
}

bool wedr_static_takes_gzip(const char *accept_encoding)
{
    const char *p = accept_encoding;
    while (p && *p) {
        size_t len = strcspn(p, ",");
        if (element_takes_gzip(p, len)) {
            return true;
        }
        p += len + (p[len] == ',');
    }
    return false;
}

/* No inline script or style, nothing from elsewhere, no frames, no forms that leave: what an
 * endpoint wrote stays text even if a view forgot to treat it so. No exception is needed: the
 * console's styles are files, its editor adopts style sheets. */
#define POLICY                                                                                   \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "          \
    "require-trusted-types-for 'script'; trusted-types 'none'"

bool wedr_static_answer(const struct wedr_static *s, struct wedr_request *rq)
{
    const struct wedr_static_file *f = wedr_static_find(s, rq->path);
    if (!f) {
        return false;
    }
    bool packed = f->gzip && wedr_static_takes_gzip(wedr_request_header(rq, "Accept-Encoding"));
    const char *known = wedr_request_header(rq, "If-None-Match");
    (void)snprintf(rq->etag, sizeof(rq->etag), "\"%s%s\"", f->etag, packed ? "-gz" : "");
    wedr_answer_header(rq, "Cache-Control", "%s",
                       f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    wedr_answer_header(rq, "Vary", "Accept-Encoding");
    wedr_answer_header(rq, "Content-Security-Policy", "%s", POLICY);
    wedr_answer_header(rq, "Referrer-Policy", "no-referrer");
    wedr_answer_header(rq, "Cross-Origin-Opener-Policy", "same-origin");
    wedr_answer_header(rq, "Cross-Origin-Resource-Policy", "same-origin");
    wedr_answer_header(rq, "Permissions-Policy",
                       "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    if (rq->status) {
        return true; /* out of memory: a header did not fit */
    }
    if (known && strstr(known, rq->etag)) {
        wedr_answer_unchanged(rq);
        return true;
    }
    if (packed) {
        wedr_answer_header(rq, "Content-Encoding", "gzip");
    }
    wedr_answer_bytes(rq, packed ? f->gzip : f->plain);
    rq->content_type = f->content_type;
    return true;
}
