/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/filter.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/bytes16.h"
#include "ingest/schema_table.h"
#include "ingest/token_set.h"
#include "ingest/zframe.h"
#include <string.h>
#include <zstd.h>

#define BLOOM_VERSION 2u /* 1: without texts by field */
#define BLOOM_HEADER 8u
#define BLOOM_BLOCK 32u  /* bytes: 8 words of 32 bits */
#define NGRAM_VERSION 2u /* 1: without the envelope */
#define NGRAM_HEADER 4u
#define TOKENS_OF_LINE 8u /* new ones, roughly */
#define TWINS_MAX 32u     /* texts of a line that are compared with each other */
#define TWINS_EVERY 64u   /* lines of a type of which one is compared whole */
#define WORD_MIN 3u
#define SHORT_MAX 16u /* bytes of a key that the memory of known keys can hold */
#define SHORT_SLOTS 256u

/* What a byte of a value is to the words in it. A letter or digit is in both kinds of word. */
enum byte_kind { BYTE_NONE, BYTE_MAJOR, BYTE_ALNUM };

/* All bytes of a text of 1 .. SHORT_MAX bytes. */
struct short_text {
    uint64_t first, last;
    size_t len; /* 0: free */
};

struct wedr_filter_builder {
    struct wedr_token_set set; /* values of this block, and what goes into the Bloom filter */
    struct wedr_buf lower;
    bool failed;
    uint64_t slots[256][WEDR_SCHEMA_WORDS]; /* by type code: keys that the block had */
    bool types[256];                        /* types that the block had */
    uint8_t twin[256]
                [TWINS_MAX]; /* by type code and text: 1 + the text before it that was the same */
    uint8_t lines[256];      /* of the type, as far as that matters */
    uint8_t kind[256];       /* enum byte_kind */
    struct short_text known[SHORT_SLOTS]; /* key names that need no second look */
    uint8_t ngram[WEDR_NGRAM_BYTES];
};

static const uint32_t bloom_salt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                       0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

static uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64u - n);
}

static uint64_t mix_word(uint64_t h, uint64_t w)
{
    w *= 0x9E3779B185EBCA87ull;
    w = rotl(w, 31) * 0xC2B2AE3D27D4EB4Full;
    h ^= w;
    return rotl(h, 27) * 0x9E3779B185EBCA87ull + 0x85EBCA77C2B2AE63ull;
}

/* 1 .. 7 bytes, zeros behind them. Loads overlap rather than loop. */
static inline uint64_t short_word(const char *s, size_t len)
{
    if (len >= 4) {
        return wedr_le32(s) | (uint64_t)wedr_le32(s + len - 4) << (8u * (len - 4));
    }
    return (uint64_t)(uint8_t)s[0] | (uint64_t)(uint8_t)s[len / 2] << (8u * (len / 2)) |
           (uint64_t)(uint8_t)s[len - 1] << (8u * (len - 1));
}

static inline uint64_t hash_of(const char *s, size_t len)
{
    uint64_t h = 0x27D4EB2F165667C5ull ^ (uint64_t)len;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        h = mix_word(h, wedr_le64(s + i));
    }
    if (i < len) {
        h = mix_word(h, short_word(s + i, len - i));
    }
    h ^= h >> 33;
    h *= 0xFF51AFD7ED558CCDull;
    h ^= h >> 33;
    h *= 0xC4CEB9FE1A85EC53ull;
    return h ^ (h >> 33);
}

uint64_t wedr_filter_hash(const char *s, size_t len)
{
    return hash_of(s, len);
}

static enum byte_kind kind_of(int c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
        return BYTE_ALNUM;
    }
    return c == '.' || c == '_' || c == ':' || c == '-' ? BYTE_MAJOR : BYTE_NONE;
}

struct wedr_filter_builder *wedr_filter_builder_new(size_t lines)
{
    struct wedr_filter_builder *b = wedr_alloc(1, sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    wedr_buf_init(&b->lower, 64u << 20);
    for (int c = 0; c < 256; c++) {
        b->kind[c] = (uint8_t)kind_of(c);
    }
    if (!wedr_token_set_init(&b->set, lines * TOKENS_OF_LINE)) {
        wedr_filter_builder_free(b);
        return NULL;
    }
    return b;
}

void wedr_filter_builder_free(struct wedr_filter_builder *b)
{
    if (b != NULL) {
        wedr_token_set_fini(&b->set);
        wedr_buf_fini(&b->lower);
        wedr_free(b);
    }
}

static uint32_t ngram_bit(const char *s)
{
    return (wedr_le32(s) * 2654435761u) >> (32u - WEDR_NGRAM_BITS);
}

static void add_ngrams(struct wedr_filter_builder *b, const char *s, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++) {
        uint32_t bit = ngram_bit(s + i);
        b->ngram[bit >> 3] |= (uint8_t)(1u << (bit & 7u));
    }
}

/* ret has len bytes. True when it was in lower case before. */
static bool lower_into(char *ret, const char *s, size_t len)
{
    size_t i = 0;
    uint32_t upper = 0;
    for (; i + 16 <= len; i += 16) {
        upper |= wedr_bytes16_lower(ret + i, s + i);
    }
    for (; i < len; i++) {
        uint8_t c = (uint8_t)s[i], up = (uint8_t)(c - 'A') < 26u;
        ret[i] = (char)(c + 32u * up);
        upper |= up;
    }
    return upper == 0;
}

/* In lower case with 16 readable bytes behind, valid until the next call; NULL when out of memory.
 * ret_same: it was. */
static const char *
to_lower(struct wedr_filter_builder *b, const char *s, size_t len, bool *ret_same)
{
    wedr_buf_truncate(&b->lower, 0);
    char *p = (char *)wedr_buf_reserve(&b->lower, len + 16u);
    if (p == NULL) {
        b->failed = true;
        return NULL;
    }
    *ret_same = lower_into(p, s, len);
    memset(p + len, 0, 16);
    return p;
}

static void add_word(struct wedr_filter_builder *b, const char *s, size_t len)
{
    if (len >= WORD_MIN) {
        wedr_token_set_add_key(&b->set, wedr_filter_hash(s, len));
    }
}

/* Words of letters and digits, and words that may have . _ : - in them, in one pass from one byte
 * that is neither letter nor digit to the next. A word that is both is added once, and not at all
 * when it is the whole value, which the caller adds. 16 bytes behind s can be read. */
static void add_words(struct wedr_filter_builder *b, const char *s, size_t len)
{
    size_t major = 0, alnum = 0; /* where the words begin that `at` ends */
    for (size_t i = 0; i <= len; i += 16) {
        uint32_t ends = wedr_bytes16_not_alnum(s + i); /* a zero byte is one */
        for (; ends != 0; ends &= ends - 1) {
            size_t at = i + (size_t)__builtin_ctz(ends);
            if (at > len) {
                return;
            }
            bool end = at == len, both = major == alnum;
            uint8_t kind = end ? (uint8_t)BYTE_NONE : b->kind[(uint8_t)s[at]];
            if (kind == BYTE_MAJOR || !both) {
                add_word(b, s + alnum, at - alnum);
            }
            if (kind == BYTE_NONE && !(major == 0 && end)) {
                add_word(b, s + major, at - major);
            }
            alnum = at + 1;
            major = kind == BYTE_NONE ? at + 1 : major;
        }
    }
}

void wedr_filter_add_value(struct wedr_filter_builder *b, const char *s, size_t len)
{
    if (len == 0) {
        return;
    }
    uint64_t hash = hash_of(s, len);
    uint64_t *at = wedr_token_set_at(&b->set, hash);
    if (at == NULL || (*at & WEDR_TOKEN_VALUE) != 0) {
        return;
    }
    *at |= WEDR_TOKEN_VALUE;
    if (len == 16 && wedr_bytes16_not_lower_hex(s) == 0) { /* a key: one word, in lower case */
        wedr_token_set_list(&b->set, at, hash);
        add_ngrams(b, s, len);
        return;
    }
    bool same = false;
    const char *l = to_lower(b, s, len, &same);
    if (l == NULL) {
        return;
    }
    if (same) {
        wedr_token_set_list(&b->set, at, hash);
    } else {
        wedr_token_set_add_key(&b->set, wedr_filter_hash(l, len));
    }
    add_words(b, l, len);
    add_ngrams(b, l, len);
}

static void find_twins(uint8_t twin[TWINS_MAX], const struct wedr_line_info *info, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        twin[i] = 0;
        for (size_t k = 0; k < i && twin[i] == 0; k++) {
            twin[i] = wedr_schema_says(info->text[i], info->text[k]->s, info->text[k]->s_len)
                          ? (uint8_t)(k + 1)
                          : 0;
        }
    }
}

/* Many values stand in process and in raw: one that is the same as that before it was the same as
 * last time needs no hash. */
void wedr_filter_add_texts(struct wedr_filter_builder *b, const struct wedr_line_info *info)
{
    uint8_t *twin = b->twin[info->code];
    size_t compared = info->texts < TWINS_MAX ? info->texts : TWINS_MAX;
    if (b->lines[info->code]++ % TWINS_EVERY == 0) {
        find_twins(twin, info, compared);
    }
    for (size_t i = 0; i < info->texts; i++) {
        const struct wedr_lp_member *m = info->text[i];
        bool seen = i < compared && twin[i] != 0 && twin[i] <= i &&
                    wedr_schema_says(info->text[twin[i] - 1], m->s, m->s_len);
        if (!seen) {
            wedr_filter_add_value(b, m->s, m->s_len);
        }
    }
}

/* True when the block had this key; else it has now. False for a long one. The same keys come in
 * every line: this is cheaper than to hash them. */
static bool known_key(struct wedr_filter_builder *b, const char *s, size_t len)
{
    if (len > SHORT_MAX) {
        return false;
    }
    uint64_t first = len < 8 ? short_word(s, len) : wedr_le64(s);
    uint64_t last = len < 8 ? 0 : wedr_le64(s + len - 8);
    uint64_t mixed = (first ^ rotl(last, 32) ^ len) * 0x9E3779B185EBCA87ull;
    struct short_text *t = &b->known[mixed >> 56];
    if (t->first == first && t->last == last && t->len == len) {
        return true;
    }
    *t = (struct short_text){first, last, len};
    return false;
}

void wedr_filter_add_key(struct wedr_filter_builder *b, const char *s, size_t len)
{
    if (len == 0 || known_key(b, s, len)) {
        return;
    }
    uint64_t *at = wedr_token_set_at(&b->set, ~wedr_filter_hash(s, len));
    if (at == NULL || (*at & WEDR_TOKEN_VALUE) != 0) {
        return;
    }
    *at |= WEDR_TOKEN_VALUE;
    bool same = false;
    const char *l = to_lower(b, s, len, &same);
    if (l != NULL) {
        add_ngrams(b, l, len);
    }
}

static void add_slots(struct wedr_filter_builder *b, const struct wedr_line_info *info, size_t word)
{
    uint64_t left = info->keys[word] & ~b->slots[info->code][word];
    b->slots[info->code][word] |= left;
    for (size_t i = word * 64u; left != 0; left >>= 1, i++) {
        if ((left & 1u) != 0) {
            const struct wedr_schema_slot *s = &info->schema->slot[i];
            wedr_filter_add_key(b, wedr_schema_key(s), s->key_len);
        }
    }
}

void wedr_filter_add_known(struct wedr_filter_builder *b, const struct wedr_line_info *info)
{
    for (size_t word = 0; word < WEDR_SCHEMA_WORDS; word++) {
        if ((info->keys[word] & ~b->slots[info->code][word]) != 0) {
            add_slots(b, info, word);
        }
    }
    if (!b->types[info->code]) {
        const struct wedr_schema_type *t = info->schema;
        b->types[info->code] = true;
        wedr_filter_add_key(b, t->type->event_type, t->name_len);
        wedr_filter_add_key(b, t->type->module, t->module_len);
        wedr_filter_add_key(b, t->type->kind, t->kind_len);
    }
}

void wedr_filter_add_number(struct wedr_filter_builder *b, const char *field, uint64_t v)
{
    char text[64];
    size_t at = sizeof(text), len = 0;
    do {
        text[--at] = (char)('0' + v % 10u);
        v /= 10u;
    } while (v != 0);
    while (field[len] != 0) {
        len++;
    }
    if (len >= at) {
        return; /* no such field name */
    }
    text[--at] = '=';
    while (len > 0) {
        text[--at] = field[--len];
    }
    wedr_token_set_add_key(&b->set, wedr_filter_hash(text + at, sizeof(text) - at));
}

uint64_t wedr_filter_field_hash(const char *field, const char *s, size_t len)
{
    char text[WEDR_FILTER_FIELD_MAX];
    size_t at = strlen(field);
    if (at + 1 + len > sizeof(text)) {
        return 0;
    }
    memcpy(text, field, at);
    text[at++] = '=';
    (void)lower_into(text + at, s, len);
    uint64_t h = wedr_filter_hash(text, at + len);
    return h == 0 ? 1 : h;
}

void wedr_filter_add_field(struct wedr_filter_builder *b,
                           const char *field,
                           const char *s,
                           size_t len)
{
    uint64_t h = wedr_filter_field_hash(field, s, len);
    if (h != 0) {
        wedr_token_set_add_key(&b->set, h);
    }
}

static uint32_t bloom_block_of(uint64_t hash, uint32_t blocks)
{
    return (uint32_t)(((hash >> 32) * blocks) >> 32);
}

/* The 8 bits of each hash into its block. */
static void set_bits(uint8_t *p, uint32_t blocks, const uint64_t *key, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *w = p + (size_t)bloom_block_of(key[i], blocks) * BLOOM_BLOCK;
        for (size_t k = 0; k < 8; k++) {
            uint32_t bit = ((uint32_t)key[i] * bloom_salt[k]) >> 27;
            wedr_put_le32(w + 4 * k, wedr_le32(w + 4 * k) | 1u << bit);
        }
    }
}

#if defined(__x86_64__) && defined(__GNUC__)

/* The same with a block in one register. */
__attribute__((target("avx2"))) static void
set_bits_avx2(uint8_t *p, uint32_t blocks, const uint64_t *key, size_t count)
{
    typedef uint32_t words __attribute__((vector_size(BLOOM_BLOCK)));
    words salt, ones = {1, 1, 1, 1, 1, 1, 1, 1};
    memcpy(&salt, bloom_salt, sizeof(salt));
    for (size_t i = 0; i < count; i++) {
        uint8_t *w = p + (size_t)bloom_block_of(key[i], blocks) * BLOOM_BLOCK;
        words block;
        memcpy(&block, w, sizeof(block));
        block |= ones << ((salt * (uint32_t)key[i]) >> 27);
        memcpy(w, &block, sizeof(block));
    }
}

static void set_all_bits(uint8_t *p, uint32_t blocks, const uint64_t *key, size_t count)
{
    if (__builtin_cpu_supports("avx2")) {
        set_bits_avx2(p, blocks, key, count);
    } else {
        set_bits(p, blocks, key, count);
    }
}

#else
#    define set_all_bits set_bits
#endif

static int write_bloom(const struct wedr_token_set *set, struct wedr_buf *out)
{
    size_t blocks = (set->keys * WEDR_FILTER_BITS_PER_KEY + 255u) / 256u;
    blocks = blocks == 0 ? 1 : blocks;
    uint8_t *p = wedr_buf_reserve(out, BLOOM_HEADER + blocks * BLOOM_BLOCK);
    if (p == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(p, 0, BLOOM_HEADER + blocks * BLOOM_BLOCK);
    p[0] = BLOOM_VERSION;
    wedr_put_le32(p + 4, (uint32_t)blocks);
    set_all_bits(p + BLOOM_HEADER, (uint32_t)blocks, set->key, set->keys);
    wedr_buf_commit(out, BLOOM_HEADER + blocks * BLOOM_BLOCK);
    return WEDR_OK;
}

static int write_ngram(const uint8_t bits[WEDR_NGRAM_BYTES], struct wedr_buf *out)
{
    size_t bound = ZSTD_compressBound(WEDR_NGRAM_BYTES);
    uint8_t *p = wedr_buf_reserve(out, NGRAM_HEADER + bound);
    if (p == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(p, 0, NGRAM_HEADER);
    p[0] = NGRAM_VERSION;
    p[1] = WEDR_NGRAM_BITS;
    size_t n = wedr_zframe_pack(p + NGRAM_HEADER, bound, bits, WEDR_NGRAM_BYTES, 1);
    if (ZSTD_isError(n)) {
        return WEDR_E_NOMEM;
    }
    wedr_buf_commit(out, NGRAM_HEADER + n);
    return WEDR_OK;
}

int wedr_filter_finish(struct wedr_filter_builder *b,
                       struct wedr_buf *ret_bloom,
                       struct wedr_buf *ret_ngram)
{
    for (size_t i = 0; i < WEDR_ENV_COUNT; i++) {
        wedr_filter_add_key(b, wedr_env_keys[i].text + 1, wedr_env_keys[i].len);
    }
    if (b->failed || b->set.failed) {
        return WEDR_E_NOMEM;
    }
    int rc = write_bloom(&b->set, ret_bloom);
    return rc != WEDR_OK ? rc : write_ngram(b->ngram, ret_ngram);
}

static bool bloom_known(const uint8_t *p, size_t len)
{
    return len >= BLOOM_HEADER + BLOOM_BLOCK && p[0] != 0 && p[0] <= BLOOM_VERSION;
}

bool wedr_bloom_has_fields(const void *bloom, size_t len)
{
    const uint8_t *p = bloom;
    return bloom_known(p, len) && p[0] >= 2;
}

bool wedr_bloom_may_contain(const void *bloom, size_t len, uint64_t hash)
{
    const uint8_t *p = bloom;
    hash = hash == 0 ? 1 : hash;
    if (!bloom_known(p, len)) {
        return true;
    }
    uint32_t blocks = wedr_le32(p + 4);
    if (blocks == 0 || blocks != (len - BLOOM_HEADER) / BLOOM_BLOCK) {
        return true;
    }
    const uint8_t *w = p + BLOOM_HEADER + (size_t)bloom_block_of(hash, blocks) * BLOOM_BLOCK;
    for (size_t k = 0; k < 8; k++) {
        uint32_t bit = ((uint32_t)hash * bloom_salt[k]) >> 27;
        if ((wedr_le32(w + 4 * k) & 1u << bit) == 0) {
            return false;
        }
    }
    return true;
}

bool wedr_ngram_has_envelope(const void *p, size_t len)
{
    return len >= NGRAM_HEADER && ((const uint8_t *)p)[0] == NGRAM_VERSION;
}

int wedr_ngram_unpack(const void *p, size_t len, uint8_t ret_bits[WEDR_NGRAM_BYTES])
{
    const uint8_t *b = p;
    if (len < NGRAM_HEADER || b[0] == 0 || b[0] > NGRAM_VERSION || b[1] != WEDR_NGRAM_BITS) {
        return WEDR_E_VERSION;
    }
    size_t n = wedr_zframe_unpack(ret_bits, WEDR_NGRAM_BYTES, b + NGRAM_HEADER, len - NGRAM_HEADER);
    return !ZSTD_isError(n) && n == WEDR_NGRAM_BYTES ? WEDR_OK : WEDR_E_CORRUPT;
}

bool wedr_ngram_may_contain(const uint8_t bits[WEDR_NGRAM_BYTES], const char *needle, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++) {
        uint32_t bit = ngram_bit(needle + i);
        if ((bits[bit >> 3] & 1u << (bit & 7u)) == 0) {
            return false;
        }
    }
    return true;
}
