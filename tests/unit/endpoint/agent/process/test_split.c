/* SPDX-License-Identifier: Apache-2.0
 * What a compromised core and a compromised net cannot do: hostile code runs behind the very calls
 * with which the real processes give up their rights. */
#include "core/base/err.h"
#include "core_main.h"
#include "net_main.h"
#include "peer.h"
#include "proc_test.h"
#include "wedr/plat/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY_PATTERN 0x5a

/* What the planted code managed to do; each is a bit of the answer. */
enum deed {
    DID_SOCKET_INET = 1 << 0,
    DID_SOCKET_UNIX = 1 << 1,
    DID_READ_KEY = 1 << 3,
    DID_BPF = 1 << 4,
    DID_SIGNAL = 1 << 5,
    DID_PTRACE = 1 << 6,
    DID_READ_ETC = 1 << 7,
    DID_WRITE_OUTSIDE = 1 << 8,
    DID_SEE_SIGN_KEY = 1 << 9,
    DID_SETUID = 1 << 10,
    DID_LISTEN = 1 << 11,
    DID_READ_SPOOL = 1 << 12,
    DID_OWN_WORK = 1 << 30 /* what it is there for still works */
};

struct plan {
    bool core;
    struct wedr_core_args core_args;
    struct wedr_net_args net_args;
    struct wedr_identity identity;
    char key_path[512], spool_file[512], outside[512];
};

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static int try_sockets(void)
{
    int did = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0) {
        struct sockaddr_in a = {.sin_family = AF_INET};
        did |= DID_SOCKET_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0) {
            did |= DID_LISTEN;
        }
        (void)close(fd);
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (fd >= 0) {
        did |= DID_SOCKET_UNIX;
        (void)close(fd);
    }
    return did;
}

static int try_kernel(void)
{
    union bpf_attr attr;
    int did = 0;
    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 4;
    attr.max_entries = 1;
    if (syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0) {
        did |= DID_BPF;
    }
    if (kill(getppid(), 0) == 0) {
        did |= DID_SIGNAL;
    }
    if (ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0) {
        did |= DID_PTRACE;
    }
    if (setuid(0) == 0 && geteuid() == 0) {
        did |= DID_SETUID;
    }
    return did;
}

static int try_files(const struct plan *p)
{
    int did = 0;
    did |= opens(p->key_path, O_RDONLY) ? DID_READ_KEY : 0;
    did |= opens("/etc/shadow", O_RDONLY) ? DID_READ_ETC : 0;
    did |= opens(p->outside, O_WRONLY | O_CREAT) ? DID_WRITE_OUTSIDE : 0;
    did |= opens(p->spool_file, O_RDONLY) ? DID_READ_SPOOL : 0;
    return did;
}

static bool sees_key(const struct wedr_identity *id)
{
    for (size_t i = 0; i < sizeof(id->sign_secret); i++) {
        if (id->sign_secret[i] == KEY_PATTERN) {
            return true;
        }
    }
    return false;
}

/* Returns only when it fails; had it worked, the answer would never come and the test would fail.
 */
static void try_exec(void)
{
    char *argv[] = {(char *)(uintptr_t) "/bin/true", NULL};
    char *envp[] = {NULL};
    (void)execve(argv[0], argv, envp);
}

static int hostile(void *arg, struct wedr_ipc *channel)
{
    struct plan *p = (struct plan *)arg;
    struct wedr_errinfo ei = {""};
    char missing[64] = "", text[64];
    int did = 0;
    int err = p->core ? wedr_core_confine(&p->core_args, missing, &ei)
                      : wedr_net_confine(&p->net_args, missing, &ei);
    if (err != WEDR_OK) {
        (void)!wedr_peer_send_result(channel, WEDR_MSG_T_CHECKED, err, ei.text);
        return 1;
    }
    did |= try_sockets() | try_kernel() | try_files(p);
    did |= sees_key(&p->identity) ? DID_SEE_SIGN_KEY : 0;
    if (p->core) {
        did |= opens("own.active", O_WRONLY | O_CREAT) ? DID_OWN_WORK : 0;
    } else {
        did |= (did & DID_SOCKET_INET) ? DID_OWN_WORK : 0;
    }
    try_exec();
    (void)snprintf(text, sizeof(text), "%d", did);
    return wedr_peer_send_result(channel, WEDR_MSG_T_CHECKED, WEDR_OK, text) == WEDR_OK ? 0 : 1;
}

static int run_hostile(struct plan *p)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_result r;
    struct wedr_child *child = NULL;
    struct wedr_ipc *channel = NULL;
    assert_int_equal(wedr_child_start("hostile", hostile, p, &child, &channel), WEDR_OK);
    struct wedr_wait w = {wedr_ipc_handle(channel), WEDR_WAIT_READ, 0};
    assert_int_equal(wedr_wait_any(&w, 1, 10000, NULL), WEDR_OK);
    assert_int_equal(wedr_peer_recv(channel, WEDR_MSG_HELPER_TO_PARENT, &m), WEDR_OK);
    memcpy(&r, m.u.bytes, sizeof(r));
    if (r.err != WEDR_OK) {
        print_message("confine: %s\n", r.text);
    }
    assert_int_equal(r.err, WEDR_OK);
    wedr_ipc_close(channel);
    wedr_child_free(child);
    return (int)strtol(r.text, NULL, 10);
}

static void prepare(struct plan *p, const char *dir, bool core)
{
    char spool[512];
    memset(p, 0, sizeof(*p));
    p->core = core;
    memset(p->identity.sign_secret, KEY_PATTERN, sizeof(p->identity.sign_secret));
    assert_int_equal(wedr_agent_config_parse("", 0, &p->core_args.cfg, NULL), WEDR_OK);
    p->net_args.cfg = p->core_args.cfg;
    p->core_args.change_user = p->net_args.change_user = true;
    p->core_args.identity = p->net_args.identity = &p->identity;
    (void)snprintf(p->core_args.spool_dir, sizeof(p->core_args.spool_dir), "%s/spool", dir);
    (void)snprintf(spool, sizeof(spool), "%s/spool", dir);
    assert_int_equal(mkdir(spool, 0700), 0);
    assert_int_equal(
        chown(spool, (uid_t)p->core_args.cfg.core_uid, (gid_t)p->core_args.cfg.core_uid), 0);
    p_write(dir, "tls.key", "secret", 6, 0600);
    p_write(dir, "spool/batch", "events", 6, 0600);
    (void)snprintf(p->key_path, sizeof(p->key_path), "%s/tls.key", dir);
    (void)snprintf(p->spool_file, sizeof(p->spool_file), "%s/spool/batch", dir);
    (void)snprintf(p->outside, sizeof(p->outside), "/tmp/wedr-split-%ld", (long)getpid());
}

static void compromised_core_reaches_neither_network_nor_keys_nor_kernel(void **state)
{
    static struct plan p;
    const char *dir = p_dir();
    (void)state;
    prepare(&p, dir, true);
    int did = run_hostile(&p);
    assert_int_equal(did & ~(DID_OWN_WORK | DID_READ_SPOOL), 0);
    assert_true((did & DID_OWN_WORK) != 0);
    p_remove(dir);
}

static void compromised_net_reaches_neither_files_nor_keys_nor_kernel(void **state)
{
    static struct plan p;
    const char *dir = p_dir();
    (void)state;
    prepare(&p, dir, false);
    int did = run_hostile(&p);
    assert_int_equal(did & ~(DID_OWN_WORK | DID_SOCKET_INET | DID_SOCKET_UNIX), 0);
    assert_true((did & DID_OWN_WORK) != 0);
    p_remove(dir);
}

static void the_planted_code_can_do_all_of_it_without_the_walls(void **state)
{
    static struct plan p;
    const char *dir = p_dir();
    (void)state;
    prepare(&p, dir, true);
    /* Otherwise the two tests above would prove nothing. */
    int did = try_sockets() | try_files(&p);
    did |= sees_key(&p.identity) ? DID_SEE_SIGN_KEY : 0;
    did |= kill(getppid(), 0) == 0 ? DID_SIGNAL : 0;
    const int all = DID_SOCKET_INET | DID_LISTEN | DID_SOCKET_UNIX | DID_READ_KEY | DID_READ_ETC |
                    DID_WRITE_OUTSIDE | DID_READ_SPOOL | DID_SEE_SIGN_KEY | DID_SIGNAL;
    assert_int_equal(did, all);
    (void)unlink(p.outside);
    p_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_planted_code_can_do_all_of_it_without_the_walls),
        cmocka_unit_test(compromised_core_reaches_neither_network_nor_keys_nor_kernel),
        cmocka_unit_test(compromised_net_reaches_neither_files_nor_keys_nor_kernel),
    };
    if (geteuid() != 0) {
        (void)printf("needs root: the processes change their user\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
