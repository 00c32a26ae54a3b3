/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_sim.h — what the nt_*.c files share. They are compiled like the driver: pre.h has
 * brought the NT headers in. */
#pragma once

#include "sim.h"

/* In the kernel's export table, but in no header of mingw. */
PVOID NTAPI ExAllocatePool2(ULONG64 flags, SIZE_T len, ULONG tag);
VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER ret_time);
NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS process);
HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS process);
ULONG NTAPI PsGetProcessSessionId(PEPROCESS process);
ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS process);
NTSTATUS NTAPI ZwQuerySystemInformation(ULONG information_class,
                                        PVOID buffer,
                                        ULONG len,
                                        PULONG ret_len);
NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER cookie,
                                          PVOID object,
                                          PULONG_PTR ret_id,
                                          PCUNICODE_STRING *ret_name,
                                          ULONG flags);
VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING name);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING service_key);

#define SIM_ALTITUDE_COLLISION ((NTSTATUS)0xc01c0011)
#define SIM_KEY_DELETED ((NTSTATUS)0xc000017c)
#define SIM_CHILD_MUST_BE_VOLATILE ((NTSTATUS)0xc0000181)

/* ---- strings (nt_rtl.c) ------------------------------------------------------------------------
 */

struct sim_string {
    UNICODE_STRING us;
    void *block;
};
/* Heap copy of exactly the bytes of t. The result is s->us, or NULL for an absent text. */
PUNICODE_STRING sim_string_init(struct sim_string *s, struct ntsim_text t);
void sim_string_fini(struct sim_string *s);
struct ntsim_text sim_text_of(PCUNICODE_STRING s);

/* ---- objects (nt_ps.c) --------------------------------------------------------------------------
 */

enum sim_type {
    SIM_TYPE_PROCESS = 0x51,
    SIM_TYPE_THREAD,
    SIM_TYPE_TOKEN,
    SIM_TYPE_DEVICE,
    SIM_TYPE_FILE,
    SIM_TYPE_KEY,
};
#define SIM_SID_MAX 68u
#define SIM_OBJECT_MAGIC 0x6a624f73u
struct sim_object { /* in front of every object's body */
    uint32_t magic;
    uint32_t type;
    _Atomic int64_t refs; /* those that the driver took */
};
struct sim_object *sim_object_of(const void *body);
/* False, and a violation, unless body is of that type. */
bool sim_object_check(const void *body, enum sim_type type, const char *who);
void sim_object_init(struct sim_object *o, enum sim_type type);
/* Before the memory goes. */
void sim_object_end(struct sim_object *o, const char *what);
void sim_object_ref(struct sim_object *o);
extern _Atomic int64_t sim_references;

struct ntsim_process {
    struct sim_object object;
    UCHAR body[16]; /* what a PEPROCESS points to */
    struct ntsim_process_spec spec;
    struct sim_object token;
    UCHAR token_body[16];
    uint8_t sid[SIM_SID_MAX];
    _Atomic unsigned fail;
    _Atomic int32_t exit_status; /* when ended */
    atomic_bool exited, live;
    struct ntsim_thread *threads;
    struct ntsim_process *next;     /* of the bucket, while live */
    struct ntsim_process *next_all; /* of all */
    struct ntsim_process *prev_all;
};
struct ntsim_thread {
    struct sim_object object;
    UCHAR body[16];
    uint64_t tid;
    struct ntsim_process *process;
    struct ntsim_thread *next;
};
_Static_assert(offsetof(struct ntsim_process, body) == sizeof(struct sim_object),
               "the body follows");
_Static_assert(offsetof(struct ntsim_process, token_body) ==
                   offsetof(struct ntsim_process, token) + sizeof(struct sim_object),
               "the body follows");
_Static_assert(offsetof(struct ntsim_thread, body) == sizeof(struct sim_object),
               "the body follows");

static inline PEPROCESS sim_process_body(struct ntsim_process *p)
{
    return p ? (PEPROCESS)(void *)p->body : NULL;
}

static inline PETHREAD sim_thread_body(struct ntsim_thread *t)
{
    return t ? (PETHREAD)(void *)t->body : NULL;
}

struct ntsim_thread *sim_current(void); /* never NULL */
void sim_ps_reset(void);
void sim_ps_forget_references(void);

/* ---- pool (nt_pool.c)
 * ----------------------------------------------------------------------------- */

enum sim_kind {
    SIM_KIND_POOL = 1,
    SIM_KIND_NAME = 2 /* from CmCallbackGetKeyObjectIDEx */
};
void *sim_block_new(enum sim_kind kind, size_t len, ULONG tag, bool zeroed, bool paged);
/* check_tag: tag must be the block's. */
void sim_block_free(void *p, enum sim_kind kind, bool check_tag, ULONG tag);
void sim_pool_check_unload(void);
void sim_pool_reset(void);

/* ---- callbacks (nt_callbacks.c)
 * ---------------------------------------------------------------------- */

#define SIM_SLOTS 8u
struct sim_slot {
    atomic_bool active;
    _Atomic int running;
    void *_Atomic function;
    void *context;
    uint64_t cookie;
    struct ntsim_text altitude;
    POB_PRE_OPERATION_CALLBACK pre[2][2]; /* [process, thread][create, duplicate] */
};
struct sim_slots {
    struct sim_slot slot[SIM_SLOTS];
};
extern struct sim_slots sim_callbacks[NTSIM_SOURCES];

/* The lock SIM_LOCK_CALLBACK is held. A free slot; NULL. */
struct sim_slot *sim_slot_free(enum ntsim_source s);
/* Waits until nobody is inside; the lock is not held. */
void sim_slot_stop(struct sim_slot *slot, const char *who);
/* One call of the driver from outside: IRQL and locks must be as before. */
struct sim_visit {
    struct sim_slot *slot;
    uint8_t irql;
    unsigned held, regions;
};
/* False: not registered (any more). */
bool sim_visit_begin(struct sim_visit *v, struct sim_slot *slot);
void sim_visit_end(struct sim_visit *v, const char *what);
/* The same without a slot. */
void sim_visit_start(struct sim_visit *v);
void sim_visit_check(const struct sim_visit *v, const char *what);
void sim_callbacks_check_unload(void);
void sim_callbacks_reset(void);

/* An altitude as NT accepts it: decimal, at most one point. */
bool sim_altitude_valid(PCUNICODE_STRING altitude);
/* The lock SIM_LOCK_CALLBACK is held. */
bool sim_altitude_free(enum ntsim_source s, PCUNICODE_STRING altitude);
void sim_altitude_note(enum ntsim_source s, PCUNICODE_STRING altitude);
void sim_ob_note_reset(void);
void sim_cm_reset(void);
PVOID sim_key_body(struct ntsim_key *k);
void sim_key_rename_leaf(struct ntsim_key *k, struct ntsim_text leaf);

/* ---- handles, security, registry
 * -------------------------------------------------------------------- */

enum sim_handle_kind { SIM_HANDLE_FREE, SIM_HANDLE_KEY, SIM_HANDLE_DEVICE };
/* NULL: table full. */
HANDLE sim_handle_new(enum sim_handle_kind kind, void *what, ACCESS_MASK access, ULONG attributes);
/* NULL, and a violation, when it is not one of that kind. */
void *sim_handle_get(HANDLE h, enum sim_handle_kind kind, ACCESS_MASK *ret_access);
void sim_handles_check_unload(void);
void sim_handles_reset(void);
void sim_registry_reset(void);

/* ---- devices, requests (nt_io.c, nt_irp.c)
 * -------------------------------------------------------------- */

struct sim_device {
    struct sim_device *next;
    struct ntsim_text name;
    struct ntsim_device info; /* flags and what CREATE found are taken when asked for */
    uint8_t *sids;            /* what info.ace points into */
    struct sim_object object;
    DEVICE_OBJECT body; /* the extension follows */
};
_Static_assert(offsetof(struct sim_device, body) ==
                   offsetof(struct sim_device, object) + sizeof(struct sim_object),
               "the body follows");
static inline struct sim_device *sim_device_of(PDEVICE_OBJECT d)
{
    return CONTAINING_RECORD(d, struct sim_device, body);
}

struct ntsim_file {
    struct ntsim_file *next;
    bool cleaned;
    bool dead; /* the driver is gone */
    struct sim_device *device;
    struct sim_string name;
    struct sim_object object;
    FILE_OBJECT body;
};
_Static_assert(offsetof(struct ntsim_file, body) ==
                   offsetof(struct ntsim_file, object) + sizeof(struct sim_object),
               "the body follows");

extern DRIVER_OBJECT sim_driver;
struct sim_device *sim_device_find(struct ntsim_text name); /* the lock SIM_LOCK_IO is held */

/* A request without buffers that must complete at once; its status. */
NTSTATUS sim_file_request(struct ntsim_file *f, UCHAR major);
/* Requests of f (NULL: all) that the driver has parked. */
unsigned sim_irp_parked(const struct ntsim_file *f);
void sim_irp_abandon(const struct ntsim_file *f);
void sim_irp_reset(void);
bool sim_cancel_lock_mine(void);
void sim_cancel_lock_break(void);
void sim_irql_reset(void);
