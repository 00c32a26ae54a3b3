/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "core/base/err.h"
#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_OR_ZLIB 32 /* of inflateInit2: the head says which, any window */

enum packing { PLAIN, GZIP, ZSTANDARD };
enum encoding { UTF_8, UTF_16_LE, UTF_16_BE };

struct wedr_stream {
    wedr_handle h;
    uint64_t taken;
    enum packing packing;
    enum encoding encoding;
    bool begun; /* the encoding is known */
    bool open;  /* inside a packed member */
    z_stream z;
    ZSTD_DStream *zstd;
    size_t in, in_len; /* of `packed` */
    size_t text_len;   /* of `text`: what the last read left over, then new bytes */
    uint8_t packed[WEDR_STREAM_CHUNK];
    uint8_t text[WEDR_STREAM_CHUNK];
    uint8_t utf8[WEDR_STREAM_CHUNK * 3 / 2 + 4];
};

static int refill(struct wedr_stream *s)
{
    s->in = 0;
    int r = wedr_fs_read(s->h, s->packed, sizeof(s->packed), &s->in_len);
    s->taken += r == WEDR_OK ? s->in_len : 0;
    return r;
}

static bool begins(const struct wedr_stream *s, const char *magic, size_t n)
{
    return s->in_len >= n && memcmp(s->packed, magic, n) == 0;
}

/* What the first bytes say. */
static int recognise(struct wedr_stream *s, struct wedr_errinfo *ei)
{
    if (begins(s, "ElfFile", 8)) {
        return wedr_fail(ei, WEDR_E_UNSUP,
                         "a Windows event log: convert it first (evtx_dump -o jsonl FILE)");
    }
    if (begins(s, "PK\x03\x04", 4) || begins(s,
                                             "\xFD"
                                             "7zXZ",
                                             6)) {
        return wedr_fail(ei, WEDR_E_UNSUP, "an archive: unpack it first (gzip and zstd are read)");
    }
    if (begins(s, "\x1F\x8B", 2)) {
        s->packing = GZIP;
        if (inflateInit2(&s->z, MAX_WBITS + GZIP_OR_ZLIB) != Z_OK) {
            return WEDR_E_NOMEM;
        }
    } else if (begins(s, "\x28\xB5\x2F\xFD", 4)) {
        s->packing = ZSTANDARD;
        s->zstd = ZSTD_createDStream();
        return s->zstd ? WEDR_OK : WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

int wedr_stream_new(wedr_handle h, struct wedr_stream **ret_s, struct wedr_errinfo *ei)
{
    struct wedr_stream *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        return WEDR_E_NOMEM;
    }
    s->h = h;
    int r = refill(s);
    if (r == WEDR_OK) {
        r = recognise(s, ei);
    }
    if (r != WEDR_OK) {
        wedr_stream_free(s);
        return r;
    }
    *ret_s = s;
    return WEDR_OK;
}

void wedr_stream_free(struct wedr_stream *s)
{
    if (!s) {
        return;
    }
    if (s->packing == GZIP) {
        (void)inflateEnd(&s->z);
    }
    (void)ZSTD_freeDStream(s->zstd);
    wedr_free(s);
}

static int damaged(struct wedr_errinfo *ei)
{
    return wedr_fail(ei, WEDR_E_FORMAT, "the packed data is damaged");
}

static int ungzip(struct wedr_stream *s, size_t *ret_n, struct wedr_errinfo *ei)
{
    size_t room = sizeof(s->text) - s->text_len;
    s->z.next_in = s->packed + s->in;
    s->z.avail_in = (uInt)(s->in_len - s->in);
    s->z.next_out = s->text + s->text_len;
    s->z.avail_out = (uInt)room;
    int z = inflate(&s->z, Z_NO_FLUSH);
    s->in = s->in_len - s->z.avail_in;
    *ret_n = room - s->z.avail_out;
    s->open = z != Z_STREAM_END;
    if (z == Z_STREAM_END) {
        z = inflateReset(&s->z);
    }
    return z == Z_MEM_ERROR ? WEDR_E_NOMEM : z < 0 && z != Z_BUF_ERROR ? damaged(ei) : WEDR_OK;
}

static int unzstd(struct wedr_stream *s, size_t *ret_n, struct wedr_errinfo *ei)
{
    ZSTD_inBuffer in = {s->packed, s->in_len, s->in};
    ZSTD_outBuffer out = {s->text, sizeof(s->text), s->text_len};
    size_t z = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(z)) {
        return damaged(ei);
    }
    s->in = in.pos;
    s->open = z != 0;
    *ret_n = out.pos - s->text_len;
    return WEDR_OK;
}

/* More bytes behind text_len; *ret_n 0 at the end. */
static int unpack(struct wedr_stream *s, size_t *ret_n, struct wedr_errinfo *ei)
{
    size_t n = 0;
    while (n == 0) {
        int r = s->in == s->in_len ? refill(s) : WEDR_OK;
        if (r != WEDR_OK) {
            return wedr_fail(ei, r, "%s", wedr_err_text(r));
        }
        if (s->in_len == 0) {
            /* What was made of the last bytes may still wait inside. */
            if (s->packing == PLAIN || !s->open) {
                break;
            }
        }
        if (s->packing == PLAIN) {
            n = s->in_len - s->in < sizeof(s->text) - s->text_len ? s->in_len - s->in
                                                                  : sizeof(s->text) - s->text_len;
            memcpy(s->text + s->text_len, s->packed + s->in, n);
            s->in += n;
            break;
        }
        r = s->packing == GZIP ? ungzip(s, &n, ei) : unzstd(s, &n, ei);
        if (r != WEDR_OK) {
            return r;
        }
        if (n == 0 && s->in_len == 0 && s->open) {
            return wedr_fail(ei, WEDR_E_FORMAT, "the packed data ends early");
        }
    }
    *ret_n = n;
    return WEDR_OK;
}

/* Whole characters of `text` as UTF-8; what is left of one stays in front of it. */
static size_t convert(struct wedr_stream *s, bool last)
{
    size_t at = 0;
    size_t n = 0;
    for (size_t i = 0; s->encoding == UTF_16_BE && i + 1 < s->text_len; i += 2) {
        uint8_t high = s->text[i];
        s->text[i] = s->text[i + 1];
        s->text[i + 1] = high;
    }
    while (s->text_len - at >= 2 && (last || s->text_len - at >= 4)) {
        uint32_t c;
        bool ok;
        at += wedr_utf16_next(s->text + at, s->text_len - at, &c, &ok);
        n += wedr_utf8_put(c, s->utf8 + n);
    }
    s->text_len -= at;
    memmove(s->text, s->text + at, s->text_len);
    for (size_t i = 0; s->encoding == UTF_16_BE && i + 1 < s->text_len; i += 2) {
        uint8_t low = s->text[i];
        s->text[i] = s->text[i + 1];
        s->text[i + 1] = low;
    }
    return n;
}

static void find_encoding(struct wedr_stream *s)
{
    if (s->text_len >= 2 &&
        (memcmp(s->text, "\xFF\xFE", 2) == 0 || memcmp(s->text, "\xFE\xFF", 2) == 0)) {
        s->encoding = s->text[0] == 0xFF ? UTF_16_LE : UTF_16_BE;
        s->text_len -= 2;
        memmove(s->text, s->text + 2, s->text_len);
    }
}

int wedr_stream_read(struct wedr_stream *s,
                     const char **ret_p,
                     size_t *ret_n,
                     struct wedr_errinfo *ei)
{
    size_t got = 0;
    size_t n = 0;
    if (s->encoding == UTF_8) {
        s->text_len = 0;
    }
    int r = WEDR_OK;
    do {
        r = unpack(s, &got, ei);
        s->text_len += r == WEDR_OK ? got : 0;
    } while (r == WEDR_OK && !s->begun && got > 0 && s->text_len < 2);
    if (r != WEDR_OK) {
        return r;
    }
    if (!s->begun) {
        s->begun = true;
        find_encoding(s);
    }
    if (s->encoding == UTF_8) {
        *ret_p = (const char *)s->text;
        *ret_n = s->text_len;
        return WEDR_OK;
    }
    n = convert(s, got == 0);
    while (n == 0 && got > 0) { /* less than a character */
        r = unpack(s, &got, ei);
        if (r != WEDR_OK) {
            return r;
        }
        s->text_len += got;
        n = convert(s, got == 0);
    }
    *ret_p = (const char *)s->utf8;
    *ret_n = n;
    return WEDR_OK;
}

uint64_t wedr_stream_taken(const struct wedr_stream *s)
{
    return s->taken;
}
