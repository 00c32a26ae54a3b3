/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/holder_i.h — inside of the holder: one structure, and the parts that work on
 * it. holder.c           start, loop, end          holder_children.c  processes and their messages
 *   holder_source.c    sensor, gaps, memory      holder_cli.c       status socket, counters, health
 *   holder_facts.c     the process that reads executables
 *   holder_rules.c     bundles                   holder_kill.c      what rules want ended
 *   holder_kills.c     who asks for it           holder_command.c   what the server wants done
 *   holder_policy.c    what the sensor records
 */
#pragma once

#include "command_check.h"
#include "config.h"
#include "core/util/backoff.h"
#include "core_main.h"
#include "enrich/facts_main.h"
#include "holder.h"
#include "holder_kill.h"
#include "identity.h"
#include "net_main.h"
#include "peer.h"
#include "sensor/lib/proc/watch.h"
#include "sensor/lib/sensor.h"
#include "statefile.h"
#include "wedr/plat/proc.h"
#include "wedr/rules/bundle.h"

#define WEDR_CLIENTS_MAX 4u
#define HOLDER_PAIR_MS 250u /* between two channels that join core and another */

struct holder_child {
    struct wedr_child *proc; /* NULL while it is down */
    struct wedr_ipc *c;      /* NULL beside proc: it was told to end and has not yet */
    bool ready;
    uint32_t restarts;
    uint64_t start_ms, restart_at_ms, stats_ms;
    uint64_t log_second_ms; /* the lines of one second are counted */
    uint32_t log_lines, log_refused;
    struct wedr_backoff backoff;
};

enum source_phase {
    SOURCE_NONE, /* core has none */
    SOURCE_OLD,  /* core drains a set that was detached earlier */
    SOURCE_LIVE,
    SOURCE_LIVE_ENDING, /* links were found dead: core drains the rest, then a new set is opened */
    SOURCE_STOP_ENDING  /* stopped on purpose */
};

#define HOLDER_RULES_DEATHS 3u /* faults of core with rules at work, within a minute: too many */

struct holder_rules {
    uint8_t key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    bool have_key;
    bool asked;                        /* core has not said yet what it thinks of the last one */
    bool at_work;                      /* core said that it works with `now` */
    struct wedr_bundle_info now, next; /* verified; serial 0: none */
    uint64_t highest;                  /* serial that was ever at work under this enrolment */
    uint8_t refused[32];               /* digest of the last one that was */
    uint32_t crashes;                  /* while core loaded the stored bundle */
    bool given_up;                     /* core goes without until another bundle comes */
    uint64_t death_ms[HOLDER_RULES_DEATHS]; /* with rules at work; the newest first, 0: none */
    wedr_handle net_file;                   /* what net writes a bundle to */
    uint64_t fetched_ms;
    char error[WEDR_MSG_TEXT_MAX];
};

struct holder_policy {
    char lines[WEDR_SETTINGS_TEXT_MAX], offered[WEDR_SETTINGS_TEXT_MAX]; /* of the profile */
    size_t lines_len, offered_len;
    enum wedr_msg_governor level;
    uint64_t cpu_us, cpu_ms; /* used when last looked; when to look again */
    uint32_t cpu_permille, over, calm;
    uint64_t cgroups_ms;
    uint32_t hooks_live, hooks_missing;
    char missing_names[WEDR_MSG_NAMES_MAX];
    char refused[WEDR_MSG_TEXT_MAX]; /* why the newest profile's do not hold */
    char error[WEDR_MSG_TEXT_MAX];   /* why the sensor did not take what holds */
};

#define HOLDER_COMMANDS_KEPT 16u /* answers that are given again when the server asks again */

struct holder_commands {
    struct wedr_command_gate gate;
    struct holder_command_answer {
        uint64_t counter; /* 0: free */
        bool waiting;     /* for the end of a process */
        struct wedr_msg_command_result m;
    } answer[HOLDER_COMMANDS_KEPT];
    size_t next;        /* place of the next answer: the oldest goes */
    uint64_t second_ms; /* the messages of one second are counted */
    uint32_t count;
};

enum stop_phase { STOP_NO, STOP_SOURCE, STOP_CORE, STOP_SHIPPING, STOP_DONE };

struct holder {
    const struct wedr_run_args *args;
    char state_dir[4096];
    struct wedr_agent_cfg cfg;
    struct wedr_identity identity;
    bool enrolled;
    struct wedr_holder_memory memory;
    struct wedr_host host;
    wedr_handle lock, signal;
    struct wedr_ipc *listener;
    struct holder_client {
        struct wedr_ipc *c;
        bool wants_stop; /* waits for the end */
        bool too_late;   /* for the sensor: the answer is WEDR_E_STATE */
    } client[WEDR_CLIENTS_MAX];

    struct holder_child core, net, facts;
    bool pair_due;       /* core and net need a new channel */
    bool facts_pair_due; /* core and facts do */
    uint64_t paired_ms, facts_paired_ms, cert_ms;
    struct wedr_core_args core_args;
    struct wedr_net_args net_args;
    struct wedr_facts_args facts_args;
    struct wedr_msg_core_stats core_stats;
    struct wedr_msg_net_stats net_stats;
    struct wedr_msg_facts_stats facts_stats;
    char missing[64];
    struct holder_rules rules;
    struct wedr_kills kills;
    struct holder_commands commands;
    struct holder_policy policy;

    struct wedr_sensor *sensor, *old;
    struct wedr_watch *watch; /* stands in for the sensor where BPF is refused */
    bool may_try_bpf;         /* auto: the probe said no when it was refused; yes one day is news */
    char pin_name[WEDR_PIN_NAME_MAX];
    char sensor_trouble[WEDR_ERRINFO_MAX];  /* why it is not attached */
    char source_trouble[WEDR_MSG_TEXT_MAX]; /* why core does not read it */
    enum source_phase phase;
    bool fresh; /* the live set was loaded by this process and core has not had it yet */
    uint64_t ended_epoch, replay_epoch;
    uint32_t detached_count;
    uint64_t next_check_ms, next_open_ms, next_store_ms, next_state_ms, next_identity_ms;
    uint64_t begin_again_ms, end_again_ms; /* core could not: asked again then; 0: no */
    int64_t gap_from_us;
    uint16_t gap_reason; /* 0: taken from memory */
    struct wedr_msg_gap gap;
    bool gap_open;     /* asked for, not yet in the spool */
    int64_t closed_us; /* a stop closed what watched; 0: none has */

    enum stop_phase stop;
    bool stop_sensor, failed, finished;
    int stop_err;
    uint64_t stop_deadline_ms, stop_begin_ms, start_ms;
    struct wedr_settle settle;
    uint64_t rounds_seen, rounds_moved_ms;
    bool told_ready;
};

/* holder_children.c */
void holder_children_init(struct holder *h);
void holder_children_tick(struct holder *h, uint64_t now);
void holder_on_core(struct holder *h);
void holder_on_net(struct holder *h);
/* Ends it. Does not wait for one that the kernel holds (a file system that does not answer): called
 * again when its handle tells of the end. */
void holder_child_down(struct holder *h, struct holder_child *c, const char *why);
/* A send that fails is the child's fault: it is ended and started again. */
void holder_send(struct holder *h,
                 struct holder_child *c,
                 const void *m,
                 const wedr_handle *handles,
                 size_t count);
void holder_send_text(struct holder *h, struct holder_child *c, uint16_t type, const char *text);
void holder_children_end(struct holder *h);
void holder_child_started(struct holder *h, struct holder_child *c, int err, const char *name);
void holder_child_log(struct holder_child *c, const struct wedr_peer_msg *m);
void holder_identity_load(struct holder *h);

/* holder_facts.c */
bool holder_facts_wanted(const struct holder *h);
void holder_facts_tick(struct holder *h, uint64_t now);
void holder_on_facts(struct holder *h);

/* holder_rules.c. core_ready: before the source begins, so that no event is seen without them. */
void holder_rules_core_ready(struct holder *h);
void holder_rules_core_down(struct holder *h, int code); /* as wedr_child_wait gives it */
void holder_rules_result(struct holder *h, const struct wedr_msg_rules_result *m);
void holder_rules_net_ready(struct holder *h);
void holder_rules_fetched(struct holder *h, const struct wedr_msg_rules_fetched *m);
void holder_rules_close(struct holder *h);
bool holder_rules_kill_allowed(const struct holder *h);
void holder_rules_state(const struct holder *h, struct wedr_msg_holder_state *m);

/* holder_kills.c */
struct wedr_kill_policy holder_kill_policy(const struct holder *h);
void holder_kill_asked(struct holder *h, const struct wedr_msg_kill *m); /* by core */
/* Hands answers of kills to who asked, as soon as there is one. */
void holder_kills_tick(struct holder *h);

/* holder_command.c */
/* Key and counter of this enrolment; for each net process that begins. */
void holder_command_load(struct holder *h);
void holder_command(struct holder *h, const struct wedr_msg_command *m);
void holder_command_tick(struct holder *h);
void holder_command_state(const struct holder *h, struct wedr_msg_holder_state *m);

/* holder_policy.c */
/* Puts the policy in force into the sensor, if there is one. */
int holder_policy_push(struct holder *h);
/* Tells the sensor which processes are the agent's own: their bulk events are not recorded. */
void holder_policy_self(struct holder *h);
/* What the bundle that core is given says; accept: it is at work. */
void holder_policy_offer(struct holder *h, const char *lines, size_t len);
void holder_policy_accept(struct holder *h);
/* A record sensor_state; also renews what the heartbeat says about hooks. */
void holder_policy_tell(struct holder *h, const char *reason);
void holder_policy_tick(struct holder *h, uint64_t now);
void holder_policy_state(const struct holder *h, struct wedr_msg_holder_state *m);

/* holder_watch.c: the source without BPF. */
/* Opens it when it is asked for, or allowed and BPF was refused with bpf_err. WEDR_E_STATE: it is
 * not. */
WEDR_MUST_USE int holder_watch_open(struct holder *h, int bpf_err, uint32_t *ret_existing);
/* WEDR_E_CLOSED: it is gone. Gaps that it tells of are passed on. */
WEDR_MUST_USE int holder_watch_check(struct holder *h, struct wedr_errinfo *ei);
bool holder_watch_wanted(const struct holder *h); /* source proc */
/* True when BPF works now that did not before. */
bool holder_watch_outdated(struct holder *h, uint64_t now);

/* holder_source.c */
void holder_source_open(struct holder *h);
void holder_source_begin(struct holder *h); /* core is ready */
/* What core answered. */
void holder_source_started(struct holder *h, int err, const char *reason);
void holder_source_ended(struct holder *h, int err);
void holder_source_retry(struct holder *h, uint64_t now);
void holder_source_tick(struct holder *h, uint64_t now);
/* Detaches for good and lets core drain. False: nothing to drain. */
bool holder_source_stop(struct holder *h);
void holder_source_close(struct holder *h);
void holder_gap_send(struct holder *h);
/* It is in the spool: only now the memory of its begin may go. */
void holder_gap_told(struct holder *h);
void holder_memory_store(struct holder *h);

/* holder_cli.c */
int holder_cli_open(struct holder *h);
void holder_cli_accept(struct holder *h);
void holder_cli_read(struct holder *h, struct holder_client *cl);
void holder_cli_end(struct holder *h);
void holder_state_fill(struct holder *h, struct wedr_msg_holder_state *m);

/* holder.c */
void holder_stop_begin(struct holder *h, bool sensor);
void holder_stop_core(struct holder *h);
