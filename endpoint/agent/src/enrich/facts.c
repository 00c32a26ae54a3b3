/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/facts.h"

#include "core/util/alloc.h"
#include "enrich/names.h"
#include <string.h>

#define SETS (WEDR_FACTS_FILES / WAYS)
#define WAYS 4u
#define NONE UINT16_MAX
#define NS_PER_S 1000000000
/* A change within the same tick of the kernel's coarse clock does not show in a file's times. What
 * began later than this after the last change ran what is there as long as the times are the same.
 * 1 to 10 ms are usual; a file system that keeps seconds alone may round to two. */
#define SETTLED_NS 20000000
#define SETTLED_COARSE_NS (2 * (int64_t)NS_PER_S)

/* A file by its identity. */
struct slot {
    struct wedr_msg_exe id; /* pid and key 0; inode 0: free */
    uint64_t again_ms;      /* asked for again after this time; 0: known for good */
    bool known;
    bool asked; /* a question about it waits or is under way */
    struct wedr_facts_file file;
};

struct set {
    struct slot way[WAYS];
    uint32_t next;
};

/* A process whose line went out without. */
struct waiting {
    struct wedr_msg_exe exe;
    bool used, settled, to_ask, under_way;
    bool late;      /* answered: its record is to be written */
    bool held;      /* answered, if no other program of the process turns up */
    bool replaced;  /* the process has begun to run another file since */
    uint32_t age_s; /* of the file when the process began */
    uint64_t since_ms;
    uint16_t path_len;
    char path[WEDR_FACTS_IMAGE_PATH_MAX + 1];
    bool by_name; /* the path may be opened */
    struct wedr_facts_file file;
};

struct ring {
    uint16_t at[WEDR_FACTS_WAITING];
    uint32_t first, count;
};

struct name_ask {
    uint32_t id;
    bool group;
};

struct wedr_facts {
    uint64_t now_ms;
    struct set *sets;
    struct waiting *waiting;
    uint16_t free_list[WEDR_FACTS_WAITING];
    uint32_t free_count;
    uint16_t top; /* places from top on were never used since the list was empty */
    struct ring asks, late;
    uint32_t under_way, held;
    uint16_t under_way_at[WEDR_FACTS_UNDER_WAY];
    struct wedr_names *names[2]; /* users, groups */
    struct name_ask name_ask[WEDR_FACTS_NAME_ASKS];
    uint32_t name_first, name_count;
    struct wedr_msg_enrich stats;
};

static void push(struct ring *r, uint16_t v)
{
    r->at[(r->first + r->count++) % WEDR_FACTS_WAITING] = v;
}

static void pop(struct ring *r)
{
    r->first = (r->first + 1) % WEDR_FACTS_WAITING;
    r->count--;
}

struct wedr_facts *wedr_facts_new(void)
{
    struct wedr_facts *f = wedr_alloc(1, sizeof(*f));
    if (!f) {
        return NULL;
    }
    f->sets = wedr_alloc(SETS, sizeof(f->sets[0]));
    f->waiting = wedr_alloc(WEDR_FACTS_WAITING, sizeof(f->waiting[0]));
    f->names[0] = wedr_names_new();
    f->names[1] = wedr_names_new();
    if (!f->sets || !f->waiting || !f->names[0] || !f->names[1]) {
        wedr_facts_free(f);
        return NULL;
    }
    while (f->free_count < WEDR_FACTS_WAITING) { /* the lowest places are used first */
        f->free_list[f->free_count] = (uint16_t)(WEDR_FACTS_WAITING - 1 - f->free_count);
        f->free_count++;
    }
    return f;
}

void wedr_facts_free(struct wedr_facts *f)
{
    if (f) {
        wedr_free(f->sets);
        wedr_free(f->waiting);
        wedr_names_free(f->names[0]);
        wedr_names_free(f->names[1]);
        wedr_free(f);
    }
}

/* ---- files ------------------------------------------------------------------------------------
 */

static bool same_file(const struct wedr_msg_exe *a, const struct wedr_msg_exe *b)
{
    return a->inode == b->inode && a->dev == b->dev && a->ctime_ns == b->ctime_ns &&
           a->mtime_ns == b->mtime_ns && a->size == b->size;
}

static struct set *set_of(struct wedr_facts *f, const struct wedr_msg_exe *id)
{
    uint64_t h = id->inode ^ (uint64_t)id->dev << 40 ^ (uint64_t)id->ctime_ns;
    return &f->sets[(h * 0x9e3779b97f4a7c15u >> 40) % SETS];
}

static struct slot *find(struct wedr_facts *f, const struct wedr_msg_exe *id)
{
    struct set *s = set_of(f, id);
    for (unsigned i = 0; i < WAYS; i++) {
        if (same_file(&s->way[i].id, id)) {
            return &s->way[i];
        }
    }
    return NULL;
}

/* The place that a new file takes in a set. */
static struct slot *next_place(struct set *s)
{
    for (unsigned i = 0; i < WAYS; i++) {
        if (s->way[i].id.inode == 0) {
            return &s->way[i];
        }
    }
    struct slot *to = &s->way[s->next];
    s->next = (s->next + 1) % WAYS;
    return to;
}

static struct slot *place(struct wedr_facts *f, const struct wedr_msg_exe *id)
{
    struct slot *found = find(f, id);
    struct slot *to = found ? found : next_place(set_of(f, id));
    if (!same_file(&to->id, id)) {
        memset(to, 0, sizeof(*to));
        to->id = *id;
        to->id.pid = 0;
        to->id.process_key = 0;
    }
    return to;
}

static struct wedr_msg_exe exe_of(const struct wedr_event_view *v)
{
    struct wedr_linux_process_create r;
    memcpy(&r, v->rec.p, sizeof(r));
    return (struct wedr_msg_exe){.inode = r.exe_inode,
                                 .size = r.exe_size,
                                 .ctime_ns = r.exe_ctime_ns,
                                 .mtime_ns = r.exe_mtime_ns,
                                 .dev = r.exe_dev,
                                 .pid = r.pid,
                                 .process_key = r.process_key};
}

static bool is_settled(const struct wedr_msg_exe *exe, int64_t utc_us)
{
    int64_t need = exe->ctime_ns % NS_PER_S == 0 ? SETTLED_COARSE_NS : SETTLED_NS;
    int64_t limit = INT64_MAX / 1000;
    if (utc_us <= 0 || utc_us > limit || exe->ctime_ns < 0) {
        return false;
    }
    return utc_us * 1000 > exe->ctime_ns && utc_us * 1000 - exe->ctime_ns >= need;
}

static uint32_t age_of(const struct wedr_msg_exe *exe, int64_t utc_us)
{
    int64_t age_s = utc_us / 1000000 - exe->ctime_ns / NS_PER_S;
    return age_s < 0 ? 0 : age_s < UINT32_MAX ? (uint32_t)age_s : UINT32_MAX;
}

/* What the process ran before is told apart: an answer that rests on its still running that file
 * does not hold any more. */
static bool waits_already(struct wedr_facts *f, const struct wedr_msg_exe *exe)
{
    bool found = false;
    for (uint16_t i = 0; i < f->top; i++) {
        struct waiting *w = &f->waiting[i];
        if (w->used && w->exe.process_key == exe->process_key) {
            found = found || same_file(&w->exe, exe);
            w->replaced = w->replaced || !same_file(&w->exe, exe);
        }
    }
    return found;
}

static void keep_path(struct waiting *w, const struct wedr_event_view *v)
{
    struct wedr_linux_process_create r;
    memcpy(&r, v->rec.p, sizeof(r));
    size_t len = r.image_path.len;
    const uint16_t no_name =
        WEDR_SF_CUT | WEDR_SF_HEAD_CUT | WEDR_SF_UNREADABLE | WEDR_SF_NO_NAME | WEDR_SF_DELETED;
    w->by_name = len > 0 && len < sizeof(w->path) && (r.image_path.flags & no_name) == 0 &&
                 memchr(v->rec.p + r.image_path.offset, 0, len) == NULL;
    w->path_len = (uint16_t)(len < sizeof(w->path) ? len : sizeof(w->path) - 1);
    if (w->path_len > 0) {
        memcpy(w->path, v->rec.p + r.image_path.offset, w->path_len);
    }
    w->path[w->path_len] = '\0';
}

/* The line goes out without; it gets its record later. */
static bool wait_for(struct wedr_facts *f,
                     const struct wedr_event_view *v,
                     const struct wedr_msg_exe *exe,
                     int64_t utc_us,
                     bool settled,
                     bool ask)
{
    if (f->free_count == 0) {
        f->stats.files_skipped += ask ? 1 : 0;
        f->stats.images_skipped++;
        return false;
    }
    uint16_t i = f->free_list[--f->free_count];
    f->top = i >= f->top ? (uint16_t)(i + 1u) : f->top;
    struct waiting *w = &f->waiting[i];
    *w = (struct waiting){.exe = *exe,
                          .used = true,
                          .settled = settled,
                          .to_ask = ask,
                          .age_s = age_of(exe, utc_us),
                          .since_ms = f->now_ms};
    keep_path(w, v);
    if (ask) {
        push(&f->asks, i);
    }
    return true;
}

const struct wedr_facts_file *
wedr_facts_exec(struct wedr_facts *f, const struct wedr_event_view *v, int64_t utc_us)
{
    struct wedr_msg_exe exe = exe_of(v);
    if (exe.inode == 0 || exe.size == 0) {
        return NULL; /* a thread of the kernel, or nothing that could be read */
    }
    bool settled = is_settled(&exe, utc_us);
    bool already = waits_already(f, &exe);
    struct slot *s = find(f, &exe);
    bool early = s && !s->asked && (s->again_ms == 0 || f->now_ms < s->again_ms);
    if (settled && early) {
        return s->known ? &s->file : NULL;
    }
    if (already) {
        return NULL;
    }
    bool ask = !settled || !s || !s->asked;
    if (wait_for(f, v, &exe, utc_us, settled, ask) && settled && ask) {
        place(f, &exe)->asked = true;
    }
    return NULL;
}

static void give_back(struct wedr_facts *f, uint16_t i)
{
    f->waiting[i].used = false;
    f->free_list[f->free_count++] = i;
    f->top = f->free_count == WEDR_FACTS_WAITING ? 0 : f->top;
}

static void give_up(struct wedr_facts *f, uint16_t i)
{
    f->stats.images_skipped++;
    give_back(f, i);
}

/* No question of its own is open. */
static bool waits_for_others(const struct waiting *w)
{
    return w->used && !w->late && !w->held && !w->to_ask && !w->under_way;
}

/* Its facts are here: the record is due. */
static void is_late(struct wedr_facts *f, uint16_t i, const struct wedr_facts_file *file)
{
    struct waiting *w = &f->waiting[i];
    if (file != &w->file) {
        w->file = *file;
    }
    w->late = true;
    push(&f->late, i);
}

/* Asks again, by another process of the same file that waits for the answer. */
static bool ask_next(struct wedr_facts *f, const struct wedr_msg_exe *id)
{
    for (uint16_t i = 0; i < f->top; i++) {
        struct waiting *w = &f->waiting[i];
        if (waits_for_others(w) && w->settled && same_file(&w->exe, id)) {
            w->to_ask = true;
            push(&f->asks, i);
            return true;
        }
    }
    return false;
}

/* Rests on the process having run the file all the time: a record of another program that it ran in
 * between may be on its way. Says nothing about other processes. */
static void hold(struct wedr_facts *f, uint16_t asked, const struct wedr_facts_file *file)
{
    struct waiting *w = &f->waiting[asked];
    w->file = *file;
    w->held = true;
    w->since_ms = f->now_ms;
    f->held++;
    if (w->settled && !ask_next(f, &w->exe)) {
        struct slot *s = place(f, &w->exe);
        s->known = s->asked = false;
        s->again_ms = f->now_ms + 1;
    }
}

/* A package's files are there before its database says so, and the first one that runs may do so in
 * between: what is known of a young file is asked for again, at twice its age. */
static uint64_t until_of(const struct wedr_facts *f, uint32_t age_s)
{
    uint64_t age_ms = (uint64_t)age_s * 1000;
    uint64_t stay = age_ms > WEDR_FACTS_YOUNG_MS ? age_ms : WEDR_FACTS_YOUNG_MS;
    return age_ms < WEDR_FACTS_OLD_MS ? f->now_ms + stay : 0;
}

static void look_at_held(struct wedr_facts *f)
{
    for (uint16_t i = 0; f->held > 0 && i < f->top; i++) {
        struct waiting *w = &f->waiting[i];
        if (!w->used || !w->held || f->now_ms - w->since_ms < WEDR_FACTS_HOLD_MS) {
            continue;
        }
        w->held = false;
        f->held--;
        if (w->replaced) {
            give_up(f, i);
        } else {
            is_late(f, i, &w->file);
        }
    }
}

static void known(struct wedr_facts *f, uint16_t asked, const struct wedr_msg_exe_facts *m)
{
    struct wedr_facts_file file;
    struct wedr_msg_exe id = m->exe;
    memset(&file, 0, sizeof(file));
    memcpy(file.sha256, m->sha256, sizeof(file.sha256));
    memcpy(file.package, m->package, sizeof(file.package));
    memcpy(file.package_version, m->package_version, sizeof(file.package_version));
    (void)!wedr_elf_read(m->head, m->head_len, &file.elf); /* a script has neither */
    f->stats.files_known++;
    if (m->touched) {
        hold(f, asked, &file);
        return;
    }
    struct slot *s = place(f, &id);
    s->known = true;
    s->asked = false;
    s->again_ms = until_of(f, f->waiting[asked].age_s);
    s->file = file;
    for (uint16_t i = 0; i < f->top; i++) {
        struct waiting *w = &f->waiting[i];
        if (!waits_for_others(w) || !same_file(&w->exe, &id)) {
            continue;
        }
        if (w->settled || (m->running && !w->replaced && w->exe.process_key == id.process_key)) {
            is_late(f, i, &file);
        } else if (i == asked) {
            give_up(f, i);
        }
    }
}

/* What is wrong with the file itself is so for all that wait; what is wrong with the process that
 * was asked about need not be so for another one of the same file. */
static void unknown(struct wedr_facts *f, uint16_t asked, uint8_t result)
{
    struct wedr_msg_exe id = f->waiting[asked].exe;
    bool settled = f->waiting[asked].settled;
    bool of_process = result == WEDR_MSG_EXE_GONE || result == WEDR_MSG_EXE_CHANGED;
    f->stats.files_unknown++;
    give_up(f, asked);
    for (uint16_t i = 0; settled && !of_process && i < f->top; i++) {
        const struct waiting *w = &f->waiting[i];
        if (waits_for_others(w) && w->settled && same_file(&w->exe, &id)) {
            give_up(f, i);
        }
    }
    if (settled && !(of_process && ask_next(f, &id))) {
        struct slot *s = place(f, &id);
        s->known = s->asked = false;
        s->again_ms = f->now_ms + (of_process ? 1 : WEDR_FACTS_FAILED_MS);
    }
}

static uint16_t under_way_take(struct wedr_facts *f, uint32_t k)
{
    uint16_t i = f->under_way_at[k];
    f->under_way_at[k] = f->under_way_at[--f->under_way];
    f->waiting[i].under_way = false;
    return i;
}

void wedr_facts_exe_answer(struct wedr_facts *f, const struct wedr_msg_exe_facts *m)
{
    struct wedr_msg_exe exe = m->exe;
    for (uint32_t k = 0; k < f->under_way; k++) {
        const struct waiting *w = &f->waiting[f->under_way_at[k]];
        if (w->exe.process_key != exe.process_key || !same_file(&w->exe, &exe)) {
            continue;
        }
        uint16_t i = under_way_take(f, k);
        if (m->result == WEDR_MSG_EXE_KNOWN) {
            known(f, i, m);
        } else {
            unknown(f, i, m->result);
        }
        return;
    }
}

static void give_up_old(struct wedr_facts *f, uint64_t older_ms)
{
    for (uint32_t k = f->under_way; k > 0; k--) {
        if (f->now_ms - f->waiting[f->under_way_at[k - 1]].since_ms >= older_ms) {
            unknown(f, under_way_take(f, k - 1), WEDR_MSG_EXE_UNREADABLE);
        }
    }
}

void wedr_facts_peer_gone(struct wedr_facts *f)
{
    give_up_old(f, 0);
}

bool wedr_facts_next_late(struct wedr_facts *f, struct wedr_facts_late *ret)
{
    if (f->late.count == 0) {
        return false;
    }
    const struct waiting *w = &f->waiting[f->late.at[f->late.first]];
    ret->exe = w->exe;
    ret->path_len = w->path_len;
    memcpy(ret->path, w->path, sizeof(ret->path));
    ret->file = w->file;
    return true;
}

void wedr_facts_late_taken(struct wedr_facts *f)
{
    uint16_t i = f->late.at[f->late.first];
    pop(&f->late);
    give_back(f, i);
    f->stats.images_late++;
}

/* ---- names ------------------------------------------------------------------------------------
 */

void wedr_facts_put_name(struct wedr_facts *f, bool group, uint32_t id, const char *name)
{
    wedr_names_put(f->names[group ? 1 : 0], id, name, f->now_ms + WEDR_FACTS_NAME_MS);
}

struct wedr_span wedr_facts_name(struct wedr_facts *f, bool group, uint32_t id)
{
    bool ask = false;
    struct wedr_span name = wedr_names_get(f->names[group ? 1 : 0], id, f->now_ms, &ask);
    if (ask && f->name_count < WEDR_FACTS_NAME_ASKS) {
        uint32_t at = (f->name_first + f->name_count++) % WEDR_FACTS_NAME_ASKS;
        f->name_ask[at] = (struct name_ask){id, group};
        /* The entry may be new, and what it had may go: look again. */
        wedr_names_asked(f->names[group ? 1 : 0], id, f->now_ms + WEDR_FACTS_NO_NAME_MS);
        name = wedr_names_get(f->names[group ? 1 : 0], id, f->now_ms, &ask);
    } else if (ask) {
        f->stats.names_skipped++;
    }
    return name;
}

void wedr_facts_name_answer(struct wedr_facts *f, const struct wedr_msg_name *m)
{
    uint64_t keep = m->name[0] ? WEDR_FACTS_NAME_MS : WEDR_FACTS_NO_NAME_MS;
    wedr_names_put(f->names[m->group ? 1 : 0], m->id, m->name, f->now_ms + keep);
}

/* ---- questions --------------------------------------------------------------------------------
 */

void wedr_facts_now(struct wedr_facts *f, uint64_t now_ms)
{
    f->now_ms = now_ms;
    look_at_held(f);
}

static bool next_name(const struct wedr_facts *f, struct wedr_msg_exe_ask *m)
{
    struct wedr_msg_name_ask a;
    if (f->name_count == 0) {
        return false;
    }
    wedr_msg_begin(&a, WEDR_MSG_T_NAME_ASK);
    a.id = f->name_ask[f->name_first].id;
    a.group = f->name_ask[f->name_first].group;
    memcpy(m, &a, sizeof(a));
    return true;
}

bool wedr_facts_next_ask(struct wedr_facts *f, struct wedr_msg_exe_ask *m)
{
    if (next_name(f, m)) {
        return true;
    }
    give_up_old(f, WEDR_FACTS_ANSWER_MS);
    if (f->asks.count > 0 && f->under_way < WEDR_FACTS_UNDER_WAY) {
        const struct waiting *w = &f->waiting[f->asks.at[f->asks.first]];
        wedr_msg_begin(m, WEDR_MSG_T_EXE_ASK);
        m->exe = w->exe;
        m->settled = w->settled;
        wedr_msg_put_text(m->path, sizeof(m->path), w->by_name ? w->path : "");
        return true;
    }
    return false;
}

void wedr_facts_asked(struct wedr_facts *f, const struct wedr_msg_exe_ask *m)
{
    if (m->h.type == WEDR_MSG_T_NAME_ASK) {
        f->name_first = (f->name_first + 1) % WEDR_FACTS_NAME_ASKS;
        f->name_count--;
        f->stats.names_asked++;
        return;
    }
    uint16_t i = f->asks.at[f->asks.first];
    pop(&f->asks);
    f->waiting[i].to_ask = false;
    f->waiting[i].under_way = true;
    f->waiting[i].since_ms = f->now_ms;
    f->under_way_at[f->under_way++] = i;
    f->stats.files_asked++;
}

void wedr_facts_stats(const struct wedr_facts *f, struct wedr_msg_enrich *ret)
{
    uint64_t redacted = ret->redacted;
    *ret = f->stats;
    ret->redacted = redacted;
}
