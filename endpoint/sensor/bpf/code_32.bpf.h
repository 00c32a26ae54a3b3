/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/code_32.bpf.h — what the areas module and handle hear of 32-bit system calls,
 * for which their own hooks are silent. Numbers of i386 and of 32-bit ARM.
 */
#pragma once

#include "handle.bpf.h"
#include "module.bpf.h"

#define NR32(x86, arm) (IS_X86 ? (x86) : (arm))

struct call_32 {
    u32 number;
    u32 arg[5];
    s64 ret; /* an address is a positive number here, an error negative */
};

static __always_inline int map_called_32(const struct call_32 *c)
{
    u64 base = (u32)c->ret;
    if (c->ret < 0 && c->ret >= -4095) {
        return 0;
    }
    if (c->number == NR32(90, ~0u)) { /* its arguments lie in user memory: the mapping is asked */
        return code_mapped(base, 0, 0, 0, ~0u);
    }
    return makes_code(c->arg[2]) ? code_mapped(base, c->arg[1], c->arg[2], c->arg[3], c->arg[4])
                                 : 0;
}

/* The end of a call of 32-bit processes, or of 64-bit ones that do as if. False: none of ours. */
static __always_inline bool code_called_32(const struct call_32 *c)
{
    u32 n = c->number;
    if (n == 192 || n == NR32(90, ~0u)) {
        map_called_32(c);
    } else if (n == 125 || n == NR32(380, 394)) {
        if (c->ret == 0 && makes_code(c->arg[2])) {
            code_protected(c->arg[0], c->arg[1], c->arg[2]);
        }
    } else if (n == NR32(356, 385)) {
        if (c->ret >= 0) {
            memfd_made((u32)c->ret, c->arg[1]);
        }
    } else if (n == NR32(357, 386)) {
        if (c->ret >= 0 && c->arg[0] == BPF_PROG_LOAD) {
            bpf_loaded((u32)c->ret);
        }
    } else if (n == NR32(347, 376)) {
        handle_by_number(WEDR_HANDLE_OP_VM_READ, 0, c->arg[0], c->ret);
    } else if (n == NR32(348, 377)) {
        handle_by_number(WEDR_HANDLE_OP_VM_WRITE, 0, c->arg[0], c->ret);
    } else if (n == 26) {
        ptrace_told(c->arg[0], c->arg[1], c->ret);
    } else {
        return false;
    }
    return true;
}
