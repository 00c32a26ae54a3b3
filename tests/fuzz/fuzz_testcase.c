/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_testcase.c — any bytes as a file of test cases: what is refused says where, what
 * is taken can be run, and a run that did not pass says why. */
#include "core/base/err.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include "wedr/rules/testcase.h"
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static const char rules[] = "title: a shell\n"
                            "name: shell\n"
                            "logsource: {category: process_creation, product: linux}\n"
                            "detection: {s: {Image|endswith: sh}, condition: s}\n"
                            "---\n"
                            "title: two shells\n"
                            "correlation:\n"
                            "  type: event_count\n"
                            "  rules: [shell]\n"
                            "  timespan: 1m\n"
                            "  generate: true\n"
                            "  condition: {gte: 2}\n";

static struct wedr_testrunner *runner(void)
{
    static struct wedr_testrunner *t;
    struct wedr_engine *engine;
    struct wedr_field_map *map;
    if (t) {
        return t;
    }
    struct wedr_ruleset *rs = wedr_ruleset_new(4u << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    require(wedr_sigma_add(s, "r.yml", rules, sizeof(rules) - 1) == WEDR_OK);
    require(wedr_sigma_finish(s) == WEDR_OK);
    wedr_sigma_free(s);
    require(wedr_engine_new_take(rs, NULL, &engine, NULL) == WEDR_OK);
    require(wedr_pipeline_map(rs, NULL, 0, true, &map, NULL) == WEDR_OK);
    t = wedr_testrunner_new(engine, map);
    require(t != NULL);
    return t;
}

/* The file that a case names: the whole input, which mostly is no JSON. */
struct input {
    const char *p;
    size_t len, findings;
};

static int open_input(void *ctx, struct wedr_text name, const char **ret_text, size_t *ret_len)
{
    const struct input *in = ctx;
    *ret_text = in->p;
    *ret_len = in->len;
    return name.len % 3 == 0 ? WEDR_E_NOENT : WEDR_OK;
}

static void on_finding(void *ctx, const struct wedr_testcase_finding *f)
{
    struct input *in = ctx;
    in->findings++;
    require(f->text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_testfile *f = NULL;
    if (size > INPUT_MAX) {
        return 0;
    }
    if (wedr_testfile_read((const char *)data, size, &f, &ei) < 0) {
        require(strncmp(ei.text, "line ", 5) == 0);
        return 0;
    }
    for (size_t i = 0; i < wedr_testfile_case_count(f); i++) {
        const struct wedr_testcase *c = wedr_testfile_case(f, i);
        struct input in = {(const char *)data, size, 0};
        bool passed = false;
        require(c->name.len > 0 && (c->event_count > 0 || c->file_count > 0));
        require(wedr_testrunner_run(runner(), c, open_input, on_finding, &in, &passed) == WEDR_OK);
        require(passed == (in.findings == 0));
    }
    wedr_testfile_free(f);
    return 0;
}
