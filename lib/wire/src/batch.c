/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/batch.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include <string.h>

#define SUFFIX ".zst"
#define SUFFIX_LEN (sizeof(SUFFIX) - 1)
/* Bytes of a name before the stream: seven numbers and the digest, each with its dot. */
#define NAME_PREFIX (17u + 17u + 17u + 9u + 17u + 17u + 33u + 65u)
_Static_assert(NAME_PREFIX + WEDR_STREAM_NAME_MAX + SUFFIX_LEN <= WEDR_BATCH_NAME_MAX,
               "the longest name fits");
_Static_assert(sizeof(struct wedr_capture_header) == 56, "capture header layout is frozen");

bool wedr_stream_name_valid(const char *s, size_t len)
{
    if (len == 0 || len >= WEDR_STREAM_NAME_MAX || s[0] < 'a' || s[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-')) {
            return false;
        }
    }
    return true;
}

/* Length of the name in its field; the field's size when no NUL is there. */
static size_t stream_len(const char *s)
{
    size_t n = 0;

    while (n < WEDR_STREAM_NAME_MAX && s[n] != '\0') {
        n++;
    }
    return n;
}

int wedr_batch_id_check(const struct wedr_batch_id *id)
{
    if (!wedr_stream_name_valid(id->stream, stream_len(id->stream))) {
        return WEDR_E_FORMAT;
    }
    if (id->epoch == 0 || id->first_seq == 0 || id->last_seq < id->first_seq ||
        id->produced < id->last_seq) {
        return WEDR_E_RANGE;
    }
    if (id->count == 0 || id->count > WEDR_BATCH_LINES_MAX ||
        id->count - 1u > id->last_seq - id->first_seq) {
        return WEDR_E_RANGE;
    }
    return WEDR_OK;
}

static char *put_number(char *p, uint64_t v, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        *p++ = "0123456789abcdef"[(v >> (4 * (i - 1))) & 15];
    }
    *p++ = '.';
    return p;
}

static char *put_bytes(char *p, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *p++ = "0123456789abcdef"[b[i] >> 4];
        *p++ = "0123456789abcdef"[b[i] & 15];
    }
    *p++ = '.';
    return p;
}

int wedr_batch_name(const struct wedr_batch_id *id, char ret_name[WEDR_BATCH_NAME_MAX])
{
    char *p = ret_name;
    size_t n = stream_len(id->stream);

    if (wedr_batch_id_check(id) != WEDR_OK) {
        return WEDR_E_RANGE;
    }
    p = put_number(p, id->epoch, 16);
    p = put_number(p, id->first_seq, 16);
    p = put_number(p, id->last_seq, 16);
    p = put_number(p, id->count, 8);
    p = put_number(p, id->produced, 16);
    p = put_number(p, id->lost, 16);
    p = put_bytes(p, id->boot_id, sizeof(id->boot_id));
    p = put_bytes(p, id->sha256, sizeof(id->sha256));
    memcpy(p, id->stream, n);
    memcpy(p + n, SUFFIX, SUFFIX_LEN + 1);
    return WEDR_OK;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads n bytes as 2n digits and the dot behind them. The prefix is known to be there. */
static bool get_bytes(const char **p, uint8_t *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int hi = nibble((*p)[2 * i]);
        int lo = nibble((*p)[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return false;
        }
        ret[i] = (uint8_t)(hi << 4 | lo);
    }
    *p += 2 * n;
    return *(*p)++ == '.';
}

static bool get_number(const char **p, size_t bytes, uint64_t *ret)
{
    uint8_t b[8];
    uint64_t v = 0;

    if (!get_bytes(p, b, bytes)) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | b[i];
    }
    *ret = v;
    return true;
}

int wedr_batch_name_parse(const char *name, size_t len, struct wedr_batch_id *ret_id)
{
    struct wedr_batch_id id = {0};
    const char *p = name;
    uint64_t count = 0;
    size_t n;

    if (len <= NAME_PREFIX + SUFFIX_LEN ||
        memcmp(name + len - SUFFIX_LEN, SUFFIX, SUFFIX_LEN) != 0) {
        return WEDR_E_FORMAT;
    }
    n = len - NAME_PREFIX - SUFFIX_LEN;
    if (!get_number(&p, 8, &id.epoch) || !get_number(&p, 8, &id.first_seq) ||
        !get_number(&p, 8, &id.last_seq) || !get_number(&p, 4, &count) ||
        !get_number(&p, 8, &id.produced) || !get_number(&p, 8, &id.lost) ||
        !get_bytes(&p, id.boot_id, sizeof(id.boot_id)) ||
        !get_bytes(&p, id.sha256, sizeof(id.sha256)) || !wedr_stream_name_valid(p, n)) {
        return WEDR_E_FORMAT;
    }
    memcpy(id.stream, p, n);
    id.count = (uint32_t)count;
    if (wedr_batch_id_check(&id) != WEDR_OK) {
        return WEDR_E_FORMAT;
    }
    *ret_id = id;
    return WEDR_OK;
}

void wedr_batch_signed_bytes(const uint8_t agent_id[WEDR_AGENT_ID_LEN],
                             const struct wedr_batch_id *id,
                             uint8_t ret[WEDR_BATCH_SIGNED_LEN])
{
    static const uint8_t magic[8] = {'W', 'E', 'D', 'R', 'B', 'A', 'T', '7'};

    memset(ret, 0, WEDR_BATCH_SIGNED_LEN);
    memcpy(ret, magic, sizeof(magic));
    memcpy(ret + 8, agent_id, WEDR_AGENT_ID_LEN);
    wedr_put_le64(ret + 24, id->epoch);
    memcpy(ret + 32, id->boot_id, WEDR_BOOT_ID_LEN);
    memcpy(ret + 48, id->stream, stream_len(id->stream));
    wedr_put_le64(ret + 96, id->first_seq);
    wedr_put_le64(ret + 104, id->last_seq);
    wedr_put_le32(ret + 112, id->count);
    wedr_put_le64(ret + 116, id->produced);
    wedr_put_le64(ret + 124, id->lost);
    memcpy(ret + 132, id->sha256, sizeof(id->sha256));
}

int wedr_capture_header_decode(struct wedr_span in, struct wedr_capture_header *ret)
{
    struct wedr_capture_header h = {.size = 0};

    if (in.len < sizeof(h)) {
        return WEDR_E_AGAIN;
    }
    memcpy(h.magic, in.p, sizeof(h.magic));
    h.size = wedr_le32(in.p + 8);
    h.os = in.p[12];
    memcpy(h.reserved, in.p + 13, sizeof(h.reserved));
    h.epoch = wedr_le64(in.p + 16);
    memcpy(h.boot_id, in.p + 24, sizeof(h.boot_id));
    h.boot_ns = wedr_le64(in.p + 40);
    h.utc_us = (int64_t)wedr_le64(in.p + 48);
    if (memcmp(h.magic, WEDR_CAPTURE_MAGIC, sizeof(h.magic)) != 0) {
        return WEDR_E_VERSION;
    }
    if (h.size < sizeof(h) || h.size > WEDR_CAPTURE_HEADER_MAX || h.epoch == 0 ||
        (h.os != WEDR_OS_LINUX && h.os != WEDR_OS_WINDOWS) ||
        (h.reserved[0] | h.reserved[1] | h.reserved[2]) != 0) {
        return WEDR_E_FORMAT;
    }
    *ret = h;
    return WEDR_OK;
}
