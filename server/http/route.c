/* SPDX-License-Identifier: Apache-2.0 */
#include "http/route.h"
#include "http/uri.h"
#include <stdio.h>
#include <string.h>

int wedr_route_is_uuid(const char *s, size_t len)
{
    if (len != 36) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        if (dash ? s[i] != '-' : !hex) {
            return 0;
        }
    }
    return 1;
}

/* One segment of the path for "{name}". */
static bool take_param(struct wedr_route_params *p,
                       const char *name,
                       size_t name_len,
                       const char *segment,
                       size_t len,
                       bool uuid)
{
    if (p->count == WEDR_ROUTE_PARAMS_MAX || name_len >= sizeof(p->item[0].name)) {
        return false;
    }
    if (uuid && !wedr_route_is_uuid(segment, len)) {
        return false;
    }
    memcpy(p->item[p->count].name, name, name_len);
    p->item[p->count].name[name_len] = '\0';
    char *value = p->item[p->count].value;
    if (!wedr_uri_decode(segment, len, false, value, WEDR_ROUTE_PARAM_MAX) || value[0] == '\0' ||
        strchr(value, '/')) {
        return false;
    }
    p->count++;
    return true;
}

/* What stands behind the last "{name}" is seen at once; its value would have to be decoded. */
static bool tail_fits(const char *pattern, const char *path, size_t path_len)
{
    const char *tail = strrchr(pattern, '}');
    size_t len = tail ? strlen(tail + 1) : 0;
    return !tail || (path_len >= len && memcmp(path + path_len - len, tail + 1, len) == 0);
}

static bool path_matches(const struct wedr_route *r,
                         const char *path,
                         size_t path_len,
                         struct wedr_route_params *ret_params)
{
    const char *pattern = r->pattern;
    ret_params->count = 0;
    if (!tail_fits(pattern, path, path_len)) {
        return false;
    }
    while (*pattern) {
        if (*pattern == '{') {
            size_t name_len = strcspn(pattern + 1, "}");
            size_t len = strcspn(path, "/");
            if (!take_param(ret_params, pattern + 1, name_len, path, len,
                            r->auth == WEDR_ROUTE_AGENT)) {
                return false;
            }
            pattern += name_len + 2;
            path += len;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* What "*" stands for: files of the console, never a path of the interface. */
static bool free_path(const char *path)
{
    static const char *const taken[] = {"/api", "/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        size_t n = strlen(taken[i]);
        if (strncmp(path, taken[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return false;
        }
    }
    return path[0] == '/';
}

enum wedr_route_result wedr_route_match(const struct wedr_route *table,
                                        size_t count,
                                        const char *method,
                                        const char *path,
                                        const struct wedr_route **ret_route,
                                        struct wedr_route_params *ret_params)
{
    struct wedr_route_params params;
    enum wedr_route_result result = WEDR_ROUTE_NO_PATH;
    size_t best = WEDR_ROUTE_PARAMS_MAX + 2, path_len = strlen(path);
    for (size_t i = 0; i < count; i++) {
        bool any = strcmp(table[i].pattern, "*") == 0;
        params.count = 0;
        if (any ? !free_path(path) : !path_matches(&table[i], path, path_len, &params)) {
            continue;
        }
        size_t rank = any ? WEDR_ROUTE_PARAMS_MAX + 1 : params.count;
        bool same_method = strcmp(table[i].method, method) == 0;
        if (rank > best || (rank == best && (result == WEDR_ROUTE_FOUND || !same_method))) {
            continue;
        }
        best = rank;
        *ret_route = &table[i];
        *ret_params = params;
        result = same_method ? WEDR_ROUTE_FOUND : WEDR_ROUTE_NO_METHOD;
    }
    return result;
}

void wedr_route_allow(
    const struct wedr_route *table, size_t count, const struct wedr_route *r, char *ret, size_t cap)
{
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < count && used < cap; i++) {
        if (strcmp(table[i].pattern, r->pattern) == 0) {
            int n = snprintf(ret + used, cap - used, "%s%s", used ? ", " : "", table[i].method);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}
