#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_golden.py WIRE_DUMP: the C decoder and the Python decoder against the golden vectors and against each other."""
import glob
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import wire_decode  # noqa: E402

GOLDEN = sorted(glob.glob(os.path.join(HERE, "golden", "*.hex")))
SEEDS = os.path.join(HERE, "..", "..", "..", "fuzz", "corpus", "fuzz_event_decode")
EDGE_BYTES = (0x00, 0x01, 0x02, 0x04, 0x7f, 0x80, 0xff)


def by_c(records):
    """What the C decoder says of each record."""
    text = "".join(r.hex() + "\n" for r in records)
    run = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.split("\n")[:-1]
    assert len(lines) == len(records), (len(lines), len(records))
    return [json.loads(line) for line in lines]


def by_python(records):
    out = []
    for r in records:
        try:
            out.append(wire_decode.decode(r))
        except wire_decode.Refused as e:
            out.append({"error": str(e)})
    return out


def difference(a, b):
    if a.keys() == b.keys() and "fields" in a:
        a, b = {**a, **a["fields"]}, {**b, **b["fields"]}
    keys = [k for k in {**a, **b} if a.get(k) != b.get(k) and k != "fields"]
    return ", ".join(f"{k}: {a.get(k)!r} against {b.get(k)!r}" for k in keys)


def same(names, got, want):
    for name, g, w in zip(names, got, want):
        assert g == w, f"{name}: {difference(g, w)}"


def vectors():
    names = [os.path.basename(p) for p in GOLDEN]
    records = [wire_decode.read_hex(p) for p in GOLDEN]
    want = []
    for p in GOLDEN:
        with open(p[:-3] + "json", encoding="utf-8") as f:
            want.append(json.load(f))
    return names, records, want


def every_type_and_os_has_a_golden_vector():
    _, _, want = vectors()
    have = {(w["type"], w["os"]) for w in want if "type" in w}
    need = {(name, os_name) for (_, os_name), (name, _, _) in wire_decode.TYPES.items()}
    assert have == need, sorted(need ^ have)


def every_line_of_a_golden_vector_says_what_it_means():
    for path in GOLDEN:
        with open(path, encoding="utf-8") as f:
            for line in f:
                data, _, comment = line.partition("#")
                assert data.strip() and comment.strip(), f"{os.path.basename(path)}: {line!r}"


def every_golden_vector_is_a_seed_of_the_decoders_fuzz_target():
    for path in GOLDEN:
        seed = os.path.join(SEEDS, os.path.basename(path)[:-4])
        assert os.path.exists(seed), f"missing: {seed}"
        with open(seed, "rb") as f:
            assert f.read() == wire_decode.read_hex(path), f"differs from the vector: {seed}"


def c_decoder_reads_the_golden_vectors():
    names, records, want = vectors()
    same(names, by_c(records), want)


def python_decoder_reads_the_golden_vectors():
    names, records, want = vectors()
    same(names, by_python(records), want)


def both_decoders_agree_on_every_truncation():
    names, cases = [], []
    for name, record, _ in zip(*vectors()):
        for n in range(len(record)):
            names.append(f"{name} cut to {n}")
            cases.append(record[:n])
    same(names, by_c(cases), by_python(cases))


def both_decoders_agree_on_every_changed_byte():
    names, cases = [], []
    for name, record, _ in zip(*vectors()):
        for at in range(len(record)):
            for value in EDGE_BYTES:
                if record[at] != value:
                    names.append(f"{name} with {value:#x} at {at}")
                    cases.append(record[:at] + bytes([value]) + record[at + 1:])
    same(names, by_c(cases), by_python(cases))


def both_decoders_agree_on_random_damage():
    rnd = random.Random(7)
    names, cases = [], []
    for name, record, _ in zip(*vectors()):
        for i in range(100):
            case = bytearray(record)
            for _ in range(rnd.randint(2, 6)):
                case[rnd.randrange(len(case))] = rnd.choice((rnd.randrange(256), rnd.choice(EDGE_BYTES)))
            names.append(f"{name}, damage {i}: {case.hex()}")
            cases.append(bytes(case))
    same(names, by_c(cases), by_python(cases))


TESTS = (every_type_and_os_has_a_golden_vector, every_line_of_a_golden_vector_says_what_it_means,
         every_golden_vector_is_a_seed_of_the_decoders_fuzz_target,
         c_decoder_reads_the_golden_vectors, python_decoder_reads_the_golden_vectors,
         both_decoders_agree_on_every_truncation, both_decoders_agree_on_every_changed_byte,
         both_decoders_agree_on_random_damage)


def main():
    failed = 0
    for test in TESTS:
        try:
            test()
            print(f"[       OK ] {test.__name__}")
        except AssertionError as e:
            failed = 1
            print(f"[  FAILED  ] {test.__name__}\n{e}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
