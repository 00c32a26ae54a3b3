/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/export_csv.h"
#include "core/base/utf16.h"
#include <stdint.h>
#include <string.h>

/* What Excel, LibreOffice and their like calculate; also in the forms of full width that some of
 * them take for the same. */
static bool is_formula(const char *s, size_t len)
{
    static const char *const begins[] = {"=",
                                         "+",
                                         "-",
                                         "@",
                                         "\t",
                                         "\r",
                                         "\n",
                                         "\xef\xbc\x9d",
                                         "\xef\xbc\x8b",
                                         "\xef\xbc\x8d",
                                         "\xef\xbc\xa0"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        size_t n = strlen(begins[i]);
        if (len >= n && memcmp(s, begins[i], n) == 0) {
            return true;
        }
    }
    return false;
}

void wedr_csv_cell(struct wedr_buf *b, const void *text, size_t len, bool first, bool number)
{
    const char *s = text;
    bool quoted = len != 0 && !number;
    wedr_buf_add(b, ",", first ? 0 : 1);
    wedr_buf_add(b, "\"", quoted ? 1 : 0);
    if (quoted && is_formula(s, len)) {
        wedr_buf_add(b, "'", 1);
    }
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        bool good = true;
        size_t n = wedr_utf8_next(s + i, len - i, &cp, &good);
        if (s[i] == '"') {
            wedr_buf_add(b, "\"\"", 2);
        } else if (!good || s[i] == '\0') {
            wedr_buf_adds(b, "\xef\xbf\xbd");
        } else {
            wedr_buf_add(b, s + i, n);
        }
        i += n;
    }
    if (quoted) {
        wedr_buf_add(b, "\"", 1);
    }
}

void wedr_csv_end_row(struct wedr_buf *b)
{
    wedr_buf_add(b, "\r\n", 2);
}
