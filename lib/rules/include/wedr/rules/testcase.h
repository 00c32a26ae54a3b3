/* SPDX-License-Identifier: Apache-2.0
 * rules/testcase.h — test cases of rules: events and what has to fire on them. They stand in
 * NAME.test.yml beside NAME.yml, NAME.waza or NAME.ioc (docs/rule-tests.md has the format); Sigma's
 * regression form (info.yml) is read too. Files that a case names are the caller's to open. One
 * thread.
 *
 *   cases:
 *     - name: a shell talks to the network
 *       events:                                 # objects, or texts of JSON lines
 *         - {event_type: process_create, raw: {image_path: /bin/bash}}
 *       file: recorded.ndjson                   # or several; after the events
 *       at: [0s, 30s]                           # when each event happens, for windows
 *       expect: [rule id or title, ...]         # or none: nothing at all fires
 *       not: [rule id or title, ...] */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/rules/correlate.h"

#define WEDR_TESTCASE_FILE_MAX ((size_t)8 << 20)
#define WEDR_TESTCASE_EVENTS_MAX 100000u /* of one case, those of its files too */

struct wedr_testcase {
    struct wedr_text name;
    uint32_t line;
    const struct wedr_text *events; /* each one JSON document */
    size_t event_count;
    const struct wedr_text *files; /* as written: relative to the test file */
    size_t file_count;
    const int64_t *at_us; /* of the events in order; empty: their own times */
    size_t at_count;
    const struct wedr_text *expect; /* must fire */
    size_t expect_count;
    const struct wedr_text *never; /* must not fire */
    size_t never_count;
    bool expect_none; /* nothing may fire */
};

struct wedr_testfile;

/* Nothing of the text is kept. WEDR_E_FORMAT, WEDR_E_LIMIT: ei begins with "line N: ". Sigma's
 * info.yml is known by its `regression_tests_info`: each of its tests is a case that expects the
 * rules of `rule_metadata`; its file is the test's path with .json for .evtx, without folders. */
WEDR_MUST_USE int wedr_testfile_read(const char *yaml,
                                     size_t len,
                                     struct wedr_testfile **ret_file,
                                     struct wedr_errinfo *ei);
void wedr_testfile_free(struct wedr_testfile *f);
size_t wedr_testfile_case_count(const struct wedr_testfile *f);
const struct wedr_testcase *wedr_testfile_case(const struct wedr_testfile *f, size_t index);

enum wedr_testcase_verdict {
    WEDR_TESTCASE_MISSING,    /* expected, did not fire */
    WEDR_TESTCASE_UNEXPECTED, /* fired, must not */
    WEDR_TESTCASE_UNKNOWN,    /* the case names a rule that is not there */
    WEDR_TESTCASE_ERROR       /* an event or a file that cannot be read */
};

struct wedr_testcase_finding {
    enum wedr_testcase_verdict verdict;
    uint32_t rule;    /* WEDR_IR_NONE for UNKNOWN and ERROR */
    size_t event;     /* UNEXPECTED: the one it fired at; ERROR; 0-based; SIZE_MAX unknown */
    const char *text; /* one line that says it all */
};
typedef void wedr_testcase_finding_fn(void *ctx, const struct wedr_testcase_finding *finding);

/* Content of a file that a case names, borrowed until the next call: JSON documents one after
 * another or in arrays. Negative: why not. */
typedef int
wedr_testcase_open_fn(void *ctx, struct wedr_text name, const char **ret_text, size_t *ret_len);

struct wedr_testrunner;

/* engine and map must outlive the runner. NULL when out of memory. */
WEDR_MUST_USE struct wedr_testrunner *wedr_testrunner_new(const struct wedr_engine *engine,
                                                          const struct wedr_field_map *map);
void wedr_testrunner_free(struct wedr_testrunner *t);
/* Runs one case from a clean state: all its events in order, through the matcher and the
 * correlations; a rule fires when it matches and is not hidden, or when it correlates. Times are
 * those of `at` (from a fixed moment on), else the event's own (ts, @timestamp, UtcTime,
 * TimeCreated, ...), else 1 ms after the one before. open may be NULL when no case names a file.
 * *ret_passed: nothing was found wrong. WEDR_E_NOMEM; all else is a finding. */
WEDR_MUST_USE int wedr_testrunner_run(struct wedr_testrunner *t,
                                      const struct wedr_testcase *c,
                                      wedr_testcase_open_fn *open,
                                      wedr_testcase_finding_fn *fn,
                                      void *ctx,
                                      bool *ret_passed);
