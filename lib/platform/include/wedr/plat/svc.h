/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/svc.h — service manager: systemd (sd_notify, journald) or the Windows SCM and Event
 * Log. Every call is a no-op without one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void wedr_svc_ready(const char *status); /* READY=1, STATUS= */
void wedr_svc_status(const char *status);
void wedr_svc_stopping(void);
uint32_t
wedr_svc_watchdog_ms(void); /* 0: none; call wedr_svc_watchdog_ping at least twice in that time */
void wedr_svc_watchdog_ping(void);
/* One finished log line (level 0 error .. 3 debug) to journald / Event Log. The first
 * call of a process opens its socket: before wedr_sandbox_enter. One thread at a time. */
void wedr_svc_log(int level, const char *line, size_t len);
