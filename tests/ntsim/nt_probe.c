/* SPDX-License-Identifier: Apache-2.0 */
#include "nt_probe.h"

#include "keypath.h"
#include "nt_sim.h"
#include "procinfo.h"
#include "proctab.h"
#include "rec.h"
#include "regwatch.h"
#include "stage.h"
#include <string.h>

_Static_assert(PROBE_PROCTAB_MAX == WEDR_PROCTAB_MAX && PROBE_SID_TEXT_MAX == WEDR_SID_TEXT_MAX &&
                   PROBE_REC_PARTS_MAX == WEDR_REC_PARTS_MAX &&
                   PROBE_REC_PATH_MAX == WEDR_REC_PATH_MAX &&
                   PROBE_REC_COMMAND_MAX == WEDR_REC_COMMAND_MAX &&
                   PROBE_REC_NAME_MAX == WEDR_REC_NAME_MAX &&
                   PROBE_STAGE_SMALL == WEDR_STAGE_SMALL &&
                   PROBE_STAGE_SMALL_COUNT == WEDR_STAGE_SMALL_COUNT &&
                   PROBE_STAGE_LARGE == WEDR_STAGE_LARGE &&
                   PROBE_STAGE_LARGE_COUNT == WEDR_STAGE_LARGE_COUNT,
               "the bounds of the driver");

/* ---- proctab ----------------------------------------------------------------------------------
 */

int32_t probe_proctab_init(void)
{
    return wedr_proctab_init();
}

void probe_proctab_fini(void)
{
    wedr_proctab_fini();
}

static struct wedr_proc in(const struct probe_proc *p)
{
    return (struct wedr_proc){.key = p->key,
                              .pid = p->pid,
                              .creator_pid = p->creator_pid,
                              .creator_tid = p->creator_tid,
                              .first_tid = p->first_tid,
                              .existing = p->existing,
                              .thread_opened = p->thread_opened};
}

static struct probe_proc out(const struct wedr_proc *p)
{
    return (struct probe_proc){.key = p->key,
                               .pid = p->pid,
                               .creator_pid = p->creator_pid,
                               .creator_tid = p->creator_tid,
                               .first_tid = p->first_tid,
                               .existing = p->existing,
                               .thread_opened = p->thread_opened};
}

bool probe_proctab_add(const struct probe_proc *p, bool replace)
{
    const struct wedr_proc proc = in(p);

    return wedr_proctab_add(&proc, replace);
}

bool probe_proctab_find(uint32_t pid, struct probe_proc *ret)
{
    struct wedr_proc proc = in(ret);
    bool found = wedr_proctab_find(pid, &proc);

    *ret = out(&proc);
    return found;
}

bool probe_proctab_remove(uint32_t pid, struct probe_proc *ret)
{
    struct wedr_proc proc;
    bool found;

    if (!ret) {
        return wedr_proctab_remove(pid, NULL);
    }
    proc = in(ret);
    found = wedr_proctab_remove(pid, &proc);
    *ret = out(&proc);
    return found;
}

bool probe_proctab_first_thread(uint32_t pid, uint32_t tid)
{
    return wedr_proctab_first_thread(pid, tid);
}

bool probe_proctab_creation_thread_handle(uint32_t pid,
                                          uint32_t tid,
                                          uint32_t creator_pid,
                                          uint32_t creator_tid)
{
    return wedr_proctab_creation_thread_handle(pid, tid, creator_pid, creator_tid);
}

void probe_proctab_set_complete(void)
{
    wedr_proctab_set_complete();
}

bool probe_proctab_is_complete(void)
{
    return wedr_proctab_is_complete();
}

uint32_t probe_proctab_count(void)
{
    return wedr_proctab_count();
}

uint64_t probe_proctab_untracked(void)
{
    return wedr_proctab_untracked();
}

/* ---- keypath, regwatch ------------------------------------------------------------------------
 */

static PCUNICODE_STRING string(UNICODE_STRING *to, struct ntsim_text t)
{
    to->Length = t.len;
    to->MaximumLength = t.len;
    to->Buffer = (PWCH)(ULONG_PTR)t.units;
    return t.present ? to : NULL;
}

/* Both in blocks of exactly their size, so that a read past the end is seen. */
struct name {
    struct sim_string root, leaf;
    struct wedr_keyname key;
};

static const struct wedr_keyname *
name_of(struct name *to, struct ntsim_text root, struct ntsim_text leaf)
{
    to->key.root = sim_string_init(&to->root, root);
    to->key.leaf = sim_string_init(&to->leaf, leaf);
    return &to->key;
}

static void name_end(struct name *n)
{
    sim_string_fini(&n->root);
    sim_string_fini(&n->leaf);
}

bool probe_keypath_below(struct ntsim_text prefix, struct ntsim_text root, struct ntsim_text leaf)
{
    struct name n;
    bool below = wedr_keypath_below(wedr_span(prefix.units, prefix.len), name_of(&n, root, leaf));

    name_end(&n);
    return below;
}

size_t probe_keypath_match(const char *pattern,
                           struct ntsim_text root,
                           struct ntsim_text leaf,
                           size_t from)
{
    struct name n;
    size_t end = wedr_keypath_match(pattern, name_of(&n, root, leaf), from);

    name_end(&n);
    return end;
}

size_t probe_keypath_units(struct ntsim_text root, struct ntsim_text leaf)
{
    struct name n;
    size_t units = wedr_keypath_units(name_of(&n, root, leaf));

    name_end(&n);
    return units;
}

bool probe_regwatch_has(struct ntsim_text root, struct ntsim_text leaf)
{
    struct name n;
    bool has = wedr_regwatch_has(name_of(&n, root, leaf));

    name_end(&n);
    return has;
}

/* ---- procinfo ---------------------------------------------------------------------------------
 */

uint16_t probe_sid_text(const void *sid, size_t len, uint16_t ret[PROBE_SID_TEXT_MAX])
{
    void *block = malloc(len);
    uint16_t written;

    memcpy(block, sid, len);
    written = wedr_sid_text(block, (WCHAR *)ret);
    free(block);
    return written;
}

void probe_token(struct ntsim_process *p, struct probe_token *ret)
{
    struct wedr_token token;

    memset(&token, 0xee, sizeof(token));
    wedr_procinfo_token(sim_process_body(p), &token);
    ret->integrity = token.integrity;
    ret->elevated = token.elevated;
    ret->sid_len = token.sid_len;
}

/* ---- rec --------------------------------------------------------------------------------------
 */

static struct {
    UCHAR fixed[512];
    struct wedr_rec rec;
    UNICODE_STRING strings[16];
    unsigned used;
} building;

void probe_rec_begin(uint16_t type, uint16_t fixed_len, uint8_t lane)
{
    memset(&building, 0xee, sizeof(building));
    building.used = 0;
    wedr_rec_begin(&building.rec, building.fixed, fixed_len, type, lane);
}

void probe_rec_set_lane(uint8_t lane)
{
    building.rec.lane = lane;
}

void probe_rec_set_u16(size_t at, uint16_t value)
{
    memcpy(building.fixed + at, &value, sizeof(value));
}

static PCUNICODE_STRING keep(struct ntsim_text t)
{
    return string(&building.strings[building.used++], t);
}

static struct wedr_str_ref *ref_at(size_t ref)
{
    return (struct wedr_str_ref *)(void *)(building.fixed + ref);
}

void probe_rec_text(size_t ref, struct ntsim_text s, size_t max)
{
    wedr_rec_text(&building.rec, ref_at(ref), keep(s), max);
}

void probe_rec_joined(size_t ref, struct ntsim_text root, struct ntsim_text leaf, size_t max)
{
    PCUNICODE_STRING first = keep(root);

    wedr_rec_joined(&building.rec, ref_at(ref), first, keep(leaf), max);
}

void probe_rec_bytes(size_t ref, const void *p, size_t len, size_t whole)
{
    wedr_rec_bytes(&building.rec, ref_at(ref), p, len, whole);
}

void probe_rec_unreadable(size_t ref)
{
    wedr_rec_unreadable(ref_at(ref));
}

bool probe_rec_push(void)
{
    return wedr_rec_push(&building.rec);
}

uint32_t probe_rec_len(void)
{
    return building.rec.len;
}

uint32_t probe_rec_cuts(void)
{
    return building.rec.cuts;
}

unsigned probe_rec_parts(void)
{
    return building.rec.count;
}

/* ---- stage ------------------------------------------------------------------------------------
 */

uint8_t *probe_stage_claim(size_t len)
{
    return wedr_stage_claim(len);
}

void probe_stage_release(uint8_t *place)
{
    wedr_stage_release(place);
}

/* ---- handles ---- */

int32_t probe_fire_handle(enum probe_type type,
                          uint32_t operation,
                          struct ntsim_process *p,
                          struct ntsim_thread *t)
{
    struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_HANDLE].slot[0];
    OB_PRE_OPERATION_PARAMETERS parameters;
    OB_PRE_OPERATION_INFORMATION info;

    memset(&parameters, 0, sizeof(parameters));
    parameters.DuplicateHandleInformation.OriginalDesiredAccess = MAXULONG;
    parameters.DuplicateHandleInformation.DesiredAccess = MAXULONG;
    parameters.DuplicateHandleInformation.SourceProcess = sim_process_body(ntsim_system());
    parameters.DuplicateHandleInformation.TargetProcess = sim_process_body(ntsim_system());
    memset(&info, 0, sizeof(info));
    info.Operation = operation;
    info.Object = t ? (PVOID)sim_thread_body(t) : (PVOID)sim_process_body(p);
    info.ObjectType = type == PROBE_PROCESS  ? *PsProcessType
                      : type == PROBE_THREAD ? *PsThreadType
                                             : (POBJECT_TYPE)(ULONG_PTR)0x7003u;
    info.Parameters = &parameters;
    return (int32_t)slot->pre[0][0](slot->context, &info);
}
