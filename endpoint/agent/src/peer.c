/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <string.h>

#define SEND_WAIT_MS 5000u

static struct {
    struct wedr_ipc *c;
    uint16_t type;
    uint64_t lost;
} log_peer;

void wedr_peer_close_handles(struct wedr_peer_msg *m)
{
    for (size_t i = 0; i < m->handle_count; i++) {
        wedr_fs_close(m->handles[i]);
    }
    m->handle_count = 0;
}

int wedr_peer_recv(struct wedr_ipc *c, enum wedr_msg_direction direction, struct wedr_peer_msg *ret)
{
    size_t len = 0;
    ret->handle_count = 0;
    int err = wedr_ipc_recv(c, ret->u.bytes, sizeof(ret->u.bytes), &len, ret->handles,
                            WEDR_ARRAY_COUNT(ret->handles), &ret->handle_count);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_msg_check(direction, ret->u.bytes, len, ret->handle_count, &ret->type);
    if (err != WEDR_OK) {
        wedr_peer_close_handles(ret);
    }
    return err;
}

int wedr_peer_send(struct wedr_ipc *c, const void *m, const wedr_handle *handles, size_t count)
{
    struct wedr_msg_header h;
    memcpy(&h, m, sizeof(h));
    return wedr_ipc_send(c, m, h.size, handles, count);
}

int wedr_peer_send_wait(struct wedr_ipc *c, const void *m, const wedr_handle *handles, size_t count)
{
    uint64_t end = wedr_time_mono_ms() + SEND_WAIT_MS;
    for (;;) {
        int err = wedr_peer_send(c, m, handles, count);
        uint64_t now = wedr_time_mono_ms();
        if (err != WEDR_E_AGAIN) {
            return err;
        }
        if (now >= end) {
            return WEDR_E_TIMEOUT;
        }
        size_t ready = 0;
        struct wedr_wait w = {wedr_ipc_handle(c), WEDR_WAIT_WRITE, 0};
        err = wedr_wait_any(&w, 1, 100, &ready);
        if (err != WEDR_OK) {
            return err;
        }
        if (ready > 0) {
            wedr_time_sleep_ms(1);
        }
    }
}

int wedr_peer_send_text(struct wedr_ipc *c, uint16_t type, const char *text)
{
    struct wedr_msg_text m;
    wedr_msg_begin(&m, type);
    wedr_msg_put_text(m.text, sizeof(m.text), text);
    return wedr_peer_send_wait(c, &m, NULL, 0);
}

int wedr_peer_send_result(struct wedr_ipc *c, uint16_t type, int err, const char *text)
{
    struct wedr_msg_result m;
    wedr_msg_begin(&m, type);
    m.err = err;
    wedr_msg_put_text(m.text, sizeof(m.text), text);
    return wedr_peer_send_wait(c, &m, NULL, 0);
}

static void log_sink(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    static struct wedr_msg_log m;
    wedr_msg_begin(&m, log_peer.type);
    m.level = (uint8_t)level;
    m.len = (uint16_t)(len < sizeof(m.line) ? len : sizeof(m.line));
    memcpy(m.line, line, m.len);
    if (wedr_peer_send(log_peer.c, &m, NULL, 0) != WEDR_OK) {
        log_peer.lost++;
    }
}

int wedr_log_level_of(const char *name)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return WEDR_LOG_INFO;
}

void wedr_peer_log_to(struct wedr_ipc *c, uint16_t type, const char *name, const char *level)
{
    log_peer.c = c;
    log_peer.type = type;
    log_peer.lost = 0;
    wedr_log_init(name, (enum wedr_log_level)wedr_log_level_of(level), log_sink, NULL);
}
