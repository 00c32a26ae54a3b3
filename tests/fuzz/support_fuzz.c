/* SPDX-License-Identifier: Apache-2.0 */
#include "support_fuzz.h"

#include "core/base/err.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *fuzz_dir(void)
{
    static char dir[64];
    if (dir[0] == '\0') {
        const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        (void)snprintf(dir, sizeof(dir), "%s/wedr-fuzz-XXXXXX", base);
        if (!mkdtemp(dir)) {
            abort();
        }
    } else {
        (void)mkdir(dir, 0700);
    }
    return dir;
}

void fuzz_put(const char *dir, const char *name, const void *p, size_t n)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
        abort();
    }
}

void fuzz_clean(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    (void)rmdir(dir);
}

struct wedr_engine *fuzz_engine(const char *dir)
{
    struct wedr_engine_cfg cfg = {.spool_dir = dir,
                                  .segment_raw_max = 64 * 1024,
                                  .segment_age_ms = 1,
                                  .spool_bytes_max = 1u << 30,
                                  .zstd_level = 1};
    struct wedr_engine *e = NULL;
    struct wedr_errinfo ei = {""};
    if (wedr_engine_open(&cfg, &e, &ei) != WEDR_OK) {
        (void)fprintf(stderr, "%s\n", ei.text);
        abort();
    }
    return e;
}

void fuzz_rounds(struct wedr_engine *e)
{
    for (int i = 0; i < 10000; i++) {
        struct wedr_batch_id id;
        wedr_handle h;
        bool busy;
        uint32_t wait;
        if (wedr_engine_round(e, &busy, &wait) != WEDR_OK) {
            abort();
        }
        while (wedr_engine_next_batch(e, &id, &h) == WEDR_OK) {
            if (wedr_batch_id_check(&id) != WEDR_OK) {
                abort();
            }
            wedr_fs_close(h);
            (void)!wedr_engine_outcome(e, &id, WEDR_BATCH_ACKED);
        }
        if (!busy && (i > 2 || wedr_engine_finished(e))) {
            break;
        }
    }
    if (wedr_engine_seal(e) != WEDR_OK) {
        abort();
    }
}
