/* SPDX-License-Identifier: Apache-2.0 */
#include "query_ask.h"

#include "core/base/err.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TREE_COLUMNS "n, ts, event_type, process_key, parent_key, pid, ppid, command_line"
#define TREE_OF(e)                                                                      \
    e "ts, " e "event_type, " e "process_key, " e "parent_key, " e "pid, " e "ppid, " e \
      "command_line"
#define TREE_TYPES "event_type IN ('process_create','process_fork','process_terminate')"
/* As server/admin/tree.c asks: an event of the process for its pid, the process and what it comes
 * from, its children. */
#define TREE                                                                                       \
    "WITH RECURSIVE self(pid) AS MATERIALIZED (SELECT pid FROM events WHERE agent_id=?1 AND "      \
    "process_key=?2 LIMIT 1), up(" TREE_COLUMNS ") AS (SELECT 0, " TREE_OF(                        \
        "e.") " FROM self JOIN events e ON e.agent_id=?1 AND e.process_key=?2 AND "                \
              "e.pid=self.pid AND e." TREE_TYPES " UNION SELECT n+1, " TREE_OF(                    \
                  "e.") " FROM up JOIN events e ON e.agent_id=?1 AND e.process_key=up.parent_key " \
                        "AND e.pid=up.ppid AND e." TREE_TYPES                                      \
                        " WHERE up.n < 32 AND up.parent_key <> up.process_key) SELECT * FROM up "  \
                        "UNION ALL SELECT -1, " TREE_OF(                                           \
                            "e.") " FROM self JOIN events e ON e.agent_id=?1 AND "                 \
                                  "e.parent_key=?2 AND e.ppid=self.pid AND e.event_type IN "       \
                                  "('process_create','process_fork')"
#define WORDS " AND rowid IN (SELECT rowid FROM words WHERE words MATCH ?4)"

static void set_text(struct wedr_query_value *v, char *text, const char *s)
{
    (void)snprintf(text, QL_TEXT, "%s", s);
    *v = (struct wedr_query_value){.type = WEDR_QUERY_TEXT, .s = wedr_span(text, strlen(text))};
}

static void set_number(struct wedr_query_value *v, int64_t n)
{
    *v = (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = n};
}

static void set_host_time(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char agent[37];
    int64_t from = QL_T0 + (int64_t)ql_random(g, 46 * 3600) * 1000000;
    ql_agent(ql_random_host(g), agent);
    set_text(&v[0], text[0], agent);
    set_number(&v[1], from);
    set_number(&v[2], from + 7200000000ll);
}

static void set_host(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char agent[37];
    ql_agent(ql_random_host(g), agent);
    set_text(&v[0], text[0], agent);
}

static void set_sha(struct wedr_query_value *v, char (*text)[QL_TEXT], unsigned program)
{
    char sha[65];
    ql_sha256(program, sha);
    set_text(&v[0], text[0], sha);
    set_text(&v[3], text[3], sha);
}

static void set_hash(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    set_sha(v, text, QL_PROGRAMS / 2 + ql_random(g, QL_PROGRAMS / 2));
}

static void set_hash_common(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    set_sha(v, text, ql_random(g, 10));
}

static void set_hash_absent(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    set_sha(v, text, QL_PROGRAMS + ql_random(g, 1000000));
}

static void set_domain(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char name[QL_TEXT];
    unsigned n = QL_NAMES / 2 + ql_random(g, QL_NAMES / 2);
    ql_name(n, name);
    set_text(&v[0], text[0], name);
    (void)snprintf(name, sizeof(name), "host%u AND zone%u", n, n % 211);
    set_text(&v[3], text[3], name);
}

static void set_domain_common(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char name[QL_TEXT];
    unsigned n = ql_random(g, 10);
    ql_name(n, name);
    set_text(&v[0], text[0], name);
    (void)snprintf(name, sizeof(name), "host%u AND zone%u", n, n % 211);
    set_text(&v[3], text[3], name);
}

static void set_file(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char name[QL_TEXT];
    unsigned n = ql_random(g, 1000000);
    (void)snprintf(name, sizeof(name), "/file-%06u", n);
    set_text(&v[0], text[0], name);
    (void)snprintf(name, sizeof(name), "file AND %06u", n);
    set_text(&v[3], text[3], name);
}

static void set_process(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT])
{
    char s[37];
    unsigned host = ql_random_host(g);
    ql_agent(host, s);
    set_text(&v[0], text[0], s);
    ql_key(host, ql_random(g, ql_processes(g, host)), s);
    set_text(&v[1], text[1], s);
}

#define BY(condition) "SELECT ts, raw FROM events WHERE " condition
#define NEWEST " ORDER BY ts DESC LIMIT 100"
#define ARRIVED " ORDER BY rowid DESC LIMIT 100" /* what a table without an index by time does */

const struct qa_question qa_questions[] = {
    {"host_time_field", BY("agent_id=?1 AND ts BETWEEN ?2 AND ?3 AND remote_port=22"),
     BY("agent_id=?1 AND ts BETWEEN ?2 AND ?3 AND remote_port=22"), NULL, set_host_time},
    {"hash", BY("sha256=?1"), BY("sha256=?1"), BY("sha256=?1" WORDS), set_hash},
    {"hash_common_newest", BY("sha256=?1") NEWEST, BY("sha256=?1") ARRIVED,
     BY("sha256=?1" WORDS) ARRIVED, set_hash_common},
    {"hash_absent", BY("sha256=?1"), BY("sha256=?1"), BY("sha256=?1" WORDS), set_hash_absent},
    {"domain", BY("dns_name=?1"), BY("dns_name=?1"), BY("dns_name=?1" WORDS), set_domain},
    {"domain_common_newest", BY("dns_name=?1") NEWEST, BY("dns_name=?1") ARRIVED,
     BY("dns_name=?1" WORDS) ARRIVED, set_domain_common},
    {"substring", BY("contains(raw, ?1)"), BY("raw LIKE '%'||?1||'%'"),
     BY("raw LIKE '%'||?1||'%'" WORDS), set_file},
    {"substring_common_newest", BY("contains(raw, 'cache/4')") NEWEST,
     BY("raw LIKE '%cache/4%'") ARRIVED, NULL, NULL},
    {"substring_common_count", "SELECT count(*) FROM events WHERE contains(raw, 'tool1')",
     "SELECT count(*) FROM events WHERE raw LIKE '%tool1%'", NULL, NULL},
    {"substring_field_count",
     "SELECT count(*) FROM events WHERE contains(target_path, '/.cache/4')", NULL, NULL, NULL},
    {"process_tree", TREE, TREE, NULL, set_process},
    {"newest_100", BY("1") NEWEST, BY("1") ARRIVED, NULL, NULL},
    {"newest_100_of_host", BY("agent_id=?1") NEWEST, BY("agent_id=?1") NEWEST, NULL, set_host},
    {"count_by_type_hour", "SELECT hour, event_type, sum(count) FROM event_counts GROUP BY 1, 2",
     "SELECT ts/3600000000, event_type, count(*) FROM events GROUP BY 1, 2", NULL, NULL},
    {"count_by_name",
     "SELECT process_name, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 9",
     "SELECT process_name, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 9", NULL, NULL},
};
const size_t qa_question_count = WEDR_ARRAY_COUNT(qa_questions);

bool qa_wanted(const struct qa_options *o, const struct qa_question *q)
{
    return o->only == NULL || strcmp(o->only, q->name) == 0;
}

void qa_set(const struct qa_question *q, struct ql *g, struct qa_params *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (q->set != NULL) {
        q->set(g, ret->v, ret->text);
    }
}

size_t qa_count(const char *sql)
{
    size_t n = 0;
    for (const char *s = sql; (s = strchr(s, '?')) != NULL; s++) {
        size_t i = (size_t)(s[1] - '0');
        n = i > n && i <= QA_PARAMS ? i : n;
    }
    return n;
}

/* --- Time. */

static double ms_of(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void qa_start(struct qa_times *t)
{
    t->wall0 = ms_of(CLOCK_MONOTONIC);
    t->cpu0 = ms_of(CLOCK_PROCESS_CPUTIME_ID);
}

void qa_stop(struct qa_times *t)
{
    t->cpu[t->count] = ms_of(CLOCK_PROCESS_CPUTIME_ID) - t->cpu0;
    t->wall[t->count++] = ms_of(CLOCK_MONOTONIC) - t->wall0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void qa_print(const char *name, struct qa_times *t)
{
    size_t p50 = t->count / 2, p95 = (t->count * 95 + 99) / 100 - 1;
    qsort(t->wall, t->count, sizeof(*t->wall), compare);
    qsort(t->cpu, t->count, sizeof(*t->cpu), compare);
    printf(
        "\n  \"%s\":{\"p50\":%.1f,\"p95\":%.1f,\"cpu_p50\":%.1f,\"cpu_p95\":%.1f,\"rows\":%.1f},",
        name, t->wall[p50], t->wall[p95], t->cpu[p50], t->cpu[p95],
        (double)t->rows / (double)t->count);
    (void)fflush(stdout);
}

/* --- Files. */

static uint64_t visit(const char *path, bool forget)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        st.st_size = 0;
    }
    if (fd >= 0 && forget) {
        (void)fdatasync(fd); /* what is not written cannot be forgotten */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return (uint64_t)st.st_size;
}

static uint64_t walk(const char *path, bool forget)
{
    DIR *d = opendir(path);
    uint64_t sum = d == NULL ? visit(path, forget) : 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char file[400];
        (void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        sum += e->d_type == DT_REG ? visit(file, forget) : 0;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return sum;
}

void qa_forget(const char *path)
{
    (void)walk(path, true);
}

uint64_t qa_size(const char *path)
{
    return walk(path, false);
}
