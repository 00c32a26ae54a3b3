/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "core/base/err.h"
#include "core/util/json.h"
#include "holder.h"
#include "peer.h"
#include "sensor/lib/sensor.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS 5000u
#define STOP_MS 40000u
#define JSON_MAX 16384u

static const char *const process_names[WEDR_MSG_PROCESSES] = {"holder", "core", "net", "facts"};
static const char *const lane_names[WEDR_LANE_COUNT] = {WEDR_STREAM_NAME_CRITICAL,
                                                        WEDR_STREAM_NAME_BULK};
static const char *const server_states[] = {"unknown",      "ok",   "unreachable",   "refused",
                                            "not_enrolled", "busy", "not_configured"};

static int connect_to(const char *state_dir, struct wedr_ipc **ret)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/" WEDR_RUN_DIR, state_dir);
    return n < 0 || (size_t)n >= sizeof(path) ? WEDR_E_RANGE
                                              : wedr_ipc_connect(path, WEDR_AGENT_SOCKET, ret);
}

/* Waits for one answer. */
static int answer(struct wedr_ipc *c, uint32_t timeout_ms, struct wedr_peer_msg *ret)
{
    struct wedr_wait w = {wedr_ipc_handle(c), WEDR_WAIT_READ, 0};
    int err = wedr_wait_any(&w, 1, timeout_ms, NULL);
    if (err == WEDR_OK) {
        err = wedr_peer_recv(c, WEDR_MSG_HOLDER_TO_CLI, ret);
    }
    return err == WEDR_E_AGAIN ? WEDR_E_TIMEOUT : err;
}

int wedr_status_get(const char *state_dir, struct wedr_msg_status *ret)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_empty rq;
    struct wedr_ipc *c = NULL;
    wedr_msg_begin(&rq, WEDR_MSG_T_CLI_STATUS);
    int err = connect_to(state_dir, &c);
    if (err == WEDR_OK) {
        err = wedr_peer_send(c, &rq, NULL, 0);
    }
    if (err == WEDR_OK) {
        err = answer(c, ANSWER_MS, &m);
    }
    if (err == WEDR_OK && m.type != WEDR_MSG_T_STATUS) {
        err = WEDR_E_FORMAT;
    }
    if (err == WEDR_OK) {
        memcpy(ret, m.u.bytes, sizeof(*ret));
    }
    wedr_ipc_close(c);
    return err;
}

int wedr_stop_running(const char *state_dir, bool sensor, struct wedr_errinfo *ei)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_cli_stop rq;
    struct wedr_ipc *c = NULL;
    wedr_handle lock = WEDR_HANDLE_NONE;
    wedr_msg_begin(&rq, WEDR_MSG_T_CLI_STOP);
    rq.sensor = sensor;
    int err = connect_to(state_dir, &c);
    if (err == WEDR_OK) {
        err = wedr_peer_send(c, &rq, NULL, 0);
    }
    if (err != WEDR_OK) {
        wedr_ipc_close(c);
        return err;
    }
    err = answer(c, STOP_MS, &m);
    wedr_ipc_close(c);
    if (err == WEDR_E_CLOSED) {
        /* It ended without a word: the lock below tells of its end, nobody of the sensor's. */
        err = sensor ? WEDR_E_STATE : WEDR_OK;
    } else if (err == WEDR_OK && m.type == WEDR_MSG_T_STOPPING) {
        struct wedr_msg_result r;
        memcpy(&r, m.u.bytes, sizeof(r));
        err = r.err == WEDR_OK ? WEDR_OK
                               : wedr_fail(ei, r.err, "the agent stopped, but not in order: %s",
                                           wedr_err_text(r.err));
    }
    /* Its lock is free when the process has ended. */
    if (wedr_state_lock(state_dir, false, WEDR_LOCK_WAIT_MS, &lock) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_TIMEOUT, "the agent does not end");
    }
    wedr_fs_close(lock);
    return err;
}

static void put(struct wedr_json *j, const char *key, uint64_t v)
{
    wedr_json_key(j, key);
    wedr_json_u64(j, v);
}

static void puts_(struct wedr_json *j, const char *key, const char *text)
{
    wedr_json_key(j, key);
    (void)wedr_json_str(j, text, strlen(text));
}

static void putb(struct wedr_json *j, const char *key, bool v)
{
    wedr_json_key(j, key);
    wedr_json_bool(j, v);
}

static void open_obj(struct wedr_json *j, const char *key)
{
    wedr_json_key(j, key);
    wedr_json_obj_begin(j);
}

static void json_processes(struct wedr_json *j, const struct wedr_msg_status *m)
{
    open_obj(j, "processes");
    for (size_t i = 0; i < WEDR_MSG_PROCESSES; i++) {
        struct wedr_msg_process p = m->process[i];
        open_obj(j, process_names[i]);
        put(j, "pid", p.pid);
        put(j, "uid", p.uid);
        put(j, "restarts", p.restarts);
        put(j, "cpu_us", p.cpu_us);
        put(j, "rss_bytes", p.rss_bytes);
        put(j, "pss_bytes", p.pss_bytes);
        put(j, "uptime_ms", p.uptime_ms);
        wedr_json_obj_end(j);
    }
    wedr_json_obj_end(j);
}

static void json_lanes(struct wedr_json *j, const struct wedr_msg_core_stats *c)
{
    wedr_json_key(j, "lanes");
    wedr_json_arr_begin(j);
    for (size_t i = 0; i < WEDR_LANE_COUNT; i++) {
        struct wedr_msg_lane l = c->lane[i];
        wedr_json_obj_begin(j);
        puts_(j, "stream", lane_names[i]);
        put(j, "produced", l.produced);
        put(j, "lost_ring", l.lost_ring);
        put(j, "read", l.read);
        put(j, "released", l.released);
        put(j, "malformed", l.malformed);
        put(j, "late", l.late);
        put(j, "spooled", l.spooled);
        put(j, "spooled_seq", l.spooled_seq);
        put(j, "in_flight", l.in_flight);
        wedr_json_obj_end(j);
    }
    wedr_json_arr_end(j);
    open_obj(j, "agent_stream");
    wedr_json_key(j, "epoch");
    wedr_json_hex64(j, c->agent_epoch);
    put(j, "produced", c->agent_produced);
    put(j, "acked", c->agent_acked);
    wedr_json_obj_end(j);
    open_obj(j, "spool");
    put(j, "batches_sealed", c->batches_sealed);
    put(j, "batches_acked", c->batches_acked);
    put(j, "batches_waiting", c->batches_waiting);
    put(j, "batches_set_aside", c->batches_set_aside);
    put(j, "batches_sending", c->sending);
    put(j, "bytes", c->spool_bytes);
    put(j, "bytes_max", c->spool_bytes_max);
    put(j, "evicted", c->evicted);
    put(j, "corrupt", c->corrupt);
    put(j, "torn_bytes_cut", c->torn_bytes_cut);
    putb(j, "disk_full", c->disk_full != 0);
    wedr_json_obj_end(j);
}

static void json_rules(struct wedr_json *j, const struct wedr_msg_status *m)
{
    struct wedr_msg_detect d = m->core.detect;
    char serial[24];
    (void)snprintf(serial, sizeof(serial), "%" PRIu64, m->holder.rules_serial);
    open_obj(j, "rules");
    puts_(j, "serial", serial);
    puts_(j, "profile", m->holder.rules_profile);
    put(j, "rules", d.rules);
    puts_(j, "error", m->holder.rules_error);
    putb(j, "kill_allowed", m->holder.kill_allowed != 0);
    put(j, "events", d.events);
    put(j, "matched", d.matched);
    put(j, "alerts", d.alerts);
    put(j, "suppressed", d.suppressed);
    put(j, "over_budget", d.over_budget);
    put(j, "responses", d.responses);
    put(j, "windows", d.windows);
    put(j, "windows_evicted", d.windows_evicted);
    put(j, "processes", d.processes);
    put(j, "processes_evicted", d.processes_evicted);
    put(j, "too_large", d.too_large);
    put(j, "exchanged", d.swaps);
    put(j, "memory_bytes", d.memory);
    wedr_json_obj_end(j);
    open_obj(j, "alert_stream");
    put(j, "produced", m->core.alert_produced);
    put(j, "acked", m->core.alert_acked);
    wedr_json_obj_end(j);
}

static const char *const package_sources[] = {"none", "dpkg", "rpm", "unsupported"};

static void json_enrichment(struct wedr_json *j, const struct wedr_msg_status *m)
{
    static const char *const skipped[] = {NULL,        NULL,     "gone",       "changed",
                                          "too_large", "remote", "unreadable", "busy"};
    struct wedr_msg_enrich c = m->core.enrich;
    struct wedr_msg_facts_stats f = m->facts;
    open_obj(j, "enrichment");
    put(j, "files_asked", c.files_asked);
    put(j, "files_known", c.files_known);
    put(j, "files_unknown", c.files_unknown);
    put(j, "files_skipped", c.files_skipped);
    put(j, "images_late", c.images_late);
    put(j, "images_skipped", c.images_skipped);
    put(j, "names_asked", c.names_asked);
    put(j, "names_skipped", c.names_skipped);
    put(j, "redacted", c.redacted);
    put(j, "hashed", f.hashed);
    put(j, "hashed_bytes", f.hashed_bytes);
    for (size_t i = 2; i < WEDR_ARRAY_COUNT(skipped); i++) {
        put(j, skipped[i], f.skipped[i]);
    }
    put(j, "waiting", f.waiting);
    put(j, "names", f.names);
    put(j, "names_unknown", f.names_unknown);
    puts_(j, "package_source", package_sources[f.package_source]);
    put(j, "packages", f.packages);
    put(j, "package_files", f.package_files);
    put(j, "index_bytes", f.index_bytes);
    wedr_json_obj_end(j);
}

static void json_net(struct wedr_json *j, const struct wedr_msg_status *m)
{
    struct wedr_msg_net_stats n = m->net;
    open_obj(j, "net");
    put(j, "batches_sent", n.batches_sent);
    put(j, "batches_acked", n.batches_acked);
    put(j, "batches_retried", n.batches_retried);
    put(j, "batches_conflict", n.batches_conflict);
    put(j, "batches_poison", n.batches_poison);
    put(j, "bytes_sent", n.bytes_sent);
    put(j, "in_flight", n.in_flight);
    put(j, "retry_in_ms", n.retry_in_ms);
    put(j, "heartbeats", n.heartbeats);
    put(j, "heartbeats_failed", n.heartbeats_failed);
    wedr_json_obj_end(j);
    open_obj(j, "server");
    puts_(j, "url", m->server_url);
    puts_(j, "state", server_states[n.server_state]);
    wedr_json_key(j, "last_status");
    wedr_json_i64(j, n.last_status);
    puts_(j, "last_error", n.last_error);
    wedr_json_key(j, "last_ok");
    n.last_ok_us ? wedr_json_time_us(j, n.last_ok_us) : wedr_json_null(j);
    wedr_json_key(j, "certificate_until");
    n.cert_not_after_us ? wedr_json_time_us(j, n.cert_not_after_us) : wedr_json_null(j);
    wedr_json_obj_end(j);
}

int wedr_status_print_json(const char *state_dir, const struct wedr_msg_status *m)
{
    static char text[JSON_MAX];
    char pin_name[WEDR_PIN_NAME_MAX] = "";
    struct wedr_json j;
    struct wedr_msg_core_stats core = m->core;
    if (wedr_sensor_pin_name(state_dir, pin_name) != WEDR_OK) {
        pin_name[0] = 0;
    }
    wedr_json_init(&j, text, sizeof(text) - 1);
    wedr_json_obj_begin(&j);
    puts_(&j, "version", m->version);
    puts_(&j, "agent_id", m->agent_id);
    open_obj(&j, "health");
    putb(&j, "degraded", m->holder.degraded != 0);
    puts_(&j, "text", m->holder.health);
    puts_(&j, "sandbox_missing", m->sandbox_missing);
    put(&j, "log_dropped", core.log_dropped + m->net.log_dropped);
    put(&j, "bugs", core.bugs + m->net.bugs);
    wedr_json_obj_end(&j);
    open_obj(&j, "sensor");
    puts_(&j, "source", core.source);
    puts_(&j, "pin_name", pin_name);
    putb(&j, "attached", m->holder.sensor_attached != 0);
    put(&j, "detached_count", m->holder.sensor_detached_count);
    wedr_json_key(&j, "epoch");
    wedr_json_hex64(&j, core.epoch);
    put(&j, "rounds", core.rounds);
    put(&j, "hooks_live", m->holder.hooks_live);
    put(&j, "hooks_missing", m->holder.hooks_missing);
    puts_(&j, "missing", m->holder.hooks_missing_names);
    puts_(&j, "governor", wedr_msg_governor_text(m->holder.governor));
    put(&j, "cpu_permille", m->holder.cpu_permille);
    puts_(&j, "settings_error", m->holder.settings_error);
    wedr_json_obj_end(&j);
    json_lanes(&j, &core);
    json_rules(&j, m);
    json_enrichment(&j, m);
    json_net(&j, m);
    json_processes(&j, m);
    putb(&j, "finished", m->finished != 0);
    wedr_json_obj_end(&j);
    if (j.overflow) {
        return WEDR_E_RANGE;
    }
    (void)printf("%.*s\n", (int)wedr_json_len(&j), text);
    return WEDR_OK;
}

static void print_enrichment(const struct wedr_msg_status *m)
{
    struct wedr_msg_enrich e = m->core.enrich;
    struct wedr_msg_facts_stats f = m->facts;
    (void)printf("  enrichment %" PRIu64 " files asked for, %" PRIu64 " known, %" PRIu64
                 " not asked, %" PRIu64 " came late; %" PRIu64 " packages (%s), %" PRIu64
                 " command lines redacted\n",
                 e.files_asked, e.files_known, e.files_skipped, e.images_late, f.packages,
                 package_sources[f.package_source], e.redacted);
}

static void print_processes(const struct wedr_msg_status *m)
{
    for (size_t i = 0; i < WEDR_MSG_PROCESSES; i++) {
        struct wedr_msg_process p = m->process[i];
        (void)printf("  %-10s pid %" PRIu32 "  uid %" PRIu32 "  restarts %" PRIu32
                     "  cpu %.2f s  pss %.1f MiB\n",
                     process_names[i], p.pid, p.uid, p.restarts, (double)p.cpu_us / 1e6,
                     (double)p.pss_bytes / 1048576.0);
    }
}

void wedr_status_print(const char *state_dir, const struct wedr_msg_status *m)
{
    struct wedr_msg_core_stats c = m->core;
    struct wedr_msg_net_stats n = m->net;
    (void)printf("wedr-agent %s on %s\n", m->version, state_dir);
    (void)printf("  health     %s\n", m->holder.degraded ? m->holder.health : "everything works");
    (void)printf("  identity   %s\n", m->agent_id[0] ? m->agent_id : "not enrolled");
    (void)printf("  source     %s, epoch %016" PRIx64 "%s\n", c.source, c.epoch,
                 m->holder.sensor_attached ? ", sensor attached" : "");
    (void)printf("  sensor     %" PRIu32 " hooks live, %" PRIu32
                 " missing%s%s, governor %s, %" PRIu32 ".%" PRIu32 " %% of a core\n",
                 m->holder.hooks_live, m->holder.hooks_missing, m->holder.hooks_missing ? ": " : "",
                 m->holder.hooks_missing_names, wedr_msg_governor_text(m->holder.governor),
                 m->holder.cpu_permille / 10, m->holder.cpu_permille % 10);
    for (size_t i = 0; i < WEDR_LANE_COUNT; i++) {
        struct wedr_msg_lane l = c.lane[i];
        (void)printf("  %-15s  produced %" PRIu64 "  read %" PRIu64 "  spooled %" PRIu64
                     "  on the way %" PRIu64 "  lost in the ring %" PRIu64 "  late %" PRIu64
                     "  malformed %" PRIu64 "\n",
                     lane_names[i], l.produced, l.read, l.spooled, l.in_flight, l.lost_ring, l.late,
                     l.malformed);
    }
    (void)printf("  agent            produced %" PRIu64 "  acknowledged %" PRIu64 "\n",
                 c.agent_produced, c.agent_acked);
    struct wedr_msg_detect d = c.detect;
    if (m->holder.rules_serial == 0) {
        (void)printf("  rules      none%s%s\n", m->holder.rules_error[0] ? ": " : "",
                     m->holder.rules_error);
    } else {
        (void)printf("  rules      %" PRIu32 " of %s, serial %" PRIu64 ", kill %s%s%s\n", d.rules,
                     m->holder.rules_profile, m->holder.rules_serial,
                     m->holder.kill_allowed ? "allowed" : "not allowed",
                     m->holder.rules_error[0] ? "; newest bundle refused: " : "",
                     m->holder.rules_error);
        (void)printf("  detection  %" PRIu64 " events, %" PRIu64 " matches, %" PRIu64
                     " alerts, %" PRIu64 " held back, %" PRIu64 " responses\n",
                     d.events, d.matched, d.alerts, d.suppressed, d.responses);
    }
    (void)printf("  alerts           produced %" PRIu64 "  acknowledged %" PRIu64 "\n",
                 c.alert_produced, c.alert_acked);
    (void)printf("  spool      %" PRIu64 " of %" PRIu64 " bytes, %" PRIu64 " batches wait, %" PRIu64
                 " sealed, %" PRIu64 " acknowledged, %" PRIu64 " set aside, %" PRIu64
                 " records evicted, %" PRIu64 " corrupt%s\n",
                 c.spool_bytes, c.spool_bytes_max, c.batches_waiting, c.batches_sealed,
                 c.batches_acked, c.batches_set_aside, c.evicted, c.corrupt,
                 c.disk_full ? ", DISK FULL" : "");
    print_enrichment(m);
    (void)printf("  shipper    %" PRIu64 " sent, %" PRIu64 " acknowledged, %" PRIu64
                 " to retry, %" PRIu64 " in conflict, %" PRIu64 " refused, %" PRIu64 " bytes\n",
                 n.batches_sent, n.batches_acked, n.batches_retried, n.batches_conflict,
                 n.batches_poison, n.bytes_sent);
    (void)printf("  server     %s: %s%s%s\n", m->server_url[0] ? m->server_url : "none",
                 server_states[n.server_state], n.last_error[0] ? ", " : "", n.last_error);
    print_processes(m);
    if (m->sandbox_missing[0]) {
        (void)printf("  sandbox    this kernel lacks: %s\n", m->sandbox_missing);
    }
}
