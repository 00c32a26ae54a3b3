/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/tap.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "encode/notes.h"
#include <stdio.h>
#include <string.h>

#define CODE_LIMIT 128u
#define NO_KEY UINT16_MAX
#define KEY_NAME_MAX 64u

/* A type on a system. */
struct tap_form {
    struct wedr_form *form;       /* NULL: lines are read as JSON */
    uint16_t keys[WEDR_NOTE_IDS]; /* note -> key of the form; NO_KEY: no rule asks for it */
};

static const struct tap_form unwanted; /* no rule asks for such lines */
static const struct tap_form as_json;  /* forms cannot say it, or there was no memory for one */

/* Made at the first line of its type: a host has few of them. */
struct wedr_tap {
    const struct wedr_encoder *enc;
    const struct wedr_field_map *map;
    const struct tap_form *forms[2][CODE_LIMIT]; /* [os - 1][type]; NULL: no such line yet */
};

/* The keys of one type's lines, in their order. */
struct key_list {
    struct wedr_form_key keys[WEDR_NOTE_IDS + 8];
    char names[WEDR_NOTE_IDS + 8][KEY_NAME_MAX];
    char constants[8][KEY_NAME_MAX];
    size_t count, constant_count;
    struct tap_form *to;
};

static int add_key(struct key_list *l,
                   unsigned id,
                   const char *block,
                   const char *name,
                   size_t len,
                   const char *suffix)
{
    char *to = l->names[l->count];
    int n = snprintf(to, KEY_NAME_MAX, "%s%.*s%s", block, (int)len, name, suffix);
    if (n <= 0 || (size_t)n >= KEY_NAME_MAX) {
        return WEDR_E_BUG;
    }
    l->to->keys[id] = (uint16_t)l->count;
    l->keys[l->count++] = (struct wedr_form_key){to, NULL};
    return WEDR_OK;
}

static int add_constant(struct key_list *l, const char *name, const char *value, bool quoted)
{
    char *to = l->constants[l->constant_count++];
    int n = snprintf(to, KEY_NAME_MAX, quoted ? "\"%s\"" : "%s", value);
    if (n <= 0 || (size_t)n >= KEY_NAME_MAX) {
        return WEDR_E_BUG;
    }
    l->keys[l->count++] = (struct wedr_form_key){name, to};
    return WEDR_OK;
}

/* The name inside ,"name": */
static int add_step(struct key_list *l, const struct wedr_step *s, const char *block, unsigned id)
{
    const char *name = s->key + 2;
    size_t len = (size_t)s->key_len - 4;
    int err = add_key(l, id, block, name, len, "");
    if (err != WEDR_OK || !s->exact) {
        return err;
    }
    if (s->code == WEDR_STEP_STR || s->code == WEDR_STEP_ARGV ||
        s->code == WEDR_STEP_PARENT_COMMAND) {
        err = add_key(l, id + WEDR_NOTE_CUT, block, name, len, "_cut");
        return err != WEDR_OK ? err : add_key(l, id + WEDR_NOTE_HEX, block, name, len, "_hex");
    }
    return s->code == WEDR_STEP_LABEL ? add_key(l, id + WEDR_NOTE_CODE, block, name, len, "_code")
                                      : WEDR_OK;
}

static int add_tail(struct key_list *l, const struct wedr_type_info *type, uint8_t os)
{
    static const struct {
        uint16_t id;
        const char *name;
    } counts[] = {{WEDR_NOTE_SEQ, "seq"},
                  {WEDR_NOTE_DROP_COUNT, "drop_count"},
                  {WEDR_NOTE_TRUNC_COUNT, "trunc_count"}};
    char version[16];
    (void)snprintf(version, sizeof(version), "%d", WEDR_WIRE_VERSION);
    int err = os == WEDR_OS_WINDOWS ? add_key(l, WEDR_NOTE_TS_FILETIME, "", "ts_ft_100ns", 11, "")
                                    : WEDR_OK;
    err = err != WEDR_OK ? err : add_constant(l, "source", wedr_program_source(type), true);
    err = err != WEDR_OK ? err : add_constant(l, "kind", type->kind, true);
    err = err != WEDR_OK ? err : add_constant(l, "event_version", version, false);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(counts); i++) {
        err = add_key(l, counts[i].id, "", counts[i].name, strlen(counts[i].name), "");
    }
    return err;
}

static int list_keys(struct key_list *l, const struct wedr_program *p, uint8_t os)
{
    int err = add_key(l, WEDR_NOTE_TS, "", "ts", 2, "");
    err = err != WEDR_OK ? err : add_constant(l, "module", p->type->module, true);
    err = err != WEDR_OK ? err : add_constant(l, "event_type", p->type->event_type, true);
    for (unsigned i = 0; err == WEDR_OK && i < p->process_count; i++) {
        err = add_step(l, &p->process[i], "process.", WEDR_NOTE_PROCESS(i));
    }
    for (unsigned i = 0; err == WEDR_OK && i < p->raw_count; i++) {
        err = add_step(l, &p->raw[i], "raw.", WEDR_NOTE_RAW(i, WEDR_NOTE_KEY));
    }
    return err != WEDR_OK ? err : add_tail(l, p->type, os);
}

static bool has_json(const struct wedr_program *p)
{
    for (unsigned i = 0; i < p->raw_count; i++) {
        if (p->raw[i].code == WEDR_STEP_JSON) {
            return true;
        }
    }
    return false;
}

/* WEDR_E_NOMEM, WEDR_E_BUG; WEDR_E_LIMIT, WEDR_E_INVAL: a map that forms cannot say. */
static int form_new(const struct wedr_field_map *map,
                    const struct wedr_program *p,
                    uint8_t os,
                    struct tap_form *to)
{
    struct key_list *l = wedr_alloc(1, sizeof(*l));
    if (!l) {
        return WEDR_E_NOMEM;
    }
    l->to = to;
    memset(to->keys, 0xFF, sizeof(to->keys));
    int err = list_keys(l, p, os);
    err = err != WEDR_OK ? err : wedr_form_new(map, l->keys, l->count, &to->form);
    wedr_free(l);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_NOTE_IDS; i++) {
        if (to->keys[i] != NO_KEY && !wedr_form_wants(to->form, to->keys[i])) {
            to->keys[i] = NO_KEY;
        }
    }
    return err;
}

static void form_free(const struct tap_form *f)
{
    if (f && f != &unwanted && f != &as_json) {
        wedr_form_free(f->form);
        wedr_free((void *)(uintptr_t)f);
    }
}

/* WEDR_E_BUG: the encoder has keys that cannot be listed. */
static int make_form(const struct wedr_tap *t,
                     const struct wedr_program *p,
                     uint8_t os,
                     const struct tap_form **ret)
{
    if (!p || has_json(p)) {
        *ret = &unwanted;
        return WEDR_OK;
    }
    struct tap_form *f = wedr_alloc(1, sizeof(*f));
    int err = f ? form_new(t->map, p, os, f) : WEDR_E_NOMEM;
    if (err == WEDR_OK && wedr_form_wanted(f->form)) {
        *ret = f;
        return WEDR_OK;
    }
    form_free(f);
    if (err != WEDR_E_BUG) {
        *ret = err == WEDR_OK ? &unwanted : &as_json;
    }
    return err == WEDR_E_BUG ? err : WEDR_OK;
}

static int form_of(struct wedr_tap *t, uint8_t os, uint16_t type, const struct tap_form **ret_form)
{
    const struct tap_form **f = &t->forms[os - 1][type];
    int err = *f ? WEDR_OK : make_form(t, wedr_encoder_program(t->enc, os, type), os, f);
    *ret_form = *f;
    return err;
}

int wedr_tap_new(const struct wedr_encoder *enc,
                 const struct wedr_field_map *map,
                 struct wedr_tap **ret_tap)
{
    struct wedr_tap *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return WEDR_E_NOMEM;
    }
    t->enc = enc;
    t->map = map;
    *ret_tap = t;
    return WEDR_OK;
}

void wedr_tap_free(struct wedr_tap *t)
{
    for (unsigned i = 0; t && i < 2 * CODE_LIMIT; i++) {
        form_free(t->forms[i / CODE_LIMIT][i % CODE_LIMIT]);
    }
    wedr_free(t);
}

size_t wedr_tap_memory(const struct wedr_tap *t)
{
    size_t n = sizeof(*t);
    for (unsigned i = 0; i < 2 * CODE_LIMIT; i++) {
        const struct tap_form *f = t->forms[i / CODE_LIMIT][i % CODE_LIMIT];
        n += f && f->form ? sizeof(*f) + wedr_form_memory(f->form) : 0;
    }
    return n;
}

bool wedr_tap_wants(struct wedr_tap *t, uint8_t os, uint16_t type)
{
    const struct tap_form *f;
    return os >= WEDR_OS_WINDOWS && os <= WEDR_OS_LINUX && type < CODE_LIMIT &&
           (form_of(t, os, type, &f) != WEDR_OK || f != &unwanted); /* fill says what is wrong */
}

/* The form of the lines that a program of the encoder writes. */
static int
form_of_program(struct wedr_tap *t, const struct wedr_program *p, const struct tap_form **ret_form)
{
    for (uint8_t os = WEDR_OS_WINDOWS; p && os <= WEDR_OS_LINUX; os++) {
        if (wedr_encoder_program(t->enc, os, p->type->code) == p) {
            return form_of(t, os, p->type->code, ret_form);
        }
    }
    *ret_form = &unwanted;
    return WEDR_OK;
}

int wedr_tap_fill(struct wedr_tap *t,
                  const struct wedr_encoder *enc,
                  const char *line,
                  size_t len,
                  struct wedr_rule_event *ev,
                  bool *ret_any)
{
    struct wedr_form_value values[WEDR_NOTES_MAX];
    const struct wedr_program *program;
    size_t notes;
    size_t count = 0;
    const struct wedr_note *n = wedr_encoder_notes(enc, &program, &notes);
    const struct tap_form *f;
    int err = form_of_program(t, program, &f);
    *ret_any = false;
    if (err != WEDR_OK || f == &unwanted) {
        wedr_rule_event_clear(ev);
        return err;
    }
    if (f == &as_json) {
        err = wedr_rule_event_read_json(ev, t->map, line, len, NULL);
        *ret_any = err == WEDR_OK;
        return err;
    }
    for (size_t i = 0; i + 1 < notes; i++) {
        uint16_t key = f->keys[n[i].id];
        if (key != NO_KEY) {
            struct wedr_form_value *to = &values[count++];
            *to = (struct wedr_form_value){key, line + n[i].at,
                                           n[i + 1].at - n[i + 1].key_len - n[i].at};
            (void)wedr_encoder_original(enc, n[i].id, &to->p, &to->len);
        }
    }
    return wedr_form_fill(f->form, values, count, ev, ret_any);
}
