/* SPDX-License-Identifier: Apache-2.0
 *
 * Many matches: how many alerts and kills come of them, and that the rest is counted. */
#include "alert_lab.h"
#include "core/base/err.h"
#include "detect/state.h"
#include "wedr/rules/bundle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_match_is_an_alert_or_counted_as_held_back(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    lab_use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 50; i++) {
        lab_run(f, 8, "/bin/sh", "sh -c evil");
    }
    assert_int_equal(lab_collect(f), WEDR_THROTTLE_ALERTS);
    lab_now_ms += WEDR_THROTTLE_WINDOW_MS;
    wedr_detect_tick(f->d, lab_pair, false);
    assert_int_equal(lab_collect(f), 1);
    json_t *r = lab_raw(f, 0);
    assert_int_equal(lab_number(r, "suppressed"), 50 - (int)WEDR_THROTTLE_ALERTS - 1);
    assert_int_equal(lab_number(json_array_get(json_object_get(r, "evidence"), 0), "seq"), 50);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.matched, 50);
    assert_int_equal(st.alerts + st.suppressed, 50);
    assert_int_equal(st.events, 50);
}

static void one_noisy_process_does_not_silence_another(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        lab_run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)lab_collect(f);
    lab_run(f, 9, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    assert_int_equal(lab_number(lab_raw(f, 0), "pid"), 9);
}

static void all_rules_together_have_a_budget_and_nothing_is_forgotten(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    unsigned n = 0;
    lab_use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + WEDR_DETECT_ALERTS_BURST + 50; pid++) {
        lab_run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            n += (unsigned)lab_collect(f);
        }
    }
    n += (unsigned)lab_collect(f);
    assert_int_equal(n, WEDR_DETECT_ALERTS_BURST);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.over_budget, 50);
    lab_now_ms += WEDR_THROTTLE_WINDOW_MS;
    wedr_detect_tick(f->d, lab_pair, false);
    assert_int_equal(lab_collect(f), 50); /* each is told with its count */
}

/* More entities than anybody remembers: the budget holds all the same, and the sum is right. */
static void a_flood_of_entities_stays_within_the_budget_and_is_counted(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    const uint32_t flood = 3 * WEDR_THROTTLE_DEFAULT;
    uint64_t told = 0, n = 0;
    lab_use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + flood; pid++) {
        lab_run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            n += lab_collect(f);
        }
    }
    n += lab_collect(f);
    assert_int_equal(n, WEDR_DETECT_ALERTS_BURST);
    wedr_detect_tick(f->d, lab_pair, true); /* the end */
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "entity"), "several");
    told = (uint64_t)lab_number(lab_raw(f, 0), "suppressed");
    assert_int_equal(told + 1, flood - WEDR_DETECT_ALERTS_BURST);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.alerts + st.suppressed, flood);
}

/* The budget kept it back, not its throttle. */
static void what_a_flood_keeps_back_is_told_soon_not_when_its_throttle_is_over(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL "---\n" RULE("rare", "Image: /bin/rare"), 1, 0);
    f->d->budget = 0;
    lab_run(f, 8, "/bin/rare", "x");
    assert_int_equal(lab_collect(f), 0);
    lab_now_ms += 1000;
    lab_run(f, 8, "/bin/sh", "sh -c evil"); /* new ones come first */
    wedr_detect_tick(f->d, lab_pair, false);
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "shell");
    lab_now_ms += 10000;
    assert_true(lab_now_ms < WEDR_THROTTLE_WINDOW_MS);
    wedr_detect_tick(f->d, lab_pair, false);
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "rare");
}

static void a_flood_of_lesser_alerts_leaves_room_for_urgent_ones(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f,
            SHELL "---\ntitle: low\nid: low\nlevel: low\n"
                  "logsource: {product: linux, category: process_creation}\n"
                  "detection: {selection: {Image: /bin/low}, condition: selection}\n",
            1, 0);
    for (uint32_t pid = 100; pid < 100 + 2 * WEDR_DETECT_ALERTS_BURST; pid++) {
        lab_run(f, pid, "/bin/low", "x");
        if (!wedr_detect_room(f->d)) {
            (void)lab_collect(f);
        }
    }
    (void)lab_collect(f);
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "shell");
}

static void a_throttle_goes_on_over_an_exchange(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        lab_run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)lab_collect(f);
    lab_use(f, RULE("new", "Image: /bin/new") "---\n" SHELL, 2, 0);
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 0);
    lab_use(f, RULE("new", "Image: /bin/new"), 3, 0); /* the rule goes: its count is told */
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "shell");
    assert_int_equal(lab_number(lab_raw(f, 0), "suppressed"), 10);
}

/* The disk takes nothing for a while: what is encoded already leaves no room for another alert. */
static void fill_outbox(struct alert_lab *f)
{
    struct wedr_detect_outcome o = {.kill = {8, rec_key(8), "00ff", "killer"},
                                    .result = WEDR_RESPONSE_RESULT_DONE,
                                    .detail = "it has ended"};
    while (wedr_detect_response(f->d, &o, lab_pair) == WEDR_OK) {
    }
}

static void counts_that_cannot_be_told_at_an_exchange_go_on_with_their_rule(void **state)
{
    struct alert_lab *f = *state;
    const uint32_t flood = 3 * WEDR_THROTTLE_DEFAULT;
    lab_use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + flood; pid++) {
        lab_run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            (void)lab_collect(f);
        }
    }
    (void)lab_collect(f);
    fill_outbox(f);
    lab_use(f, RULE("new", "Image: /bin/new") "---\n" SHELL, 2, 0); /* another index */
    assert_true(lab_collect(f) > 0);
    wedr_detect_tick(f->d, lab_pair, true);
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "shell");
    assert_string_equal(lab_text(lab_raw(f, 0), "rules_serial"), "2");
    assert_int_equal(lab_number(lab_raw(f, 0), "suppressed") + 1, flood - WEDR_DETECT_ALERTS_BURST);
}

/* Of a rule that is not there any more, too: it is told as soon as there is room. */
static void counts_of_a_rule_that_goes_wait_for_room(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        lab_run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)lab_collect(f);
    fill_outbox(f);
    lab_use(f, RULE("new", "Image: /bin/new"), 2, 0);
    lab_use(f, RULE("newer", "Image: /bin/newer"), 3, 0);
    assert_true(lab_collect(f) > 0);
    lab_now_ms += DETECT_TICK_MS;
    wedr_detect_tick(f->d, lab_pair, false);
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_id"), "shell");
    assert_string_equal(lab_text(lab_raw(f, 0), "rules_serial"), "1");
    assert_int_equal(lab_number(lab_raw(f, 0), "suppressed"), 9);
    lab_now_ms += DETECT_TICK_MS;
    wedr_detect_tick(f->d, lab_pair, true);
    assert_int_equal(lab_collect(f), 0);
}

static void a_throttle_spares_people_not_processes(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_kill k;
    unsigned kills = 0;
    lab_use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    for (uint32_t pid = 0; pid < WEDR_DETECT_ALERTS_BURST + 20; pid++) {
        lab_run(f, 100 + pid, "/bin/x", "evil");
        kills += wedr_detect_next_kill(f->d, &k) ? 1 : 0;
        if (!wedr_detect_room(f->d)) {
            (void)lab_collect(f);
        }
    }
    assert_int_equal(kills, WEDR_DETECT_ALERTS_BURST + 20);
}

static void where_the_policy_forbids_it_each_alert_asks_once(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_kill k;
    unsigned kills = 0;
    lab_use_kill(f, 0);
    for (unsigned i = 0; i < 100; i++) {
        lab_run(f, 8, "/bin/x", "evil");
        lab_now_ms += DETECT_KILL_AGAIN_MS / 20;
        kills += wedr_detect_next_kill(f->d, &k) ? 1 : 0;
    }
    assert_true(kills >= 1 && kills <= 5);
}

static void kills_without_room_for_them_are_answered_not_forgotten(void **state)
{
    struct alert_lab *f = *state;
    unsigned failed = 0;
    lab_use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    for (uint32_t pid = 1; pid <= WEDR_DETECT_KILLS_MAX + 3; pid++) {
        assert_int_equal(wedr_detect_room(f->d), pid <= WEDR_DETECT_KILLS_MAX);
        lab_run(f, pid, "/bin/x", "evil"); /* shown all the same */
    }
    size_t n = lab_collect(f);
    for (size_t i = 0; i < n; i++) {
        failed += strcmp(lab_text(json_array_get(f->lines, i), "event_type"), "response") == 0 &&
                  strcmp(lab_text(lab_raw(f, i), "result"), "failed") == 0;
    }
    assert_int_equal(failed, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(every_match_is_an_alert_or_counted_as_held_back),
        LAB_TEST(one_noisy_process_does_not_silence_another),
        LAB_TEST(all_rules_together_have_a_budget_and_nothing_is_forgotten),
        LAB_TEST(a_flood_of_entities_stays_within_the_budget_and_is_counted),
        LAB_TEST(what_a_flood_keeps_back_is_told_soon_not_when_its_throttle_is_over),
        LAB_TEST(a_flood_of_lesser_alerts_leaves_room_for_urgent_ones),
        LAB_TEST(a_throttle_goes_on_over_an_exchange),
        LAB_TEST(counts_that_cannot_be_told_at_an_exchange_go_on_with_their_rule),
        LAB_TEST(counts_of_a_rule_that_goes_wait_for_room),
        LAB_TEST(a_throttle_spares_people_not_processes),
        LAB_TEST(where_the_policy_forbids_it_each_alert_asks_once),
        LAB_TEST(kills_without_room_for_them_are_answered_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
