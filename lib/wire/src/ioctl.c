/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/ioctl.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include <string.h>

static bool prefix_ok(struct wedr_span in, size_t text_at, const uint8_t *ref)
{
    size_t offset = wedr_le32(ref);
    size_t len = wedr_le16(ref + 4);
    struct wedr_span text;

    if (offset < text_at || offset % 2 != 0 || len < 2 || len % 2 != 0 ||
        len > WEDR_FILTER_PREFIX_MAX || wedr_le16(ref + 6) != 0 ||
        !wedr_span_sub(in, offset, len, &text) || wedr_le16(text.p) != '\\') {
        return false;
    }
    for (size_t i = 0; i < len; i += 2) {
        if (wedr_le16(text.p + i) == 0) {
            return false;
        }
    }
    return true;
}

int wedr_filter_check(struct wedr_span in, struct wedr_filter *ret)
{
    struct wedr_filter f;
    size_t count, text_at;

    if (in.len > WEDR_FILTER_MAX) {
        return WEDR_E_LIMIT;
    }
    if (in.len < sizeof(struct wedr_filter_header)) {
        return WEDR_E_FORMAT;
    }
    if (wedr_le32(in.p) != WEDR_FILTER_MAGIC || wedr_le16(in.p + 8) != WEDR_IOCTL_VERSION) {
        return WEDR_E_VERSION;
    }
    f.path_count = wedr_le16(in.p + 10);
    f.registry_count = wedr_le16(in.p + 12);
    f.classes = wedr_le32(in.p + 16);
    if (f.path_count > WEDR_FILTER_PATHS_MAX || f.registry_count > WEDR_FILTER_REGISTRY_MAX) {
        return WEDR_E_LIMIT;
    }
    if ((f.classes & WEDR_CLASS_PROCESS) == 0 || (f.classes & ~WEDR_CLASS_ALL) != 0) {
        return WEDR_E_RANGE;
    }
    count = (size_t)f.path_count + f.registry_count;
    text_at = sizeof(struct wedr_filter_header) + count * sizeof(struct wedr_filter_prefix);
    if (wedr_le32(in.p + 4) != in.len || text_at > in.len || wedr_le16(in.p + 14) != 0 ||
        wedr_le32(in.p + 20) != 0 || wedr_le64(in.p + 24) != 0) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *ref = in.p + sizeof(struct wedr_filter_header) + i * 8;

        if (!prefix_ok(in, text_at, ref)) {
            return WEDR_E_FORMAT;
        }
    }
    *ret = f;
    return WEDR_OK;
}

struct wedr_span wedr_filter_prefix_at(struct wedr_span in, size_t i)
{
    const uint8_t *ref = in.p + sizeof(struct wedr_filter_header) + i * 8;

    return wedr_span(in.p + wedr_le32(ref), wedr_le16(ref + 4));
}

/* Windows runs on little-endian machines alone: these two copy, they do not convert. */
int wedr_ioctl_stats_decode(struct wedr_span in, struct wedr_ioctl_stats *ret)
{
    struct wedr_ioctl_stats s;

    if (in.len < sizeof(s)) {
        return WEDR_E_AGAIN;
    }
    memcpy(&s, in.p, sizeof(s));
    if (s.ioctl_version != WEDR_IOCTL_VERSION) {
        return WEDR_E_VERSION;
    }
    if (s.size < sizeof(s) || s.lane_count != WEDR_LANE_COUNT ||
        s.callback_count < WEDR_CALLBACK_COUNT || s.callback_count > WEDR_CALLBACK_MAX ||
        s.epoch == 0) {
        return WEDR_E_FORMAT;
    }
    *ret = s;
    return WEDR_OK;
}

int wedr_ioctl_version_decode(struct wedr_span in, struct wedr_ioctl_version *ret)
{
    struct wedr_ioctl_version v;

    if (in.len < sizeof(v)) {
        return WEDR_E_AGAIN;
    }
    memcpy(&v, in.p, sizeof(v));
    if (v.ioctl_version != WEDR_IOCTL_VERSION || v.wire_version != WEDR_WIRE_VERSION) {
        return WEDR_E_VERSION;
    }
    if (v.size < sizeof(v) || v.record_max < 4096 || v.record_max > WEDR_RECORD_MAX ||
        v.epoch == 0) {
        return WEDR_E_FORMAT;
    }
    *ret = v;
    return WEDR_OK;
}
