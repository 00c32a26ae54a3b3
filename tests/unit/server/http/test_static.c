/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE \
    200809L /* NOLINT(bugprone-reserved-identifier): folders and links of tests */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "http/request.h"
#include "http/static.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
    char sub[80];
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/test_static.XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(sub, sizeof(sub), "%s/assets", dir);
    return mkdir(sub, 0700);
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command); /* NOLINT(cert-env33-c): a folder that this test made */
}

static void fill(void)
{
    put("index.html", "<!doctype html>");
    put("favicon.svg", "<svg/>");
    put("assets/app-Bq3.js", "plain");
    put("assets/app-Bq3.js.gz", "packed");
    put("assets/lone.css.gz", "no plain file");
    put(".hidden.html", "x");
    put("program.exe", "x");
    put("odd name.html", "x");
}

static struct wedr_static *load(void)
{
    struct wedr_static *s = NULL;
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_static_load(dir, &s, &ei), WEDR_OK);
    return s;
}

static const char *text_of(struct wedr_shared *b)
{
    return (const char *)wedr_shared_span(b).p;
}

static void files_are_found_by_path_with_type_and_packed_form(void **state)
{
    (void)state;
    fill();
    struct wedr_static *s = load();
    assert_int_equal(wedr_static_count(s), 3);
    const struct wedr_static_file *f = wedr_static_find(s, "/assets/app-Bq3.js");
    assert_non_null(f);
    assert_string_equal(f->content_type, "text/javascript; charset=utf-8");
    assert_true(f->immutable);
    assert_memory_equal(text_of(f->plain), "plain", 5);
    assert_memory_equal(text_of(f->gzip), "packed", 6);
    f = wedr_static_find(s, "/favicon.svg");
    assert_non_null(f);
    assert_false(f->immutable);
    assert_null(f->gzip);
    assert_int_equal(strlen(f->etag), 32);
    wedr_static_free(s);
}

static void a_path_of_a_view_is_the_index_and_one_of_the_api_is_nothing(void **state)
{
    static const char *const views[] = {"/", "/alerts", "/endpoints/01234567-89ab/processes/ff",
                                        "/apiary", "/a/../b"};
    static const char *const none[] = {"/api",
                                       "/api/v1/nothing",
                                       "/healthz",
                                       "/readyz/x",
                                       "/metrics",
                                       "/assets/none.js",
                                       "/assets/../../etc/passwd.txt",
                                       "/../server.json",
                                       "/.hidden.html",
                                       "/program.exe",
                                       "/odd name.html",
                                       "/assets/app-Bq3.js.gz",
                                       "/assets/lone.css",
                                       "index.html",
                                       ""};
    (void)state;
    fill();
    struct wedr_static *s = load();
    const struct wedr_static_file *index = wedr_static_find(s, "/index.html");
    assert_non_null(index);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(views); i++) {
        assert_ptr_equal(wedr_static_find(s, views[i]), index);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(none); i++) {
        assert_null(wedr_static_find(s, none[i]));
    }
    char longer[4096];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    assert_ptr_equal(wedr_static_find(s, longer), index);
    memcpy(longer + sizeof(longer) - 4, ".js", 3);
    assert_null(wedr_static_find(s, longer));
    wedr_static_free(s);
}

static void a_folder_without_index_with_a_link_or_too_large_is_refused(void **state)
{
    struct wedr_static *s = NULL;
    struct wedr_errinfo ei = {""};
    char link_path[128];
    (void)state;
    put("app.js", "x");
    assert_int_equal(wedr_static_load(dir, &s, &ei), WEDR_E_NOENT);
    assert_non_null(strstr(ei.text, dir));
    assert_int_equal(wedr_static_load("/nowhere/at/all", &s, &ei), WEDR_E_NOENT);
    put("index.html", "x");
    (void)snprintf(link_path, sizeof(link_path), "%s/secret.txt", dir);
    assert_int_equal(symlink("/etc/hostname", link_path), 0);
    assert_int_equal(wedr_static_load(dir, &s, &ei), WEDR_E_PERM);
    assert_int_equal(unlink(link_path), 0);
    char *big = malloc(WEDR_STATIC_FILE_BYTES_MAX + 2);
    assert_non_null(big);
    memset(big, 'x', WEDR_STATIC_FILE_BYTES_MAX + 1);
    big[WEDR_STATIC_FILE_BYTES_MAX + 1] = '\0';
    put("big.js", big);
    free(big);
    assert_int_equal(wedr_static_load(dir, &s, &ei), WEDR_E_LIMIT);
    put("big.js", "x");
    for (unsigned i = 0; i < WEDR_STATIC_FILES_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "assets/%u.js", i);
        put(name, "x");
    }
    assert_int_equal(wedr_static_load(dir, &s, &ei), WEDR_E_LIMIT);
    assert_null(s);
}

static const char *header_of(const struct wedr_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->out_count; i++) {
        if (strcmp(rq->out[i].name, name) == 0) {
            return rq->out[i].value;
        }
    }
    return NULL;
}

static void ask(const struct wedr_static *s,
                struct wedr_request *rq,
                const char *path,
                const char *encoding,
                const char *tag)
{
    memset(rq, 0, sizeof(*rq));
    wedr_buf_init(&rq->answer, WEDR_HTTP_ANSWER_MAX);
    rq->path = path;
    if (encoding) {
        assert_int_equal(wedr_request_add_header(rq, "Accept-Encoding", encoding), 0);
    }
    if (tag) {
        assert_int_equal(wedr_request_add_header(rq, "If-None-Match", tag), 0);
    }
    assert_true(wedr_static_answer(s, rq));
}

static void forget(struct wedr_request *rq)
{
    for (size_t i = 0; i < rq->out_count; i++) {
        wedr_free(rq->out[i].value);
    }
    wedr_shared_unref(rq->shared);
    wedr_buf_fini(&rq->answer);
}

static void an_answer_has_its_policy_form_and_tag(void **state)
{
    static struct wedr_request rq;
    char tag[68];
    (void)state;
    fill();
    struct wedr_static *s = load();
    ask(s, &rq, "/assets/app-Bq3.js", "gzip", NULL);
    assert_int_equal(rq.status, 200);
    assert_string_equal(header_of(&rq, "Content-Encoding"), "gzip");
    assert_string_equal(header_of(&rq, "Vary"), "Accept-Encoding");
    assert_non_null(strstr(header_of(&rq, "Cache-Control"), "immutable"));
    assert_memory_equal(text_of(rq.shared), "packed", 6);
    (void)snprintf(tag, sizeof(tag), "%s", rq.etag);
    forget(&rq);
    ask(s, &rq, "/assets/app-Bq3.js", "gzip", tag);
    assert_int_equal(rq.status, 304);
    assert_null(rq.shared);
    forget(&rq);
    /* The other form is another thing. */
    ask(s, &rq, "/assets/app-Bq3.js", NULL, tag);
    assert_int_equal(rq.status, 200);
    assert_null(header_of(&rq, "Content-Encoding"));
    assert_memory_equal(text_of(rq.shared), "plain", 5);
    forget(&rq);
    ask(s, &rq, "/alerts", NULL, NULL);
    assert_string_equal(rq.content_type, "text/html; charset=utf-8");
    assert_string_equal(header_of(&rq, "Cache-Control"), "no-cache");
    const char *policy = header_of(&rq, "Content-Security-Policy");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_non_null(strstr(policy, "frame-ancestors 'none'"));
    assert_null(strstr(policy, "unsafe"));
    forget(&rq);
    memset(&rq, 0, sizeof(rq));
    rq.path = "/api/v1/nothing";
    assert_false(wedr_static_answer(s, &rq));
    assert_int_equal(rq.out_count, 0);
    wedr_static_free(s);
}

static void gzip_is_sent_only_to_those_who_take_it(void **state)
{
    static const char *const yes[] = {"gzip", "br, gzip",    "gzip;q=0.5", "deflate ,\tgzip ; q=1",
                                      "*",    "br;q=0, gzip"};
    static const char *const no[] = {"",       "identity",    "gzip;q=0", "gzip;q=0.000",
                                     "x-gzip", "gzipped, br", ",,,",      "br;q=1"};
    (void)state;
    assert_false(wedr_static_takes_gzip(NULL));
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(yes); i++) {
        assert_true(wedr_static_takes_gzip(yes[i]));
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(no); i++) {
        assert_false(wedr_static_takes_gzip(no[i]));
    }
}

int main(void)
{
#define IN_FOLDER(t) cmocka_unit_test_setup_teardown(t, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_are_found_by_path_with_type_and_packed_form),
        IN_FOLDER(a_path_of_a_view_is_the_index_and_one_of_the_api_is_nothing),
        IN_FOLDER(a_folder_without_index_with_a_link_or_too_large_is_refused),
        IN_FOLDER(an_answer_has_its_policy_form_and_tag),
        cmocka_unit_test(gzip_is_sent_only_to_those_who_take_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
