/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_io.c — the driver's life, its devices, links and files. */
#include "nt_sim.h"

DRIVER_OBJECT sim_driver;

struct link {
    struct link *next;
    struct ntsim_text name, target;
};

static struct sim_device *devices; /* these three under SIM_LOCK_IO */
static struct link *links;
static struct ntsim_file *files;
static bool loaded;

/* ---- names
 * --------------------------------------------------------------------------------------- */

/* \??\X is \DosDevices\X. */
static struct ntsim_text link_leaf(struct ntsim_text name)
{
    static const struct ntsim_text prefixes[2] = {{u"\\DosDevices\\", 24, true},
                                                  {u"\\??\\", 8, true}};

    for (unsigned i = 0; i < 2; i++) {
        struct ntsim_text head = name;

        head.len = prefixes[i].len;
        if (name.len > head.len && sim_text_equal(head, prefixes[i])) {
            return NTSIM_BYTES((const uint8_t *)name.units + head.len, name.len - head.len);
        }
    }
    return name;
}

static struct link *find_link(struct ntsim_text name)
{
    struct link *l = links;

    while (l && !sim_text_equal(link_leaf(l->name), link_leaf(name))) {
        l = l->next;
    }
    return l;
}

struct sim_device *sim_device_find(struct ntsim_text name)
{
    struct sim_device *d = devices;

    while (d && !sim_text_equal(d->name, name)) {
        d = d->next;
    }
    return d;
}

/* ---- devices and links, the driver's side
 * ----------------------------------------------------------- */

NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT driver,
                              ULONG extension_len,
                              PUNICODE_STRING name,
                              DEVICE_TYPE type,
                              ULONG characteristics,
                              BOOLEAN exclusive,
                              PDEVICE_OBJECT *ret_device)
{
    SIM_ENTER(IoCreateDevice);
    NTSTATUS status = SIM_FAULT(IoCreateDevice);
    struct sim_device *d;

    if (status) {
        return status;
    }
    sim_lock(SIM_LOCK_IO);
    if (name && sim_device_find(sim_text_of(name))) {
        sim_unlock(SIM_LOCK_IO);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    d = sim_zalloc(sizeof(*d) + extension_len);
    d->name = sim_text_dup(sim_text_of(name));
    sim_object_init(&d->object, SIM_TYPE_DEVICE);
    d->body.Type = 3; /* IO_TYPE_DEVICE */
    d->body.Size = (USHORT)(sizeof(DEVICE_OBJECT) + extension_len);
    d->body.DriverObject = driver;
    d->body.NextDevice = driver->DeviceObject;
    d->body.DeviceExtension = extension_len ? (PVOID)(d + 1) : NULL;
    d->body.DeviceType = type;
    d->body.Characteristics = characteristics;
    d->body.Flags = DO_DEVICE_INITIALIZING | (exclusive ? DO_EXCLUSIVE : 0u);
    d->body.StackSize = 1;
    d->info.exclusive = exclusive != 0;
    driver->DeviceObject = &d->body;
    d->next = devices;
    devices = d;
    sim_unlock(SIM_LOCK_IO);
    *ret_device = &d->body;
    return STATUS_SUCCESS;
}

static void free_device(struct sim_device *d)
{
    sim_object_end(&d->object, "device");
    sim_free(d->sids);
    sim_free((void *)(ULONG_PTR)d->name.units);
    sim_retire(d, sizeof(*d), SIM_RULE_pool_used_after_free);
}

/* Nobody can open it any more; the memory stays while files of it are open. */
VOID NTAPI IoDeleteDevice(PDEVICE_OBJECT device)
{
    SIM_ENTER(IoDeleteDevice);
    struct sim_device *d = NULL;
    struct ntsim_file *f;

    sim_lock(SIM_LOCK_IO);
    for (struct sim_device **at = &devices; *at; at = &(*at)->next) {
        if (&(*at)->body == device) {
            d = *at;
            *at = d->next;
            break;
        }
    }
    for (PDEVICE_OBJECT *at = &sim_driver.DeviceObject; d && *at; at = &(*at)->NextDevice) {
        if (*at == device) {
            *at = device->NextDevice;
            break;
        }
    }
    for (f = files; f; f = f->next) {
        if (f->device == d) {
            f->dead = true;
            f->device = NULL;
        }
    }
    sim_unlock(SIM_LOCK_IO);
    if (!d) {
        sim_violation(SIM_RULE_device_unknown, "IoDeleteDevice(%p)", (void *)device);
        return;
    }
    free_device(d);
}

NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING name, PUNICODE_STRING target)
{
    SIM_ENTER(IoCreateSymbolicLink);
    NTSTATUS status = SIM_FAULT(IoCreateSymbolicLink);
    struct link *l;

    if (status) {
        return status;
    }
    sim_lock(SIM_LOCK_IO);
    if (find_link(sim_text_of(name))) {
        status = STATUS_OBJECT_NAME_COLLISION;
    } else {
        l = sim_zalloc(sizeof(*l));
        l->name = sim_text_dup(sim_text_of(name));
        l->target = sim_text_dup(sim_text_of(target));
        l->next = links;
        links = l;
    }
    sim_unlock(SIM_LOCK_IO);
    SIM_LEAVE(IoCreateSymbolicLink);
    return status;
}

static void free_link(struct link *l)
{
    sim_free((void *)(ULONG_PTR)l->name.units);
    sim_free((void *)(ULONG_PTR)l->target.units);
    sim_free(l);
}

NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING name)
{
    SIM_ENTER(IoDeleteSymbolicLink);
    struct link *l;

    sim_lock(SIM_LOCK_IO);
    l = find_link(sim_text_of(name));
    for (struct link **at = &links; l && *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    sim_unlock(SIM_LOCK_IO);
    if (!l) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    free_link(l);
    return STATUS_SUCCESS;
}

/* ---- what the test sees of them
 * -------------------------------------------------------------------------- */

bool ntsim_device(struct ntsim_text name, struct ntsim_device *ret)
{
    struct sim_device *d;

    sim_lock(SIM_LOCK_IO);
    d = sim_device_find(name);
    if (d) {
        *ret = d->info;
        ret->type = d->body.DeviceType;
        ret->flags = d->body.Flags;
        ret->characteristics = d->body.Characteristics;
        ret->extension = (uint32_t)(d->body.Size - sizeof(DEVICE_OBJECT));
    }
    sim_unlock(SIM_LOCK_IO);
    return d != NULL;
}

bool ntsim_link(struct ntsim_text name, struct ntsim_text *ret_target)
{
    struct link *l;

    sim_lock(SIM_LOCK_IO);
    l = find_link(name);
    if (l) {
        *ret_target = l->target;
    }
    sim_unlock(SIM_LOCK_IO);
    return l != NULL;
}

/* ---- files
 * --------------------------------------------------------------------------------------------------
 */

/* The device that name leads to, and what of the name is left. The lock is held. */
static struct sim_device *resolve(struct ntsim_text name, struct ntsim_text *ret_tail)
{
    struct link *l = find_link(name);
    struct ntsim_text path = l ? l->target : name;

    for (struct sim_device *d = devices; d; d = d->next) {
        struct ntsim_text head = path;

        head.len = d->name.len;
        if (path.len >= head.len && sim_text_equal(head, d->name) &&
            (path.len == head.len || path.units[head.len / 2u] == '\\')) {
            *ret_tail =
                NTSIM_BYTES((const uint8_t *)path.units + head.len, (unsigned)path.len - head.len);
            return d;
        }
    }
    return NULL;
}

static bool is_open(const struct sim_device *d)
{
    for (const struct ntsim_file *f = files; f; f = f->next) {
        if (f->device == d) {
            return true;
        }
    }
    return false;
}

static void forget(struct ntsim_file *f)
{
    sim_lock(SIM_LOCK_IO);
    for (struct ntsim_file **at = &files; *at; at = &(*at)->next) {
        if (*at == f) {
            *at = f->next;
            break;
        }
    }
    sim_unlock(SIM_LOCK_IO);
    sim_object_end(&f->object, "file");
    sim_string_fini(&f->name);
    sim_retire(f, sizeof(*f), SIM_RULE_pool_used_after_free);
}

static NTSTATUS begin_open(struct ntsim_text name, bool look, struct ntsim_file **ret)
{
    struct ntsim_text tail = NTSIM_NULL;
    struct sim_device *d;
    struct ntsim_file *f;

    sim_lock(SIM_LOCK_IO);
    d = loaded ? resolve(name, &tail) : NULL;
    if (!d || (look && (d->body.Flags & DO_EXCLUSIVE) && is_open(d))) {
        sim_unlock(SIM_LOCK_IO);
        return d ? STATUS_ACCESS_DENIED : STATUS_OBJECT_NAME_NOT_FOUND;
    }
    f = sim_zalloc(sizeof(*f));
    sim_object_init(&f->object, SIM_TYPE_FILE);
    f->device = d;
    f->body.Type = 5; /* IO_TYPE_FILE */
    f->body.Size = sizeof(FILE_OBJECT);
    f->body.DeviceObject = &d->body;
    sim_string_init(&f->name, tail);
    f->body.FileName = f->name.us;
    f->next = files;
    files = f;
    sim_unlock(SIM_LOCK_IO);
    *ret = f;
    return STATUS_SUCCESS;
}

static struct ntsim_file *open_file(struct ntsim_text name, bool look, int32_t *ret_status)
{
    struct ntsim_file *f;

    *ret_status = begin_open(name, look, &f);
    if (!NT_SUCCESS(*ret_status)) {
        return NULL;
    }
    *ret_status = sim_file_request(f, IRP_MJ_CREATE);
    if (!NT_SUCCESS(*ret_status)) {
        forget(f);
        return NULL;
    }
    return f;
}

struct ntsim_file *ntsim_open(int32_t *ret_status)
{
    return open_file(NTSIM_TEXT(u"\\DosDevices\\WazabiEDR"), true, ret_status);
}

struct ntsim_file *ntsim_open_shared(int32_t *ret_status)
{
    return open_file(NTSIM_TEXT(u"\\DosDevices\\WazabiEDR"), false, ret_status);
}

struct ntsim_file *ntsim_open_name(struct ntsim_text name, int32_t *ret_status)
{
    return open_file(name, true, ret_status);
}

int32_t ntsim_cleanup(struct ntsim_file *f)
{
    if (f->dead || f->cleaned) {
        sim_die("ntsim_cleanup: once, while the driver is there");
    }
    f->cleaned = true;
    return sim_file_request(f, IRP_MJ_CLEANUP);
}

int32_t ntsim_close(struct ntsim_file *f)
{
    int32_t status = f->dead ? STATUS_SUCCESS : sim_file_request(f, IRP_MJ_CLOSE);

    if (sim_irp_parked(f) > 0) {
        sim_violation(SIM_RULE_irp_parked_at_close, "%u after CLOSE", sim_irp_parked(f));
        sim_irp_abandon(f);
    }
    forget(f);
    return status;
}

void ntsim_close_handle(struct ntsim_file *f)
{
    if (!f->dead && !f->cleaned) {
        ntsim_cleanup(f);
    }
    if (sim_irp_parked(f) > 0) {
        sim_violation(SIM_RULE_irp_parked_at_close, "%u after CLEANUP", sim_irp_parked(f));
        sim_irp_abandon(f);
    }
    ntsim_close(f);
}

/* ---- the driver's life
 * ----------------------------------------------------------------------------------------- */

static NTSTATUS NTAPI invalid_request(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    IofCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

unsigned ntsim_majors_unset(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) {
        n += sim_driver.MajorFunction[i] == invalid_request;
    }
    return n;
}

static void check_devices(void)
{
    struct link *l;

    if (devices) {
        sim_violation(SIM_RULE_device_leak, "%p", (void *)&devices->body);
    }
    while (devices) {
        IoDeleteDevice(&devices->body);
    }
    if (links) {
        sim_violation(SIM_RULE_link_leak, "link");
    }
    while ((l = links) != NULL) {
        links = l->next;
        free_link(l);
    }
}

static void check_gone(void)
{
    int64_t references;

    sim_callbacks_check_unload();
    if (sim_irp_parked(NULL) > 0) {
        sim_violation(SIM_RULE_irp_parked_at_unload, "%u", sim_irp_parked(NULL));
        sim_irp_abandon(NULL);
    }
    check_devices();
    sim_handles_check_unload();
    references = atomic_load(&sim_references);
    if (references != 0) {
        sim_violation(SIM_RULE_object_leak, "%lld references", (long long)references);
        sim_ps_forget_references();
    }
    sim_pool_check_unload();
    for (struct ntsim_file *f = files; f; f = f->next) {
        f->dead = true;
    }
}

int32_t ntsim_load_as(struct ntsim_text service_key)
{
    struct sim_string key;
    struct sim_visit v;
    NTSTATUS status;

    if (loaded || !ntsim_system()) {
        sim_die("ntsim_load: it is loaded, or ntsim_reset was never called");
    }
    memset(&sim_driver, 0, sizeof(sim_driver));
    sim_driver.Type = 4; /* IO_TYPE_DRIVER */
    sim_driver.Size = sizeof(sim_driver);
    sim_driver.DriverInit = DriverEntry;
    for (unsigned i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) {
        sim_driver.MajorFunction[i] = invalid_request;
    }
    sim_string_init(&key, service_key);
    sim_visit_start(&v);
    status = DriverEntry(&sim_driver, &key.us);
    sim_visit_check(&v, "DriverEntry");
    sim_string_fini(&key);
    if (!NT_SUCCESS(status)) {
        check_gone();
        return status;
    }
    sim_lock(SIM_LOCK_IO);
    loaded = true;
    sim_unlock(SIM_LOCK_IO);
    if (!sim_driver.DriverUnload) {
        sim_violation(SIM_RULE_driver_no_unload, "DriverEntry set none");
    }
    return status;
}

int32_t ntsim_load(void)
{
    return ntsim_load_as(NTSIM_TEXT(NTSIM_SERVICE));
}

void ntsim_unload(void)
{
    struct sim_visit v;

    sim_lock(SIM_LOCK_IO);
    if (!loaded) {
        sim_die("ntsim_unload: it is not loaded");
    }
    loaded = false;
    sim_unlock(SIM_LOCK_IO);
    if (sim_driver.DriverUnload) {
        sim_visit_start(&v);
        sim_driver.DriverUnload(&sim_driver);
        sim_visit_check(&v, "DriverUnload");
    }
    check_gone();
}

bool ntsim_loaded(void)
{
    bool answer;

    sim_lock(SIM_LOCK_IO);
    answer = loaded;
    sim_unlock(SIM_LOCK_IO);
    return answer;
}

void ntsim_reset(void)
{
    if (ntsim_loaded()) {
        ntsim_unload();
    }
    sim_irp_reset();
    while (files) {
        forget(files);
    }
    sim_callbacks_reset();
    sim_ob_note_reset();
    sim_cm_reset();
    sim_ps_reset();
    sim_handles_reset();
    sim_pool_reset();
    sim_registry_reset();
    sim_irql_reset();
    sim_faults_reset();
    ntsim_set_time(NTSIM_TIME);
    ntsim_on_violation(NULL, NULL);
}
