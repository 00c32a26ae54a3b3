/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/node.h — expression nodes, stored once. */
#pragma once

#include "ir/ruleset.h"

/* A PRED or MEMBER node. */
WEDR_MUST_USE int
wedr_node_leaf(struct wedr_ruleset *rs, enum wedr_node_kind kind, uint32_t arg, uint32_t *ret_node);
