/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/cfg.h — one option table per program behind parser, validation, --help, docs and
 * fuzz dictionary. The file is JSON: sections of keys ("shipper": {"server_url": "..."}); the table
 * names them "shipper.server_url". An unknown key, a wrong type or a value out of range is an error
 * with its line. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wedr_cfg_type {
    WEDR_CFG_BOOL, /* bool */
    WEDR_CFG_U64,  /* uint64_t within [min, max] */
    WEDR_CFG_STR,  /* char[size], NUL-terminated, UTF-8; longer is an error */
    WEDR_CFG_LIST  /* array of strings: char[size] holding them one after the other, each
                      NUL-terminated, an  empty one ends the list */
};

struct wedr_cfg_option {
    const char *name; /* "section.key" */
    enum wedr_cfg_type type;
    size_t offset; /* in the caller's struct */
    size_t size;   /* of the member */
    uint64_t min, max;
    const char *fallback; /* default as text: "true", "300", "abc"; NULL = false / 0 / "" */
    const char *help;     /* one line */
};

/* Writes every default into cfg. WEDR_E_BUG when the table itself is wrong (bad default). */
WEDR_MUST_USE int wedr_cfg_defaults(const struct wedr_cfg_option *table,
                                    size_t count,
                                    void *cfg,
                                    struct wedr_errinfo *ei);
/* Parses len bytes of JSON (at most 1 MiB, depth 8) over what cfg holds. WEDR_E_FORMAT with "line
 * N: ..." */
WEDR_MUST_USE int wedr_cfg_parse(const struct wedr_cfg_option *table,
                                 size_t count,
                                 const char *json,
                                 size_t len,
                                 void *cfg,
                                 struct wedr_errinfo *ei);
/* Sets one option from text, as a command line or a test would. */
WEDR_MUST_USE int wedr_cfg_set(const struct wedr_cfg_option *table,
                               size_t count,
                               const char *name,
                               const char *value,
                               void *cfg,
                               struct wedr_errinfo *ei);
