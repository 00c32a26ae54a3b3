/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/holder.h — `wedr-agent run`: the process with the rights. Owns the state
 * folder's lock, the sensor and the keys; starts, watches and restarts core and net; signs batch
 * identities; answers the command line. Parses neither JSON nor network bytes. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_RUN_DIR "run"
#define WEDR_AGENT_SOCKET "agent.sock"
#define WEDR_LOCK_FILE "agent.lock"
#define WEDR_LOCK_WAIT_MS 5000u

/* EBPF stands for watching this machine, with BPF or, where wedr_run_args.watch allows it, without.
 */
enum wedr_source_kind { WEDR_SOURCE_EBPF, WEDR_SOURCE_REPLAY };
enum wedr_watch_kind {
    WEDR_WATCH_CONFIG, /* as agent.json says */
    WEDR_WATCH_AUTO,   /* BPF; without it where the kernel refuses */
    WEDR_WATCH_EBPF,
    WEDR_WATCH_PROC
};

struct wedr_run_args {
    const char *state_dir;
    enum wedr_source_kind source;
    enum wedr_watch_kind watch;
    const char *replay_file;
    uint64_t rate;
    bool new_epoch;
    bool root;          /* the caller may change users and load BPF */
    uint32_t uid, pid;  /* the caller's */
    bool under_manager; /* started by a service manager, which collects the log itself */
    bool drain_only; /* no server: end the epochs of a pinned sensor, keep the records in the spool,
                        remove it, leave */
    const char *rules_bundle; /* NULL: what the server has; a file to try rules with, for root */
    const char *rules_key;    /* 64 hex digits that go with it, or NULL */
    const char *version;
};

/* 0: orderly end (stop, a finished replay); 1: could not start or work; ei has the reason. */
int wedr_holder_run(const struct wedr_run_args *args, struct wedr_errinfo *ei);

/* The state folder's lock, waited for up to wait_ms. WEDR_E_BUSY: another agent runs. The folder is
 * made when create. */
WEDR_MUST_USE int
wedr_state_lock(const char *state_dir, bool create, uint32_t wait_ms, wedr_handle *ret_lock);
