/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/out.h"
#include "api/server.h"
#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "detect/template.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

/* All of these run on the one control thread, which owns the cache. */

/* A profile's id on the wire: a UUID made of its name. */
static void profile_id(const char *name, char ret[WEDR_AGENT_ID_TEXT])
{
    uint8_t d[WEDR_SHA256_LEN];
    char hex[2 * WEDR_SHA256_LEN + 1];
    struct wedr_sha256_state sha;
    wedr_sha256_begin(&sha);
    wedr_sha256_add(&sha, "wedr profile", 13);
    wedr_sha256_add(&sha, name, strlen(name));
    wedr_sha256_end(&sha, d);
    d[6] = (uint8_t)((d[6] & 0x0fu) | 0x80u); /* version 8, RFC 9562 */
    d[8] = (uint8_t)((d[8] & 0x3fu) | 0x80u);
    wedr_hex(d, sizeof(d), hex);
    (void)snprintf(ret, WEDR_AGENT_ID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}

static void answer_error(struct wedr_request *rq, int err)
{
    if (err == WEDR_E_NOENT) {
        wedr_answer_problem(rq, 404, "nothing is published for this agent's profile");
    } else {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the profile could not be read: %s", wedr_err_text(err));
    }
}

void wedr_api_profile(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_bundle_row row;
    struct wedr_out o;
    char id[WEDR_AGENT_ID_TEXT], url[128];
    wedr_api_adopt_certificate(s, rq);
    int err = s->d.state_ops->rules->bundle_of_agent(s->d.state, rq->agent.agent_id, &row, NULL);
    if (err != WEDR_OK) {
        answer_error(rq, err);
        return;
    }
    profile_id(row.profile, id);
    (void)snprintf(url, sizeof(url), "/api/v1/profiles/%s/template", id);
    wedr_out_init(&o, &rq->answer);
    wedr_out_obj_begin(&o);
    wedr_out_put_text(&o, "profile_id", id);
    wedr_out_put_text(&o, "name", row.profile);
    wedr_out_put_i64(&o, "version", (int64_t)row.serial);
    wedr_out_put_text(&o, "hash", row.sha256);
    wedr_out_put_time(&o, "updated_at", row.created_us);
    wedr_out_put_text(&o, "template_url", url);
    wedr_out_key(&o, "modules_required");
    wedr_out_arr_begin(&o);
    wedr_out_arr_end(&o);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    wedr_answer_json(rq, 200);
}

static int put_rule(void *ctx, const char *name, bool on, const char *text, size_t len)
{
    struct wedr_out *o = ctx;
    wedr_out_obj_begin(o);
    wedr_out_put_text(o, "name", name);
    wedr_out_put_bool(o, "is_enabled", on);
    wedr_out_key(o, "waza_source");
    wedr_out_bytes(o, text, len);
    wedr_out_obj_end(o);
    return o->b->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static int
write_template(struct wedr_server *s, const struct wedr_bundle_row *row, struct wedr_buf *b)
{
    struct wedr_errinfo ei = {""};
    struct wedr_out o;
    wedr_out_init(&o, b);
    wedr_out_obj_begin(&o);
    wedr_out_put_text(&o, "name", row->profile);
    wedr_out_put_i64(&o, "version", (int64_t)row->serial);
    wedr_out_key(&o, "rules");
    wedr_out_arr_begin(&o);
    int err = wedr_template_each(s->d.state_ops, s->d.state, row->profile, wedr_time_utc_us(),
                                 put_rule, &o, &ei);
    wedr_out_arr_end(&o);
    wedr_out_key(&o, "agent_config");
    wedr_out_obj_begin(&o);
    wedr_out_put_i64(&o, "heartbeat_interval_secs", (int64_t)s->d.cfg->checkin_interval_s);
    wedr_out_obj_end(&o);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "profile.no_template", WEDR_STR("profile", row->profile), WEDR_ERR(err),
                 WEDR_STR("why", ei.text));
    }
    return err == WEDR_OK && b->overflow ? WEDR_E_LIMIT : err;
}

/* Made once for each publishing of a profile: the same version is the same text, and an agent that
 * asks again and again costs nothing. */
static int find_template(struct wedr_server *s,
                         const struct wedr_bundle_row *row,
                         struct wedr_cached_template **ret)
{
    struct wedr_cached_template *t = &s->templates[0];
    struct wedr_buf b;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->templates); i++) {
        if (s->templates[i].bytes && strcmp(s->templates[i].sha256, row->sha256) == 0) {
            *ret = &s->templates[i];
            return WEDR_OK;
        }
        t = s->templates[i].used < t->used ? &s->templates[i] : t;
    }
    wedr_buf_init(&b, WEDR_BUNDLE_STORED_MAX);
    int err = write_template(s, row, &b);
    struct wedr_shared *bytes = err == WEDR_OK ? wedr_shared_new(b.p, b.len) : NULL;
    wedr_buf_fini(&b);
    if (!bytes) {
        return err == WEDR_OK ? WEDR_E_NOMEM : err;
    }
    wedr_shared_unref(t->bytes);
    t->bytes = bytes;
    memcpy(t->sha256, row->sha256, sizeof(t->sha256));
    *ret = t;
    return WEDR_OK;
}

void wedr_api_template(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_bundle_row row;
    struct wedr_cached_template *t = NULL;
    char id[WEDR_AGENT_ID_TEXT] = "";
    wedr_api_adopt_certificate(s, rq);
    int err = s->d.state_ops->rules->bundle_of_agent(s->d.state, rq->agent.agent_id, &row, NULL);
    if (err == WEDR_OK) {
        profile_id(row.profile, id);
    }
    if (err == WEDR_OK && strcmp(id, wedr_request_param(rq, "profile")) != 0) {
        wedr_answer_problem(rq, 404, "this is not the profile of this agent");
        return;
    }
    err = err == WEDR_OK ? find_template(s, &row, &t) : err;
    if (err != WEDR_OK) {
        answer_error(rq, err);
        return;
    }
    t->used = ++s->bundle_clock;
    wedr_answer_bytes(rq, t->bytes);
    rq->content_type = "application/json";
}

void wedr_api_profile_fini(struct wedr_server *s)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->templates); i++) {
        wedr_shared_unref(s->templates[i].bytes);
    }
}
