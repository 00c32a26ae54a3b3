/* SPDX-License-Identifier: Apache-2.0
 * server/http/request.h — checks of one request's headers. Pure; fuzzed. */
#pragma once

#include "http/http.h"

/* Borrowed strings. -1 above WEDR_HTTP_HEADERS_MAX. */
int wedr_request_add_header(struct wedr_request *rq, const char *name, const char *value);
/* Refuses (by answering) what two parsers could read in two ways: both lengths, repeated or
 * malformed lengths, chunked bodies, folded lines, control bytes, other HTTP versions; sets
 * content_length. line_len: bytes of the request line without its end; header_size: bytes of
 * request line and headers as received, 0 when unknown. */
void wedr_request_check(struct wedr_request *rq, bool http11, size_t line_len, size_t header_size);
/* Refuses parameters that the matched route does not know. */
void wedr_request_check_query(struct wedr_request *rq);
const char *wedr_status_title(int status);
/* Refused for a while (429, 503) and from an agent with a valid certificate. */
bool wedr_request_may_stay(const struct wedr_request *rq);
