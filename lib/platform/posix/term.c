/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/term.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
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

enum { CTRL_C = 3, CTRL_D = 4, CTRL_U = 21, BACKSPACE = 8, DELETED = 127 };

/* One byte, or the end: WEDR_E_CLOSED. */
static int read_key(int fd, char *ret)
{
    ssize_t n = 0;
    do {
        n = read(fd, ret, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? WEDR_OK : WEDR_E_CLOSED;
}

/* The terminal hands over each key as it is pressed. */
static int read_keys(int fd, char *ret_text, size_t cap)
{
    size_t len = 0;
    for (;;) {
        char key = 0;
        int err = read_key(fd, &key);
        if (err != WEDR_OK || key == CTRL_C || (key == CTRL_D && len == 0)) {
            return WEDR_E_CLOSED;
        }
        if (key == '\n' || key == '\r') {
            ret_text[len] = '\0';
            return WEDR_OK;
        }
        if (key == CTRL_U) {
            len = 0;
        } else if (key == BACKSPACE || key == DELETED) {
            while (len > 0 && ((unsigned char)ret_text[--len] & 0xC0) == 0x80) {
                /* back over the bytes of one character */
            }
        } else if (len + 1 == cap) {
            return WEDR_E_LIMIT;
        } else {
            ret_text[len++] = key;
        }
    }
}

static void show(int fd, const char *text)
{
    (void)!write(fd, text, strlen(text));
}

/* ^C and ^Z come as keys: with signals the terminal would stay without echo. The prompt comes when
 * the echo is off already: what is typed in answer to it is neither shown nor thrown away. */
static int read_hidden(int fd, const char *prompt, char *ret_text, size_t cap)
{
    struct termios old;
    if (tcgetattr(fd, &old) != 0) {
        return WEDR_E_UNSUP;
    }
    struct termios quiet = old;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0) {
        return WEDR_E_UNSUP;
    }
    show(fd, prompt);
    int err = read_keys(fd, ret_text, cap);
    (void)tcsetattr(fd, TCSADRAIN, &old);
    show(fd, "\n");
    return err;
}

static int ask(bool hidden, const char *prompt, char *ret_text, size_t cap, struct wedr_errinfo *ei)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return wedr_fail(ei, WEDR_E_UNSUP, "there is no terminal to ask at");
    }
    int err = WEDR_OK;
    if (hidden) {
        err = read_hidden(fd, prompt, ret_text, cap);
    } else {
        show(fd, prompt);
        err = read_keys(fd, ret_text, cap);
    }
    (void)close(fd);
    if (err != WEDR_OK) {
        wedr_wipe(ret_text, cap);
        return wedr_fail(ei, err, "%s",
                         err == WEDR_E_LIMIT ? "longer than can be" : "nothing was typed");
    }
    return err;
}

int wedr_term_secret(const char *prompt, char *ret_text, size_t cap, struct wedr_errinfo *ei)
{
    return ask(true, prompt, ret_text, cap, ei);
}

int wedr_term_line(const char *prompt, char *ret_text, size_t cap, struct wedr_errinfo *ei)
{
    return ask(false, prompt, ret_text, cap, ei);
}
