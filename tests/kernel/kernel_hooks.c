/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/kernel/kernel_hooks.c — starts the whole sensor and says of every hook whether it is live
 * on this kernel: `kernel_hooks fast|probe`. A place that the kernel does not have is fine; a
 * program that it has a place for and refuses is a failure, printed with the end of the verifier's
 * log.
 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "sensor/lib/sensor.h"
#include "sensor/lib/sensor_priv.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_BYTES (16u << 20)
#define LOG_SHOWN 6000u

static bool fast_walk; /* what the loader chooses here */

static int __attribute__((format(printf, 2, 0)))
print_warnings(enum libbpf_print_level level, const char *fmt, va_list args)
{
    return level == LIBBPF_WARN ? vprintf(fmt, args) : 0;
}

/* Loads one program alone and prints what the verifier said last. */
static void explain(const struct wedr_sensor_hook *h)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    char *log = wedr_alloc(1, LOG_BYTES);
    for (size_t i = 0; log && i < count; i++) {
        char wanted[64];
        struct bpf_program *p;
        size_t len = 0;
        if (strcmp(areas[i].name, h->area) != 0) {
            continue;
        }
        const void *bytes = (fast_walk ? areas[i].fast : areas[i].probe)(&len);
        LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = LOG_BYTES,
                    .kernel_log_level = 1);
        (void)libbpf_set_print(print_warnings);
        struct bpf_object *obj = bpf_object__open_mem(bytes, len, &opts);
        (void)snprintf(wanted, sizeof wanted, "wedr_%s", h->name);
        bpf_object__for_each_program(p, obj)
        {
            (void)(bpf_program__set_autoload(p, strcmp(bpf_program__name(p), wanted) == 0) == 0);
        }
        int err = obj ? bpf_object__load(obj) : -1;
        size_t said = strlen(log);
        printf("alone: %s\n%s\n", err ? "refused" : "loads",
               log + (said > LOG_SHOWN ? said - LOG_SHOWN : 0));
        bpf_object__close(obj);
    }
    wedr_free(log);
}

static bool kernel_has(const char *function)
{
    struct btf *btf = btf__load_vmlinux_btf();
    bool has = btf && btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) > 0;
    btf__free(btf);
    return has;
}

static bool report(const struct wedr_sensor_hook *h)
{
    bool absent = strncmp(h->reason, "the kernel has no ", 18) == 0;
    printf("hook %s %s %s %s: %s\n", h->area, h->name, wedr_sensor_tier_text(h->tier), h->point,
           h->live ? "live" : h->reason);
    if (!absent) {
        printf("[%s ] hook_%s_%s\n", h->live ? "       OK" : "  FAILED ", h->area, h->name);
    }
    if (!absent && !h->live) {
        explain(h);
    }
    return h->live || absent;
}

int main(int argc, char **argv)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    char pin_name[WEDR_PIN_NAME_MAX] = "";
    struct wedr_errinfo ei = {""};
    struct wedr_sensor_opened how;
    struct wedr_sensor *sensor = NULL;
    size_t count = 0;
    bool good = true;
    const char *folder = "/tmp/kernel-hooks";
    bool probe = argc > 1 && strcmp(argv[1], "probe") == 0;
    fast_walk = !probe && kernel_has("bpf_rdonly_cast");
    (void)mkdir(folder, 0700);
    struct wedr_sensor_cfg cfg = {.pin_name = pin_name, .slow_walk = probe};
    if (wedr_sensor_pin_name(folder, pin_name) != WEDR_OK ||
        wedr_sensor_open(&cfg, &sensor, &how, &ei) != WEDR_OK) {
        printf("the sensor does not start: %s\n", ei.text);
        return 1;
    }
    if (wedr_sensor_list_hooks(pin_name, hooks, WEDR_SENSOR_HOOKS_MAX, &count) != WEDR_OK) {
        good = false;
    }
    for (size_t i = 0; i < count; i++) {
        good = report(&hooks[i]) && good;
    }
    wedr_sensor_close(sensor);
    return wedr_sensor_unpin(pin_name, NULL) == WEDR_OK && good && count > 0 ? 0 : 1;
}
