/* SPDX-License-Identifier: Apache-2.0 */
#include "slurp.h"

#include <stdio.h>
#include <stdlib.h>

char *slurp(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    long n = ftell(f);
    rewind(f);
    char *p = malloc((size_t)n + 1);
    if (!p || fread(p, 1, (size_t)n, f) != (size_t)n) {
        exit(1);
    }
    p[n] = '\0';
    (void)fclose(f);
    *ret_len = (size_t)n;
    return p;
}
