/* SPDX-License-Identifier: Apache-2.0 */
#include "main/commands.h"
int wedr_cmd_alerts(const struct wedr_server_args *a)
{
    (void)a;
    return 1;
}
