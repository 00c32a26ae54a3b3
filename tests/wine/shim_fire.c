/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim_fire.c — calls the registered callbacks with what the test wants them to see. */
#include "shim_nt.h"

#define STATUS_NO_CALLBACK ((NTSTATUS)0xc0000225) /* STATUS_NOT_FOUND */
#define TEXTS 3u

/* One command while it is carried out. */
struct shot {
    const struct shim_fire *f;
    struct shim_fired *ret;
    UNICODE_STRING text[TEXTS];
    PUNICODE_STRING given[TEXTS]; /* &text[i], or NULL */
};

static bool read_texts(struct shot *s, size_t len)
{
    for (uint32_t i = 0; i < TEXTS; i++) {
        struct shim_text t = s->f->text[i];

        if (t.len == SHIM_NONE) {
            continue;
        }
        if (t.offset > len || t.len > len - t.offset || t.len > 0xffffu) {
            return false;
        }
        s->text[i].Buffer = (WCHAR *)((unsigned char *)s->f + t.offset);
        s->text[i].Length = s->text[i].MaximumLength = (USHORT)t.len;
        s->given[i] = &s->text[i];
    }
    return true;
}

static HANDLE id(uint32_t value)
{
    return (HANDLE)(ULONG_PTR)value;
}

static NTSTATUS process_create(struct shot *s)
{
    static FILE_OBJECT image_file;
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine = shim_process_routine();
    PEPROCESS process = shim_process_object(s->f->pid);
    PS_CREATE_NOTIFY_INFO info = {0};

    if (!routine || !process) {
        return STATUS_NO_CALLBACK;
    }
    info.Size = sizeof(info);
    info.FileOpenNameAvailable = 1;
    info.ParentProcessId = id(s->f->parent_pid);
    info.CreatingThreadId.UniqueProcess = id(s->f->creating_pid);
    info.CreatingThreadId.UniqueThread = id(s->f->creating_tid);
    info.FileObject = &image_file;
    info.ImageFileName = s->given[0];
    info.CommandLine = s->given[1];
    routine(process, id(s->f->pid), &info);
    s->ret->calls++;
    if (info.CreationStatus != STATUS_SUCCESS) {
        shim_violation("the process callback refused a process");
    }
    return STATUS_SUCCESS;
}

static NTSTATUS process_exit(struct shot *s)
{
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine = shim_process_routine();
    PEPROCESS process = shim_process_object(s->f->pid);

    if (!routine || !process) {
        return STATUS_NO_CALLBACK;
    }
    routine(process, id(s->f->pid), NULL);
    s->ret->calls++;
    return STATUS_SUCCESS;
}

static NTSTATUS thread_event(struct shot *s, BOOLEAN create)
{
    PCREATE_THREAD_NOTIFY_ROUTINE routine = shim_thread_routine();

    if (!routine) {
        return STATUS_NO_CALLBACK;
    }
    routine(id(s->f->pid), id(s->f->tid), create);
    s->ret->calls++;
    return STATUS_SUCCESS;
}

static NTSTATUS image_load(struct shot *s)
{
    PLOAD_IMAGE_NOTIFY_ROUTINE routine = shim_image_routine();
    IMAGE_INFO_EX info = {0};

    if (!routine) {
        return STATUS_NO_CALLBACK;
    }
    info.Size = sizeof(info);
    info.ImageInfo.Properties = s->f->properties;
    info.ImageInfo.ImageBase = (PVOID)(ULONG_PTR)s->f->base;
    info.ImageInfo.ImageSize = s->f->size;
    routine(s->given[0], id(s->f->pid), &info.ImageInfo);
    s->ret->calls++;
    return STATUS_SUCCESS;
}

/* Pre and post call of one operation. pre is the information structure, whose CallContext and
 * ObjectContext members the driver may write. */
struct operation {
    REG_NOTIFY_CLASS before, after;
    void *pre;
    PVOID *context;       /* in pre */
    PVOID object;         /* of the post call */
    struct shim_key *key; /* that the operation itself changes, or NULL */
};

static NTSTATUS run(struct shot *s, struct operation *o)
{
    REG_POST_OPERATION_INFORMATION post = {0};
    NTSTATUS status = shim_registry_call(o->before, o->pre, &s->ret->calls);

    s->ret->returned = status;
    if (s->ret->calls == 0 || s->f->flags & SHIM_F_NO_POST) {
        return s->ret->calls == 0 ? status : STATUS_SUCCESS;
    }
    if (o->key && NT_SUCCESS(s->f->status)) {
        if (s->f->event == SHIM_EV_DELETE_KEY) {
            o->key->gone = true;
        } else {
            RtlInitUnicodeString(&o->key->name,
                                 L"\\REGISTRY\\MACHINE\\the name after the operation");
        }
    }
    post.Object = o->object;
    post.Status = s->f->status;
    post.PreInformation = o->pre;
    post.ReturnStatus = s->f->status;
    post.CallContext = *o->context;
    s->ret->returned = shim_registry_call(o->after, &post, &s->ret->calls);
    if (post.ReturnStatus != s->f->status) {
        shim_violation("the registry callback changed the status of an operation");
    }
    return STATUS_SUCCESS;
}

static NTSTATUS registry_value(struct shot *s, struct shim_key *key)
{
    if (s->f->event == SHIM_EV_SET_VALUE) {
        REG_SET_VALUE_KEY_INFORMATION i = {.Object = key, .ValueName = s->given[1]};
        struct operation o = {
            RegNtPreSetValueKey, RegNtPostSetValueKey, &i, &i.CallContext, key, 0};

        i.Type = s->f->value_type;
        i.Data = s->f->flags & SHIM_F_BAD_DATA ? (PVOID)(ULONG_PTR)0x10 : s->text[2].Buffer;
        i.DataSize = s->text[2].Length;
        return run(s, &o);
    }
    if (s->f->event == SHIM_EV_DELETE_VALUE) {
        REG_DELETE_VALUE_KEY_INFORMATION i = {.Object = key, .ValueName = s->given[1]};
        struct operation o = {
            RegNtPreDeleteValueKey, RegNtPostDeleteValueKey, &i, &i.CallContext, key, 0};

        return run(s, &o);
    }
    REG_QUERY_VALUE_KEY_INFORMATION i = {.Object = key, .ValueName = s->given[1]};
    struct operation o = {
        RegNtPreQueryValueKey, RegNtPostQueryValueKey, &i, &i.CallContext, key, 0};

    return run(s, &o);
}

static NTSTATUS registry_key(struct shot *s, struct shim_key *key)
{
    if (s->f->event == SHIM_EV_DELETE_KEY) {
        REG_DELETE_KEY_INFORMATION i = {.Object = key};
        struct operation o = {RegNtPreDeleteKey, RegNtPostDeleteKey, &i, &i.CallContext, key, key};

        return run(s, &o);
    }
    if (s->f->event == SHIM_EV_RENAME_KEY) {
        REG_RENAME_KEY_INFORMATION i = {.Object = key, .NewName = s->given[1]};
        struct operation o = {RegNtPreRenameKey, RegNtPostRenameKey, &i, &i.CallContext, key, key};

        return run(s, &o);
    }
    if (s->f->event == SHIM_EV_RESTORE_KEY) {
        REG_RESTORE_KEY_INFORMATION i = {.Object = key, .FileHandle = id(0x44)};
        struct operation o = {RegNtPreRestoreKey, RegNtPostRestoreKey, &i, &i.CallContext, key, 0};

        return run(s, &o);
    }
    if (s->f->event == SHIM_EV_REPLACE_KEY) {
        REG_REPLACE_KEY_INFORMATION i = {
            .Object = key, .OldFileName = s->given[1], .NewFileName = s->given[2]};
        struct operation o = {RegNtPreReplaceKey, RegNtPostReplaceKey, &i, &i.CallContext, key, 0};

        return run(s, &o);
    }
    SECURITY_INFORMATION what = DACL_SECURITY_INFORMATION;
    REG_SET_KEY_SECURITY_INFORMATION i = {.Object = key, .SecurityInformation = &what};
    struct operation o = {
        RegNtPreSetKeySecurity, RegNtPostSetKeySecurity, &i, &i.CallContext, key, 0};

    return run(s, &o);
}

/* The name of the key object that an operation gives: root, a backslash, name. */
static void name_result(const struct shot *s, UNICODE_STRING *ret)
{
    static WCHAR room[1024];
    size_t n = 0;

    for (unsigned i = 0; i < 2; i++) {
        size_t count = s->text[i].Length / sizeof(WCHAR);

        if (i == 1 && n > 0) {
            room[n++] = L'\\';
        }
        for (size_t j = 0; j < count && n < RTL_NUMBER_OF(room) - 1; j++) {
            room[n++] = s->text[i].Buffer[j];
        }
    }
    ret->Buffer = room;
    ret->Length = ret->MaximumLength = (USHORT)(n * sizeof(WCHAR));
}

/* CreateKey, OpenKey and LoadKey: text 0 is the root, if any, text 1 the name. */
static NTSTATUS registry_named(struct shot *s, struct shim_key *root)
{
    struct shim_key made = {.magic = SHIM_KEY_MAGIC};
    bool load = s->f->event == SHIM_EV_LOAD_KEY;
    bool create = s->f->event == SHIM_EV_CREATE_KEY;
    PVOID result = NULL;
    ULONG disposition =
        s->f->flags & SHIM_F_EXISTED ? REG_OPENED_EXISTING_KEY : REG_CREATED_NEW_KEY;

    name_result(s, &made.name);
    if (load) {
        REG_LOAD_KEY_INFORMATION i = {
            .Object = root, .KeyName = s->given[1], .SourceFile = s->given[2]};
        struct operation o = {RegNtPreLoadKey, RegNtPostLoadKey, &i, &i.CallContext, root, 0};

        return run(s, &o);
    }
    REG_CREATE_KEY_INFORMATION i = {.CompleteName = s->given[1], .RootObject = root};
    struct operation o = {create ? RegNtPreCreateKeyEx : RegNtPreOpenKeyEx,
                          create ? RegNtPostCreateKeyEx : RegNtPostOpenKeyEx,
                          &i,
                          &i.CallContext,
                          NT_SUCCESS(s->f->status) ? &made : NULL,
                          0};

    i.Disposition = &disposition;
    i.ResultObject = &result;
    i.DesiredAccess = i.GrantedAccess = KEY_ALL_ACCESS;
    return run(s, &o);
}

static NTSTATUS registry_event(struct shot *s)
{
    struct shim_key key = {.magic = SHIM_KEY_MAGIC, .name = s->text[0]};

    switch (s->f->event) {
    case SHIM_EV_SET_VALUE:
    case SHIM_EV_DELETE_VALUE:
    case SHIM_EV_QUERY_VALUE:
        return registry_value(s, &key);
    case SHIM_EV_CREATE_KEY:
    case SHIM_EV_OPEN_KEY:
    case SHIM_EV_LOAD_KEY:
        return registry_named(s, s->given[0] ? &key : NULL);
    default:
        return registry_key(s, &key);
    }
}

static NTSTATUS handle_event(struct shot *s)
{
    OB_PRE_OPERATION_PARAMETERS parameters = {0};
    OB_PRE_OPERATION_INFORMATION i = {0};
    bool thread = s->f->flags & SHIM_F_THREAD_OBJECT;
    POBJECT_TYPE *type = shim_export(thread ? "PsThreadType" : "PsProcessType");
    bool duplicate = s->f->event == SHIM_EV_HANDLE_DUPLICATE;

    i.Operation = duplicate ? OB_OPERATION_HANDLE_DUPLICATE : OB_OPERATION_HANDLE_CREATE;
    i.KernelHandle = (s->f->flags & SHIM_F_KERNEL_HANDLE) != 0;
    i.Object =
        thread ? (PVOID)shim_thread_object(s->f->tid) : (PVOID)shim_process_object(s->f->pid);
    i.ObjectType = *type;
    i.Parameters = &parameters;
    parameters.CreateHandleInformation.DesiredAccess = s->f->access;
    parameters.CreateHandleInformation.OriginalDesiredAccess = s->f->original_access;
    if (duplicate) {
        parameters.DuplicateHandleInformation.SourceProcess = shim_process_object(s->f->source_pid);
        parameters.DuplicateHandleInformation.TargetProcess = shim_process_object(s->f->target_pid);
    }
    if (!i.Object) {
        return STATUS_NO_CALLBACK;
    }
    s->ret->returned = shim_handle_call(&i, &s->ret->calls);
    s->ret->access = parameters.CreateHandleInformation.DesiredAccess;
    if (s->ret->access != s->f->access || s->ret->returned != OB_PREOP_SUCCESS) {
        shim_violation("the handle callback changed the access mask");
    }
    return s->ret->calls ? STATUS_SUCCESS : STATUS_NO_CALLBACK;
}

static enum shim_source source_of(uint32_t event)
{
    switch (event) {
    case SHIM_EV_PROCESS_CREATE:
    case SHIM_EV_PROCESS_EXIT:
        return SHIM_PROCESS;
    case SHIM_EV_THREAD_CREATE:
    case SHIM_EV_THREAD_EXIT:
        return SHIM_THREAD;
    case SHIM_EV_IMAGE:
        return SHIM_IMAGE;
    case SHIM_EV_HANDLE_CREATE:
    case SHIM_EV_HANDLE_DUPLICATE:
        return SHIM_HANDLE;
    default:
        return SHIM_REGISTRY;
    }
}

static NTSTATUS once(struct shot *s)
{
    switch (s->f->event) {
    case SHIM_EV_PROCESS_CREATE:
        return process_create(s);
    case SHIM_EV_PROCESS_EXIT:
        return process_exit(s);
    case SHIM_EV_THREAD_CREATE:
        return thread_event(s, TRUE);
    case SHIM_EV_THREAD_EXIT:
        return thread_event(s, FALSE);
    case SHIM_EV_IMAGE:
        return image_load(s);
    case SHIM_EV_HANDLE_CREATE:
    case SHIM_EV_HANDLE_DUPLICATE:
        return handle_event(s);
    default:
        return registry_event(s);
    }
}

void shim_fire(const struct shim_fire *f, size_t len, struct shim_fired *ret)
{
    struct shim_context who = {f->context_pid, f->context_tid};
    struct shot s = {.f = f, .ret = ret};

    if (!read_texts(&s, len)) {
        ret->status = STATUS_INVALID_PARAMETER;
        return;
    }
    shim_as(&who);
    shim_enter(source_of(f->event));
    for (uint32_t i = 0; i == 0 || i < f->repeat; i++) {
        ret->status = once(&s);
        if (!NT_SUCCESS(ret->status)) {
            break;
        }
    }
    shim_leave(source_of(f->event));
    shim_as(NULL);
}
