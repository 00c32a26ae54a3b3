/* SPDX-License-Identifier: Apache-2.0
 * rules/waza.h — the Waza language: files to rules of a ruleset, rules to text, text to canonical
 * text. docs/waza.md is the language. Files are added one after another; rules that name other
 * rules (`rule "id"`) are compiled in finish, when all are known, those of other languages that are
 * in the ruleset by then included. One thread. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/ir.h"

#define WEDR_WAZA_FILE_MAX ((size_t)8 << 20)
#define WEDR_WAZA_FILES_MAX 16384u /* of one loader, included ones counted */
#define WEDR_WAZA_INCLUDE_DEPTH_MAX 16u
#define WEDR_WAZA_PATH_MAX 1024u   /* bytes of a file's name */
#define WEDR_WAZA_ERRORS_MAX 100u  /* told per file; the rest is counted */
#define WEDR_WAZA_NESTING_MAX 128u /* parentheses and `!` */
#define WEDR_WAZA_TERMS_MAX 64u    /* alternatives of a condition over several events */

/* What is wrong, or questionable, at one place. Borrowed during the call. */
struct wedr_waza_error {
    bool warning; /* the rule counts all the same */
    int err;      /* WEDR_E_*; of a warning 0 */
    const char *file;
    uint32_t line;           /* 1-based; 0: the file as a whole */
    uint32_t column;         /* 1-based, in characters; 0: the line as a whole */
    uint32_t width;          /* characters meant, at least 1 */
    const char *text;        /* one line */
    struct wedr_text source; /* the line as it stands in the file */
};
typedef void wedr_waza_error_fn(void *ctx, const struct wedr_waza_error *e);

/* Appends
 *     rules/x.waza:3:9: error: unknown operator 'containz'; did you mean 'contains'?
 *         3 | - kernel_callback.process_create.image_path containz "x"
 *           |                                             ^~~~~~~~
 * Control characters of the source are shown as blanks, a long line is cut around the place. */
void wedr_waza_error_print(const struct wedr_waza_error *e, struct wedr_buf *out);

/* A rule that was added: index of the rule that people see (its hidden members come before it). */
struct wedr_waza_report {
    const char *file;
    uint32_t line; /* of the group */
    uint32_t rule;
};
typedef void wedr_waza_report_fn(void *ctx, const struct wedr_waza_report *report);

/* Reads a file that another one includes. `path` is the folder of the including file's name and the
 * text of the include, joined by '/'; the text was relative, without "..", "." inside, empty parts,
 * backslashes or control characters. Whoever reads confines the rest: no symbolic link may lead out
 * of the rule folder (openat2 with RESOLVE_BENEATH). Appends the file to out, whose maximum is
 * WEDR_WAZA_FILE_MAX. Negative: the reason stands at the include; WEDR_E_NOENT, WEDR_E_PERM and so
 * on. */
typedef int wedr_waza_read_fn(void *ctx, const char *path, struct wedr_buf *out);

/* A list that rules use by name (`in list NAME`), besides those that files define. */
struct wedr_waza_list {
    const char *name;
    const char *const *values;
    size_t count;
};

struct wedr_waza_options {
    wedr_waza_read_fn *read; /* NULL: every include is an error */
    wedr_waza_error_fn *error;
    wedr_waza_report_fn *report;
    void *ctx;                          /* of all three; they may be NULL */
    const struct wedr_waza_list *lists; /* borrowed as long as the loader lives */
    size_t list_count;
    bool no_schema; /* no warnings about event types and fields that lib/wire does not know */
};

struct wedr_waza_stats {
    uint32_t files;            /* included ones counted, each once */
    uint32_t rules;            /* compiled: what people see */
    uint32_t refused;          /* groups that have an error */
    uint32_t errors, warnings; /* those beyond WEDR_WAZA_ERRORS_MAX too */
};

struct wedr_waza;

/* options NULL: defaults. The ruleset must outlive the loader. NULL when out of memory. */
WEDR_MUST_USE struct wedr_waza *wedr_waza_new(struct wedr_ruleset *rs,
                                              const struct wedr_waza_options *options);
void wedr_waza_free(struct wedr_waza *w);
/* Reads [text, text + len) and what it includes; every error of all of them is told, a group
 * without one becomes a rule. A file that was read before under this name (added or included) is
 * skipped. 0 when all is fine, else the code of the last error: the rules without errors count all
 * the same. WEDR_E_FORMAT, WEDR_E_LIMIT, WEDR_E_EXIST (name or id used before), WEDR_E_NOENT
 * (include), WEDR_E_NOMEM (stop), WEDR_E_STATE behind finish. */
int wedr_waza_add(struct wedr_waza *w, const char *file, const char *text, size_t len);
/* Compiles the rules that name other rules. Call once, after the last file and after the other
 * languages' loaders have finished. */
int wedr_waza_finish(struct wedr_waza *w);
void wedr_waza_stats(const struct wedr_waza *w, struct wedr_waza_stats *ret_stats);

/* The same program laid out in the one canonical way, appended to out: comments stay, meaning
 * stays, formatting twice changes nothing. Includes are not followed. WEDR_E_FORMAT when the text
 * does not parse (error, may be NULL, hears of each place; names and meanings are not checked),
 * WEDR_E_LIMIT when out is full; out then is as before. */
WEDR_MUST_USE int wedr_waza_format(const char *file,
                                   const char *text,
                                   size_t len,
                                   struct wedr_buf *out,
                                   wedr_waza_error_fn *error,
                                   void *ctx);

/* A rule of any language as Waza text with both sections, appended to out; it compiles to a rule
 * that matches the same events. Correlations name their members by id, else title, so these have to
 * be written too (and keep their order). WEDR_E_NOENT for an unknown rule, WEDR_E_LIMIT when out is
 * full, WEDR_E_UNSUP (ei) for what has no text form. */
WEDR_MUST_USE int wedr_waza_write_rule(const struct wedr_ruleset *rs,
                                       uint32_t rule,
                                       struct wedr_buf *out,
                                       struct wedr_errinfo *ei);

/* Our own events as JSON:
 * [{"module":..,"events":[{"name":..,"fields":[{"name":..,"field_type":..}]}]}] with field_type
 * int, string, bool or list. WEDR_E_LIMIT when out is full. */
WEDR_MUST_USE int wedr_waza_schema(struct wedr_buf *out);
