/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases made by hand and, where it is there, this machine's own. */
#include "core/base/err.h"
#include "enrich/packages_i.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/wedr-test-packages-XXXXXX";
static char name[WEDR_MSG_NAME_MAX], version[WEDR_MSG_NAME_MAX];

static void put(const char *path, const char *text)
{
    char full[256];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(full, 0755);
            *p = '/';
        }
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/wedr-test-packages-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static const char STATUS[] = "Package: tools\nStatus: install ok installed\nArchitecture: amd64\n"
                             "Version: 1.0-1\n\n"
                             "Package: libx\nArchitecture: amd64\nVersion: 2\n\n"
                             "Package: libx\nArchitecture: i386\nVersion: 3\n";

static void dpkg_names_owner_and_version(void **state)
{
    struct wedr_packages_stats s;
    struct wedr_packages *p = wedr_packages_new(root);
    (void)state;
    assert_false(wedr_packages_owner(p, "/usr/bin/tool", 1, name, version));
    wedr_packages_stats(p, &s);
    assert_int_equal(s.source, WEDR_MSG_PACKAGES_NONE);
    put("/var/lib/dpkg/status", STATUS);
    put("/var/lib/dpkg/info/tools.list",
        "/.\n/usr/bin\n/usr/bin/tool\n/usr/share/doc/tools/README\n");
    put("/var/lib/dpkg/info/libx:i386.list", "/usr/lib/i386/x\n");
    put("/var/lib/dpkg/info/libx:amd64.list", "/usr/lib/amd64/x");
    put("/var/lib/dpkg/info/gone.list", "/usr/bin/gone\n");
    assert_false(wedr_packages_owner(p, "/usr/bin/tool", 2, name, version)); /* not yet */
    assert_true(wedr_packages_owner(p, "/usr/bin/tool", 2 + WEDR_PACKAGES_LOOK_MS, name, version));
    assert_string_equal(name, "tools");
    assert_string_equal(version, "1.0-1");
    uint64_t now = 2 + WEDR_PACKAGES_LOOK_MS;
    assert_true(wedr_packages_owner(p, "/usr/lib/i386/x", now, name, version));
    assert_string_equal(version, "3");
    assert_true(wedr_packages_owner(p, "/usr/lib/amd64/x", now, name, version));
    assert_string_equal(version, "2");
    assert_false(wedr_packages_owner(p, "/usr/bin/gone", now, name, version));
    assert_false(wedr_packages_owner(p, "/usr/bin/too", now, name, version));
    assert_false(wedr_packages_owner(p, "", now, name, version));
    wedr_packages_stats(p, &s);
    assert_int_equal(s.source, WEDR_MSG_PACKAGES_DPKG);
    assert_int_equal(s.packages, 3);
    assert_int_equal(s.files, 5); /* without documentation and "/." */
    put("/var/lib/dpkg/status", "Package: tools\nArchitecture: amd64\nVersion: 1.0-22\n");
    now += WEDR_PACKAGES_LOOK_MS;
    assert_true(wedr_packages_owner(p, "/usr/bin/tool", now, name, version));
    assert_string_equal(version, "1.0-22");
    wedr_packages_free(p);
}

static void a_merged_usr_is_seen_through(void **state)
{
    char link[128];
    (void)state;
    put("/var/lib/dpkg/status", STATUS);
    put("/var/lib/dpkg/info/tools.list", "/bin/tool\n/usr/bin/other\n");
    struct wedr_packages *p = wedr_packages_new(root);
    assert_false(wedr_packages_owner(p, "/usr/bin/tool", 1, name, version));
    wedr_packages_free(p);
    (void)snprintf(link, sizeof(link), "%s/bin", root);
    assert_int_equal(symlink("usr/bin", link), 0);
    p = wedr_packages_new(root);
    assert_true(wedr_packages_owner(p, "/usr/bin/tool", 1, name, version));
    assert_true(wedr_packages_owner(p, "/bin/other", 1, name, version));
    wedr_packages_free(p);
}

/* A header as rpm stores it. */
struct header {
    uint8_t entries[512], data[2048];
    uint32_t count, len;
};

static void big(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static void
add(struct header *h, uint32_t tag, uint32_t type, uint32_t n, const void *p, size_t len)
{
    uint8_t *e = h->entries + (size_t)h->count++ * 16;
    big(e, tag);
    big(e + 4, type);
    big(e + 8, h->len);
    big(e + 12, n);
    memcpy(h->data + h->len, p, len);
    h->len += (uint32_t)len;
}

static size_t make_header(uint8_t *out)
{
    struct header h = {.count = 0, .len = 0};
    static const uint8_t indexes[] = {0, 0, 0, 0, 0, 0, 0, 1};
    add(&h, 1116, 4, 2, indexes, sizeof(indexes));
    add(&h, 1000, 6, 1, "tools", 6);
    add(&h, 1001, 6, 1, "1.5", 4);
    add(&h, 1002, 6, 1, "2.fc40", 7);
    add(&h, 1117, 8, 2, "tool\0daemon", 12);
    add(&h, 1118, 8, 2, "/usr/bin/\0/usr/sbin/", 21);
    big(out, h.count);
    big(out + 4, h.len);
    memcpy(out + 8, h.entries, (size_t)h.count * 16);
    memcpy(out + 8 + (size_t)h.count * 16, h.data, h.len);
    return 8 + (size_t)h.count * 16 + h.len;
}

static void rpm_names_owner_and_version(void **state)
{
    uint8_t blob[2600];
    char path[256];
    sqlite3 *db;
    sqlite3_stmt *s;
    struct wedr_packages_stats stats;
    (void)state;
    put("/usr/lib/sysimage/rpm/x", "");
    (void)snprintf(path, sizeof(path), "%s/usr/lib/sysimage/rpm/rpmdb.sqlite", root);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob BLOB)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(s, 1, "broken", 6, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    assert_int_equal(sqlite3_reset(s), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(s, 1, blob, (int)make_header(blob), SQLITE_STATIC),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct wedr_packages *p = wedr_packages_new(root);
    assert_true(wedr_packages_owner(p, "/usr/sbin/daemon", 1, name, version));
    assert_string_equal(name, "tools");
    assert_string_equal(version, "1.5-2.fc40");
    assert_true(wedr_packages_owner(p, "/usr/bin/tool", 1, name, version));
    assert_false(wedr_packages_owner(p, "/usr/bin/daemon", 1, name, version));
    wedr_packages_stats(p, &stats);
    assert_int_equal(stats.source, WEDR_MSG_PACKAGES_RPM);
    wedr_packages_free(p);
}

static void an_old_database_of_rpm_is_said_not_to_be_read(void **state)
{
    struct wedr_packages_stats s;
    (void)state;
    put("/var/lib/rpm/Packages", "bdb");
    struct wedr_packages *p = wedr_packages_new(root);
    assert_false(wedr_packages_owner(p, "/usr/bin/tool", 1, name, version));
    wedr_packages_stats(p, &s);
    assert_int_equal(s.source, WEDR_MSG_PACKAGES_UNSUPPORTED);
    wedr_packages_free(p);
}

static void a_header_that_lies_is_not_followed(void **state)
{
    uint8_t blob[2600], bad[2600];
    size_t n = make_header(blob);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct index x;
        memset(&x, 0, sizeof(x));
        wedr_buf_init(&x.text, WEDR_PACKAGE_TEXT_MAX);
        memcpy(bad, blob, n);
        bad[i] = (uint8_t)(bad[i] ^ 0xff);
        (void)!rpm_header_read(bad, n, &x);
        (void)!rpm_header_read(blob, i, &x); /* cut */
        wedr_buf_fini(&x.text);
        free(x.package);
        free(x.file);
    }
}

static void this_machines_own_packages_are_found(void **state)
{
    struct wedr_packages *p = wedr_packages_new("");
    (void)state;
    if (access("/var/lib/dpkg/info/coreutils.list", R_OK) == 0) {
        assert_true(wedr_packages_owner(p, "/usr/bin/ls", 1, name, version));
        assert_string_equal(name, "coreutils");
        assert_true(version[0] != '\0');
    }
    assert_false(wedr_packages_owner(p, "/usr/bin/ls.evil", 1, name, version));
    wedr_packages_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dpkg_names_owner_and_version, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_merged_usr_is_seen_through, make_root, remove_root),
        cmocka_unit_test_setup_teardown(rpm_names_owner_and_version, make_root, remove_root),
        cmocka_unit_test_setup_teardown(an_old_database_of_rpm_is_said_not_to_be_read, make_root,
                                        remove_root),
        cmocka_unit_test(a_header_that_lies_is_not_followed),
        cmocka_unit_test(this_machines_own_packages_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
