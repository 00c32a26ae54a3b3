/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/step.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/line_schema.h"
#include <string.h>

#define PARSER_LINE (64u << 10)
#define ARENA_ROOM ((size_t)8 << 20) /* for the rest of the block that fills a step */
#define PATH_MAX_TEXT 4096u
#define COMMAND_MAX 32768u
#define KEY_MAX 64u
#define USER_MAX 256u

int wedr_step_init(struct wedr_step *s)
{
    memset(s, 0, sizeof(*s));
    s->arena = wedr_arena_new(WEDR_STEP_BYTES_MAX);
    s->parser = wedr_line_parser_new(PARSER_LINE);
    s->alerts = wedr_alloc(WEDR_STEP_ALERTS_MAX, sizeof(*s->alerts));
    s->responses = wedr_alloc(WEDR_STEP_RESPONSES_MAX, sizeof(*s->responses));
    s->processes = wedr_alloc(WEDR_STEP_PROCESSES_MAX, sizeof(*s->processes));
    if (!s->arena || !s->parser || !s->alerts || !s->responses || !s->processes) {
        wedr_step_fini(s);
        return WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

void wedr_step_fini(struct wedr_step *s)
{
    wedr_arena_free(s->arena);
    wedr_line_parser_free(s->parser);
    wedr_free(s->alerts);
    wedr_free(s->responses);
    wedr_free(s->processes);
    memset(s, 0, sizeof(*s));
}

void wedr_step_clear(struct wedr_step *s)
{
    wedr_arena_clear(s->arena);
    s->alert_count = s->response_count = s->process_count = 0;
}

bool wedr_step_is_full(const struct wedr_step *s)
{
    return s->alert_count >= WEDR_STEP_ALERTS_MAX / 2 ||
           s->response_count >= WEDR_STEP_RESPONSES_MAX / 2 ||
           s->process_count >= WEDR_STEP_PROCESSES_MAX / 2 ||
           wedr_arena_mark(s->arena) > WEDR_STEP_BYTES_MAX - ARENA_ROOM;
}

const char *wedr_step_text(struct wedr_step *s, const char *text, size_t len, size_t max)
{
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    return wedr_arena_strndup(s->arena, text, len);
}

struct wedr_alert_row *wedr_step_new_alert(struct wedr_step *s)
{
    if (s->alert_count == WEDR_STEP_ALERTS_MAX) {
        return NULL;
    }
    struct wedr_alert_row *a = &s->alerts[s->alert_count];
    memset(a, 0, sizeof(*a));
    a->pid = -1;
    return a;
}

/* The text of a column, NULL when the line has none. */
static const char *column(struct wedr_step *s,
                          const struct wedr_line_info *info,
                          enum wedr_line_column which,
                          size_t max)
{
    const struct wedr_lp_member *m = info->column[which];
    return m && m->type == WEDR_LP_STR && m->s_len ? wedr_step_text(s, m->s, m->s_len, max) : NULL;
}

static int64_t column_pid(const struct wedr_line_info *info, enum wedr_line_column which)
{
    const struct wedr_lp_member *m = info->column[which];
    return m && m->type == WEDR_LP_INT && m->v <= UINT32_MAX ? (int64_t)m->v : -1;
}

static int parse(struct wedr_step *s,
                 const struct wedr_event_line *l,
                 struct wedr_line *line,
                 struct wedr_line_info *info)
{
    int err = wedr_line_parse(s->parser, (const char *)l->text.p, l->text.len, line);
    err = err == WEDR_OK ? wedr_line_read(line, info) : err;
    return err == WEDR_OK || err == WEDR_E_NOMEM ? err : WEDR_E_FORMAT;
}

int wedr_step_process(struct wedr_step *s,
                      const struct wedr_event_block *b,
                      const struct wedr_event_line *l,
                      enum wedr_process_event event)
{
    struct wedr_line line;
    struct wedr_line_info info;
    if (s->process_count == WEDR_STEP_PROCESSES_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = parse(s, l, &line, &info);
    if (err != WEDR_OK) {
        return err;
    }
    struct wedr_process_row *p = &s->processes[s->process_count];
    *p = (struct wedr_process_row){
        .event = (uint8_t)event,
        .agent_id = wedr_arena_strndup(s->arena, b->agent_id, strlen(b->agent_id)),
        .process_key = column(s, &info, WEDR_COL_PROCESS_KEY, KEY_MAX),
        .parent_key = column(s, &info, WEDR_COL_PARENT_KEY, KEY_MAX),
        .pid = column_pid(&info, WEDR_COL_PID),
        .ppid = column_pid(&info, WEDR_COL_PPID),
        .image_path = column(s, &info, WEDR_COL_PROCESS_PATH, PATH_MAX_TEXT),
        .command_line = column(s, &info, WEDR_COL_COMMAND_LINE, COMMAND_MAX),
        .user = column(s, &info, WEDR_COL_USER, USER_MAX),
        .ts_us = l->ts_us,
    };
    if (wedr_arena_overflowed(s->arena)) {
        return WEDR_E_LIMIT;
    }
    if (!p->process_key) {
        return WEDR_E_FORMAT;
    }
    s->process_count++;
    return WEDR_OK;
}

void wedr_step_describe(struct wedr_step *s,
                        const struct wedr_event_line *l,
                        struct wedr_alert_row *a)
{
    struct wedr_line line;
    struct wedr_line_info info;
    if (parse(s, l, &line, &info) != WEDR_OK) {
        return;
    }
    a->pid = column_pid(&info, WEDR_COL_PID);
    a->process_key = column(s, &info, WEDR_COL_PROCESS_KEY, KEY_MAX);
    a->image_path = column(s, &info, WEDR_COL_PROCESS_PATH, PATH_MAX_TEXT);
    a->command_line = column(s, &info, WEDR_COL_COMMAND_LINE, COMMAND_MAX);
    a->user = column(s, &info, WEDR_COL_USER, USER_MAX);
}
