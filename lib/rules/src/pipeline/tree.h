/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pipeline/tree.h — inside of a pipeline. */
#pragma once

#include "sigma/yaml.h"
#include <string.h>

struct wedr_pipeline {
    struct wedr_arena *arena;
    const struct wedr_yaml *tree; /* checked */
};

/* Whether a source is the class of our own events in Waza rules, waza:module/event_type, rather
 * than a log source. */
static inline bool wedr_pipeline_is_waza(const char *source)
{
    return strncmp(source, "waza:", 5) == 0;
}

struct wedr_pipeline_text {
    const char *name, *yaml;
    size_t len;
};
/* Made by the build from lib/rules/pipelines; ends with name NULL. */
extern const struct wedr_pipeline_text wedr_pipeline_texts[];
