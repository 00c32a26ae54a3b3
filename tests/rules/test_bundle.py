#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_bundle.py BUNDLE_PROBE: all of SigmaHQ as one bundle, written and loaded, matches on every recorded event and every
regression event exactly the rules that it matched before."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402


def test_a_bundle_of_the_whole_collection_matches_what_its_rules_match(lab):
    events = lab.put_events("events.ndjson", [*lab.regression_events(), *lab.recorded_events()])
    run = subprocess.run([lab.args.tool, events, *lab.rule_folders()], capture_output=True, check=False, text=True)
    print("  " + run.stdout.strip())
    assert run.returncode == 0, run.stderr[-2000:]
    said = json.loads(run.stdout)
    assert said["different"] == 0, run.stderr[:4000]
    assert said["rules"] > 3700 and said["events"] > 3000 and said["matches"] > 100, said


if __name__ == "__main__":
    lab_module.main(globals(), venv=False)
