/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_cm_fire.c — registry operations as they are reported to the callbacks. */
#include "nt_sim.h"

static const struct {
    int pre, post;
} classes[NTSIM_REG_OPS] = {
    [NTSIM_REG_DELETE_KEY] = {RegNtPreDeleteKey, RegNtPostDeleteKey},
    [NTSIM_REG_SET_VALUE] = {RegNtPreSetValueKey, RegNtPostSetValueKey},
    [NTSIM_REG_DELETE_VALUE] = {RegNtPreDeleteValueKey, RegNtPostDeleteValueKey},
    [NTSIM_REG_SET_INFORMATION] = {RegNtPreSetInformationKey, RegNtPostSetInformationKey},
    [NTSIM_REG_RENAME] = {RegNtPreRenameKey, RegNtPostRenameKey},
    [NTSIM_REG_ENUMERATE_KEY] = {RegNtPreEnumerateKey, RegNtPostEnumerateKey},
    [NTSIM_REG_ENUMERATE_VALUE] = {RegNtPreEnumerateValueKey, RegNtPostEnumerateValueKey},
    [NTSIM_REG_QUERY_KEY] = {RegNtPreQueryKey, RegNtPostQueryKey},
    [NTSIM_REG_QUERY_VALUE] = {RegNtPreQueryValueKey, RegNtPostQueryValueKey},
    [NTSIM_REG_QUERY_MULTIPLE_VALUE] = {RegNtPreQueryMultipleValueKey,
                                        RegNtPostQueryMultipleValueKey},
    [NTSIM_REG_CREATE] = {RegNtPreCreateKeyEx, RegNtPostCreateKeyEx},
    [NTSIM_REG_OPEN] = {RegNtPreOpenKeyEx, RegNtPostOpenKeyEx},
    [NTSIM_REG_CLOSE] = {RegNtPreKeyHandleClose, RegNtPostKeyHandleClose},
    [NTSIM_REG_FLUSH] = {RegNtPreFlushKey, RegNtPostFlushKey},
    [NTSIM_REG_LOAD] = {RegNtPreLoadKey, RegNtPostLoadKey},
    [NTSIM_REG_UNLOAD] = {RegNtPreUnLoadKey, RegNtPostUnLoadKey},
    [NTSIM_REG_QUERY_SECURITY] = {RegNtPreQueryKeySecurity, RegNtPostQueryKeySecurity},
    [NTSIM_REG_SET_SECURITY] = {RegNtPreSetKeySecurity, RegNtPostSetKeySecurity},
    [NTSIM_REG_RESTORE] = {RegNtPreRestoreKey, RegNtPostRestoreKey},
    [NTSIM_REG_SAVE] = {RegNtPreSaveKey, RegNtPostSaveKey},
    [NTSIM_REG_REPLACE] = {RegNtPreReplaceKey, RegNtPostReplaceKey},
};

unsigned ntsim_registry_class(enum ntsim_reg op, bool post)
{
    return (unsigned)(post ? classes[op].post : classes[op].pre);
}

/* Everything that the information points to. */
struct event {
    union {
        PVOID object; /* all but CREATE and OPEN begin with it */
        REG_DELETE_KEY_INFORMATION delete_key;
        REG_SET_VALUE_KEY_INFORMATION set_value;
        REG_DELETE_VALUE_KEY_INFORMATION delete_value;
        REG_SET_INFORMATION_KEY_INFORMATION set_information;
        REG_RENAME_KEY_INFORMATION rename;
        REG_QUERY_VALUE_KEY_INFORMATION query_value;
        REG_ENUMERATE_KEY_INFORMATION enumerate_key;
        REG_ENUMERATE_VALUE_KEY_INFORMATION enumerate_value;
        REG_QUERY_KEY_INFORMATION query_key;
        REG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION query_multiple;
        REG_CREATE_KEY_INFORMATION_V1 create;
        REG_KEY_HANDLE_CLOSE_INFORMATION close;
        REG_LOAD_KEY_INFORMATION load;
        REG_UNLOAD_KEY_INFORMATION unload;
        REG_QUERY_KEY_SECURITY_INFORMATION query_security;
        REG_SET_KEY_SECURITY_INFORMATION set_security;
        REG_RESTORE_KEY_INFORMATION restore;
        REG_SAVE_KEY_INFORMATION save;
        REG_REPLACE_KEY_INFORMATION replace;
    } info;
    PVOID *call_context; /* where the kind has its CallContext */
    struct sim_string name, file, remaining;
    struct sim_user user;
    void *data; /* heap copy of the bytes that are there */
    ULONG disposition;
    PVOID result;
    SECURITY_INFORMATION security;
    UNICODE_STRING no_class;
};

static void fill_create(struct event *e, const struct ntsim_registry *r)
{
    REG_CREATE_KEY_INFORMATION_V1 *c = &e->info.create;

    c->CompleteName = sim_string_init(&e->name, r->name);
    c->RootObject = sim_key_body(r->key);
    c->Class = &e->no_class;
    c->DesiredAccess = r->access;
    c->GrantedAccess = r->access;
    e->disposition = r->disposition;
    c->Disposition = r->no_disposition ? NULL : &e->disposition;
    e->result = sim_key_body(r->result);
    c->ResultObject = &e->result;
    e->call_context = &c->CallContext;
    if (!r->old_layout) {
        c->Version = 1;
        c->RemainingName = sim_string_init(&e->remaining, r->remaining);
        c->CheckAccessMode = UserMode;
    }
}

/* Kinds whose information is an object and little more. */
static PVOID *context_of(struct event *e, enum ntsim_reg op)
{
    switch (op) {
    case NTSIM_REG_ENUMERATE_KEY:
        return &e->info.enumerate_key.CallContext;
    case NTSIM_REG_ENUMERATE_VALUE:
        return &e->info.enumerate_value.CallContext;
    case NTSIM_REG_QUERY_KEY:
        return &e->info.query_key.CallContext;
    case NTSIM_REG_QUERY_MULTIPLE_VALUE:
        return &e->info.query_multiple.CallContext;
    case NTSIM_REG_SET_INFORMATION:
        return &e->info.set_information.CallContext;
    case NTSIM_REG_UNLOAD:
        return &e->info.unload.CallContext;
    case NTSIM_REG_QUERY_SECURITY:
        return &e->info.query_security.CallContext;
    case NTSIM_REG_SAVE:
        return &e->info.save.CallContext;
    case NTSIM_REG_CLOSE:
        return &e->info.close.CallContext;
    default: /* DELETE_KEY, FLUSH */
        return &e->info.delete_key.CallContext;
    }
}

static void fill_value(struct event *e, const struct ntsim_registry *r)
{
    switch (r->op) {
    case NTSIM_REG_SET_VALUE:
        e->info.set_value.ValueName = sim_string_init(&e->name, r->name);
        e->info.set_value.Type = r->type;
        e->info.set_value.Data = e->data;
        e->info.set_value.DataSize = r->data_size;
        e->call_context = &e->info.set_value.CallContext;
        break;
    case NTSIM_REG_DELETE_VALUE:
        e->info.delete_value.ValueName = sim_string_init(&e->name, r->name);
        e->call_context = &e->info.delete_value.CallContext;
        break;
    default: /* QUERY_VALUE */
        e->info.query_value.ValueName = sim_string_init(&e->name, r->name);
        e->call_context = &e->info.query_value.CallContext;
        break;
    }
}

static void fill_hive(struct event *e, const struct ntsim_registry *r)
{
    switch (r->op) {
    case NTSIM_REG_LOAD:
        e->info.load.KeyName = sim_string_init(&e->name, r->name);
        e->info.load.SourceFile = sim_string_init(&e->file, r->file);
        e->info.load.Flags = r->flags;
        e->info.load.DesiredAccess = r->access;
        e->call_context = &e->info.load.CallContext;
        break;
    case NTSIM_REG_REPLACE:
        e->info.replace.OldFileName = sim_string_init(&e->file, r->file);
        e->info.replace.NewFileName = sim_string_init(&e->name, r->name);
        e->call_context = &e->info.replace.CallContext;
        break;
    default: /* RESTORE */
        e->info.restore.FileHandle = (HANDLE)(ULONG_PTR)0x44;
        e->info.restore.Flags = r->flags;
        e->call_context = &e->info.restore.CallContext;
        break;
    }
}

static void fill(struct event *e, const struct ntsim_registry *r)
{
    switch (r->op) {
    case NTSIM_REG_CREATE:
    case NTSIM_REG_OPEN:
        fill_create(e, r);
        return;
    case NTSIM_REG_SET_VALUE:
    case NTSIM_REG_DELETE_VALUE:
    case NTSIM_REG_QUERY_VALUE:
        fill_value(e, r);
        break;
    case NTSIM_REG_LOAD:
    case NTSIM_REG_REPLACE:
    case NTSIM_REG_RESTORE:
        fill_hive(e, r);
        break;
    case NTSIM_REG_RENAME:
        e->info.rename.NewName = sim_string_init(&e->name, r->name);
        e->call_context = &e->info.rename.CallContext;
        break;
    case NTSIM_REG_SET_SECURITY:
        e->security = r->type;
        e->info.set_security.SecurityInformation = &e->security;
        e->info.set_security.SecurityDescriptor = e->data;
        e->call_context = &e->info.set_security.CallContext;
        break;
    default:
        e->call_context = context_of(e, r->op);
        break;
    }
    e->info.object = sim_key_body(r->key);
}

static void begin(struct event *e, const struct ntsim_registry *r, bool post)
{
    memset(e, 0, sizeof(*e));
    if (r->data) {
        size_t len = post && r->data_gone ? 0 : r->data_len;

        e->data = sim_dup(r->data, len);
        e->user =
            (struct sim_user){e->data, len, r->data_size > len ? r->data_size : len, sim_self.user};
        sim_self.user = &e->user;
    }
    fill(e, r);
}

static void end(struct event *e)
{
    if (e->data) {
        sim_self.user = e->user.next;
    }
    sim_free(e->data);
    sim_string_fini(&e->name);
    sim_string_fini(&e->file);
    sim_string_fini(&e->remaining);
}

static int32_t call_all(uint64_t what, PVOID info, PVOID *call_context, void **context)
{
    int32_t result = 0;
    bool first = true;
    struct sim_visit v;

    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_REGISTRY].slot[i];

        if (sim_visit_begin(&v, slot)) {
            PEX_CALLBACK_FUNCTION fn =
                (PEX_CALLBACK_FUNCTION)(ULONG_PTR)atomic_load(&slot->function);
            NTSTATUS status;

            if (call_context) {
                *call_context = first && context ? *context : NULL;
            }
            status = fn(slot->context, (PVOID)(ULONG_PTR)what, info);
            if (call_context && first && context) {
                *context = *call_context;
            }
            sim_visit_end(&v, "registry callback");
            first = false;
            result = status ? status : result;
        }
    }
    return result;
}

int32_t ntsim_fire_registry_pre(struct ntsim_registry *r)
{
    struct event e;
    int32_t result;

    begin(&e, r, false);
    r->context = NULL;
    result = call_all((uint64_t)classes[r->op].pre, &e.info, e.call_context, &r->context);
    end(&e);
    return result;
}

static PVOID post_object(const struct ntsim_registry *r, int32_t status)
{
    if (r->op != NTSIM_REG_CREATE && r->op != NTSIM_REG_OPEN) {
        return sim_key_body(r->key);
    }
    /* The object does not exist when the operation failed. */
    return sim_key_body(NT_SUCCESS(status) ? r->result : ntsim_key_dead());
}

int32_t ntsim_fire_registry_post(struct ntsim_registry *r, int32_t status)
{
    REG_POST_OPERATION_INFORMATION post;
    struct event e;
    int32_t result;

    begin(&e, r, true);
    if (e.call_context) {
        *e.call_context = r->context;
    }
    memset(&post, 0, sizeof(post));
    post.Object = post_object(r, status);
    post.Status = status;
    post.PreInformation = r->no_pre_information ? NULL : (PVOID)&e.info;
    post.ReturnStatus = r->return_status;
    result = call_all((uint64_t)classes[r->op].post, &post, &post.CallContext, &r->context);
    r->context = NULL;
    end(&e);
    return result;
}

int32_t ntsim_fire_registry(struct ntsim_registry *r, int32_t status)
{
    int32_t result = ntsim_fire_registry_pre(r);

    if (!NT_SUCCESS(result)) {
        return result;
    }
    if (NT_SUCCESS(status) && r->key && r->op == NTSIM_REG_DELETE_KEY) {
        ntsim_key_fail(r->key, SIM_KEY_DELETED);
    } else if (NT_SUCCESS(status) && r->key && r->op == NTSIM_REG_RENAME) {
        sim_key_rename_leaf(r->key, r->name);
    }
    return ntsim_fire_registry_post(r, status);
}

int32_t ntsim_fire_registry_raw(uint64_t argument1, void *argument2)
{
    return call_all(argument1, argument2, NULL, NULL);
}

int32_t ntsim_fire_registry_set_value(struct ntsim_key *key,
                                      struct ntsim_text value,
                                      uint32_t type,
                                      const void *data,
                                      size_t len,
                                      int32_t status)
{
    struct ntsim_registry r = {.op = NTSIM_REG_SET_VALUE,
                               .key = key,
                               .name = value,
                               .type = type,
                               .data = data,
                               .data_len = len,
                               .data_size = (uint32_t)len};

    return ntsim_fire_registry(&r, status);
}

int32_t
ntsim_fire_registry_delete_value(struct ntsim_key *key, struct ntsim_text value, int32_t status)
{
    struct ntsim_registry r = {.op = NTSIM_REG_DELETE_VALUE, .key = key, .name = value};

    return ntsim_fire_registry(&r, status);
}

int32_t ntsim_fire_registry_delete_key(struct ntsim_key *key, int32_t status)
{
    struct ntsim_registry r = {.op = NTSIM_REG_DELETE_KEY, .key = key};

    return ntsim_fire_registry(&r, status);
}

int32_t
ntsim_fire_registry_rename_key(struct ntsim_key *key, struct ntsim_text name, int32_t status)
{
    struct ntsim_registry r = {.op = NTSIM_REG_RENAME, .key = key, .name = name};

    return ntsim_fire_registry(&r, status);
}

int32_t ntsim_fire_registry_create_key(struct ntsim_key *root,
                                       struct ntsim_text name,
                                       struct ntsim_key *result,
                                       uint32_t disposition,
                                       int32_t status)
{
    struct ntsim_registry r = {.op = NTSIM_REG_CREATE,
                               .key = root,
                               .name = name,
                               .result = result,
                               .disposition = disposition};

    return ntsim_fire_registry(&r, status);
}
