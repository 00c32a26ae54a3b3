/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/driver_play.h — small plays that several tests begin with: a process that a service
 * creates for another, and a registry change. */
#pragma once

#include "driver_expect.h"

/* ---- creation of a process ---- */

#define PARENT 100u
#define CHILD 300u
#define PARENT_IMAGE u"\\Device\\HarddiskVolume3\\Windows\\explorer.exe"
#define CHILD_IMAGE u"\\Device\\HarddiskVolume3\\Tools\\child.exe"
#define NAMED_IMAGE u"\\??\\C:\\Tools\\named.exe"
#define COMMAND u"child.exe --all \"of it\""
#define USER_SID u"S-1-5-21-1-2-4294967295-1001"

/* Key DRIVER_KEY(pid), created at NTSIM_TIME + pid, session 2, CHILD_IMAGE, USER_SID, integrity
 * 0x3000, elevated. */
struct ntsim_process_spec play_spec(uint64_t pid, uint64_t parent_pid);
/* PARENT with PARENT_IMAGE; another user, session and integrity. Not announced. */
struct ntsim_process *play_parent(void);
/* A service, CREATOR_PID, that creates for others; its context runs from now on. */
void play_creator(void);
/* Announces p. */
void play_creation(struct ntsim_process *p,
                   struct ntsim_text image,
                   struct ntsim_text command_line);
/* A process of that spec, announced with NAMED_IMAGE and COMMAND. */
struct ntsim_process *play_new(const struct ntsim_process_spec *s);
/* Parent and creator stand; the child, not announced. */
struct ntsim_process *play_child(void);
/* The record of CHILD's creation in that play. */
struct wants wants_creation(void);

/* ---- registry ---- */

#define RUN u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
#define UNWATCHED u"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor\\Product"

/* A change of that key by the current process, which is in no table, with nothing else in it. */
struct wants wants_change(uint16_t op, int32_t status, struct ntsim_text key_path);
