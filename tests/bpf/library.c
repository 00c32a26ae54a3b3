/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/library.c — a shared library that a victim loads. */
int wedr_library_answer(void);
int wedr_library_answer(void)
{
    return 42;
}
