/* SPDX-License-Identifier: Apache-2.0
 * tools/banned.h — included in front of every C file of the product (cmake/WedrFlags.cmake): what
 * we never call becomes a compile error. Memory: wedr_alloc and its family. Text: snprintf, memcpy,
 * wedr_buf, wedr_json. Numbers: strtoull with its checks. Time: gmtime_r, wedr_json_time_us. A file
 * that is allowed to (the allocator itself, tests) is compiled with WEDR_ALLOW_BANNED. */
#if !defined(WEDR_ALLOW_BANNED) && !defined(__cplusplus)

/* The declarations must be read before their names are taken away. */
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <time.h>
#    undef alloca
#    undef strdup
#    undef strndup

/* <sodium.h> writes __attribute__((malloc)), which a poisoned name would break; a call is caught
 * all the same. */
#    define malloc(...) wedr_banned_use_wedr_alloc

#    pragma GCC poison calloc realloc reallocarray free alloca
#    pragma GCC poison strdup strndup asprintf vasprintf
#    pragma GCC poison sprintf vsprintf gets tmpnam
#    pragma GCC poison strcpy strcat strncpy strncat stpcpy strtok
#    pragma GCC poison atoi atol atoll atof
#    pragma GCC poison gmtime localtime ctime asctime

#endif
