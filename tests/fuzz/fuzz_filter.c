/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_filter.c — any bytes as a SET_FILTER input: refused, or every prefix of it lies
 * inside. */
#include "core/base/err.h"
#include "wedr/wire/ioctl.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_span in = wedr_span(data, size);
    struct wedr_ioctl_version version;
    struct wedr_ioctl_stats stats;
    struct wedr_filter f;

    if (wedr_filter_check(in, &f) == WEDR_OK) {
        require(f.path_count <= WEDR_FILTER_PATHS_MAX &&
                f.registry_count <= WEDR_FILTER_REGISTRY_MAX);
        for (size_t i = 0; i < (size_t)f.path_count + f.registry_count; i++) {
            struct wedr_span s = wedr_filter_prefix_at(in, i);

            require(s.p > data && s.len >= 2 && s.len <= WEDR_FILTER_PREFIX_MAX);
            require((size_t)(s.p - data) <= size - s.len && s.p[0] == '\\' &&
                    s.p[s.len - 2] + s.p[s.len - 1] != 0);
        }
    }
    if (wedr_ioctl_stats_decode(in, &stats) == WEDR_OK) {
        require(stats.callback_count <= WEDR_CALLBACK_MAX && stats.lane_count == WEDR_LANE_COUNT);
    }
    if (wedr_ioctl_version_decode(in, &version) == WEDR_OK) {
        require(version.record_max <= WEDR_RECORD_MAX);
    }
    return 0;
}
