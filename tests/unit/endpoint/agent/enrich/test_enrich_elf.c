/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter and build id of this very program, and of files that lie. */
#include "core/base/err.h"
#include "enrich/elf.h"
#include "wedr/plat/fs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD 4096u

static uint8_t head[HEAD];

static size_t read_self(void)
{
    wedr_handle file;
    size_t n = 0;
    assert_int_equal(wedr_fs_open("/proc/self/exe", WEDR_FS_READ, 0, &file), WEDR_OK);
    assert_int_equal(wedr_fs_read(file, head, sizeof(head), &n), WEDR_OK);
    wedr_fs_close(file);
    return n;
}

static void a_program_names_its_interpreter_and_build(void **state)
{
    struct wedr_elf e;
    (void)state;
    size_t n = read_self();
    assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
    assert_non_null(strstr(e.interpreter, "ld-"));
    assert_int_equal(e.interpreter[0], '/');
}

/* A file of 64 bits with one note segment. */
static size_t make(uint32_t name_len, uint32_t len, uint32_t type, const char *name)
{
    memset(head, 0, sizeof(head));
    memcpy(head, "\177ELF\2\1\1", 7);
    head[32] = 64; /* program headers */
    head[54] = 56;
    head[56] = 1;
    head[64] = 4; /* PT_NOTE */
    head[64 + 8] = 128;
    head[64 + 32] = 64;
    memcpy(head + 128, &name_len, 4);
    memcpy(head + 132, &len, 4);
    memcpy(head + 136, &type, 4);
    memcpy(head + 140, name, 4);
    memset(head + 144, 0xab, 20);
    return 256;
}

static void a_build_id_is_the_note_of_gnu(void **state)
{
    struct wedr_elf e;
    (void)state;
    size_t n = make(4, 20, 3, "GNU");
    assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
    assert_int_equal(e.build_id_len, 20);
    assert_memory_equal(e.build_id, head + 144, 20);
    n = make(4, 20, 3, "GNX");
    assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
    assert_int_equal(e.build_id_len, 0);
    n = make(4, 20, 1, "GNU");
    assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
    assert_int_equal(e.build_id_len, 0);
}

static void lengths_that_lie_are_not_followed(void **state)
{
    static const uint32_t lies[] = {0, 33, 64, 0x7fffffff, 0xffffffff, 0xfffffffd};
    struct wedr_elf e;
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        size_t n = make(4, lies[i], 3, "GNU");
        assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
        assert_int_equal(e.build_id_len, 0);
        n = make(lies[i], 20, 3, "GNU");
        assert_int_equal(wedr_elf_read(head, n, &e), WEDR_OK);
        assert_int_equal(e.build_id_len, 0);
    }
    for (size_t n = 0; n < 256; n++) { /* whatever is missing at the end */
        (void)make(4, 20, 3, "GNU");
        (void)!wedr_elf_read(head, n, &e);
        assert_int_equal(e.build_id_len, n >= 164 ? 20 : 0);
    }
    (void)make(4, 20, 3, "GNU");
    memset(head + 64 + 8, 0xff, 8);
    assert_int_equal(wedr_elf_read(head, 256, &e), WEDR_OK);
    memset(head + 32, 0xff, 8);
    assert_int_equal(wedr_elf_read(head, 256, &e), WEDR_OK);
}

static void other_files_are_none(void **state)
{
    struct wedr_elf e;
    (void)state;
    memset(head, 0, sizeof(head));
    memcpy(head, "#!/bin/sh\n", 10);
    assert_int_equal(wedr_elf_read(head, sizeof(head), &e), WEDR_E_FORMAT);
    memcpy(head, "\177ELF\3\1", 6);
    assert_int_equal(wedr_elf_read(head, sizeof(head), &e), WEDR_E_FORMAT);
    memcpy(head, "\177ELF\2\3", 6);
    assert_int_equal(wedr_elf_read(head, sizeof(head), &e), WEDR_E_FORMAT);
    assert_int_equal(wedr_elf_read("\177ELF\2\1", 6, &e), WEDR_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_names_its_interpreter_and_build),
        cmocka_unit_test(a_build_id_is_the_note_of_gnu),
        cmocka_unit_test(lengths_that_lie_are_not_followed),
        cmocka_unit_test(other_files_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
