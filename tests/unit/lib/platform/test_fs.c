/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"

#include "wedr/plat/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define RW_NEW (WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_EXCL)

struct fixture {
    char path[64];
    wedr_handle dir;
    size_t fds;
};

static int setup(void **state)
{
    static struct fixture f;
    temp_make(f.path);
    f.fds = count_fds();
    assert_int_equal(wedr_fs_open_dir(f.path, &f.dir), 0);
    *state = &f;
    return 0;
}

/* Every test also proves that it left no descriptor open. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    wedr_fs_close(f->dir);
    assert_int_equal(count_fds(), f->fds);
    temp_remove(f->path);
    return 0;
}

static const char *below(const struct fixture *f, const char *name)
{
    static char path[2][512];
    static int turn;
    turn = 1 - turn;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", f->path, name);
    return path[turn];
}

static void only_single_names_are_taken(void **state)
{
    struct fixture *f = *state;
    char longest[300];
    const char *bad[] = {"", ".", "..", "a/b", "/etc/passwd", "../x", "a/", longest, NULL};
    wedr_handle h = WEDR_HANDLE_NONE;
    memset(longest, 'n', 256);
    longest[256] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wedr_fs_open_at(f->dir, bad[i], RW_NEW, 0600, &h), WEDR_E_INVAL);
        assert_int_equal(wedr_fs_unlink_at(f->dir, bad[i]), WEDR_E_INVAL);
        assert_int_equal(wedr_fs_rename_at(f->dir, "a", bad[i]), WEDR_E_INVAL);
        assert_int_equal(wedr_fs_rename_at(f->dir, bad[i], "a"), WEDR_E_INVAL);
        assert_int_equal(wedr_fs_replace_at(f->dir, bad[i], "x", 1, 0600), WEDR_E_INVAL);
    }
    assert_int_equal(h, WEDR_HANDLE_NONE);
    longest[255] = '\0';
    assert_int_equal(wedr_fs_open_at(f->dir, longest, RW_NEW, 0600, &h), 0);
    wedr_fs_close(h);
}

static void a_link_is_never_followed_below_a_folder(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    write_file(f->path, "target", "t");
    assert_int_equal(symlink("target", below(f, "link")), 0);
    assert_int_equal(symlink("nowhere", below(f, "dangling")), 0);
    assert_int_equal(wedr_fs_open_at(f->dir, "link", WEDR_FS_READ, 0, &h), WEDR_E_PERM);
    assert_int_equal(wedr_fs_open_at(f->dir, "link", WEDR_FS_WRITE | WEDR_FS_TRUNC, 0, &h),
                     WEDR_E_PERM);
    assert_int_equal(wedr_fs_open_at(f->dir, "dangling", WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, &h),
                     WEDR_E_PERM);
    assert_int_equal(access(below(f, "nowhere"), F_OK), -1);
    assert_int_equal(wedr_fs_open(below(f, "link"), WEDR_FS_READ, 0, &h), 0);
    wedr_fs_close(h);
}

static int try_link_without_openat2(void *arg, struct wedr_ipc *channel)
{
    wedr_handle d = WEDR_HANDLE_NONE;
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)channel;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) != 0 ||
        seccomp_load(filter) != 0 || wedr_fs_open_dir((const char *)arg, &d) != WEDR_OK) {
        return 1;
    }
    seccomp_release(filter);
    return wedr_fs_open_at(d, "target", WEDR_FS_READ, 0, &h) == WEDR_OK &&
                   wedr_fs_open_at(d, "link", WEDR_FS_READ, 0, &h) == WEDR_E_PERM &&
                   wedr_fs_open_at(d, "link", WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, &h) ==
                       WEDR_E_PERM
               ? 0
               : 2;
}

static void a_kernel_without_openat2_follows_no_link_either(void **state)
{
    struct fixture *f = *state;
    struct wedr_child *c = NULL;
    struct wedr_ipc *channel = NULL;
    int code = -1;
    write_file(f->path, "target", "t");
    assert_int_equal(symlink("target", below(f, "link")), 0);
    assert_int_equal(wedr_child_start("old", try_link_without_openat2, f->path, &c, &channel), 0);
    assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
    assert_int_equal(code, 0);
    wedr_child_free(c);
    wedr_ipc_close(channel);
}

/* Someone swaps the name between a file and a link as fast as they can: never is the link's target
 * opened. */
static void a_name_that_keeps_changing_never_leads_elsewhere(void **state)
{
    struct fixture *f = *state;
    char secret_dir[64];
    temp_make(secret_dir);
    write_file(secret_dir, "secret", "s");
    write_file(f->path, "real", "r");
    char target[128];
    (void)snprintf(target, sizeof(target), "%s/secret", secret_dir);
    assert_int_equal(symlink(target, below(f, "evil")), 0);
    pid_t swapper = fork();
    if (swapper == 0) {
        for (;;) {
            (void)renameat2((int)f->dir, "evil", (int)f->dir, "real", RENAME_EXCHANGE);
        }
    }
    unsigned opened = 0;
    unsigned refused = 0;
    for (int i = 0; i < 2000; i++) {
        wedr_handle h = WEDR_HANDLE_NONE;
        int err = wedr_fs_open_at(f->dir, "real", WEDR_FS_READ, 0, &h);
        if (err == WEDR_OK) {
            char c = 0;
            size_t n = 0;
            assert_int_equal(wedr_fs_read(h, &c, 1, &n), 0);
            assert_int_equal(c, 'r');
            wedr_fs_close(h);
            opened++;
        } else {
            assert_int_equal(err, WEDR_E_PERM);
            refused++;
        }
    }
    assert_int_equal(kill(swapper, SIGKILL), 0);
    assert_int_equal(waitpid(swapper, NULL, 0), swapper);
    assert_int_equal(opened + refused, 2000);
    temp_remove(secret_dir);
}

static void pipes_sockets_and_devices_are_refused_without_blocking(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    assert_int_equal(mkfifo(below(f, "fifo"), 0600), 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/socket", f->path);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    (void)close(s);
    assert_int_equal(wedr_fs_open_at(f->dir, "fifo", WEDR_FS_READ, 0, &h), WEDR_E_PERM);
    assert_int_not_equal(wedr_fs_open_at(f->dir, "fifo", WEDR_FS_WRITE, 0, &h), 0);
    assert_int_not_equal(wedr_fs_open_at(f->dir, "socket", WEDR_FS_READ, 0, &h), 0);
    assert_int_equal(wedr_fs_open(below(f, "fifo"), WEDR_FS_READ, 0, &h), WEDR_E_PERM);
    assert_int_equal(wedr_fs_open("/dev/null", WEDR_FS_READ, 0, &h), WEDR_E_PERM);
    assert_int_equal(wedr_fs_open(f->path, WEDR_FS_READ, 0, &h), WEDR_E_PERM);
    assert_int_equal(h, WEDR_HANDLE_NONE);
}

static void a_folder_handle_of_a_link_is_refused(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    assert_int_equal(mkdir(below(f, "real"), 0700), 0);
    assert_int_equal(symlink("real", below(f, "link")), 0);
    assert_int_equal(wedr_fs_open_dir(below(f, "link"), &h), WEDR_E_PERM);
    assert_int_equal(wedr_fs_open_dir(below(f, "none"), &h), WEDR_E_NOENT);
    assert_int_equal(wedr_fs_open_dir("", &h), WEDR_E_INVAL);
    write_file(f->path, "file", "x");
    assert_int_equal(wedr_fs_open_dir(below(f, "file"), &h), WEDR_E_PERM);
}

static void mkdir_makes_parents_and_sets_the_last_one(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    mode_t old = umask(077);
    assert_int_equal(wedr_fs_mkdir(below(f, "a/b//c/"), 0750, UINT32_MAX), 0);
    (void)umask(old);
    assert_int_equal(stat(below(f, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(wedr_fs_mkdir(below(f, "a/b/c"), 0700, UINT32_MAX), 0);
    assert_int_equal(stat(below(f, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(wedr_fs_mkdir("", 0700, UINT32_MAX), WEDR_E_INVAL);
    assert_int_equal(wedr_fs_mkdir("/", 0700, UINT32_MAX), WEDR_E_INVAL);
}

static void mkdir_refuses_links_files_and_foreign_folders(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(below(f, "real"), 0700), 0);
    assert_int_equal(symlink("real", below(f, "link")), 0);
    assert_int_equal(wedr_fs_mkdir(below(f, "link"), 0755, UINT32_MAX), WEDR_E_PERM);
    write_file(f->path, "file", "x");
    assert_int_equal(wedr_fs_mkdir(below(f, "file"), 0755, UINT32_MAX), WEDR_E_PERM);
    assert_int_equal(wedr_fs_mkdir(below(f, "file/sub"), 0755, UINT32_MAX), WEDR_E_PERM);
    if (geteuid() != 0) {
        print_message("needs root for the rest\n");
        return;
    }
    struct stat st;
    assert_int_equal(mkdir(below(f, "foreign"), 0777), 0);
    assert_int_equal(chown(below(f, "foreign"), 4711, 4711), 0);
    assert_int_equal(wedr_fs_mkdir(below(f, "foreign"), 0700, UINT32_MAX), WEDR_E_PERM);
    assert_int_equal(wedr_fs_mkdir(below(f, "foreign"), 0700, 4712), WEDR_E_PERM);
    assert_int_equal(wedr_fs_mkdir(below(f, "foreign"), 0700, 4711), 0);
    assert_int_equal(wedr_fs_mkdir(below(f, "mine"), 0710, 4711), 0);
    assert_int_equal(stat(below(f, "mine"), &st), 0);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4711);
    assert_int_equal(st.st_mode & 07777, 0710);
}

static void written_bytes_come_back(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    char text[16] = "";
    size_t n = 0;
    assert_int_equal(wedr_fs_open_at(f->dir, "file", RW_NEW, 0640, &h), 0);
    assert_int_equal(wedr_fs_write(h, "hello world", 11), 0);
    assert_int_equal(wedr_fs_pread(h, text, 5, 6, &n), 0);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "world", 5);
    assert_int_equal(wedr_fs_read(h, text, 5, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(wedr_fs_truncate(h, 5), 0);
    assert_int_equal(wedr_fs_seek_end(h), 0);
    assert_int_equal(wedr_fs_write(h, "!", 1), 0);
    assert_int_equal(wedr_fs_sync(h), 0);
    assert_int_equal(wedr_fs_stat(h, &st), 0);
    assert_int_equal(st.size, 6);
    assert_int_equal(st.mode, 0640);
    assert_int_equal(st.uid, geteuid());
    assert_true(st.regular && !st.directory && st.mtime_us > 1600000000000000);
    assert_int_equal(wedr_fs_pread(h, text, sizeof(text), 0, &n), 0);
    assert_int_equal(n, 6);
    assert_memory_equal(text, "hello!", 6);
    wedr_fs_close(h);
    assert_int_equal(wedr_fs_open_at(f->dir, "file", RW_NEW, 0640, &h), WEDR_E_EXIST);
    assert_int_equal(wedr_fs_open_at(f->dir, "other", WEDR_FS_READ, 0, &h), WEDR_E_NOENT);
    assert_int_equal(wedr_fs_open_at(f->dir, "file", WEDR_FS_WRITE | WEDR_FS_APPEND, 0, &h), 0);
    assert_int_equal(wedr_fs_write(h, "more", 4), 0);
    assert_int_equal(wedr_fs_stat(h, &st), 0);
    assert_int_equal(st.size, 10);
    wedr_fs_close(h);
    assert_int_equal(wedr_fs_open_at(f->dir, "file", WEDR_FS_WRITE | WEDR_FS_TRUNC, 0, &h), 0);
    assert_int_equal(wedr_fs_stat(h, &st), 0);
    assert_int_equal(st.size, 0);
    wedr_fs_close(h);
    wedr_fs_close(WEDR_HANDLE_NONE);
}

static void a_short_write_is_completed_or_reported(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    static char block[8192];
    struct rlimit before;
    struct rlimit small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 5000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(wedr_fs_open_at(f->dir, "file", RW_NEW, 0600, &h), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int err = wedr_fs_write(
        h, block, sizeof(block)); /* the first call stops at 5000 bytes, the second fails */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(err, WEDR_E_LIMIT);
    wedr_fs_close(h);
    wedr_handle full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(wedr_fs_write(full, "x", 1), WEDR_E_NOSPC);
    wedr_fs_close(full);
}

static void descriptors_are_closed_on_exec(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    assert_int_equal(wedr_fs_open_at(f->dir, "file", RW_NEW, 0600, &h), 0);
    assert_int_equal(fcntl((int)h, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl((int)f->dir, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    wedr_fs_close(h);
    assert_int_equal(wedr_fs_open(below(f, "file"), WEDR_FS_READ, 0, &h), 0);
    assert_int_equal(fcntl((int)h, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    wedr_fs_close(h);
}

static void replace_is_atomic_and_leaves_no_temporary_file(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char text[16] = "";
    write_file(f->path, "state.json", "old");
    mode_t old = umask(077);
    assert_int_equal(wedr_fs_replace_at(f->dir, "state.json", "new!", 4, 0644), 0);
    (void)umask(old);
    assert_int_equal(stat(below(f, "state.json"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    FILE *r = fopen(below(f, "state.json"), "r");
    assert_non_null(r);
    assert_int_equal(fread(text, 1, sizeof(text), r), 4);
    (void)fclose(r);
    assert_memory_equal(text, "new!", 4);
    /* A folder in the way: nothing is left behind. */
    assert_int_equal(mkdir(below(f, "folder"), 0700), 0);
    assert_int_not_equal(wedr_fs_replace_at(f->dir, "folder", "x", 1, 0600), 0);
    char longest[256];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    assert_int_equal(wedr_fs_replace_at(f->dir, longest, "x", 1, 0600), WEDR_E_INVAL);
    size_t names = 0;
    DIR *d = opendir(f->path);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        names++;
    }
    (void)closedir(d);
    assert_int_equal(names, 4); /* ".", "..", state.json, folder */
}

static void replace_takes_the_place_of_a_link_not_of_its_target(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    write_file(f->path, "target", "keep");
    assert_int_equal(symlink("target", below(f, "name")), 0);
    assert_int_equal(wedr_fs_replace_at(f->dir, "name", "new", 3, 0600), 0);
    assert_int_equal(lstat(below(f, "name"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(stat(below(f, "target"), &st), 0);
    assert_int_equal(st.st_size, 4);
}

struct seen {
    unsigned count, stop_at;
};

static int on_name(void *arg, const char *name)
{
    struct seen *s = arg;
    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    s->count++;
    return s->count == s->stop_at ? 42 : 0;
}

static void list_gives_every_name_once_and_stops_when_told(void **state)
{
    struct fixture *f = *state;
    struct seen s = {0, 0};
    for (int i = 0; i < 500; i++) { /* more than one block of entries */
        char name[64];
        (void)snprintf(name, sizeof(name), "a-rather-long-file-name-%d", i);
        write_file(f->path, name, "");
    }
    assert_int_equal(wedr_fs_list(f->dir, on_name, &s), 0);
    assert_int_equal(s.count, 500);
    assert_int_equal(wedr_fs_list(f->dir, on_name, &s), 0); /* from the start again */
    assert_int_equal(s.count, 1000);
    s = (struct seen){0, 3};
    assert_int_equal(wedr_fs_list(f->dir, on_name, &s), 42);
    assert_int_equal(s.count, 3);
}

static void read_all_takes_the_whole_file_up_to_the_maximum(void **state)
{
    struct fixture *f = *state;
    struct wedr_buf b;
    wedr_handle h = WEDR_HANDLE_NONE;
    char text[201];
    memset(text, 'x', 200);
    text[200] = '\0';
    write_file(f->path, "file", text);
    assert_int_equal(wedr_fs_open_at(f->dir, "file", WEDR_FS_READ, 0, &h), 0);
    wedr_buf_init(&b, 200);
    for (int i = 0; i < 2; i++) { /* wherever the handle stands */
        assert_int_equal(wedr_fs_read_all(h, &b), 0);
        assert_int_equal(b.len, 200);
    }
    wedr_buf_fini(&b);
    wedr_buf_init(&b, 199);
    assert_int_equal(wedr_fs_read_all(h, &b), WEDR_E_LIMIT);
    assert_int_equal(b.len, 0);
    wedr_buf_fini(&b);
    wedr_fs_close(h);
}

static int try_lock(void *arg, struct wedr_ipc *channel)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)channel;
    if (wedr_fs_open((const char *)arg, WEDR_FS_READ | WEDR_FS_WRITE, 0, &h) != WEDR_OK) {
        return 1;
    }
    return wedr_fs_lock(h) == WEDR_E_BUSY ? 2 : 3;
}

static void a_lock_shuts_others_out_until_its_handle_is_closed(void **state)
{
    struct fixture *f = *state;
    wedr_handle h = WEDR_HANDLE_NONE;
    write_file(f->path, "lock", "");
    for (int locked = 1; locked >= 0; locked--) {
        struct wedr_child *c = NULL;
        struct wedr_ipc *channel = NULL;
        int code = 0;
        if (locked == 1) {
            assert_int_equal(wedr_fs_open_at(f->dir, "lock", WEDR_FS_READ | WEDR_FS_WRITE, 0, &h),
                             0);
            assert_int_equal(wedr_fs_lock(h), 0);
        } else {
            wedr_fs_close(h);
        }
        char *path = (char *)(uintptr_t)below(f, "lock");
        assert_int_equal(wedr_child_start("locker", try_lock, path, &c, &channel), 0);
        assert_int_equal(wedr_child_wait(c, 10000, &code), 0);
        assert_int_equal(code, locked == 1 ? 2 : 3);
        wedr_child_free(c);
        wedr_ipc_close(channel);
    }
}

static void free_space_and_missing_names_are_told(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes = 0;
    assert_int_equal(wedr_fs_free_bytes(f->dir, &bytes), 0);
    assert_true(bytes > 0);
    assert_int_equal(wedr_fs_unlink_at(f->dir, "none"), WEDR_E_NOENT);
    assert_int_equal(wedr_fs_rename_at(f->dir, "none", "other"), WEDR_E_NOENT);
    assert_int_equal(wedr_fs_sync(f->dir), 0);
}

static void errors_of_the_system_become_ours(void **state)
{
    (void)state;
    assert_int_equal(wedr_err_from_os(0), WEDR_OK);
    assert_int_equal(wedr_err_from_os(ENOSPC), WEDR_E_NOSPC);
    assert_int_equal(wedr_err_from_os(EDQUOT), WEDR_E_NOSPC);
    assert_int_equal(wedr_err_from_os(EACCES), WEDR_E_PERM);
    assert_int_equal(wedr_err_from_os(EIO), WEDR_E_IO);
    assert_int_equal(wedr_err_from_os(99999), WEDR_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_single_names_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_is_never_followed_below_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kernel_without_openat2_follows_no_link_either, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_name_that_keeps_changing_never_leads_elsewhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pipes_sockets_and_devices_are_refused_without_blocking,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_handle_of_a_link_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(mkdir_makes_parents_and_sets_the_last_one, setup, teardown),
        cmocka_unit_test_setup_teardown(mkdir_refuses_links_files_and_foreign_folders, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(written_bytes_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_write_is_completed_or_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_are_closed_on_exec, setup, teardown),
        cmocka_unit_test_setup_teardown(replace_is_atomic_and_leaves_no_temporary_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(replace_takes_the_place_of_a_link_not_of_its_target, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(list_gives_every_name_once_and_stops_when_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_all_takes_the_whole_file_up_to_the_maximum, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lock_shuts_others_out_until_its_handle_is_closed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(free_space_and_missing_names_are_told, setup, teardown),
        cmocka_unit_test(errors_of_the_system_become_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
