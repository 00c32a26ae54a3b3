/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/value.h — texts read as addresses and as times. No allocation, any thread. */
#pragma once

#include "wedr/rules/ir.h"

/* Equal numbers have equal hashes. */
uint32_t wedr_number_hash(struct wedr_number n);

/* An IPv4 or IPv6 address (a zone behind % is ignored; ::ffff:a.b.c.d becomes IPv4) into ret_net
 * with all its bits; WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_address_parse(const char *s, size_t len, struct wedr_net *ret_net);
/* Clears the bits behind the prefix. */
void wedr_net_trim(struct wedr_net *n);
/* True when the address lies in net. */
bool wedr_net_has(const struct wedr_net *net, const struct wedr_net *address);

int64_t wedr_time_from_number(struct wedr_number n);
int64_t wedr_time_part(int64_t us, enum wedr_time_part part);
