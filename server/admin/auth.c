/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

void wedr_admin_authenticate(struct wedr_server *s, struct wedr_request *rq)
{
    (void)s;
    wedr_answer_problem(rq, 401, "sign in first");
}
