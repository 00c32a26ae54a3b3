/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/endpoint/agent/process/proc_test.h — scratch folders and files; cmocka with what it
 * needs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A new empty folder; the caller removes it with all that is in it. Static storage, one at a time.
 */
const char *p_dir(void);
void p_remove(const char *dir);
/* <dir>/<name>, mode as given. */
void p_write(const char *dir, const char *name, const void *p, size_t n, unsigned mode);
/* Bytes read, at most cap. */
size_t p_read(const char *dir, const char *name, void *p, size_t cap);
