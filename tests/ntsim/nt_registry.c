/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_registry.c — the keys and values that the driver reads and writes itself. */
#include "nt_sim.h"

struct value {
    struct value *next;
    struct ntsim_text name;
    ULONG type;
    size_t len;
    uint8_t *data;
};
struct key {
    struct key *next;
    struct ntsim_text path; /* as it was made */
    struct value *values;
    bool is_volatile, deleted;
};

static struct key *keys; /* under SIM_LOCK_REGISTRY; a deleted key stays until reset */

/* ---- keys
 * ---------------------------------------------------------------------------------------- */

static struct key *find(struct ntsim_text path)
{
    for (struct key *k = keys; k; k = k->next) {
        if (!k->deleted && sim_text_equal(k->path, path)) {
            return k;
        }
    }
    return NULL;
}

static struct key *add(struct ntsim_text path, bool is_volatile)
{
    struct key *k = sim_zalloc(sizeof(*k));

    k->path = sim_text_dup(path);
    k->is_volatile = is_volatile;
    k->next = keys;
    keys = k;
    return k;
}

/* Path of the parent: up to the last backslash. */
static struct ntsim_text parent_of(struct ntsim_text path)
{
    uint16_t n = path.len / 2u;

    while (n > 0 && path.units[n - 1] != '\\') {
        n--;
    }
    path.len = (uint16_t)(n > 0 ? (n - 1) * 2 : 0);
    return path;
}

/* The root \Registry and what the test asked for are made with all that is above them. */
static struct key *make(struct ntsim_text path)
{
    struct key *k = find(path);

    if (k) {
        return k;
    }
    if (parent_of(path).len > 0) {
        make(parent_of(path));
    }
    return add(path, false);
}

static void free_values(struct key *k)
{
    while (k->values) {
        struct value *v = k->values;

        k->values = v->next;
        sim_free((void *)(ULONG_PTR)v->name.units);
        sim_free(v->data);
        sim_free(v);
    }
}

static struct value *find_value(struct key *k, struct ntsim_text name)
{
    struct value *v = k->values;

    while (v && !sim_text_equal(v->name, name)) {
        v = v->next;
    }
    return v;
}

static void
set_value(struct key *k, struct ntsim_text name, ULONG type, const void *data, size_t len)
{
    struct value *v = find_value(k, name);

    if (!v) {
        v = sim_zalloc(sizeof(*v));
        v->name = sim_text_dup(name);
        v->next = k->values;
        k->values = v;
    }
    sim_free(v->data);
    v->type = type;
    v->len = len;
    v->data = sim_dup(data, len);
}

static bool below(struct ntsim_text path, struct ntsim_text top)
{
    if (path.len <= top.len || path.units[top.len / 2u] != '\\') {
        return false;
    }
    path.len = top.len;
    return sim_text_equal(path, top);
}

/* ---- the test's side
 * --------------------------------------------------------------------------------- */

void ntsim_reg_set(
    struct ntsim_text path, struct ntsim_text value, uint32_t type, const void *data, size_t len)
{
    sim_lock(SIM_LOCK_REGISTRY);
    set_value(make(path), value, type, data, len);
    sim_unlock(SIM_LOCK_REGISTRY);
}

void ntsim_reg_set_dword(struct ntsim_text path, struct ntsim_text value, uint32_t number)
{
    ntsim_reg_set(path, value, REG_DWORD, &number, sizeof(number));
}

bool ntsim_reg_get(struct ntsim_text path,
                   struct ntsim_text value,
                   uint32_t *ret_type,
                   void *data,
                   size_t size,
                   size_t *ret_len)
{
    struct key *k;
    struct value *v;

    sim_lock(SIM_LOCK_REGISTRY);
    k = find(path);
    v = k ? find_value(k, value) : NULL;
    if (v) {
        *ret_type = v->type;
        *ret_len = v->len;
        memcpy(data, v->data, v->len < size ? v->len : size);
    }
    sim_unlock(SIM_LOCK_REGISTRY);
    return v != NULL;
}

bool ntsim_reg_volatile(struct ntsim_text path)
{
    struct key *k;
    bool answer;

    sim_lock(SIM_LOCK_REGISTRY);
    k = find(path);
    answer = k && k->is_volatile;
    sim_unlock(SIM_LOCK_REGISTRY);
    return answer;
}

void ntsim_reg_delete(struct ntsim_text path)
{
    sim_lock(SIM_LOCK_REGISTRY);
    for (struct key *k = keys; k; k = k->next) {
        if (!k->deleted && (sim_text_equal(k->path, path) || below(k->path, path))) {
            k->deleted = true;
            free_values(k);
        }
    }
    sim_unlock(SIM_LOCK_REGISTRY);
}

void sim_registry_reset(void)
{
    sim_lock(SIM_LOCK_REGISTRY);
    while (keys) {
        struct key *k = keys;

        keys = k->next;
        free_values(k);
        sim_free((void *)(ULONG_PTR)k->path.units);
        sim_free(k);
    }
    make(NTSIM_TEXT(u"\\Registry\\User"));
    make(NTSIM_TEXT(NTSIM_SERVICE));
    sim_unlock(SIM_LOCK_REGISTRY);
}

/* ---- the driver's side
 * --------------------------------------------------------------------------------- */

/* NT ignores title indices and, for a key below another one, looks at the rights of the caller and
 * not at those of the handle. The documentation asks for 0 and for the right: so does this. */

/* The whole path of what attributes name; free units. Not present: a bad root handle. */
static struct ntsim_text full_path(const OBJECT_ATTRIBUTES *a)
{
    struct ntsim_text name = sim_text_of(a->ObjectName);
    struct ntsim_text all = NTSIM_NULL;
    ACCESS_MASK access;
    struct key *root;
    uint16_t *units;

    if (!a->RootDirectory) {
        return sim_text_dup(name);
    }
    root = sim_handle_get(a->RootDirectory, SIM_HANDLE_KEY, &access);
    if (!root) {
        return all;
    }
    units = sim_alloc((size_t)root->path.len + 2u + name.len);
    memcpy(units, root->path.units, root->path.len);
    units[root->path.len / 2u] = '\\';
    if (name.len > 0) {
        memcpy(units + root->path.len / 2u + 1u, name.units, name.len);
    }
    return NTSIM_BYTES(units, root->path.len + (name.len > 0 ? 2u + name.len : 0u));
}

static NTSTATUS open_handle(struct key *k, ACCESS_MASK access, ULONG attributes, PHANDLE ret_handle)
{
    HANDLE h = sim_handle_new(SIM_HANDLE_KEY, k, access, attributes);

    if (!h) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *ret_handle = h;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwOpenKey(PHANDLE ret_key, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    SIM_ENTER(ZwOpenKey);
    NTSTATUS status = SIM_FAULT(ZwOpenKey);
    struct ntsim_text path;
    struct key *k;

    if (status) {
        return status;
    }
    path = full_path(attributes);
    if (!path.present) {
        return STATUS_INVALID_HANDLE;
    }
    sim_lock(SIM_LOCK_REGISTRY);
    k = find(path);
    sim_unlock(SIM_LOCK_REGISTRY);
    sim_free((void *)(ULONG_PTR)path.units);
    return k ? open_handle(k, access, attributes->Attributes, ret_key)
             : STATUS_OBJECT_NAME_NOT_FOUND;
}

static NTSTATUS create(struct ntsim_text path, bool is_volatile, struct key **ret, ULONG *ret_how)
{
    struct key *k = find(path);
    struct key *parent = find(parent_of(path));

    *ret_how = k ? REG_OPENED_EXISTING_KEY : REG_CREATED_NEW_KEY;
    if (!k && !parent) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (!k && parent->is_volatile && !is_volatile) {
        return SIM_CHILD_MUST_BE_VOLATILE;
    }
    *ret = k ? k : add(path, is_volatile);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwCreateKey(PHANDLE ret_key,
                           ACCESS_MASK access,
                           POBJECT_ATTRIBUTES attributes,
                           ULONG title_index,
                           PUNICODE_STRING key_class,
                           ULONG options,
                           PULONG ret_disposition)
{
    SIM_ENTER(ZwCreateKey);
    NTSTATUS status = SIM_FAULT(ZwCreateKey);
    struct ntsim_text path;
    ACCESS_MASK granted;
    struct key *k;
    ULONG how;

    UNREFERENCED_PARAMETER(key_class);
    if (status) {
        return status;
    }
    if (title_index != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (attributes->RootDirectory &&
        sim_handle_get(attributes->RootDirectory, SIM_HANDLE_KEY, &granted) &&
        (granted & (KEY_CREATE_SUB_KEY | GENERIC_ALL)) == 0) {
        return STATUS_ACCESS_DENIED;
    }
    path = full_path(attributes);
    if (!path.present) {
        return STATUS_INVALID_HANDLE;
    }
    sim_lock(SIM_LOCK_REGISTRY);
    status = create(path, (options & REG_OPTION_VOLATILE) != 0, &k, &how);
    sim_unlock(SIM_LOCK_REGISTRY);
    sim_free((void *)(ULONG_PTR)path.units);
    if (NT_SUCCESS(status)) {
        status = open_handle(k, access, attributes->Attributes, ret_key);
    }
    if (NT_SUCCESS(status) && ret_disposition) {
        *ret_disposition = how;
    }
    return status;
}

static NTSTATUS get_key(HANDLE h, ACCESS_MASK access, struct key **ret)
{
    ACCESS_MASK granted;

    *ret = sim_handle_get(h, SIM_HANDLE_KEY, &granted);
    if (!*ret) {
        return STATUS_INVALID_HANDLE;
    }
    return (granted & (access | GENERIC_ALL)) != 0 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static NTSTATUS copy_value(const struct value *v, uint8_t *out, ULONG len, ULONG *ret_len)
{
    const size_t head = offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data);
    KEY_VALUE_PARTIAL_INFORMATION info = {.Type = v->type, .DataLength = (ULONG)v->len};
    size_t room;

    *ret_len = (ULONG)(head + v->len);
    if (len < head) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    room = len - head;
    memcpy(out, &info, head);
    memcpy(out + head, v->data, v->len < room ? v->len : room);
    return v->len <= room ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

NTSTATUS NTAPI ZwQueryValueKey(HANDLE key,
                               PUNICODE_STRING name,
                               KEY_VALUE_INFORMATION_CLASS information_class,
                               PVOID out,
                               ULONG len,
                               PULONG ret_len)
{
    SIM_ENTER(ZwQueryValueKey);
    NTSTATUS status = SIM_FAULT(ZwQueryValueKey);
    struct value *v;
    struct key *k;

    if (status) {
        return status;
    }
    if (information_class != KeyValuePartialInformation) {
        return STATUS_INVALID_PARAMETER;
    }
    status = get_key(key, KEY_QUERY_VALUE, &k);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    sim_lock(SIM_LOCK_REGISTRY);
    v = find_value(k, sim_text_of(name));
    status = k->deleted ? SIM_KEY_DELETED
             : v        ? copy_value(v, out, len, ret_len)
                        : STATUS_OBJECT_NAME_NOT_FOUND;
    sim_unlock(SIM_LOCK_REGISTRY);
    return status;
}

NTSTATUS NTAPI ZwSetValueKey(
    HANDLE key, PUNICODE_STRING name, ULONG title_index, ULONG type, PVOID data, ULONG len)
{
    SIM_ENTER(ZwSetValueKey);
    NTSTATUS status = SIM_FAULT(ZwSetValueKey);
    struct key *k;

    if (status) {
        return status;
    }
    if (title_index != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    status = get_key(key, KEY_SET_VALUE, &k);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    sim_lock(SIM_LOCK_REGISTRY);
    if (k->deleted) {
        status = SIM_KEY_DELETED;
    } else {
        set_value(k, sim_text_of(name), type, data, len);
    }
    sim_unlock(SIM_LOCK_REGISTRY);
    return status;
}
