/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "admin/commands.h"
#include "admin/data.h"
#include "admin/meta.h"
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

/* One line per file of routes. */
static const struct wedr_route_table tables[] = {
    {wedr_agent_routes, &wedr_agent_route_count},
    {wedr_meta_routes, &wedr_meta_route_count},
    {wedr_session_routes, &wedr_session_route_count},
    {wedr_account_routes, &wedr_account_route_count},
    {wedr_user_routes, &wedr_user_route_count},
    {wedr_token_routes, &wedr_token_route_count},
    {wedr_manage_routes, &wedr_manage_route_count},
    {wedr_overview_routes, &wedr_overview_route_count},
    {wedr_endpoint_routes, &wedr_endpoint_route_count},
    {wedr_event_routes, &wedr_event_route_count},
    {wedr_export_routes, &wedr_export_route_count},
    {wedr_alert_routes, &wedr_alert_route_count},
    {wedr_tail_routes, &wedr_tail_route_count},
    {wedr_tree_routes, &wedr_tree_route_count},
    {wedr_ledger_routes, &wedr_ledger_route_count},
    {wedr_command_routes, &wedr_command_route_count},
};

int wedr_admin_routes(struct wedr_route **ret, size_t *ret_count)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(tables); i++) {
        total += *tables[i].count;
    }
    struct wedr_route *all = wedr_alloc(total, sizeof(*all));
    if (!all) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(tables); i++) {
        memcpy(all + at, tables[i].routes, *tables[i].count * sizeof(*all));
        at += *tables[i].count;
    }
    *ret = all;
    *ret_count = total;
    return WEDR_OK;
}
