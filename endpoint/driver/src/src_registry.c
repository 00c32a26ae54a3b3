/* SPDX-License-Identifier: Apache-2.0
 * Registry changes, with their result. Nearly all is read after the operation, when its status is
 * known and a key that was opened through links has its real name. A key that is deleted or renamed
 * loses its name by it: the name is taken before and held until after. Callbacks run at PASSIVE in
 * the caller's context. */
#include "evq.h"
#include "kapi.h"
#include "kfilter.h"
#include "procinfo.h"
#include "proctab.h"
#include "rec.h"
#include "regwatch.h"
#include "seh.h"
#include "source.h"
#include "sources.h"

#define PREVIEW_MAX 256u /* bytes of value data in a record */
#define HELD_MAX 64u     /* deletions and renames under way at once */

static struct {
    LARGE_INTEGER cookie;
    volatile LONG ready;           /* the cookie is valid */
    PVOID volatile held[HELD_MAX]; /* PCUNICODE_STRING of the configuration manager, or NULL */
} state;

/* One change, as it goes into a record. Everything is borrowed. */
struct change {
    struct wedr_keyname key;
    PCUNICODE_STRING value_name, new_name, source_file;
    const void *data;
    uint32_t data_size, value_type;
    NTSTATUS status;
    uint16_t op; /* WEDR_REGISTRY_OP_* */
};

static void
put_preview(struct wedr_rec *r, struct wedr_str_ref *ref, const struct change *c, uint8_t *room)
{
    size_t len = c->data_size < PREVIEW_MAX ? c->data_size : PREVIEW_MAX;

    if (c->data && wedr_seh_copy(room, c->data, len)) {
        wedr_rec_bytes(r, ref, room, len, c->data_size);
    } else if (len > 0) {
        wedr_rec_unreadable(ref);
    }
}

static void push(const struct change *c)
{
    struct wedr_windows_registry_write e;
    uint8_t preview[PREVIEW_MAX];
    struct wedr_proc p;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_REGISTRY_WRITE, WEDR_LANE_CRITICAL);
    e.pid = wedr_id(PsGetCurrentProcessId());
    e.process_key = wedr_proctab_find(e.pid, &p) ? p.key : 0;
    e.op = c->op;
    e.status = c->status;
    e.value_type = c->value_type;
    e.data_size = c->data_size;
    wedr_rec_joined(&r, &e.key_path, c->key.root, c->key.leaf, WEDR_REC_PATH_MAX);
    wedr_rec_text(&r, &e.value_name, c->value_name, WEDR_REC_PATH_MAX);
    wedr_rec_text(&r, &e.new_name, c->new_name, WEDR_REC_NAME_MAX);
    wedr_rec_text(&r, &e.source_file, c->source_file, WEDR_REC_PATH_MAX);
    put_preview(&r, &e.data_preview, c, preview);
    wedr_source_count(WEDR_CALLBACK_REGISTRY, wedr_rec_push(&r));
}

static bool is_watched(const struct wedr_keyname *key)
{
    return wedr_regwatch_has(key) || wedr_kfilter_watches_key(key);
}

/* Full name of a key object; NULL and counted when the kernel cannot say. Give it back. */
static PCUNICODE_STRING take_name(PVOID object)
{
    PCUNICODE_STRING name = NULL;

    if (!object || !NT_SUCCESS(wedr_kapi.cm_key_name(&state.cookie, object, NULL, &name, 0)) ||
        !name) {
        wedr_source_count(WEDR_CALLBACK_REGISTRY, false);
        return NULL;
    }
    return name;
}

static void give_name(PCUNICODE_STRING name)
{
    if (name) {
        wedr_kapi.cm_release_name(name);
    }
}

/* Pushes c when the key is watched, or in any case. root: the object that the key's name starts
 * from. */
static void report(struct change *c, PVOID root, PCUNICODE_STRING leaf, bool always)
{
    PCUNICODE_STRING name = take_name(root);

    if (!name) {
        return;
    }
    c->key.root = name;
    c->key.leaf = leaf;
    if (always || is_watched(&c->key)) {
        push(c);
    }
    give_name(name);
}

static void report_absolute(struct change *c, PCUNICODE_STRING path, bool always)
{
    c->key.root = path;
    c->key.leaf = NULL;
    if (always || is_watched(&c->key)) {
        push(c);
    }
}

static bool is_absolute(PCUNICODE_STRING name)
{
    return name && name->Buffer && name->Length >= sizeof(WCHAR) && name->Buffer[0] == L'\\';
}

/* Keeps a name until the operation is done. NULL when too many are under way. */
static PVOID volatile *hold(PCUNICODE_STRING name)
{
    for (unsigned i = 0; i < HELD_MAX; i++) {
        if (!InterlockedCompareExchangePointer(&state.held[i], (PVOID)name, NULL)) {
            return &state.held[i];
        }
    }
    return NULL;
}

/* What was held in the slot that the kernel brings back; NULL when it is none of ours. */
static PCUNICODE_STRING release_hold(PVOID context)
{
    for (unsigned i = 0; i < HELD_MAX; i++) {
        if (context == (PVOID)&state.held[i]) {
            return InterlockedExchangePointer(&state.held[i], NULL);
        }
    }
    return NULL;
}

/* Before a deletion or renaming: takes the name of a watched key along. Without a free slot the
 * change is reported now, with the result "not known yet". */
static void before(PVOID object, PVOID *context, struct change *c)
{
    PCUNICODE_STRING name = take_name(object);
    PVOID volatile *slot;

    *context = NULL;
    if (!name) {
        return;
    }
    c->key.root = name;
    if (is_watched(&c->key)) {
        slot = hold(name);
        if (slot) {
            *context = (PVOID)slot;
            return;
        }
        c->status = STATUS_PENDING;
        push(c);
    }
    give_name(name);
}

static void after(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    PCUNICODE_STRING name = release_hold(post->CallContext);

    if (name) {
        c->key.root = name;
        push(c);
        give_name(name);
    }
}

/* Only a key that was made, or could not be, is a change: opening an existing one is none. */
static void created(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_CREATE_KEY_INFORMATION *pre = post->PreInformation;
    ULONG disposition = REG_CREATED_NEW_KEY;

    if (NT_SUCCESS(post->Status)) {
        if (pre->Disposition &&
            !wedr_seh_copy(&disposition, pre->Disposition, sizeof(disposition))) {
            disposition = REG_CREATED_NEW_KEY;
        }
        if (disposition == REG_CREATED_NEW_KEY) {
            report(c, post->Object, NULL, false);
        }
    } else if (is_absolute(pre->CompleteName)) {
        report_absolute(c, pre->CompleteName, false);
    } else {
        report(c, pre->RootObject, pre->CompleteName, false);
    }
}

static void value_set(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_SET_VALUE_KEY_INFORMATION *pre = post->PreInformation;

    c->value_name = pre->ValueName;
    c->value_type = pre->Type;
    c->data = pre->Data;
    c->data_size = pre->DataSize;
    report(c, pre->Object, NULL, false);
}

static void value_deleted(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_DELETE_VALUE_KEY_INFORMATION *pre = post->PreInformation;

    c->value_name = pre->ValueName;
    report(c, pre->Object, NULL, false);
}

/* A hive that is mounted brings any number of keys past the value callbacks: always reported. */
static void hive_loaded(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_LOAD_KEY_INFORMATION *pre = post->PreInformation;

    c->source_file = pre->SourceFile;
    if (is_absolute(pre->KeyName)) {
        report_absolute(c, pre->KeyName, true);
    } else {
        report(c, pre->Object, pre->KeyName, true);
    }
}

static void hive_restored(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_RESTORE_KEY_INFORMATION *pre = post->PreInformation;

    report(c, pre->Object, NULL, true);
}

static void hive_replaced(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_REPLACE_KEY_INFORMATION *pre = post->PreInformation;

    c->source_file = pre->NewFileName;
    report(c, pre->Object, NULL, true);
}

static void security_set(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_SET_KEY_SECURITY_INFORMATION *pre = post->PreInformation;

    report(c, pre->Object, NULL, false);
}

static void renamed(const REG_POST_OPERATION_INFORMATION *post, struct change *c)
{
    const REG_RENAME_KEY_INFORMATION *pre = post->PreInformation;

    c->new_name = pre ? pre->NewName : NULL;
    after(post, c);
}

typedef void (*post_handler)(const REG_POST_OPERATION_INFORMATION *post, struct change *c);

/* What is looked at, by its class: most calls are queries and end at an empty row. */
static const struct {
    post_handler handle; /* after the operation; NULL: nothing to look at */
    uint16_t op;
    bool held; /* a name may wait, which must be given back in any case */
} handlers[] = {
    [RegNtPostSetValueKey] = {value_set, WEDR_REGISTRY_OP_SET_VALUE, false},
    [RegNtPostDeleteValueKey] = {value_deleted, WEDR_REGISTRY_OP_DELETE_VALUE, false},
    [RegNtPostDeleteKey] = {after, WEDR_REGISTRY_OP_DELETE_KEY, true},
    [RegNtPostRenameKey] = {renamed, WEDR_REGISTRY_OP_RENAME_KEY, true},
    [RegNtPostCreateKeyEx] = {created, WEDR_REGISTRY_OP_CREATE_KEY, false},
    [RegNtPostLoadKey] = {hive_loaded, WEDR_REGISTRY_OP_LOAD_KEY, false},
    [RegNtPostRestoreKey] = {hive_restored, WEDR_REGISTRY_OP_RESTORE_KEY, false},
    [RegNtPostReplaceKey] = {hive_replaced, WEDR_REGISTRY_OP_REPLACE_KEY, false},
    [RegNtPostSetKeySecurity] = {security_set, WEDR_REGISTRY_OP_SET_SECURITY, false},
};

static void on_post(size_t class, const REG_POST_OPERATION_INFORMATION *post, bool on)
{
    struct change c = {.op = handlers[class].op, .status = post->Status};

    if (handlers[class].held || (on && post->PreInformation)) {
        handlers[class].handle(post, &c);
    }
}

static void on_pre_delete(REG_DELETE_KEY_INFORMATION *pre)
{
    struct change c = {.op = WEDR_REGISTRY_OP_DELETE_KEY};

    before(pre->Object, &pre->CallContext, &c);
}

static void on_pre_rename(REG_RENAME_KEY_INFORMATION *pre)
{
    struct change c = {.op = WEDR_REGISTRY_OP_RENAME_KEY, .new_name = pre->NewName};

    before(pre->Object, &pre->CallContext, &c);
}

static NTSTATUS NTAPI on_registry(PVOID context, PVOID class, PVOID info)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    size_t what = (size_t)(uintptr_t) class;
    bool pre = what == RegNtPreDeleteKey || what == RegNtPreRenameKey;
    bool on;

    UNREFERENCED_PARAMETER(context);
    if (!pre && (what >= WEDR_ARRAY_COUNT(handlers) || !handlers[what].handle)) {
        return STATUS_SUCCESS;
    }
    if (!pre) { /* once an operation */
        wedr_source_call(WEDR_CALLBACK_REGISTRY);
    }
    if (!info || !WEDR_READ(&state.ready)) {
        return STATUS_SUCCESS;
    }
    on = (wedr_kfilter_classes() & WEDR_CLASS_REGISTRY) != 0;
    if (!pre) {
        on_post(what, info, on);
    } else if (on && what == RegNtPreDeleteKey) {
        on_pre_delete(info);
    } else if (on) {
        on_pre_rename(info);
    }
    return STATUS_SUCCESS;
}

void wedr_src_registry_start(PDRIVER_OBJECT driver, const struct wedr_settings *s)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNICODE_STRING altitude = {s->altitude_len, s->altitude_len, (PWCH)s->altitude};
    NTSTATUS status;

    WEDR_MEMSET(&state, 0, sizeof(state));
    if (!wedr_kapi.cm_register || !wedr_kapi.cm_unregister || !wedr_kapi.cm_key_name ||
        !wedr_kapi.cm_release_name) {
        wedr_source_absent(WEDR_CALLBACK_REGISTRY);
        return;
    }
    status = wedr_kapi.cm_register(on_registry, &altitude, driver, NULL, &state.cookie, NULL);
    wedr_source_registered(WEDR_CALLBACK_REGISTRY, status);
    /* Calls that came while the cookie was being written found the source not ready. */
    InterlockedExchange(&state.ready, NT_SUCCESS(status) ? 1 : 0);
}

void wedr_src_registry_stop(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (!wedr_source_stop(WEDR_CALLBACK_REGISTRY)) {
        return;
    }
    (void)wedr_kapi.cm_unregister(state.cookie);
    InterlockedExchange(&state.ready, 0);
    /* Operations that began before and will end without us. */
    for (unsigned i = 0; i < HELD_MAX; i++) {
        give_name(InterlockedExchangePointer(&state.held[i], NULL));
    }
}
