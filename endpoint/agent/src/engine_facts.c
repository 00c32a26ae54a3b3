/* SPDX-License-Identifier: Apache-2.0
 *
 * process_image: facts about an executable that came after the line of its process.
 */
#include "engine_internal.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include "enrich/facts.h"
#include <string.h>

#define RECORDS_PER_TURN 64u

static int set_text(struct wedr_record *r, const char *name, const char *text)
{
    return text[0] ? wedr_record_set_str(r, name, text, strlen(text), 0) : WEDR_OK;
}

static int set_numbers(struct wedr_record *r, const struct wedr_msg_exe *exe)
{
    int err = wedr_record_set_uint(r, "pid", exe->pid);
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "process_key", exe->process_key);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "size", exe->size);
    }
    if (err == WEDR_OK) {
        err = wedr_record_set_uint(r, "inode", exe->inode);
    }
    return err == WEDR_OK ? wedr_record_set_uint(r, "dev", exe->dev) : err;
}

static int put_image(struct wedr_engine *e, const struct wedr_facts_late *l)
{
    struct wedr_record r;
    char sha256[WEDR_SHA256_HEX + 1];
    char build_id[2 * WEDR_ELF_BUILD_ID_MAX + 1];
    uint16_t cut = l->path_len == WEDR_FACTS_IMAGE_PATH_MAX ? WEDR_SF_CUT : 0;
    wedr_hex(l->file.sha256, sizeof(l->file.sha256), sha256);
    wedr_hex(l->file.elf.build_id, l->file.elf.build_id_len, build_id);
    int err =
        wedr_record_begin(&r, e->record, WEDR_RECORD_MAX, WEDR_EV_PROCESS_IMAGE, WEDR_OS_LINUX);
    if (err != WEDR_OK || (err = set_numbers(&r, &l->exe)) != WEDR_OK ||
        (err = wedr_record_set_str(&r, "image_path", l->path, l->path_len, cut)) != WEDR_OK ||
        (err = set_text(&r, "sha256", sha256)) != WEDR_OK ||
        (err = set_text(&r, "package", l->file.package)) != WEDR_OK ||
        (err = set_text(&r, "package_version", l->file.package_version)) != WEDR_OK ||
        (err = set_text(&r, "build_id", build_id)) != WEDR_OK ||
        (err = set_text(&r, "interpreter", l->file.elf.interpreter)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

bool engine_facts_late(const struct wedr_engine *e)
{
    struct wedr_facts_late l;
    return e->cfg.facts && wedr_facts_next_late(e->cfg.facts, &l);
}

int engine_facts_flush(struct wedr_engine *e)
{
    struct wedr_facts_late l;
    int err = WEDR_OK;
    for (unsigned i = 0; err == WEDR_OK && i < RECORDS_PER_TURN && e->cfg.facts &&
                         wedr_facts_next_late(e->cfg.facts, &l);
         i++) {
        err = put_image(e, &l);
        if (err == WEDR_OK) {
            wedr_facts_late_taken(e->cfg.facts);
        }
    }
    return err;
}
