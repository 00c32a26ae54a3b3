/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/replay_main.c — runs a fuzz target without libFuzzer: on one empty input, then on
 * every file given, or found directly in a folder given. Prints how many; 1 when a path cannot be
 * read or a folder holds no file. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (16u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int run_file(const char *path)
{
    int ret = 1;
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data = NULL;
    if (!f || stat(path, &st) != 0 || st.st_size > INPUT_MAX) {
        goto out;
    }
    /* Exactly as large as the input, so that the sanitizer sees a read behind it. */
    size_t size = (size_t)st.st_size;
    data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, f) != size) {
        goto out;
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    inputs++;
    ret = 0;
out:
    if (ret) {
        (void)fprintf(stderr, "%s: %s\n", path, errno ? strerror(errno) : "cannot be read");
    }
    free(data);
    if (f) {
        (void)fclose(f);
    }
    return ret;
}

static int run_folder(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    unsigned before = inputs;
    int ret = 0;
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        char file[4096];
        struct stat st;
        int n = snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        if (n < 0 || (size_t)n >= sizeof(file) || stat(file, &st) != 0) {
            ret = 1;
        } else if (S_ISREG(st.st_mode)) {
            ret |= run_file(file);
        }
    }
    (void)closedir(d);
    if (inputs == before) {
        (void)fprintf(stderr, "%s: no input\n", path);
        return 1;
    }
    return ret;
}

int main(int argc, char **argv)
{
    uint8_t *empty = calloc(1, 1);
    int ret = 0;
    if (!empty) {
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(empty, 0);
    free(empty);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            ret |= run_folder(argv[i]);
        } else {
            ret |= run_file(argv[i]);
        }
    }
    (void)printf("%u inputs replayed\n", inputs + 1);
    return ret;
}
