/* SPDX-License-Identifier: Apache-2.0
 * What a regex is said to need stands in every text that it is found in. */
#include "core/base/attr.h"
#include "match/need.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PATTERNS 20000u
#define TEXTS 40u

static uint64_t seed = 0x9E3779B97F4A7C15u;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % n;
}

static const char *const elements[] = {
    "a",           "k",           "S",        "-",        "\\.",        "\\\\",     "1",
    " ",           "\\d",         "\\w",      "\\s",      "\\W",        ".",        "[ab]",
    "[^a]",        "[a-c-]",      "[]a]",     "[\\d.]",   "[\\.-1]",    "[\\w-]",   "[\xC3\xA9z]",
    "(a|b)",       "(?:-|\\.|1)", "(ab|1)",   "(a|b+)",   "(?:a.)",     "(?=a)",    "(?!1)",
    "\\b",         "^",           "$",        "\xC3\xA9", "|",          "(?i)",     "(?i:a)",
    "\\x61",       "(a)\\1",      "{",        "\"",       "(\\.|[-a])", "(-|)",     "(?<=a)",
    "[[:alpha:]]", "\\Qa\\E",     "(?>a|ab)", "\\t",      "\\n",        "[\\n\\t]", "(\\()"};
static const char *const quantifiers[] = {"",     "",    "",   "",     "",      "?",
                                          "*",    "+",   "+?", "{2}",  "{1,2}", "{0,}",
                                          "{2}?", "{0}", "*+", "{,2}", "{3,}",  "{70}"};
static const char *const pieces[] = {
    "a", "b", "A",        "k",  "\xE2\x84\xAA", "s",  "\xC5\xBF", "-",  ".", "\\", "1",
    "2", " ", "\xC3\xA9", "\n", "\xFF",         "\"", "{",        "\t", "(", ""};

static void put(char *to, size_t size, const char *const *from, size_t count, uint32_t n)
{
    size_t len = strlen(to);
    for (; n > 0; n--) {
        const char *s = from[below((uint32_t)count)];
        if (len + strlen(s) + 1 > size) {
            return;
        }
        memcpy(to + len, s, strlen(s) + 1);
        len += strlen(s);
    }
}

static struct wedr_need need_of(const pcre2_code *code, const char *pattern, uint8_t flags)
{
    struct wedr_need n;
    uint32_t least = 0;
    (void)pcre2_pattern_info(code, PCRE2_INFO_MINLENGTH, &least);
    wedr_need_regex(wedr_text(pattern, strlen(pattern)), flags, least, &n);
    return n;
}

static pcre2_code *compiled(const char *pattern, uint8_t flags)
{
    int error;
    PCRE2_SIZE offset;
    uint32_t options =
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (flags & WEDR_PRED_RE_I ? PCRE2_CASELESS : 0);
    return pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), options, &error, &offset, NULL);
}

static void what_is_needed_stands_wherever_a_regex_is_found(void **state)
{
    (void)state;
    uint32_t found = 0;
    uint32_t refused = 0;
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    for (uint32_t i = 0; i < PATTERNS; i++) {
        char pattern[256] = "";
        for (uint32_t n = 1 + below(5); n > 0; n--) {
            put(pattern, sizeof(pattern), elements, WEDR_ARRAY_COUNT(elements), 1);
            put(pattern, sizeof(pattern), quantifiers, WEDR_ARRAY_COUNT(quantifiers), 1);
        }
        uint8_t flags = below(3) ? 0 : WEDR_PRED_RE_I;
        pcre2_code *code = compiled(pattern, flags);
        if (!code) {
            continue;
        }
        struct wedr_need n = need_of(code, pattern, flags);
        for (uint32_t k = 0; k < TEXTS; k++) {
            char text[256] = "";
            put(text, sizeof(text), pieces, WEDR_ARRAY_COUNT(pieces), below(12));
            struct wedr_text t = wedr_text(text, strlen(text));
            int r = pcre2_match(code, (PCRE2_SPTR)t.p, t.len, 0, 0, match, NULL);
            bool met = wedr_need_met(&n, t);
            if (r >= 0 && !met) {
                fail_msg("%s is found in \"%s\"", pattern, text);
            }
            found += r >= 0;
            refused += !met;
        }
        pcre2_code_free(code);
    }
    pcre2_match_data_free(match);
    assert_true(found > PATTERNS); /* the patterns are no nonsense, and neither is the check */
    assert_true(refused > PATTERNS);
}

static bool met(const char *pattern, const char *text)
{
    struct wedr_need n;
    pcre2_code *code = compiled(pattern, 0);
    assert_non_null(code);
    n = need_of(code, pattern, 0);
    pcre2_code_free(code);
    return wedr_need_met(&n, wedr_text(text, strlen(text)));
}

static void most_texts_lack_what_a_regex_needs(void **state)
{
    (void)state;
    const char *dots = "\\\\[a-zA-Z0-9]{1,32}\\.[a-zA-Z0-9]{1,6}\\.[ \"']{1}";
    assert_false(met("-(W|R)\\s?(\\s|\")", "ls -la /var/log"));
    assert_true(met("-(W|R)\\s?(\\s|\")", "pnscan -W \"0a\""));
    assert_false(met("\\w+`(?:\\w+|-|.)`[\\w+|\\s]", "powershell -nop"));
    assert_true(met("\\w+`(?:\\w+|-|.)`[\\w+|\\s]", "power`s`hell"));
    assert_false(met(dots, "C:\\Windows\\System32\\cmd.exe /c a.bat"));
    assert_true(met(dots, "msiexec C:\\x\\a.b. /q"));
    assert_false(met("\\s[a-f0-9]{64}\\s[a-f0-9]{16}", "too short"));
    assert_true(met("a|b`", "neither of them is needed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_stands_wherever_a_regex_is_found),
        cmocka_unit_test(most_texts_lack_what_a_regex_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
