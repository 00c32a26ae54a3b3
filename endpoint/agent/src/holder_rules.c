/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule bundles on their way: from the server through net, or from the state folder, to core. The
 * holder alone decides whether one is genuine and newer; of its content it looks at nothing but the
 * fixed header and the signature. The one at work stays until core says that the new one is.
 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_KEY "rules_key"
#define FILE_STORED "rules.bundle"
#define FILE_NEW "rules.new"
#define FILE_MARK "rules.serial" /* 16 hex digits, whatever becomes of the bundle itself */
#define FETCH_MS 5000u           /* between two bundles of net */
#define CRASHES_MAX 2u /* core ended so often while it loaded them: it gets them no more */
#define DEATHS_MS 60000u
#define CODE_SIGNAL 128 /* and the signal */
#define CODE_KILLED (CODE_SIGNAL + 9)
#define CODE_TERMINATED (CODE_SIGNAL + 15)

static void trouble(struct holder *h, int err, const char *why)
{
    wedr_msg_put_text(h->rules.error, sizeof(h->rules.error), why);
    wedr_log(ERROR, "holder.rules_refused", WEDR_ERR(err), WEDR_STR("reason", why));
}

/* The first len bytes of the file. They stay in buf, which is what is verified and given on: a file
 * may change. */
static int
read_bundle(wedr_handle file, uint64_t len, struct wedr_buf *buf, struct wedr_errinfo *ei)
{
    size_t got = 1;
    uint8_t *to = len <= WEDR_BUNDLE_MAX ? wedr_buf_reserve(buf, (size_t)len) : NULL;
    int err = to ? WEDR_OK : WEDR_E_LIMIT;
    while (err == WEDR_OK && buf->len < len && got > 0) {
        err = wedr_fs_pread(file, buf->p + buf->len, (size_t)len - buf->len, buf->len, &got);
        wedr_buf_commit(buf, err == WEDR_OK ? got : 0);
    }
    return err == WEDR_OK ? WEDR_OK
                          : wedr_fail(ei, err, "the bundle cannot be read: %s", wedr_err_text(err));
}

static int verify(const struct holder *h,
                  const struct wedr_buf *buf,
                  struct wedr_bundle_info *ret,
                  struct wedr_errinfo *ei)
{
    if (!h->rules.have_key) {
        return wedr_fail(ei, WEDR_E_AUTH, "no key to check a bundle with: enrol again");
    }
    return wedr_bundle_check(buf->p, buf->len, h->rules.key, ret, ei);
}

static int give(struct holder *h, const struct wedr_bundle_info *info, const struct wedr_buf *buf)
{
    struct wedr_msg_rules m;
    const char *settings = NULL;
    size_t settings_len = 0;
    wedr_handle copy = WEDR_HANDLE_NONE;
    int err = wedr_bundle_settings(buf->p, buf->len, &settings, &settings_len);
    if (err == WEDR_OK) {
        holder_policy_offer(h, settings, settings_len);
        err = wedr_fs_memory("rules", buf->len, &copy);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_write(copy, buf->p, buf->len);
    }
    if (err == WEDR_OK) {
        wedr_msg_begin(&m, WEDR_MSG_T_RULES);
        m.serial = info->serial;
        m.len = (uint32_t)buf->len;
        m.policy = info->policy;
        wedr_msg_put_text(m.profile, sizeof(m.profile), info->profile);
        h->rules.asked = true;
        holder_send(h, &h->core, &m, &copy, 1);
    }
    wedr_fs_close(copy);
    return err;
}

static int open_stored(const struct holder *h, wedr_handle *ret)
{
    return h->args->rules_bundle ? wedr_fs_open(h->args->rules_bundle, WEDR_FS_READ, 0, ret)
                                 : wedr_identity_open(h->state_dir, FILE_STORED, ret);
}

static void read_mark(struct holder *h)
{
    struct wedr_buf b;
    uint8_t digits[8];
    uint64_t mark = 0;
    wedr_buf_init(&b, 2 * sizeof(digits));
    int err = wedr_identity_read(h->state_dir, FILE_MARK, &b);
    if (err == WEDR_OK) {
        err = wedr_unhex((const char *)b.p, b.len, digits, sizeof(digits));
    }
    for (size_t i = 0; err == WEDR_OK && i < sizeof(digits); i++) {
        mark = mark << 8 | digits[i];
    }
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        wedr_log(ERROR, "holder.rules_mark_lost", WEDR_ERR(err));
    }
    h->rules.highest = mark > h->rules.highest ? mark : h->rules.highest;
    wedr_buf_fini(&b);
}

/* Before the bundle of that serial takes the stored one's place: no older one comes after it. */
static void raise_mark(struct holder *h, uint64_t serial)
{
    char text[17];
    if (serial <= h->rules.highest) {
        return;
    }
    h->rules.highest = serial;
    (void)snprintf(text, sizeof(text), "%016" PRIx64, serial);
    int err = wedr_identity_replace(h->state_dir, FILE_MARK, text, sizeof(text) - 1);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "holder.rules_mark_not_stored", WEDR_ERR(err));
    }
}

/* The bundle that an earlier run left, verified again every time. */
static void give_stored(struct holder *h)
{
    struct wedr_bundle_info info = {0};
    struct wedr_errinfo ei = {""};
    struct wedr_fs_stat st;
    struct wedr_buf buf;
    wedr_handle file = WEDR_HANDLE_NONE;
    memset(&h->rules.now, 0, sizeof(h->rules.now));
    if (open_stored(h, &file) != WEDR_OK) {
        if (h->args->rules_bundle) {
            trouble(h, WEDR_E_NOENT, "the bundle of the command line cannot be opened");
        }
        return;
    }
    wedr_buf_init(&buf, WEDR_BUNDLE_MAX);
    int err = wedr_fs_stat(file, &st);
    if (err == WEDR_OK) {
        err = read_bundle(file, st.size, &buf, &ei);
    }
    if (err == WEDR_OK) {
        err = verify(h, &buf, &info, &ei);
    }
    if (err == WEDR_OK) {
        h->rules.now = info;
        if (!h->args->rules_bundle) {
            raise_mark(h, info.serial);
        }
        err = give(h, &info, &buf);
    }
    if (err != WEDR_OK) {
        trouble(h, err, ei.text[0] ? ei.text : wedr_err_text(err));
    }
    wedr_buf_fini(&buf);
    wedr_fs_close(file);
}

static void read_key(struct holder *h)
{
    struct wedr_buf b;
    const char *hex = h->args->rules_key;
    size_t n = hex ? strlen(hex) : 0;
    wedr_buf_init(&b, 128);
    if (!hex && wedr_identity_read(h->state_dir, FILE_KEY, &b) == WEDR_OK) {
        hex = (const char *)b.p;
        n = b.len;
        while (n > 0 && hex[n - 1] == '\n') {
            n--;
        }
    }
    h->rules.have_key =
        hex != NULL && wedr_unhex(hex, n, h->rules.key, sizeof(h->rules.key)) == WEDR_OK;
    wedr_buf_fini(&b);
}

void holder_rules_core_ready(struct holder *h)
{
    if (h->rules.given_up) {
        return; /* events matter more than rules */
    }
    read_key(h);
    read_mark(h);
    give_stored(h);
}

static void refuse_next(struct holder *h, int err, const char *why)
{
    memcpy(h->rules.refused, h->rules.next.sha256, sizeof(h->rules.refused));
    h->rules.next.serial = 0;
    trouble(h, err, why);
    wedr_identity_discard(h->state_dir, FILE_NEW);
}

/* Until another bundle comes; net does not bring the same one again. */
static void give_up(struct holder *h, const char *why)
{
    h->rules.given_up = true;
    memcpy(h->rules.refused, h->rules.now.sha256, sizeof(h->rules.refused));
    trouble(h, WEDR_E_CLOSED, why);
}

/* What loads well may still end core with an event. Whoever ends it from outside proves nothing
 * against the rules. */
static bool faults_often(struct holder *h, int code)
{
    uint64_t *at = h->rules.death_ms;
    if (code <= CODE_SIGNAL || code == CODE_KILLED || code == CODE_TERMINATED) {
        return false;
    }
    memmove(&at[1], &at[0], (HOLDER_RULES_DEATHS - 1) * sizeof(at[0]));
    at[0] = wedr_time_mono_ms();
    return at[HOLDER_RULES_DEATHS - 1] != 0 && at[0] - at[HOLDER_RULES_DEATHS - 1] < DEATHS_MS;
}

void holder_rules_core_down(struct holder *h, int code)
{
    bool worked = h->rules.at_work;
    h->rules.at_work = false;
    if (!h->rules.asked) {
        if (worked && faults_often(h, code)) {
            give_up(h,
                    "the core process crashed again and again with these rules: it goes without");
        }
        return;
    }
    h->rules.asked = false;
    if (h->rules.next.serial != 0) {
        refuse_next(h, WEDR_E_CLOSED, "the core process ended while it loaded the new bundle");
    } else if (++h->rules.crashes >= CRASHES_MAX) {
        give_up(h, "the core process ends when it loads the bundle: it goes without");
    }
}

static void next_is_at_work(struct holder *h)
{
    raise_mark(h, h->rules.next.serial);
    int err = wedr_identity_rename(h->state_dir, FILE_NEW, FILE_STORED);
    if (err != WEDR_OK) {
        /* It works now; the next start has the old one and fetches it again. */
        wedr_log(ERROR, "holder.rules_not_stored", WEDR_ERR(err));
    }
    h->rules.now = h->rules.next;
    h->rules.next.serial = 0;
}

void holder_rules_result(struct holder *h, const struct wedr_msg_rules_result *m)
{
    bool next = h->rules.next.serial != 0 && m->serial == h->rules.next.serial;
    if (!h->rules.asked || (!next && m->serial != h->rules.now.serial)) {
        return;
    }
    h->rules.asked = false;
    if (m->err == WEDR_OK) {
        if (next) {
            next_is_at_work(h);
            h->rules.given_up = false;
            memset(h->rules.death_ms, 0, sizeof(h->rules.death_ms));
        }
        h->rules.at_work = true;
        holder_policy_accept(h);
        h->rules.crashes = 0;
        h->rules.error[0] = 0;
        wedr_log(INFO, "holder.rules_at_work", WEDR_U64("serial", h->rules.now.serial),
                 WEDR_U64("rules", h->rules.now.rules), WEDR_STR("profile", h->rules.now.profile));
    } else if (next) {
        refuse_next(h, m->err, m->text);
    } else {
        trouble(h, m->err, m->text);
    }
    h->next_state_ms = 0;
}

static bool is_at_work(const struct holder *h, const struct wedr_bundle_info *info)
{
    return h->rules.at_work && info->serial == h->rules.now.serial &&
           memcmp(info->sha256, h->rules.now.sha256, sizeof(info->sha256)) == 0;
}

/* Genuine, and newer or at work; or, where none is, the newest that ever was. */
static int judge(const struct holder *h,
                 const struct wedr_buf *buf,
                 struct wedr_bundle_info *ret,
                 struct wedr_errinfo *ei)
{
    int err = verify(h, buf, ret, ei);
    if (err == WEDR_OK && !is_at_work(h, ret) && ret->serial <= h->rules.now.serial) {
        err = wedr_fail(ei, WEDR_E_STATE, "the bundle is older than the one at work");
    }
    if (err == WEDR_OK && ret->serial < h->rules.highest) {
        err = wedr_fail(ei, WEDR_E_STATE, "the bundle is older than one that was at work");
    }
    return err;
}

/* Stored beside the old one, given to core. */
static int take_fetched(struct holder *h,
                        const struct wedr_bundle_info *info,
                        const struct wedr_buf *buf,
                        struct wedr_errinfo *ei)
{
    int err = wedr_identity_replace(h->state_dir, FILE_NEW, (const char *)buf->p, buf->len);
    if (err == WEDR_OK) {
        h->rules.next = *info;
        err = give(h, info, buf);
        h->rules.next.serial = err == WEDR_OK ? h->rules.next.serial : 0;
    }
    return err == WEDR_OK
               ? WEDR_OK
               : wedr_fail(ei, err, "the bundle cannot be stored: %s", wedr_err_text(err));
}

/* Memory that net may write the next bundle to; it cannot make any of its own. */
void holder_rules_net_ready(struct holder *h)
{
    struct wedr_msg_empty m;
    if (!h->rules.have_key) {
        read_key(h); /* the enrolment may be younger than core */
    }
    wedr_fs_close(h->rules.net_file);
    int err = wedr_fs_memory("rules", WEDR_BUNDLE_MAX, &h->rules.net_file);
    if (err != WEDR_OK) {
        h->rules.net_file = WEDR_HANDLE_NONE;
        wedr_log(ERROR, "holder.no_rules_file", WEDR_ERR(err));
        return;
    }
    wedr_msg_begin(&m, WEDR_MSG_T_NET_FILE);
    holder_send(h, &h->net, &m, &h->rules.net_file, 1);
}

void holder_rules_fetched(struct holder *h, const struct wedr_msg_rules_fetched *m)
{
    struct wedr_bundle_info info = {0};
    struct wedr_errinfo ei = {""};
    struct wedr_buf buf;
    uint64_t now = wedr_time_mono_ms();
    bool early = h->rules.fetched_ms != 0 && now - h->rules.fetched_ms < FETCH_MS;
    if (early || h->args->rules_bundle || !h->core.ready || h->rules.asked) {
        holder_rules_net_ready(h); /* not now: net fetches it again */
        return;
    }
    h->rules.fetched_ms = now;
    wedr_buf_init(&buf, WEDR_BUNDLE_MAX);
    int err = read_bundle(h->rules.net_file, m->len, &buf, &ei);
    if (err == WEDR_OK) {
        err = judge(h, &buf, &info, &ei);
    }
    if (err != WEDR_OK) { /* for good: what only fails here, on a full disk, is fetched again */
        memcpy(h->rules.refused, m->sha256, sizeof(h->rules.refused));
    } else if (!is_at_work(h, &info)) {
        err = take_fetched(h, &info, &buf, &ei);
    }
    if (err != WEDR_OK) {
        trouble(h, err, ei.text[0] ? ei.text : wedr_err_text(err));
    }
    h->next_state_ms = 0;
    wedr_buf_fini(&buf);
    holder_rules_net_ready(h);
}

void holder_rules_close(struct holder *h)
{
    wedr_fs_close(h->rules.net_file);
    h->rules.net_file = WEDR_HANDLE_NONE;
}

bool holder_rules_kill_allowed(const struct holder *h)
{
    return h->rules.at_work && (h->rules.now.policy & WEDR_BUNDLE_KILL_ALLOWED) != 0;
}

void holder_rules_state(const struct holder *h, struct wedr_msg_holder_state *m)
{
    const struct holder_rules *r = &h->rules;
    m->rules_fetch = !h->args->rules_bundle;
    memcpy(m->rules_refused_sha256, r->refused, sizeof(m->rules_refused_sha256));
    memcpy(m->rules_error, r->error, sizeof(m->rules_error));
    if (r->at_work) {
        m->rules_serial = r->now.serial;
        m->rules_count = r->now.rules;
        memcpy(m->rules_sha256, r->now.sha256, sizeof(m->rules_sha256));
        wedr_msg_put_text(m->rules_profile, sizeof(m->rules_profile), r->now.profile);
        m->kill_allowed = holder_rules_kill_allowed(h);
    }
}
