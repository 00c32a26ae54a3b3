#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The BPF tests in a guest that runs one of Debian's kernels: test_kernel.py BUILD SUITE SCENARIO.

WEDR_KERNEL_ONLY=REGEX runs some of the steps; WEDR_KERNEL_ACCEL=tcg|kvm says how."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import kernel_deb
import machine

VERDICT = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (\S+)")


def bpf_tests(build):
    """What ctest would run for the label bpf: name, command, folder, environment, seconds."""
    with tempfile.TemporaryDirectory() as folder:  # in the build's own, it would empty the log of the ctest that runs this
        with open(os.path.join(folder, "CTestTestfile.cmake"), "w", encoding="utf-8") as f:
            f.write('subdirs("%s")\n' % build)
        out = subprocess.run(["ctest", "--show-only=json-v1", "-L", "^bpf$"], cwd=folder, capture_output=True, text=True,
                             check=True).stdout
    for test in json.loads(out)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        yield machine.Step(test["name"], test.get("command", ["/not-built"]), int(properties.get("TIMEOUT", 120)),
                           properties.get("WORKING_DIRECTORY", build), properties.get("ENVIRONMENT", []))


def is_program(path):
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return False
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def put_programs(image, build, steps):
    """The tests, and what lies beside those of tests/bpf: the programs that they start."""
    folder = os.path.join(build, "tests", "bpf")
    paths = {os.path.join(folder, name) for name in os.listdir(folder)} | {s.command[0] for s in steps}
    for path in sorted(paths):
        if is_program(path):
            image.program(path)


def put_modules(image, kernel, load):
    for name in kernel_deb.MODULES:
        module = kernel.module(name)
        if module:
            image.data(f"modules/{name}.ko", module[0])
    image.data("modules.load", "\n".join(load))


def functions(lines):
    """cmocka's verdicts in order: (word, function)."""
    for line in lines:
        m = VERDICT.match(line)
        if m and re.fullmatch(r"[A-Za-z_]\w*", m.group(2)) and m.group(2) != "tests":
            yield m.group(1), m.group(2)


def show(step, result):
    """Prints one step like a cmocka program whose functions carry the step's name, with all that it said when it
    failed; returns whether it passed."""
    code = result.codes.get(step.name)
    lines = result.outputs.get(step.name, [])
    short = step.name.split(".", 1)[-1]
    words = dict((function, word) for word, function in functions(lines))
    if code not in (0, 77):
        for line in lines:
            print("   | " + line)
    for function, word in words.items():
        print(f"[{word:>10} ] {short}.{function}")
    if code == 77:
        print(f"[{'SKIPPED':>10} ] {short}: " + " ".join(lines)[:300])
    elif code is None:
        print(f"[{'FAILED':>10} ] {short}: never ended")
    elif code != 0 and "FAILED" not in words.values():
        print(f"[{'FAILED':>10} ] {short}: exit status {code}")
    print(f"{short}: {len(words)} functions, exit status {code}, {result.spent.get(step.name, 0):.1f} s")
    return code in (0, 77)


def sensor_steps(build, kernel):
    """Every hook with either walk, then all BPF tests."""
    hooks = os.path.join(build, "tests", "kernel", "kernel_hooks")
    steps = [machine.Step("kernel.hooks_" + walk, [hooks, walk], 300) for walk in ("fast", "probe")] + list(bpf_tests(build))
    if kernel.module("dummy"):
        for s in steps:
            s.environment.append("WEDR_TEST_MODULE=/modules/dummy.ko")
    return steps


def hooks_steps(build, kernel):
    """Every hook with either walk, and that the events of process starts and of a hook of each kind arrive."""
    few = re.compile(r"^kernel\.|bpf\.test_(process_exec|evasion_compat)$")
    return [s for s in sensor_steps(build, kernel) if few.search(s.name)]


def doctor_steps(build, _kernel):
    """The source without BPF; what a person is told where the sensor cannot work, and what the loader says then."""
    hooks = os.path.join(build, "tests", "kernel", "kernel_hooks")
    watch = os.path.join(build, "tests", "bpf", "test_proc_watch")
    return [machine.Step("bpf.test_proc_watch", [watch], folder=os.path.dirname(watch)),
            machine.Step("kernel.doctor", [os.path.join(build, "wedr-agent"), "doctor", "--state", "/tmp"]),
            machine.Step("kernel.open", [hooks, "fast"])]


def says(result, step, wanted):
    """Prints a verdict on whether a step failed and said all of wanted, in this order on one line."""
    lines = result.outputs.get(step, [])
    good = result.codes.get(step) == 1 and any(re.search(wanted, line) for line in lines)
    print(f"[{'OK' if good else 'FAILED':>10} ] {step.split('.')[-1]}_names_the_reason")
    for line in lines:
        print("   | " + line)
    return good


def check_sensor(steps, result):
    return all([show(s, result) for s in steps])


def check_too_old(steps, result):
    return all([show(steps[0], result), says(result, "kernel.doctor", r"^BROKEN  atomics .*\b5\.12\b"),
                says(result, "kernel.open", r"the sensor does not start: atomics: ")])


def check_lockdown(steps, result):
    return all([show(steps[0], result), says(result, "kernel.doctor", r"^BROKEN  lockdown .*confidentiality"),
                says(result, "kernel.open", r"the sensor does not start: lockdown: .*confidentiality")])


# name: kernel parameters, steps, check
SCENARIOS = {
    "hooks": ("", hooks_steps, check_sensor),
    "sensor": ("", sensor_steps, check_sensor),
    "too_old": ("", doctor_steps, check_too_old),
    "lockdown": ("lockdown=confidentiality", doctor_steps, check_lockdown),
}


def main():
    build, suite, scenario = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    for tool in ("qemu-system-x86_64", "/bin/busybox"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is missing (tools/install_packages --full)")
            return 77
    try:
        kernel = kernel_deb.get(os.path.join(os.path.dirname(build), ".kernels"), suite)
    except kernel_deb.Unreachable as e:
        print(f"skipped: no kernel of {suite} to be had: {e}")
        return 77
    parameters, make_steps, check = SCENARIOS[scenario]
    only = os.environ.get("WEDR_KERNEL_ONLY", "")
    steps = [s for s in make_steps(build, kernel) if re.search(only, s.name)]

    def fill(image):
        put_programs(image, build, steps)
        put_modules(image, kernel, ["overlay", "veth"])

    result = machine.run(kernel, fill, steps, os.path.join(build, "tests", "kernel", f"{suite}.{scenario}"), parameters)
    print(f"kernel {result.release} ({kernel.package}), {result.accel}, up after {result.boot_seconds:.1f} s, "
          f"{result.seconds:.0f} s in all")
    good = check(steps, result) and result.done and not result.kernel
    for line in result.notes + result.kernel:
        print("note: " + line)
    print(f"[{'OK' if result.done else 'FAILED':>10} ] guest_ends_by_itself")
    print(f"[{'FAILED' if result.kernel else 'OK':>10} ] kernel_complains_about_nothing")
    return 0 if good else 1


sys.exit(main())
