/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that does not give back one file: it costs what was in the file and nothing else. */
#include "support.h"

#include "core/base/err.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define EPOCH 0x1122334455667788ull

static ino_t bad; /* the file that cannot be read; 0: none */

/* In the place of the C library's. */
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    struct stat st;
    if (bad != 0 && fstat(fd, &st) == 0 && st.st_ino == bad) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, p, n, at);
}

static struct t_source src;
static struct t_server srv;
static struct wedr_engine_cfg cfg;
static const char *dir;
static struct wedr_engine *e;

static void cannot_be_read(const char *suffix)
{
    char path[512];
    struct stat st;
    t_find_file(dir, suffix, path);
    assert_int_equal(stat(path, &st), 0);
    bad = st.st_ino;
}

static void open_engine(void)
{
    e = t_open(&cfg);
    t_source_rewind(&src);
    assert_int_equal(engine_source_take(e, &src.base, false), WEDR_OK);
}

static void push(uint64_t first, uint64_t last)
{
    for (uint64_t s = first; s <= last; s++) {
        t_push(&src, 0, s);
    }
}

static void ship(void)
{
    t_rounds(e, 50);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    (void)t_ship(&srv, e, SIZE_MAX);
}

static void a_batch_that_cannot_be_read_is_lost_and_holds_up_no_other(void **state)
{
    (void)state;
    push(1, 30);
    t_rounds(e, 2);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    cannot_be_read("kernel.critical.zst");
    push(31, 40);
    ship();
    ship();
    struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(st->stored, 10);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_CORRUPT], 30);
    assert_int_equal(t_missing(st), 0);
}

static void an_active_file_that_cannot_be_read_does_not_end_the_next_run(void **state)
{
    (void)state;
    push(1, 30);
    t_rounds(e, 2);
    cannot_be_read("kernel.bulk.active"); /* of the stream that has nothing */
    wedr_engine_close(e);
    open_engine();
    push(31, 40);
    ship();
    assert_int_equal(t_stream(&srv, EPOCH, "kernel.critical")->stored, 40);
}

static void losses_that_cannot_be_read_do_not_end_the_next_run(void **state)
{
    (void)state;
    push(1, 30);
    push(32, 40);
    src.counters[0].produced = 40;
    t_rounds(e, 50);
    usleep(300000);
    t_rounds(e, 5);
    cannot_be_read("losses.state");
    wedr_engine_close(e);
    open_engine();
    push(41, 50);
    ship();
    assert_int_equal(t_stream(&srv, EPOCH, "kernel.critical")->stored, 49);
}

static int set_up(void **state)
{
    (void)state;
    bad = 0;
    dir = t_dir(0);
    cfg = t_cfg(dir);
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    open_engine();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    bad = 0;
    t_rmdir(dir);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_cannot_be_read_is_lost_and_holds_up_no_other),
        TEST(an_active_file_that_cannot_be_read_does_not_end_the_next_run),
        TEST(losses_that_cannot_be_read_do_not_end_the_next_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
