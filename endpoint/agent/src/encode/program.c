/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/program.h"

#include "core/base/err.h"
#include <stdio.h>
#include <string.h>

/* Order of the keys in the process block. */
static const char *const process_keys[] = {"pid",        "ppid",         "name",
                                           "path",       "command_line", "user",
                                           "user_sid",   "user_domain",  "integrity_label",
                                           "session_id", "elevated",     "uid",
                                           "key",        "parent_key"};

/* Kinds with a step of their own; label sets and sets of bits have one step each. */
static const uint8_t step_of_kind[] = {
    [WEDR_KIND_U8] = WEDR_STEP_U8,       [WEDR_KIND_U16] = WEDR_STEP_U16,
    [WEDR_KIND_U32] = WEDR_STEP_U32,     [WEDR_KIND_U64] = WEDR_STEP_U64,
    [WEDR_KIND_I32] = WEDR_STEP_I32,     [WEDR_KIND_I64] = WEDR_STEP_I64,
    [WEDR_KIND_BOOL] = WEDR_STEP_BOOL,   [WEDR_KIND_KEY] = WEDR_STEP_KEY,
    [WEDR_KIND_TIME] = WEDR_STEP_TIME,   [WEDR_KIND_IP] = WEDR_STEP_IP,
    [WEDR_KIND_STR] = WEDR_STEP_STR,     [WEDR_KIND_ARGV] = WEDR_STEP_ARGV,
    [WEDR_KIND_LIST] = WEDR_STEP_LIST,   [WEDR_KIND_JSON] = WEDR_STEP_JSON,
    [WEDR_KIND_BYTES] = WEDR_STEP_BYTES,
};

/* Derived keys of the raw block: what they are made of. A field that the system's records lack
 * leaves the key out. */
static const struct {
    const char *name, *field, *field2;
    uint8_t code;
} derived[] = {
    {"argv", "command_line", NULL, WEDR_STEP_ARGV_LIST},
    {"existing", NULL, NULL, WEDR_STEP_EXISTING},
    {"parent_image_name", "parent_image_path", NULL, WEDR_STEP_PARENT_NAME},
    {"container_id", "cgroup_name", "cgroup_parent", WEDR_STEP_CONTAINER},
    {"container_runtime", "cgroup_name", "cgroup_parent", WEDR_STEP_RUNTIME},
    {"pod_id", "cgroup_name", "cgroup_parent", WEDR_STEP_POD},
    {"service", "cgroup_name", "cgroup_parent", WEDR_STEP_SERVICE},
    {"user", "uid", NULL, WEDR_STEP_USER_NAME},
    {"effective_user", "euid", NULL, WEDR_STEP_USER_NAME},
    {"login_user", "login_uid", NULL, WEDR_STEP_USER_NAME},
    {"target_user", "target_uid", NULL, WEDR_STEP_USER_NAME},
    {"group", "gid", NULL, WEDR_STEP_GROUP_NAME},
    {"parent_user", "parent_key", NULL, WEDR_STEP_TREE_USER},
    {"parent_command_line", "parent_key", NULL, WEDR_STEP_PARENT_COMMAND},
    {"redacted", "argv_size", NULL, WEDR_STEP_REDACTED},
    {"integrity_label", "integrity_level", NULL, WEDR_STEP_INTEGRITY},
    {"clean_exit", "exit_code", NULL, WEDR_STEP_CLEAN_EXIT},
    {"scope", "pid", "kernel_object", WEDR_STEP_SCOPE},
    {"data_truncated", "data_preview", "data_size", WEDR_STEP_DATA_TRUNCATED},
    {"data_text", "data_preview", "value_type", WEDR_STEP_DATA_TEXT},
    {"creating_image_path", "creating_key", NULL, WEDR_STEP_TREE_PATH},
    {"target_image_path", "target_key", NULL, WEDR_STEP_TREE_PATH},
    {"remote_injection", "pid", "creating_pid", WEDR_STEP_REMOTE},
    {"pid", "source_pid", NULL, WEDR_STEP_SOURCE_PID},
    {"ip_version", "src_ip", "dst_ip", WEDR_STEP_IP_VERSION},
    {"direction", NULL, NULL, WEDR_STEP_DIRECTION},
    {"sha256", "exe_inode", NULL, WEDR_STEP_SHA256},
    {"package", "exe_inode", NULL, WEDR_STEP_PACKAGE},
    {"package_version", "exe_inode", NULL, WEDR_STEP_PACKAGE_VERSION},
    {"build_id", "exe_inode", NULL, WEDR_STEP_BUILD_ID},
    {"interpreter", "exe_inode", NULL, WEDR_STEP_INTERPRETER},
};

static uint16_t offset_of(const struct wedr_field_info *f, uint8_t os)
{
    return os == WEDR_OS_LINUX ? f->offset_linux : f->offset_windows;
}

static uint16_t named_offset(const struct wedr_type_info *t, uint8_t os, const char *name)
{
    const struct wedr_field_info *f = name ? wedr_type_field(t, os, name) : NULL;
    return f ? offset_of(f, os) : 0;
}

/* Of the field behind process.key; 0: there is none. */
static uint16_t key_offset(const struct wedr_type_info *t, uint8_t os)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        if ((f->os_mask & os) != 0 && !f->derived && strcmp(f->process_key, "key") == 0) {
            return offset_of(f, os);
        }
    }
    return 0;
}

static int set_key(struct wedr_step *s, const char *name, const char *suffix)
{
    int n = snprintf(s->key, sizeof(s->key), ",\"%s%s\":", name, suffix);
    if (n <= 0 || (size_t)n >= sizeof(s->key)) {
        return WEDR_E_BUG;
    }
    s->key_len = (uint8_t)n;
    return WEDR_OK;
}

static int field_step(const struct wedr_field_info *f, uint8_t os, struct wedr_step *s)
{
    memset(s, 0, sizeof(*s));
    s->code = wedr_kind_is_label(f->kind)   ? WEDR_STEP_LABEL
              : wedr_kind_is_flags(f->kind) ? WEDR_STEP_FLAGS
                                            : step_of_kind[f->kind];
    s->kind = f->kind;
    s->required = f->required;
    s->offset = offset_of(f, os);
    return WEDR_OK;
}

/* False: this key is not made here (enrichment elsewhere, or nothing to make it of). */
static bool
derived_step(const struct wedr_type_info *t, const char *name, uint8_t os, struct wedr_step *s)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(derived); i++) {
        if (strcmp(derived[i].name, name) != 0) {
            continue;
        }
        memset(s, 0, sizeof(*s));
        s->code = derived[i].code;
        s->offset = named_offset(t, os, derived[i].field);
        s->offset2 = named_offset(t, os, derived[i].field2);
        if (s->code == WEDR_STEP_DIRECTION) {
            s->required = t->code == WEDR_EV_NETWORK_ACCEPT;
        } else if (s->code == WEDR_STEP_CLEAN_EXIT) {
            s->offset2 = named_offset(t, os, "signal");
        } else if (s->code == WEDR_STEP_REMOTE) {
            s->offset3 = named_offset(t, os, "first_thread");
        } else if (s->code == WEDR_STEP_ARGV_LIST && os != WEDR_OS_LINUX) {
            return false;
        }
        return derived[i].field == NULL || s->offset != 0;
    }
    return false;
}

static int raw_steps(const struct wedr_type_info *t, uint8_t os, struct wedr_program *p)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        struct wedr_step s;
        if (f->name[0] == '\0' || (f->os_mask & os) == 0) {
            continue;
        }
        if (f->derived) {
            if (!derived_step(t, f->name, os, &s)) {
                continue;
            }
        } else if (field_step(f, os, &s) != WEDR_OK) {
            return WEDR_E_BUG;
        }
        s.exact = true;
        if (p->raw_count == WEDR_STEPS_RAW_MAX ||
            set_key(&s, f->name, f->kind == WEDR_KIND_BYTES ? "_hex" : "") != WEDR_OK) {
            return WEDR_E_BUG;
        }
        size_t at = p->raw_count++;
        for (; at > 0 && strcmp(p->raw[at - 1].key, s.key) > 0; at--) {
            p->raw[at] = p->raw[at - 1];
        }
        p->raw[at] = s;
    }
    return WEDR_OK;
}

/* The keys sort by their names; the closing quote sorts before every letter, so that "op" comes
 * before "op_code". */
static bool process_step(const struct wedr_type_info *t,
                         const struct wedr_field_info *f,
                         const char *key,
                         uint8_t os,
                         struct wedr_step *s)
{
    if (!f->derived) {
        return field_step(f, os, s) == WEDR_OK;
    }
    memset(s, 0, sizeof(*s));
    uint16_t by_key = t->code == WEDR_EV_PROCESS_CREATE ? 0 : key_offset(t, os);
    if (strcmp(key, "name") == 0 && t->code == WEDR_EV_PROCESS_CREATE) {
        s->code = WEDR_STEP_IMAGE_NAME;
        s->offset = named_offset(t, os, "image_path");
    } else if (strcmp(key, "name") == 0 && by_key != 0) {
        s->code = WEDR_STEP_TREE_NAME;
        s->offset = by_key;
        s->offset2 = named_offset(t, os, "comm");
    } else if (strcmp(key, "path") == 0 && by_key != 0) {
        s->code = WEDR_STEP_TREE_PATH;
        s->offset = by_key;
    } else if (f->name[0] == '\0' && strcmp(key, "user") == 0) {
        return derived_step(t, key, os, s);
    } else {
        return derived_step(t, f->name, os, s);
    }
    return true;
}

static int process_steps(const struct wedr_type_info *t, uint8_t os, struct wedr_program *p)
{
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(process_keys); k++) {
        for (size_t i = 0; i < t->field_count; i++) {
            const struct wedr_field_info *f = &t->fields[i];
            struct wedr_step s;
            if (strcmp(f->process_key, process_keys[k]) != 0 || (f->os_mask & os) == 0 ||
                !process_step(t, f, process_keys[k], os, &s)) {
                continue;
            }
            if (p->process_count == WEDR_STEPS_PROCESS_MAX ||
                set_key(&s, process_keys[k], "") != WEDR_OK) {
                return WEDR_E_BUG;
            }
            if (k == 0) {
                p->pid_offset = s.offset;
            }
            p->process[p->process_count++] = s;
            break;
        }
    }
    return WEDR_OK;
}

const char *wedr_program_source(const struct wedr_type_info *type)
{
    return type->code >= WEDR_EV_AGENT_START ? "agent" : "kernel";
}

int wedr_program_make(const struct wedr_type_info *type, uint8_t os, struct wedr_program *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->type = type;
    int n = snprintf(ret->head, sizeof(ret->head), "Z\",\"module\":\"%s\",\"event_type\":\"%s\"",
                     type->module, type->event_type);
    if (n <= 0 || (size_t)n >= sizeof(ret->head)) {
        return WEDR_E_BUG;
    }
    ret->head_len = (uint16_t)n;
    n = snprintf(ret->tail, sizeof(ret->tail),
                 ",\"source\":\"%s\",\"kind\":\"%s\",\"event_version\":%d,\"seq\":",
                 wedr_program_source(type), type->kind, WEDR_WIRE_VERSION);
    if (n <= 0 || (size_t)n >= sizeof(ret->tail)) {
        return WEDR_E_BUG;
    }
    ret->tail_len = (uint16_t)n;
    int err = raw_steps(type, os, ret);
    return err != WEDR_OK ? err : process_steps(type, os, ret);
}
