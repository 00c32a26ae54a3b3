/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_settings.c — any bytes as the lines of a profile: what is refused says why and
 * changes nothing, what is taken has a meaning, and taking it twice is taking it once. */
#include "core/base/err.h"
#include "wedr/rules/settings.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_sensor_settings s, before;
    static struct wedr_settings_meaning m;
    struct wedr_errinfo ei = {""};
    wedr_settings_defaults(&s);
    before = s;
    if (wedr_settings_apply(&s, (const char *)data, size, &ei) != WEDR_OK) {
        require(ei.text[0] != '\0' && memcmp(&s, &before, sizeof(s)) == 0);
        return 0;
    }
    require(wedr_settings_mean(&s, &m, NULL) == WEDR_OK);
    before = s;
    require(wedr_settings_apply(&s, (const char *)data, size, NULL) == WEDR_OK &&
            memcmp(&s, &before, sizeof(s)) == 0);
    return 0;
}
