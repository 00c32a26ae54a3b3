/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/schema.c — our event types as rules see them. */
#include "wedr/wire/schema.h"
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

static bool named_before(const struct wedr_type_info *t, size_t field)
{
    for (size_t i = 0; i < field; i++) {
        if (strcmp(t->fields[i].name, t->fields[field].name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_type(struct wedr_buf *out, const struct wedr_type_info *t)
{
    static const char *const types[] = {[WEDR_JSON_STR] = "string",
                                        [WEDR_JSON_INT] = "int",
                                        [WEDR_JSON_BOOL] = "bool",
                                        [WEDR_JSON_LIST] = "list"};
    const char *comma = "";
    wedr_buf_addf(out, "{\"name\":\"%s\",\"fields\":[", t->event_type);
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        if (f->name[0] && !named_before(t, i)) { /* one system's and the other's are one */
            const char *type =
                f->json_type < WEDR_ARRAY_COUNT(types) ? types[f->json_type] : "json";
            wedr_buf_addf(out, "%s{\"name\":\"%s\",\"field_type\":\"%s\"}", comma, f->name, type);
            comma = ",";
        }
    }
    wedr_buf_adds(out, "]}");
}

/* The types of the module of type `first`, which is its first one. */
static void
add_module(struct wedr_buf *out, const struct wedr_type_info *types, size_t first, size_t count)
{
    const char *comma = "";
    wedr_buf_addf(out, "%s{\"module\":\"%s\",\"events\":[", first ? "," : "", types[first].module);
    for (size_t i = first; i < count; i++) {
        if (strcmp(types[i].module, types[first].module) == 0) {
            wedr_buf_adds(out, comma);
            add_type(out, &types[i]);
            comma = ",";
        }
    }
    wedr_buf_adds(out, "]}");
}

int wedr_waza_schema(struct wedr_buf *out)
{
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    wedr_buf_adds(out, "[");
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < i && strcmp(types[k].module, types[i].module) != 0) {
            k++;
        }
        if (k == i) {
            add_module(out, types, i, count);
        }
    }
    wedr_buf_adds(out, "]");
    return out->overflow ? WEDR_E_LIMIT : WEDR_OK;
}
