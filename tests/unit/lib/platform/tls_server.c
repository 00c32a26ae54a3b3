/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (2u << 20)

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "test server: %s failed\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static char *bio_text(BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    char *text = OPENSSL_strndup(p, (size_t)n);
    BIO_free(bio);
    return text;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx(&c, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    must(e != NULL && X509_add_ext(cert, e, -1) == 1, value);
    X509_EXTENSION_free(e);
}

static void fill_pem(struct test_cert *ret)
{
    unsigned char digest[32];
    unsigned len = 0;
    BIO *cert = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());
    must(PEM_write_bio_X509(cert, ret->cert) == 1 &&
             PEM_write_bio_PKCS8PrivateKey(key, ret->key, NULL, NULL, 0, NULL, NULL) == 1 &&
             X509_digest(ret->cert, EVP_sha256(), digest, &len) == 1,
         "PEM");
    ret->cert_pem = bio_text(cert);
    ret->key_pem = bio_text(key);
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(ret->sha256 + 2 * i, 3, "%02x", digest[i]);
    }
}

void test_cert_make(struct test_cert *ret,
                    const char *cn,
                    const char *san,
                    const struct test_cert *issuer,
                    long valid_s)
{
    static atomic_long serial = 1;
    X509 *c = X509_new();
    ret->key = EVP_EC_gen("P-256");
    ret->cert = c;
    must(c != NULL && ret->key != NULL, "key");
    X509_NAME *name = X509_get_subject_name(c);
    must(X509_set_version(c, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(c), atomic_fetch_add(&serial, 1)) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(c), -3600) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(c), valid_s - 3600) != NULL &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1,
                                        -1, 0) == 1 &&
             X509_set_issuer_name(c, issuer == NULL ? name : X509_get_subject_name(issuer->cert)) ==
                 1 &&
             X509_set_pubkey(c, ret->key) == 1,
         "certificate");
    X509 *by = issuer == NULL ? c : issuer->cert;
    add_extension(c, by, NID_basic_constraints, issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (san != NULL) {
        add_extension(c, by, NID_subject_alt_name, san);
    }
    must(X509_sign(c, issuer == NULL ? ret->key : issuer->key, EVP_sha256()) > 0, "signature");
    fill_pem(ret);
}

void test_cert_free(struct test_cert *c)
{
    X509_free(c->cert);
    EVP_PKEY_free(c->key);
    OPENSSL_free(c->cert_pem);
    OPENSSL_free(c->key_pem);
    memset(c, 0, sizeof(*c));
}

/* Reads one request into buf; false when the client went away or the server stops. */
static bool
read_request(struct tls_server *s, SSL *ssl, char *buf, size_t *ret_head, size_t *ret_len)
{
    size_t len = 0;
    size_t want = 0;
    for (;;) {
        struct pollfd p[2] = {{.fd = SSL_get_fd(ssl), .events = POLLIN},
                              {.fd = s->stop_fds[0], .events = POLLIN}};
        if (SSL_pending(ssl) == 0 && (poll(p, 2, 10000) <= 0 || p[1].revents != 0)) {
            return false;
        }
        int n = SSL_read(ssl, buf + len, (int)(REQUEST_MAX - 1 - len));
        if (n <= 0) {
            return false;
        }
        atomic_fetch_add(&s->app_bytes, (size_t)n);
        len += (size_t)n;
        buf[len] = '\0';
        char *end = strstr(buf, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        *ret_head = (size_t)(end + 4 - buf);
        const char *cl = strcasestr(buf, "content-length:");
        want = *ret_head + (cl != NULL && cl < end ? strtoul(cl + 15, NULL, 10) : 0);
        if (len >= want) {
            *ret_len = want;
            return true;
        }
    }
}

static void send_all(SSL *ssl, const char *p, size_t n)
{
    if (n > 0) {
        (void)SSL_write(ssl, p, (int)n);
    }
}

static void reply(SSL *ssl, int status, const char *headers, const char *body, size_t n)
{
    char head[1024];
    int h = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d Test\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                     status, n, headers);
    send_all(ssl, head, (size_t)h);
    send_all(ssl, body, n);
}

static void reply_who(SSL *ssl)
{
    char cn[128] = "nobody";
    X509 *peer = SSL_get1_peer_certificate(ssl);
    if (peer != NULL) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, cn, sizeof(cn));
        X509_free(peer);
    }
    reply(ssl, 200, "", cn, strlen(cn));
}

static void reply_retry(SSL *ssl, const char *path)
{
    char value[64];
    char header[128];
    if (strncmp(path, "/date/", 6) == 0) {
        time_t at = time(NULL) + strtol(path + 6, NULL, 10);
        struct tm tm;
        (void)strftime(value, sizeof(value), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    } else {
        (void)snprintf(value, sizeof(value), "%.60s", path + 7);
    }
    (void)snprintf(header, sizeof(header), "rEtry-After: %s\r\n", value);
    reply(ssl, 429, header, "later", 5);
}

static void answer(struct tls_server *s, SSL *ssl, const char *buf, size_t head, size_t len)
{
    static const char big[100000];
    char path[512];
    const char *from = strchr(buf, ' ');
    size_t n = from == NULL ? 0 : strcspn(from + 1, " ");
    must(from != NULL && n < sizeof(path), "request line");
    memcpy(path, from + 1, n);
    path[n] = '\0';
    if (strcmp(path, "/echo") == 0) {
        reply(ssl, 200, "", buf + head, len - head);
    } else if (strcmp(path, "/head") == 0) {
        reply(ssl, 200, "", buf, head);
    } else if (strcmp(path, "/who") == 0) {
        reply_who(ssl);
    } else if (strcmp(path, "/redirect") == 0) {
        reply(ssl, 302, "Location: /ok\r\n", "", 0);
    } else if (strcmp(path, "/big") == 0) {
        reply(ssl, 200, "", big, sizeof(big));
    } else if (strncmp(path, "/retry/", 7) == 0 || strncmp(path, "/date/", 6) == 0) {
        reply_retry(ssl, path);
    } else if (strcmp(path, "/slow") == 0) {
        /* Until the client gives up or the test ends. */
        struct pollfd p[2] = {{.fd = SSL_get_fd(ssl), .events = POLLIN},
                              {.fd = s->stop_fds[0], .events = POLLIN}};
        atomic_store(&s->slow_seen, true);
        (void)poll(p, 2, 20000);
    } else {
        reply(ssl, 200, "", "ok", 2);
    }
}

static void serve(struct tls_server *s, int fd)
{
    struct timeval tv = {10, 0};
    char *buf = NULL;
    size_t head = 0;
    size_t len = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    if (s->plain) {
        (void)send(fd, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
        (void)close(fd);
        return;
    }
    SSL *ssl = SSL_new(s->ctx);
    must(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL_new");
    if (SSL_accept(ssl) == 1) {
        atomic_fetch_add(&s->handshakes, 1);
        buf = OPENSSL_malloc(REQUEST_MAX);
        must(buf != NULL, "memory");
        if (read_request(s, ssl, buf, &head, &len)) {
            atomic_fetch_add(&s->requests, 1);
            answer(s, ssl, buf, head, len);
            (void)SSL_shutdown(ssl);
        }
    }
    ERR_clear_error();
    OPENSSL_free(buf);
    SSL_free(ssl);
    (void)close(fd);
}

static void *server_main(void *arg)
{
    struct tls_server *s = arg;
    for (;;) {
        struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
                              {.fd = s->stop_fds[0], .events = POLLIN}};
        (void)poll(p, 2, -1);
        if (p[1].revents != 0) {
            return NULL;
        }
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(s, fd);
        }
    }
}

void tls_server_start(struct tls_server *s, const struct tls_server_cfg *cfg)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    memset(s, 0, sizeof(*s));
    s->plain = cfg->plain;
    s->ctx = SSL_CTX_new(TLS_server_method());
    must(s->ctx != NULL && SSL_CTX_use_certificate(s->ctx, cfg->leaf->cert) == 1 &&
             SSL_CTX_use_PrivateKey(s->ctx, cfg->leaf->key) == 1,
         "server certificate");
    for (size_t i = 0; i < 2 && cfg->chain[i] != NULL; i++) {
        must(SSL_CTX_add1_chain_cert(s->ctx, cfg->chain[i]->cert) == 1, "chain");
    }
    (void)SSL_CTX_set_mode(s->ctx, SSL_MODE_AUTO_RETRY);
    if (cfg->client_ca != NULL) {
        must(X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), cfg->client_ca->cert) == 1,
             "client CA");
        SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0 && bind(s->fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
             listen(s->fd, 16) == 0 && getsockname(s->fd, (struct sockaddr *)&sa, &len) == 0 &&
             pipe2(s->stop_fds, O_CLOEXEC) == 0,
         "listen");
    s->port = ntohs(sa.sin_port);
    must(pthread_create(&s->thread, NULL, server_main, s) == 0, "thread");
}

void tls_server_stop(struct tls_server *s)
{
    must(write(s->stop_fds[1], "", 1) == 1, "stop");
    (void)pthread_join(s->thread, NULL);
    (void)close(s->stop_fds[0]);
    (void)close(s->stop_fds[1]);
    (void)close(s->fd);
    SSL_CTX_free(s->ctx);
}
