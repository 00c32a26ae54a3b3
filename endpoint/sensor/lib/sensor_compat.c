/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_priv.h"

#include <bpf/btf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Entry points of 32-bit system calls: x86 before and after 6.7, arm64. */
static const char *const entries[] = {"do_int80_syscall_32", "do_int80_emulation", "do_int80_ia32",
                                      "do_fast_syscall_32", "do_el0_svc_compat"};

static bool switched_off(void)
{
    char line[4096];
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    line[n > 0 ? n : 0] = 0;
    return strstr(line, "ia32_emulation=0") || strstr(line, "ia32_emulation=n") ||
           strstr(line, "ia32_emulation=off");
}

bool wedr_compat_possible(const struct btf *btf)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (btf__find_by_name_kind(btf, entries[i], BTF_KIND_FUNC) > 0) {
            return !switched_off();
        }
    }
    return false;
}
