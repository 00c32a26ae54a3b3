/* SPDX-License-Identifier: Apache-2.0
 *
 * Day files damaged at random, in every way that disks, people and crashes have: the store opens,
 * answers, is verified and backed up whatever lies there; what it tells is what came; what it lost
 * is in the ledger. WEDR_TEST_SEED repeats a run, WEDR_TEST_FULL=1 makes it long. */
#define _POSIX_C_SOURCE 200809L /* mkdir of the test itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/backup.h"
#include "store/events/embedded/keep.h"
#include "store_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US + 3600000000LL)
#define PAGE 16384u
#define BIG 520u
#define SMALL 10u
#define DAY_LINES (BIG + 30 * SMALL)
#define LINES (2 * DAY_LINES)
#define ROWS \
    "SELECT stream, seq, ts, received_at, pid, event_type, raw FROM events ORDER BY stream, seq"

static uint64_t seed = 20261127;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

struct image {
    uint8_t *p;
    size_t len;
};

/* Files as a stopped server leaves them, as a killed one does (of the first day all is in the log),
 * and as an older release did. */
enum { CLEAN, KILLED, OLD, KINDS };
static const char *const suffixes[] = {"", "-wal"};
static struct image images[KINDS][2][2]; /* kind, day, file and log */
static char *rows[KINDS];                /* what was asked of them */
static int64_t missing_before;           /* the loss that is told was of nothing */

static void path_of(const char *dir, int64_t us, const char *suffix, char ret[600])
{
    char day[WEDR_DAY_TEXT];
    wedr_day_text(wedr_day_of(us), day);
    (void)snprintf(ret, 600, "%s/events/%s.db%s", dir, day, suffix);
}

static struct image read_image(const char *path)
{
    struct image i = {NULL, 0};
    FILE *f = fopen(path, "rbe");
    if (f) {
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        i.len = (size_t)ftell(f);
        rewind(f);
        i.p = malloc(i.len + 1);
        assert_non_null(i.p);
        assert_int_equal(fread(i.p, 1, i.len, f), i.len);
        assert_int_equal(fclose(f), 0);
    }
    return i;
}

static void write_image(const char *path, const void *p, size_t len)
{
    FILE *f = fopen(path, "wbe");
    assert_non_null(f);
    assert_true(len == 0 || fwrite(p, 1, len, f) == len);
    assert_int_equal(fclose(f), 0);
}

static void read_images(const struct fx *f, int kind)
{
    for (int day = 0; day < 2; day++) {
        for (int part = 0; part < 2; part++) {
            char path[600];
            path_of(f->dir, NOW_US + day * DAY_US, suffixes[part], path);
            images[kind][day][part] = read_image(path);
        }
    }
}

/* What is in the log so far goes into the file. */
static void checkpoint(const struct fx *f, int64_t at)
{
    char path[600];
    sqlite3 *db = NULL;
    path_of(f->dir, at, "", path);
    assert_int_equal(wedr_db_open(path, SQLITE_OPEN_READWRITE, &db), WEDR_OK);
    assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* A day with small batches that were merged, small ones that were not, and a block; loss and gap
 * are told there. */
static void fill_day(struct fx *f, int day)
{
    int64_t at = NOW_US + day * DAY_US;
    uint64_t seq = 1 + (uint64_t)day * DAY_LINES;
    struct tb b;
    for (unsigned i = 0; i < 30; i++, seq += SMALL) {
        assert_int_equal(fx_forks(f, seq, SMALL, at), WEDR_COMMIT_STORED);
        if (i == 19) {
            wedr_keep_round(f->s, at + 1000000);
            if (day == 1) {
                checkpoint(f, at);
            }
        }
    }
    assert_int_equal(fx_forks(f, seq, BIG, at), WEDR_COMMIT_STORED);
    tb_init(&b, "agent");
    b.received_us = at;
    seq = 1 + (uint64_t)day * 2;
    tb_loss(&b, seq, TB_T0, TB_EPOCH, "kernel.critical", "evicted", 7, NULL);
    tb_gap(&b, seq + 1, TB_T0, "kernel.critical", TB_T0, TB_T0 + 1000000, "host_off");
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

/* The file as the release before the checksums made it: the second day as VACUUM left it. */
static void make_old(const struct fx *f, int day)
{
    static const char *const tables[] = {
        "meta",        "batch",     "blk", "data", "col",  "filt",   "ng",     "tiny",  "loss",
        "epoch_start", "epoch_end", "gap", "made", "dead", "tamper", "damage", "stream"};
    char path[600], old[616], sql[1400];
    sqlite3 *db = NULL;
    path_of(f->dir, NOW_US + day * DAY_US, "", path);
    (void)snprintf(old, sizeof(old), "%s.old", path);
    assert_int_equal(wedr_day_make_empty(old, 1, false), WEDR_OK);
    assert_int_equal(wedr_db_open(old, SQLITE_OPEN_READWRITE, &db), WEDR_OK);
    (void)snprintf(sql, sizeof(sql), "DELETE FROM meta; ATTACH '%s' AS n", path);
    assert_int_equal(wedr_sqlite_exec(db, sql), WEDR_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(tables); i++) {
        (void)snprintf(sql, sizeof(sql), "INSERT INTO main.%s SELECT * FROM n.%s%s", tables[i],
                       tables[i], strcmp(tables[i], "meta") ? "" : " WHERE key='arrival'");
        assert_int_equal(wedr_sqlite_exec(db, sql), WEDR_OK);
    }
    assert_int_equal(wedr_sqlite_exec(db, day ? "DETACH n; VACUUM" : "DETACH n"), WEDR_OK);
    sqlite3_close(db);
    assert_int_equal(rename(old, path), 0);
}

static int make_images(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct fx f;
        fx_init(&f);
        fx_keep(&f);
        fill_day(&f, 0);
        fill_day(&f, 1);
        if (kind == KILLED) {
            read_images(&f, kind);
        }
        fx_close(&f);
        if (kind == OLD) {
            make_old(&f, 0);
            make_old(&f, 1);
        }
        rows[kind] = fx_sql(&f, ROWS);
        missing_before = fx_int(&f, "SELECT sum(missing) FROM ledger");
        if (kind != KILLED) {
            read_images(&f, kind);
        }
        fx_remove(f.dir);
    }
    assert_true(images[KILLED][1][1].len > PAGE);
    return 0;
}

static int free_images(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < 4; i++) {
            free(images[kind][i / 2][i % 2].p);
        }
        free(rows[kind]);
    }
    return 0;
}

/* --- Damage: each changes the bytes of one file and its log. */

struct file {
    struct image main, log;
    int kind, day;
    char what[160];
};

static void flip(struct file *f, size_t from, size_t to, unsigned count)
{
    for (unsigned i = 0; i < count && to > from; i++) {
        f->main.p[from + rnd((uint32_t)(to - from))] ^= (uint8_t)(1u << rnd(8));
    }
}

static void hurt_header(struct file *f)
{
    flip(f, 0, 100, 1 + rnd(20));
}

static void hurt_first_page(struct file *f)
{
    for (unsigned i = rnd(2) ? 100 : 0; i < PAGE; i++) {
        f->main.p[i] = (uint8_t)rnd(256);
    }
}

static void flip_anywhere(struct file *f)
{
    flip(f, 0, f->main.len, 1 + rnd(60));
}

/* A stretch of bytes: a few, a sector, several pages; noise or nothing. */
static void trash_anywhere(struct file *f)
{
    static const uint32_t lengths[] = {16, 512, 4096, PAGE, 5 * PAGE};
    size_t at = rnd((uint32_t)f->main.len), end = at + lengths[rnd(5)];
    bool noise = rnd(2);
    for (; at < end && at < f->main.len; at++) {
        f->main.p[at] = noise ? (uint8_t)rnd(256) : 0;
    }
}

/* Pages that are whole, but not where they belong: a lost and a misdirected write. */
static void misplace_a_page(struct file *f)
{
    uint32_t pages = (uint32_t)(f->main.len / PAGE), a = rnd(pages), b = rnd(pages);
    memcpy(f->main.p + (size_t)a * PAGE, f->main.p + (size_t)b * PAGE, PAGE);
}

static void cut(struct file *f)
{
    f->main.len =
        rnd(2) ? rnd((uint32_t)f->main.len) : (size_t)rnd((uint32_t)(f->main.len / PAGE)) * PAGE;
}

static void empty(struct file *f)
{
    f->main.len = 0;
    f->log.len = f->kind == KILLED ? f->log.len : 0;
}

static void hurt_log(struct file *f)
{
    for (unsigned i = 0; i < 1 + rnd(40) && f->log.len; i++) {
        f->log.p[rnd(3) ? rnd((uint32_t)f->log.len) : rnd(56)] ^= (uint8_t)(1u << rnd(8));
    }
}

static void cut_log(struct file *f)
{
    f->log.len = f->log.len ? rnd((uint32_t)f->log.len) : 0;
}

static void take(struct image *to, const struct image *from)
{
    free(to->p);
    to->p = malloc(from->len + 1);
    assert_non_null(to->p);
    memcpy(to->p, from->p ? from->p : (const uint8_t *)"", from->len);
    to->len = from->len;
}

/* The file of the other day lies here, too. */
static void put_other_day(struct file *f)
{
    take(&f->main, &images[f->kind][1 - f->day][0]);
    take(&f->log, &images[f->kind][1 - f->day][1]);
}

static void put_other_log(struct file *f)
{
    take(&f->log, &images[KILLED][1 - f->day][1]);
}

static void swap(struct file *f) /* of both days */
{
    put_other_day(f);
}

#define KIND(x) (1u << (x))
#define ALL_KINDS (KIND(CLEAN) | KIND(KILLED) | KIND(OLD))

static const struct {
    void (*do_it)(struct file *f);
    const char *what;
    unsigned nothing_lost; /* in files of these kinds */
} damages[] = {{hurt_header, "header", ALL_KINDS},
               {hurt_first_page, "first page", ALL_KINDS},
               {flip_anywhere, "bits", 0},
               {trash_anywhere, "a stretch", 0},
               {misplace_a_page, "a misplaced page", 0},
               {cut, "cut", 0},
               {empty, "empty", KIND(KILLED)}, /* all is in the log */
               {hurt_log, "log", KIND(CLEAN) | KIND(OLD)},
               {cut_log, "log cut", KIND(CLEAN) | KIND(OLD)},
               {put_other_day, "the other day's file", 0},
               {put_other_log, "the other day's log", KIND(CLEAN) | KIND(OLD)},
               {swap, "both days swapped", ALL_KINDS}};

static void write_day(const char *dir, const struct file *f)
{
    char path[600];
    path_of(dir, NOW_US + f->day * DAY_US, "", path);
    write_image(path, f->main.p, f->main.len);
    if (f->log.len) {
        path_of(dir, NOW_US + f->day * DAY_US, "-wal", path);
        write_image(path, f->log.p, f->log.len);
    }
}

/* Both days, one of them damaged. */
static void write_damaged(const char *dir, int kind, size_t which, char what[160])
{
    struct file days[2];
    for (int day = 0; day < 2; day++) {
        days[day] = (struct file){.kind = kind, .day = day};
        take(&days[day].main, &images[kind][day][0]);
        take(&days[day].log, &images[kind][day][1]);
    }
    struct file *f = &days[damages[which].do_it == empty ? 0 : rnd(2)];
    (void)snprintf(what, 160, "kind %d, day %d: %s", kind, f->day, damages[which].what);
    damages[which].do_it(f);
    if (damages[which].do_it == swap) {
        swap(&days[1 - f->day]);
    }
    for (int day = 0; day < 2; day++) {
        write_day(dir, &days[day]);
        free(days[day].main.p);
        free(days[day].log.p);
    }
}

/* --- What must hold. */

/* Every line of got is one of all, in the same order; how many. A row that is known and cannot be
 * read has no text. */
static unsigned
count_known(const char *got, const char *all, unsigned *ret_wrong, unsigned *ret_unreadable)
{
    unsigned known = 0;
    while (*got == '{' || (*got == '[' && *++got == '{')) {
        size_t len = strcspn(got, "\n"), body = len;
        while (body && (got[body - 1] == ',' || got[body - 1] == ']')) {
            body--;
        }
        char *line = strndup(got, body), *at = strstr(all, line);
        assert_non_null(line);
        known += at != NULL;
        bool unreadable = !at && strstr(line, "\"raw\":null");
        *ret_unreadable += unreadable;
        if (!at && !unreadable && !(*ret_wrong)++) {
            print_message("wrong row: %s\n", line);
        }
        all = at ? at + body : all;
        free(line);
        got += len + (got[len] == '\n');
    }
    return known;
}

/* Asks what people ask. *ret_rows: events that were told. */
static unsigned ask(struct fx *f, const char *all, unsigned *ret_rows, unsigned *ret_unreadable)
{
    static const char *const questions[] = {
        "SELECT count(*) FROM events WHERE pid=1003",
        "SELECT event_type, count(*) FROM events GROUP BY 1",
        "SELECT count(*) FROM events WHERE raw LIKE '%fork%'",
        "SELECT max(ts), min(ts) FROM events WHERE ts > '2026-11-24T00:05:00Z'",
        "SELECT * FROM ledger_loss",
        "SELECT * FROM coverage_gaps",
        "SELECT sum(missing) FROM ledger"};
    unsigned wrong = 0;
    char *got = fx_sql(f, ROWS);
    *ret_unreadable = 0;
    *ret_rows = count_known(got, all, &wrong, ret_unreadable);
    free(got);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(questions); i++) {
        (void)fx_error(f, questions[i]);
    }
    return wrong;
}

static void back_up(const struct fx *f)
{
    char to[300], back[300];
    struct wedr_backup_sums sums;
    struct wedr_errinfo ei = {""};
    (void)snprintf(to, sizeof(to), "%s-copy", f->dir);
    (void)snprintf(back, sizeof(back), "%s-back", f->dir);
    int err = wedr_backup(f->dir, to, &sums, &ei);
    if (err != WEDR_OK) {
        fail_msg("backup: %s", ei.text);
    }
    assert_int_equal(wedr_restore(to, back, &sums, &ei), WEDR_OK);
    fx_remove(to);
    fx_remove(back);
}

static void one_round(int kind, size_t which, unsigned *wrong_before, unsigned *saved)
{
    struct fx f;
    char what[160], path[300];
    unsigned before = 0, after = 0, unreadable = 0, wrong_now;
    fx_init(&f);
    fx_close(&f);
    uint64_t from = seed;
    write_damaged(f.dir, kind, which, what);
    wrong_now = ask(&f, rows[kind], &before, &unreadable);
    if (wrong_now && kind != OLD) {
        fail_msg("seed %llu, %s: %u wrong rows before it was found", (unsigned long long)from, what,
                 wrong_now);
    }
    *wrong_before += wrong_now;
    fx_open(&f);
    fx_keep(&f);
    f.s->settings.check_days = 7;
    for (int64_t i = 1; i <= 8;
         i++) { /* merged, what was merged deleted, sealed, checked, set aside, saved */
        wedr_keep_round(f.s, NOW_US + 3 * DAY_US + i * 1000000000);
    }
    unsigned wrong = ask(&f, rows[kind], &after, &unreadable);
    struct wedr_verify_sums v = fx_verify(&f);
    int64_t stored = fx_int(&f, "SELECT coalesce(sum(stored), 0) FROM ledger"),
            lost = fx_int(&f, "SELECT coalesce(sum(lost), 0) FROM ledger"),
            missing = fx_int(&f, "SELECT coalesce(sum(missing), 0) FROM ledger"),
            produced = fx_int(&f, "SELECT coalesce(sum(produced), 0) FROM ledger");
    bool whole = after == LINES + 4 || !(damages[which].nothing_lost & KIND(kind));
    bool told = wrong || unreadable || v.problems || stored != (int64_t)after;
    if (!whole || (told && kind != OLD) || /* whose pages have no checksums */
        stored + lost + missing != produced || missing < missing_before) {
        fail_msg("seed %llu, %s: %u wrong rows, %u problems (%s), stored %d, rows %u, lost %d, "
                 "missing %d, produced %d",
                 (unsigned long long)from, what, wrong, (unsigned)v.problems, f.wrong, (int)stored,
                 after, (int)lost, (int)missing, (int)produced);
    }
    (void)snprintf(path, sizeof(path), "%s/state.db", f.dir);
    write_image(path, "", 0);
    back_up(&f);
    assert_int_equal(fx_forks(&f, LINES + 1, SMALL, NOW_US + 3 * DAY_US),
                     WEDR_COMMIT_STORED); /* it goes on */
    *saved += after;
    fx_fini(&f);
}

static void whatever_happens_to_a_day_file_no_row_is_wrong(void **state)
{
    (void)state;
    const char *asked = getenv("WEDR_TEST_FULL");
    bool full = asked && strcmp(asked, "1") == 0;
    for (size_t which = 0; which < WEDR_ARRAY_COUNT(damages); which++) {
        unsigned wrong = 0, saved = 0, rounds = 0;
        for (int i = 0; i < (full ? 60 : KINDS); i++, rounds++) {
            one_round(i % KINDS, which, &wrong, &saved);
        }
        print_message(
            "%-22s %u rounds, %u of 1644 rows saved on average, %u wrong ones of an old file\n",
            damages[which].what, rounds, saved / rounds, wrong);
    }
}

/* Of what dropped days left behind. */
static void a_damaged_catalog_does_not_stop_the_store(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        struct fx f;
        char path[300];
        fx_init(&f);
        fx_keep(&f);
        fill_day(&f, 0);
        fill_day(&f, 1);
        assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(NOW_US), NULL), WEDR_OK);
        fx_close(&f);
        (void)snprintf(path, sizeof(path), "%s/events/catalog.db", f.dir);
        struct file c = {.main = read_image(path)};
        void (*const hurt[])(struct file *) = {hurt_header, hurt_first_page, flip_anywhere,
                                               trash_anywhere, cut};
        uint64_t from = seed;
        hurt[(size_t)i % WEDR_ARRAY_COUNT(hurt)](&c);
        write_image(path, c.main.p, c.main.len);
        free(c.main.p);
        (void)fx_error(&f, "SELECT * FROM ledger");
        fx_open(&f);
        int64_t stored = fx_int(&f, "SELECT sum(stored) FROM ledger"),
                expired = fx_int(&f, "SELECT sum(expired) FROM ledger"),
                missing = fx_int(&f, "SELECT sum(missing) FROM ledger"),
                produced = fx_int(&f, "SELECT sum(produced) FROM ledger");
        if (stored != DAY_LINES + 2 || expired > DAY_LINES + 2 ||
            stored + expired + missing + 7 != produced) {
            fail_msg("seed %llu, %d: stored %d, expired %d, missing %d, produced %d",
                     (unsigned long long)from, i, (int)stored, (int)expired, (int)missing,
                     (int)produced);
        }
        assert_int_equal(fx_forks(&f, LINES + 1, SMALL, NOW_US + 3 * DAY_US), WEDR_COMMIT_STORED);
        fx_fini(&f);
    }
}

int main(void)
{
    const char *given = getenv("WEDR_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_to_a_day_file_no_row_is_wrong),
        cmocka_unit_test(a_damaged_catalog_does_not_stop_the_store),
    };
    return cmocka_run_group_tests(tests, make_images, free_images);
}
