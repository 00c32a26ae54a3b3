/* SPDX-License-Identifier: Apache-2.0
 *
 * systemd's protocols are a datagram each: spoken here directly, because libsystemd would bring
 * four more libraries into every process of the agent. */
#include "wedr/plat/svc.h"

#include "core/base/attr.h"
#include "svc_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define STATUS_MAX 256

/* A path, or a name without file when it begins with '@'. Length of the address, 0 when it does not
 * fit. */
static socklen_t address_of(const char *path, struct sockaddr_un *ret)
{
    size_t n = strlen(path);
    if (n < 2 || n >= sizeof(ret->sun_path) || (path[0] != '/' && path[0] != '@')) {
        return 0;
    }
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    memcpy(ret->sun_path, path, n);
    if (path[0] == '@') {
        ret->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/' ? 1 : 0));
}

static void notify(const char *text)
{
    struct sockaddr_un sa;
    const char *path = getenv("NOTIFY_SOCKET");
    socklen_t len = path == NULL ? 0 : address_of(path, &sa);
    if (len == 0) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&sa, len);
        (void)close(fd);
    }
}

/* A line break would begin another assignment of the protocol. */
static void notify_status(const char *first, const char *status)
{
    char text[STATUS_MAX + 32];
    int n = snprintf(text, sizeof(text), "%sSTATUS=%.*s", first, STATUS_MAX,
                     status == NULL ? "" : status);
    for (int i = (int)strlen(first); i < n && (size_t)i < sizeof(text); i++) {
        if (text[i] == '\n') {
            text[i] = ' ';
        }
    }
    notify(text);
}

void wedr_svc_ready(const char *status)
{
    notify_status("READY=1\n", status);
}

void wedr_svc_status(const char *status)
{
    notify_status("", status);
}

void wedr_svc_stopping(void)
{
    notify("STOPPING=1");
}

uint32_t wedr_svc_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (usec == NULL || (pid != NULL && strtoul(pid, NULL, 10) != (unsigned long)getpid())) {
        return 0;
    }
    unsigned long long ms = strtoull(usec, NULL, 10) / 1000u;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void wedr_svc_watchdog_ping(void)
{
    notify("WATCHDOG=1");
}

/* One socket per process. A forked child has had its parent's closed: the number may be another
 * file by now. */
static int journal_socket(void)
{
    static int fd = -1;
    static pid_t owner;
    if (owner != getpid()) {
        owner = getpid();
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    return fd;
}

void wedr_svc_journal(const char *path, int level, const char *line, size_t len)
{
    static const char priorities[] = {'3', '4', '6', '7'};
    char head[] = "SYSLOG_IDENTIFIER=wazabiedr\nPRIORITY=6\nMESSAGE=";
    struct sockaddr_un sa;
    socklen_t sa_len = address_of(path, &sa);
    int fd = sa_len == 0 ? -1 : journal_socket();
    if (fd < 0 || memchr(line, '\n', len) != NULL) {
        return;
    }
    if (level >= 0 && (size_t)level < sizeof(priorities)) {
        *(strstr(head, "PRIORITY=") + strlen("PRIORITY=")) = priorities[level];
    }
    struct iovec iov[] = {
        {head, sizeof(head) - 1}, {(void *)(uintptr_t)line, len}, {(void *)(uintptr_t) "\n", 1}};
    struct msghdr mh = {.msg_name = &sa,
                        .msg_namelen = sa_len,
                        .msg_iov = iov,
                        .msg_iovlen = WEDR_ARRAY_COUNT(iov)};
    (void)sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void wedr_svc_log(int level, const char *line, size_t len)
{
    /* systemd sets one of the two for what it starts. */
    if (getenv("INVOCATION_ID") != NULL || getenv("NOTIFY_SOCKET") != NULL) {
        wedr_svc_journal(JOURNAL_SOCKET, level, line, len);
    }
}
