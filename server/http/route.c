/* SPDX-License-Identifier: Apache-2.0 */
#include "http/route.h"
#include <stdbool.h>
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

static bool path_matches(const char *pattern, const char *path, char ret_id[WEDR_ROUTE_ID_MAX])
{
    ret_id[0] = '\0';
    while (*pattern) {
        if (strncmp(pattern, "{id}", 4) == 0) {
            size_t len = strcspn(path, "/");
            if (!wedr_route_is_uuid(path, len)) {
                return false;
            }
            memcpy(ret_id, path, len);
            ret_id[len] = '\0';
            pattern += 4;
            path += len;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

enum wedr_route_result wedr_route_match(const struct wedr_route *table,
                                        size_t count,
                                        const char *method,
                                        const char *path,
                                        const struct wedr_route **ret_route,
                                        char ret_id[WEDR_ROUTE_ID_MAX])
{
    char id[WEDR_ROUTE_ID_MAX];
    enum wedr_route_result result = WEDR_ROUTE_NO_PATH;
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(table[i].pattern, path, id)) {
            continue;
        }
        *ret_route = &table[i];
        if (strcmp(table[i].method, method) == 0) {
            memcpy(ret_id, id, sizeof(id));
            return WEDR_ROUTE_FOUND;
        }
        result = WEDR_ROUTE_NO_METHOD;
    }
    return result;
}
