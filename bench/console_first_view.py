#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The console's first view in Debian's Chromium with nothing in the cache, from a real server over TLS on this machine: what
travels, and when the view can be used. Prints JSON: bytes, and milliseconds at the median and at worst.

Needs a build in build/linux (or WEDR_BUILD). console_first_view.py [LOADS]: how often, default 15."""
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "console"))
import stage  # noqa: E402
import first_view  # noqa: E402


def main():
    loads = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    server = stage.world().server
    seen = [first_view.look(stage.browser(), server, "vic") for _ in range(loads)]
    out = {"loads": loads, "files": seen[0]["files"], "gzip_bytes": max(s["gzip_bytes"] for s in seen)}
    for name in ("frame_ms", "usable_ms", "chart_ms"):
        took = [s[name] for s in seen]
        out[name] = {"median": statistics.median(took), "worst": max(took)}
    print(json.dumps(out))


main()
