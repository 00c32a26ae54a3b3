/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/cgroup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "8f0b6a52-3c1d-4e7f-9a0b-1c2d3e4f5a6b"
#define POD_SLICE "kubepods-burstable-pod8f0b6a52_3c1d_4e7f_9a0b_1c2d3e4f5a6b.slice"

static struct wedr_cgroup read_names(const char *name, const char *parent)
{
    struct wedr_cgroup c;
    wedr_cgroup_read(wedr_span(name, strlen(name)), wedr_span(parent, strlen(parent)), &c);
    return c;
}

static void assert_span(struct wedr_span s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.p, text, s.len);
}

static void a_runtime_is_known_by_how_it_names_its_containers(void **state)
{
    static const struct {
        const char *name, *parent, *runtime;
    } rows[] = {{"docker-" ID ".scope", "system.slice", "docker"},
                {ID, "docker", "docker"},
                {ID, "", NULL},
                {"cri-containerd-" ID ".scope", POD_SLICE, "containerd"},
                {"crio-" ID ".scope", POD_SLICE, "cri-o"},
                {"libpod-" ID ".scope", "machine.slice", "podman"},
                {"container", "libpod-" ID ".scope", "podman"},
                {"init.scope", "docker-" ID ".scope", "docker"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wedr_cgroup c = read_names(rows[i].name, rows[i].parent);
        assert_span(c.container, ID);
        if (rows[i].runtime) {
            assert_string_equal(c.runtime, rows[i].runtime);
        } else {
            assert_null(c.runtime);
        }
        assert_int_equal(c.service.len, 0);
    }
    assert_span(read_names("lxc.payload.web1", "").container, "web1");
    assert_span(read_names("machine-web1.scope", "machine.slice").container, "web1");
}

static void a_pod_is_named_above_its_container(void **state)
{
    (void)state;
    assert_string_equal(read_names("cri-containerd-" ID ".scope", POD_SLICE).pod, POD);
    assert_string_equal(read_names(ID, "pod" POD).pod, POD);
    assert_string_equal(
        read_names(ID, "kubepods-pod8f0b6a52_3c1d_4e7f_9a0b_1c2d3e4f5a6b.slice").pod, POD);
    assert_string_equal(read_names(ID, "kubepods-burstable.slice").pod, "");
    assert_string_equal(read_names(ID, "pod8f0b6a52-3c1d-4e7f-9a0b-1c2d3e4f5a6").pod, "");
    assert_string_equal(read_names(ID, "pod8f0b6a52-3c1d-4e7f-9a0b-1c2d3e4f5a6b7").pod, "");
    assert_string_equal(read_names(ID, "podium").pod, "");
}

static void what_only_looks_like_a_container_is_none(void **state)
{
    static const char *const names[] = {
        "",
        "user.slice",
        "docker-" ID,
        "docker-0123.scope",
        "libpod-conmon-" ID ".scope",
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789a"
        "bcdef",
        ID "0",
        "machine-.scope",
        "lxc.payload."};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wedr_cgroup c = read_names(names[i], "system.slice");
        /* systemd's own form of a container without the suffix is still one */
        assert_int_equal(c.container.len, i == 2 ? 64 : 0);
        assert_string_equal(c.pod, "");
    }
}

static void a_service_is_named_by_its_group(void **state)
{
    (void)state;
    assert_span(read_names("ssh.service", "system.slice").service, "ssh.service");
    assert_int_equal(read_names(".service", "").service.len, 0);
    assert_int_equal(read_names("session-1.scope", "user-0.slice").service.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runtime_is_known_by_how_it_names_its_containers),
        cmocka_unit_test(a_pod_is_named_above_its_container),
        cmocka_unit_test(what_only_looks_like_a_container_is_none),
        cmocka_unit_test(a_service_is_named_by_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
