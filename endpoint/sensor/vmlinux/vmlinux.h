/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/vmlinux/vmlinux.h — just the kernel fields that the programs read. No kernel BTF
 * is needed to build: CO-RE moves every access to where the field is on the machine that loads the
 * object. A suffix ___x marks another kernel's shape of the same structure; which one is there is
 * asked with bpf_core_field_exists.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

/* Both sides of this line name the same 64 bits, but with different C types. */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;
typedef struct {
    u32 val;
} kuid_t;
typedef struct {
    u32 val;
} kgid_t;
typedef struct {
    u64 val; /* until 6.2: u32 cap[2] */
} kernel_cap_t;

struct timespec64 {
    s64 tv_sec;
    long tv_nsec;
};

struct ns_common {
    unsigned int inum;
};
struct user_namespace {
    struct ns_common ns;
};
struct xa_node { /* radix_tree_node until 4.20 */
    unsigned char shift;
    void *slots[64];
};
struct xarray {
    void *xa_head;
};
struct idr {
    struct xarray idr_rt;
    unsigned int idr_base;
};
struct pid_namespace {
    struct idr idr;
    unsigned int level;
    struct ns_common ns;
};
struct mnt_namespace {
    struct ns_common ns;
};
struct ns_common___id { /* 6.18 */
    u64 ns_id;          /* 0: an anonymous mount namespace */
};
struct mnt_namespace___seq { /* before 6.18 */
    u64 seq;                 /* 0: anonymous */
};
struct net {
    struct ns_common ns;
};
struct uts_namespace {
    struct ns_common ns;
};
struct ipc_namespace {
    struct ns_common ns;
};
struct cgroup_namespace {
    struct ns_common ns;
};
struct time_namespace {
    struct ns_common ns;
};
struct nsproxy {
    struct uts_namespace *uts_ns;
    struct ipc_namespace *ipc_ns;
    struct mnt_namespace *mnt_ns;
    struct pid_namespace *pid_ns_for_children;
    struct net *net_ns;
    struct time_namespace *time_ns_for_children;
    struct cgroup_namespace *cgroup_ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};
struct hlist_node {
    struct hlist_node *next;
    struct hlist_node **pprev;
};
struct hlist_head {
    struct hlist_node *first;
};
struct pid {
    unsigned int level;
    struct hlist_head tasks[4];
    struct upid numbers[1];
};

struct group_info {
    int ngroups;
    kgid_t gid[1];
};
struct cred {
    kuid_t uid;
    kgid_t gid;
    kuid_t suid;
    kgid_t sgid;
    kuid_t euid;
    kgid_t egid;
    kuid_t fsuid;
    kgid_t fsgid;
    kernel_cap_t cap_inheritable;
    kernel_cap_t cap_permitted;
    kernel_cap_t cap_effective;
    kernel_cap_t cap_bset;
    kernel_cap_t cap_ambient;
    struct user_namespace *user_ns;
    struct group_info *group_info;
};

struct super_block {
    u32 s_dev;
    unsigned long s_magic;
};
struct inode {
    u16 i_mode;
    kuid_t i_uid;
    kgid_t i_gid;
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    s64 i_size;
    struct timespec64 i_ctime;
    struct timespec64 i_mtime;
    u32 i_generation;
    void *i_private;
};
struct inode___c66 { /* 6.6 */
    struct timespec64 __i_ctime;
};
struct inode___m67 { /* 6.7 */
    struct timespec64 __i_mtime;
};
struct inode___t611 { /* 6.11 */
    s64 i_ctime_sec;
    s64 i_mtime_sec;
    u32 i_ctime_nsec;
    u32 i_mtime_nsec;
};

struct qstr {
    u32 len;
    const unsigned char *name;
};
struct hlist_bl_node {
    struct hlist_bl_node **pprev;
};
struct dentry {
    struct hlist_bl_node d_hash;
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
};
struct vfsmount {
    struct dentry *mnt_root;
    struct super_block *mnt_sb;
};
struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
    struct mnt_namespace *mnt_ns;
};
struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};
struct file {
    struct path f_path;
    struct inode *f_inode;
    unsigned int f_mode;
    void *private_data;
};
struct backing_file { /* 6.8: a file that one of overlayfs stands on; user_path is what was opened
                       */
    struct path user_path;
};
struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};
struct files_struct {
    struct fdtable *fdt;
};
struct fs_struct {
    struct path root;
    struct path pwd;
};

struct mm_struct {
    struct file *exe_file;
    unsigned long arg_start;
    unsigned long arg_end;
    unsigned long task_size;
    unsigned long start_brk;
    unsigned long brk;
    unsigned long saved_auxv[46];
};
struct vm_area_struct {
    unsigned long vm_start;
    unsigned long vm_end;
    struct mm_struct *vm_mm;
    unsigned long vm_flags;
    struct file *vm_file;
};

struct tty_struct {
    char name[64];
};
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };
struct signal_struct {
    atomic_t live;
    int nr_threads;
    int group_exit_code;
    unsigned int flags;
    struct pid *pids[4];
    struct tty_struct *tty;
};

struct sigaction {
    void *sa_handler;
};
struct k_sigaction {
    struct sigaction sa;
};
struct sighand_struct {
    struct k_sigaction action[64];
};
struct kernel_siginfo {
    int si_code;
};

struct kernfs_node {
    struct kernfs_node *parent;
    const char *name;
    u64 id;
};
struct kernfs_node___p615 { /* 6.15 */
    struct kernfs_node *__parent;
};
struct cgroup_root;
struct cgroup {
    struct kernfs_node *kn;
    struct cgroup_root *root;
};
struct cgroup_subsys_state {
    struct cgroup *cgroup;
};
enum cgroup_subsys_id { pids_cgrp_id, CGROUP_SUBSYS_COUNT };
struct css_set {
    struct cgroup_subsys_state *subsys[2]; /* CGROUP_SUBSYS_COUNT of the running kernel */
    struct cgroup *dfl_cgrp;
};

struct task_struct {
    unsigned int flags;
    unsigned int personality;
    int pid;
    int tgid;
    u64 start_boottime;
    u64 self_exec_id;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    const struct cred *real_cred; /* the task's own; cred: what it acts with just now */
    const struct cred *cred;
    struct sighand_struct *sighand;
    char comm[16];
    struct fs_struct *fs;
    struct files_struct *files;
    struct nsproxy *nsproxy;
    struct signal_struct *signal;
    struct pid *thread_pid;
    struct hlist_node pid_links[4];
    struct css_set *cgroups;
    struct mm_struct *mm;
    int exit_code;
};
struct task_struct___audit { /* CONFIG_AUDIT */
    kuid_t loginuid;
};

struct pt_regs___x86 {
    unsigned long r10, r9, r8, dx, si, di, orig_ax;
};
struct pt_regs___arm64 {
    u64 regs[31];
    u64 orig_x0;
    int syscallno;
};

struct module { /* CONFIG_MODULES */
    char name[56];
};
struct bpf_prog_aux {
    char name[16];
};
struct bpf_prog {
    enum bpf_prog_type type;
    struct bpf_prog_aux *aux;
};

struct bpf_map;
struct bpf_iter__bpf_map_elem {
    union {
        struct bpf_iter_meta *meta;
    };
    union {
        struct bpf_map *map;
    };
    union {
        void *key;
    };
    union {
        void *value;
    };
};

typedef struct {
    s64 counter;
} atomic64_t;
typedef struct {
    struct net *net;
} possible_net_t;
struct in6_addr {
    union {
        u8 u6_addr8[16];
    } in6_u;
};
struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_dport;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned long skc_flags;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
    atomic64_t skc_cookie;
};
typedef struct {
    int owned;
} socket_lock_t;
struct sock {
    struct sock_common __sk_common;
    socket_lock_t sk_lock;
    u16 sk_type;
    u16 sk_protocol;
    int sk_err;
    u32 sk_max_ack_backlog;
};
struct inet_sock {
    u16 inet_sport;
};
struct tcp_sock {
    u64 bytes_received;
    u64 bytes_sent;
    u64 bytes_retrans;
};
struct socket {
    struct sock *sk;
};
struct thread_info___x86 {
    u32 status;
};
struct thread_info___arm64 {
    unsigned long flags;
};
struct task_struct___x86 {
    struct thread_info___x86 thread_info;
};
struct task_struct___arm64 {
    struct thread_info___arm64 thread_info;
};

struct linux_binprm {
    const char *filename;
    const char *interp;
    unsigned int execfd_creds : 1; /* set-id bits of the file that a binfmt_misc interpreter got */
};

struct seq_file;
struct bpf_iter_meta {
    union {
        struct seq_file *seq;
    };
};
struct bpf_iter__task {
    union {
        struct bpf_iter_meta *meta;
    };
    union {
        struct task_struct *task;
    };
};
struct bpf_iter__task_file {
    union {
        struct bpf_iter_meta *meta;
    };
    union {
        struct task_struct *task;
    };
    u32 fd;
    union {
        struct file *file;
    };
};

#pragma clang attribute pop

#define PF_KTHREAD 0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004
#define S_IFMT 0170000
#define S_ISUID 0004000
#define S_ISGID 0002000
#define S_IXGRP 0000010
