/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "core/base/err.h"
#include "sensor_priv.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WEDR_HOOK(area, name, need, point) \
    {#area, #name, "wedr_" #name, "link_" #name, point, NEED_##need},
const struct hook_info wedr_hooks[HOOK_COUNT] = {
#include "sensor_hooks.def"
};
#undef WEDR_HOOK
/* The kernel keeps 15 characters of a program's name. */
#define WEDR_HOOK(area, name, need, point) \
    _Static_assert(sizeof("wedr_" #name) <= 16, "name of hook " #name " is too long");
#include "sensor_hooks.def"
#undef WEDR_HOOK

static const struct {
    const char *prefix;
    enum wedr_sensor_tier tier;
} tiers[] = {
    {"tp_btf/", WEDR_TIER_TRACEPOINT},
    {"tp/", WEDR_TIER_TRACEPOINT},
    {"raw_tp/", WEDR_TIER_RAW},
    {"cgroup", WEDR_TIER_CGROUP},
    {"fentry", WEDR_TIER_FENTRY},
    {"fexit", WEDR_TIER_FENTRY},
    {"lsm", WEDR_TIER_LSM},
};

enum wedr_sensor_tier wedr_hook_tier(const char *point)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(tiers); i++) {
        if (strncmp(point, tiers[i].prefix, strlen(tiers[i].prefix)) == 0) {
            return tiers[i].tier;
        }
    }
    return WEDR_TIER_RAW;
}

const char *wedr_sensor_tier_text(enum wedr_sensor_tier tier)
{
    static const char *const text[] = {"tracepoint", "raw", "cgroup", "fentry", "lsm"};
    return (size_t)tier < WEDR_ARRAY_COUNT(text) ? text[tier] : "?";
}

static bool has_kind(const struct btf *btf, const char *prefix, const char *name, unsigned kind)
{
    char full[96];
    int n = snprintf(full, sizeof full, "%s%s", prefix, name);
    return n > 0 && (size_t)n < sizeof full && btf__find_by_name_kind(btf, full, kind) > 0;
}

static bool is_listed(const char *const *list, const char *name)
{
    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool wedr_hook_is_off(const struct hook_info *h, const struct wedr_sensor_cfg *cfg)
{
    if (cfg->areas && h->need != NEED_REQUIRED && !is_listed(cfg->areas, h->area)) {
        return true;
    }
    for (size_t i = 0; i < cfg->without_count; i++) {
        if (strcmp(cfg->without[i], h->name) == 0) {
            return h->need != NEED_REQUIRED;
        }
    }
    return false;
}

void wedr_hook_missing(const struct hook_info *h,
                       const struct btf *btf,
                       char ret_reason[WEDR_SENSOR_REASON_MAX])
{
    const char *name = strchr(h->point, '/');
    const char *what = NULL;
    uint64_t id;
    name = name ? name + 1 : "";
    ret_reason[0] = 0;
    if (strncmp(h->point, "tp_btf/", 7) == 0) {
        what = has_kind(btf, "btf_trace_", name, BTF_KIND_TYPEDEF) ? NULL : "tracepoint";
    } else if (strncmp(h->point, "tp/", 3) == 0) {
        what = wedr_tracepoint_id(name, &id) == WEDR_OK ? NULL : "tracepoint";
    } else if (strncmp(h->point, "lsm", 3) == 0) {
        what = has_kind(btf, "bpf_lsm_", name, BTF_KIND_FUNC) ? NULL : "LSM hook";
    } else if (h->point[0] == 'f') {
        what = has_kind(btf, "", name, BTF_KIND_FUNC) ? NULL : "function";
    } else if (strncmp(h->point, "cgroup", 6) == 0) {
        int fd = -1;
        what = wedr_cgroup_root(&fd) == WEDR_OK ? NULL : "cgroup2 hierarchy for";
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    if (what) {
        (void)snprintf(ret_reason, WEDR_SENSOR_REASON_MAX, "the kernel has no %s %s", what, name);
    } else if (strcmp(h->area, "compat") == 0 && !wedr_compat_possible(btf)) {
        (void)snprintf(ret_reason, WEDR_SENSOR_REASON_MAX,
                       "the kernel runs no 32-bit system calls: nothing to see");
    }
}
