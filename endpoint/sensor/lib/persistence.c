/* SPDX-License-Identifier: Apache-2.0 */
#include "persistence.h"

#include "core/base/err.h"
#include "sensor_priv.h"
#include "wedr/wire/persistence.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SAMPLES_MIN 6u /* that agree, before the table is believed */

struct pattern {
    const char *text;
    uint32_t mechanism;
};
static const struct pattern patterns[] = {
#define WEDR_PERSIST(mechanism, text) {text, WEDR_PERSISTENCE_##mechanism},
#include "wedr/wire/persistence.def"
#undef WEDR_PERSIST
};

/* The last component of a pattern and the one before it, by hash; 0: there is none. */
struct parts {
    uint64_t last, upper;
    bool folder; /* the pattern ends with a slash */
    unsigned count;
};

static bool hash_part(const char *text, size_t len, uint64_t *ret)
{
    uint64_t words[4] = {0};
    if (len == 0 || len > WEDR_PERSIST_NAME_MAX) {
        return false;
    }
    memcpy(words, text, len);
    *ret = wedr_persist_hash(words);
    return true;
}

static bool split(const char *text, struct parts *ret)
{
    struct parts p = {0};
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '/') {
        p.folder = true;
        len--;
    }
    const char *at = text;
    if (len < 2 || (text[0] != '/' && strncmp(text, "@/", 2) != 0)) {
        return false;
    }
    at = strchr(text, '/') + 1;
    for (const char *end = text + len; at < end; p.count++) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t part = (size_t)((slash ? slash : end) - at);
        p.upper = p.last;
        if (!hash_part(at, part, &p.last)) {
            return false;
        }
        at += part + 1;
    }
    *ret = p;
    return p.count > 0;
}

size_t wedr_persistence_count(void)
{
    return WEDR_ARRAY_COUNT(patterns);
}

const char *wedr_persistence_flaw(size_t pattern)
{
    struct parts p;
    const char *text = patterns[pattern].text;
    if (!split(text, &p)) {
        return "a component is empty or longer than 31 bytes, or it begins neither with / nor with "
               "@/";
    }
    if (text[0] == '@' && p.count > 2) {
        return "more than two components behind @/";
    }
    if (text[0] == '/' && strlen(text) >= WEDR_PERSIST_TEXT) {
        return "an absolute pattern longer than 59 bytes";
    }
    return NULL;
}

static void bit_put(uint64_t words[WEDR_PERSIST_WORDS], uint64_t hash)
{
    uint32_t bit = wedr_persist_bit(hash);
    words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* What is done with one pattern, in maps by descriptor. */
static int pattern_put(int prefixes, int names, const struct pattern *t, const struct parts *p)
{
    if (t->text[0] == '/') {
        struct wedr_persist_prefix key = {0};
        size_t len = strlen(t->text);
        memcpy(key.text, t->text, len);
        key.prefix_bits = (uint32_t)(p->folder ? len : len + 1) * 8; /* a file's with its NUL */
        return bpf_map_update_elem(prefixes, &key, &t->mechanism, BPF_ANY);
    }
    enum wedr_persist_kind kind =
        p->folder ? (p->count == 1 ? WEDR_PERSIST_FOLDER : WEDR_PERSIST_FOLDER_IN)
                  : (p->count == 1 ? WEDR_PERSIST_FILE : WEDR_PERSIST_FILE_IN);
    uint64_t key = wedr_persist_key(p->count == 1 ? 0 : p->upper, p->last, kind);
    return bpf_map_update_elem(names, &key, &t->mechanism, BPF_ANY);
}

static int fill_patterns(struct bpf_object *obj)
{
    int prefixes = bpf_object__find_map_fd_by_name(obj, "persist_prefixes");
    int names = bpf_object__find_map_fd_by_name(obj, "persist_names");
    int bits_map = bpf_object__find_map_fd_by_name(obj, "persist_bits");
    struct wedr_persist_bits bits = {{0}, {0}, {0}};
    uint32_t zero = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        struct parts p;
        if (wedr_persistence_flaw(i) || !split(patterns[i].text, &p)) {
            return WEDR_E_RANGE;
        }
        bit_put(p.folder ? bits.dir : bits.file, p.last);
        if (pattern_put(prefixes, names, &patterns[i], &p) != 0) {
            return wedr_err_from_os(errno);
        }
    }
    return bpf_map_update_elem(bits_map, &zero, &bits, BPF_ANY) == 0 ? WEDR_OK
                                                                     : wedr_err_from_os(errno);
}

/* How many samples a table would explain; *ret_wrong: how many it would not. */
static size_t explained(const struct wedr_file_sample *samples,
                        size_t count,
                        uint64_t table,
                        uint32_t shift,
                        size_t *ret_wrong)
{
    size_t right = 0;
    *ret_wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct wedr_file_sample *s = &samples[i];
        if (!s->known || !s->bucket) {
            continue;
        }
        if (s->bucket == table + 8 * (uint64_t)(s->hash >> shift)) {
            right++;
        } else {
            ++*ret_wrong;
        }
    }
    return right;
}

void wedr_dcache_solve(const struct wedr_file_sample *samples,
                       size_t count,
                       uint64_t *ret_table,
                       uint32_t *ret_shift)
{
    const struct wedr_file_sample *first = NULL;
    for (size_t i = 0; i < count && !first; i++) {
        first = samples[i].known && samples[i].bucket ? &samples[i] : NULL;
    }
    *ret_table = 0;
    *ret_shift = 0;
    for (uint32_t shift = 1; first && shift < 31; shift++) {
        size_t wrong = 0;
        uint64_t table = first->bucket - 8 * (uint64_t)(first->hash >> shift);
        size_t right = explained(samples, count, table, shift, &wrong);
        /* One may have moved while it was looked at. */
        if (right >= SAMPLES_MIN && wrong <= right / 8) {
            *ret_table = table;
            *ret_shift = shift;
            return;
        }
    }
}

int wedr_persistence_start(struct bpf_object *obj, struct wedr_sensor_unwatched *ret_unwatched)
{
    int err = fill_patterns(obj);
    if (!err) {
        wedr_persistence_scan(obj, ret_unwatched);
    }
    return err;
}
