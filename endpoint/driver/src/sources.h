/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/sources.h — the five kernel callbacks. Each start registers one with the
 * kernel and notes the outcome (source.h); none can fail the load. Each stop unregisters what was
 * registered, waits until no callback runs any more (the kernel's unregistering does), and may be
 * called without a start. IRQL PASSIVE. Callbacks only look and report: every one lets the
 * operation pass unchanged. */
#pragma once

#include "nt.h"
#include "settings.h"

void wedr_src_process_start(void);
void wedr_src_process_stop(void);
void wedr_src_image_start(void);
void wedr_src_image_stop(void);
void wedr_src_thread_start(void);
void wedr_src_thread_stop(void);
/* driver: this driver's object, altitude: where it stands among the registry filters. */
void wedr_src_registry_start(PDRIVER_OBJECT driver, const struct wedr_settings *s);
void wedr_src_registry_stop(void);
void wedr_src_handle_start(const struct wedr_settings *s);
void wedr_src_handle_stop(void);

/* Announces every process that is alive as process_create with the flag "existing". After
 * wedr_src_process_start, so that none is missed between; at most once per load. */
void wedr_inventory_run(void);
