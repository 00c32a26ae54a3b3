/* SPDX-License-Identifier: Apache-2.0
 *
 * server/http/stream.h — an answer that is made while it is sent: exports, server-sent events. One
 * side writes into a bounded buffer from any thread, the listener's thread empties it as fast as
 * the client reads. Reference-counted: the writer holds one reference, the request another.
 *
 * In run of a route with `finishes`:
 *     struct wedr_answer_stream *st = wedr_stream_begin(rq, "text/event-stream", 65536);
 *     if (!st) { answer a problem; wedr_request_finish(rq); return; }
 *     ... rq is gone from here on: copy what is needed before ...
 *     wedr_stream_write(st, p, n, 30000); wedr_stream_end(st, true); wedr_stream_unref(st);
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_request;
struct wedr_answer_stream;

/* Answers rq with 200, this content type (constant) and the headers set before, and finishes it:
 * rq must not be touched any more. buffer_len: bytes that may wait for the client. NULL when out of
 * memory: rq is still the caller's. */
WEDR_MUST_USE struct wedr_answer_stream *
wedr_stream_begin(struct wedr_request *rq, const char *content_type, size_t buffer_len);
/* Writes all n bytes in order; waits at most timeout_ms for room each time. timeout_ms 0: all or
 * nothing, at once. WEDR_E_CLOSED: the client left or the server stops; WEDR_E_TIMEOUT: it does not
 * read (the stream is closed then; with timeout_ms 0 it is not, and nothing was written). */
WEDR_MUST_USE int
wedr_stream_write(struct wedr_answer_stream *st, const void *p, size_t n, uint32_t timeout_ms);
/* Bytes that wait for the client. */
size_t wedr_stream_pending(struct wedr_answer_stream *st);
/* True when nobody reads any more. */
bool wedr_stream_closed(struct wedr_answer_stream *st);
/* No more will come. whole: the answer is complete; else the connection is broken off, so that the
 * client does not take the part for the whole. */
void wedr_stream_end(struct wedr_answer_stream *st, bool whole);
struct wedr_answer_stream *wedr_stream_ref(struct wedr_answer_stream *st);
void wedr_stream_unref(struct wedr_answer_stream *st); /* NULL is allowed */
