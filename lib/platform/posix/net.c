/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/net.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

union any_addr {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_port(const char *s, uint16_t *ret_port)
{
    unsigned v = 0;
    size_t n = strlen(s);
    if (n == 0 || n > 5) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return WEDR_E_FORMAT;
        }
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    if (v > 65535) {
        return WEDR_E_FORMAT;
    }
    *ret_port = (uint16_t)v;
    return WEDR_OK;
}

static int parse_addr(const char *text, union any_addr *ret, socklen_t *ret_len)
{
    char host[WEDR_NET_ADDR_TEXT];
    const char *colon = strrchr(text, ':');
    uint16_t port = 0;
    if (!colon || parse_port(colon + 1, &port) != WEDR_OK) {
        return WEDR_E_FORMAT;
    }
    size_t len = (size_t)(colon - text);
    if (len >= sizeof(host)) {
        return WEDR_E_FORMAT;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    memset(ret, 0, sizeof(*ret));
    if (len == 0 || (len > 2 && host[0] == '[' && host[len - 1] == ']')) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(port);
        ret->v6.sin6_addr = in6addr_any;
        *ret_len = sizeof(ret->v6);
        if (len == 0) {
            return WEDR_OK;
        }
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &ret->v6.sin6_addr) == 1 ? WEDR_OK : WEDR_E_FORMAT;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons(port);
    *ret_len = sizeof(ret->v4);
    return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 ? WEDR_OK : WEDR_E_FORMAT;
}

int wedr_net_listen(const char *addr_port,
                    int backlog,
                    wedr_handle *ret_listener,
                    struct wedr_errinfo *ei)
{
    union any_addr a;
    socklen_t len = 0;
    int on = 1, off = 0;
    if (parse_addr(addr_port, &a, &len) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%.80s is not ADDRESS:PORT", addr_port);
    }
    int fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && addr_port[0] == ':') {
        /* A host without IPv6: every address means every IPv4 address. */
        in_port_t port = a.v6.sin6_port;
        memset(&a, 0, sizeof(a));
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = port;
        len = sizeof(a.v4);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (fd < 0) {
        return wedr_fail(ei, wedr_err_from_os(errno), "cannot make a socket: errno %d", errno);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a.sa.sa_family == AF_INET6 && addr_port[0] == ':') {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, &a.sa, len) != 0 || listen(fd, backlog) != 0) {
        int e = errno;
        close(fd);
        return wedr_fail(ei, e == EADDRINUSE ? WEDR_E_BUSY : wedr_err_from_os(e),
                         "cannot listen on %.80s: %s", addr_port,
                         e == EADDRINUSE      ? "the port is in use"
                         : e == EADDRNOTAVAIL ? "this host has no such address"
                         : e == EACCES        ? "permission denied"
                                              : "the system refused it");
    }
    *ret_listener = fd;
    return WEDR_OK;
}

static void addr_text(const union any_addr *a, char *ret, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->sa.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
        (void)snprintf(ret, cap, "[%s]:%u", host, (unsigned)ntohs(a->v6.sin6_port));
        return;
    }
    (void)inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host));
    (void)snprintf(ret, cap, "%s:%u", host, (unsigned)ntohs(a->v4.sin_port));
}

int wedr_net_local(wedr_handle listener, char *ret_text, size_t cap)
{
    union any_addr a;
    socklen_t len = sizeof(a);
    memset(&a, 0, sizeof(a));
    if (getsockname((int)listener, &a.sa, &len) != 0) {
        return wedr_err_from_os(errno);
    }
    addr_text(&a, ret_text, cap);
    return WEDR_OK;
}

void wedr_net_shutdown(wedr_handle socket_handle)
{
    (void)shutdown((int)socket_handle, SHUT_RDWR);
}

int wedr_net_recv(wedr_handle socket_handle, void *ret, size_t n, size_t *ret_len)
{
    ssize_t got;
    do {
        got = recv((int)socket_handle, ret, n, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? WEDR_E_AGAIN : WEDR_E_NET;
    }
    *ret_len = (size_t)got;
    return WEDR_OK;
}

struct wedr_net_watch {
    int epoll;
};

int wedr_net_watch_new(struct wedr_net_watch **ret)
{
    struct wedr_net_watch *w = wedr_alloc(1, sizeof(*w));
    if (!w) {
        return WEDR_E_NOMEM;
    }
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0) {
        wedr_free(w);
        return WEDR_E_NOMEM;
    }
    *ret = w;
    return WEDR_OK;
}

void wedr_net_watch_free(struct wedr_net_watch *w)
{
    if (w) {
        (void)close(w->epoll);
        wedr_free(w);
    }
}

int wedr_net_watch_once(struct wedr_net_watch *w, wedr_handle s, void *arg)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data = {.ptr = arg}};
    int rc = epoll_ctl(w->epoll, EPOLL_CTL_MOD, (int)s, &e);
    if (rc != 0 && errno == ENOENT) {
        rc = epoll_ctl(w->epoll, EPOLL_CTL_ADD, (int)s, &e);
    }
    return rc == 0 ? WEDR_OK : WEDR_E_NOMEM;
}

size_t wedr_net_watch_wait(struct wedr_net_watch *w, void **ret, size_t max, uint32_t timeout_ms)
{
    struct epoll_event ready[64];
    size_t room = max < WEDR_ARRAY_COUNT(ready) ? max : WEDR_ARRAY_COUNT(ready);
    int n = epoll_wait(w->epoll, ready, (int)room, (int)timeout_ms);
    for (int i = 0; i < n; i++) {
        ret[i] = ready[i].data.ptr;
    }
    return n > 0 ? (size_t)n : 0;
}

static int each_address(int (*fn)(void *arg, const char *name), void *arg)
{
    struct ifaddrs *list = NULL;
    char text[INET6_ADDRSTRLEN];
    int err = 0;
    if (getifaddrs(&list) != 0) {
        return wedr_err_from_os(errno);
    }
    for (const struct ifaddrs *i = list; i && err == 0; i = i->ifa_next) {
        union any_addr a;
        if (!i->ifa_addr || !(i->ifa_flags & IFF_UP)) {
            continue;
        }
        memset(&a, 0, sizeof(a));
        if (i->ifa_addr->sa_family == AF_INET) {
            memcpy(&a.v4, i->ifa_addr, sizeof(a.v4));
            (void)inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof(text));
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            memcpy(&a.v6, i->ifa_addr, sizeof(a.v6));
            if (IN6_IS_ADDR_LINKLOCAL(&a.v6.sin6_addr)) {
                continue;
            }
            (void)inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof(text));
        } else {
            continue;
        }
        err = fn(arg, text);
    }
    freeifaddrs(list);
    return err;
}

int wedr_net_names(int (*fn)(void *arg, const char *name), void *arg)
{
    char host[256] = "";
    int err = fn(arg, "localhost");
    if (err == 0 && gethostname(host, sizeof(host) - 1) == 0 && host[0]) {
        err = fn(arg, host);
        char *dot = strchr(host, '.');
        if (err == 0 && dot && dot != host) {
            *dot = '\0';
            err = fn(arg, host);
        }
    }
    if (err == 0) {
        err = fn(arg, "127.0.0.1");
    }
    if (err == 0) {
        err = fn(arg, "::1");
    }
    return err == 0 ? each_address(fn, arg) : err;
}

void wedr_net_peer(const void *sockaddr, uint8_t ret_key[16], char *ret_text, size_t cap)
{
    union any_addr a;
    char host[INET6_ADDRSTRLEN] = "?";
    memset(ret_key, 0, 16);
    memset(&a, 0, sizeof(a));
    if (sockaddr) {
        memcpy(&a.sa, sockaddr, sizeof(a.sa));
    }
    if (sockaddr && a.sa.sa_family == AF_INET) {
        memcpy(&a.v4, sockaddr, sizeof(a.v4));
        ret_key[10] = ret_key[11] = 0xff;
        memcpy(ret_key + 12, &a.v4.sin_addr, 4);
        (void)inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
    } else if (sockaddr && a.sa.sa_family == AF_INET6) {
        memcpy(&a.v6, sockaddr, sizeof(a.v6));
        bool mapped = IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr);
        memcpy(ret_key, &a.v6.sin6_addr, mapped ? 16 : 8);
        (void)inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
    }
    (void)snprintf(ret_text, cap, "%s", host);
}
