/* SPDX-License-Identifier: Apache-2.0
 *
 * The channel between core and the process facts, with this test in the place of both facts and
 * the holder: core is the real one. */
#include "core/base/err.h"
#include "core_main.h"
#include "holder_i.h"
#include "peer.h"
#include "proc_test.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LONG_MS 30000u

static struct wedr_core_args args;
static struct wedr_child *core;
static struct wedr_ipc *channel; /* the holder's end of core's */

static void core_is_ready(const char *dir)
{
    memset(&args, 0, sizeof(args));
    assert_int_equal(wedr_agent_config_parse("", 0, &args.cfg, NULL), WEDR_OK);
    assert_int_equal(wedr_host_info(&args.host), WEDR_OK);
    args.version = "test";
    (void)snprintf(args.spool_dir, sizeof(args.spool_dir), "%s/spool", dir);
    assert_int_equal(mkdir(args.spool_dir, 0700), 0);
    assert_int_equal(wedr_child_start("core", wedr_core_main, &args, &core, &channel), WEDR_OK);
}

/* The next message of that type from core. */
static void wait_for(uint16_t type, struct wedr_peer_msg *m)
{
    uint64_t end = wedr_time_mono_ms() + LONG_MS;
    do {
        struct wedr_wait w = {wedr_ipc_handle(channel), WEDR_WAIT_READ, 0};
        assert_true(wedr_time_mono_ms() < end);
        assert_int_equal(wedr_wait_any(&w, 1, 1000, NULL), WEDR_OK);
        int err = wedr_peer_recv(channel, WEDR_MSG_CORE_TO_HOLDER, m);
        assert_true(err == WEDR_OK || err == WEDR_E_AGAIN);
        m->type = err == WEDR_OK ? m->type : 0;
    } while (m->type != type);
}

static struct wedr_ipc *joined(void)
{
    struct wedr_ipc *ours = NULL, *theirs = NULL;
    struct wedr_msg_empty m;
    assert_int_equal(wedr_ipc_pair(&ours, &theirs), WEDR_OK);
    wedr_handle h = wedr_ipc_handle(theirs);
    wedr_msg_begin(&m, WEDR_MSG_T_CORE_FACTS);
    assert_int_equal(wedr_peer_send_wait(channel, &m, &h, 1), WEDR_OK);
    wedr_ipc_close(theirs);
    return ours;
}

static int end_is_told(void)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_result r;
    wait_for(WEDR_MSG_T_FACTS_GONE, &m);
    memcpy(&r, m.u.bytes, sizeof(r));
    return r.err;
}

/* Facts lives on after either, and answers nobody if nobody makes another channel. */
static void core_tells_when_its_channel_to_facts_ended(void **state)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_empty wrong;
    const char *dir = p_dir();
    (void)state;
    core_is_ready(dir);
    wait_for(WEDR_MSG_T_CORE_READY, &m);
    struct wedr_ipc *facts = joined();
    wedr_msg_begin(&wrong, WEDR_MSG_T_CLI_STATUS);
    assert_int_equal(wedr_peer_send_wait(facts, &wrong, NULL, 0), WEDR_OK);
    assert_int_equal(end_is_told(), WEDR_E_FORMAT);
    wedr_ipc_close(facts);
    wedr_ipc_close(joined());
    assert_int_equal(end_is_told(), WEDR_E_CLOSED);
    wedr_ipc_close(channel);
    wedr_child_free(core);
    p_remove(dir);
}

static void the_holder_makes_another_channel(void **state)
{
    static struct holder h;
    struct wedr_ipc *end = NULL;
    (void)state;
    assert_int_equal(wedr_ipc_pair(&h.core.c, &end), WEDR_OK);
    assert_int_equal(wedr_peer_send_result(end, WEDR_MSG_T_FACTS_GONE, WEDR_E_CLOSED, "it is gone"),
                     WEDR_OK);
    holder_on_core(&h);
    assert_true(h.facts_pair_due);
    assert_false(h.pair_due);
    wedr_ipc_close(h.core.c);
    wedr_ipc_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_tells_when_its_channel_to_facts_ended),
        cmocka_unit_test(the_holder_makes_another_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
