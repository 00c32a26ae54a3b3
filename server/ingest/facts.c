/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/facts.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include <string.h>

static bool parse_u64(const char **s, const char *end, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *s;
    while (p < end && *p >= '0' && *p <= '9') {
        uint64_t d = (uint64_t)(*p - '0');
        if (v > ((uint64_t)INT64_MAX - d) / 10u) {
            return false;
        }
        v = v * 10u + d;
        p++;
    }
    bool some = p != *s;
    *s = p;
    *ret = v;
    return some;
}

int wedr_ranges_parse(const char *s,
                      size_t len,
                      struct wedr_seq_range ret[WEDR_RANGES_MAX],
                      uint32_t *ret_count)
{
    const char *end = s + len;
    uint32_t n = 0;
    while (s < end) {
        struct wedr_seq_range r;
        if (n == WEDR_RANGES_MAX || !parse_u64(&s, end, &r.first) || r.first == 0) {
            return WEDR_E_FORMAT;
        }
        r.last = r.first;
        if (s < end && *s == '-') {
            s++;
            if (!parse_u64(&s, end, &r.last) || r.last < r.first) {
                return WEDR_E_FORMAT;
            }
        }
        ret[n++] = r;
        if (s == end) {
            break;
        }
        if (*s != ',' || s + 1 == end) {
            return WEDR_E_FORMAT;
        }
        s++;
    }
    *ret_count = n;
    return WEDR_OK;
}

bool wedr_fact_type(uint8_t code)
{
    return code == WEDR_EV_EPOCH_START || code == WEDR_EV_EPOCH_END ||
           code == WEDR_EV_TELEMETRY_LOSS || code == WEDR_EV_COVERAGE_GAP;
}

static bool read_epoch(const struct wedr_line *line, struct wedr_fact *f)
{
    const struct wedr_lp_member *m = wedr_line_raw(line, "epoch");
    uint8_t b[8];
    if (m == NULL || wedr_unhex(m->s, m->s_len, b, sizeof(b)) != WEDR_OK) {
        return false;
    }
    f->epoch = 0;
    for (size_t i = 0; i < sizeof(b); i++) {
        f->epoch = f->epoch << 8 | b[i];
    }
    return f->epoch != 0;
}

static bool read_stream(const struct wedr_line *line, struct wedr_fact *f)
{
    const struct wedr_lp_member *m = wedr_line_raw(line, "stream");
    if (m == NULL || m->s_len >= sizeof(f->stream) || !wedr_stream_name_valid(m->s, m->s_len)) {
        return false;
    }
    memcpy(f->stream, m->s, m->s_len);
    return true;
}

static bool read_count(const struct wedr_line *line, const char *key, uint64_t *ret)
{
    const struct wedr_lp_member *m = wedr_line_raw(line, key);
    if (m == NULL || m->type != WEDR_LP_INT) {
        return false;
    }
    *ret = m->v;
    return true;
}

static bool read_reason(const struct wedr_line *line, uint8_t kind, struct wedr_fact *f)
{
    const struct wedr_lp_member *m = wedr_line_raw(line, "reason");
    uint32_t code = 0;
    if (m == NULL || wedr_label_code(kind, m->s, m->s_len, &code) != WEDR_OK) {
        return false;
    }
    f->reason = (uint16_t)code;
    return true;
}

static bool read_time(const struct wedr_line *line, const char *key, int64_t *ret)
{
    const struct wedr_lp_member *m = wedr_line_raw(line, key);
    return m != NULL && wedr_line_time_parse(m->s, m->s_len, ret);
}

static bool read_start(const struct wedr_line *line, struct wedr_fact *f)
{
    const struct wedr_lp_member *boot = wedr_line_raw(line, "boot_id_hex");
    const struct wedr_lp_member *adopted = wedr_line_raw(line, "adopted");
    f->adopted = adopted != NULL && adopted->v != 0;
    return boot != NULL &&
           wedr_unhex(boot->s, boot->s_len, f->boot_id, sizeof(f->boot_id)) == WEDR_OK;
}

static bool read_loss(const struct wedr_line *line, struct wedr_fact *f)
{
    const struct wedr_lp_member *ranges = wedr_line_raw(line, "ranges");
    f->has_produced = read_count(line, "produced", &f->produced);
    if (!read_reason(line, WEDR_KIND_LOSS_REASON, f) || !read_count(line, "lost", &f->lost) ||
        f->lost > WEDR_LOST_MAX) {
        return false;
    }
    return ranges == NULL ||
           wedr_ranges_parse(ranges->s, ranges->s_len, f->range, &f->range_count) == WEDR_OK;
}

int wedr_fact_read(const struct wedr_line *line,
                   const struct wedr_line_info *info,
                   struct wedr_fact *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->type = info->code;
    ret->seq = info->seq;
    ret->ts_us = info->ts_us;
    bool good =
        read_stream(line, ret) && (info->code == WEDR_EV_COVERAGE_GAP || read_epoch(line, ret));
    if (good && info->code == WEDR_EV_EPOCH_START) {
        good = read_start(line, ret);
    } else if (good && info->code == WEDR_EV_EPOCH_END) {
        good = ret->has_produced = read_count(line, "produced", &ret->produced);
    } else if (good && info->code == WEDR_EV_TELEMETRY_LOSS) {
        good = read_loss(line, ret);
    } else if (good) {
        good = read_reason(line, WEDR_KIND_GAP_REASON, ret) &&
               read_time(line, "from", &ret->from_us) && read_time(line, "to", &ret->to_us);
    }
    return good ? WEDR_OK : WEDR_E_FORMAT;
}
