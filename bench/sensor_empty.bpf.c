/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * bench/sensor_empty.bpf.c — the floor of bench/sensor_exec.c: nothing at the sensor's hooks. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

SEC("tp_btf/sched_process_exec")
int empty_exec(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_fork")
int empty_fork(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exit")
int empty_exit(void *ctx)
{
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
