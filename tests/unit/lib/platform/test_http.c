/* SPDX-License-Identifier: Apache-2.0 */
#include "http_probe.h"

#include "core/util/alloc.h"
#include "wedr/plat/time.h"

/* ---- requests and answers ---- */

static struct outcome fetch(struct tls_server *s, const struct wedr_http_request *rq)
{
    struct wedr_http_cfg cfg = {
        .base_url = url_of(s, "localhost"), .ca_pem = ca.cert_pem, .total_timeout_ms = 10000};
    return ask(&cfg, rq);
}

static void a_large_body_arrives_whole(void **state)
{
    struct tls_server s;
    size_t n = 1u << 20;
    char *body = wedr_alloc(n, 1);
    (void)state;
    assert_non_null(body);
    memset(body, 'b', n);
    start(&s, &server_cert, NULL);
    struct wedr_http_header type = {"Content-Encoding", "zstd"};
    struct wedr_http_request rq = {.method = "POST",
                                   .path = "/echo",
                                   .headers = &type,
                                   .header_count = 1,
                                   .body = body,
                                   .body_len = n,
                                   .response_max = n};
    struct outcome o = fetch(&s, &rq);
    assert_int_equal(o.err, WEDR_OK);
    assert_int_equal(o.body_len, n);
    tls_server_stop(&s);
    wedr_free(body);
}

static void headers_are_sent_as_given_and_nothing_is_invented(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_header headers[] = {{"X-Wedr-Batch", "a b"}, {"X-Empty", ""}};
    struct wedr_http_request rq = {.method = "POST",
                                   .path = "/head",
                                   .headers = headers,
                                   .header_count = 2,
                                   .body = "x",
                                   .body_len = 1,
                                   .response_max = 4096};
    struct outcome o = fetch(&s, &rq);
    assert_int_equal(o.err, WEDR_OK);
    assert_non_null(strstr(o.body, "POST /head HTTP/1.1\r\n"));
    assert_non_null(strstr(o.body, "X-Wedr-Batch: a b\r\n"));
    assert_non_null(strstr(o.body, "X-Empty:"));
    assert_null(strstr(o.body, "Content-Type"));
    assert_null(strstr(o.body, "Expect"));
    tls_server_stop(&s);
}

static void control_characters_cannot_make_a_header(void **state)
{
    struct wedr_http_cfg cfg = {.base_url = "https://localhost", .ca_pem = ca.cert_pem};
    struct wedr_http *h = NULL;
    struct outcome o = {0};
    (void)state;
    assert_int_equal(wedr_http_new(&cfg, &h, NULL), 0);
    struct wedr_http_header bad[] = {
        {"X-A", "b\r\nX-C: d"}, {"X-A:b", "c"}, {"X A", "b"}, {"", "b"}, {"X-A", "b\x01"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct wedr_http_request rq = get("/ok");
        rq.headers = &bad[i];
        rq.header_count = 1;
        assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_E_INVAL);
    }
    const char *paths[] = {"ok", "/a b", "/a\r\nb", ""};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct wedr_http_request rq = get(paths[i]);
        assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_E_INVAL);
    }
    struct wedr_http_request rq = get("/ok");
    rq.method = "CONNECT";
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_E_INVAL);
    wedr_http_free(h);
}

static void retry_after_is_read_in_both_forms(void **state)
{
    static const struct {
        const char *path;
        uint32_t low, high;
    } cases[] = {
        {"/retry/7", 7, 7},    {"/retry/0", 0, 0},  {"/retry/99999999999999999999", 86400, 86400},
        {"/date/90", 85, 90},  {"/date/-90", 0, 0}, {"/date/1000000", 86400, 86400},
        {"/retry/soon", 0, 0}, {"/retry/-5", 0, 0}, {"/ok", 0, 0},
    };
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wedr_http_request rq = get(cases[i].path);
        struct outcome o = fetch(&s, &rq);
        assert_int_equal(o.err, WEDR_OK);
        assert_in_range(o.retry_after_s, cases[i].low, cases[i].high);
    }
    tls_server_stop(&s);
}

static void a_longer_answer_than_expected_is_cut_off(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_request rq = get("/big");
    rq.response_max = 99999;
    assert_int_equal(fetch(&s, &rq).err, WEDR_E_LIMIT);
    rq.response_max = 100000;
    struct outcome o = fetch(&s, &rq);
    assert_int_equal(o.err, WEDR_OK);
    assert_int_equal(o.body_len, 100000);
    tls_server_stop(&s);
}

static void every_method_goes_as_named(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char line[64];
        struct wedr_http_request rq = get("/head");
        rq.method = methods[i];
        rq.body = "{}";
        rq.body_len = 2;
        struct outcome o = fetch(&s, &rq);
        (void)snprintf(line, sizeof(line), "%s /head HTTP/1.1\r\n", methods[i]);
        assert_int_equal(o.err, WEDR_OK);
        assert_ptr_equal(strstr(o.body, line), o.body);
    }
    tls_server_stop(&s);
}

struct stream {
    struct outcome o;
    size_t bytes, stop_at;
    char header[64];
};

static int on_piece(void *arg, const void *p, size_t n)
{
    struct stream *t = arg;
    (void)p;
    t->bytes += n;
    return t->stop_at > 0 && t->bytes >= t->stop_at ? 1 : 0;
}

static void on_stream_done(void *arg, const struct wedr_http_response *r)
{
    struct stream *t = arg;
    (void)snprintf(t->header, sizeof(t->header), "%s", r->header ? r->header : "none");
    on_done(&t->o, r);
}

static struct stream
stream(struct tls_server *s, const char *path, const char *want, size_t stop_at)
{
    struct stream t = {.stop_at = stop_at};
    struct wedr_http *h = NULL;
    struct wedr_http_cfg cfg = {.base_url = url_of(s, "localhost"), .ca_pem = ca.cert_pem};
    struct wedr_http_request rq = get(path);
    rq.piece = on_piece;
    rq.silence_ms = 500;
    rq.want_header = want;
    assert_int_equal(wedr_http_new(&cfg, &h, NULL), 0);
    assert_int_equal(wedr_http_once(h, &rq, on_stream_done, &t), 0);
    wedr_http_free(h);
    return t;
}

static void an_answer_without_bound_comes_in_pieces(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct stream t = stream(&s, "/big", "connection", 0);
    assert_int_equal(t.o.err, WEDR_OK);
    assert_int_equal(t.bytes, 100000);
    assert_int_equal(t.o.body_len, 0);
    assert_string_equal(t.header, "close");
    t = stream(&s, "/big", NULL, 1000);
    assert_int_equal(t.o.err, WEDR_E_CLOSED);
    assert_in_range(t.bytes, 1000, 99999);
    assert_string_equal(t.header, "none");
    t = stream(&s, "/retry/7", "Retry-After", 0); /* no 2xx: kept as ever */
    assert_int_equal(t.bytes, 0);
    assert_string_equal(t.o.body, "later");
    assert_string_equal(t.header, "7");
    t = stream(&s, "/slow", NULL, 0);
    assert_int_equal(t.o.err, WEDR_E_TIMEOUT);
    assert_non_null(strstr(t.o.error_text, "silent"));
    tls_server_stop(&s);
}

static void redirects_are_not_followed(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_request rq = get("/redirect");
    struct outcome o = fetch(&s, &rq);
    assert_int_equal(o.status, 302);
    assert_int_equal(atomic_load(&s.requests), 1);
    tls_server_stop(&s);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    struct wedr_http_request rq = get("/ok");
    assert_int_equal(fetch(&s, &rq).err, WEDR_OK);
    assert_int_equal(unsetenv("https_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
    tls_server_stop(&s);
}

static void a22_the_given_proxy_is_used(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_cfg cfg = {
        .base_url = url_of(&s, "localhost"), .ca_pem = ca.cert_pem, .proxy = "http://127.0.0.1:1"};
    struct wedr_http_request rq = get("/ok");
    assert_int_equal(setenv("no_proxy", "*", 1),
                     0); /* the environment makes no exceptions either */
    assert_int_equal(ask(&cfg, &rq).err, WEDR_E_NET);
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_int_equal(atomic_load(&s.handshakes), 0);
    tls_server_stop(&s);
}

static void nobody_listening_is_a_network_error(void **state)
{
    struct wedr_http_cfg cfg = {.base_url = "https://127.0.0.1:1", .ca_pem = ca.cert_pem};
    struct wedr_http_request rq = get("/ok");
    (void)state;
    assert_int_equal(ask(&cfg, &rq).err, WEDR_E_NET);
}

static void a_silent_server_times_out(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_cfg cfg = {
        .base_url = url_of(&s, "localhost"), .ca_pem = ca.cert_pem, .total_timeout_ms = 300};
    struct wedr_http_request rq = get("/slow");
    uint64_t before = wedr_time_mono_ms();
    assert_int_equal(ask(&cfg, &rq).err, WEDR_E_TIMEOUT);
    assert_in_range(wedr_time_mono_ms() - before, 250, 3000);
    tls_server_stop(&s);
}

/* ---- several at once ---- */

static void free_cancels_without_calling_back(void **state)
{
    struct tls_server s;
    struct wedr_http *h = NULL;
    struct outcome o = {0};
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_cfg cfg = {.base_url = url_of(&s, "localhost"), .ca_pem = ca.cert_pem};
    struct wedr_http_request rq = get("/slow");
    assert_int_equal(wedr_http_new(&cfg, &h, NULL), 0);
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), 0);
    for (int i = 0; i < 500 && !atomic_load(&s.slow_seen); i++) {
        assert_int_equal(wedr_http_wait(h, NULL, 0, 10), 0);
    }
    assert_true(atomic_load(&s.slow_seen));
    uint64_t before = wedr_time_mono_ms();
    wedr_http_free(h);
    assert_in_range(wedr_time_mono_ms() - before, 0, 1000);
    assert_int_equal(o.calls, 0);
    tls_server_stop(&s);
}

static void a_ready_handle_of_the_caller_ends_the_wait(void **state)
{
    struct tls_server s;
    struct wedr_http *h = NULL;
    struct outcome o = {0};
    struct wedr_ipc *a = NULL;
    struct wedr_ipc *b = NULL;
    (void)state;
    start(&s, &server_cert, NULL);
    struct wedr_http_cfg cfg = {.base_url = url_of(&s, "localhost"), .ca_pem = ca.cert_pem};
    struct wedr_http_request rq = get("/slow");
    assert_int_equal(wedr_http_new(&cfg, &h, NULL), 0);
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), 0);
    assert_int_equal(wedr_ipc_pair(&a, &b), 0);
    struct wedr_wait w[2] = {{.handle = WEDR_HANDLE_NONE, .want = WEDR_WAIT_READ},
                             {.handle = wedr_ipc_handle(a), .want = WEDR_WAIT_READ}};
    assert_int_equal(wedr_http_wait(h, w, 2, 50), 0);
    assert_int_equal(w[1].got, 0);
    assert_int_equal(wedr_ipc_send(b, "x", 1, NULL, 0), 0);
    uint64_t before = wedr_time_mono_ms();
    assert_int_equal(wedr_http_wait(h, w, 2, 20000), 0);
    assert_in_range(wedr_time_mono_ms() - before, 0, 5000);
    assert_int_equal(w[0].got, 0);
    assert_int_equal(w[1].got, WEDR_WAIT_READ);
    wedr_ipc_close(b);
    assert_int_equal(wedr_http_wait(h, w, 2, 20000), 0);
    assert_int_equal(w[1].got & WEDR_WAIT_GONE, WEDR_WAIT_GONE);
    wedr_http_free(h);
    wedr_ipc_close(a);
    tls_server_stop(&s);
}

static void eight_requests_run_together_and_a_ninth_is_refused(void **state)
{
    struct tls_server s;
    struct wedr_http *h = NULL;
    struct outcome o = {0};
    (void)state;
    start(&s, &server_cert, &ca);
    struct wedr_http_cfg cfg = {.base_url = url_of(&s, "localhost"), .ca_sha256 = ca.sha256};
    struct wedr_http_request rq = get("/ok");
    assert_int_equal(wedr_http_new(&cfg, &h, NULL), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(wedr_http_start(h, &rq, on_done, &o), 0);
    }
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_E_FULL);
    for (int i = 0; i < 1000 && o.calls < 8; i++) {
        assert_int_equal(wedr_http_wait(h, NULL, 0, 20), 0);
    }
    assert_int_equal(o.calls, 8);
    assert_int_equal(o.err, WEDR_OK);
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), 0);
    wedr_http_free(h);
    tls_server_stop(&s);
}

static void a_bad_configuration_says_why(void **state)
{
    static const char *const urls[] = {"http://localhost",
                                       "https://localhost/",
                                       "https://localhost/path",
                                       "https://u:p@localhost",
                                       "ftp://localhost",
                                       "localhost",
                                       "https://",
                                       "https://localhost?a=b",
                                       "https://localhost#a",
                                       "https://local host:443",
                                       ""};
    struct wedr_http *h = NULL;
    struct wedr_errinfo ei;
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct wedr_http_cfg cfg = {.base_url = urls[i], .ca_pem = ca.cert_pem};
        ei.text[0] = '\0';
        assert_int_equal(wedr_http_new(&cfg, &h, &ei), WEDR_E_INVAL);
        assert_int_not_equal(ei.text[0], '\0');
    }
    struct wedr_http_cfg both = {
        .base_url = "https://a", .ca_pem = ca.cert_pem, .ca_sha256 = ca.sha256};
    assert_int_equal(wedr_http_new(&both, &h, &ei), WEDR_E_INVAL);
    struct wedr_http_cfg none = {.base_url = "https://a"};
    assert_int_equal(wedr_http_new(&none, &h, &ei), WEDR_E_INVAL);
    struct wedr_http_cfg no_key = {
        .base_url = "https://a", .ca_pem = ca.cert_pem, .cert_pem = client_cert.cert_pem};
    assert_int_equal(wedr_http_new(&no_key, &h, &ei), WEDR_E_INVAL);
    struct wedr_http_cfg short_hash = {.base_url = "https://a", .ca_sha256 = "abcd"};
    assert_int_equal(wedr_http_new(&short_hash, &h, &ei), WEDR_E_FORMAT);
    struct wedr_http_cfg v6 = {.base_url = "https://[::1]:8443", .ca_sha256 = ca.sha256};
    assert_int_equal(wedr_http_new(&v6, &h, &ei), WEDR_OK);
    wedr_http_free(h);
    wedr_http_free(NULL);
}

static void without_memory_a_client_or_request_is_not_made(void **state)
{
    struct wedr_http_cfg cfg = {.base_url = "https://127.0.0.1:1",
                                .ca_pem = ca.cert_pem,
                                .cert_pem = client_cert.cert_pem,
                                .key_pem = client_cert.key_pem,
                                .proxy = "http://127.0.0.1:1",
                                .user_agent = "test"};
    struct wedr_http_request rq = get("/ok");
    struct wedr_http *h = NULL;
    struct outcome o = {0};
    unsigned failures = 0;
    int err = WEDR_E_NOMEM;
    (void)state;
    for (size_t n = 1; err != WEDR_OK; n++) {
        (void)wedr_alloc_fail_nth(n);
        err = wedr_http_new(&cfg, &h, NULL);
        assert_true(err == WEDR_OK || err == WEDR_E_NOMEM);
        failures++;
    }
    assert_true(failures > 6);
    (void)wedr_alloc_fail_nth(1);
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_E_NOMEM);
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(wedr_http_start(h, &rq, on_done, &o), WEDR_OK);
    wedr_http_free(h);
}

static void no_descriptor_leaks_over_requests(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, &ca);
    struct outcome o = ask_with(&s, "localhost", NULL, ca.sha256);
    assert_int_equal(o.err, WEDR_OK);
    size_t before = count_fds();
    for (int i = 0; i < 5; i++) {
        o = ask_with(&s, "localhost", NULL, i % 2 == 0 ? ca.sha256 : other_ca.sha256);
    }
    /* The last connection's end on the server's side may take a moment. */
    for (int i = 0; i < 200 && count_fds() > before; i++) {
        wedr_time_sleep_ms(10);
    }
    assert_int_equal(count_fds(), before);
    tls_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(headers_are_sent_as_given_and_nothing_is_invented),
        cmocka_unit_test(control_characters_cannot_make_a_header),
        cmocka_unit_test(retry_after_is_read_in_both_forms),
        cmocka_unit_test(a_longer_answer_than_expected_is_cut_off),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
        cmocka_unit_test(a22_the_given_proxy_is_used),
        cmocka_unit_test(nobody_listening_is_a_network_error),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(free_cancels_without_calling_back),
        cmocka_unit_test(a_ready_handle_of_the_caller_ends_the_wait),
        cmocka_unit_test(eight_requests_run_together_and_a_ninth_is_refused),
        cmocka_unit_test(every_method_goes_as_named),
        cmocka_unit_test(an_answer_without_bound_comes_in_pieces),
        cmocka_unit_test(a_bad_configuration_says_why),
        cmocka_unit_test(without_memory_a_client_or_request_is_not_made),
        cmocka_unit_test(no_descriptor_leaks_over_requests),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
