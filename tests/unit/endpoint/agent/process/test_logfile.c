/* SPDX-License-Identifier: Apache-2.0 */
#include "logfile.h"

#include "core/base/err.h"
#include "core/util/buf.h"
#include "wedr/plat/fs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BYTES 4096u

static char folder[] = "/tmp/wedr-logfile-XXXXXX";
static char log_folder[64];

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(log_folder, sizeof(log_folder), "%s/log", folder);
    return wedr_logfile_open(folder, MAX_BYTES, "info", false);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"agent.log", "agent.log.1"};
    wedr_handle dir;
    if (wedr_fs_open_dir(log_folder, &dir) == WEDR_OK) {
        for (size_t i = 0; i < 2; i++) {
            (void)!wedr_fs_unlink_at(dir, names[i]);
        }
        wedr_fs_close(dir);
    }
    (void)remove(log_folder);
    (void)remove(folder);
    return 0;
}

static void read_log(const char *name, struct wedr_buf *ret)
{
    wedr_handle dir, file;
    wedr_buf_init(ret, (size_t)64 * 1024);
    assert_int_equal(wedr_fs_open_dir(log_folder, &dir), WEDR_OK);
    assert_int_equal(wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &file), WEDR_OK);
    assert_int_equal(wedr_fs_read_all(file, ret), WEDR_OK);
    wedr_fs_close(file);
    wedr_fs_close(dir);
}

static void a11_lines_reach_a_file_that_is_rotated(void **state)
{
    (void)state;
    struct wedr_buf text;
    wedr_log(WARN, "spool.recovered", WEDR_U64("count", 7));
    read_log("agent.log", &text);
    assert_non_null(strstr((const char *)text.p, "\"event\":\"spool.recovered\",\"count\":7}\n"));
    wedr_buf_fini(&text);

    /* Distinct sites in effect: the limit per site would hold most of them back. */
    static struct wedr_log_site sites[200];
    for (unsigned i = 0; i < 200; i++) {
        wedr_log_emit(&sites[i], WEDR_LOG_INFO, "filler",
                      (const struct wedr_log_kv[]){WEDR_U64("n", i), {0}});
    }
    read_log("agent.log.1", &text);
    assert_true(text.len > 0 && text.len <= 2 * MAX_BYTES);
    assert_int_equal(text.p[text.len - 1], '\n');
    wedr_buf_fini(&text);
    read_log("agent.log", &text);
    assert_true(text.len <= 2 * MAX_BYTES);
    assert_non_null(strstr((const char *)text.p, "\"n\":199}\n"));
    wedr_buf_fini(&text);
}

static void a11_a_line_of_a_child_stays_one_line(void **state)
{
    (void)state;
    static const char forged[] = "{\"event\":\"x\"}\n{\"event\":\"forged\"}\x1b[2J";
    struct wedr_buf text;
    wedr_logfile_child_line(WEDR_LOG_INFO, forged, sizeof(forged) - 1);
    read_log("agent.log", &text);
    assert_non_null(strstr((const char *)text.p, "{\"event\":\"x\"} {\"event\":\"forged\"} [2J\n"));
    wedr_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a11_lines_reach_a_file_that_is_rotated),
        cmocka_unit_test(a11_a_line_of_a_child_stays_one_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
