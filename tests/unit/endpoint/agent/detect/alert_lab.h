/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/endpoint/agent/detect/alert_lab.h — events through rules to the lines of the stream
 * alert, with a clock that stands until a test moves it. Whatever fails here fails the test.
 */
#pragma once

#include "detect/alert.h"
#include "records.h"
#include <jansson.h>

#define LAB_EPOCH 0x1122334455667788u

#define RULE(id, select)                                                              \
    "title: title of " id "\nid: " id "\nlevel: high\n"                               \
    "tags: [attack.t1059]\nlogsource: {product: linux, category: process_creation}\n" \
    "detection: {selection: {" select "}, condition: selection}\n"
#define SHELL RULE("shell", "Image|endswith: /sh, CommandLine|contains: evil")

struct alert_lab {
    struct wedr_encoder *enc;
    struct wedr_detect *d;
    uint64_t seq;
    json_t *lines; /* everything that was written */
};

extern uint8_t lab_mem[WEDR_RECORD_MAX]; /* of the record at hand */
extern const struct wedr_clock_pair lab_pair;
extern uint64_t lab_now_ms; /* the monotonic clock */

/* cmocka's set-up and tear-down of each test. */
int lab_set_up(void **state);
int lab_tear_down(void **state);
#define LAB_TEST(fn) cmocka_unit_test_setup_teardown(fn, lab_set_up, lab_tear_down)

/* Sigma rules take over. policy: what the agent may do, as a bundle says it. */
void lab_use(struct alert_lab *f, const char *yaml, uint64_t serial, uint32_t policy);
/* One rule for events of any kind, with actions that Sigma cannot name. */
void lab_use_one(
    struct alert_lab *f, const char *field, const char *word, uint8_t actions, uint32_t policy);
void lab_use_kill(struct alert_lab *f, uint32_t policy);

void lab_show(struct alert_lab *f, const struct wedr_event_view *v, const char *stream);
/* A process starts. */
void lab_run(struct alert_lab *f, uint32_t pid, const char *image, const char *command);

/* Takes what waits into lines, as the engine would write it; how many. */
size_t lab_collect(struct alert_lab *f);
json_t *lab_raw(struct alert_lab *f, size_t i);   /* of line i */
const char *lab_text(json_t *o, const char *key); /* "(none)" without one */
json_int_t lab_number(json_t *o, const char *key);
