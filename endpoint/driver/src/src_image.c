/* SPDX-License-Identifier: Apache-2.0
 * Image loads. The callback runs at PASSIVE, after the mapping and before any code of it. */
#include "evq.h"
#include "kfilter.h"
#include "procinfo.h"
#include "proctab.h"
#include "rec.h"
#include "source.h"
#include "sources.h"

static void push(PCUNICODE_STRING name, uint32_t pid, const IMAGE_INFO *info, uint8_t lane)
{
    struct wedr_windows_module_load e;
    struct wedr_proc p;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_MODULE_LOAD, lane);
    e.pid = pid;
    e.process_key = wedr_proctab_find(pid, &p) ? p.key : 0;
    e.image_base = (uintptr_t)info->ImageBase;
    e.image_size = info->ImageSize;
    e.signature_level = WEDR_IMAGE_SIGNATURE_LEVEL(info->Properties);
    if (name) {
        wedr_rec_text(&r, &e.image_path, name, WEDR_REC_PATH_MAX);
    } else {
        wedr_rec_unreadable(&e.image_path);
    }
    wedr_source_count(WEDR_CALLBACK_IMAGE, wedr_rec_push(&r));
}

static VOID NTAPI on_image(PUNICODE_STRING name, HANDLE pid, PIMAGE_INFO info)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    /* Code for the kernel is loaded in whatever process asked; its pid is 0 on the wire. */
    bool kernel = info->SystemModeImage != 0 || pid == NULL;
    uint8_t lane = kernel ? WEDR_LANE_CRITICAL : WEDR_LANE_BULK;

    wedr_source_call(WEDR_CALLBACK_IMAGE);
    if ((wedr_kfilter_classes() & WEDR_CLASS_MODULE) == 0 ||
        (!kernel && name && wedr_kfilter_skips_path(name))) {
        wedr_evq_filtered(lane);
        return;
    }
    push(name, kernel ? 0 : wedr_id(pid), info, lane);
}

void wedr_src_image_start(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_source_registered(WEDR_CALLBACK_IMAGE, PsSetLoadImageNotifyRoutine(on_image));
}

void wedr_src_image_stop(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (wedr_source_stop(WEDR_CALLBACK_IMAGE)) {
        (void)PsRemoveLoadImageNotifyRoutine(on_image);
    }
}
