/* SPDX-License-Identifier: Apache-2.0 */
#include "auditd.h"

#include "core/base/err.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STAMP " msg=audit(1604994496.155:7): "

struct seen {
    char text[65536]; /* "index@line json|" or "index@line !reason|" of each */
    size_t len;
    int64_t time_us;
};

static int note(void *ctx, const struct wedr_doc *doc)
{
    struct seen *s = ctx;
    int n =
        snprintf(s->text + s->len, sizeof(s->text) - s->len, "%u@%u %s%.*s|", (unsigned)doc->index,
                 (unsigned)doc->line, doc->bad ? "!" : "",
                 doc->bad ? (int)strlen(doc->bad) : (int)doc->len, doc->bad ? doc->bad : doc->json);
    assert_true(n > 0 && (size_t)n < sizeof(s->text) - s->len);
    s->len += (size_t)n;
    assert_true(doc->bad || doc->timed);
    s->time_us = doc->time_us;
    return 0;
}

static void read_in(struct seen *s, const char *text, size_t piece)
{
    size_t len = strlen(text);
    struct wedr_auditd *a = wedr_auditd_new(note, s);
    assert_non_null(a);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        char *copy = malloc(n);
        memcpy(copy, text + at, n);
        assert_int_equal(wedr_auditd_feed(a, copy, n), 0);
        free(copy);
    }
    assert_int_equal(wedr_auditd_end(a), 0);
    wedr_auditd_free(a);
}

/* In pieces of many sizes, each in memory of its own length. */
static void expect(const char *text, const char *want)
{
    static struct seen s;
    for (size_t piece = 1; piece <= strlen(text) + 1; piece += piece < 40 ? 1 : 97) {
        s.len = 0;
        s.text[0] = '\0';
        read_in(&s, text, piece);
        assert_string_equal(s.text, want);
    }
}

static void a_record_becomes_an_object_of_its_fields(void **state)
{
    (void)state;
    static struct seen s;
    expect("", "");
    expect("type=CWD" STAMP "cwd=\"/home/w\"\n", "0@1 {\"type\":\"CWD\",\"cwd\":\"/home/w\"}|");
    expect("node=web1 type=USER_CMD" STAMP "pid=9 msg='cwd=\"/\" cmd=6C73202D6C terminal=pts/0 "
           "res=success'\x1dUID=\"root\"\n",
           "0@1 {\"type\":\"USER_CMD\",\"node\":\"web1\",\"pid\":\"9\",\"cwd\":\"/\",\"cmd\":\"ls "
           "-l\",\"terminal\":\"pts/0\",\"res\":\"success\",\"UID\":\"root\"}|");
    expect("Nov 26 host audispd: type=SERVICE_STOP" STAMP "msg='unit=ufw comm=\"systemd\"'",
           "0@1 {\"type\":\"SERVICE_STOP\",\"unit\":\"ufw\",\"comm\":\"systemd\"}|");
    s.len = 0;
    read_in(&s, "type=CWD" STAMP "cwd=\"/\"", 100);
    assert_int_equal(s.time_us, 1604994496155000);
}

static void hexadecimal_is_undone_where_auditd_writes_it(void **state)
{
    (void)state;
    expect("type=PATH" STAMP "name=2F746D702F612062 inode=41 key=(null)",
           "0@1 {\"type\":\"PATH\",\"name\":\"/tmp/a b\",\"inode\":\"41\",\"key\":\"(null)\"}|");
    expect("type=PROCTITLE" STAMP "proctitle=6C73002D6C00",
           "0@1 {\"type\":\"PROCTITLE\",\"proctitle\":\"ls -l\"}|");
    expect("type=CONFIG_CHANGE" STAMP "key=6101620163",
           "0@1 {\"type\":\"CONFIG_CHANGE\",\"key\":\"a,b,c\"}|");
    expect("type=PATH" STAMP "name=\"4142\" comm=4G cwd=ABC name=FF",
           "0@1 {\"type\":\"PATH\",\"name\":\"4142\",\"comm\":\"4G\",\"cwd\":\"ABC\",\"name\":"
           "\"\xEF\xBF\xBD\"}|");
}

static void records_of_one_event_know_of_each_other(void **state)
{
    (void)state;
    expect(
        "type=SYSCALL" STAMP "arch=c000003e syscall=59 a0=55 pid=4 comm=\"dd\" exe=\"/bin/dd\"\n"
        "type=SYSCALL msg=audit(1604994496.155:8): arch=c00000b7 syscall=221 pid=5\n"
        "type=EXECVE" STAMP "argc=2 a0=\"dd\" a1=69662061\n"
        "type=CWD" STAMP "cwd=\"/r\"\n"
        "type=EOE" STAMP "\n",
        "0@1 {\"type\":\"SYSCALL\",\"arch\":\"c000003e\",\"syscall\":\"59\",\"a0\":\"55\",\"pid\":"
        "\"4\",\"comm\":\"dd\",\"exe\":\"/bin/dd\",\"SYSCALL\":\"execve\",\"cwd\":\"/"
        "r\",\"proctitle\":\"dd if a\"}|"
        "2@3 {\"type\":\"EXECVE\",\"argc\":\"2\",\"a0\":\"dd\",\"a1\":\"if "
        "a\",\"cwd\":\"/r\",\"proctitle\":\"dd if a\",\"exe\":\"/bin/"
        "dd\",\"comm\":\"dd\",\"pid\":\"4\",\"SYSCALL\":\"execve\"}|"
        "3@4 {\"type\":\"CWD\",\"cwd\":\"/r\",\"exe\":\"/bin/dd\",\"comm\":\"dd\",\"pid\":\"4\","
        "\"SYSCALL\":\"execve\"}|"
        "1@2 {\"type\":\"SYSCALL\",\"arch\":\"c00000b7\",\"syscall\":\"221\",\"pid\":\"5\","
        "\"SYSCALL\":\"execve\"}|");
}

static void a_long_command_line_is_put_together(void **state)
{
    (void)state;
    expect("type=EXECVE" STAMP "argc=3 a0=\"sh\" a1_len=6 a1[0]=6162 a1[1]=6364\n"
           "type=EXECVE" STAMP "a1[2]=6566 a2=\"x\"\n",
           "0@1 {\"type\":\"EXECVE\",\"argc\":\"3\",\"a0\":\"sh\",\"a1\":\"abcdef\",\"a2\":\"x\","
           "\"proctitle\":\"sh abcdef x\"}|");
}

static void names_of_types_and_calls_are_known_by_number(void **state)
{
    (void)state;
    expect("audit: type=1302 audit(1604994496.155:7): name=\"/x\"",
           "0@1 {\"type\":\"PATH\",\"name\":\"/x\"}|");
    expect("type=UNKNOWN[1334]" STAMP "prog-id=7", "0@1 {\"type\":\"BPF\",\"prog-id\":\"7\"}|");
    expect("type=UNKNOWN[9]" STAMP "a=1", "0@1 {\"type\":\"UNKNOWN[9]\",\"a\":\"1\"}|");
    expect("type=SYSCALL" STAMP "arch=40000003 syscall=11",
           "0@1 {\"type\":\"SYSCALL\",\"arch\":\"40000003\",\"syscall\":\"11\",\"SYSCALL\":"
           "\"execve\"}|");
    expect("type=SYSCALL" STAMP "arch=c000003e syscall=59\x1d"
           "ARCH=x86_64 SYSCALL=execve AUID=\"w\"",
           "0@1 {\"type\":\"SYSCALL\",\"arch\":\"c000003e\",\"syscall\":\"59\",\"ARCH\":\"x86_64\","
           "\"AUID\":\"w\",\"SYSCALL\":\"execve\"}|");
}

static void addresses_of_sockets_are_read(void **state)
{
    (void)state;
    expect(
        "type=SOCKADDR" STAMP "saddr=020001BBC0A80A010000000000000000",
        "0@1 {\"type\":\"SOCKADDR\",\"saddr\":\"020001BBC0A80A010000000000000000\",\"saddr_fam\":"
        "\"inet\",\"laddr\":\"192.168.10.1\",\"lport\":\"443\"}|");
    expect(
        "type=SOCKADDR" STAMP "saddr=0A0001BB0000000020010DB800000000000000000000000100000000",
        "0@1 {\"type\":\"SOCKADDR\",\"saddr\":\"0A0001BB0000000020010DB8000000000000000000000001"
        "00000000\",\"saddr_fam\":\"inet6\",\"laddr\":\"2001:db8:0:0:0:0:0:1\",\"lport\":\"443\"}"
        "|");
    expect(
        "type=SOCKADDR" STAMP "saddr=01002F72756E2F78000000",
        "0@1 {\"type\":\"SOCKADDR\",\"saddr\":\"01002F72756E2F78000000\",\"saddr_fam\":\"local\","
        "\"path\":\"/run/x\"}|");
    expect("type=SOCKADDR" STAMP "saddr=0A0001BB00000000", "0@1 {\"type\":\"SOCKADDR\",\"saddr\":"
                                                           "\"0A0001BB00000000\"}|");
}

static void what_is_no_record_costs_only_its_line(void **state)
{
    (void)state;
    expect("garbage\n\ntype=CWD" STAMP "cwd=\"/\"\ntype=CWD msg=audit(1.2:3): cwd=\"/\n"
           "type=CWD msg=audit(99999999999999999.1:1): cwd=\"/\"\n",
           "0@1 !no audit record|3@5 !no audit record|1@3 {\"type\":\"CWD\",\"cwd\":\"/\"}|"
           "2@4 {\"type\":\"CWD\",\"cwd\":\"/\"}|");
}

static void a_line_without_end_is_bounded(void **state)
{
    (void)state;
    static struct seen s;
    char *text = malloc((1u << 20) + 200);
    assert_non_null(text);
    memset(text, 'x', 1u << 20);
    (void)snprintf(text + (1u << 20), 200, "\ntype=CWD" STAMP "cwd=\"/\"\n");
    s.len = 0;
    read_in(&s, text, 65536);
    free(text);
    assert_string_equal(s.text,
                        "0@1 !a line longer than 64 KiB|1@2 {\"type\":\"CWD\",\"cwd\":\"/\"}|");
}

static int count(void *ctx, const struct wedr_doc *doc)
{
    uint64_t *seen = ctx;
    *seen += doc->bad == NULL;
    return 0;
}

static void events_that_stay_open_are_bounded_and_all_told(void **state)
{
    (void)state;
    char line[128];
    uint64_t seen = 0;
    struct wedr_auditd *a = wedr_auditd_new(count, &seen);
    for (unsigned i = 0; i < 1000; i++) {
        int n = snprintf(line, sizeof(line), "type=PATH msg=audit(5.000:%u): name=\"/\"\n", i);
        assert_int_equal(wedr_auditd_feed(a, line, (size_t)n), 0);
    }
    assert_int_equal(seen, 1000 - WEDR_AUDITD_OPEN_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        int n = snprintf(line, sizeof(line), "type=PATH msg=audit(5.000:999): item=%u\n", i);
        assert_int_equal(wedr_auditd_feed(a, line, (size_t)n), 0);
    }
    assert_int_equal(wedr_auditd_end(a), 0);
    assert_int_equal(seen, 2000);
    wedr_auditd_free(a);
}

static void logs_are_known_by_their_first_record(void **state)
{
    static const char log[] = "cut off\ntype=CWD" STAMP "cwd=\"/\"\n";
    static const char json[] = "{\"a\":\"type=CWD" STAMP "\"}\n";
    (void)state;
    assert_true(wedr_auditd_knows(log, sizeof(log) - 1));
    assert_false(wedr_auditd_knows(json, sizeof(json) - 1));
    assert_false(wedr_auditd_knows("", 0));
    assert_false(wedr_auditd_knows("type=CWD\n", 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_becomes_an_object_of_its_fields),
        cmocka_unit_test(hexadecimal_is_undone_where_auditd_writes_it),
        cmocka_unit_test(records_of_one_event_know_of_each_other),
        cmocka_unit_test(a_long_command_line_is_put_together),
        cmocka_unit_test(names_of_types_and_calls_are_known_by_number),
        cmocka_unit_test(addresses_of_sockets_are_read),
        cmocka_unit_test(what_is_no_record_costs_only_its_line),
        cmocka_unit_test(a_line_without_end_is_bounded),
        cmocka_unit_test(events_that_stay_open_are_bounded_and_all_told),
        cmocka_unit_test(logs_are_known_by_their_first_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
