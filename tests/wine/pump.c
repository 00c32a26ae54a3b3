/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump.c — runs the tests one after another and prints a line for each. */
#include "pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf out_of_test;
static bool in_test;
static char reason[512];
static const char *prefix = ""; /* of the names: which build of the driver it is */

void after_test(void); /* pump_rig.c */

void test_failed(const char *file, int line, const char *format, ...)
{
    const char *name = strrchr(file, '/');
    int n = snprintf(reason, sizeof(reason), "%s:%d: ", name ? name + 1 : file, line);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason + n, sizeof(reason) - (size_t)n, format, args);
    va_end(args);
    if (!in_test) {
        printf("[  FAILED  ] %sset_up: %s\n", prefix, reason);
        exit(1);
    }
    longjmp(out_of_test, 1);
}

/* 1 when it failed. */
static unsigned run(const struct test *t)
{
    DWORD start = GetTickCount();
    volatile unsigned failed = 0;

    printf("[ RUN      ] %s%s\n", prefix, t->name);
    in_test = true;
    if (setjmp(out_of_test) == 0) {
        t->run();
    } else {
        failed = 1;
    }
    if (setjmp(out_of_test) == 0) {
        after_test();
    } else {
        failed = 1;
    }
    in_test = false;
    if (failed) {
        printf("[  FAILED  ] %s%s: %s\n", prefix, t->name, reason);
    } else {
        printf("[       OK ] %s%s\n", prefix, t->name);
    }
    if (GetTickCount() - start > 2000) {
        printf("             (%lu ms)\n", (unsigned long)(GetTickCount() - start));
    }
    return failed;
}

/* ---- what this program does as a child ---- */

/* Opens the device, parks a request and ends, or waits to be ended. */
static int child_park(bool stay)
{
    struct request r;
    HANDLE h = INVALID_HANDLE_VALUE;

    for (int i = 0; h == INVALID_HANDLE_VALUE && i < 100; i++) {
        h = device_try_open(ACCESS_AGENT);
        if (h == INVALID_HANDLE_VALUE) {
            Sleep(10);
        }
    }
    if (h == INVALID_HANDLE_VALUE ||
        request_start(&r, h, WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX) != NT_PENDING) {
        return 3;
    }
    if (stay) {
        HANDLE ready = OpenEventA(EVENT_MODIFY_STATE, FALSE, "wedr_child_parked");

        SetEvent(ready);
        Sleep(30000);
    }
    return 7;
}

static unsigned run_all(const char *only)
{
    const struct test *const groups[] = {io_tests, event_tests, registry_tests, park_tests,
                                         life_tests};
    unsigned failed = 0;

    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (const struct test *t = groups[g]; t->name; t++) {
            if (!only || strstr(t->name, only)) {
                failed += run(t);
            }
        }
    }
    return failed;
}

/* Prints the boot id, for the script to compare across two boots of Wine's kernel. */
static int print_boot_id(void)
{
    struct wedr_ioctl_version v = version_get();

    printf("boot id ");
    for (size_t i = 0; i < sizeof(v.boot_id); i++) {
        printf("%02x", v.boot_id[i]);
    }
    printf("\n");
    device_close();
    return 0;
}

/* pump.exe [--prefix P] [--boot-id | part of a test's name] */
int main(int argc, char **argv)
{
    const char *mode;
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 2 && strcmp(argv[1], "--prefix") == 0) {
        prefix = argv[2];
        argc -= 2;
        argv += 2;
    }
    mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "--park-and-exit") == 0) {
        return child_park(false);
    }
    if (strcmp(mode, "--park-and-stay") == 0) {
        return child_park(true);
    }
    if (strcmp(mode, "--exit") == 0) {
        Sleep(100);
        return 42;
    }
    services_install();
    if (service_start(THE_SHIM) != 0 || service_start(THE_DRIVER) != 0) {
        printf("[  FAILED  ] %sboth_drivers_load: error %lu\n", prefix,
               (unsigned long)GetLastError());
        services_stop();
        return 1;
    }
    if (strcmp(mode, "--boot-id") != 0) {
        printf("[       OK ] %sboth_drivers_load\n", prefix);
        failed = run_all(argc > 1 ? mode : NULL);
    }
    failed += (unsigned)print_boot_id();
    services_stop();
    return failed != 0;
}
