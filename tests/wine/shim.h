/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim.h — what the test program and the shim driver say to each other. The shim runs in
 * the process that Wine uses as a kernel, in place of the parts of NT that Wine has only as stubs:
 * it takes the driver's callback registrations, checks them as NT would, and calls the callbacks
 * when the test says so. Never part of the product. */
#pragma once

#include <stdint.h>

#define SHIM_DEVICE L"\\Device\\WedrShim"
#define SHIM_LINK L"\\DosDevices\\WedrShim"

/* CTL_CODE(FILE_DEVICE_UNKNOWN, function, METHOD_BUFFERED, FILE_ANY_ACCESS) */
#define SHIM_CODE(function) (0x22u << 16 | (function) << 2)
#define SHIM_IOCTL_STATE SHIM_CODE(0x900u)   /* out: struct shim_state */
#define SHIM_IOCTL_SETUP SHIM_CODE(0x901u)   /* in: struct shim_setup */
#define SHIM_IOCTL_PROCESS SHIM_CODE(0x902u) /* in: struct shim_process; pid 0 forgets all */
#define SHIM_IOCTL_FIRE SHIM_CODE(0x903u)    /* in: struct shim_fire, out: struct shim_fired */
#define SHIM_IOCTL_CLEANUP SHIM_CODE(0x904u) /* in: struct shim_cleanup, out: struct shim_fired */
#define SHIM_IOCTL_POLL SHIM_CODE(0x905u)    /* in: u32, 1 starts and 0 stops */
#define SHIM_IOCTL_STORM \
    SHIM_CODE(0x906u) /* in: struct shim_storm; no threads: the end of the last */

enum shim_source {
    SHIM_PROCESS = 0,
    SHIM_IMAGE = 1,
    SHIM_REGISTRY = 2,
    SHIM_THREAD = 3,
    SHIM_HANDLE = 4,
    SHIM_SOURCES = 5
};

/* Functions that MmGetSystemRoutineAddress finds unless they are hidden. */
enum shim_optional {
    SHIM_ALLOCATE_POOL2 = 0,
    SHIM_CM_REGISTER = 1,
    SHIM_CM_UNREGISTER = 2,
    SHIM_CM_KEY_NAME = 3,
    SHIM_CM_RELEASE_NAME = 4,
    SHIM_START_KEY = 5,
    SHIM_PRECISE_TIME = 6,
    SHIM_OPTIONALS = 7
};

/* What the next load of the driver meets. All zero: a current Windows. */
struct shim_setup {
    uint32_t hide;              /* bit per enum shim_optional */
    int32_t fail[SHIM_SOURCES]; /* status that the registration gets */
};

#define SHIM_SID_MAX 68u
#define SHIM_PATH_MAX 520u

/* What the kernel says about a process. Unknown pids get values that the real process has. */
struct shim_process {
    uint32_t pid;
    uint32_t session;
    uint64_t start_key;
    int64_t create_time;
    uint32_t integrity;
    uint32_t elevated;
    uint32_t pool_form; /* integrity and elevation come as pool buffers, not as values */
    uint32_t no_token;  /* the token cannot be read */
    int32_t exit_status;
    uint32_t sid_len;
    uint8_t sid[SHIM_SID_MAX];
    uint16_t image[SHIM_PATH_MAX]; /* ends with 0; empty: the real one */
};

enum shim_event {
    SHIM_EV_PROCESS_CREATE = 1, /* text: image, command line */
    SHIM_EV_PROCESS_EXIT,
    SHIM_EV_THREAD_CREATE,
    SHIM_EV_THREAD_EXIT,
    SHIM_EV_IMAGE,        /* text: image */
    SHIM_EV_SET_VALUE,    /* text: key, value name, data */
    SHIM_EV_DELETE_VALUE, /* text: key, value name */
    SHIM_EV_DELETE_KEY,   /* text: key */
    SHIM_EV_RENAME_KEY,   /* text: key, new name */
    SHIM_EV_CREATE_KEY,   /* text: root key or none, name */
    SHIM_EV_OPEN_KEY,     /* text: root key or none, name */
    SHIM_EV_LOAD_KEY,     /* text: root key or none, name, file */
    SHIM_EV_RESTORE_KEY,  /* text: key */
    SHIM_EV_REPLACE_KEY,  /* text: key, old file, new file */
    SHIM_EV_SET_SECURITY, /* text: key */
    SHIM_EV_QUERY_VALUE,  /* text: key, value name */
    SHIM_EV_HANDLE_CREATE,
    SHIM_EV_HANDLE_DUPLICATE
};

/* flags */
#define SHIM_F_NO_POST 0x1u       /* registry: the operation was refused, no post call */
#define SHIM_F_BAD_DATA 0x2u      /* registry: the data cannot be read */
#define SHIM_F_KERNEL_HANDLE 0x4u /* handle: asked for by the kernel */
#define SHIM_F_THREAD_OBJECT 0x8u /* handle: of a thread, tid */

#define SHIM_F_EXISTED 0x10u /* registry: CreateKey found the key there */

#define SHIM_NONE 0xffffffffu

/* Bytes behind the structure; len SHIM_NONE: a NULL pointer. */
struct shim_text {
    uint32_t offset, len;
};

struct shim_fire {
    uint32_t event; /* enum shim_event */
    uint32_t flags;
    uint32_t repeat;                   /* at least once */
    uint32_t context_pid, context_tid; /* who the callback runs as; 0: who sends the request */
    uint32_t pid, tid;
    uint32_t parent_pid, creating_pid, creating_tid;
    int32_t status; /* of the operation; exit status */
    uint32_t value_type;
    uint32_t properties; /* image */
    uint32_t access, original_access;
    uint32_t source_pid, target_pid; /* of a duplicate */
    uint64_t base, size;
    struct shim_text text[3];
};

struct shim_fired {
    int32_t status; /* of the shim: 0, or why nothing was called */
    uint32_t calls;
    int32_t returned; /* what the last callback or dispatch routine returned */
    uint32_t access;  /* the access mask after a handle callback */
};

struct shim_cleanup {
    uint32_t stranger; /* a file object that the driver never saw opened, instead of the newest */
};

struct shim_storm {
    uint32_t threads; /* up to SHIM_STORM_THREADS */
    uint32_t each;    /* image loads of each */
    uint32_t pid;
};
#define SHIM_STORM_THREADS 8u

#define SHIM_ACES_MAX 4u
#define SHIM_NOTE_MAX 160u
#define SHIM_NOTES_MAX 8u

struct shim_ace {
    uint32_t type, flags, access, sid_len;
    uint8_t sid[SHIM_SID_MAX];
};

struct shim_state {
    uint32_t registered[SHIM_SOURCES];    /* now */
    uint32_t registrations[SHIM_SOURCES]; /* that succeeded, ever */
    uint32_t violations;                  /* breaches of NT's rules, ever */
    uint32_t names;                       /* key names given and not released */
    uint32_t tokens;                      /* token references not dropped */
    uint32_t storm_calls;                 /* image loads that storms fired at the driver, ever */
    uint32_t pool2_calls, start_key_calls, precise_time_calls;
    uint32_t dacl_set;         /* times a DACL was set */
    uint32_t dacl_information; /* SECURITY_INFORMATION of the newest */
    uint32_t dacl_control;
    int32_t dacl_status; /* what Wine said */
    uint32_t ace_count;
    uint32_t opens;        /* of the driver's device, successful, ever */
    int32_t create_status; /* what the driver said to the newest */
    struct shim_ace ace[SHIM_ACES_MAX];
    uint16_t altitude[2][32]; /* registry, handle */
    char note[SHIM_NOTES_MAX][SHIM_NOTE_MAX];
};
