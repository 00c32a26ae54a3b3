/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/table.h — JSON of the server as text for people. Every text may come from an
 * endpoint: control and bidi characters are made visible. One thread. */
#pragma once

#include "ctl.h"

#define WEDR_CTL_COLUMNS_MAX 128u

enum wedr_ctl_cell {
    WEDR_CTL_TEXT,
    WEDR_CTL_LONG,    /* text that is cut first when the terminal is too narrow */
    WEDR_CTL_TIME,    /* to the second */
    WEDR_CTL_TIME_MS, /* to the millisecond */
    WEDR_CTL_COUNT,   /* a number, to the right */
    WEDR_CTL_BYTES,
    WEDR_CTL_WORD /* of a state or severity: coloured */
};

struct wedr_ctl_column {
    const char *title;
    const char *key; /* member of the object; dots go deeper: "sensor.level" */
    enum wedr_ctl_cell cell;
};

struct wedr_ctl_table {
    struct wedr_ctl *c;
    const struct wedr_ctl_column *columns;
    size_t count;
    size_t width[WEDR_CTL_COLUMNS_MAX]; /* 0: from the first rows */
    bool begun;
};

void wedr_ctl_table_init(struct wedr_ctl_table *t,
                         struct wedr_ctl *c,
                         const struct wedr_ctl_column *columns,
                         size_t count);
/* Appends rows to c->out, with the titles in front of the first ones, whose widths hold for all. */
void wedr_ctl_table_add(struct wedr_ctl_table *t, const json_t *items);
/* The whole list of path: a table, or an object a line for --json. `shape` (may be NULL) makes of
 * an item the object that the columns look at (a new reference, NULL: out of memory). An exit code.
 */
typedef json_t *wedr_ctl_shape_fn(const json_t *item);
int wedr_ctl_list(struct wedr_ctl *c,
                  const char *path,
                  const struct wedr_ctl_column *columns,
                  size_t count,
                  wedr_ctl_shape_fn *shape);
/* "title  value" lines of one object; empty ones are left out. */
void wedr_ctl_card(struct wedr_ctl *c,
                   const json_t *object,
                   const struct wedr_ctl_column *columns,
                   size_t count);
/* Takes the object: prints it as a card, or as JSON for --json. An exit code. */
int wedr_ctl_card_take(struct wedr_ctl *c,
                       json_t *object,
                       const struct wedr_ctl_column *columns,
                       size_t count);
/* Appends j as JSON in ASCII and a line feed. */
void wedr_ctl_json(struct wedr_buf *out, const json_t *j);
/* Appends a cell without padding or colour. */
void wedr_ctl_cell(struct wedr_buf *out, const json_t *value, enum wedr_ctl_cell cell);
/* A member by its dotted name, NULL when there is none. */
const json_t *wedr_ctl_member(const json_t *object, const char *key);
/* Its text, "" when it is none. */
const char *wedr_ctl_text(const json_t *object, const char *key);
/* Columns of a terminal that UTF-8 text without control characters takes; *ret_fit (may be NULL) is
 * how many bytes of it fit into max. */
size_t wedr_ctl_width(const char *s, size_t len, size_t max, size_t *ret_fit);
/* Colour of a state or severity, "" for none. */
const char *wedr_ctl_color(const char *word);
