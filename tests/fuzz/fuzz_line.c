/* SPDX-License-Identifier: Apache-2.0
 *
 * One line: what the strict check accepts, the lenient reader of stored lines must read alike. */
#include "core/util/alloc.h"
#include "ingest/facts.h"
#include "ingest/line_schema.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_line_parser *parser;
    static const char *const streams[3] = {"kernel.critical", "agent", "plugin.x"};
    struct wedr_line line;
    struct wedr_line_info strict, lenient;
    struct wedr_fact fact;
    if (parser == NULL && (parser = wedr_line_parser_new(4096)) == NULL) {
        return 0;
    }
    char *text = wedr_alloc(size + WEDR_LINE_PADDING, 1);
    if (text == NULL) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    if (wedr_line_parse(parser, text, size, &line) == 0) {
        for (size_t i = 0; i < 3; i++) {
            if (wedr_line_check(&line, streams[i], &strict) != 0) {
                continue;
            }
            if (wedr_line_read(&line, &lenient) != 0 || lenient.seq != strict.seq ||
                lenient.ts_us != strict.ts_us || lenient.code != strict.code ||
                (strict.type != NULL &&
                 memcmp(lenient.column, strict.column, sizeof(strict.column)) != 0)) {
                __builtin_trap();
            }
            if (wedr_fact_type(strict.code)) {
                (void)(wedr_fact_read(&line, &strict, &fact) == 0);
            }
        }
        (void)(wedr_line_read(&line, &lenient) == 0);
    }
    wedr_free(text);
    return 0;
}
