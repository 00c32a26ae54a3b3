/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_events.h"

#include "core/base/attr.h"

const char *const driver_kind_name[DRIVER_KINDS] = {
    "process_create", "process_exit",  "image_load",  "registry_set", "registry_unwatched",
    "registry_query", "thread_create", "thread_exit", "handle_open",  "handle_uninteresting"};

#define TEXT(literal)                                                   \
    {                                                                   \
        (literal), (uint16_t)(sizeof(literal) - sizeof(uint16_t)), true \
    }

static const struct ntsim_text explorer = TEXT(u"\\Device\\HarddiskVolume3\\Windows\\explorer.exe");
static const struct ntsim_text powershell =
    TEXT(u"\\Device\\HarddiskVolume3\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe");
static const struct ntsim_text command_line = TEXT(
    u"\"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe\" -NoProfile "
    u"-NonInteractive "
    u"-ExecutionPolicy Bypass -File \"C:\\Program Files\\Vendor\\Agent\\scripts\\inventory.ps1\"");
static const struct ntsim_text images[] = {
    TEXT(u"\\Device\\HarddiskVolume3\\Windows\\System32\\ntdll.dll"),
    TEXT(u"\\Device\\HarddiskVolume3\\Windows\\System32\\KernelBase.dll"),
    TEXT(u"\\Device\\HarddiskVolume3\\Windows\\System32\\windows.storage.dll"),
    TEXT(u"\\Device\\HarddiskVolume3\\Windows\\WinSxS\\amd64_microsoft.windows.common-controls_"
         u"6595b64144"
         u"ccf1df_6.0.19041.1110_none_60b5254171f9507e\\comctl32.dll"),
};
static const struct ntsim_text service =
    TEXT(u"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\VendorUpdateService");
static const struct ntsim_text vendor =
    TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor\\Product\\CurrentVersion\\Settings");
static const struct ntsim_text image_path = TEXT(u"ImagePath");
static const uint16_t data[60] = u"C:\\Program Files\\Vendor\\Update\\VendorUpdate.exe /svc";

/* S-1-5-21-1004336348-1177238915-682003330-1001 */
static const uint8_t user_sid[28] = {1,    5,    0,    0,    0,    0,    0,    5,    21,   0,
                                     0,    0,    0xdc, 0xf4, 0xdc, 0x3b, 0x83, 0x3d, 0x2b, 0x46,
                                     0x82, 0x8b, 0xa6, 0x28, 0xe9, 0x03, 0,    0};

static struct ntsim_process *
process(uint64_t pid, uint64_t parent, struct ntsim_text image, uint64_t key)
{
    const struct ntsim_process_spec spec = {.pid = pid,
                                            .parent_pid = parent,
                                            .create_time = NTSIM_TIME + (int64_t)pid,
                                            .start_key = key,
                                            .session = 1,
                                            .image = image,
                                            .sid = user_sid,
                                            .sid_len = sizeof(user_sid),
                                            .integrity = 0x2000};

    return ntsim_process_new(&spec);
}

void driver_producer_init(struct driver_producer *p, unsigned number)
{
    uint64_t base = 4000 + (uint64_t)number * 1000;

    p->self = process(base, 4, explorer, 0x10000 + base);
    p->stranger = process(base + 4, 4, powershell, 0x20000 + base);
    p->child = process(base + 8, base, powershell, 0x30000 + base);
    p->thread = ntsim_thread_new(p->self, base + 1);
    p->watched = ntsim_key_new(service);
    p->other = ntsim_key_new(vendor);
}

void driver_producer_enter(struct driver_producer *p)
{
    ntsim_set_current(p->thread);
}

static void set_value(struct ntsim_key *key)
{
    (void)ntsim_fire_registry_set_value(key, image_path, 2, data, sizeof(data), 0);
}

static void query_value(struct ntsim_key *key)
{
    struct ntsim_registry r = {.op = NTSIM_REG_QUERY_VALUE, .key = key, .name = image_path};

    (void)ntsim_fire_registry(&r, 0);
}

static void open_handle(struct driver_producer *p, uint32_t access)
{
    const struct ntsim_handle h = {.process = p->stranger, .access = access};

    (void)ntsim_fire_handle(&h);
}

static void load_image(struct driver_producer *p, uint64_t n)
{
    const struct ntsim_image image = {.name = images[n % WEDR_ARRAY_COUNT(images)],
                                      .pid = ntsim_pid(p->self),
                                      .properties = 0xc000,
                                      .base = 0x7ffb00000000u + n * 0x10000u,
                                      .size = 0x1f4000};

    ntsim_fire_image(&image);
}

void driver_fire(struct driver_producer *p, enum driver_kind kind, uint64_t n)
{
    const struct ntsim_create create = {
        .process = p->child, .image = powershell, .command_line = command_line};

    switch (kind) {
    case DRIVER_PROCESS_CREATE:
        (void)ntsim_fire_process_create(&create);
        return;
    case DRIVER_PROCESS_EXIT:
        ntsim_fire_process_exit_as(p->child, ntsim_pid(p->child));
        return;
    case DRIVER_IMAGE:
        load_image(p, n);
        return;
    case DRIVER_REGISTRY_SET:
        set_value(p->watched);
        return;
    case DRIVER_REGISTRY_OTHER:
        set_value(p->other);
        return;
    case DRIVER_REGISTRY_QUERY:
        query_value(p->watched);
        return;
    case DRIVER_THREAD_CREATE:
    case DRIVER_THREAD_EXIT:
        ntsim_fire_thread(ntsim_pid(p->self), 100 + n % 64 * 4, kind == DRIVER_THREAD_CREATE);
        return;
    case DRIVER_HANDLE:
        open_handle(p, 0x1410);
        return;
    case DRIVER_HANDLE_OTHER:
        open_handle(p, 0x1000);
        return;
    default:
        return;
    }
}

void driver_fire_mix(struct driver_producer *p, uint64_t n)
{
    static const uint8_t mix[20] = {
        DRIVER_PROCESS_CREATE, DRIVER_IMAGE,         DRIVER_IMAGE,        DRIVER_THREAD_CREATE,
        DRIVER_HANDLE,         DRIVER_IMAGE,         DRIVER_IMAGE,        DRIVER_THREAD_CREATE,
        DRIVER_REGISTRY_SET,   DRIVER_HANDLE,        DRIVER_IMAGE,        DRIVER_IMAGE,
        DRIVER_THREAD_CREATE,  DRIVER_HANDLE,        DRIVER_REGISTRY_SET, DRIVER_IMAGE,
        DRIVER_IMAGE,          DRIVER_THREAD_CREATE, DRIVER_HANDLE,       DRIVER_PROCESS_EXIT};

    driver_fire(p, (enum driver_kind)mix[n % sizeof(mix)], n);
}
