/* SPDX-License-Identifier: Apache-2.0
 *
 * In a mount namespace with a file system that never answers: a FUSE mount without its program. Who
 * looks at it hangs, and the alarm ends the test. */
#include "plat_test.h"

#include "wedr/plat/mounts.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

static char dir[64];

static bool local(const struct wedr_mounts *m, const char *below)
{
    char path[2048];
    (void)snprintf(path, sizeof(path), "%s%s", dir, below);
    return wedr_mounts_local(m, path);
}

static void make(const char *below)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s%s", dir, below);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_link(const char *below, const char *target)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s%s", dir, below);
    assert_int_equal(symlink(target, path), 0);
}

static void a_mount_that_never_answers_is_not_waited_for(void **state)
{
    char far[256], options[128], absolute[300], longest[1200];
    struct wedr_mounts *m = NULL;
    (void)state;
    make("/far away");
    make("/far away but no");
    make("/near");
    (void)snprintf(far, sizeof(far), "%s/far away", dir);
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    (void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
    if (fuse < 0 || mount("nobody", far, "fuse", 0, options) != 0) {
        skip();
    }
    (void)snprintf(absolute, sizeof(absolute), "%s/", far);
    make_link("/link", absolute);
    make_link("/near/link", "../far away/deep");
    make_link("/near/again", "link");
    make_link("/near/circle", "circle");
    make_link("/near/home", "./../near");
    (void)alarm(10);

    assert_int_equal(wedr_mounts_read(&m), WEDR_OK);
    assert_true(wedr_mounts_local(m, "/"));
    assert_true(wedr_mounts_local(m, "/etc/passwd"));
    assert_true(local(m, ""));
    assert_true(local(m, "/near/home/home/nothing/here"));
    assert_true(local(m, "/far away but no"));
    assert_true(local(m, "/near/../near/./home//"));
    assert_false(local(m, "/far away"));
    assert_false(local(m, "/far away/.ssh/authorized_keys"));
    assert_false(local(m, "/near/../far away/../near"));
    assert_false(local(m, "/link"));
    assert_false(local(m, "/link/.ssh"));
    assert_false(local(m, "/near/link"));
    assert_false(local(m, "/near/home/again/x"));
    assert_false(local(m, "/near/circle"));
    assert_false(wedr_mounts_local(m, "relative"));
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    assert_false(wedr_mounts_local(m, longest));
    wedr_mounts_free(m);

    assert_int_equal(umount2(far, MNT_DETACH), 0);
    (void)close(fuse);
    assert_int_equal(wedr_mounts_read(&m), WEDR_OK);
    assert_true(local(m, "/link/.ssh"));
    wedr_mounts_free(m);
    assert_true(wedr_mounts_local(NULL, "/link/.ssh"));
    wedr_mounts_free(NULL);
}

static int begin(void **state)
{
    (void)state;
    (void)temp_make(dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mount_that_never_answers_is_not_waited_for, begin, end),
    };
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        (void)printf("skipped: no mount namespace of its own\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
