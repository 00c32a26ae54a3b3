/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_token.c — image path and token of a process. */
#include "nt_sim.h"

#define TAG_SE 0x20206553u /* "Se  " */

#undef PsDereferencePrimaryToken
VOID NTAPI PsDereferencePrimaryToken(PACCESS_TOKEN token);

NTSTATUS NTAPI SeLocateProcessImageName(PEPROCESS process, PUNICODE_STRING *ret_name)
{
    SIM_ENTER(SeLocateProcessImageName);
    NTSTATUS status = SIM_FAULT(SeLocateProcessImageName);
    struct ntsim_process *p;
    PUNICODE_STRING name;
    size_t len;

    if (status) {
        return status;
    }
    if (!sim_object_check(process, SIM_TYPE_PROCESS, "SeLocateProcessImageName")) {
        return STATUS_INVALID_PARAMETER;
    }
    p = CONTAINING_RECORD((UCHAR *)process, struct ntsim_process, body);
    if (atomic_load(&p->fail) & NTSIM_FAIL_IMAGE) {
        return STATUS_NOT_FOUND;
    }
    len = (atomic_load(&p->fail) & NTSIM_FAIL_IMAGE_EMPTY) ? 0 : p->spec.image.len;
    name = sim_block_new(SIM_KIND_POOL, sizeof(*name) + len, TAG_SE, false, true);
    name->Length = (USHORT)len;
    name->MaximumLength = (USHORT)len;
    name->Buffer = len > 0 ? (PWSTR)(name + 1) : NULL;
    if (len > 0) {
        memcpy(name->Buffer, p->spec.image.units, len);
    }
    *ret_name = name;
    SIM_LEAVE(SeLocateProcessImageName);
    return STATUS_SUCCESS;
}

HANDLE NTAPI PsReferencePrimaryToken(PEPROCESS process)
{
    SIM_ENTER(PsReferencePrimaryToken);
    struct ntsim_process *p;

    if (!sim_object_check(process, SIM_TYPE_PROCESS, "PsReferencePrimaryToken")) {
        return NULL;
    }
    p = CONTAINING_RECORD((UCHAR *)process, struct ntsim_process, body);
    sim_object_ref(&p->token);
    return p->token_body;
}

VOID NTAPI PsDereferencePrimaryToken(PACCESS_TOKEN token)
{
    SIM_ENTER(PsDereferencePrimaryToken);
    if (sim_object_check(token, SIM_TYPE_TOKEN, "PsDereferencePrimaryToken")) {
        ObfDereferenceObject(token);
    }
}

static PVOID user_of(const struct ntsim_process *p)
{
    TOKEN_USER *user =
        sim_block_new(SIM_KIND_POOL, sizeof(*user) + p->spec.sid_len, TAG_SE, false, true);

    user->User.Attributes = 0;
    user->User.Sid = user + 1;
    memcpy(user + 1, p->sid, p->spec.sid_len);
    return user;
}

static PVOID integrity_of(const struct ntsim_process *p)
{
    static const uint8_t head[8] = {1, 1, 0, 0, 0, 0, 0, 16};
    TOKEN_MANDATORY_LABEL *label;
    uint8_t *sid;

    if (!p->spec.by_pointer) {
        return (PVOID)(ULONG_PTR)p->spec.integrity;
    }
    label = sim_block_new(SIM_KIND_POOL, sizeof(*label) + 12, TAG_SE, false, true);
    sid = (uint8_t *)(label + 1);
    label->Label.Attributes = 0x20;
    label->Label.Sid = sid;
    memcpy(sid, head, sizeof(head));
    memcpy(sid + sizeof(head), &p->spec.integrity, sizeof(p->spec.integrity));
    return label;
}

static PVOID elevation_of(const struct ntsim_process *p)
{
    TOKEN_ELEVATION *elevation;

    if (!p->spec.by_pointer) {
        return (PVOID)(ULONG_PTR)p->spec.elevated;
    }
    elevation = sim_block_new(SIM_KIND_POOL, sizeof(*elevation), TAG_SE, false, true);
    elevation->TokenIsElevated = p->spec.elevated;
    return elevation;
}

NTSTATUS NTAPI SeQueryInformationToken(PACCESS_TOKEN token,
                                       TOKEN_INFORMATION_CLASS information_class,
                                       PVOID *ret_information)
{
    SIM_ENTER(SeQueryInformationToken);
    NTSTATUS status = SIM_FAULT(SeQueryInformationToken);
    struct ntsim_process *p;
    unsigned fail;

    if (status) {
        return status;
    }
    if (!sim_object_check(token, SIM_TYPE_TOKEN, "SeQueryInformationToken")) {
        return STATUS_INVALID_PARAMETER;
    }
    p = CONTAINING_RECORD((UCHAR *)token, struct ntsim_process, token_body);
    fail = atomic_load(&p->fail);
    switch ((int)information_class) {
    case TokenUser:
        if (fail & NTSIM_FAIL_USER) {
            return STATUS_NO_MEMORY;
        }
        *ret_information = user_of(p);
        return STATUS_SUCCESS;
    case TokenIntegrityLevel:
        if (fail & NTSIM_FAIL_INTEGRITY) {
            return STATUS_NO_MEMORY;
        }
        *ret_information = integrity_of(p);
        return STATUS_SUCCESS;
    case TokenElevation:
        if (fail & NTSIM_FAIL_ELEVATION) {
            return STATUS_NO_MEMORY;
        }
        *ret_information = elevation_of(p);
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
