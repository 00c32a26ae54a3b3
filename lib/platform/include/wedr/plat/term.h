/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/term.h — the standard streams of a program that a person runs. Thread-safe. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"

/* Standard input for wedr_fs_read; not to be closed. */
wedr_handle wedr_term_input(void);
/* Whether standard output, standard error is a terminal that obeys escape sequences. */
bool wedr_term_out(void);
bool wedr_term_err(void);
/* Its width in characters; 80 when it is not known. */
unsigned wedr_term_columns(void);
/* One line that is typed and not shown, from the terminal of the program whatever its standard
 * streams are, without its end; the caller wipes it. WEDR_E_UNSUP: there is no terminal.
 * WEDR_E_CLOSED: ^C, ^D, or the terminal went away. WEDR_E_LIMIT: longer than cap - 1. */
WEDR_MUST_USE int
wedr_term_secret(const char *prompt, char *ret_text, size_t cap, struct wedr_errinfo *ei);
/* The same, shown. */
WEDR_MUST_USE int
wedr_term_line(const char *prompt, char *ret_text, size_t cap, struct wedr_errinfo *ei);
