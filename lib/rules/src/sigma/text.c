/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/text.c — Sigma's wildcards and escapes. */
#include "core/base/err.h"
#include "value.h"
#include <stdarg.h>
#include <stdio.h>

int wedr_sigma_fail(struct wedr_sigma_compiler *c, uint32_t line, int err, const char *fmt, ...)
{
    c->line = line;
    if (c->ei) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(c->ei->text, sizeof(c->ei->text), fmt, ap);
        va_end(ap);
    }
    return err;
}

int wedr_sigma_full(struct wedr_sigma_compiler *c, uint32_t line)
{
    return wedr_sigma_fail(c, line, WEDR_E_LIMIT, "the rule needs too much memory");
}

static struct wedr_sigma_text text_new(struct wedr_arena *a, size_t len)
{
    struct wedr_sigma_text t = {wedr_arena_alloc(a, (len + 1) * sizeof(uint16_t)), 0};
    return t;
}

struct wedr_sigma_text wedr_sigma_text_parse(struct wedr_arena *a, struct wedr_text s, bool percent)
{
    struct wedr_sigma_text t = text_new(a, s.len);
    for (uint32_t i = 0; t.c && i < s.len; i++) {
        uint8_t b = (uint8_t)s.p[i];
        uint16_t code = b == '*' ? WEDR_SIGMA_STAR : b == '?' ? WEDR_SIGMA_ANY : b;
        if (b == '\\' && i + 1 < s.len) {
            uint8_t n = (uint8_t)s.p[i + 1];
            if (n == '*' || n == '?' || n == '\\') {
                code = n;
                i++;
            } else if (n == '%' && percent) {
                code = WEDR_SIGMA_PERCENT;
                i++;
            }
        }
        t.c[t.len++] = code;
    }
    return t;
}

struct wedr_sigma_text wedr_sigma_text_plain(struct wedr_arena *a, struct wedr_text s)
{
    struct wedr_sigma_text t = text_new(a, s.len);
    for (uint32_t i = 0; t.c && i < s.len; i++) {
        t.c[t.len++] = (uint8_t)s.p[i];
    }
    return t;
}

bool wedr_sigma_text_special(struct wedr_sigma_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        if (t.c[i] == WEDR_SIGMA_STAR || t.c[i] == WEDR_SIGMA_ANY) {
            return true;
        }
    }
    return false;
}

struct wedr_text wedr_sigma_text_bytes(struct wedr_arena *a, struct wedr_sigma_text t)
{
    char *p = wedr_arena_alloc(a, (size_t)t.len + 1);
    for (uint32_t i = 0; p && i < t.len; i++) {
        p[i] = (char)(t.c[i] == WEDR_SIGMA_PERCENT ? '%' : t.c[i]);
    }
    return wedr_text(p, p ? t.len : 0);
}
