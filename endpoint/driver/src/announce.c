/* SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#include "procinfo.h"
#include "rec.h"
#include "source.h"

/* What is looked up for one record and has to be given back. */
struct lookup {
    PEPROCESS parent;
    PUNICODE_STRING image, parent_image;
    struct wedr_token token;
};

/* The parent, referenced; NULL when it is gone. A process that was made after its child only has
 * the number of the parent. */
static PEPROCESS parent_of(PEPROCESS process, uint32_t parent_pid)
{
    PEPROCESS parent = NULL;

    if (parent_pid == 0 ||
        !NT_SUCCESS(PsLookupProcessByProcessId((HANDLE)(uintptr_t)parent_pid, &parent))) {
        return NULL;
    }
    if (PsGetProcessCreateTimeQuadPart(parent) > PsGetProcessCreateTimeQuadPart(process)) {
        ObDereferenceObject(parent);
        return NULL;
    }
    return parent;
}

static void
text_or_flag(struct wedr_rec *r, struct wedr_str_ref *ref, PCUNICODE_STRING s, size_t max)
{
    if (s && s->Length > 0) {
        wedr_rec_text(r, ref, s, max);
    } else {
        wedr_rec_unreadable(ref);
    }
}

static void push(PEPROCESS process, const struct wedr_announcement *a, const struct lookup *l)
{
    struct wedr_windows_process_create e;
    UNICODE_STRING sid;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    e.h.flags = a->existing ? WEDR_EVF_EXISTING : 0;
    e.pid = a->proc->pid;
    e.parent_pid = a->parent_pid;
    e.creating_pid = a->proc->creator_pid;
    e.process_key = a->proc->key;
    e.parent_key = l->parent ? wedr_procinfo_key(l->parent) : 0;
    e.integrity_level = l->token.integrity;
    e.elevated = l->token.elevated ? 1 : 0;
    e.session_id = PsGetProcessSessionId(process);
    text_or_flag(&r, &e.image_path, l->image ? l->image : a->image, WEDR_REC_PATH_MAX);
    if (a->existing) {
        wedr_rec_unreadable(&e.command_line);
    } else {
        wedr_rec_text(&r, &e.command_line, a->command_line, WEDR_REC_COMMAND_MAX);
    }
    text_or_flag(&r, &e.parent_image_path, l->parent_image, WEDR_REC_PATH_MAX);
    sid.Buffer = (PWCH)l->token.sid;
    sid.Length = l->token.sid_len;
    sid.MaximumLength = sid.Length;
    text_or_flag(&r, &e.user_sid, &sid, sid.Length);
    wedr_source_count(WEDR_CALLBACK_PROCESS, wedr_rec_push(&r));
}

void wedr_announce(PEPROCESS process, const struct wedr_announcement *a)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    struct lookup l;

    l.parent = parent_of(process, a->parent_pid);
    l.image = wedr_procinfo_image(process);
    l.parent_image = l.parent ? wedr_procinfo_image(l.parent) : NULL;
    wedr_procinfo_token(process, &l.token);
    push(process, a, &l);
    wedr_procinfo_free_image(l.parent_image);
    wedr_procinfo_free_image(l.image);
    if (l.parent) {
        ObDereferenceObject(l.parent);
    }
}
