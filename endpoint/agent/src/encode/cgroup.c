/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/cgroup.h"

#include "core/base/attr.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CONTAINER_DIGITS 64u
#define POD_DIGITS 32u

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool ends_with(struct wedr_span s, const char *tail)
{
    size_t n = strlen(tail);
    return s.len > n && memcmp(s.p + s.len - n, tail, n) == 0;
}

static bool begins_with(struct wedr_span s, const char *head)
{
    size_t n = strlen(head);
    return s.len > n && memcmp(s.p, head, n) == 0;
}

static bool is(struct wedr_span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static struct wedr_span behind(struct wedr_span s, size_t n)
{
    return wedr_span(s.p + n, s.len - n);
}

/* [prefix-]<64 hex>[.scope] */
static bool read_digits(struct wedr_span s, struct wedr_cgroup *ret)
{
    static const struct {
        const char *prefix, *runtime;
    } known[] = {{"docker-", "docker"},
                 {"cri-containerd-", "containerd"},
                 {"crio-", "cri-o"},
                 {"libpod-", "podman"},
                 {"", NULL}};
    if (ends_with(s, ".scope")) {
        s.len -= 6;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(known); i++) {
        size_t n = strlen(known[i].prefix);
        if (s.len != n + CONTAINER_DIGITS || memcmp(s.p, known[i].prefix, n) != 0) {
            continue;
        }
        for (size_t k = n; k < s.len; k++) {
            if (!is_hex(s.p[k])) {
                return false;
            }
        }
        ret->container = behind(s, n);
        ret->runtime = known[i].runtime;
        return true;
    }
    return false;
}

/* lxc.payload.<name>, machine-<name>.scope */
static bool read_named(struct wedr_span s, struct wedr_cgroup *ret)
{
    if (begins_with(s, "lxc.payload.")) {
        ret->container = behind(s, 12);
        ret->runtime = "lxc";
    } else if (begins_with(s, "machine-") && ends_with(s, ".scope") && s.len > 14) {
        ret->container = wedr_span(s.p + 8, s.len - 14);
        ret->runtime = "nspawn";
    }
    return ret->container.len > 0;
}

static bool read_container(struct wedr_span s, struct wedr_cgroup *ret)
{
    return s.len > 0 && (read_digits(s, ret) || read_named(s, ret));
}

/* pod<uid>, or kubepods[-burstable|-besteffort]-pod<uid>.slice, where the slice has '_' for '-'. */
static void read_pod(struct wedr_span s, struct wedr_cgroup *ret)
{
    if (begins_with(s, "kubepods") && ends_with(s, ".slice")) {
        s.len -= 6;
        size_t at = s.len;
        while (at > 4 && memcmp(s.p + at - 4, "-pod", 4) != 0) {
            at--;
        }
        s = at > 4 ? behind(s, at) : wedr_span(NULL, 0);
    } else {
        s = begins_with(s, "pod") ? behind(s, 3) : wedr_span(NULL, 0);
    }
    size_t digits = 0;
    size_t out = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '-' || s.p[i] == '_') {
            continue;
        }
        if (!is_hex(s.p[i]) || digits == POD_DIGITS) {
            ret->pod[0] = '\0';
            return;
        }
        if (digits == 8 || digits == 12 || digits == 16 || digits == 20) {
            ret->pod[out++] = '-';
        }
        ret->pod[out++] = (char)s.p[i];
        digits++;
    }
    ret->pod[digits == POD_DIGITS ? out : 0] = '\0';
}

void wedr_cgroup_read(struct wedr_span name, struct wedr_span parent, struct wedr_cgroup *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (read_container(name, ret)) {
        if (!ret->runtime && is(parent, "docker")) {
            ret->runtime = "docker";
        }
        if (parent.len > 0) {
            read_pod(parent, ret);
        }
    } else if (read_container(parent, ret)) { /* podman's "container", an init inside a machine */
        return;
    } else if (ends_with(name, ".service")) {
        ret->service = name;
    }
}
