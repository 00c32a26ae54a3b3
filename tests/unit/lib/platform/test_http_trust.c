/* SPDX-License-Identifier: Apache-2.0 */
#include "http_probe.h"

#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"

static void a22_a_chain_to_the_given_ca_is_trusted_by_name_and_by_address(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    struct outcome o = ask_with(&s, "localhost", ca.cert_pem, NULL);
    assert_int_equal(o.err, WEDR_OK);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "ok");
    assert_string_equal(o.ca_pem, "");
    o = ask_with(&s, "127.0.0.1", ca.cert_pem, NULL);
    assert_int_equal(o.err, WEDR_OK);
    tls_server_stop(&s);
}

static void
expect_refused(struct tls_server *s, const char *host, const char *ca_pem, const char *sha256)
{
    struct outcome o = ask_with(s, host, ca_pem, sha256);
    assert_int_equal(o.err, WEDR_E_TLS);
    assert_int_equal(o.status, 0);
    assert_int_not_equal(o.error_text[0], '\0');
    assert_string_equal(o.ca_pem, "");
    assert_int_equal(atomic_load(&s->app_bytes), 0);
    assert_int_equal(atomic_load(&s->requests), 0);
    if (sha256 != NULL) { /* by fingerprint also the name is checked before the handshake ends */
        assert_int_equal(atomic_load(&s->handshakes), 0);
    }
}

static void another_ca_of_the_same_name_is_refused_before_a_byte_is_sent(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, &ca);
    expect_refused(&s, "localhost", other_ca.cert_pem, NULL);
    tls_server_stop(&s);
}

static void the_right_fingerprint_is_trusted_and_gives_the_ca(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, &ca);
    struct outcome o = ask_with(&s, "localhost", NULL, ca.sha256);
    assert_int_equal(o.err, WEDR_OK);
    assert_string_equal(o.body, "ok");
    assert_string_equal(o.ca_pem, ca.cert_pem);
    o = ask_with(&s, "127.0.0.1", NULL, ca.sha256);
    assert_int_equal(o.err, WEDR_OK);
    tls_server_stop(&s);
}

static void a_wrong_fingerprint_is_refused_before_a_byte_is_sent(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, &ca);
    expect_refused(&s, "localhost", NULL, other_ca.sha256);
    tls_server_stop(&s);
}

static void the_fingerprint_of_the_leaf_is_not_the_one_of_a_ca(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, &ca);
    expect_refused(&s, "localhost", NULL, server_cert.sha256);
    tls_server_stop(&s);
}

static void a_server_that_does_not_send_its_ca_is_refused_by_fingerprint(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &server_cert, NULL);
    expect_refused(&s, "localhost", NULL, ca.sha256);
    tls_server_stop(&s);
}

/* An attacker knows the public CA certificate: showing it beside a leaf it did not sign must not
 * help. */
static void the_real_ca_beside_a_foreign_leaf_is_refused(void **state)
{
    struct tls_server s;
    struct tls_server_cfg cfg = {.leaf = &foreign_leaf, .chain = {&ca, &other_ca}};
    (void)state;
    tls_server_start(&s, &cfg);
    expect_refused(&s, "localhost", NULL, ca.sha256);
    expect_refused(&s, "localhost", ca.cert_pem, NULL);
    tls_server_stop(&s);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &elsewhere_cert, &ca);
    expect_refused(&s, "localhost", NULL, ca.sha256);
    expect_refused(&s, "127.0.0.1", NULL, ca.sha256);
    expect_refused(&s, "localhost", ca.cert_pem, NULL);
    expect_refused(&s, "127.0.0.1", ca.cert_pem, NULL);
    tls_server_stop(&s);
}

static void an_expired_certificate_is_refused(void **state)
{
    struct tls_server s;
    (void)state;
    start(&s, &old_cert, &ca);
    expect_refused(&s, "localhost", NULL, ca.sha256);
    expect_refused(&s, "localhost", ca.cert_pem, NULL);
    tls_server_stop(&s);
}

static void a_server_without_tls_is_refused(void **state)
{
    struct tls_server s;
    struct tls_server_cfg cfg = {.leaf = &server_cert, .plain = true};
    (void)state;
    tls_server_start(&s, &cfg);
    expect_refused(&s, "localhost", ca.cert_pem, NULL);
    tls_server_stop(&s);
}

static void the_client_certificate_is_presented(void **state)
{
    struct tls_server s;
    struct tls_server_cfg scfg = {.leaf = &server_cert, .chain = {&ca, NULL}, .client_ca = &ca};
    (void)state;
    tls_server_start(&s, &scfg);
    struct wedr_http_cfg cfg = {.base_url = url_of(&s, "localhost"),
                                .ca_sha256 = ca.sha256,
                                .cert_pem = client_cert.cert_pem,
                                .key_pem = client_cert.key_pem};
    struct wedr_http_request rq = get("/who");
    struct outcome o = ask(&cfg, &rq);
    assert_int_equal(o.err, WEDR_OK);
    assert_string_equal(o.body, "agent-7");
    cfg.cert_pem = NULL;
    cfg.key_pem = NULL;
    o = ask(&cfg, &rq);
    /* With TLS 1.3 the refusal comes after the client's part of the handshake: as an alert, or
     * overtaken by a reset. */
    assert_true(o.err == WEDR_E_TLS || o.err == WEDR_E_NET);
    assert_int_equal(atomic_load(&s.requests), 1);
    tls_server_stop(&s);
}

/* The process was forked before the server's thread began; it gets the port when it is already shut
 * in. */
static int ask_from_net(void *arg, struct wedr_ipc *channel)
{
    uint32_t id = geteuid() == 0 ? 54321 : 0;
    struct wedr_sandbox_cfg cfg = {.profile = WEDR_SANDBOX_NET, .uid = id, .gid = id};
    struct wedr_sandbox_report report;
    struct wedr_wait w = {.handle = wedr_ipc_handle(channel), .want = WEDR_WAIT_READ};
    struct tls_server s = {.fd = -1};
    size_t len = 0;
    (void)arg;
    if (wedr_sandbox_enter(&cfg, &report, NULL) != WEDR_OK ||
        wedr_wait_any(&w, 1, 10000, NULL) != WEDR_OK ||
        wedr_ipc_recv(channel, &s.port, sizeof(s.port), &len, NULL, 0, NULL) != WEDR_OK) {
        return 100;
    }
    struct outcome o = ask_with(&s, "localhost", NULL, ca.sha256);
    if (o.err != WEDR_OK) {
        print_message("%s\n", o.error_text);
    }
    return -o.err;
}

static void the_client_works_inside_the_net_sandbox(void **state)
{
    struct tls_server s;
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    int code = -1;
    (void)state;
    assert_int_equal(wedr_child_start("net", ask_from_net, NULL, &c, &channel), 0);
    start(&s, &server_cert, &ca);
    assert_int_equal(wedr_ipc_send(channel, &s.port, sizeof(s.port), NULL, 0), 0);
    assert_int_equal(wedr_child_wait(c, 20000, &code), 0);
    assert_int_equal(code, 0);
    assert_int_equal(atomic_load(&s.requests), 1);
    wedr_child_free(c);
    wedr_ipc_close(channel);
    tls_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a22_a_chain_to_the_given_ca_is_trusted_by_name_and_by_address),
        cmocka_unit_test(another_ca_of_the_same_name_is_refused_before_a_byte_is_sent),
        cmocka_unit_test(the_right_fingerprint_is_trusted_and_gives_the_ca),
        cmocka_unit_test(a_wrong_fingerprint_is_refused_before_a_byte_is_sent),
        cmocka_unit_test(the_fingerprint_of_the_leaf_is_not_the_one_of_a_ca),
        cmocka_unit_test(a_server_that_does_not_send_its_ca_is_refused_by_fingerprint),
        cmocka_unit_test(the_real_ca_beside_a_foreign_leaf_is_refused),
        cmocka_unit_test(a_certificate_for_another_host_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(a_server_without_tls_is_refused),
        cmocka_unit_test(the_client_certificate_is_presented),
        cmocka_unit_test(the_client_works_inside_the_net_sandbox),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
