/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/term.h — the standard streams of a program that a person runs. Thread-safe. */
#pragma once

#include "wedr/plat/fs.h"

/* Standard input for wedr_fs_read; not to be closed. */
wedr_handle wedr_term_input(void);
/* Whether standard output, standard error is a terminal that obeys escape sequences. */
bool wedr_term_out(void);
bool wedr_term_err(void);
/* Its width in characters; 80 when it is not known. */
unsigned wedr_term_columns(void);
