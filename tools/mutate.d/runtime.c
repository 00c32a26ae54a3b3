/* SPDX-License-Identifier: Apache-2.0
 * tools/mutate.d/runtime.c — linked into every program of a mutation build. The instrumented
 * sources ask wedr_mutant which mutation is on; wedr_mutant_seen records what was reached, and in
 * its byte 0 that a second thread was there.
 *
 * WEDR_MUTANT=N        the mutation that is on; 0 or unset: none
 * WEDR_MUTANT_SEEN=F   file with one byte for each mutation, set to 1 when its place is reached
 * WEDR_MUTANT_TEST=T   runs the cmocka test T alone
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int wedr_mutant;
unsigned char *wedr_mutant_seen;
__thread char wedr_mutant_self; /* its address tells threads apart */
char *wedr_mutant_first;

void cmocka_set_test_filter(const char *pattern) __attribute__((weak));

static void record_into(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        abort();
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }
    close(fd);
    wedr_mutant_seen = p;
}

__attribute__((constructor)) static void choose_mutant(void)
{
    const char *number = getenv("WEDR_MUTANT");
    const char *seen = getenv("WEDR_MUTANT_SEEN");
    const char *test = getenv("WEDR_MUTANT_TEST");

    wedr_mutant_first = &wedr_mutant_self;
    if (number) {
        wedr_mutant = (int)strtol(number, NULL, 10);
    }
    if (seen && *seen) {
        record_into(seen);
    }
    if (test && *test && cmocka_set_test_filter) {
        cmocka_set_test_filter(test);
    }
}
