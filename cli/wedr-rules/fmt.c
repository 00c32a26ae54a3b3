/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "below.h"
#include "common/show.h"
#include "core/base/err.h"
#include "walk.h"
#include "wedr/plat/term.h"
#include "wedr/rules/waza.h"
#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX ((size_t)16 << 10)
#define PIECE ((size_t)16 << 10) /* bytes of standard input at once */

static const char *const endings[] = {".waza", NULL};

struct fmt {
    const struct wedr_rules_args *args;
    struct wedr_buf text, out;
    uint64_t files, changed, failed;
};

static void on_error(void *ctx, const struct wedr_waza_error *e)
{
    struct wedr_buf shown;
    (void)ctx;
    wedr_buf_init(&shown, SHOWN_MAX);
    wedr_waza_error_print(e, &shown);
    (void)fputs(shown.p ? (const char *)shown.p : e->text, stderr);
    wedr_buf_fini(&shown);
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    struct fmt *f = ctx;
    f->failed++;
    wedr_show_problem(path, 0, reason);
}

/* The file keeps its mode. */
static int write_back(const char *path, const struct wedr_buf *out)
{
    char folder[WEDR_WALK_PATH_MAX];
    const char *slash = strrchr(path, '/');
    wedr_handle dir = WEDR_HANDLE_NONE;
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st = {.mode = 0};
    int r = wedr_below_folder(path, folder, sizeof(folder)) ? WEDR_OK : WEDR_E_LIMIT;
    if (r == WEDR_OK) {
        r = wedr_below_open(folder, &dir);
    }
    if (r == WEDR_OK) {
        r = wedr_fs_open_at(dir, slash ? slash + 1 : path, WEDR_FS_READ, 0, &h);
    }
    if (r == WEDR_OK) {
        r = wedr_fs_stat(h, &st);
    }
    if (r == WEDR_OK) {
        r = wedr_fs_replace_at(dir, slash ? slash + 1 : path, out->p, out->len, st.mode & 0777u);
    }
    wedr_fs_close(h);
    wedr_fs_close(dir);
    return r;
}

/* Standard input has no size and no beginning to go back to. */
static int read_input(struct wedr_buf *out)
{
    size_t n = 0;
    int r = WEDR_OK;
    wedr_buf_truncate(out, 0);
    do {
        uint8_t *to = wedr_buf_reserve(out, PIECE);
        if (!to) {
            return WEDR_E_LIMIT;
        }
        r = wedr_fs_read(wedr_term_input(), to, PIECE, &n);
        wedr_buf_commit(out, r == WEDR_OK ? n : 0);
    } while (r == WEDR_OK && n > 0);
    return r;
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct fmt *f = ctx;
    int r = h == WEDR_HANDLE_NONE ? read_input(&f->text) : wedr_fs_read_all(h, &f->text);
    f->files++;
    wedr_buf_truncate(&f->out, 0);
    if (r == WEDR_OK) {
        const char *text = f->text.p ? (const char *)f->text.p : "";
        r = wedr_waza_format(path, text, f->text.len, &f->out, on_error, f);
        if (r == WEDR_E_FORMAT) {
            f->failed++; /* told place by place */
            return WEDR_OK;
        }
    }
    if (r != WEDR_OK) {
        on_failed(f, path, wedr_err_text(r));
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    bool same = f->out.len == f->text.len &&
                (f->out.len == 0 || memcmp(f->out.p, f->text.p, f->out.len) == 0);
    if (f->args->check || f->args->write) {
        f->changed += !same;
        if (!same) {
            (void)printf("%s\n", path);
        }
        r = same || f->args->check ? WEDR_OK : write_back(path, &f->out);
        if (r != WEDR_OK) {
            on_failed(f, path, wedr_err_text(r));
        }
        return WEDR_OK;
    }
    return wedr_show_flush(&f->out) ? WEDR_OK : WEDR_E_IO;
}

int wedr_rules_fmt(const struct wedr_rules_args *args)
{
    struct fmt f = {.args = args};
    const struct wedr_walk walk = {endings, on_file, on_failed, &f};
    int r = WEDR_OK;
    if (args->check && args->write) {
        wedr_show_problem("wedr-rules", 0, "--check or --write, not both");
        return WEDR_EXIT_USAGE;
    }
    wedr_buf_init(&f.text, WEDR_WAZA_FILE_MAX);
    wedr_buf_init(&f.out, WEDR_WAZA_FILE_MAX);
    for (size_t i = 0; r == WEDR_OK && i < args->rule_count; i++) {
        r = strcmp(args->rules[i], "-") == 0 && !args->write ? on_file(&f, "-", WEDR_HANDLE_NONE)
                                                             : wedr_walk(&walk, args->rules[i]);
    }
    if (r < 0) {
        wedr_show_problem("", 0, wedr_err_text(r));
    }
    wedr_buf_fini(&f.text);
    wedr_buf_fini(&f.out);
    return r < 0 || f.failed > 0 || (args->check && f.changed > 0) ? WEDR_EXIT_FAILED
                                                                   : WEDR_EXIT_DONE;
}
