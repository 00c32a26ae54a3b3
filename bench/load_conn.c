/* SPDX-License-Identifier: Apache-2.0 */
#include "load_conn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD 16384u

SSL_CTX *load_tls(const char *ca_pem)
{
    SSL_CTX *t = SSL_CTX_new(TLS_client_method());
    BIO *bio = BIO_new_mem_buf(ca_pem, -1);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!t || !ca || X509_STORE_add_cert(SSL_CTX_get_cert_store(t), ca) != 1) {
        bench_die("tls", "cannot use the CA");
    }
    SSL_CTX_set_verify(t, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(t, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    X509_free(ca);
    BIO_free(bio);
    return t;
}

static void use_identity(SSL *ssl, const struct load_agent *a)
{
    BIO *cert_bio = BIO_new_mem_buf(a->cert_pem, -1), *key_bio = BIO_new_mem_buf(a->key_pem, -1);
    X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    if (!cert || !key || SSL_use_certificate(ssl, cert) != 1 || SSL_use_PrivateKey(ssl, key) != 1) {
        bench_die("tls", "cannot use an agent's certificate");
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
}

void load_conn_open(struct load_conn *c, SSL_CTX *tls, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Blocks until the listener's queue takes it; the handshake does not. */
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) {
        bench_die("connect", strerror(errno));
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->ssl = SSL_new(tls);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) {
        bench_die("tls", "out of memory");
    }
    use_identity(c->ssl, c->agent);
    SSL_set_connect_state(c->ssl);
    c->state = LOAD_CONNECTING;
}

void load_conn_close(struct load_conn *c)
{
    SSL_free(c->ssl);
    (void)close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
    c->state = LOAD_CLOSED;
}

void load_conn_send(struct load_conn *c,
                    const char *head,
                    size_t head_len,
                    const struct load_body *b)
{
    c->head = head;
    c->head_len = head_len;
    c->body = b;
    c->sent = c->in_len = 0;
    c->status = 0;
    c->state = LOAD_SENDING;
}

/* True: try again later. */
static bool would_wait(struct load_conn *c, int rc)
{
    int why = SSL_get_error(c->ssl, rc);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Head and body share a record when they fit into one. 1: all sent, 0: later, -1: lost. */
static int write_some(struct load_conn *c)
{
    static char record[RECORD];
    size_t all = c->head_len + c->body->z_len;
    while (c->sent < all) {
        const char *p = c->head + c->sent;
        size_t n = c->head_len - c->sent;
        if (c->sent >= c->head_len) {
            p = (const char *)c->body->z + (c->sent - c->head_len);
            n = all - c->sent;
        } else {
            size_t more = RECORD - n < c->body->z_len ? RECORD - n : c->body->z_len;
            memcpy(record, p, n);
            memcpy(record + n, c->body->z, more);
            p = record;
            n += more;
        }
        int rc = SSL_write(c->ssl, p, (int)(n < RECORD ? n : RECORD));
        if (rc <= 0) {
            return would_wait(c, rc) ? 0 : -1;
        }
        c->sent += (size_t)rc;
    }
    return 1;
}

/* Value of a header of the answer, 0 when it is not there. */
static unsigned header_number(const char *in, const char *name)
{
    const char *at = strstr(in, name);
    return at ? (unsigned)strtoul(at + strlen(name), NULL, 10) : 0;
}

/* 1: a whole answer, 0: later, -1: lost. */
static int read_some(struct load_conn *c)
{
    for (;;) {
        size_t room = sizeof(c->in) - 1 - c->in_len;
        int rc = room ? SSL_read(c->ssl, c->in + c->in_len, (int)room) : -1;
        if (rc <= 0) {
            return room && would_wait(c, rc) ? 0 : -1;
        }
        c->in_len += (size_t)rc;
        c->in[c->in_len] = '\0';
        const char *end = strstr(c->in, "\r\n\r\n");
        if (end &&
            c->in_len >= (size_t)(end + 4 - c->in) + header_number(c->in, "Content-Length: ")) {
            c->status = c->in_len > 12 ? (int)strtol(c->in + 9, NULL, 10) : 0;
            c->retry_after_s = header_number(c->in, "Retry-After: ");
            return 1;
        }
    }
}

bool load_conn_step(struct load_conn *c)
{
    int rc = 0;
    if (c->state == LOAD_CONNECTING) {
        rc = SSL_do_handshake(c->ssl);
        if (rc == 1) {
            c->state = LOAD_IDLE;
            return true;
        }
        rc = would_wait(c, rc) ? 0 : -1;
    } else if (c->state == LOAD_SENDING) {
        rc = write_some(c);
        c->state = rc == 1 ? LOAD_WAITING : c->state;
        rc = rc == 1 ? 0 : rc;
    }
    /* A refusal may come while the body is still being sent. */
    if (rc == 0 && (c->state == LOAD_SENDING || c->state == LOAD_WAITING)) {
        rc = read_some(c);
    }
    if (rc < 0) {
        load_conn_close(c);
        return true;
    }
    if (rc == 1) {
        bool closes = strstr(c->in, "Connection: close") || c->state == LOAD_SENDING;
        c->state = LOAD_IDLE;
        if (closes) {
            load_conn_close(c);
        }
    }
    return rc == 1;
}
