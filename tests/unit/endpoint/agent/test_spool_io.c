/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that does not give back one file: it costs what was in the file and nothing else. A disk
 * that is full: what is in the spool goes to the server all the same. */
#include "support.h"

#include "core/base/err.h"
#include <dirent.h>
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

static const char *dir;
static size_t disk; /* bytes that the files of dir may have; 0: any */

static size_t used(void)
{
    size_t sum = 0;
    DIR *d = opendir(dir);
    struct stat st;
    for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
        sum += fstatat(dirfd(d), f->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size
                                                                                : 0;
    }
    if (d) {
        closedir(d);
    }
    return sum;
}

ssize_t write(int fd, const void *p, size_t n)
{
    size_t sum = disk == 0 ? 0 : used();
    if (disk != 0 && sum + n > disk) {
        n = disk > sum ? disk - sum : 0;
        if (n == 0) {
            errno = ENOSPC;
            return -1;
        }
    }
    return syscall(SYS_write, fd, p, n);
}

static struct t_source src;
static struct t_server srv;
static struct wedr_engine_cfg cfg;
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

/* Rounds until one finds the disk full. */
static void fill_disk(uint64_t *seq)
{
    bool busy = false;
    uint32_t wait = 0;
    int err = WEDR_OK;
    for (int i = 0; err == WEDR_OK && i < 1000; i++, *seq += 20) {
        push(*seq, *seq + 19);
        err = wedr_engine_round(e, &busy, &wait);
    }
    assert_int_equal(err, WEDR_E_NOSPC);
}

static void a_disk_full_of_active_files_is_shipped_and_taken_again(void **state)
{
    (void)state;
    bool busy = false;
    uint32_t wait = 0;
    uint64_t seq = 1;
    t_rounds(e, 2); /* makes the reserve */
    disk = used() + 100000;
    for (int time = 0; time < 3; time++) {
        fill_disk(&seq);
        for (int i = 0; i < 3; i++) {
            (void)(wedr_engine_seal(e) == WEDR_OK); /* as the age of a segment does */
            (void)t_ship(&srv, e, SIZE_MAX);
            (void)(wedr_engine_round(e, &busy, &wait) == WEDR_OK);
        }
        usleep(1100000); /* the reserve is made again after a second */
        t_rounds(e, 50);
    }
    disk = 0;
    ship();
    struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(st->stored, seq - 1);
    assert_int_equal(st->twice, 0);
    assert_int_equal(t_missing(st), 0);
}

static int set_up(void **state)
{
    (void)state;
    bad = 0;
    disk = 0;
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
    disk = 0;
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
        TEST(a_disk_full_of_active_files_is_shipped_and_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
