/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics.h"
#include "core/util/log.h"
#include <inttypes.h>

static const uint64_t bounds_us[WEDR_METRICS_BUCKETS] = {1000,  2000,   5000,   10000,   25000,
                                                         50000, 100000, 250000, 1000000, 5000000};

void wedr_metrics_answer(struct wedr_metrics *m, int status)
{
    int first = status / 100;
    atomic_fetch_add(&m->answers[first >= 1 && first <= 5 ? first : 0], 1);
}

void wedr_metrics_commit(struct wedr_metrics *m, uint64_t us)
{
    atomic_fetch_add(&m->commits, 1);
    atomic_fetch_add(&m->commit_us_sum, us);
    for (size_t i = 0; i < WEDR_METRICS_BUCKETS; i++) {
        if (us <= bounds_us[i]) {
            atomic_fetch_add(&m->commit_bucket[i], 1);
        }
    }
}

void wedr_metrics_store(struct wedr_metrics *m, const struct wedr_events_stats *st)
{
    atomic_store(&m->days, st->days);
    atomic_store(&m->day_bytes, st->bytes);
    atomic_store(&m->days_deleted, st->days_dropped);
    atomic_store(&m->lost_lines, st->lost_lines);
    atomic_store(&m->low_refused, st->refused_low);
    atomic_store(&m->clock_ahead_us, st->clock_ahead_us);
}

static void
put(struct wedr_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    wedr_buf_addf(b, "# HELP wedr_%s %s\n# TYPE wedr_%s %s\nwedr_%s %" PRIu64 "\n", name, help,
                  name, type, name, v);
}

static void put_commits(struct wedr_metrics *m, struct wedr_buf *b)
{
    wedr_buf_adds(b, "# HELP wedr_commit_seconds Time of one durable group commit.\n"
                     "# TYPE wedr_commit_seconds histogram\n");
    for (size_t i = 0; i < WEDR_METRICS_BUCKETS; i++) {
        wedr_buf_addf(b, "wedr_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                      (double)bounds_us[i] / 1e6, atomic_load(&m->commit_bucket[i]));
    }
    uint64_t count = atomic_load(&m->commits);
    wedr_buf_addf(b, "wedr_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", count);
    wedr_buf_addf(b, "wedr_commit_seconds_sum %g\n", (double)atomic_load(&m->commit_us_sum) / 1e6);
    wedr_buf_addf(b, "wedr_commit_seconds_count %" PRIu64 "\n", count);
}

static void put_store(struct wedr_metrics *m, struct wedr_buf *b)
{
    put(b, "events_days", "gauge", "Days that are kept.", atomic_load(&m->days));
    put(b, "events_bytes", "gauge", "Bytes of them.", atomic_load(&m->day_bytes));
    put(b, "events_days_deleted_total", "counter", "Days that retention deleted.",
        atomic_load(&m->days_deleted));
    put(b, "events_lost_lines_total", "counter", "Lines of damaged files that could not be saved.",
        atomic_load(&m->lost_lines));
    put(b, "events_low_disk_total", "counter", "Commits refused because the disk is nearly full.",
        atomic_load(&m->low_refused));
    wedr_buf_addf(b,
                  "# HELP wedr_events_clock_ahead_seconds How far the server's clock leapt, while "
                  "retention does not believe it.\n# TYPE wedr_events_clock_ahead_seconds gauge\n"
                  "wedr_events_clock_ahead_seconds %" PRId64 "\n",
                  atomic_load(&m->clock_ahead_us) / 1000000);
}

void wedr_metrics_write(struct wedr_metrics *m,
                        const struct wedr_http_server_stats *http,
                        struct wedr_buf *ret)
{
    const struct {
        const char *name, *help;
        uint64_t v;
    } counters[] = {
        {"ingest_batches_total", "Batches stored.", atomic_load(&m->batches)},
        {"ingest_duplicates_total", "Batches that were stored before.",
         atomic_load(&m->duplicates)},
        {"ingest_expired_total", "Batches below the retention's high-water mark.",
         atomic_load(&m->expired)},
        {"ingest_conflicts_total", "Batches that overlap with another digest.",
         atomic_load(&m->conflicts)},
        {"ingest_events_total", "Events stored.", atomic_load(&m->events)},
        {"ingest_rejected_total", "Lines that broke the schema.", atomic_load(&m->rejected)},
        {"ingest_bytes_total", "Compressed bytes stored.", atomic_load(&m->bytes_z)},
        {"ingest_signature_refused_total", "Batches whose signature was wrong.",
         atomic_load(&m->signature_refused)},
        {"ingest_overload_refused_total", "Batches refused with 429.",
         atomic_load(&m->overload_refused)},
        {"ingest_store_failed_total", "Batches that the store could not take.",
         atomic_load(&m->store_failed)},
        {"enrolled_total", "Agents enrolled.", atomic_load(&m->enrolled)},
        {"enroll_refused_total", "Enrolments refused: token, request or proof.",
         atomic_load(&m->enroll_refused)},
        {"enroll_limited_total", "Enrolments refused by the limiter.",
         atomic_load(&m->enroll_limited)},
        {"renewed_total", "Certificates renewed.", atomic_load(&m->renewed)},
        {"heartbeats_total", "Heartbeats stored.", atomic_load(&m->heartbeats)},
        {"rules_sent_total", "Rule bundles sent to agents.", atomic_load(&m->bundles_sent)},
        {"peer_refused_total", "Requests refused for their client certificate.",
         atomic_load(&m->peer_refused)},
        {"connections_total", "Connections accepted.", http->accepted},
        {"connections_deadline_total", "Connections ended at their deadline.", http->deadline},
        {"http_trouble_total", "Failed handshakes and malformed requests.", http->refused_tls},
        {"log_dropped_total", "Log lines lost.", wedr_log_dropped()},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(counters); i++) {
        put(ret, counters[i].name, "counter", counters[i].help, counters[i].v);
    }
    put(ret, "connections_open", "gauge", "Connections open now.", http->open);
    put(ret, "queue_bytes", "gauge", "Bytes of batches between header and answer.",
        atomic_load(&m->inflight_bytes));
    put(ret, "queue_jobs", "gauge", "Requests waiting for a worker.", atomic_load(&m->queue_jobs));
    put(ret, "start_time_seconds", "gauge", "Start of the server, seconds since 1970.",
        (uint64_t)(m->start_us / 1000000));
    wedr_buf_adds(ret, "# HELP wedr_http_answers_total Answers by first digit of the status.\n"
                       "# TYPE wedr_http_answers_total counter\n");
    for (unsigned i = 1; i < 6; i++) {
        wedr_buf_addf(ret, "wedr_http_answers_total{class=\"%uxx\"} %" PRIu64 "\n", i,
                      atomic_load(&m->answers[i]));
    }
    put_commits(m, ret);
    put_store(m, ret);
}

void wedr_metrics_detect(const struct wedr_detect_stats *d, struct wedr_buf *ret)
{
    const struct {
        const char *name, *type, *help;
        uint64_t v;
    } all[] = {
        {"detect_batches_total", "counter", "Batches read by detection.", d->blocks},
        {"detect_events_total", "counter", "Events in them.", d->events},
        {"detect_alerts_total", "counter", "Alerts stored.", d->alerts},
        {"detect_alerts_again_total", "counter", "Alerts that were stored before.",
         d->alerts_again},
        {"detect_malformed_total", "counter", "Lines of alerts, responses or processes left out.",
         d->alerts_malformed},
        {"detect_alerts_dropped_total", "counter", "Oldest alerts deleted over the limit.",
         d->alerts_dropped},
        {"detect_alert_bytes_dropped_total", "counter", "Bytes of them, with their evidence.",
         d->alert_bytes_dropped},
        {"detect_evidence_cut_total", "counter", "Events of evidence kept as references alone.",
         d->evidence_cut},
        {"detect_alert_bytes", "gauge", "Bytes of all stored alerts, about.", d->alert_bytes},
        {"detect_responses_total", "counter", "Responses of agents read.", d->responses},
        {"detect_process_events_total", "counter", "Process events read.", d->processes},
        {"detect_processes_dropped_total", "counter", "Processes forgotten over the limit.",
         d->processes_dropped},
        {"detect_failures_total", "counter", "Reads or commits that were tried again.",
         d->failures},
        {"detect_matches_total", "counter", "Rules of the server that an event satisfied.",
         d->watch.matches},
        {"detect_matched_events_total", "counter", "Events that the server's rules looked at.",
         d->watch.events},
        {"detect_unreadable_total", "counter", "Events that rules could not read.",
         d->watch.unreadable},
        {"detect_fired_total", "counter", "Findings of the server's rules.", d->watch.fired},
        {"detect_suppressed_total", "counter", "Of them: held back by a throttle.",
         d->watch.suppressed},
        {"detect_dropped_total", "counter", "Of them: no room.", d->watch.dropped},
        {"detect_windows_evicted_total", "counter", "Open windows given up over the limit.",
         d->watch.evicted},
        {"detect_late_total", "counter", "Events too old for their window.", d->watch.late},
        {"detect_regex_limited_total", "counter", "Regexes that gave up.", d->watch.regex_limited},
        {"detect_windows", "gauge", "Open windows of correlations.", d->watch.windows},
        {"detect_rules", "gauge", "Rules that the server runs.", d->watch.rules},
        {"detect_rules_serial", "gauge", "Serial of their bundle.", d->watch.serial},
        {"detect_lag_batches", "gauge", "Batches stored and not read yet.", d->behind},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(all); i++) {
        put(ret, all[i].name, all[i].type, all[i].help, all[i].v);
    }
    wedr_buf_addf(ret,
                  "# HELP wedr_detect_lag_seconds Age of the oldest batch not read yet.\n"
                  "# TYPE wedr_detect_lag_seconds gauge\nwedr_detect_lag_seconds %g\n",
                  (double)d->lag_us / 1e6);
}
