/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_handle.c — handles, and the security descriptor of a device. */
#include "nt_sim.h"

#define HANDLES 64u
#define KERNEL_HANDLE 0xffffffff80000000ull

static struct {
    enum sim_handle_kind kind;
    void *what;
    ACCESS_MASK access;
} table[HANDLES];

/* ---- handles ------------------------------------------------------------------------------------
 */

HANDLE sim_handle_new(enum sim_handle_kind kind, void *what, ACCESS_MASK access, ULONG attributes)
{
    HANDLE h = NULL;

    if ((attributes & OBJ_KERNEL_HANDLE) == 0) {
        sim_violation(SIM_RULE_handle_user, "attributes %x", (unsigned)attributes);
    }
    sim_lock(SIM_LOCK_HANDLE);
    for (unsigned i = 0; i < HANDLES; i++) {
        if (table[i].kind == SIM_HANDLE_FREE) {
            table[i].kind = kind;
            table[i].what = what;
            table[i].access = access;
            h = (HANDLE)(ULONG_PTR)(KERNEL_HANDLE + (i + 1u) * 4u);
            break;
        }
    }
    sim_unlock(SIM_LOCK_HANDLE);
    return h;
}

static unsigned index_of(HANDLE h)
{
    ULONG_PTR n = ((ULONG_PTR)h - KERNEL_HANDLE) / 4u;

    return n >= 1 && n <= HANDLES ? (unsigned)n - 1u : HANDLES;
}

void *sim_handle_get(HANDLE h, enum sim_handle_kind kind, ACCESS_MASK *ret_access)
{
    unsigned i = index_of(h);
    void *what = NULL;

    sim_lock(SIM_LOCK_HANDLE);
    if (i < HANDLES && table[i].kind == kind) {
        what = table[i].what;
        *ret_access = table[i].access;
    }
    sim_unlock(SIM_LOCK_HANDLE);
    if (!what) {
        sim_violation(SIM_RULE_handle_invalid, "%p", h);
    }
    return what;
}

NTSTATUS NTAPI ZwClose(HANDLE h)
{
    SIM_ENTER(ZwClose);
    unsigned i = index_of(h);
    bool known;

    sim_lock(SIM_LOCK_HANDLE);
    known = i < HANDLES && table[i].kind != SIM_HANDLE_FREE;
    if (known) {
        table[i].kind = SIM_HANDLE_FREE;
    }
    sim_unlock(SIM_LOCK_HANDLE);
    if (!known) {
        sim_violation(SIM_RULE_handle_invalid, "ZwClose(%p)", h);
        return STATUS_INVALID_HANDLE;
    }
    return STATUS_SUCCESS;
}

uint64_t ntsim_handles(void)
{
    uint64_t n = 0;

    sim_lock(SIM_LOCK_HANDLE);
    for (unsigned i = 0; i < HANDLES; i++) {
        n += table[i].kind != SIM_HANDLE_FREE;
    }
    sim_unlock(SIM_LOCK_HANDLE);
    return n;
}

void sim_handles_check_unload(void)
{
    if (ntsim_handles() > 0) {
        sim_violation(SIM_RULE_handle_leak, "%u", (unsigned)ntsim_handles());
        sim_handles_reset();
    }
}

void sim_handles_reset(void)
{
    sim_lock(SIM_LOCK_HANDLE);
    memset(table, 0, sizeof(table));
    sim_unlock(SIM_LOCK_HANDLE);
}

/* ---- building a descriptor
 * -------------------------------------------------------------------------- */

static size_t sid_len(const void *sid)
{
    return 8u + 4u * ((const uint8_t *)sid)[1];
}

NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR sd, ULONG revision)
{
    SIM_ENTER(RtlCreateSecurityDescriptor);
    NTSTATUS status = SIM_FAULT(RtlCreateSecurityDescriptor);
    SECURITY_DESCRIPTOR *d = sd;

    if (status) {
        return status;
    }
    if (revision != SECURITY_DESCRIPTOR_REVISION) {
        return STATUS_UNKNOWN_REVISION;
    }
    memset(d, 0, sizeof(*d));
    d->Revision = SECURITY_DESCRIPTOR_REVISION;
    return STATUS_SUCCESS;
}

/* NT rounds a length down to whole longwords: one that is none is a slip. */
NTSTATUS NTAPI RtlCreateAcl(PACL acl, ULONG len, ULONG revision)
{
    SIM_ENTER(RtlCreateAcl);
    NTSTATUS status = SIM_FAULT(RtlCreateAcl);

    if (status) {
        return status;
    }
    if (len < sizeof(ACL)) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    if ((revision != ACL_REVISION && revision != 4) || len > 0xffff || len % 4 != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    memset(acl, 0, sizeof(*acl));
    acl->AclRevision = (UCHAR)revision;
    acl->AclSize = (USHORT)len;
    return STATUS_SUCCESS;
}

/* Offset behind the last entry; 0 when the list is not sound. */
static size_t acl_end(const ACL *acl)
{
    size_t at = sizeof(*acl);

    if (acl->AclSize < sizeof(*acl)) {
        return 0;
    }
    for (unsigned i = 0; i < acl->AceCount; i++) {
        const ACE_HEADER *ace = (const void *)((const uint8_t *)acl + at);

        if (acl->AclSize - at < sizeof(ACCESS_ALLOWED_ACE) || ace->AceSize > acl->AclSize - at ||
            ace->AceSize < sizeof(ACCESS_ALLOWED_ACE) || ace->AceSize % 4 != 0) {
            return 0;
        }
        at += ace->AceSize;
    }
    return at;
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(PACL acl, ULONG revision, ACCESS_MASK access, PSID sid)
{
    SIM_ENTER(RtlAddAccessAllowedAce);
    NTSTATUS status = SIM_FAULT(RtlAddAccessAllowedAce);
    size_t end, len = offsetof(ACCESS_ALLOWED_ACE, SidStart) + sid_len(sid);
    ACCESS_ALLOWED_ACE *ace;

    if (status) {
        return status;
    }
    if (*(const uint8_t *)sid != SID_REVISION || ((const uint8_t *)sid)[1] > 15) {
        return STATUS_INVALID_SID;
    }
    end = acl_end(acl);
    if (end == 0) {
        return STATUS_INVALID_ACL;
    }
    if (revision < ACL_REVISION || revision > 4) {
        return STATUS_REVISION_MISMATCH;
    }
    if (acl->AclSize - end < len) {
        return STATUS_ALLOTTED_SPACE_EXCEEDED;
    }
    ace = (void *)((uint8_t *)acl + end);
    ace->Header.AceType = ACCESS_ALLOWED_ACE_TYPE;
    ace->Header.AceFlags = 0;
    ace->Header.AceSize = (USHORT)len;
    ace->Mask = access;
    memcpy(&ace->SidStart, sid, sid_len(sid));
    acl->AceCount++;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR sd,
                                            BOOLEAN present,
                                            PACL acl,
                                            BOOLEAN defaulted)
{
    SIM_ENTER(RtlSetDaclSecurityDescriptor);
    NTSTATUS status = SIM_FAULT(RtlSetDaclSecurityDescriptor);
    SECURITY_DESCRIPTOR *d = sd;

    if (status) {
        return status;
    }
    if (d->Revision != SECURITY_DESCRIPTOR_REVISION) {
        return STATUS_UNKNOWN_REVISION;
    }
    d->Control = (USHORT)(d->Control & ~(SE_DACL_PRESENT | SE_DACL_DEFAULTED));
    if (present) {
        d->Control = (USHORT)(d->Control | SE_DACL_PRESENT | (defaulted ? SE_DACL_DEFAULTED : 0));
        d->Dacl = acl;
    }
    return STATUS_SUCCESS;
}

/* ---- giving it to the device
 * --------------------------------------------------------------------------- */

NTSTATUS NTAPI ObOpenObjectByPointer(PVOID object,
                                     ULONG attributes,
                                     PACCESS_STATE state,
                                     ACCESS_MASK access,
                                     POBJECT_TYPE type,
                                     KPROCESSOR_MODE mode,
                                     PHANDLE ret_handle)
{
    SIM_ENTER(ObOpenObjectByPointer);
    NTSTATUS status = SIM_FAULT(ObOpenObjectByPointer);
    HANDLE h;

    UNREFERENCED_PARAMETER(state);
    UNREFERENCED_PARAMETER(type);
    if (status) {
        return status;
    }
    if (!sim_object_check(object, SIM_TYPE_DEVICE, "ObOpenObjectByPointer")) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (mode != KernelMode) {
        return STATUS_ACCESS_DENIED;
    }
    h = sim_handle_new(SIM_HANDLE_DEVICE, object, access, attributes);
    if (!h) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *ret_handle = h;
    return STATUS_SUCCESS;
}

static void keep_dacl(struct sim_device *d, const ACL *acl)
{
    const uint8_t *copy;
    size_t at = sizeof(ACL);

    sim_free(d->sids);
    d->sids = sim_dup(acl, acl->AclSize);
    copy = d->sids;
    d->info.aces = 0;
    for (unsigned i = 0; i < acl->AceCount && i < 8; i++) {
        const ACCESS_ALLOWED_ACE *ace = (const void *)(copy + at);
        struct ntsim_ace *to = &d->info.ace[d->info.aces++];

        to->type = ace->Header.AceType;
        to->flags = ace->Header.AceFlags;
        to->mask = ace->Mask;
        to->sid = (const uint8_t *)&ace->SidStart;
        to->sid_len = sid_len(to->sid);
        at += ace->Header.AceSize;
    }
}

NTSTATUS NTAPI ZwSetSecurityObject(HANDLE h, SECURITY_INFORMATION what, PSECURITY_DESCRIPTOR sd)
{
    SIM_ENTER(ZwSetSecurityObject);
    NTSTATUS status = SIM_FAULT(ZwSetSecurityObject);
    const SECURITY_DESCRIPTOR *in = sd;
    ACCESS_MASK access;
    struct sim_device *d;
    PVOID object;

    if (status) {
        return status;
    }
    object = sim_handle_get(h, SIM_HANDLE_DEVICE, &access);
    if (!object) {
        return STATUS_INVALID_HANDLE;
    }
    if ((access & WRITE_DAC) == 0 ||
        ((what & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION)) != 0 &&
         (access & WRITE_OWNER) == 0)) {
        return STATUS_ACCESS_DENIED;
    }
    if (in->Revision != SECURITY_DESCRIPTOR_REVISION) {
        return STATUS_UNKNOWN_REVISION;
    }
    if ((what & DACL_SECURITY_INFORMATION) == 0 || (in->Control & SE_DACL_PRESENT) == 0) {
        return STATUS_INVALID_SECURITY_DESCR;
    }
    if (in->Dacl && acl_end(in->Dacl) == 0) {
        return STATUS_INVALID_ACL;
    }
    d = sim_device_of(object);
    sim_lock(SIM_LOCK_IO);
    d->info.has_dacl = true;
    d->info.dacl_null = !in->Dacl;
    d->info.dacl_defaulted = (in->Control & SE_DACL_DEFAULTED) != 0;
    d->info.dacl_protected = (in->Control & SE_DACL_PROTECTED) != 0 || (what & 0x80000000u) != 0;
    if (in->Dacl) {
        keep_dacl(d, in->Dacl);
    }
    sim_unlock(SIM_LOCK_IO);
    return STATUS_SUCCESS;
}
