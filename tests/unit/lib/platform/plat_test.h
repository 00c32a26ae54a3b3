/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/platform/plat_test.h — what the tests of this folder share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "wedr/plat/fs.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh folder below /tmp; remove it with temp_remove. */
static inline char *temp_make(char ret[64])
{
    (void)snprintf(ret, 64, "/tmp/wedr-plat-XXXXXX");
    assert_non_null(mkdtemp(ret));
    return ret;
}

static inline void temp_remove(const char *dir)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
    assert_int_equal(system(command), 0);
}

static inline void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Open descriptors of this process: equal before and after means nothing leaked. */
static inline size_t count_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n;
}
