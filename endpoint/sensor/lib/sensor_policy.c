/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_policy.h"

#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "sensor_priv.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(code) (UINT64_C(1) << (code))
#define ALWAYS \
    (BIT(WEDR_EV_PROCESS_CREATE) | BIT(WEDR_EV_PROCESS_FORK) | BIT(WEDR_EV_PROCESS_TERMINATE))
#define OFF_BY_DEFAULT (BIT(WEDR_EV_THREAD_CREATE) | BIT(WEDR_EV_THREAD_EXIT))
#define WINDOW_MS 10000u

void wedr_sensor_policy_init(struct wedr_sensor_policy *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->kinds = ~OFF_BY_DEFAULT;
    ret->window_ms = WINDOW_MS;
}

/* NULL: errno says why. */
static struct wedr_policy_page *page_map(int map)
{
    void *p =
        mmap(NULL, sizeof(struct wedr_policy_page), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    return p;
}

static void bank_fill(struct wedr_policy_bank *b, const struct wedr_sensor_policy *p)
{
    memset(b, 0, sizeof *b);
    b->kinds = p->kinds | ALWAYS;
    b->window_ns = p->window_ms * UINT64_C(1000000);
    memcpy(b->budget, p->budget, sizeof b->budget);
    b->uid_count = (uint32_t)p->uid_count;
    b->cgroup_count = (uint32_t)p->cgroup_count;
    b->prefix_count = (uint32_t)(p->path_out_count + p->path_watched_count);
    b->xattr_count = (uint32_t)p->xattr_count;
}

int wedr_policy_fill(int policy_map, int budgets_map)
{
    static const struct wedr_budget nobody;
    uint64_t key = 0;
    if (bpf_map_update_elem(budgets_map, &key, &nobody, BPF_ANY) != 0) {
        return wedr_err_from_os(errno);
    }
    struct wedr_sensor_policy p;
    struct wedr_policy_page *page = page_map(policy_map);
    if (!page) {
        return wedr_err_from_os(errno);
    }
    wedr_sensor_policy_init(&p);
    bank_fill(&page->bank[0], &p);
    (void)munmap(page, sizeof *page);
    return WEDR_OK;
}

union member {
    struct wedr_policy_prefix prefix; /* the largest */
    struct wedr_policy_cgroup cgroup;
    struct wedr_policy_uid uid;
};

/* Removes the members of one bank: every key for which is_of says so. */
static int set_clear(int map, bool (*is_of)(const void *key, uint32_t bank), uint32_t bank)
{
    union member key, next;
    bool more = bpf_map_get_next_key(map, NULL, &next) == 0;
    while (more) {
        key = next;
        more = bpf_map_get_next_key(map, &key, &next) == 0;
        if (is_of(&key, bank) && bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
            return wedr_err_from_os(errno);
        }
    }
    return WEDR_OK;
}

static bool uid_is_of(const void *key, uint32_t bank)
{
    return ((const struct wedr_policy_uid *)key)->bank == bank;
}

static bool cgroup_is_of(const void *key, uint32_t bank)
{
    return ((const struct wedr_policy_cgroup *)key)->bank == bank;
}

static bool prefix_is_of(const void *key, uint32_t bank)
{
    return (((const struct wedr_policy_prefix *)key)->set & 1) == bank;
}

static int put(int map, const void *key, uint8_t value)
{
    return bpf_map_update_elem(map, key, &value, BPF_ANY) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

static int put_prefixes(int map, uint32_t set, const char *const *list, size_t count, uint8_t value)
{
    for (size_t i = 0; i < count; i++) {
        struct wedr_policy_prefix key = {.set = (uint8_t)set};
        size_t len = strlen(list[i]);
        if (len == 0 || len > WEDR_POLICY_PREFIX_MAX) {
            return WEDR_E_RANGE;
        }
        key.prefix_bits = (uint32_t)(len + 1) * 8;
        memcpy(key.text, list[i], len);
        int err = put(map, &key, value);
        if (err) {
            return err;
        }
    }
    return WEDR_OK;
}

static int fill_sets(const struct wedr_sensor *s, uint32_t bank, const struct wedr_sensor_policy *p)
{
    int err = set_clear(s->map[MAP_UIDS], uid_is_of, bank);
    if (!err) {
        err = set_clear(s->map[MAP_CGROUPS], cgroup_is_of, bank);
    }
    if (!err) {
        err = set_clear(s->map[MAP_PREFIXES], prefix_is_of, bank);
    }
    for (size_t i = 0; !err && i < p->uid_count; i++) {
        struct wedr_policy_uid key = {bank, p->uids[i]};
        err = put(s->map[MAP_UIDS], &key, 1);
    }
    for (size_t i = 0; !err && i < p->cgroup_count; i++) {
        struct wedr_policy_cgroup key = {.id = p->cgroups[i], .bank = bank};
        err = put(s->map[MAP_CGROUPS], &key, 1);
    }
    int map = s->map[MAP_PREFIXES];
    if (!err) {
        err = put_prefixes(map, WEDR_POLICY_PATHS + bank, p->paths_out, p->path_out_count,
                           WEDR_PREFIX_OUT);
    }
    if (!err) {
        err = put_prefixes(map, WEDR_POLICY_PATHS + bank, p->paths_watched, p->path_watched_count,
                           WEDR_PREFIX_WATCH);
    }
    if (!err) {
        err = put_prefixes(map, WEDR_POLICY_XATTRS + bank, p->xattrs_watched, p->xattr_count,
                           WEDR_PREFIX_WATCH);
    }
    return err;
}

/* Adds a digest of the members of one bank, in whatever order they come. */
static void set_digest(int map,
                       size_t key_bytes,
                       bool (*is_of)(const void *key, uint32_t bank),
                       uint32_t bank,
                       uint64_t *sum)
{
    union member key, next;
    bool more = bpf_map_get_next_key(map, NULL, &next) == 0;
    for (uint32_t i = 0; more && i < 2 * WEDR_POLICY_SET_MAX; i++) {
        uint8_t text[sizeof key + 1] = {0}, digest[WEDR_SHA256_LEN];
        uint64_t word;
        key = next;
        more = bpf_map_get_next_key(map, &key, &next) == 0;
        if (is_of(&key, bank) && bpf_map_lookup_elem(map, &key, &text[key_bytes]) == 0) {
            memcpy(text, &key, key_bytes);
            wedr_sha256(text, key_bytes + 1, digest);
            memcpy(&word, digest, sizeof word);
            *sum += word;
        }
    }
}

static uint64_t sets_digest(const struct wedr_sensor *s, uint32_t bank)
{
    uint64_t sum = 0;
    set_digest(s->map[MAP_UIDS], sizeof(struct wedr_policy_uid), uid_is_of, bank, &sum);
    set_digest(s->map[MAP_CGROUPS], sizeof(struct wedr_policy_cgroup), cgroup_is_of, bank, &sum);
    set_digest(s->map[MAP_PREFIXES], sizeof(struct wedr_policy_prefix), prefix_is_of, bank, &sum);
    return sum;
}

/* What the maps must look like from now on: from our own values, not from what is there. */
static void remember(struct wedr_sensor *s, uint32_t bank, const struct wedr_sensor_policy *p)
{
    bank_fill(&s->policy.bank, p);
    s->policy.active = bank;
    s->policy.sets = sets_digest(s, bank);
    s->policy.known = true;
}

bool wedr_policy_is_ours(const struct wedr_sensor *s)
{
    struct wedr_policy_page page;
    uint32_t zero = 0;
    if (!s->policy.known) {
        return true;
    }
    return bpf_map_lookup_elem(s->map[MAP_POLICY], &zero, &page) == 0 &&
           page.active == s->policy.active &&
           memcmp(page.self, s->policy.self, sizeof page.self) == 0 &&
           memcmp(&page.bank[page.active & 1], &s->policy.bank, sizeof s->policy.bank) == 0 &&
           sets_digest(s, s->policy.active) == s->policy.sets;
}

int wedr_sensor_policy_set(struct wedr_sensor *s,
                           const struct wedr_sensor_policy *p,
                           struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(s, SENSOR_MAGIC);
    if (p->uid_count > WEDR_POLICY_SET_MAX || p->cgroup_count > WEDR_POLICY_SET_MAX ||
        p->path_out_count + p->path_watched_count > WEDR_POLICY_SET_MAX ||
        p->xattr_count > WEDR_POLICY_SET_MAX) {
        return wedr_fail(ei, WEDR_E_RANGE, "a filter has too many members");
    }
    struct wedr_policy_page *page = page_map(s->map[MAP_POLICY]);
    if (!page) {
        return wedr_fail(ei, wedr_err_from_os(errno), "the policy cannot be mapped");
    }
    uint32_t bank = 1 - (__atomic_load_n(&page->active, __ATOMIC_ACQUIRE) & 1);
    /* A program that began before the last exchange may still read this bank: it returns when a
     * grace period is over, as programs do not wait. */
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    int err = fill_sets(s, bank, p);
    if (!err) {
        bank_fill(&page->bank[bank], p);
        __atomic_store_n(&page->active, bank, __ATOMIC_SEQ_CST);
        if (!s->policy.known) {
            memcpy(s->policy.self, page->self, sizeof s->policy.self);
        }
        remember(s, bank, p);
    }
    (void)munmap(page, sizeof *page);
    return err ? wedr_fail(ei, err, "a filter cannot be set: %s", wedr_err_text(err)) : WEDR_OK;
}

int wedr_sensor_self_set(struct wedr_sensor *s, const uint32_t *pids, size_t count)
{
    WEDR_OBJ_CHECK(s, SENSOR_MAGIC);
    if (count > WEDR_POLICY_SELF_MAX) {
        return WEDR_E_RANGE;
    }
    struct wedr_policy_page *page = page_map(s->map[MAP_POLICY]);
    if (!page) {
        return wedr_err_from_os(errno);
    }
    for (size_t i = 0; i < WEDR_POLICY_SELF_MAX; i++) {
        s->policy.self[i] = i < count ? pids[i] : 0;
        __atomic_store_n(&page->self[i], s->policy.self[i], __ATOMIC_SEQ_CST);
    }
    (void)munmap(page, sizeof *page);
    return WEDR_OK;
}

int wedr_sensor_cgroup_id(const char *path, uint64_t *ret)
{
    struct stat st;
    int root = -1;
    int err = wedr_cgroup_root(&root);
    if (err) {
        return err;
    }
    /* The kernel's id of a cgroup is the inode number of its folder. */
    err = fstatat(root, path[0] == '/' && path[1] ? path + 1 : ".", &st, AT_SYMLINK_NOFOLLOW) == 0
              ? WEDR_OK
              : wedr_err_from_os(errno);
    (void)close(root);
    *ret = err ? 0 : (uint64_t)st.st_ino;
    return err;
}
