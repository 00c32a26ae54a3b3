/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_kernel.bpf.h — the fields of files, inodes and dentries that the file
 * programs read beyond those of vmlinux.h, and how they are read: by plain loads where a cast to a
 * kernel type exists (6.2), by probe reads elsewhere. Either way a wild address gives zeros.
 */
#pragma once

#include "syscall.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node___file {
    struct hlist_node___file *next;
};
struct hlist_head___file {
    struct hlist_node___file *first;
};
struct hlist_bl_node___file {
    struct hlist_bl_node___file *next, **pprev;
};
struct list_head___file {
    struct list_head___file *next;
};
struct qstr___file {
    u32 hash;
    u32 len;
    const unsigned char *name;
};
struct super_block___file {
    u32 s_dev;
    unsigned long s_magic;
};
struct inode___file {
    u16 i_mode;
    kuid_t i_uid;
    kgid_t i_gid;
    struct super_block___file *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    u32 i_generation;
    char *i_link;
};
struct dentry___file {
    unsigned int d_flags;
    struct hlist_bl_node___file d_hash;
    struct dentry___file *d_parent;
    struct qstr___file d_name;
    struct inode___file *d_inode;
};
struct vfsmount___file {
    struct dentry___file *mnt_root;
};
struct mount___file {
    struct mount___file *mnt_parent;
    struct dentry___file *mnt_mountpoint;
    struct vfsmount___file mnt;
    struct list_head___file mnt_mounts;
    struct list_head___file mnt_child;
};
struct path___file {
    struct vfsmount___file *mnt;
    struct dentry___file *dentry;
};
struct file___file {
    unsigned int f_mode;
    unsigned int f_flags;
    struct inode___file *f_inode;
    struct path___file f_path;
};
struct fdtable___file {
    unsigned int max_fds;
    struct file___file **fd;
};
struct files_struct___file {
    struct fdtable___file *fdt;
};
struct task_struct___file {
    int tgid;
    u64 start_boottime;
    struct task_struct___file *group_leader;
    struct files_struct___file *files;
    struct hlist_node___file pid_links[4];
};
struct pid___file {
    struct hlist_head___file tasks[4];
};
struct proc_inode___file {
    struct pid___file *pid;
    struct inode___file vfs_inode;
};
enum dentry_flags___file { DCACHE_MOUNTED___file, DCACHE_OP_HASH___file };

#pragma clang attribute pop

#if WEDR_WALK_FAST
#    define CAST(type, address) \
        ((struct type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(struct type)))
#    define LOAD(type, address, field) (CAST(type, address)->field)
/* A pointer as a number: global functions take no pointers. */
#    define ADDRESS(type, address, field)                                       \
        ({                                                                      \
            u64 a_ = 0;                                                         \
            bpf_probe_read_kernel(&a_, sizeof a_, &CAST(type, address)->field); \
            a_;                                                                 \
        })
#else
#    define LOAD(type, address, field)                  \
        ({                                              \
            struct type *p_ = (struct type *)(address); \
            BPF_CORE_READ(p_, field);                   \
        })
#    define ADDRESS(type, address, field) ((u64)LOAD(type, address, field))
#endif

#define FMODE_WRITE 0x2u
#define FMODE_CREATED 0x100000u
#define O_WRONLY 01u
#define O_RDWR 02u
#define O_CREAT 0100u
#define O_EXCL 0200u
#define O_TRUNC 01000u
#define S_IFREG 0100000u
#define S_IFLNK 0120000u
#define S_IFDIR 0040000u
#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_SYMLINK_FOLLOW 0x400u
#define AT_REMOVEDIR 0x200u

#define MAGIC_PROC 0x9fa0u
#define MAGIC_SYSFS 0x62656572u
#define MAGIC_CGROUP 0x27e0ebu
#define MAGIC_CGROUP2 0x63677270u
#define MAGIC_DEBUGFS 0x64626720u
#define MAGIC_TRACEFS 0x74726163u
#define MAGIC_SECURITYFS 0x73636673u
#define MAGIC_SELINUX 0xf97cff8cu

/* Context of tp/syscalls/sys_enter_*. */
struct sys_enter {
    u64 common;
    u64 number;
    u64 args[6];
};

/* A descriptor may not be negative. */
static __always_inline u64 file_of(long fd)
{
    return fd < 0 ? 0 : fd_file((u32)fd);
}

/* Kernel file systems whose regular files hold no data. */
static __always_inline bool is_kernel_fs(u64 magic)
{
    return magic == MAGIC_PROC || magic == MAGIC_SYSFS || magic == MAGIC_CGROUP ||
           magic == MAGIC_CGROUP2 || magic == MAGIC_DEBUGFS || magic == MAGIC_TRACEFS ||
           magic == MAGIC_SECURITYFS || magic == MAGIC_SELINUX;
}

struct spot {
    u64 dentry, mount; /* mount: address of a struct mount */
};

/* What a record says about an inode; all 0 when there is none. */
struct inode_facts {
    u64 inode;
    u64 magic;
    u32 dev, nlink, mode, generation;
};

static __always_inline void inode_facts(struct inode_facts *f, u64 inode)
{
    u64 sb = (u64)LOAD(inode___file, inode, i_sb);
    f->inode = LOAD(inode___file, inode, i_ino);
    f->mode = LOAD(inode___file, inode, i_mode);
    f->nlink = LOAD(inode___file, inode, i_nlink);
    f->generation = LOAD(inode___file, inode, i_generation);
    f->dev = LOAD(super_block___file, sb, s_dev);
    f->magic = LOAD(super_block___file, sb, s_magic);
}

static __always_inline u32 mount_namespace(void)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct nsproxy *ns = t->nsproxy;
    struct mnt_namespace *mnt = ns ? ns->mnt_ns : NULL;
    return mnt ? mnt->ns.inum : 0;
}
