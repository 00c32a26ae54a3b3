/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_expect.h"
#include "nt_probe.h"

static void below(const char *prefix, const char *name, bool want)
{
    const struct ntsim_text p = text_of(prefix);
    const struct ntsim_text n = text_of(name);

    if (probe_keypath_below(p, n, NTSIM_NULL) != want) {
        fail_msg("%s below %s: not %d", name, prefix, want);
    }
    /* One piece is one piece, whichever it is. */
    assert_int_equal(probe_keypath_below(p, NTSIM_NULL, n), want);
    assert_int_equal(probe_keypath_below(p, NTSIM_BYTES(NULL, 40), n), want);
}

static void prefix_ends_with_a_component(void **state)
{
    (void)state;
    below("\\a\\run", "\\a\\run", true);
    below("\\a\\run", "\\a\\run\\sub", true);
    below("\\a\\run", "\\a\\run\\", true);
    below("\\a\\run", "\\a\\runmru", false);
    below("\\a\\run", "\\A\\RUNMRU", false);
    below("\\a\\run", "\\a\\runmru\\run", false);
    below("\\a\\run", "\\a\\ru", false);
    below("\\a\\run", "\\a", false);
    below("\\a\\run", "", false);
    below("\\a\\run", "\\b\\run", false);
    below("\\a\\run", "\\a\\rux", false);
    below("\\a\\run", "x\\a\\run", false);
}

static void prefix_with_a_backslash_at_its_end_is_what_lies_below(void **state)
{
    (void)state;
    below("\\a\\", "\\a\\b", true);
    below("\\a\\", "\\a\\", true);
    below("\\a\\", "\\a", false);
    below("\\a\\", "\\ab", false);
    below("\\", "\\a", true);
    below("\\", "\\", true);
    below("\\", "a", false);
}

static void empty_prefix_matches_nothing(void **state)
{
    (void)state;
    below("", "\\a", false);
    below("", "", false);
    assert_false(probe_keypath_below(NTSIM_BYTES(u"\\", 1), NTSIM_TEXT(u"\\a"), NTSIM_NULL));
    assert_false(probe_keypath_below(NTSIM_TEXT(u"\\a"), NTSIM_NULL, NTSIM_NULL));
}

static void case_makes_no_difference(void **state)
{
    (void)state;
    below("\\aBz", "\\AbZ\\x", true);
    below("\\AZaz", "\\azAZ", true);
    /* Neighbours of the letters are no letters. */
    below("\\@", "\\`", false);
    below("\\`", "\\@", false);
    below("\\[", "\\{", false);
    below("\\{", "\\[", false);
    below("\\0", "\\P", false);
    below("\\0", "\\0", true);
}

static bool below16(struct ntsim_text prefix, struct ntsim_text name)
{
    return probe_keypath_below(prefix, name, NTSIM_NULL);
}

static void case_of_other_alphabets_is_that_of_the_kernel(void **state)
{
    (void)state;
    assert_true(below16(NTSIM_TEXT(u"\\\u00e9"), NTSIM_TEXT(u"\\\u00c9")));
    assert_true(below16(NTSIM_TEXT(u"\\\u0416"), NTSIM_TEXT(u"\\\u0436\\x")));
    assert_false(below16(NTSIM_TEXT(u"\\\u00e9"), NTSIM_TEXT(u"\\e")));
    assert_false(below16(NTSIM_TEXT(u"\\\u0161"), NTSIM_TEXT(u"\\a"))); /* low byte 'a' */
    assert_false(below16(NTSIM_TEXT(u"\\\u0161"), NTSIM_TEXT(u"\\A")));
    assert_true(below16(NTSIM_TEXT(u"\\\u0161"), NTSIM_TEXT(u"\\\u0161")));
    assert_true(below16(NTSIM_TEXT(u"\\\u00de"), NTSIM_TEXT(u"\\\u00fe"))); /* the last pair */
    assert_true(below16(NTSIM_TEXT(u"\\\u00c0"), NTSIM_TEXT(u"\\\u00e0"))); /* the first */
    assert_false(below16(NTSIM_TEXT(u"\\\x7f"), NTSIM_TEXT(u"\\\x80")));
    assert_false(below16(NTSIM_TEXT(u"\\\uffff"), NTSIM_TEXT(u"\\\0"))); /* first and last unit */
}

/* The same path, cut into root and leaf at each backslash. */
static void check_pieces(const char *prefix, const char *path, bool want)
{
    const struct ntsim_text p = text_of(prefix);
    const struct ntsim_text whole = text_of(path);

    for (size_t i = 1; i + 1 < whole.len / 2u; i++) {
        if (whole.units[i] == '\\') {
            struct ntsim_text root = NTSIM_BYTES(whole.units, i * 2);
            struct ntsim_text leaf = NTSIM_BYTES(whole.units + i + 1, whole.len - 2 * (i + 1));

            assert_int_equal(probe_keypath_below(p, root, leaf), want);
            assert_int_equal(probe_keypath_units(root, leaf), whole.len / 2);
        }
    }
}

static void two_pieces_are_one_path(void **state)
{
    (void)state;
    check_pieces("\\a\\bc\\d", "\\a\\bc\\d", true);
    check_pieces("\\a\\bc", "\\a\\bc\\d", true);
    check_pieces("\\a\\", "\\a\\bc\\d", true);
    check_pieces("\\a", "\\a\\bc\\d", true);
    check_pieces("\\a\\bc\\", "\\a\\bc\\d", true);
    check_pieces("\\a\\b", "\\a\\bc\\d", false);
    check_pieces("\\a\\bcd", "\\a\\bc\\d", false);
    check_pieces("\\abc", "\\a\\bc\\d", false);
    check_pieces("\\a\\bc\\de", "\\a\\bc\\d", false);
    assert_int_equal(probe_keypath_units(NTSIM_NULL, NTSIM_NULL), 0);
    assert_int_equal(probe_keypath_units(NTSIM_TEXT(u""), NTSIM_TEXT(u"ab")), 2);
    assert_int_equal(probe_keypath_units(NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"")), 2);
    assert_int_equal(probe_keypath_units(NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"c")), 4);
    assert_int_equal(probe_keypath_units(NTSIM_BYTES(NULL, 8), NTSIM_TEXT(u"c")), 1);
    assert_int_equal(probe_keypath_units(NTSIM_BYTES(u"abc", 5), NTSIM_NULL), 2);
}

static size_t match(const char *pattern, const char *name, size_t from)
{
    return probe_keypath_match(pattern, text_of(name), NTSIM_NULL, from);
}

static void pattern_matches_up_to_a_component(void **state)
{
    (void)state;
    assert_int_equal(match("\\a\\run", "\\A\\Run", 0), 6);
    assert_int_equal(match("\\a\\run", "\\A\\Run\\x", 0), 6);
    assert_int_equal(match("\\a\\run", "\\A\\RunMRU", 0), 0);
    assert_int_equal(match("\\a\\run", "\\A\\Ru", 0), 0);
    assert_int_equal(match("\\a\\run", "\\A\\Run\\", 0), 6);
    assert_int_equal(match("\\a\\run", "", 0), 0);
    assert_int_equal(match("run", "\\A\\Run\\x", 3), 6);
    assert_int_equal(match("run", "\\A\\Run", 3), 6);
    assert_int_equal(match("run", "\\A\\Run", 2), 0);
    assert_int_equal(match("run", "\\A\\Run", 6), 0);
    assert_int_equal(match("run", "\\A\\Run", 7), 0); /* behind the end */
    assert_int_equal(match("a", "A", 0), 1);
}

static void star_is_the_rest_of_a_component(void **state)
{
    (void)state;
    assert_int_equal(match("*\\x", "abc\\x", 0), 5);
    assert_int_equal(match("*\\x", "\\x", 0), 2);
    assert_int_equal(match("*\\x", "a\\b\\x", 0), 0);
    assert_int_equal(match("a*\\x", "abc\\x", 0), 5);
    assert_int_equal(match("a*\\x", "bbc\\x", 0), 0);
    assert_int_equal(match("*\\*\\x", "a\\b\\x\\y", 0), 5);
    assert_int_equal(match("*\\x", "abc", 0), 0);
    assert_int_equal(probe_keypath_match("*\\x", NTSIM_NULL, NTSIM_TEXT(u"abc"), 0), 0);
    assert_int_equal(match("a\\*", "a\\bc\\d", 0), 4);
    assert_int_equal(match("a\\*", "a\\bc", 0), 4);
}

static void only_letters_of_the_name_are_folded(void **state)
{
    (void)state;
    assert_int_equal(match("az", "AZ", 0), 2);
    assert_int_equal(match("`", "@", 0), 0);
    assert_int_equal(match("{", "[", 0), 0);
    assert_int_equal(match("@", "@", 0), 1);
    assert_int_equal(match("[", "[", 0), 1);
    assert_int_equal(match("0", "0", 0), 1);
    assert_int_equal(match("p", "0", 0), 0);
    assert_int_equal(probe_keypath_match("a", NTSIM_TEXT(u"\u0161"), NTSIM_NULL, 0), 0);
    assert_int_equal(probe_keypath_match("a", NTSIM_TEXT(u"\u0141"), NTSIM_NULL, 0), 0);
    assert_int_equal(probe_keypath_match("\xe9", NTSIM_TEXT(u"\u00e9"), NTSIM_NULL, 0), 1);
}

static void pattern_goes_over_the_two_pieces(void **state)
{
    (void)state;
    assert_int_equal(probe_keypath_match("ab\\cd", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD\\e"), 0), 5);
    assert_int_equal(probe_keypath_match("ab\\*\\e", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD\\e"), 0),
                     7);
    assert_int_equal(probe_keypath_match("d\\e", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD\\e"), 4), 7);
    assert_int_equal(probe_keypath_match("abcd", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD"), 0), 0);
    /* Nothing behind the second piece is looked at. */
    assert_int_equal(probe_keypath_match("ab\\c*", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD"), 0), 5);
    assert_int_equal(probe_keypath_match("ab\\cde", NTSIM_TEXT(u"AB"), NTSIM_TEXT(u"CD"), 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_ends_with_a_component),
        cmocka_unit_test(prefix_with_a_backslash_at_its_end_is_what_lies_below),
        cmocka_unit_test(empty_prefix_matches_nothing),
        cmocka_unit_test(case_makes_no_difference),
        cmocka_unit_test(case_of_other_alphabets_is_that_of_the_kernel),
        cmocka_unit_test(two_pieces_are_one_path),
        cmocka_unit_test(pattern_matches_up_to_a_component),
        cmocka_unit_test(star_is_the_rest_of_a_component),
        cmocka_unit_test(only_letters_of_the_name_are_folded),
        cmocka_unit_test(pattern_goes_over_the_two_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
