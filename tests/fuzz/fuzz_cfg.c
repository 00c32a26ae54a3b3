/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_cfg.c — any bytes as a configuration file: a bad one changes nothing and names a
 * line. */
#include "core/base/err.h"
#include "core/util/cfg.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct options {
    bool flag;
    uint64_t number;
    char text[16];
    char list[32];
    char guard[8];
};

static const struct wedr_cfg_option table[] = {
    {"a.flag", WEDR_CFG_BOOL, offsetof(struct options, flag), sizeof(bool), 0, 0, "true", ""},
    {"a.number", WEDR_CFG_U64, offsetof(struct options, number), sizeof(uint64_t), 5, 300, "60",
     ""},
    {"b.text", WEDR_CFG_STR, offsetof(struct options, text), 16, 0, 0, "abc", ""},
    {"b.list", WEDR_CFG_LIST, offsetof(struct options, list), 32, 0, 0, "x,y", ""},
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options before, after;
    memset(&before, 0x5A, sizeof(before));
    require(wedr_cfg_defaults(table, ROWS, &before, NULL) == WEDR_OK);
    memcpy(&after, &before, sizeof(after));
    struct wedr_errinfo ei = {{0}};
    int err = wedr_cfg_parse(table, ROWS, (const char *)data, size, &after, &ei);
    if (err) {
        require(memcmp(&before, &after, sizeof(after)) == 0);
        require(err != WEDR_E_FORMAT || strncmp(ei.text, "line ", 5) == 0);
        return 0;
    }
    require(after.number >= 5 && after.number <= 300);
    require(memchr(after.text, 0, sizeof(after.text)) != NULL);
    require(after.list[sizeof(after.list) - 1] == '\0');
    require(memcmp(after.guard, before.guard, sizeof(after.guard)) == 0);
    return 0;
}
