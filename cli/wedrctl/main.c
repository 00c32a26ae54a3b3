/* SPDX-License-Identifier: Apache-2.0
 * wedrctl — the operator's command line. */
#include "commands.h"
#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <string.h>

static int run(const struct wedr_ctl_command *command, int argc, char **argv)
{
    static struct wedr_ctl_args args;
    struct wedr_ctl c;
    struct wedr_errinfo ei = {""};
    if (wedr_ctl_args_parse(command, argc, argv, wedr_time_utc_us(), &args, &ei) != WEDR_OK) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "%s", ei.text);
    }
    wedr_ctl_init(&c, &args);
    int code = command->run(&c);
    wedr_ctl_fini(&c);
    return code;
}

static int help(const struct wedr_ctl_command *command)
{
    static const struct wedr_ctl_args none;
    struct wedr_ctl c;
    wedr_ctl_init(&c, &none);
    wedr_ctl_help(&c.out, command);
    int code = wedr_ctl_flush(&c);
    wedr_ctl_fini(&c);
    return code;
}

int main(int argc, char **argv)
{
    int words = 0;
    const struct wedr_ctl_command *command = wedr_ctl_command_find(argc - 1, argv + 1, &words);
    bool asks = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        asks = asks || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    }
    if (asks) {
        return help(command);
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        return puts("wedrctl " WEDR_CTL_VERSION) < 0 || fflush(stdout) != 0 ? WEDR_CTL_FAILED
                                                                            : WEDR_CTL_DONE;
    }
    if (!command) {
        return wedr_ctl_say(WEDR_CTL_USAGE,
                            argc > 1 ? "no such command: %s; wedrctl help names all"
                                     : "a command is needed; wedrctl help%s names all",
                            argc > 1 ? argv[1] : "");
    }
    return run(command, argc - 1 - words, argv + 1 + words);
}
