/* SPDX-License-Identifier: Apache-2.0
 * rules/pack.h — our own rules (lib/rules/packs, docs/rule-pack.md), compiled in as texts so that
 * no program needs their files. */
#pragma once

#include <stddef.h>

/* Name ("linux/reverse_shell.yml"; .yml Sigma, .waza, .ioc) and text by index; NULL behind the
 * last. Constant. */
const char *wedr_pack_file(size_t index, const char **ret_text, size_t *ret_len);
/* Likewise the test cases beside them ("linux/reverse_shell.test.yml"), see testcase.h. */
const char *wedr_pack_test_file(size_t index, const char **ret_text, size_t *ret_len);

/* Fires on any process whose command line contains WEDR_PACK_MARKER: shows that events, rules and
 * alerts work from end to end. Harmless. */
#define WEDR_PACK_MARKER "wazabi-edr-detection-test"
#define WEDR_PACK_MARKER_RULE "3b8f0b0e-6c1d-4a57-9c55-7d3c2f0f9a01"
/* Disabled unless an operator turns it on: kills the process whose command line has this one. */
#define WEDR_PACK_KILL_MARKER "wazabi-edr-kill-test"
#define WEDR_PACK_KILL_RULE "3b8f0b0e-6c1d-4a57-9c55-7d3c2f0f9a02"
