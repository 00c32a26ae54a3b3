/* SPDX-License-Identifier: Apache-2.0
 * server/admin/endpoints_out.h — endpoints as JSON. What a heartbeat or an event says is hostile:
 * texts and numbers of it are taken by name and type, within bounds, never passed on whole. */
#pragma once

#include "admin/data.h"

/* What the agent's newest event `sensor_state` says. */
struct wedr_sensor_info {
    json_t *raw; /* owned; NULL: there is none */
};
/* Looks it up among the events; nothing is an error. */
void wedr_sensor_info_load(struct wedr_server *s,
                           const char *agent_id,
                           struct wedr_sensor_info *ret);
void wedr_sensor_info_fini(struct wedr_sensor_info *i);

/* Members of an endpoint; the object is the caller's. sensor may be NULL. */
void wedr_endpoint_out(struct wedr_server *s,
                       struct wedr_out *o,
                       const struct wedr_endpoint_row *e,
                       const struct wedr_sensor_info *sensor);
/* What only the single one has: note, the heartbeat's numbers. */
void wedr_endpoint_detail_out(struct wedr_out *o, const struct wedr_endpoint_row *e);
