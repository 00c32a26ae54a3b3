/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/errinfo.c */
#include "core/util/errinfo.h"
#include <stdarg.h>
#include <stdio.h>

int wedr_fail(struct wedr_errinfo *ei, int err, const char *fmt, ...)
{
    if (!ei) {
        return err;
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(ei->text, sizeof(ei->text), fmt, ap);
    va_end(ap);
    if (n < 0) {
        ei->text[0] = '\0';
    }
    /* One line: the text may quote foreign bytes. */
    for (char *p = ei->text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            *p = ' ';
        }
    }
    return err;
}
