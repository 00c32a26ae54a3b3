/* SPDX-License-Identifier: Apache-2.0 */
#include "holder_kill.h"

#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <string.h>

void wedr_kills_init(struct wedr_kills *k)
{
    /* Nobody looks at a place that none waits in: a third of a megabyte that is not touched. */
    memset(k->slot, 0, sizeof(k->slot));
    k->first_waiting = k->waiting_count = 0;
    k->asked = k->done = k->refused = k->failed = 0;
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        k->slot[i].target.handle = WEDR_HANDLE_NONE;
    }
}

void wedr_kills_fini(struct wedr_kills *k)
{
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        wedr_fs_close(k->slot[i].target.handle);
        k->slot[i].target.handle = WEDR_HANDLE_NONE;
    }
}

static void answer(struct wedr_kills *k, struct wedr_kill_slot *s, uint16_t result, const char *why)
{
    s->answered = true;
    s->result.result = result;
    s->result.duration_us = (uint64_t)wedr_time_mono_ms() * 1000 - s->since_us;
    wedr_msg_put_text(s->result.detail, sizeof(s->result.detail), why);
    wedr_fs_close(s->target.handle);
    s->target.handle = WEDR_HANDLE_NONE;
    k->done += result == WEDR_RESPONSE_RESULT_DONE ? 1 : 0;
    k->failed += result == WEDR_RESPONSE_RESULT_FAILED ? 1 : 0;
    k->refused +=
        result == WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY || result == WEDR_RESPONSE_RESULT_PROTECTED
            ? 1
            : 0;
}

static void answer_error(struct wedr_kills *k, struct wedr_kill_slot *s, int err, const char *gone)
{
    bool there = err != WEDR_E_NOENT;
    answer(k, s, there ? WEDR_RESPONSE_RESULT_FAILED : WEDR_RESPONSE_RESULT_TARGET_GONE,
           there ? wedr_err_text(err) : gone);
}

static bool is_protected_pid(uint32_t pid, const struct wedr_kill_policy *policy)
{
    for (size_t i = 0; i < WEDR_KILL_PROTECTED_MAX; i++) {
        if (policy->protected_pids[i] != 0 && policy->protected_pids[i] == pid) {
            return true;
        }
    }
    return pid <= 2; /* no process, the first one, the parent of the kernel's threads */
}

/* The key of a Linux process is its start with the number folded in. */
static bool is_the_one(const struct wedr_target *t, uint32_t pid, uint64_t key)
{
    uint64_t start = wedr_linux_process_key(key, pid); /* its own inverse */
    return start >= t->start_boot_ns && start - t->start_boot_ns < t->start_step_ns;
}

static void begin(struct wedr_kills *k, struct wedr_kill_slot *s)
{
    uint32_t pid = s->result.pid;
    int err = wedr_target_open(pid, &s->target);
    const char *gone = "no process has its number";
    if (err != WEDR_OK) {
        answer_error(k, s, err, gone);
        return;
    }
    gone = "it has ended already";
    if (!is_the_one(&s->target, pid, s->result.process_key)) {
        answer(k, s, WEDR_RESPONSE_RESULT_TARGET_GONE, "another process has its number");
    } else if (s->target.kernel) {
        answer(k, s, WEDR_RESPONSE_RESULT_PROTECTED, "a thread of the kernel");
    } else if (s->target.own) {
        answer(k, s, WEDR_RESPONSE_RESULT_PROTECTED, "it runs the agent's own program");
    } else {
        err = s->target.ended ? WEDR_E_NOENT : wedr_target_kill(&s->target);
        if (err != WEDR_OK) {
            answer_error(k, s, err, gone);
        }
    }
}

static bool is_known(const struct wedr_kills *k, uint64_t process_key)
{
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        const struct wedr_kill_slot *s = &k->slot[i];
        if (s->used && !s->answered && !s->command && s->result.process_key == process_key) {
            return true;
        }
    }
    for (size_t i = 0; i < k->waiting_count; i++) {
        size_t at = (k->first_waiting + i) % WEDR_KILLS_WAITING_MAX;
        if (!k->waiting[at].command && k->waiting[at].m.process_key == process_key) {
            return true;
        }
    }
    return false;
}

static struct wedr_kill_slot *free_slot(struct wedr_kills *k)
{
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        if (!k->slot[i].used) {
            return &k->slot[i];
        }
    }
    return NULL;
}

static void begin_result(const struct wedr_msg_kill *m, struct wedr_msg_kill_result *ret)
{
    wedr_msg_begin(ret, WEDR_MSG_T_KILL_RESULT);
    ret->pid = m->pid;
    ret->process_key = m->process_key;
    memcpy(ret->alert_id, m->alert_id, sizeof(ret->alert_id));
    memcpy(ret->rule_id, m->rule_id, sizeof(ret->rule_id));
}

static void start(struct wedr_kills *k,
                  struct wedr_kill_slot *s,
                  const struct wedr_kill_waiting *w,
                  const struct wedr_kill_policy *policy)
{
    memset(s, 0, sizeof(*s));
    s->used = true;
    s->command = w->command;
    s->since_us = w->since_us;
    s->deadline_ms = wedr_time_mono_ms() + WEDR_KILL_DEADLINE_MS;
    s->target.handle = WEDR_HANDLE_NONE;
    begin_result(&w->m, &s->result);
    if (!s->command && !policy->allowed) {
        answer(k, s, WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY, "the rules' policy does not allow it");
    } else if (!s->command && policy->replay) {
        answer(k, s, WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY, "the event is a recorded one");
    } else if (is_protected_pid(w->m.pid, policy)) {
        answer(k, s, WEDR_RESPONSE_RESULT_PROTECTED, "a process that is never ended");
    } else {
        begin(k, s);
    }
}

static void start_waiting(struct wedr_kills *k, const struct wedr_kill_policy *policy)
{
    struct wedr_kill_slot *s;
    while (k->waiting_count > 0 && (s = free_slot(k)) != NULL) {
        start(k, s, &k->waiting[k->first_waiting], policy);
        k->first_waiting = (k->first_waiting + 1) % WEDR_KILLS_WAITING_MAX;
        k->waiting_count--;
    }
}

static int ask(struct wedr_kills *k,
               const struct wedr_msg_kill *m,
               const struct wedr_kill_policy *policy,
               bool command)
{
    if (k->waiting_count == WEDR_KILLS_WAITING_MAX) {
        return WEDR_E_FULL;
    }
    size_t at = (k->first_waiting + k->waiting_count++) % WEDR_KILLS_WAITING_MAX;
    k->waiting[at].since_us = wedr_time_mono_ms() * 1000;
    k->waiting[at].command = command;
    k->waiting[at].m = *m;
    k->asked++;
    start_waiting(k, policy);
    return WEDR_OK;
}

int wedr_kills_ask(struct wedr_kills *k,
                   const struct wedr_msg_kill *m,
                   const struct wedr_kill_policy *policy)
{
    return is_known(k, m->process_key) ? WEDR_OK : ask(k, m, policy, false);
}

int wedr_kills_command(struct wedr_kills *k,
                       const struct wedr_msg_kill *m,
                       const struct wedr_kill_policy *policy)
{
    return ask(k, m, policy, true);
}

void wedr_kills_refuse(const struct wedr_msg_kill *m, int err, struct wedr_msg_kill_result *ret)
{
    begin_result(m, ret);
    ret->result = WEDR_RESPONSE_RESULT_FAILED;
    wedr_msg_put_text(ret->detail, sizeof(ret->detail), wedr_err_text(err));
}

void wedr_kills_tick(struct wedr_kills *k, const struct wedr_kill_policy *policy)
{
    uint64_t now = wedr_time_mono_ms();
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        struct wedr_kill_slot *s = &k->slot[i];
        struct wedr_wait w = {s->target.handle, WEDR_WAIT_READ, 0};
        size_t ready = 0;
        if (!s->used || s->answered) {
            continue;
        }
        if (wedr_wait_any(&w, 1, 0, &ready) == WEDR_OK && w.got != 0) {
            answer(k, s, WEDR_RESPONSE_RESULT_DONE, "it has ended");
        } else if (now >= s->deadline_ms) {
            answer(k, s, WEDR_RESPONSE_RESULT_FAILED, "the signal was sent, but it has not ended");
        }
    }
    start_waiting(k, policy);
}

void wedr_kills_wait(const struct wedr_kills *k, struct wedr_wait *w)
{
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        w[i] = (struct wedr_wait){k->slot[i].target.handle, WEDR_WAIT_READ, 0};
    }
}

static int next_answer(const struct wedr_kills *k,
                       bool command,
                       size_t *ret_slot,
                       struct wedr_msg_kill_result *ret)
{
    for (size_t i = 0; i < WEDR_KILLS_MAX; i++) {
        if (k->slot[i].used && k->slot[i].answered && k->slot[i].command == command) {
            *ret_slot = i;
            *ret = k->slot[i].result;
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

int wedr_kills_next(const struct wedr_kills *k, size_t *ret_slot, struct wedr_msg_kill_result *ret)
{
    return next_answer(k, false, ret_slot, ret);
}

int wedr_kills_next_command(const struct wedr_kills *k,
                            size_t *ret_slot,
                            struct wedr_msg_kill_result *ret)
{
    return next_answer(k, true, ret_slot, ret);
}

void wedr_kills_taken(struct wedr_kills *k, size_t slot)
{
    k->slot[slot].used = false;
}
