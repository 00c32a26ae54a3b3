/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "core/util/sha256.h"
#include "sensor_priv.h"

#include <sys/mman.h>
#include <unistd.h>

#include "sensor_areas.gen.h" /* made by CMake from its list of areas: struct wedr_area areas[] */

size_t wedr_area_list(const struct wedr_area **ret)
{
    *ret = areas;
    return WEDR_ARRAY_COUNT(areas);
}

void wedr_areas_forget(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < 2 * WEDR_ARRAY_COUNT(areas); i++) {
        size_t len = 0;
        const struct wedr_area *a = &areas[i / 2];
        uintptr_t from = (uintptr_t)(i % 2 ? a->fast(&len) : a->probe(&len));
        uintptr_t first = (from + page - 1) / page * page, end = (from + len) / page * page;
        if (end > first) {
            (void)madvise((void *)first, end - first,
                          MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
        }
    }
}

/* Digest of digests: the objects one after another, then the tables. */
void wedr_areas_digest(uint8_t ret[32])
{
    static const char table[] =
#define WEDR_HOOK(area, name, need, point) #area " " #name " " #need " " point "\n"
#include "sensor_hooks.def"
#undef WEDR_HOOK
#define WEDR_PERSIST(mechanism, text) #mechanism " " text "\n"
#include "wedr/wire/persistence.def"
#undef WEDR_PERSIST
        ;
    uint8_t all[2 * WEDR_ARRAY_COUNT(areas) + 1][WEDR_SHA256_LEN];
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(areas); i++) {
        size_t len = 0;
        const void *bytes = areas[i].fast(&len);
        wedr_sha256(bytes, len, all[2 * i]);
        bytes = areas[i].probe(&len);
        wedr_sha256(bytes, len, all[2 * i + 1]);
    }
    wedr_sha256(table, sizeof table, all[2 * WEDR_ARRAY_COUNT(areas)]);
    wedr_sha256(all, sizeof all, ret);
}
