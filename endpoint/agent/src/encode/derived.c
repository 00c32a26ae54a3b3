/* SPDX-License-Identifier: Apache-2.0
 *
 * What a line has beyond its record: values made of others, of processes that were seen before, of
 * what was asked about users and files.
 */
#include "encode/line.h"

static void put_text(struct line *l, const struct wedr_step *s, struct wedr_span text, bool utf16)
{
    if (text.len > 0 && text_fits(&l->t, 0)) {
        key(l, s);
        (void)text_str(&l->t, text.p, text.len, utf16);
    }
}

static uint64_t key_at(const struct line *l, uint16_t offset)
{
    return wedr_le64(l->v->rec.p + offset);
}

/* Image of a process that is known; len 0: it is not, or its path is longer than what is kept. */
static struct wedr_span tree_path(const struct line *l, uint16_t offset, bool *ret_windows)
{
    const struct wedr_proc *p = wedr_proctree_get(l->e->tree, key_at(l, offset));
    *ret_windows = p && p->windows;
    return p && !p->image_cut ? wedr_span(p->image, p->image_len) : wedr_span(NULL, 0);
}

static void step_tree_name(struct line *l, const struct wedr_step *s)
{
    bool windows;
    struct wedr_span path = tree_path(l, s->offset, &windows);
    struct wedr_span name =
        windows ? wedr_value_windows_name(path) : wedr_value_basename(path, false);
    if (name.len == 0 && s->offset2 != 0) {
        name = string_at(l, s->offset2).s;
    }
    put_text(l, s, name, false);
}

static void step_parent_command(struct line *l, const struct wedr_step *s)
{
    const struct wedr_proc *p = wedr_proctree_get(l->e->tree, key_at(l, s->offset));
    if (!p || p->command_len == 0 || !text_fits(&l->t, 0)) {
        return;
    }
    key(l, s);
    (void)text_str(&l->t, (const uint8_t *)p->command, p->command_len, false);
    if (p->command_cut && text_fits(&l->t, 0)) {
        key_with(l, s, WEDR_NOTE_CUT);
        text_copy(&l->t, "true", 4);
    }
}

static void put_name(struct line *l, const struct wedr_step *s, bool group, uint32_t id)
{
    if (l->e->facts && id != UINT32_MAX) {
        put_text(l, s, wedr_facts_name(l->e->facts, group, id), false);
    }
}

static void step_people(struct line *l, const struct wedr_step *s)
{
    const struct wedr_proc *p;
    switch (s->code) {
    case WEDR_STEP_USER_NAME:
    case WEDR_STEP_GROUP_NAME:
        put_name(l, s, s->code == WEDR_STEP_GROUP_NAME, wedr_le32(l->v->rec.p + s->offset));
        break;
    case WEDR_STEP_TREE_USER:
        p = wedr_proctree_get(l->e->tree, key_at(l, s->offset));
        if (p && p->has_uid) {
            put_name(l, s, false, p->uid);
        }
        break;
    default:
        step_parent_command(l, s);
        break;
    }
}

static void put_plain(struct line *l, const struct wedr_step *s, const char *text)
{
    put_text(l, s, wedr_span(text, strlen(text)), false);
}

static const struct wedr_cgroup *cgroup_of(struct line *l, const struct wedr_step *s)
{
    if (!l->cgroup_seen) {
        struct wedr_span parent = s->offset2 != 0 ? string_at(l, s->offset2).s : wedr_span(NULL, 0);
        wedr_cgroup_read(string_at(l, s->offset).s, parent, &l->cgroup);
        l->cgroup_seen = true;
    }
    return &l->cgroup;
}

static void step_cgroup(struct line *l, const struct wedr_step *s)
{
    const struct wedr_cgroup *c = cgroup_of(l, s);
    switch (s->code) {
    case WEDR_STEP_CONTAINER:
        put_text(l, s, c->container, false);
        break;
    case WEDR_STEP_SERVICE:
        put_text(l, s, c->service, false);
        break;
    case WEDR_STEP_POD:
        put_plain(l, s, c->pod);
        break;
    default:
        put_plain(l, s, c->runtime ? c->runtime : "");
        break;
    }
}

static void put_digits(struct line *l, const struct wedr_step *s, const uint8_t *p, size_t n)
{
    if (n > 0) {
        key(l, s);
        *l->t.p++ = '"';
        text_hex(&l->t, p, n);
        *l->t.p++ = '"';
    }
}

/* Facts about the executable. */
static void step_file(struct line *l, const struct wedr_step *s)
{
    const struct wedr_facts_file *f = l->file;
    if (!f) {
        return;
    }
    switch (s->code) {
    case WEDR_STEP_SHA256:
        put_digits(l, s, f->sha256, sizeof(f->sha256));
        break;
    case WEDR_STEP_BUILD_ID:
        put_digits(l, s, f->elf.build_id, f->elf.build_id_len);
        break;
    case WEDR_STEP_PACKAGE:
        put_plain(l, s, f->package);
        break;
    case WEDR_STEP_PACKAGE_VERSION:
        put_plain(l, s, f->package_version);
        break;
    default:
        put_plain(l, s, f->elf.interpreter);
        break;
    }
}

/* The arguments with their secrets; none: as the line has them. */
static struct wedr_span arguments(const struct line *l, uint16_t offset)
{
    return l->redacted ? l->command : string_at(l, offset).s;
}

static void step_argv(struct line *l, const struct wedr_step *s)
{
    struct wedr_span list = arguments(l, s->offset);
    if (list.len > 0 && text_fits(&l->t, 0)) {
        key(l, s);
        wedr_value_list(&l->t, list, false);
        if (l->redacted) {
            encode_keep_original(l, string_at(l, s->offset).s, true);
        }
    }
}

static void step_names(struct line *l, const struct wedr_step *s)
{
    struct ref r;
    bool windows;
    switch (s->code) {
    case WEDR_STEP_ARGV_LIST:
        step_argv(l, s);
        break;
    case WEDR_STEP_PARENT_NAME:
    case WEDR_STEP_IMAGE_NAME:
        r = string_at(l, s->offset);
        put_text(l, s, wedr_value_basename(r.s, (r.flags & WEDR_SF_UTF16) != 0),
                 (r.flags & WEDR_SF_UTF16) != 0);
        break;
    case WEDR_STEP_TREE_NAME:
        step_tree_name(l, s);
        break;
    default:
        put_text(l, s, tree_path(l, s->offset, &windows), false);
        break;
    }
}

static bool is_remote(const struct line *l, const struct wedr_step *s)
{
    uint32_t pid = wedr_le32(l->v->rec.p + s->offset);
    uint32_t creator = wedr_le32(l->v->rec.p + s->offset2);
    /* The first thread of a process is made by its creator: that is a start, not an injection. */
    bool first = s->offset3 != 0 && l->v->rec.p[s->offset3] != 0;

    return creator != 0 && creator != pid && !first;
}

static uint64_t address_family(const struct line *l, const struct wedr_step *s)
{
    uint8_t family = l->v->rec.p[s->offset];
    return family != 0 ? family : l->v->rec.p[s->offset2];
}

/* Registry data as rules know it from Sysmon. */
static void step_data_text(struct line *l, const struct wedr_step *s)
{
    char number[40];
    uint8_t room[1024];
    struct wedr_span data = string_at(l, s->offset).s;
    uint32_t type = wedr_le32(l->v->rec.p + s->offset2);
    if (data.len == 0) {
        return;
    }
    if (wedr_value_is_registry_text(type)) {
        put_text(l, s, wedr_value_registry_text(type, data, room, sizeof(room)), true);
    } else {
        put_plain(l, s, wedr_value_registry_number(type, data, number, sizeof(number)));
    }
}

/* Numbers, truth values and short words made of the record alone. */
static void step_small(struct line *l, const struct wedr_step *s)
{
    const uint8_t *p = l->v->rec.p;
    switch (s->code) {
    case WEDR_STEP_EXISTING:
        if ((l->v->h.flags & WEDR_EVF_EXISTING) != 0) {
            put_bool(l, s, true);
        }
        break;
    case WEDR_STEP_CLEAN_EXIT:
        put_bool(l, s,
                 wedr_le32(p + s->offset) == 0 &&
                     (s->offset2 == 0 || wedr_le32(p + s->offset2) == 0));
        break;
    case WEDR_STEP_SCOPE:
        put_plain(l, s,
                  wedr_le32(p + s->offset) == 0 ||
                          (s->offset2 != 0 && wedr_le16(p + s->offset2) != 0)
                      ? "kernel"
                      : "user");
        break;
    case WEDR_STEP_DATA_TRUNCATED:
        put_bool(l, s, string_at(l, s->offset).s.len < wedr_le32(p + s->offset2));
        break;
    case WEDR_STEP_DATA_TEXT:
        step_data_text(l, s);
        break;
    case WEDR_STEP_REMOTE:
        put_bool(l, s, is_remote(l, s));
        break;
    case WEDR_STEP_SOURCE_PID:
        key(l, s);
        text_u64(&l->t, wedr_le32(p + s->offset));
        break;
    case WEDR_STEP_IP_VERSION:
        key(l, s);
        text_u64(&l->t, address_family(l, s));
        break;
    case WEDR_STEP_DIRECTION:
        put_plain(l, s, s->required ? "inbound" : "outbound");
        break;
    case WEDR_STEP_REDACTED:
        if (l->redacted) {
            put_bool(l, s, true);
        }
        break;
    default: {
        const char *name = wedr_value_integrity(wedr_le32(p + s->offset));
        if (name) {
            put_plain(l, s, name);
        }
        break;
    }
    }
}

void encode_derived(struct line *l, const struct wedr_step *s)
{
    if (s->code >= WEDR_STEP_SHA256) {
        step_file(l, s);
    } else if (s->code >= WEDR_STEP_CONTAINER) {
        step_cgroup(l, s);
    } else if (s->code >= WEDR_STEP_USER_NAME) {
        step_people(l, s);
    } else if (s->code >= WEDR_STEP_ARGV_LIST) {
        step_names(l, s);
    } else {
        step_small(l, s);
    }
}

/* A value in the other text: what rules see in the place of what the line has. Where it does not
 * fit they see the line's. */
void encode_keep_original(struct line *l, struct wedr_span list, bool array)
{
    struct wedr_encoder *e = l->e;
    uint32_t at = 0;
    if (e->original_count > 0) {
        at = e->originals[e->original_count - 1].at + e->originals[e->original_count - 1].len;
    }
    struct wedr_line_text t = {e->original + at, e->original + ENCODE_ORIGINAL_BYTES, false};
    if (e->original_count == ENCODE_ORIGINALS) {
        return;
    }
    if (array) {
        wedr_value_list(&t, list, false);
    } else {
        (void)wedr_value_joined(&t, list);
    }
    if (!t.overflow) {
        e->originals[e->original_count++] =
            (struct original){l->id, at, (uint32_t)(t.p - e->original) - at};
    }
}
