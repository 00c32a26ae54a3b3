/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_dns.c — any bytes as a DNS message: what comes out is printable, bounded and
 * terminated, and a record that carries the message decodes again with the same number. */
#include "core/base/err.h"
#include "encode/dns.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static void check_texts(const struct wedr_dns *d)
{
    require(d->name_len < sizeof(d->name) && d->name[d->name_len] == 0);
    require(strlen(d->name) == d->name_len);
    require(d->answers_len <= sizeof(d->answers));
    require(d->answers_len == 0 || d->answers[d->answers_len - 1] == 0);
    for (size_t i = 0; i < d->answers_len; i++) {
        require(d->answers[i] == 0 || (d->answers[i] >= ' ' && d->answers[i] <= '~'));
    }
    for (size_t i = 0; i < d->name_len; i++) {
        require(d->name[i] > ' ' && d->name[i] <= '~');
    }
}

static void check_record(const uint8_t *data, size_t size, bool cut)
{
    static struct wedr_dns_room room;
    static uint8_t memory[WEDR_RECORD_MAX];
    struct wedr_record r;
    struct wedr_event_view v;
    require(wedr_record_begin(&r, memory, sizeof(memory), WEDR_EV_DNS_QUERY, WEDR_OS_LINUX) == 0);
    require(wedr_record_set_uint(&r, "dns_op", 1 + (size & 1)) == 0);
    require(wedr_record_set_str(&r, "payload", data, size, cut ? WEDR_SF_CUT : 0) == 0);
    size_t len = wedr_record_finish(&r, 7, 9, WEDR_STREAM_BULK, 0);
    require(wedr_event_decode(wedr_span(memory, len), &v) == WEDR_OK);
    wedr_dns_unfold(&room, &v);
    require(v.h.seq == 7 && v.h.time == 9 && v.h.type == WEDR_EV_DNS_QUERY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_dns d;
    for (int cut = 0; cut < 2; cut++) {
        int err = wedr_dns_parse(wedr_span(data, size), cut, &d);
        require(err == WEDR_OK || (err == WEDR_E_FORMAT && d.damaged && d.name_len == 0));
        check_texts(&d);
        check_record(data, size, cut);
    }
    return 0;
}
