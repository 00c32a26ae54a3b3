/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/syntax.h — a Waza file as text, tokens and tree. Everything lives in the arena of
 * the source until that is freed; places are byte offsets into its text. */
#pragma once

#include "core/util/arena.h"
#include "ir/pool.h"
#include "wedr/rules/waza.h"

#define WEDR_WAZA_PARTS_MAX 32u /* of a path */
#define WEDR_WAZA_KEYS_MAX WEDR_IR_GROUP_MAX
#define WEDR_WAZA_LABELS_MAX WEDR_IR_MEMBERS_MAX
#define WEDR_WAZA_LISTS_MAX 1024u    /* of one file */
#define WEDR_WAZA_INCLUDES_MAX 1024u /* of one file */
#define WEDR_WAZA_WINDOW_MS 5000u    /* without `window` */

struct wedr_waza_span {
    uint32_t at, len;
};

struct wedr_waza_diag {
    struct wedr_waza_span span;
    bool warning;
    int err;
    const char *text;
};

/* One file. */
struct wedr_waza_source {
    const char *name;
    const char *text;
    uint32_t len;
    struct wedr_arena *arena; /* borrowed */
    struct wedr_waza_diag *diags;
    uint32_t diag_count; /* of diags; they wait to be told in order of place */
    uint32_t errors, warnings;
    int err;   /* of the last error */
    bool full; /* the arena is: nothing more is read */
};

/* --- diag.c */
/* Notes an error; returns err. */
int wedr_waza_fail(struct wedr_waza_source *s,
                   struct wedr_waza_span at,
                   int err,
                   const char *fmt,
                   ...) WEDR_PRINTF(4, 5);
void wedr_waza_warn(struct wedr_waza_source *s, struct wedr_waza_span at, const char *fmt, ...)
    WEDR_PRINTF(3, 4);
/* Tells what was noted, in order of place, and forgets it. */
void wedr_waza_tell(struct wedr_waza_source *s, wedr_waza_error_fn *fn, void *ctx);
/* Zeroed memory; NULL when the arena is full, which is noted once. */
void *wedr_waza_alloc(struct wedr_waza_source *s, size_t size);
/* For messages: a text cut to 60 bytes. */
int wedr_waza_shown(struct wedr_text t);
#define WEDR_WAZA_SHOWN(t) wedr_waza_shown(t), (t).p ? (t).p : ""

bool wedr_waza_is(struct wedr_text t, const char *word);
/* c, which is no NUL, is one of `set`. */
bool wedr_waza_one_of(char c, const char *set);
static inline struct wedr_text wedr_waza_slice(const struct wedr_waza_source *s,
                                               struct wedr_waza_span at)
{
    return wedr_text(s->text + at.at, at.len);
}

/* --- Tokens. */

enum wedr_waza_token_kind {
    WAZA_END,
    WAZA_BAD, /* already told */
    WAZA_WORD,
    WAZA_STRING,
    WAZA_REGEX,
    WAZA_NUMBER,
    WAZA_OPEN,
    WAZA_CLOSE,
    WAZA_LIST,
    WAZA_LIST_END,
    WAZA_COMMA,
    WAZA_COLON,
    WAZA_AND,
    WAZA_OR,
    WAZA_NOT,
    WAZA_EQ,
    WAZA_NE,
    WAZA_OTHER, /* <> */
    WAZA_LT,
    WAZA_LE,
    WAZA_GT,
    WAZA_GE,
    WAZA_BITS /* & */
};

/* a.b."c d", $label.x, module.type.@process.path, a.b.*; a single word is a path of one part. */
struct wedr_waza_path {
    struct wedr_waza_span span;
    struct wedr_text label; /* without $; p NULL when there is none */
    const struct wedr_text *parts;
    uint32_t count;
    uint32_t key; /* parts from here on are the event line's own key (@); count when not so */
    bool any;     /* ends in *: any value */
    bool quoted;  /* a part is */
};

struct wedr_waza_token {
    uint8_t kind;
    uint8_t flags; /* REGEX: enum wedr_pred_flag */
    struct wedr_waza_span span;
    const struct wedr_waza_path *path; /* WORD */
    struct wedr_text text;             /* STRING, REGEX: what it stands for */
    struct wedr_number number;
};

/* Reads one logical line: to the end of the physical line, and on where a bracket is open or an
 * operator or comma stood last. */
struct wedr_waza_lexer {
    struct wedr_waza_source *source;
    uint32_t at;
    uint32_t depth; /* open brackets */
    bool open;      /* what was read last wants more */
    bool quiet;     /* errors are not told */
};

/* --- lex.c */
void wedr_waza_next(struct wedr_waza_lexer *l, struct wedr_waza_token *ret_token);
/* Behind the logical line: where the next physical line begins. */
uint32_t wedr_waza_skip(struct wedr_waza_lexer *l);
/* The line at `at` cannot go on an expression: a section, a group, a setting, or "- ". */
bool wedr_waza_begins(struct wedr_waza_source *s, uint32_t at);
/* NAME: or "NAME": alone on its line. */
bool wedr_waza_header(struct wedr_waza_source *s,
                      struct wedr_waza_span c,
                      struct wedr_text *ret_name);
/* What a line is beside comment, blanks and one dash in front. */
struct wedr_waza_span wedr_waza_content(const struct wedr_waza_source *s, uint32_t at);
uint32_t wedr_waza_line_end(const struct wedr_waza_source *s, uint32_t at);

/* --- word.c: these begin at l->at and move it. */
void wedr_waza_lex_string(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
void wedr_waza_lex_raw(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
void wedr_waza_lex_escaped(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
void wedr_waza_lex_regex(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
void wedr_waza_lex_number(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
void wedr_waza_lex_word(struct wedr_waza_lexer *l, struct wedr_waza_token *t);
bool wedr_waza_is_word(char c);

/* --- Tree. */

enum wedr_waza_op {
    WAZA_OP_EQ,
    WAZA_OP_OTHER,
    WAZA_OP_LT,
    WAZA_OP_LE,
    WAZA_OP_GT,
    WAZA_OP_GE,
    WAZA_OP_CONTAINS,
    WAZA_OP_STARTS,
    WAZA_OP_ENDS,
    WAZA_OP_LIKE,
    WAZA_OP_MATCHES,
    WAZA_OP_CIDR,
    WAZA_OP_IN,
    WAZA_OP_EXISTS,
    WAZA_OP_HAS_ALL,
    WAZA_OP_HAS_ANY,
    WAZA_OP_MASK /* & mask == value */
};

enum wedr_waza_value_kind { WAZA_TEXT, WAZA_PATTERN, WAZA_INTEGER, WAZA_TRUTH };

struct wedr_waza_value {
    uint8_t kind;  /* enum wedr_waza_value_kind; WAZA_INTEGER: any number */
    uint8_t flags; /* PATTERN */
    bool truth;
    struct wedr_waza_span span;
    struct wedr_text text; /* TEXT, PATTERN; of a number as written */
    struct wedr_number number;
    struct wedr_waza_value *next;
};

struct wedr_waza_compare {
    const struct wedr_waza_path *left, *right; /* right: NULL when values follow */
    struct wedr_waza_span op_span;
    uint8_t op;   /* enum wedr_waza_op */
    uint8_t part; /* of a time, enum wedr_time_part; UINT8_MAX: none */
    uint8_t mode; /* IN: enum wedr_set_mode */
    bool uncased, negated, all;
    struct wedr_waza_value *first;
    uint32_t count;
    struct wedr_text list; /* by name; p NULL when there is none */
    struct wedr_waza_span list_span;
    /* Of the compiler: */
    uint32_t field, right_field;
    uint32_t var, right_var; /* event variables, see compiler.h */
};

enum wedr_waza_expr_kind {
    WAZA_X_AND,
    WAZA_X_OR,
    WAZA_X_NOT,
    WAZA_X_OF,
    WAZA_X_CONSTANT,
    WAZA_X_COMPARE,
    WAZA_X_EVENT, /* $label or rule "id": it happened */
};

struct wedr_waza_expr {
    uint8_t kind; /* enum wedr_waza_expr_kind */
    bool truth;   /* CONSTANT */
    struct wedr_waza_span span;
    struct wedr_waza_expr *first, *next;
    uint32_t count, need; /* kids; OF */
    struct wedr_waza_compare *compare;
    struct wedr_text name; /* EVENT: label, or rule */
    bool is_rule;
    uint32_t var; /* of the compiler: event variable of all that is below */
};

/* --- expr.c: an expression from the lexer. NULL after an error, which is noted; the rest of the
 * logical line is then still to be skipped. */
struct wedr_waza_parser {
    struct wedr_waza_source *source;
    struct wedr_waza_lexer lexer;
    struct wedr_waza_token token; /* not yet used */
    uint32_t used;                /* end of the one before */
    uint32_t nesting;
};

void wedr_waza_advance(struct wedr_waza_parser *p);
struct wedr_waza_token wedr_waza_peek(struct wedr_waza_parser *p);
struct wedr_waza_expr *wedr_waza_expression(struct wedr_waza_parser *p);
/* Notes "unexpected ..., X was expected" at the token, unless the lexer told something there. */
int wedr_waza_expected(struct wedr_waza_parser *p, const char *what);
/* The token is that bare word. */
bool wedr_waza_word(const struct wedr_waza_token *t, const char *word);

/* --- compare.c */
struct wedr_waza_expr *wedr_waza_comparison(struct wedr_waza_parser *p);
/* [a, b] with the token at [; values of any kind. */
int wedr_waza_list(struct wedr_waza_parser *p,
                   struct wedr_waza_value **ret_first,
                   uint32_t *ret_count);

/* --- A file's groups. */

enum wedr_waza_mode {
    WAZA_ANY,      /* one of the lines */
    WAZA_ALL,      /* all lines within the window */
    WAZA_SEQUENCE, /* in their order */
    WAZA_COUNT,
    WAZA_DISTINCT
};

struct wedr_waza_line {
    struct wedr_waza_expr *expr;
    struct wedr_waza_span span;
    struct wedr_text name; /* of an exception */
    struct wedr_waza_line *next;
};

struct wedr_waza_lines {
    struct wedr_waza_line *first, *last;
    uint32_t count;
};

/* `by`: alternatives of one key, one for each kind of event. */
struct wedr_waza_key {
    const struct wedr_waza_path **paths;
    uint32_t count;
};

enum wedr_waza_event_kind { WAZA_EVENT_TYPE, WAZA_EVENT_SOURCE, WAZA_EVENT_RULE };

struct wedr_waza_label {
    struct wedr_text name;
    struct wedr_waza_span span;
    uint8_t kind;                      /* enum wedr_waza_event_kind */
    struct wedr_text text;             /* SOURCE, RULE */
    const struct wedr_waza_path *path; /* TYPE */
    struct wedr_waza_label *next;
};

struct wedr_waza_group {
    struct wedr_text name;
    struct wedr_waza_span span;
    uint32_t line;
    bool action; /* of the Action section */
    bool bad;    /* has an error */
    bool v1, consume, hidden, disabled, server;
    uint8_t mode;     /* enum wedr_waza_mode */
    uint8_t severity; /* enum wedr_severity */
    uint8_t actions;  /* Action: enum wedr_rule_action */
    uint64_t window_ms, throttle_ms;
    uint32_t throttle_count;
    uint32_t seen; /* settings that were given: bits by index of the table */
    struct wedr_waza_lines lines, exceptions;
    struct wedr_correlation_limit limits[2];
    uint32_t limit_count;
    struct wedr_waza_span mode_span;
    const struct wedr_waza_path *value, *entity;
    struct wedr_waza_key keys[WEDR_WAZA_KEYS_MAX];
    uint32_t key_count;
    struct wedr_waza_label *labels, *labels_last;
    uint32_t label_count;
    struct wedr_text_list sources; /* classes as written */
    struct wedr_text id, title, description, author, date, modified, status, license, message,
        needs;
    struct wedr_text_list tags, references, false_positives;
    uint32_t statements;           /* Action: lines */
    struct wedr_waza_group *other; /* of the other section */
    struct wedr_waza_group *next;
};

struct wedr_waza_include {
    struct wedr_waza_span span;
    struct wedr_text path;
    struct wedr_waza_file *file; /* once it is read */
    struct wedr_waza_include *next;
};

/* list NAME: [...] */
struct wedr_waza_named {
    struct wedr_text name;
    struct wedr_waza_value *first;
    uint32_t count;
    uint32_t sets[4][2]; /* by mode and cased: set id + 1 once it is made */
    struct wedr_waza_named *next;
};

enum wedr_waza_statement_kind {
    WAZA_S_SECTION,
    WAZA_S_GROUP,
    WAZA_S_TEXT,   /* key: value as it stands */
    WAZA_S_TOKENS, /* setting made of tokens */
    WAZA_S_INCLUDE,
    WAZA_S_CONDITION,
    WAZA_S_ACTION
};

/* For the formatter. */
struct wedr_waza_statement {
    uint8_t kind;     /* enum wedr_waza_statement_kind */
    uint8_t depth;    /* 0 file, 1 section, 2 group */
    uint32_t at, end; /* content; the end of its last physical line */
    struct wedr_waza_statement *next;
};

struct wedr_waza_file {
    struct wedr_waza_source source;
    struct wedr_waza_group *groups, *groups_last; /* of both sections, in order */
    struct wedr_waza_include *includes, *includes_last;
    struct wedr_waza_named *lists;
    uint32_t include_count, list_count;
    struct wedr_waza_statement *statements, *statements_last;
    bool keep_statements;
    bool v1;
    bool open;      /* being read: met again it includes itself */
    uint32_t visit; /* of the search for a list */
    struct wedr_waza_file *next;
};

/* --- parse.c: the whole text; errors are noted in f->source. Groups find each other's sections. */
void wedr_waza_parse(struct wedr_waza_file *f);

/* Where the parser of a file stands. */
struct wedr_waza_reader {
    struct wedr_waza_file *file;
    struct wedr_waza_source *source;
    struct wedr_pool pool; /* of the index */
    struct wedr_index index;
    struct wedr_waza_group **groups; /* by number, for the index */
    uint32_t group_count, group_cap;
    struct wedr_waza_group *group; /* NULL before the first of a section */
    uint8_t section;               /* 0 none, 1 Detection, 2 Action */
    uint32_t line;                 /* number of the physical line */
    uint32_t at;                   /* its beginning, then that of the next */
};

/* --- setting.c: a line that begins with a word that is a setting. False: it is none. Else the line
 * was read, r->at moved. */
bool wedr_waza_setting(struct wedr_waza_reader *r, struct wedr_waza_span content);
/* That word of the table, with what has to follow it. */
bool wedr_waza_is_setting(const struct wedr_waza_source *s, struct wedr_waza_span content);
/* --- group.c: settings that are made of tokens. */
struct wedr_waza_parser wedr_waza_parser_at(struct wedr_waza_reader *r, uint32_t at);
enum wedr_waza_form {
    WAZA_F_COUNT,
    WAZA_F_DISTINCT,
    WAZA_F_SEQUENCE,
    WAZA_F_ALL,
    WAZA_F_BY,
    WAZA_F_EXCEPTION,
    WAZA_F_EVENT,
    WAZA_F_LIST,
    WAZA_F_ENTITY
};
/* p stands behind the word. */
int wedr_waza_read_form(struct wedr_waza_reader *r,
                        struct wedr_waza_parser *p,
                        enum wedr_waza_form form,
                        struct wedr_waza_span content);
/* --- parse.c, for setting.c */
void wedr_waza_keep(
    struct wedr_waza_reader *r, uint8_t kind, uint8_t depth, uint32_t at, uint32_t next);
uint8_t wedr_waza_depth(const struct wedr_waza_reader *r);
void wedr_waza_add_line(struct wedr_waza_lines *lines, struct wedr_waza_line *line);
/* Duration as in `window`; false when it is none or does not fit. */
bool wedr_waza_duration(struct wedr_text t, uint64_t *ret_ms);
