#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/mutate bites: box.c with test_box.c as a project of its own, in which it is known what is killed and what is not."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CMAKE = """cmake_minimum_required(VERSION 3.25)
project(box LANGUAGES C)
set(CMAKE_C_STANDARD 11)
enable_testing()
if(WEDR_SANITIZE)
  add_compile_options(-fsanitize=${WEDR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEDR_SANITIZE})
endif()
add_compile_options(-Wall -Wextra -Werror)
add_executable(test_box test_box.c box.c)
target_link_libraries(test_box cmocka)
add_test(NAME unit.box COMMAND test_box)
"""
EQUIVALENT = ("box_larger", "compare", "b > larger", "b >= larger")


class Project:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="wedr-mutate-")
        for name in ("box.c", "box.h", "test_box.c"):
            shutil.copy(os.path.join(HERE, name), self.folder)
        self.write("CMakeLists.txt", CMAKE)
        self.rows, self.output = self.all_of_them()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
            return f.read()

    def mutate(self, *args):
        p = subprocess.run([os.path.join(ROOT, "tools", "mutate"), "--root", self.folder, "--mutate", "box.c", "--tests", ".",
                            "--survivors", os.path.join(self.folder, "survivors.txt"), *args], capture_output=True, text=True,
                           check=False)
        return p.returncode, p.stdout + p.stderr

    def results(self):
        return {(m["function"], m["operator"], m["before"], m["after"]): m
                for m in json.loads(self.read("out.json"))["mutants"]}

    def quick(self, *args):
        """Without ThreadSanitizer, a few functions."""
        return self.mutate("--no-tsan", "--functions", "box_put,box_larger,box_never", *args)

    def all_of_them(self):
        code, out = self.mutate("--json", os.path.join(self.folder, "out.json"))
        assert code == 0, out
        return self.results(), out

    def verdict(self, *key):
        return self.rows[key]["verdict"] if key in self.rows else "no such mutation"

    def explain(self, *rows):
        self.write("survivors.txt", "# reasons\n" + "".join(r + "\n" for r in rows))


def row(m, reason="the same either way"):
    return f"{m['file']} :: {m['function']} :: {m['operator']} :: {m['before']} => {m['after'] or '(left out)'} :: " \
           f"{m['ordinal']} :: {reason}"


def every_operator_has_a_site(p):
    code, out = p.mutate("--help")
    assert code == 0
    listed = {line.split()[0] for line in out.split("operators:\n")[1].splitlines() if line.strip()}
    found = {m["operator"] for m in p.rows.values()}
    assert listed == found, listed ^ found


def each_operator_is_killed_where_the_tests_look(p):
    for key in (("box_put", "lock", "lock_acquire(b)", ""), ("box_put", "lock", "lock_release(b)", ""),
                ("box_put", "lock", "lock_acquire(b)", "(with its releases)"),
                ("box_finish", "pending", "IoMarkIrpPending(b)", ""),
                ("box_put", "compare", "b->used >= BOX_MAX", "b->used > BOX_MAX"),
                ("box_put", "compare", "b->used >= BOX_MAX", "b->used < BOX_MAX"),
                ("box_sum", "off1", "unsigned i = 0;", "unsigned i = 0 + 1;"),
                ("box_sum", "off1", "sum += b->items[i]", "sum += b->items[i + 1]"),
                ("box_finish", "swap", "complete_first(b); complete_second(b)", "complete_second(b); complete_first(b)"),
                ("box_put", "return", "return WEDR_E_FULL", "return 0"), ("box_put", "return", "return WEDR_OK", "return -77"),
                ("box_put", "status", "return WEDR_E_FULL", "return -77"), ("box_put", "call", "note(b)", ""),
                ("box_has", "negate", "unsigned wanted = twice ? TWICE(value) : CHECKED(value);",
                 "unsigned wanted = !(twice) ? TWICE(value) : CHECKED(value);"),
                ("box_has", "logic", "i < b->used && b->items[i] != wanted", "i < b->used || b->items[i] != wanted"),
                ("box_put", "assign", "b->items[b->used] = value", ""), ("box_put", "assign", "b->used++", ""),
                ("box_new", "constant", "b->kind = KIND_A", "b->kind = KIND_B"), ("box_new", "return", "return b", "return 0")):
        assert p.verdict(*key) == "killed", (key, p.verdict(*key))


def what_only_a_sanitizer_sees_is_killed(p):
    for key in (("box_free", "release", "free(b->name)", ""), ("box_free", "release", "free(b)", ""),
                ("box_new", "off1", "struct box *b = calloc(1, sizeof(*b));", "struct box *b = calloc(1, (sizeof(*b)) - 1);")):
        m = p.rows[key]
        assert m["verdict"] == "killed" and m["how"] == "exit 1", m
    key = ("box_free", "swap", "free(b->name); free(b)", "free(b); free(b->name)")
    assert p.verdict(*key) == "killed"


def what_only_thread_sanitizer_sees_is_killed(p):
    m = p.rows[("box_shared_note", "lock", "pthread_mutex_lock(&mutex)", "(with its releases)")]
    assert m["verdict"] == "killed" and m["how"].endswith("(tsan)"), m


def a_hang_is_killed(p):
    m = p.rows[("box_drain", "assign", "b->used--", "")]
    assert (m["verdict"], m["how"]) == ("killed", "hang"), m


def what_the_tests_miss_survives(p):
    assert p.verdict(*EQUIVALENT) == "survived"
    assert p.verdict("box_put", "call", "prefetch(b)", "") == "survived"
    assert p.verdict("box_put", "swap", "b->used++; lock_release(b)", "lock_release(b); b->used++") == "no such mutation"
    assert "box.c:" in p.output and "+ b >= larger" in p.output


def a_choice_between_both_sides_has_no_neighbour(p):
    found = [m["after"] for m in p.rows.values() if m["function"] == "box_smaller" and m["operator"] == "compare"]
    assert found == ["return a >= b ? a : b"], found


def what_no_test_reaches_is_said_so(p):
    never = [m for m in p.rows.values() if m["function"] == "box_never"]
    assert never and all(m["verdict"] == "unreached" for m in never), never
    assert all(m["verdict"] != "unreached" for m in p.rows.values() if m["function"] == "box_put")


def constants_of_the_language_and_bodies_of_macros_are_left_alone(p):
    for m in p.rows.values():
        assert "COLOUR_RED + 0" not in m["before"] and "(x)" not in m["before"], m
    assert ("box_has", "off1", "TWICE(value)", "TWICE(value + 1)") not in p.rows
    assert any("CHECKED(value" in m["after"] for m in p.rows.values())


def check_wants_the_rate_and_every_survivor_explained(p):
    left = [m for m in p.rows.values() if m["verdict"] != "killed" and m["function"] in ("box_put", "box_larger", "box_never")]
    try:
        code, out = p.quick("--check", "--least", "50")
        assert code == 1 and "[       OK ] mutate_kill_rate" in out and "[  FAILED  ] mutate_survivors_explained" in out, out
        p.explain(*(row(m) for m in left))
        code, out = p.quick("--check", "--least", "50")
        assert code == 0 and "[  FAILED  ]" not in out and "[       OK ] mutate_survivors_explained" in out, out
        code, out = p.quick("--check", "--least", "99.5")
        assert code == 1 and "[  FAILED  ] mutate_kill_rate" in out, out
        p.explain(*(row(m) for m in left if m["function"] != "box_larger"))
        code, out = p.quick("--check", "--least", "50")
        assert code == 1 and "box_larger" in out, out
        p.explain(*(row(m) for m in left), row({**left[0], "ordinal": 77}))
        code, out = p.quick("--check", "--least", "50")
        assert code == 1 and "names no mutation" in out, out
        p.explain(*(row(m) for m in left), row(left[0], " "))
        code, out = p.quick("--check", "--least", "50")
        assert code == 1 and "[  FAILED  ] mutate_explanations_valid" in out, out
    finally:
        p.explain()


def an_explanation_survives_moved_lines(p):
    old = p.read("box.c")
    try:
        p.write("box.c", old.replace("/* `>` and", "\n\n/* `>` and"))
        p.explain(row(p.rows[EQUIVALENT]))
        code, out = p.mutate("--no-tsan", "--functions", "box_larger", "--json", os.path.join(p.folder, "out.json"))
        assert code == 0 and "mutate_survivors_explained: 1 explained" in out, out
        assert p.results()[EQUIVALENT]["line"] == p.rows[EQUIVALENT]["line"] + 2
    finally:
        p.write("box.c", old)
        p.explain()


def a_file_that_changes_during_a_run_is_built_as_it_was_parsed(p):
    sys.path.insert(0, os.path.join(ROOT, "tools", "mutate.d"))
    from build import Build  # pylint: disable=import-outside-toplevel
    b = Build(p.folder, os.path.join(p.folder, "build", "mutate"), 1, [])
    b.instrument(b.entries(lambda name: name == "box.c"))
    old, copy = p.read("box.c"), p.read("build/mutate/src/box.c")
    try:
        p.write("box.c", old.replace("static int held;", "static int held;\n\nextern int more;"))
        b.write_copies()
        assert p.read("build/mutate/src/box.c") == copy
    finally:
        p.write("box.c", old)


def a_part_can_be_chosen(p):
    numbers = [m["id"] for m in p.rows.values()]
    code, out = p.mutate("--list")
    assert code == 0 and [int(line.split(":")[0]) for line in out.splitlines()] == sorted(numbers), out
    code, out = p.mutate("--list", "--sample", "10")
    assert [int(line.split(":")[0]) for line in out.splitlines()] == sorted(numbers)[::10], out
    code, out = p.mutate("--list", "--operators", "lock,swap", "--files", "box.c")
    assert out and all(" lock in " in line or " swap in " in line for line in out.splitlines()), out
    code, out = p.mutate("--list", "--operators", "nothing")
    assert code == 2 and "unknown operator" in out, out


def what_was_killed_need_not_be_tried_again(p):
    survivors = [m for m in p.rows.values() if m["verdict"] != "killed"]
    code, out = p.mutate("--no-tsan", "--again", "--json", os.path.join(p.folder, "out.json"))
    now = p.results()
    assert code == 0 and f"{len(survivors)} of them to try" in out, out
    assert {k: m["verdict"] for k, m in now.items()} == {k: m["verdict"] for k, m in p.rows.items()}


def one_mutation_can_be_shown(p):
    code, out = p.mutate("--run", str(p.rows[("box_put", "call", "note(b)", "")]["id"]))
    assert code == 0 and "mutate: killed" in out and "box.c:" in out and "error: Failure!" in out, out
    code, out = p.mutate("--run", str(p.rows[EQUIVALENT]["id"]))
    assert code == 1 and "mutate: survived" in out, out
    code, out = p.mutate("--run", "99999")
    assert code == 1 and "no mutation 99999" in out, out


def a_test_that_fails_by_itself_is_an_error(p):
    old = p.read("test_box.c")
    try:
        p.write("test_box.c", old.replace("box_sum(b), 46", "box_sum(b), 47"))
        code, out = p.mutate()
        assert code == 1 and "unit.box fails without any mutation" in out, out
    finally:
        p.write("test_box.c", old)


def a_test_that_fails_now_and_then_is_an_error(p):
    old = p.read("test_box.c")
    mark = os.path.join(p.folder, "mark")
    try:
        p.write("test_box.c", "#include <stdio.h>\n" + old.replace(
            "assert_int_equal(box_larger(3, 4), 4);",
            f'FILE *f = fopen("{mark}", "a");\n    assert_non_null(f);\n    assert_int_equal(fputc(46, f), 46);\n'
            "    assert_true(ftell(f) < 4);\n    assert_int_equal(fclose(f), 0);"))
        code, out = p.mutate("--no-tsan", "--check", "--least", "0", "--functions", "nothing")
        assert code == 1 and "[  FAILED  ] mutate_control" in out and "unit.box" in out, out
    finally:
        p.write("test_box.c", old)


TESTS = [every_operator_has_a_site, each_operator_is_killed_where_the_tests_look, what_only_a_sanitizer_sees_is_killed,
         what_only_thread_sanitizer_sees_is_killed, a_hang_is_killed, what_the_tests_miss_survives,
         what_no_test_reaches_is_said_so, constants_of_the_language_and_bodies_of_macros_are_left_alone,
         a_choice_between_both_sides_has_no_neighbour, a_file_that_changes_during_a_run_is_built_as_it_was_parsed, a_part_can_be_chosen,
         what_was_killed_need_not_be_tried_again, one_mutation_can_be_shown,
         check_wants_the_rate_and_every_survivor_explained, an_explanation_survives_moved_lines,
         a_test_that_fails_by_itself_is_an_error, a_test_that_fails_now_and_then_is_an_error]


def main():
    p = Project()
    failed = 0
    try:
        for test in TESTS:
            try:
                test(p)
                print(f"[       OK ] {test.__name__}")
            except (AssertionError, KeyError):
                traceback.print_exc(file=sys.stdout)
                print(f"[  FAILED  ] {test.__name__}")
                failed += 1
    finally:
        shutil.rmtree(p.folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
