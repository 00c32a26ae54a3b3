/* SPDX-License-Identifier: Apache-2.0
 * lib/platform/posix/sandbox_internal.h — the two halves of a profile: paths (landlock) and system
 * calls (seccomp). */
#pragma once

#include "wedr/plat/sandbox.h"

/* A ruleset of the profile, ready to be applied; -1 in *ret_fd when the kernel has no landlock.
 * dir: the open folder of WEDR_SANDBOX_CORE. */
WEDR_MUST_USE int wedr_landlock_build(enum wedr_sandbox_profile profile,
                                      int dir,
                                      int *ret_fd,
                                      struct wedr_errinfo *ei);
/* Needs no_new_privs. -1 does nothing. */
WEDR_MUST_USE int wedr_landlock_apply(int fd, struct wedr_errinfo *ei);
/* Loads the profile's filter into every thread. The last step: nothing after it may need more. */
WEDR_MUST_USE int wedr_seccomp_apply(enum wedr_sandbox_profile profile, struct wedr_errinfo *ei);

/* A sanitizer's runtime reserves terabytes of address space and makes system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define WEDR_SANITIZED true
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define WEDR_SANITIZED true
#    endif
#endif
#ifndef WEDR_SANITIZED
#    define WEDR_SANITIZED false
#endif
