/* SPDX-License-Identifier: Apache-2.0
 * rules/pipeline.h — pipelines: which JSON forms carry which log sources, and what their keys are
 * called in rules. YAML files (docs/sigma.md has the format); those of lib/rules/pipelines are
 * compiled in. A field map is made from one or several of them after the rules are loaded. Constant
 * once read, any thread. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/rules/event.h"

#define WEDR_PIPELINE_FILE_MAX ((size_t)1 << 20)
#define WEDR_PIPELINES_MAX 32u /* in one map */

struct wedr_pipeline;

/* Nothing of the text is kept. WEDR_E_FORMAT, WEDR_E_LIMIT: ei begins with "line N: ". */
WEDR_MUST_USE int wedr_pipeline_read(const char *yaml,
                                     size_t len,
                                     struct wedr_pipeline **ret_pipeline,
                                     struct wedr_errinfo *ei);
void wedr_pipeline_free(struct wedr_pipeline *p);
const char *wedr_pipeline_name(const struct wedr_pipeline *p);

/* The compiled-in ones: name and text by index; NULL behind the last. */
const char *wedr_pipeline_builtin(size_t index, const char **ret_yaml, size_t *ret_len);

/* A sealed map of all given pipelines, the first to choose a view wins. One that has the name of a
 * compiled-in pipeline stands for it; count 0, or with_builtin: the other compiled-in ones come
 * behind, and events that name their log source themselves (logsource.product, .category, .service)
 * have it. The ruleset must outlive the map. */
WEDR_MUST_USE int wedr_pipeline_map(const struct wedr_ruleset *rs,
                                    const struct wedr_pipeline *const *pipelines,
                                    size_t count,
                                    bool with_builtin,
                                    struct wedr_field_map **ret_map,
                                    struct wedr_errinfo *ei);

/* For documents and tests. view: NULL for fields of every view. source: the key, or the template
 * that the field is made with ("SHA256={raw.sha256}"). */
typedef void
wedr_pipeline_field_fn(void *ctx, const char *view, const char *source, const char *field);
void wedr_pipeline_fields(const struct wedr_pipeline *p, wedr_pipeline_field_fn *fn, void *ctx);
/* Each log source, product/category/service with a star for any, or waza:module/event_type, with
 * the view of its events. */
typedef void wedr_pipeline_source_fn(void *ctx, const char *source, const char *view);
void wedr_pipeline_sources(const struct wedr_pipeline *p, wedr_pipeline_source_fn *fn, void *ctx);
