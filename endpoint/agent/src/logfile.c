/* SPDX-License-Identifier: Apache-2.0 */
#include "logfile.h"

#include "core/base/err.h"
#include "peer.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/svc.h"
#include <stdio.h>
#include <string.h>

#define LOG_NAME "agent.log"
#define LINE_MAX_BYTES 4096u

static struct {
    wedr_handle dir, file;
    uint64_t size, max;
    bool echo;
} logfile = {WEDR_HANDLE_NONE, WEDR_HANDLE_NONE, 0, 0, false};

static int open_file(void)
{
    struct wedr_fs_stat st;
    int err = wedr_fs_open_at(logfile.dir, LOG_NAME,
                              WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_APPEND, 0600, &logfile.file);
    if (err == WEDR_OK) {
        err = wedr_fs_stat(logfile.file, &st);
    }
    if (err == WEDR_OK) {
        logfile.size = st.size;
    }
    return err;
}

static void rotate(void)
{
    wedr_fs_close(logfile.file);
    logfile.file = WEDR_HANDLE_NONE;
    /* When the rename fails the old file goes on: a log that is too long beats none. */
    (void)!wedr_fs_rename_at(logfile.dir, LOG_NAME, LOG_NAME ".1");
    if (open_file() != WEDR_OK) {
        logfile.file = WEDR_HANDLE_NONE;
    }
}

static void sink(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    char text[LINE_MAX_BYTES + 1];
    size_t n = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
    memcpy(text, line, n);
    text[n] = '\n';
    if (logfile.size > logfile.max) {
        rotate();
    }
    if (logfile.file != WEDR_HANDLE_NONE && wedr_fs_write(logfile.file, text, n + 1) == WEDR_OK) {
        logfile.size += n + 1;
    }
    wedr_svc_log((int)level, line, n);
    if (logfile.echo) {
        (void)fwrite(text, 1, n + 1, stderr);
    }
}

void wedr_logfile_child_line(enum wedr_log_level level, const char *line, size_t len)
{
    char text[LINE_MAX_BYTES] = {0};
    size_t n = len < sizeof(text) ? len : sizeof(text);
    for (size_t i = 0; i < n; i++) {
        text[i] = line[i];
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            text[i] = ' ';
        }
    }
    sink(NULL, level, text, n);
}

int wedr_logfile_open(const char *state_dir, uint64_t max_bytes, const char *level, bool echo)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/log", state_dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return WEDR_E_RANGE;
    }
    logfile.max = max_bytes;
    logfile.echo = echo;
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    if (err == WEDR_OK) {
        err = wedr_fs_open_dir(path, &logfile.dir);
    }
    if (err == WEDR_OK) {
        err = open_file();
    }
    wedr_log_init("wedr-agent.holder", (enum wedr_log_level)wedr_log_level_of(level), sink, NULL);
    return err;
}
