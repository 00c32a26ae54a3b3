/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/ntsim.h — control of the simulated NT kernel, for tests.
 *
 * The driver's own .c files are linked with the simulator into one program. A test plays the rest
 * of the machine: it loads the driver, opens its device, issues and cancels requests, invents
 * processes and fires the kernel's callbacks. The simulator enforces the kernel's rules all the
 * while.
 *
 * Plain C: no NT header, nothing of glibc. NTSTATUS travels as int32_t, an access mask as uint32_t,
 * a pid or tid as uint64_t. Everything may be called from any thread unless it says otherwise; what
 * belongs to a thread (current process, IRQL) is per thread of the test. Functions whose failure
 * would be a fault of the test itself (no memory, unknown name) stop the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- text ------------------------------------------------------------------------------------ */

/* What becomes a UNICODE_STRING. All zero: the pointer to it is NULL. Each time it is handed to the
 * driver it lies in a heap block of exactly len bytes, so that a read past its end is seen. */
struct ntsim_text {
    const uint16_t *units; /* NULL: Buffer is NULL */
    uint16_t len;          /* bytes; odd ones are handed on as they are */
    bool present;
};

/* u"literal", NULs inside it included, the one behind it not. */
#define NTSIM_TEXT(literal) \
    ((struct ntsim_text){(literal), (uint16_t)(sizeof(literal) - sizeof(uint16_t)), true})
#define NTSIM_BYTES(pointer, bytes) \
    ((struct ntsim_text){(const uint16_t *)(const void *)(pointer), (uint16_t)(bytes), true})
#define NTSIM_NULL ((struct ntsim_text){0})

/* Texts handed to the driver in callbacks lie in pages of their own from now on, which are gone
 * while the thread holds a spin lock, as paged pool may be at DISPATCH: touching them then is a
 * SIGSEGV. For tests that play with one thread. Off after reset. */
void ntsim_page_texts(bool on);
/* One that is alive; NULL. */
const void *ntsim_paged_text(void);

/* ---- statuses that tests compare with ---------------------------------------------------------
 */

#define NTSIM_STATUS(code) ((int32_t)(code))
#define NTSIM_SUCCESS 0
#define NTSIM_PENDING NTSIM_STATUS(0x00000103)
#define NTSIM_BUFFER_OVERFLOW NTSIM_STATUS(0x80000005)
#define NTSIM_UNSUCCESSFUL NTSIM_STATUS(0xc0000001)
#define NTSIM_INVALID_PARAMETER NTSIM_STATUS(0xc000000d)
#define NTSIM_INVALID_DEVICE_REQUEST NTSIM_STATUS(0xc0000010)
#define NTSIM_ACCESS_DENIED NTSIM_STATUS(0xc0000022)
#define NTSIM_BUFFER_TOO_SMALL NTSIM_STATUS(0xc0000023)
#define NTSIM_OBJECT_NAME_NOT_FOUND NTSIM_STATUS(0xc0000034)
#define NTSIM_OBJECT_NAME_COLLISION NTSIM_STATUS(0xc0000035)
#define NTSIM_INSUFFICIENT_RESOURCES NTSIM_STATUS(0xc000009a)
#define NTSIM_CANCELLED NTSIM_STATUS(0xc0000120)
#define NTSIM_KEY_DELETED NTSIM_STATUS(0xc000017c)
#define NTSIM_ALTITUDE_COLLISION NTSIM_STATUS(0xc01c0011)

/* ---- life of the simulator and the driver -----------------------------------------------------
 */

/* Everything as after the start of the machine: no device, no process but System (pid 4, thread 8),
 * only the service's key in the registry, clock at NTSIM_TIME, no faults, no hooks, no recorder.
 * What a test left behind (files, requests, processes, keys) is freed. Checks what the last driver
 * left, unless it was unloaded (which checks too): a driver that is loaded is unloaded. No other
 * thread may be inside the simulator. Counts as the end of a session of the kernel: the registry is
 * empty again. */
void ntsim_reset(void);

/* DriverEntry with \Registry\Machine\System\CurrentControlSet\Services\WazabiEDR. When it fails,
 * everything it left behind is a violation. The key may be named otherwise. */
int32_t ntsim_load(void);
int32_t ntsim_load_as(struct ntsim_text service_key);
/* DriverUnload, then: pool, devices, links, callbacks, handles, references, key names, parked
 * requests, a lock held. Files that are still open only take ntsim_close afterwards. */
void ntsim_unload(void);
bool ntsim_loaded(void);

/* ---- violations -------------------------------------------------------------------------------
 */

/* A broken rule, by its name ("irp.double_completion"; all of them: rules.def) and with what was
 * seen. The default prints and aborts. A recorder lets the simulator go on as well as it can. */
typedef void (*ntsim_violation_fn)(const char *rule, const char *text, void *arg);
void ntsim_on_violation(ntsim_violation_fn fn, void *arg); /* NULL: the default */

/* The recorder that tests of the simulator use: counts, rule by rule. Until reset. */
void ntsim_record(void);
unsigned ntsim_violations(void);           /* since ntsim_record or ntsim_forget */
unsigned ntsim_violated(const char *rule); /* how often this one */
void ntsim_forget(void);
const char *ntsim_rule(unsigned index); /* name of the index-th rule; NULL behind the last */

/* ---- processes and threads ---------------------------------------------------------------------
 */

struct ntsim_process;
struct ntsim_thread;

/* Look-ups about a process that fail. */
#define NTSIM_FAIL_LOOKUP 0x01u      /* PsLookupProcessByProcessId */
#define NTSIM_FAIL_IMAGE 0x02u       /* SeLocateProcessImageName */
#define NTSIM_FAIL_USER 0x04u        /* SeQueryInformationToken(TokenUser) */
#define NTSIM_FAIL_INTEGRITY 0x08u   /* ... TokenIntegrityLevel */
#define NTSIM_FAIL_ELEVATION 0x10u   /* ... TokenElevation */
#define NTSIM_FAIL_SESSION 0x20u     /* PsGetProcessSessionId gives (ULONG)-1 */
#define NTSIM_FAIL_IMAGE_EMPTY 0x40u /* SeLocateProcessImageName succeeds with length 0 */
#define NTSIM_FAIL_HIDDEN 0x80u      /* not in the list of ZwQuerySystemInformation */

struct ntsim_process_spec {
    uint64_t pid;
    uint64_t parent_pid; /* InheritedFromUniqueProcessId */
    int64_t create_time; /* 100 ns since 1601 */
    uint64_t start_key;
    uint32_t session;
    struct ntsim_text image; /* what SeLocateProcessImageName finds */
    const uint8_t *sid;      /* NULL: S-1-5-18 */
    size_t sid_len;
    uint32_t integrity; /* RID: 0x3000 high ...; 0: no mandatory label */
    bool elevated;
    bool by_pointer; /* integrity and elevation as pool pointers, not as values in the pointer */
    int32_t exit_status; /* STATUS_PENDING is seen until the process ends or its exit is fired */
    unsigned fail;       /* NTSIM_FAIL_* */
};

/* Live until ntsim_process_end, memory until reset. The pid must not be that of a live process. */
struct ntsim_process *ntsim_process_new(const struct ntsim_process_spec *spec);
/* No longer found by its pid. */
void ntsim_process_end(struct ntsim_process *p);
/* ntsim_process_end, and the memory: a reference that the driver still holds is a violation. Its
 * threads go with it. */
void ntsim_process_free(struct ntsim_process *p);
void ntsim_process_fail(struct ntsim_process *p, unsigned fail);
void ntsim_process_exit_status(struct ntsim_process *p, int32_t status);
uint64_t ntsim_pid(const struct ntsim_process *p);
struct ntsim_process *ntsim_process_find(uint64_t pid); /* live; NULL */
struct ntsim_process *ntsim_system(void);

struct ntsim_thread *ntsim_thread_new(struct ntsim_process *p, uint64_t tid);
uint64_t ntsim_tid(const struct ntsim_thread *t);

/* Whose context the calling thread of the test plays from now on; NULL: System. Used by everything
 * below: requests, callbacks, PsGetCurrentProcessId. */
void ntsim_set_current(struct ntsim_thread *t);
struct ntsim_thread *ntsim_current(void);

/* IRQL of the calling thread; firing and issuing happen at what is set here (0 passive, 1 APC). */
unsigned ntsim_irql(void);
void ntsim_set_irql(unsigned irql);
/* A spin lock that stays taken so long is a violation "lock.stuck"; 10000 after reset. */
void ntsim_lock_timeout(unsigned ms);

/* ---- files of the device ------------------------------------------------------------------------
 */

struct ntsim_file;

/* Opens \DosDevices\WazabiEDR with CREATE. Refused by the I/O manager itself: no such link or
 * device, an exclusive device that is open, a driver that is unloading. NULL unless status is a
 * success. */
struct ntsim_file *ntsim_open(int32_t *ret_status);
/* The same, but the I/O manager does not look at the exclusive flag. */
struct ntsim_file *ntsim_open_shared(int32_t *ret_status);
/* Of another name, such as \Device\WazabiEDR or \Device\WazabiEDR\tail (FileName is then the tail).
 */
struct ntsim_file *ntsim_open_name(struct ntsim_text name, int32_t *ret_status);
/* IRP_MJ_CLEANUP alone: the last handle is gone. Once. */
int32_t ntsim_cleanup(struct ntsim_file *f);
/* IRP_MJ_CLOSE; f is gone. With no CLEANUP before it, and with requests parked, as Wine does it. A
 * request that is still parked afterwards is a violation. */
int32_t ntsim_close(struct ntsim_file *f);
/* As NT: CLEANUP, then CLOSE once no request of the file is left (after cleanup none may be). */
void ntsim_close_handle(struct ntsim_file *f);

/* ---- requests
 * -------------------------------------------------------------------------------------- */

struct ntsim_irp;

/* IRP_MJ_DEVICE_CONTROL, METHOD_BUFFERED: the system buffer is a heap block of exactly
 * max(in_len, out_len) bytes, what lies behind the input is 0xa5 (first 4 KiB). *ret_status: what
 * the dispatch routine returned. The result belongs to the caller until ntsim_irp_free. */
struct ntsim_irp *ntsim_ioctl_start(struct ntsim_file *f,
                                    uint32_t code,
                                    const void *in,
                                    size_t in_len,
                                    size_t out_len,
                                    int32_t *ret_status);
/* Any other major function (0 CREATE ... 0x1b PNP), no buffers. */
struct ntsim_irp *ntsim_major_start(struct ntsim_file *f, unsigned major, int32_t *ret_status);

bool ntsim_irp_done(struct ntsim_irp *r);
/* False: not completed in time. */
bool ntsim_irp_wait(struct ntsim_irp *r, unsigned timeout_ms);
/* Of a completed request. */
int32_t ntsim_irp_status(struct ntsim_irp *r);
uint64_t ntsim_irp_information(struct ntsim_irp *r);
/* The bytes that reach the caller's buffer: Information of them, none after an error status. */
const uint8_t *ntsim_irp_output(struct ntsim_irp *r, size_t *ret_len);
/* Must be completed (else a violation "irp.freed_pending", and the request is leaked). */
void ntsim_irp_free(struct ntsim_irp *r);

/* Start, and when it is done already: copy the output, free. *ret_information, *ret_irp may be
 * NULL. When the driver parks it: NTSIM_PENDING, and *ret_irp is the request (with ret_irp NULL: it
 * is cancelled, and the status is that of the completion). Otherwise *ret_irp is NULL. */
int32_t ntsim_ioctl(struct ntsim_file *f,
                    uint32_t code,
                    const void *in,
                    size_t in_len,
                    void *out,
                    size_t out_len,
                    size_t *ret_information,
                    struct ntsim_irp **ret_irp);

/* IoCancelIrp. True: a cancel routine was there and was called. A completed request: false. */
bool ntsim_cancel(struct ntsim_irp *r);
/* Its two halves, for a test that puts something in between. begin: Irp->Cancel is set and the
 * routine taken and cleared, under the cancel spin lock. True: a routine is due, call finish.
 * finish: the routine is called, under the cancel spin lock again (which is not held in between, so
 * that one thread can play both sides). A request that was completed in between by someone else is
 * a violation "irp.cancel_owned" at the completion. */
bool ntsim_cancel_begin(struct ntsim_irp *r);
void ntsim_cancel_finish(struct ntsim_irp *r);
/* CancelIoEx(file, NULL): every parked request of the file. How many had a routine. */
unsigned ntsim_cancel_file(struct ntsim_file *f);
/* What the end of a thread, or of all threads of a process, cancels. */
unsigned ntsim_cancel_thread(struct ntsim_thread *t);
unsigned ntsim_cancel_process(struct ntsim_process *p);
/* Requests that the driver has parked. */
unsigned ntsim_parked(void);

/* ---- callbacks: processes, images, threads, handles
 * ---------------------------------------------- */

/* Each calls every routine that is registered, in the calling thread, as its current process. */

struct ntsim_create {
    struct ntsim_process *process; /* the new one; pid from it */
    uint64_t parent_pid;           /* 0: that of the process */
    uint64_t creating_pid;         /* 0, with tid 0: the current process and thread */
    uint64_t creating_tid;
    struct ntsim_text image;
    struct ntsim_text command_line;
    bool file_open_name_available;
    bool no_file_object;
};
/* CreationStatus as the driver left it: 0 unless it refused the process. */
int32_t ntsim_fire_process_create(const struct ntsim_create *c);
void ntsim_fire_process_exit(struct ntsim_process *p);
/* With these values, whatever they are. process NULL: as NT never does. */
void ntsim_fire_process_exit_as(struct ntsim_process *p, uint64_t pid);

#define NTSIM_IMAGE_KERNEL 0x0100u   /* IMAGE_INFO.Properties: SystemModeImage */
#define NTSIM_IMAGE_EXTENDED 0x0400u /* ExtendedInfoPresent: IMAGE_INFO_EX surrounds it */
struct ntsim_image {
    struct ntsim_text name;
    uint64_t pid;        /* 0: into the kernel */
    uint32_t properties; /* IMAGE_INFO.Properties; bits 12 to 15 signature level */
    uint64_t base;
    uint64_t size;
};
void ntsim_fire_image(const struct ntsim_image *i);

void ntsim_fire_thread(uint64_t pid, uint64_t tid, bool created);

struct ntsim_handle {
    struct ntsim_process *process; /* the object: one of these two */
    struct ntsim_thread *thread;
    bool duplicate;
    bool kernel_handle;
    uint32_t access;              /* OriginalDesiredAccess */
    uint32_t reduced_access;      /* DesiredAccess as filters above left it; 0: as access */
    struct ntsim_process *source; /* of a duplicate; NULL as it is */
    struct ntsim_process *target;
};
/* DesiredAccess as the driver left it. Calls only the registrations of that type and operation. */
uint32_t ntsim_fire_handle(const struct ntsim_handle *h);

/* ---- callbacks: registry
 * ---------------------------------------------------------------------------- */

struct ntsim_key;

/* A key object with the name that CmCallbackGetKeyObjectIDEx gives. Lives until reset. */
struct ntsim_key *ntsim_key_new(struct ntsim_text name);
void ntsim_key_free(struct ntsim_key *k);
void ntsim_key_rename(struct ntsim_key *k, struct ntsim_text name);
/* The look-up of its name fails with this status; 0: works again. */
void ntsim_key_fail(struct ntsim_key *k, int32_t status);
/* A key object that must not be looked at: any use of it is a violation "cm.dead_object". */
struct ntsim_key *ntsim_key_dead(void);

enum ntsim_reg {
    NTSIM_REG_DELETE_KEY,
    NTSIM_REG_SET_VALUE,
    NTSIM_REG_DELETE_VALUE,
    NTSIM_REG_SET_INFORMATION,
    NTSIM_REG_RENAME,
    NTSIM_REG_ENUMERATE_KEY,
    NTSIM_REG_ENUMERATE_VALUE,
    NTSIM_REG_QUERY_KEY,
    NTSIM_REG_QUERY_VALUE,
    NTSIM_REG_QUERY_MULTIPLE_VALUE,
    NTSIM_REG_CREATE, /* RegNtPre/PostCreateKeyEx */
    NTSIM_REG_OPEN,   /* RegNtPre/PostOpenKeyEx */
    NTSIM_REG_CLOSE,  /* KeyHandleClose */
    NTSIM_REG_FLUSH,
    NTSIM_REG_LOAD,
    NTSIM_REG_UNLOAD,
    NTSIM_REG_QUERY_SECURITY,
    NTSIM_REG_SET_SECURITY,
    NTSIM_REG_RESTORE,
    NTSIM_REG_SAVE,
    NTSIM_REG_REPLACE,
    NTSIM_REG_OPS
};

/* One operation; what a kind does not have is not looked at. */
struct ntsim_registry {
    enum ntsim_reg op;
    struct ntsim_key *key;       /* Object; CREATE and OPEN: RootObject. NULL as it is */
    struct ntsim_text name;      /* value name; CREATE, OPEN: CompleteName; LOAD: KeyName; RENAME:
                                    NewName;      REPLACE: NewFileName */
    struct ntsim_text file;      /* LOAD: SourceFile; REPLACE: OldFileName */
    struct ntsim_text remaining; /* CREATE, OPEN: RemainingName */
    struct ntsim_key *result;    /* CREATE, OPEN: what the post call finds as Object */
    uint32_t type;               /* of a value; SET_SECURITY: the SECURITY_INFORMATION */
    const void *data;            /* NULL: Data is NULL */
    size_t data_len;             /* bytes that are there; reading on faults, which only the driver's
                                    wedr_seh_copy survives */
    uint32_t data_size;          /* DataSize as claimed; may be more */
    bool data_gone;              /* not one byte is there any more in the post call */
    uint32_t disposition;        /* CREATE: 1 created, 2 opened */
    bool no_disposition;         /* CREATE: the pointer is NULL */
    bool old_layout;             /* CREATE, OPEN: without the V1 tail, Reserved is 0 */
    uint32_t access;
    uint32_t flags;          /* RESTORE, LOAD */
    bool no_pre_information; /* the post call has PreInformation NULL */
    int32_t return_status;   /* ReturnStatus of the post call */
    void *context;           /* CallContext of the first registration, kept from pre to post; the
                                test may change it in between */
};

/* RegNtPreXxx; what the callback returned (anything but 0 would block the operation). */
int32_t ntsim_fire_registry_pre(struct ntsim_registry *r);
/* RegNtPostXxx with the result of the operation. */
int32_t ntsim_fire_registry_post(struct ntsim_registry *r, int32_t status);
/* Both, as the kernel does it: no post call when the pre call blocked. After a success a deleted
 * key has no name any more, and a renamed one the new name. */
int32_t ntsim_fire_registry(struct ntsim_registry *r, int32_t status);
/* Argument1 and Argument2 as given. */
int32_t ntsim_fire_registry_raw(uint64_t argument1, void *argument2);
/* The RegNtPreXxx and RegNtPostXxx class of a kind. */
unsigned ntsim_registry_class(enum ntsim_reg op, bool post);

int32_t ntsim_fire_registry_set_value(struct ntsim_key *key,
                                      struct ntsim_text value,
                                      uint32_t type,
                                      const void *data,
                                      size_t len,
                                      int32_t status);
int32_t
ntsim_fire_registry_delete_value(struct ntsim_key *key, struct ntsim_text value, int32_t status);
int32_t ntsim_fire_registry_delete_key(struct ntsim_key *key, int32_t status);
int32_t
ntsim_fire_registry_rename_key(struct ntsim_key *key, struct ntsim_text name, int32_t status);
int32_t ntsim_fire_registry_create_key(struct ntsim_key *root,
                                       struct ntsim_text name,
                                       struct ntsim_key *result,
                                       uint32_t disposition,
                                       int32_t status);

/* ---- what the driver registered
 * ------------------------------------------------------------------------ */

enum ntsim_source {
    NTSIM_SOURCE_PROCESS,
    NTSIM_SOURCE_IMAGE,
    NTSIM_SOURCE_THREAD,
    NTSIM_SOURCE_REGISTRY,
    NTSIM_SOURCE_HANDLE,
    NTSIM_SOURCES
};

unsigned ntsim_registered(enum ntsim_source s); /* registrations in force */
/* The last registration call of REGISTRY or HANDLE; len in bytes. */
const uint16_t *ntsim_altitude(enum ntsim_source s, size_t *ret_len);
/* Of the last ObRegisterCallbacks: operations (1 create, 2 duplicate) by type; how many entries. */
uint32_t ntsim_handle_operations(bool threads);
unsigned ntsim_handle_entries(void);
/* Another driver has this altitude already: registering it again gives NTSIM_ALTITUDE_COLLISION. */
void ntsim_altitude_taken(struct ntsim_text altitude);

struct ntsim_ace {
    uint8_t type; /* 0 allow, 1 deny */
    uint8_t flags;
    uint32_t mask;
    const uint8_t *sid;
    size_t sid_len;
};
struct ntsim_device {
    uint32_t type;            /* FILE_DEVICE_* */
    uint32_t flags;           /* DO_*: as the driver left them; DO_DEVICE_INITIALIZING is 0x80 */
    uint32_t characteristics; /* FILE_DEVICE_SECURE_OPEN is 0x100 */
    uint32_t extension;       /* bytes of its extension */
    bool exclusive;
    bool has_dacl;       /* set by the driver; false: the default DACL of the I/O manager */
    bool dacl_null;      /* everyone, everything */
    bool dacl_protected; /* SE_DACL_PROTECTED */
    bool dacl_defaulted; /* SE_DACL_DEFAULTED */
    unsigned aces;
    struct ntsim_ace ace[8];
};
/* The device of that name, as long as it exists. */
bool ntsim_device(struct ntsim_text name, struct ntsim_device *ret);
/* Major functions that the driver has left to the I/O manager. */
unsigned ntsim_majors_unset(void);
/* Target of a link; false: none of that name. Points into the simulator. */
bool ntsim_link(struct ntsim_text name, struct ntsim_text *ret_target);

/* ---- faults, clock, registry values, hooks
 * ----------------------------------------------------------------- */

/* The n-th call, from now on, of anything that can fail does fail, once (1 = the next); 0: none.
 * The count of such calls starts again. Torture: load with n = 1, 2, ... until n >
 * ntsim_fault_points(). */
void ntsim_fail_nth(uint64_t n);
uint64_t ntsim_fault_points(void);  /* calls since then that could have failed */
bool ntsim_fault_hit(void);         /* the n-th came */
const char *ntsim_fault_name(void); /* its function; NULL */

/* Calls of one function, after `skip` good ones, fail `times` times with this status (pool: NULL).
 */
void ntsim_fail(const char *function, unsigned skip, unsigned times, int32_t status);
/* MmGetSystemRoutineAddress does not find it. */
void ntsim_hide(const char *function);
void ntsim_faults_clear(void); /* all three kinds */
/* Calls of a function since reset. */
uint64_t ntsim_calls(const char *function);

/* fn is called, in the thread and at the IRQL of the call, at the start of each call of that NT
 * function: the place for what another processor does in the meantime. "<function>.done" is reached
 * before the function returns, for the registering, locking and completing ones (calls.def). fn may
 * call the simulator; while it runs in a thread that thread reaches no hook. NULL removes. */
void ntsim_hook(const char *point, void (*fn)(void *arg), void *arg);

#define NTSIM_TIME INT64_C(133800000000000000)
void ntsim_set_time(int64_t t); /* 100 ns since 1601 */
int64_t ntsim_time(void);

/* Values that ZwQueryValueKey finds. path as in \Registry\Machine\...; keys on the way are made. */
void ntsim_reg_set(
    struct ntsim_text path, struct ntsim_text value, uint32_t type, const void *data, size_t len);
void ntsim_reg_set_dword(struct ntsim_text path, struct ntsim_text value, uint32_t number);
bool ntsim_reg_get(struct ntsim_text path,
                   struct ntsim_text value,
                   uint32_t *ret_type,
                   void *data,
                   size_t size,
                   size_t *ret_len);
bool ntsim_reg_volatile(struct ntsim_text path); /* there, and made with REG_OPTION_VOLATILE */
void ntsim_reg_delete(struct ntsim_text path);   /* with what lies below */
#define NTSIM_SERVICE u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\WazabiEDR"

/* ---- counts
 * --------------------------------------------------------------------------------------------------
 */

uint64_t ntsim_pool_allocations(void); /* calls that gave the driver memory, since reset */
uint64_t ntsim_pool_live(void);        /* blocks it holds */
uint64_t ntsim_pool_bytes(void);       /* bytes in them */
uint64_t ntsim_pool_peak(void);
uint64_t ntsim_references(void);  /* references to objects that the driver holds */
uint64_t ntsim_handles(void);     /* handles that it holds */
uint64_t ntsim_completions(void); /* requests completed, since reset */
