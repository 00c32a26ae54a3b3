/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_driver_input.c — the input as numbers, texts, filters and events. */
#include "fuzz_driver_support.h"
#include <string.h>

#define TEXT_SLOTS 8u
#define TEXT_MAX 65536u /* bytes of a slot */
/* Bytes of long texts in one input. */
#define LONG_BUDGET 20000u
#define LONG_BUDGET_HEAVY (700u << 10)

static uint16_t texts[TEXT_SLOTS][TEXT_MAX / 2];
static size_t long_left;
static bool heavy;

uint8_t fd_u8(struct fd_in *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->p++;
}

uint16_t fd_u16(struct fd_in *in)
{
    unsigned low = fd_u8(in);

    return (uint16_t)(low | (unsigned)fd_u8(in) << 8);
}

uint32_t fd_u32(struct fd_in *in)
{
    uint32_t low = fd_u16(in);

    return low | (uint32_t)fd_u16(in) << 16;
}

uint64_t fd_u64(struct fd_in *in)
{
    uint64_t low = fd_u32(in);

    return low | (uint64_t)fd_u32(in) << 32;
}

struct wedr_span fd_bytes(struct fd_in *in, size_t max)
{
    size_t len = fd_u8(in);
    struct wedr_span s;

    len = len < max ? len : max;
    len = len < in->len ? len : in->len;
    s = wedr_span(in->p, len);
    in->p += len;
    in->len -= len;
    return s;
}

void fd_input_begin(bool is_heavy)
{
    heavy = is_heavy;
    long_left = heavy ? LONG_BUDGET_HEAVY : LONG_BUDGET;
}

bool fd_heavy(void)
{
    return heavy;
}

static size_t take_long(size_t len)
{
    size_t given = len < long_left ? len : long_left;

    long_left -= given;
    return given;
}

/* ---- texts --------------------------------------------------------------------------------------
 */

#define USUAL(literal)                                                  \
    {                                                                   \
        (literal), (uint16_t)(sizeof(literal) - sizeof(uint16_t)), true \
    }
static const struct ntsim_text usual[] = {
    USUAL(u"\\Device\\HarddiskVolume3\\Windows\\System32\\svchost.exe"),
    USUAL(u"\\Device\\HarddiskVolume3\\Program Files\\Vendor\\app.exe"),
    USUAL(u"\\??\\C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"),
    USUAL(
        u"powershell.exe -NoProfile -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAKQA="),
    USUAL(u"\\SystemRoot\\System32\\drivers\\tcpip.sys"),
    USUAL(u"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\Vendor\\Parameters"),
    USUAL(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"),
    USUAL(u"\\REGISTRY\\USER\\S-1-5-21-1-2-3-1001\\Software\\Classes\\CLSID\\{a}\\InprocServer32"),
    USUAL(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor\\\u00c4\u00f6\u0416\u03b1"),
    USUAL(u"\\REGISTRY\\MACHINE\\SAM\\SAM\\Domains\\Account\\Users\\000001F4"),
    USUAL(u"ImagePath"),
    USUAL(u"\\registry\\machine\\software\\wow6432node\\microsoft\\office\\16.0\\Word\\Addins\\x"),
    USUAL(u"Run\0hidden"),
    USUAL(u"\\"),
    USUAL(u"\\Device\\HarddiskVolume3\\Users\\Public\\hive.dat"),
    USUAL(u"\\Device\\HarddiskVolume3\\WINDOWS\\system32\\ntdll.dll"),
};

struct ntsim_text fd_usual(unsigned number)
{
    return usual[number % WEDR_ARRAY_COUNT(usual)];
}

/* Two units in turn, len bytes. */
static struct ntsim_text repeated(uint16_t *to, uint16_t a, uint16_t b, size_t len)
{
    size_t have = 4, want = (len + 1) & ~(size_t)1;

    to[0] = a;
    to[1] = b;
    for (; have < want; have *= 2) {
        memcpy((uint8_t *)to + have, to, have < want - have ? have : want - have);
    }
    return NTSIM_BYTES(to, len);
}

static struct ntsim_text long_text(struct fd_in *in, uint16_t *to)
{
    static const uint16_t lengths[] = {2,    3,    255,  510,   1022,  1023,  1024,  1026,
                                       2048, 4000, 8186, 8188,  8189,  8190,  8191,  8192,
                                       8193, 8194, 9000, 16384, 32768, 65533, 65534, 65535};
    size_t len = lengths[fd_u8(in) % WEDR_ARRAY_COUNT(lengths)];
    uint16_t a = fd_u16(in), b = fd_u16(in);

    return repeated(to, a, b, take_long(len));
}

/* A usual text with bytes of the input behind it, or with some of its own changed. */
static struct ntsim_text bent(struct fd_in *in, uint16_t *to, bool changed)
{
    struct ntsim_text base = fd_usual(fd_u8(in));
    struct wedr_span s;

    memcpy(to, base.units, base.len);
    if (changed) {
        for (unsigned n = fd_u8(in) % 4; n > 0; n--) {
            unsigned at = fd_u8(in) % (base.len / 2u);

            to[at] = (uint16_t)(to[at] ^ fd_u16(in));
        }
        return NTSIM_BYTES(to, base.len - fd_u8(in) % 4u % (base.len + 1u));
    }
    s = fd_bytes(in, 64);
    if (s.len > 0) {
        memcpy((uint8_t *)to + base.len, s.p, s.len);
    }
    return NTSIM_BYTES(to, base.len + s.len);
}

struct ntsim_text fd_text(struct fd_in *in, unsigned slot)
{
    uint16_t *to = texts[slot % TEXT_SLOTS];
    struct wedr_span s;

    switch (fd_u8(in) % 10) {
    case 0:
        return NTSIM_NULL;
    case 1:
        return (struct ntsim_text){NULL, fd_u16(in), true};
    case 2:
        return NTSIM_BYTES(to, 0);
    case 3:
        s = fd_bytes(in, 128);
        if (s.len > 0) {
            memcpy(to, s.p, s.len);
        }
        return NTSIM_BYTES(to, s.len);
    case 4:
        return long_text(in, to);
    case 5:
        return bent(in, to, false);
    case 6:
        return bent(in, to, true);
    default:
        return fd_usual(fd_u8(in));
    }
}

/* ---- filters
 * ------------------------------------------------------------------------------------- */

size_t fd_filter(struct fd_in *in, uint8_t *mem)
{
    struct wedr_filter_header h = {.magic = WEDR_FILTER_MAGIC, .ioctl_version = WEDR_IOCTL_VERSION};
    size_t count, at;

    h.classes = fd_u8(in) | WEDR_CLASS_PROCESS;
    h.path_count = fd_u8(in) % 4;
    h.registry_count = fd_u8(in) % 4;
    count = (size_t)h.path_count + h.registry_count;
    at = sizeof(h) + count * sizeof(struct wedr_filter_prefix);
    for (size_t i = 0; i < count; i++) {
        struct wedr_filter_prefix p = {.offset = (uint32_t)at};
        struct ntsim_text t = fd_text(in, 7);
        size_t len = t.units ? t.len : 0;

        p.len = (uint16_t)(len < WEDR_FILTER_PREFIX_MAX ? len : WEDR_FILTER_PREFIX_MAX);
        memcpy(mem + sizeof(h) + i * sizeof(p), &p, sizeof(p));
        if (p.len > 0) {
            memcpy(mem + at, t.units, p.len);
        }
        at += p.len;
    }
    h.size = (uint32_t)at;
    memcpy(mem, &h, sizeof(h));
    /* One byte of it as it should not be. */
    if (fd_u8(in) % 4 == 3) {
        size_t bad = fd_u16(in) % at;

        mem[bad] = (uint8_t)(mem[bad] ^ fd_u8(in));
    }
    return at;
}

/* ---- events
 * --------------------------------------------------------------------------------------- */

static void fire_process(bool big)
{
    const struct ntsim_process_spec spec = {.pid = 2000,
                                            .parent_pid = fd_pid[0],
                                            .create_time = NTSIM_TIME,
                                            .start_key = 0x2000,
                                            .image = fd_usual(1),
                                            .integrity = 0x2000};
    struct ntsim_create c = {.image = fd_usual(1), .command_line = fd_usual(3)};
    bool there = ntsim_process_find(spec.pid) != NULL;

    /* One may be under way below us, when a hook fires this. */
    if (there) {
        return;
    }
    if (big && heavy) {
        c.command_line = repeated(texts[6], u'a', u'b', take_long(65534));
    }
    c.process = ntsim_process_new(&spec);
    FD_REQUIRE(ntsim_fire_process_create(&c) == NTSIM_SUCCESS);
    ntsim_fire_process_exit(c.process);
    ntsim_process_free(c.process);
}

static void fire_passive(unsigned kind, bool big)
{
    const struct ntsim_image image = {.name = fd_usual(15),
                                      .pid = kind % 2 == 0 ? fd_pid[1] : 0,
                                      .properties = kind % 2 == 0 ? 0 : NTSIM_IMAGE_KERNEL,
                                      .base = 0x7ff800000000,
                                      .size = 0x1f0000};
    static const uint8_t data[300] = {1, 2, 3};

    switch (kind % 4) {
    case 0:
    case 1:
        ntsim_fire_image(&image);
        return;
    case 2:
        FD_REQUIRE(ntsim_fire_registry_set_value(fd_key[0], fd_usual(10), 3, data,
                                                 big ? sizeof(data) : 8, 0) == NTSIM_SUCCESS);
        return;
    default:
        fire_process(big);
        return;
    }
}

void fd_event(unsigned kind, bool big)
{
    const struct ntsim_handle h = {.process = fd_process[1], .access = 0x1fffff};

    if (ntsim_irql() > 1) {
        return;
    }
    switch (kind % 8) {
    case 0:
        ntsim_fire_thread(fd_pid[1], 3000, true);
        return;
    case 1:
        ntsim_fire_thread(fd_pid[1], 3000, false);
        return;
    case 2:
        FD_REQUIRE(ntsim_fire_handle(&h) == h.access);
        return;
    default:
        if (ntsim_irql() == 0) {
            fire_passive(kind % 8 - 3, big);
        }
        return;
    }
}
