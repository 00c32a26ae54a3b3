/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/verify.h"
#include "core/base/err.h"
#include "main/commands.h"
#include "store/events.h"
#include "store/print.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEDGER_MS 600000u

static void print_text(void *ctx, const char *day, const char *batch, const char *what)
{
    (void)ctx;
    (void)printf("%s\t", day);
    wedr_print_text(stdout, batch, strlen(batch));
    (void)printf("\t%s\n", what);
}

static void print_json(void *ctx, const char *day, const char *batch, const char *what)
{
    bool *first = ctx;
    (void)printf("%s{\"day\":\"%s\",\"batch\":", *first ? "" : ",\n", day);
    wedr_print_json(stdout, batch, strlen(batch));
    (void)printf(",\"what\":");
    wedr_print_json(stdout, what, strlen(what));
    (void)fputc('}', stdout);
    *first = false;
}

/* Rows of the ledger that do not add up. */
static int missing_rows(const char *data, uint64_t *ret, struct wedr_errinfo *ei)
{
    FILE *rows = tmpfile();
    int c;
    if (!rows) {
        return WEDR_E_IO;
    }
    int err = wedr_sql_run(data, "SELECT epoch FROM ledger WHERE missing <> 0", false, LEDGER_MS,
                           rows, ei);
    rewind(rows);
    uint64_t lines = 0;
    while (err == WEDR_OK && (c = fgetc(rows)) != EOF) {
        lines += c == '\n';
    }
    (void)fclose(rows);
    *ret = lines > 0 ? lines - 1 : 0; /* the head line */
    return err;
}

int wedr_cmd_verify(const struct wedr_server_args *a)
{
    struct wedr_verify_sums s;
    struct wedr_errinfo ei = {""};
    uint64_t missing = 0;
    bool first = true;
    if (a->json) {
        (void)fputs("{\"problems\":[", stdout);
    }
    int err = wedr_events_verify(a->data, a->json ? print_json : print_text, &first, &s, &ei);
    err = err == WEDR_OK ? missing_rows(a->data, &missing, &ei) : err;
    if (a->json) {
        (void)printf("],\"days\":%" PRIu64 ",\"batches\":%" PRIu64 ",\"blocks\":%" PRIu64
                     ",\"lines\":%" PRIu64 ",\"bytes_packed\":%" PRIu64 ",\"bytes\":%" PRIu64
                     ",\"set_aside\":%" PRIu64 ",\"batches_lost\":%" PRIu64
                     ",\"ledger_missing\":%" PRIu64 "}\n",
                     s.days, s.batches, s.blocks, s.lines, s.bytes_z, s.bytes_raw, s.aside, s.lost,
                     missing);
    } else {
        (void)printf("%" PRIu64 " days, %" PRIu64 " batches, %" PRIu64 " lines, %" PRIu64
                     " bytes read: %" PRIu64 " problems; %" PRIu64
                     " damaged files set aside, %" PRIu64 " batches lost to damage; %" PRIu64
                     " rows of the ledger with missing records\n",
                     s.days, s.batches, s.lines, s.bytes_raw, s.problems, s.aside, s.lost, missing);
    }
    if (err != WEDR_OK) {
        return wedr_main_fail("verify", err, &ei);
    }
    return s.problems > 0 || missing > 0 ? 1 : 0;
}
