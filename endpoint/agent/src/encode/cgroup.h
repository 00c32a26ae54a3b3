/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/cgroup.h — what the name of a control group says of who runs there: a
 * container, its pod and runtime, or a service of systemd. Names are what the runtimes give; nobody
 * is asked. Pure functions over foreign bytes. Private to encode/.
 */
#pragma once

#include "core/base/span.h"
#include <stddef.h>

#define WEDR_POD_ID_TEXT 36u

struct wedr_cgroup {
    struct wedr_span container; /* 64 hex digits, or the name of an LXC container or machine; len 0:
                                   none. Points into the names. */
    const char *runtime;        /* docker, containerd, cri-o, podman, lxc, nspawn; NULL: not said */
    char pod[WEDR_POD_ID_TEXT + 1]; /* of Kubernetes, with dashes; "": none */
    struct wedr_span service;       /* name of a unit that ends in .service; len 0: none */
};

/* name: last component of the path; parent: the one before it, len 0 where it is not known. */
void wedr_cgroup_read(struct wedr_span name, struct wedr_span parent, struct wedr_cgroup *ret);
