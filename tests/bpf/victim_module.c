/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim_module.c — what a process does with code: victim_module VERB [ARGUMENT ...].
 * Leaves with 0 when everything it was to do worked.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u

static char **args;

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "victim_module: %s: %s\n", what, strerror(errno));
        _exit(99);
    }
}

/* ---- files ---- */

static void load(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW);
    if (!lib) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(98);
    }
    (void)dlclose(lib);
}

static int do_dlopen(void)
{
    load(args[2]);
    return 0;
}

static int dlopen_twice(void)
{
    load(args[2]);
    load(args[2]);
    return 0;
}

static void *load_in_thread(void *path)
{
    load(path);
    return NULL;
}

static int dlopen_thread(void)
{
    pthread_t t;
    must(pthread_create(&t, NULL, load_in_thread, args[2]) == 0, "pthread_create");
    must(pthread_join(t, NULL) == 0, "pthread_join");
    return 0;
}

static int dlopen_exec(void)
{
    load(args[2]);
    (void)execl("/proc/self/exe", "again", "dlopen", args[2], (char *)NULL);
    return 97;
}

/* The file is written to between two loads. */
static int dlopen_changed(void)
{
    load(args[2]);
    (void)usleep(20000); /* longer than the kernel's clock for files ticks */
    int fd = open(args[2], O_WRONLY | O_APPEND | O_CLOEXEC);
    must(fd >= 0 && write(fd, "x", 1) == 1, "append");
    (void)close(fd);
    load(args[2]);
    return 0;
}

static void copy_into(int out, const char *path)
{
    char buf[65536];
    ssize_t n;
    int in = open(path, O_RDONLY | O_CLOEXEC);
    must(in >= 0, path);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        must(write(out, buf, (size_t)n) == n, "write");
    }
    (void)close(in);
}

static void load_fd(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    load(path);
}

static int dlopen_memfd(void)
{
    int fd = memfd_create("evil", 0);
    must(fd >= 0, "memfd_create");
    copy_into(fd, args[2]);
    load_fd(fd);
    return 0;
}

/* args[3]: a name that is gone before the file is mapped. */
static int dlopen_deleted(void)
{
    int fd = open(args[3], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    must(fd >= 0, args[3]);
    copy_into(fd, args[2]);
    must(unlink(args[3]) == 0, "unlink");
    load_fd(fd);
    return 0;
}

/* Only looks at the file, in every harmless way. */
static int look(void)
{
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    must(p != MAP_FAILED, "mmap");
    must(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    must(mprotect(p, PAGE, PROT_NONE) == 0, "mprotect");
    void *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(q != MAP_FAILED, "mmap");
    must(mprotect(q, PAGE, PROT_READ) == 0, "mprotect");
    must(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, -1, 0) == MAP_FAILED, "bad mmap");
    must(mprotect((void *)16, PAGE, PROT_READ | PROT_EXEC) != 0, "bad mprotect");
    return 0;
}

/* Mapped for reading first, made executable later. */
static int late_exec(void)
{
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    must(p != MAP_FAILED && mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    return 0;
}

static int late_exec_pkey(void)
{
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    must(p != MAP_FAILED, "mmap");
    must(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ | PROT_EXEC, -1) == 0, "pkey_mprotect");
    return 0;
}

/* Executable although nobody says so. */
static int old_personality(void)
{
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    must(personality(READ_IMPLIES_EXEC) >= 0, "personality");
    must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
    return 0;
}

static int make_memfd(void)
{
    must(memfd_create(args[2], MFD_CLOEXEC | MFD_ALLOW_SEALING) >= 0, "memfd_create");
    return 0;
}

/* Written to and mapped again, over and over. */
static int memfd_often(void)
{
    int fd = memfd_create("often", 0);
    must(fd >= 0, "memfd_create");
    copy_into(fd, args[2]);
    for (int i = 0; i < 20; i++) {
        (void)usleep(5000);
        must(pwrite(fd, "x", 1, 0) == 1, "pwrite");
        must(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
    }
    return 0;
}

/* ---- memory ---- */

static void *pages(size_t count, int prot, int flags)
{
    void *p = mmap(NULL, count * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED, "mmap");
    return p;
}

static int jit(void)
{
    void *p = pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    must(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    void *q = pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* the same again */
    must(mprotect(q, 3 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    return 0;
}

static int jit_rwx(void)
{
    (void)pages(5, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    (void)pages(5, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    return 0;
}

static int jit_shared(void)
{
    (void)pages(5, PROT_READ | PROT_EXEC, MAP_SHARED);
    return 0;
}

/* A page in the middle: where the stack begins is another page. */
static int stack_exec(void)
{
    char here[16 * PAGE];
    memset(here, 1, sizeof here);
    char *p = (char *)(((uintptr_t)here + PAGE) & ~(uintptr_t)(PAGE - 1));
    must(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
    return here[0] - 1;
}

static int heap_exec(void)
{
    char *p = sbrk(4 * PAGE);
    p = (char *)(((uintptr_t)p + PAGE) & ~(uintptr_t)(PAGE - 1));
    must(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
    return 0;
}

/* One call over three mappings: anonymous, the file, anonymous. */
static int span(void)
{
    char *p = pages(3, PROT_READ, MAP_PRIVATE);
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    must(mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED, "mmap");
    must(mprotect(p, 3 * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    return 0;
}

static int shm_exec(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
    must(id >= 0, "shmget");
    void *p = shmat(id, NULL, SHM_EXEC | SHM_RDONLY);
    (void)shmctl(id, IPC_RMID, NULL);
    must(p != (void *)-1, "shmat");
    return 0;
}

/* Another thread keeps the address space busy while this one maps code. */
static volatile int busy = 1;

static void *keep_busy(void *unused)
{
    (void)unused;
    while (busy) {
        void *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED) {
            (void)munmap(p, 64 * PAGE);
        }
    }
    return NULL;
}

/* args[2]: folder with files named 0, 1, 2, ...; args[3]: how many. */
static int contended(void)
{
    pthread_t t[2];
    for (int i = 0; i < 2; i++) {
        must(pthread_create(&t[i], NULL, keep_busy, NULL) == 0, "pthread_create");
    }
    for (long i = 0; i < strtol(args[3], NULL, 10); i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%ld", args[2], i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        must(fd >= 0, path);
        must(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
        (void)close(fd);
    }
    busy = 0;
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(t[i], NULL);
    }
    return 0;
}

#ifdef __x86_64__
/* A 32-bit system call; the sixth argument is 0. */
static long int80(long nr, long a, long b, long c, long d, long e)
{
    long ret;
    __asm__ volatile(
        "sub $128, %%rsp\n\tpush %%rbp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%rbp\n\t"
        "add $128, %%rsp"
        : "=a"(ret)
        : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
        : "memory", "r8", "r9", "r10", "r11");
    return ret;
}

/* mmap2 of memory and of the file, mprotect of memory, a memfd: all by 32-bit calls. */
static int int80_code(void)
{
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    must(fd >= 0, args[2]);
    must(int80(192, 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1) >
             0,
         "mmap2");
    must(int80(192, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd) > 0, "mmap2");
    long p = int80(192, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    must(p > 0 && int80(125, p, PAGE, PROT_READ | PROT_EXEC, 0, 0) == 0, "mprotect");
    char *name =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    must(name != MAP_FAILED, "mmap");
    memcpy(name, "narrow", 7);
    must(int80(356, (long)name, 1, 0, 0, 0) >= 0, "memfd_create");
    return 0;
}
#endif

/* ---- the kernel ---- */

static int bpf_load(void)
{
    struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr a = {0};
    a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    a.insn_cnt = 2;
    a.insns = (uintptr_t)code;
    a.license = (uintptr_t) "GPL";
    (void)snprintf(a.prog_name, sizeof a.prog_name, "%s", args[2]);
    must(syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a) >= 0, "bpf");
    return 0;
}

static int bpf_map(void)
{
    union bpf_attr a = {0};
    a.map_type = BPF_MAP_TYPE_ARRAY;
    a.key_size = 4;
    a.value_size = 4;
    a.max_entries = 1;
    must(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a) >= 0, "bpf");
    a = (union bpf_attr){0};
    a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER; /* a load that the kernel refuses */
    must(syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a) < 0, "bpf");
    return 0;
}

/* args[2]: a file with a kernel module. Loaded from the file, then from memory. */
static int kernel_module(void)
{
    static char image[1 << 22];
    int fd = open(args[2], O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, image, sizeof image);
    must(n > 0 && lseek(fd, 0, SEEK_SET) == 0, args[2]);
    must(syscall(SYS_finit_module, fd, "", 0) == 0, "finit_module");
    must(syscall(SYS_delete_module, args[3], 0) == 0, "delete_module");
    must(syscall(SYS_init_module, image, n, "") == 0, "init_module");
    must(syscall(SYS_delete_module, args[3], 0) == 0, "delete_module");
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} verbs[] = {
    {"dlopen", do_dlopen},
    {"dlopen-twice", dlopen_twice},
    {"dlopen-thread", dlopen_thread},
    {"dlopen-exec", dlopen_exec},
    {"dlopen-changed", dlopen_changed},
    {"dlopen-memfd", dlopen_memfd},
    {"dlopen-deleted", dlopen_deleted},
    {"look", look},
    {"late-exec", late_exec},
    {"late-exec-pkey", late_exec_pkey},
    {"old-personality", old_personality},
    {"memfd", make_memfd},
    {"memfd-often", memfd_often},
    {"jit", jit},
    {"jit-rwx", jit_rwx},
    {"jit-shared", jit_shared},
    {"stack-exec", stack_exec},
    {"heap-exec", heap_exec},
    {"span", span},
    {"shm-exec", shm_exec},
    {"contended", contended},
#ifdef __x86_64__
    {"int80-code", int80_code},
#endif
    {"bpf-load", bpf_load},
    {"bpf-map", bpf_map},
    {"kernel-module", kernel_module},
};

int main(int argc, char **argv)
{
    args = argv;
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run();
        }
    }
    return 96;
}
