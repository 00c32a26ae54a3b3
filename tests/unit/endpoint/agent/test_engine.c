/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"
#include "support.h"

#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void make_capture(const char *path, uint64_t events, uint64_t seed)
{
    wedr_handle h;
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_fs_open(path, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &h), WEDR_OK);
    assert_int_equal(wedr_gen(h, events, seed, &ei), WEDR_OK);
    wedr_fs_close(h);
}

static int take_replay(struct wedr_engine *e, const char *path, uint64_t epoch, uint64_t rate)
{
    struct wedr_engine_replay r = {.rate = rate, .epoch = epoch};
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_fs_open(path, WEDR_FS_READ, 0, &r.file), WEDR_OK);
    return wedr_engine_source_replay_take(e, &r, &ei);
}

static void run_to_end(struct wedr_engine *e, struct t_server *s)
{
    for (unsigned i = 0; i < 20000 && !wedr_engine_finished(e); i++) {
        bool busy;
        uint32_t wait;
        assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
        (void)t_ship(s, e, 100);
    }
    assert_true(wedr_engine_finished(e));
}

static uint64_t stored_of(struct t_server *s, const char *name)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += strcmp(s->streams[i].name, name) == 0 ? s->streams[i].stored : 0;
    }
    return n;
}

static void assert_ledger_is_closed(struct t_server *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct t_stream *st = &s->streams[i];
        if (t_missing(st) != 0 || st->twice != 0) {
            fail_msg("%s: missing %lld, twice %llu", st->name, (long long)t_missing(st), (unsigned long long)st->twice);
        }
    }
}

static void replay_reaches_the_server_whole_and_ends_by_itself(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    const char *files = t_dir(1);
    char path[128];
    struct t_server srv;
    (void)snprintf(path, sizeof(path), "%s/cap", files);
    make_capture(path, 20000, 5);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct wedr_engine *e = t_open(&cfg);
    t_server_init(&srv);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 20000);
    assert_ledger_is_closed(&srv);
    for (size_t i = 0; i < srv.count; i++) {
        assert_int_equal(srv.streams[i].starts, 1);
        assert_int_equal(srv.streams[i].ends, 1);
    }
    assert_int_equal(srv.agent_starts, 1);
    uint64_t lines = srv.lines;
    wedr_engine_close(e);
    /* Once more: nothing to send, not even an agent epoch. */
    e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(srv.lines, lines);
    wedr_engine_close(e);
    /* Under a new epoch everything comes again. */
    e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 77, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 40000);
    assert_ledger_is_closed(&srv);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_rmdir(files);
    t_rmdir(dir);
}

static void replay_stopped_anywhere_goes_on_in_the_same_epoch(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    const char *files = t_dir(1);
    char path[128];
    struct t_server srv;
    (void)snprintf(path, sizeof(path), "%s/cap", files);
    make_capture(path, 30000, 6);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    bool done = false;
    for (int run = 0; run < 40 && !done; run++) {
        struct wedr_engine *e = t_open(&cfg);
        assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
        for (int i = 0; i < 1 + run % 3 && !wedr_engine_finished(e); i++) {
            bool busy;
            uint32_t wait;
            assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
            (void)t_ship(&srv, e, (size_t)run % 4);
        }
        done = wedr_engine_finished(e);
        if (run % 2 == 0) {
            wedr_engine_close(e);
        } else {
            /* killed: nothing is sealed on the way out */
            wedr_spool_close(e->spool);
            e->spool = NULL;
            wedr_engine_close(e);
        }
    }
    struct wedr_engine *e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 30000);
    for (size_t i = 0; i < srv.count; i++) {
        assert_int_equal(srv.streams[i].twice, 0);
        if (strcmp(srv.streams[i].name, "agent") != 0) {
            assert_int_equal(t_missing(&srv.streams[i]), 0);
        }
    }
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_rmdir(files);
    t_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_reaches_the_server_whole_and_ends_by_itself),
        cmocka_unit_test(replay_stopped_anywhere_goes_on_in_the_same_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
