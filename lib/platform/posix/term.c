/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_UNKNOWN 80u

wedr_handle wedr_term_input(void)
{
    return STDIN_FILENO;
}

/* A terminal called dumb knows no escape sequences. */
static bool obeys(int fd)
{
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nothing here sets it */
    return isatty(fd) == 1 && (!term || strcmp(term, "dumb") != 0);
}

bool wedr_term_out(void)
{
    return obeys(STDOUT_FILENO);
}

bool wedr_term_err(void)
{
    return obeys(STDERR_FILENO);
}

unsigned wedr_term_columns(void)
{
    struct winsize size = {.ws_col = 0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 &&
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        return COLUMNS_UNKNOWN;
    }
    return size.ws_col > 0 ? size.ws_col : COLUMNS_UNKNOWN;
}
