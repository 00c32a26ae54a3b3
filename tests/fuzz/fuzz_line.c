/* SPDX-License-Identifier: Apache-2.0
 *
 * One line: what the strict check accepts, the lenient reader of stored lines must read alike, and
 * the fast reader must accept nothing else and find the same in it. */
#include "core/util/alloc.h"
#include "ingest/facts.h"
#include "ingest/line_reader.h"
#include "line_same.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare_fast(struct wedr_line_reader *reader,
                         const char *text,
                         size_t size,
                         const char *stream,
                         const struct wedr_line *line,
                         const struct wedr_line_info *info)
{
    struct wedr_line fast;
    struct wedr_line_info fast_info;
    if (wedr_line_reader_plain(reader, text, size, stream, &fast, &fast_info) &&
        (line == NULL || line_differs(&fast, &fast_info, line, info) != NULL)) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_line_reader *reader;
    static struct wedr_line_parser *parser;
    static const char *const streams[3] = {"kernel.critical", "agent", "plugin.x"};
    struct wedr_line line;
    struct wedr_line_info strict, lenient;
    struct wedr_fact fact;
    if (parser == NULL && (parser = wedr_line_parser_new(4096)) == NULL) {
        return 0;
    }
    if (reader == NULL && (reader = wedr_line_reader_new(1u << 20)) == NULL) {
        return 0;
    }
    if (memchr(data, '\n', size) != NULL) {
        return 0;
    }
    char *text = wedr_alloc(size + WEDR_LINE_PADDING, 1);
    if (text == NULL) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\n';
    bool parsed = wedr_line_parse(parser, text, size, &line) == 0;
    for (size_t i = 0; !parsed && i < 3; i++) {
        compare_fast(reader, text, size, streams[i], NULL, NULL);
    }
    if (parsed) {
        for (size_t i = 0; i < 3; i++) {
            bool good = wedr_line_check(&line, streams[i], &strict) == 0;
            compare_fast(reader, text, size, streams[i], good ? &line : NULL, &strict);
            if (!good) {
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
