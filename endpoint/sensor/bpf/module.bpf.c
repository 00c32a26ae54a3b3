/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/module.bpf.c — code that becomes runnable: files mapped executable
 * (module_load), other memory made executable (memory_exec), files without a name (memfd_create),
 * and code for the kernel itself (module_load with kernel_object). The hooks sit at the end of the
 * system calls, where the registers say at once whether it matters.
 */
#include "module.bpf.h"

#define AT_BASE 7u
#define AUXV_PAIRS 16
#define SHM_EXEC 0100000u

SEC("tp/syscalls/sys_exit_mmap")
int wedr_mmap(struct sys_exit *ctx)
{
    u64 prot = syscall_arg(2);
    if (!makes_code(prot) || is_error(ctx->ret)) {
        return 0;
    }
    return code_mapped((u64)ctx->ret, syscall_arg(1), prot, syscall_arg(3), (u32)syscall_arg(4));
}

static __always_inline int protection_changed(const struct sys_exit *ctx)
{
    u64 prot = syscall_arg(2);
    if (!makes_code(prot) || ctx->ret != 0) {
        return 0;
    }
    return code_protected(syscall_arg(0), syscall_arg(1), prot);
}

SEC("tp/syscalls/sys_exit_mprotect")
int wedr_mprotect(struct sys_exit *ctx)
{
    return protection_changed(ctx);
}

SEC("tp/syscalls/sys_exit_pkey_mprotect")
int wedr_pkey(struct sys_exit *ctx)
{
    return protection_changed(ctx);
}

SEC("tp/syscalls/sys_exit_shmat")
int wedr_shmat(struct sys_exit *ctx)
{
    u64 prot = syscall_arg(2) & SHM_EXEC ? PROT_EXEC : PROT_READ;
    if (!makes_code(prot) || is_error(ctx->ret)) {
        return 0;
    }
    return segment_attached((u64)ctx->ret);
}

/* Where execve put the interpreter (ld.so); 0 for a static program. A function: its stack is its
 * own. */
static __noinline u64 interpreter_base(struct task_struct *t)
{
    struct {
        u64 tag, value;
    } aux[AUXV_PAIRS];
    u64 mm = (u64)BPF_CORE_READ(t, mm);
    if (bpf_probe_read_kernel(aux, sizeof aux,
                              (void *)(mm + bpf_core_field_offset(struct mm_struct, saved_auxv)))) {
        return 0;
    }
    for (int i = 0; i < AUXV_PAIRS; i++) {
        if (aux[i].tag == AT_BASE) {
            return aux[i].value;
        }
    }
    return 0;
}

/* execve maps the interpreter itself: no mmap is called for it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(wedr_loader, struct task_struct *t)
{
    if (!kind_on(WEDR_EV_MODULE_LOAD)) {
        return 0;
    }
    u64 base = interpreter_base(t);
    struct code c;
    if (!base || !code_at(&c, base)) {
        return 0;
    }
    u64 inode = c.at.inode;
    for (int i = 0; i < VMAS_MAX && !(c.prot & PROT_EXEC); i++) {
        if (!code_at(&c, c.end) || c.at.inode != inode) {
            return 0;
        }
    }
    return inode ? module_mapped(&c, c.start, c.end - c.start, true) : 0;
}

SEC("tp/syscalls/sys_exit_memfd_create")
int wedr_memfd(struct sys_exit *ctx)
{
    return ctx->ret < 0 ? 0 : memfd_made((u32)ctx->ret, (u32)syscall_arg(1));
}

SEC("tp/syscalls/sys_exit_bpf")
int wedr_bpf(struct sys_exit *ctx)
{
    return syscall_arg(0) != BPF_PROG_LOAD || ctx->ret < 0 ? 0 : bpf_loaded((u32)ctx->ret);
}

/* Fires inside init_module (from memory: no path) or finit_module (from a file), before the
 * module's own code runs. Its address is nobody's business. */
SEC("tp_btf/module_load")
int BPF_PROG(wedr_kmodule, struct module *mod)
{
    struct build b = {};
    struct wedr_linux_module_load *r = kernel_code(&b, WEDR_KERNEL_OBJECT_MODULE);
    if (!r) {
        return 0;
    }
    add_name(&b, &r->object_name, (u64)mod + bpf_core_field_offset(struct module, name), 64, false);
    if (in_syscall(313, 273)) {
        struct place at;
        file_place(&at, fd_file((u32)syscall_arg(0)));
        struct inode *inode = (struct inode *)at.inode;
        PUT(r, inode, BPF_CORE_READ(inode, i_ino));
        PUT(r, dev, BPF_CORE_READ(inode, i_sb, s_dev));
        PUT(r, nlink, BPF_CORE_READ(inode, i_nlink));
        add_path(&b, &r->image_path, at.dentry, at.mnt);
    }
    build_end(&b, r, WEDR_EV_MODULE_LOAD, sizeof *r, 0);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
