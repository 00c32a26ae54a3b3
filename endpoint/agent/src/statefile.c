/* SPDX-License-Identifier: Apache-2.0 */
#include "statefile.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include "wedr/plat/fs.h"
#include <string.h>

#define MEMORY_FILE "holder.state"
#define MEMORY_MAGIC "WEDRHLD1"

struct WEDR_PACKED memory_file {
    char magic[8];
    int64_t last_good_us;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    uint64_t epoch;
    uint8_t sensor_stopped, reenrolled;
    uint8_t sha256[WEDR_SHA256_LEN]; /* of what stands before */
};

void wedr_holder_memory_load(const char *state_dir, struct wedr_holder_memory *ret)
{
    struct memory_file f;
    uint8_t digest[WEDR_SHA256_LEN];
    wedr_handle dir = WEDR_HANDLE_NONE, file = WEDR_HANDLE_NONE;
    size_t n = 0;
    memset(ret, 0, sizeof(*ret));
    int err = wedr_fs_open_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, MEMORY_FILE, WEDR_FS_READ, 0, &file);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_pread(file, &f, sizeof(f), 0, &n);
    }
    wedr_fs_close(file);
    wedr_fs_close(dir);
    if (err != WEDR_OK || n != sizeof(f) || memcmp(f.magic, MEMORY_MAGIC, sizeof(f.magic)) != 0) {
        return;
    }
    wedr_sha256(&f, sizeof(f) - sizeof(f.sha256), digest);
    if (memcmp(digest, f.sha256, sizeof(digest)) != 0) {
        return;
    }
    ret->last_good_us = f.last_good_us;
    memcpy(ret->boot_id, f.boot_id, sizeof(ret->boot_id));
    ret->epoch = f.epoch;
    ret->sensor_stopped = f.sensor_stopped != 0;
    ret->reenrolled = f.reenrolled != 0;
}

int wedr_holder_memory_store(const char *state_dir, const struct wedr_holder_memory *m)
{
    struct memory_file f;
    wedr_handle dir = WEDR_HANDLE_NONE;
    memset(&f, 0, sizeof(f));
    memcpy(f.magic, MEMORY_MAGIC, sizeof(f.magic));
    f.last_good_us = m->last_good_us;
    memcpy(f.boot_id, m->boot_id, sizeof(f.boot_id));
    f.epoch = m->epoch;
    f.sensor_stopped = m->sensor_stopped;
    f.reenrolled = m->reenrolled;
    wedr_sha256(&f, sizeof(f) - sizeof(f.sha256), f.sha256);
    int err = wedr_fs_open_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(dir, MEMORY_FILE, &f, sizeof(f), 0600);
    }
    wedr_fs_close(dir);
    return err;
}
