/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/agent_replay.c — events a second and core: a synthetic capture through the engine (reorder,
 * decode, encode, spool with sync and zstd), and decode+encode alone; with RULES (Sigma files) also
 * decode, encode and match, and what the replay would come to with the difference added. Prints
 * JSON. agent_replay [EVENTS [FOLDER [RULES [linux|windows|all]]]]
 */
#include "agent_rules.h"
#include "capture.h"
#include "encode/encode.h"
#include "engine.h"
#include "wedr/plat/time.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what, int err)
{
    (void)fprintf(stderr, "agent_replay: %s: %s\n", what, wedr_err_text(err));
    exit(1);
}

/* rules: NULL, or what is run over each line. */
static void encode_alone(const char *path,
                         const char *rules,
                         uint32_t parts,
                         struct agent_rules_info *ret_rules,
                         uint64_t *ret_events,
                         uint64_t *ret_bytes,
                         double *ret_s)
{
    struct wedr_buf buf;
    struct wedr_encoder *enc;
    struct wedr_event_view v;
    wedr_handle h;
    size_t cap = 1u << 20;
    char *line = wedr_alloc(cap, 1);
    wedr_buf_init(&buf, (size_t)1 << 32);
    int err = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (err != WEDR_OK || (err = wedr_fs_read_all(h, &buf)) != WEDR_OK ||
        (err = wedr_encoder_new(&enc)) != WEDR_OK || !line) {
        die("read", err);
    }
    wedr_fs_close(h);
    struct agent_rules *r = rules ? agent_rules_open(rules, parts, enc) : NULL;
    if (rules && !r) {
        exit(1);
    }
    double begin = cpu_s();
    size_t at = sizeof(struct wedr_capture_header);
    while (at < buf.len && wedr_event_decode(wedr_span(buf.p + at, buf.len - at), &v) == WEDR_OK) {
        size_t len = 0;
        if (wedr_encode(enc, &v, (struct wedr_clock_pair){0, 1790000000000000}, line, cap, &len) ==
            WEDR_OK) {
            *ret_bytes += len;
            ++*ret_events;
            if (r) {
                agent_rules_run(r, enc, &v, line, len);
            }
        }
        at += v.h.size;
    }
    *ret_s = cpu_s() - begin;
    if (r) {
        agent_rules_info(r, ret_rules);
    }
    agent_rules_free(r);
    wedr_encoder_free(enc);
    wedr_buf_fini(&buf);
    wedr_free(line);
}

static void replay(const char *path,
                   const char *dir,
                   struct wedr_engine_stats *ret,
                   double *ret_cpu,
                   double *ret_wall)
{
    struct wedr_engine_cfg cfg = {.spool_dir = dir,
                                  .segment_raw_max = WEDR_BATCH_RAW_MAX,
                                  .segment_age_ms = 10000,
                                  .spool_bytes_max = (uint64_t)8 << 30,
                                  .zstd_level = 3};
    struct wedr_engine_replay src = {.rate = 0};
    struct wedr_engine *e;
    struct wedr_errinfo ei = {""};
    int err = wedr_engine_open(&cfg, &e, &ei);
    if (err == WEDR_OK) {
        err = wedr_fs_open(path, WEDR_FS_READ, 0, &src.file);
    }
    if (err == WEDR_OK) {
        err = wedr_engine_source_replay_take(e, &src, &ei);
    }
    if (err != WEDR_OK) {
        die(ei.text, err);
    }
    double cpu = cpu_s();
    uint64_t wall = wedr_time_mono_ns();
    while (!wedr_engine_finished(e)) {
        struct wedr_batch_id id;
        wedr_handle h;
        bool busy;
        uint32_t wait;
        err = wedr_engine_round(e, &busy, &wait);
        if (err != WEDR_OK) {
            die("round", err);
        }
        while (wedr_engine_next_batch(e, &id, &h) == WEDR_OK) {
            wedr_fs_close(h);
            (void)!wedr_engine_outcome(e, &id, WEDR_BATCH_ACKED);
        }
    }
    *ret_wall = (double)(wedr_time_mono_ns() - wall) / 1e9;
    *ret_cpu = cpu_s() - cpu;
    wedr_engine_stats(e, ret);
    wedr_engine_close(e);
}

/* What matching costs on top, and what is left of the replay with it. */
static void
print_rules(const struct agent_rules_info *i, uint64_t n, double match_s, double cpu_s_all)
{
    double events = (double)n;
    (void)printf(
        ",\"rules\":%u,\"bundle_bytes\":%zu,\"bundle_write_ms\":%.1f,\"bundle_check_ms\":%.1f,"
        "\"bundle_load_ms\":%.1f,\"compile_ms\":%.1f,\"tap_ms\":%.1f,\"rule_memory_bytes\":%zu,"
        "\"events_with_rules\":%.3f,\"events_of_a_class\":%.3f,\"matches\":%" PRIu64
        ",\"match_ns_per_event\":%.0f,\"replay_with_rules_events_per_core_s\":%.0f",
        (unsigned)i->rules, i->bundle_bytes, i->write_ms, i->check_ms, i->load_ms, i->compile_ms,
        i->tap_ms, i->memory_bytes, (double)i->wanted / events, (double)i->filled / events,
        i->matches, match_s * 1e9 / events, events / (cpu_s_all + match_s));
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    char dir[256];
    char path[300];
    char spool[300];
    wedr_handle h;
    struct wedr_engine_stats st;
    struct wedr_errinfo ei = {""};
    uint64_t n = 0, bytes = 0;
    double encode_s = 0, cpu = 0, wall = 0;
    (void)snprintf(dir, sizeof(dir), "%s/agent-replay-%ld", argc > 2 ? argv[2] : "/tmp",
                   (long)getpid());
    (void)snprintf(path, sizeof(path), "%s/capture", dir);
    (void)snprintf(spool, sizeof(spool), "%s/spool", dir);
    int err = wedr_fs_mkdir(spool, 0700, UINT32_MAX);
    if (err == WEDR_OK) {
        err = wedr_fs_open(path, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &h);
    }
    if (err == WEDR_OK) {
        err = wedr_gen(h, events, 1, &ei);
        wedr_fs_close(h);
    }
    if (err != WEDR_OK) {
        die(ei.text, err);
    }
    struct agent_rules_info rules = {0};
    double match_s = 0;
    uint32_t parts = agent_rules_parts(argc > 4 ? argv[4] : "linux");
    if (parts == UINT32_MAX) {
        die("linux, windows or all", WEDR_E_INVAL);
    }
    encode_alone(path, NULL, 0, &rules, &n, &bytes, &encode_s);
    if (argc > 3) {
        uint64_t again = 0;
        uint64_t again_bytes = 0;
        encode_alone(path, argv[3], parts, &rules, &again, &again_bytes, &match_s);
        match_s -= encode_s;
    }
    replay(path, spool, &st, &cpu, &wall);
    (void)printf("{\"bench\":\"agent_replay\",\"events\":%" PRIu64 ",\"line_bytes\":%.0f,"
                 "\"decode_encode_events_per_core_s\":%.0f,\"replay_events_per_core_s\":%.0f,"
                 "\"replay_events_per_s\":%.0f,\"batches\":%" PRIu64,
                 events, (double)bytes / (double)(n > 0 ? n : 1), (double)n / encode_s,
                 (double)events / cpu, (double)events / wall, st.batches_sealed);
    if (argc > 3) {
        print_rules(&rules, events, match_s, cpu);
    }
    (void)printf("}\n");
    char command[320];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
