/* SPDX-License-Identifier: Apache-2.0
 *
 * What the metadata of a block says about a query. */
#include "store/events/sql/scan.h"
#include <stdio.h>
#include <string.h>

#define HEX_EPOCH 17u

const char *wedr_scan_lane(const char *stream, uint8_t code)
{
    bool bulk = strcmp(stream, WEDR_STREAM_NAME_BULK) == 0;
    if (!bulk && strcmp(stream, WEDR_STREAM_NAME_CRITICAL) != 0) {
        const struct wedr_type_info *t = wedr_type_by_code(code);
        bulk = t == NULL || t->lane == WEDR_LANE_BULK;
    }
    return bulk ? "bulk" : "critical";
}

static bool test_hex(const struct wedr_test *t, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * WEDR_BOOT_ID_LEN];
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    return wedr_test_text(t, text, 2 * n);
}

static bool test_epoch(const struct wedr_test *t, uint64_t epoch)
{
    char text[HEX_EPOCH];
    (void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)epoch);
    return wedr_test_text(t, text, HEX_EPOCH - 1);
}

static bool meta_passes(const struct wedr_test *t, const struct wedr_block_meta *m)
{
    switch (t->column) {
    case C_AGENT_ID:
        return wedr_test_text(t, m->agent, strlen(m->agent));
    case C_HOSTNAME:
        return wedr_test_text(t, m->hostname, strlen(m->hostname));
    case C_STREAM:
        return wedr_test_text(t, m->stream, strlen(m->stream));
    case C_EPOCH:
        return test_epoch(t, m->epoch);
    case C_BOOT_ID:
        return test_hex(t, m->boot_id, sizeof(m->boot_id));
    case C_RECEIVED_AT:
        return m->merged || wedr_test_number(t, m->received_at);
    default:
        return true;
    }
}

bool wedr_scan_code_passes(const struct wedr_events_ask *a, const char *stream, uint8_t code)
{
    bool good = a->code_ok[code];
    for (size_t i = 0; good && i < a->count; i++) {
        if (a->test[i].column == C_LANE) {
            const char *lane = wedr_scan_lane(stream, code);
            good = wedr_test_text(&a->test[i], lane, strlen(lane));
        }
    }
    return good;
}

static bool counts_pass(const struct wedr_events_ask *a, const struct wedr_block_meta *m)
{
    for (uint32_t i = 0; i + 6 <= m->counts_len; i += 6) {
        unsigned code = m->counts[i] | (unsigned)m->counts[i + 1] << 8;
        if (code < 256 && wedr_scan_code_passes(a, m->stream, (uint8_t)code)) {
            return true;
        }
    }
    return false;
}

bool wedr_scan_wants(const struct wedr_events_ask *a, const struct wedr_block_meta *m)
{
    if (m->t1 < a->ts_min || m->t0 > a->ts_max || m->seq1 < a->seq_min || m->seq0 > a->seq_max) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!meta_passes(&a->test[i], m)) {
            return false;
        }
    }
    return counts_pass(a, m);
}
