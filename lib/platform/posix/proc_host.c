/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/proc.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
int malloc_trim(size_t pad); /* <malloc.h> names what tools/banned.h forbids */
int mallopt(int param, int value);
#    define MALLOPT_MMAP_THRESHOLD (-3)
#    define MALLOPT_ARENA_MAX (-8)
#    define LARGE_BYTES (128 << 10)
#    define ARENAS 2 /* the main thread's, and one of whatever runs beside it */
#endif

/* The beginning of a small text file; "" and false when it cannot be read. */
static bool read_text(const char *path, char *ret, size_t cap)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    size_t len = 0;
    ret[0] = '\0';
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &h) != WEDR_OK) {
        return false;
    }
    for (;;) {
        size_t n = 0;
        if (len + 1 >= cap || wedr_fs_read(h, ret + len, cap - 1 - len, &n) != WEDR_OK || n == 0) {
            break;
        }
        len += n;
    }
    ret[len] = '\0';
    wedr_fs_close(h);
    return len > 0;
}

/* The line that begins with key, behind it; NULL when there is none. */
static const char *find_line(const char *text, const char *key)
{
    size_t n = strlen(key);
    while (text != NULL && strncmp(text, key, n) != 0) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return text == NULL ? NULL : text + n;
}

static void os_version(char *ret, size_t cap)
{
    char text[4096];
    const char *v = NULL;
    if (read_text("/etc/os-release", text, sizeof(text)) ||
        read_text("/usr/lib/os-release", text, sizeof(text))) {
        v = find_line(text, "PRETTY_NAME=");
    }
    if (v == NULL) {
        (void)snprintf(ret, cap, "Linux");
        return;
    }
    if (*v == '"' || *v == '\'') {
        v++;
    }
    (void)snprintf(ret, cap, "%.*s", (int)strcspn(v, "\"'\n"), v);
}

static int boot_id(uint8_t ret[16])
{
    char text[64];
    char hex[33];
    size_t n = 0;
    if (!read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text))) {
        return WEDR_E_NOENT;
    }
    for (const char *p = text; *p != '\0' && *p != '\n' && n < sizeof(hex) - 1; p++) {
        if (*p != '-') {
            hex[n++] = *p;
        }
    }
    hex[n] = '\0';
    return wedr_unhex(hex, n, ret, 16);
}

int wedr_host_info(struct wedr_host *ret)
{
    struct utsname u;
    struct wedr_host h = {0};
    if (uname(&u) != 0) {
        return wedr_err_from_os(errno);
    }
    (void)snprintf(h.hostname, sizeof(h.hostname), "%s", u.nodename);
    (void)snprintf(h.os_name, sizeof(h.os_name), "linux");
    (void)snprintf(h.os_release, sizeof(h.os_release), "%s", u.release);
    os_version(h.os_version, sizeof(h.os_version));
    int err = boot_id(h.boot_id);
    if (err == WEDR_OK) {
        *ret = h;
    }
    return err;
}

void wedr_heap_frugal(void)
{
#ifdef __GLIBC__
    /* No thread yet. Set, it stays: otherwise the first large block that is freed raises it, and
     * from then on such blocks leave holes in the heap, and zeroed tables are written page by page.
     */
    (void)mallopt(MALLOPT_MMAP_THRESHOLD, LARGE_BYTES); /* NOLINT(concurrency-mt-unsafe) */
    (void)mallopt(MALLOPT_ARENA_MAX, ARENAS);           /* NOLINT(concurrency-mt-unsafe) */
#endif
}

void wedr_heap_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

#define SETTLE_MS 15000u

/* Parts that cannot be written hold nothing but what their file holds. */
static int forget_object(struct dl_phdr_info *o, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)arg;
    for (size_t i = 0; i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];
        uintptr_t from = o->dlpi_addr + p->p_vaddr, end = from + p->p_memsz;
        from -= from % page;
        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W)) {
            (void)madvise((void *)from, end - from, /* NOLINT(performance-no-int-to-ptr) */
                          MADV_DONTNEED);
        }
    }
    return 0;
}

void wedr_settle_turn(struct wedr_settle *s, uint64_t now_ms)
{
    if (s->done) {
        return;
    }
    if (s->due_ms == 0) {
        s->due_ms = now_ms + SETTLE_MS;
    }
    if (now_ms >= s->due_ms) {
        s->done = true;
        wedr_heap_trim();
        (void)dl_iterate_phdr(forget_object, NULL);
    }
}

int wedr_proc_cpu(uint32_t pid, uint64_t *ret_us)
{
    clockid_t id = CLOCK_PROCESS_CPUTIME_ID;
    struct timespec ts = {0, 0};
    if (pid != 0 && clock_getcpuclockid((pid_t)pid, &id) != 0) {
        return WEDR_E_NOENT;
    }
    if (clock_gettime(id, &ts) != 0) {
        return errno == EINVAL ? WEDR_E_NOENT : wedr_err_from_os(errno); /* ended in between */
    }
    *ret_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
    return WEDR_OK;
}

int wedr_proc_usage(uint32_t pid, struct wedr_proc_usage *ret)
{
    char path[64];
    char text[4096];
    char who[16] = "self";
    struct wedr_proc_usage u = {0};
    int err = wedr_proc_cpu(pid, &u.cpu_us);
    if (err != WEDR_OK) {
        return err;
    }
    if (pid != 0) {
        (void)snprintf(who, sizeof(who), "%u", pid);
    }
    (void)snprintf(path, sizeof(path), "/proc/%s/statm", who);
    if (read_text(path, text, sizeof(text))) {
        char *rest = NULL;
        (void)strtoull(text, &rest, 10); /* total size */
        u.rss_bytes = strtoull(rest, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    (void)snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", who);
    if (read_text(path, text, sizeof(text))) {
        const char *v = find_line(text, "Pss:");
        u.pss_bytes = v == NULL ? 0 : strtoull(v, NULL, 10) * 1024u;
    }
    *ret = u;
    return WEDR_OK;
}

int wedr_proc_beside(const char *name, char *ret_path, size_t cap)
{
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (n < 0) {
        return wedr_err_from_os(errno);
    }
    own[n] = '\0';
    char *last = strrchr(own, '/');
    if (!last || (size_t)(last - own) + strlen(name) + 2 > cap) {
        return WEDR_E_LIMIT;
    }
    last[1] = '\0';
    (void)snprintf(ret_path, cap, "%s%s", own, name);
    return WEDR_OK;
}
