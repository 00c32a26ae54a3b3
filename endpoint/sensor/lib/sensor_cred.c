/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_priv.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

/* The hooks that explain a change are those of the area that are not named cred_: these compare. */
static bool explains(const struct hook_info *h)
{
    return strcmp(h->area, "cred") == 0 && strncmp(h->name, "cred_", 5) != 0;
}

void wedr_cred_arm(const struct wedr_set *set)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        const char *reason = set->reason[i];
        if (explains(&wedr_hooks[i]) && reason[0] && strcmp(reason, HOOK_SWITCHED_OFF) != 0) {
            return;
        }
    }
    for (size_t i = 0; i < count && i < WEDR_AREAS_MAX; i++) {
        uint32_t zero = 0, one = 1;
        if (set->obj[i] && strcmp(areas[i].name, "cred") == 0) {
            int map = bpf_object__find_map_fd_by_name(set->obj[i], "cred_armed");
            (void)bpf_map_update_elem(map, &zero, &one, BPF_ANY);
        }
    }
}
