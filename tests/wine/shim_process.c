/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim_process.c — what NT knows about processes and Wine does not: exports that Wine
 * has only as a name. Answers come from the table that the test fills, or else from Win32. */
#include "shim_nt.h"

#define PROCESSES_MAX 64u
#define OBJECTS_MAX 256u
#define TOKEN_MAGIC 0x6b6f5453u
#define INTEGRITY_SYSTEM 0x4000u

static struct shim_process processes[PROCESSES_MAX];
static size_t process_count;

/* Objects stay referenced: what the driver got from a callback must not vanish under the test. */
static struct {
    uint32_t id;
    PVOID object;
} objects[OBJECTS_MAX];
static size_t object_count;

static ULONG context_slot;
static PETHREAD(NTAPI *current_thread)(void);

struct token {
    uint32_t magic, pid;
};

bool shim_process_init(void)
{
    context_slot = TlsAlloc();
    current_thread = (PETHREAD(NTAPI *)(void))shim_export("KeGetCurrentThread");
    return context_slot != ~0u && current_thread != NULL;
}

void shim_process_fini(void)
{
    while (object_count > 0) {
        ObfDereferenceObject(objects[--object_count].object);
    }
    (void)TlsFree(context_slot);
}

void shim_as(struct shim_context *who)
{
    (void)TlsSetValue(context_slot, who);
}

static struct shim_process *find(uint32_t pid)
{
    for (size_t i = 0; i < process_count; i++) {
        if (processes[i].pid == pid) {
            return &processes[i];
        }
    }
    return NULL;
}

void shim_process_set(const struct shim_process *p)
{
    struct shim_process *at = find(p->pid);

    if (p->pid == 0) {
        process_count = 0;
        return;
    }
    if (!at) {
        if (process_count == PROCESSES_MAX) {
            shim_violation("the shim's process table is full");
            return;
        }
        at = &processes[process_count++];
    }
    *at = *p;
    at->image[SHIM_PATH_MAX - 1] = 0;
}

static PVOID known_object(uint32_t id)
{
    for (size_t i = 0; i < object_count; i++) {
        if (objects[i].id == id) {
            return objects[i].object;
        }
    }
    return NULL;
}

static PVOID keep_object(uint32_t id, PVOID object)
{
    if (object_count == OBJECTS_MAX) {
        shim_violation("the shim's object table is full");
        ObfDereferenceObject(object);
        return NULL;
    }
    objects[object_count].id = id;
    objects[object_count++].object = object;
    return object;
}

PEPROCESS shim_process_object(uint32_t pid)
{
    PEPROCESS found = known_object(pid);

    if (!found && NT_SUCCESS(PsLookupProcessByProcessId((HANDLE)(ULONG_PTR)pid, &found))) {
        found = keep_object(pid, found);
    }
    return found;
}

PETHREAD shim_thread_object(uint32_t tid)
{
    PETHREAD found = known_object(tid);

    if (!found && NT_SUCCESS(PsLookupThreadByThreadId((HANDLE)(ULONG_PTR)tid, &found))) {
        found = keep_object(tid, found);
    }
    return found;
}

static uint32_t pid_of(PEPROCESS process)
{
    return (uint32_t)(ULONG_PTR)PsGetProcessId(process);
}

static HANDLE NTAPI current_process_id(void)
{
    const struct shim_context *who = TlsGetValue(context_slot);

    return who && who->pid ? (HANDLE)(ULONG_PTR)who->pid : PsGetProcessId(IoGetCurrentProcess());
}

static HANDLE NTAPI current_thread_id(void)
{
    const struct shim_context *who = TlsGetValue(context_slot);

    return who && who->tid ? (HANDLE)(ULONG_PTR)who->tid : PsGetThreadId(current_thread());
}

static PEPROCESS NTAPI thread_to_process(PETHREAD thread)
{
    return shim_process_object((uint32_t)(ULONG_PTR)PsGetThreadProcessId(thread));
}

static NTSTATUS NTAPI exit_status(PEPROCESS process)
{
    const struct shim_process *p = find(pid_of(process));

    return p ? p->exit_status : STATUS_PENDING;
}

static ULONG NTAPI session_id(PEPROCESS process)
{
    const struct shim_process *p = find(pid_of(process));

    return p ? p->session : 0;
}

static LONGLONG NTAPI create_time(PEPROCESS process)
{
    uint32_t pid = pid_of(process);
    const struct shim_process *p = find(pid);
    LARGE_INTEGER t[4] = {{{0}}};
    HANDLE h;

    if (p && p->create_time) {
        return p->create_time;
    }
    h = OpenProcess(SHIM_QUERY_LIMITED, 0, pid);
    if (h) {
        (void)GetProcessTimes(h, &t[0], &t[1], &t[2], &t[3]);
        (void)CloseHandle(h);
    }
    return t[0].QuadPart;
}

ULONGLONG NTAPI shim_start_key(PEPROCESS process)
{
    uint32_t pid = pid_of(process);
    const struct shim_process *p = find(pid);

    shim_state.start_key_calls++;
    return p && p->start_key ? p->start_key : 0x0001000000000000ull | pid;
}

static NTSTATUS NTAPI locate_image(PEPROCESS process, PUNICODE_STRING *ret)
{
    uint32_t pid = pid_of(process);
    const struct shim_process *p = find(pid);
    ULONG count = 0;
    UNICODE_STRING *name = ExAllocatePoolWithTag(
        NonPagedPoolNx, sizeof(*name) + SHIM_PATH_MAX * sizeof(WCHAR), SHIM_TAG);
    HANDLE h;

    *ret = NULL;
    if (!name) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    name->Buffer = (WCHAR *)(name + 1);
    if (p && p->image[0]) {
        while (p->image[count]) {
            name->Buffer[count] = p->image[count];
            count++;
        }
    } else {
        h = OpenProcess(SHIM_QUERY_LIMITED, 0, pid);
        count = SHIM_PATH_MAX;
        if (!h || !QueryFullProcessImageNameW(h, SHIM_NATIVE_NAME, name->Buffer, &count)) {
            count = 0;
        }
        if (h) {
            (void)CloseHandle(h);
        }
    }
    if (count == 0) {
        ExFreePoolWithTag(name, SHIM_TAG);
        return STATUS_NOT_FOUND;
    }
    name->Length = (USHORT)(count * sizeof(WCHAR));
    name->MaximumLength = SHIM_PATH_MAX * sizeof(WCHAR);
    *ret = name;
    return STATUS_SUCCESS;
}

static PACCESS_TOKEN NTAPI reference_token(PEPROCESS process)
{
    struct token *t = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*t), SHIM_TAG);

    if (t) {
        t->magic = TOKEN_MAGIC;
        t->pid = pid_of(process);
        shim_state.tokens++;
    }
    return t;
}

static VOID NTAPI dereference_token(PACCESS_TOKEN token)
{
    struct token *t = token;

    if (!t || t->magic != TOKEN_MAGIC) {
        shim_violation("PsDereferencePrimaryToken of what is no token");
        return;
    }
    t->magic = 0;
    shim_state.tokens--;
    ExFreePoolWithTag(t, SHIM_TAG);
}

/* A SID behind `before` bytes of a structure, in one pool buffer. */
static void *with_sid(size_t before, const void *sid, size_t sid_len)
{
    unsigned char *p = ExAllocatePoolWithTag(PagedPool, before + sid_len, SHIM_TAG);

    if (p) {
        memset(p, 0, before);
        memcpy(p + before, sid, sid_len);
    }
    return p;
}

static NTSTATUS query_user(const struct shim_process *p, PVOID *ret)
{
    static const SID system = {SID_REVISION, 1, {{0, 0, 0, 0, 0, 5}}, {SECURITY_LOCAL_SYSTEM_RID}};
    bool known = p && p->sid_len != 0;
    TOKEN_USER *u = with_sid(sizeof(*u), known ? (const void *)p->sid : &system,
                             known ? p->sid_len : sizeof(system));

    if (!u) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    u->User.Sid = u + 1;
    *ret = u;
    return STATUS_SUCCESS;
}

static NTSTATUS query_integrity(const struct shim_process *p, PVOID *ret)
{
    SID sid = {SID_REVISION, 1, {{0, 0, 0, 0, 0, 16}}, {p ? p->integrity : INTEGRITY_SYSTEM}};
    TOKEN_MANDATORY_LABEL *l;

    if (!p || !p->pool_form) {
        *ret = (PVOID)(ULONG_PTR)sid.SubAuthority[0];
        return STATUS_SUCCESS;
    }
    l = with_sid(sizeof(*l), &sid, sizeof(sid));
    if (!l) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    l->Label.Sid = l + 1;
    *ret = l;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI query_token(PACCESS_TOKEN token, TOKEN_INFORMATION_CLASS which, PVOID *ret)
{
    const struct token *t = token;
    const struct shim_process *p;
    TOKEN_ELEVATION *e;

    if (!t || t->magic != TOKEN_MAGIC || !ret) {
        shim_violation("SeQueryInformationToken of what is no token");
        return STATUS_INVALID_PARAMETER;
    }
    p = find(t->pid);
    if (p && p->no_token) {
        return STATUS_ACCESS_DENIED;
    }
    switch (which) {
    case TokenUser:
        return query_user(p, ret);
    case TokenIntegrityLevel:
        return query_integrity(p, ret);
    case TokenElevation:
        if (!p || !p->pool_form) {
            *ret = (PVOID)(ULONG_PTR)(p ? p->elevated : 1u);
            return STATUS_SUCCESS;
        }
        e = ExAllocatePoolWithTag(PagedPool, sizeof(*e), SHIM_TAG);
        if (!e) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        e->TokenIsElevated = p->elevated;
        *ret = e;
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

static void record_ace(const ACCESS_ALLOWED_ACE *ace)
{
    struct shim_ace *to;
    const SID *sid = (const void *)&ace->SidStart;

    if (shim_state.ace_count == SHIM_ACES_MAX) {
        shim_violation("more entries in the DACL than the shim can keep");
        return;
    }
    to = &shim_state.ace[shim_state.ace_count++];
    to->type = ace->Header.AceType;
    to->flags = ace->Header.AceFlags;
    to->access = ace->Mask;
    to->sid_len = 8u + 4u * sid->SubAuthorityCount;
    memcpy(to->sid, sid, to->sid_len);
}

static NTSTATUS NTAPI set_security(HANDLE h, SECURITY_INFORMATION what, PSECURITY_DESCRIPTOR sd)
{
    NTSTATUS(NTAPI * real)
    (HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR) =
        GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtSetSecurityObject");
    const SECURITY_DESCRIPTOR *s = sd;
    const unsigned char *at;

    shim_state.dacl_set++;
    shim_state.dacl_information = what;
    shim_state.dacl_control = s->Control;
    shim_state.ace_count = 0;
    if (s->Control & SE_SELF_RELATIVE || !s->Dacl) {
        shim_violation("security descriptor without a DACL, or self-relative");
    } else {
        at = (const unsigned char *)(s->Dacl + 1);
        for (unsigned i = 0; i < s->Dacl->AceCount; i++) {
            record_ace((const ACCESS_ALLOWED_ACE *)at);
            at += ((const ACE_HEADER *)at)->AceSize;
        }
    }
    shim_state.dacl_status = real(h, what, sd);
    return shim_state.dacl_status;
}

const struct shim_patch shim_process_patches[] = {
    {"PsGetCurrentProcessId", current_process_id},
    {"PsGetCurrentThreadId", current_thread_id},
    {"IoThreadToProcess", thread_to_process},
    {"PsGetProcessExitStatus", exit_status},
    {"PsGetProcessSessionId", session_id},
    {"PsGetProcessCreateTimeQuadPart", create_time},
    {"SeLocateProcessImageName", locate_image},
    {"PsReferencePrimaryToken", reference_token},
    {"PsDereferencePrimaryToken", dereference_token},
    {"SeQueryInformationToken", query_token},
    {"ZwSetSecurityObject", set_security},
};
const size_t shim_process_patch_count = RTL_NUMBER_OF(shim_process_patches);
