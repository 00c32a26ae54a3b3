/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "core/base/err.h"
#include "core/util/json.h"
#include "core/util/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* All of these run on the one control thread, which owns the cache. */

void wedr_api_rules_fini(struct wedr_server *s)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->bundles); i++) {
        wedr_shared_unref(s->bundles[i].bytes);
    }
}

static struct wedr_cached_bundle *find_cached(struct wedr_server *s, const char *sha256)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->bundles); i++) {
        if (s->bundles[i].bytes && strcmp(s->bundles[i].sha256, sha256) == 0) {
            s->bundles[i].used = ++s->bundle_clock;
            return &s->bundles[i];
        }
    }
    return NULL;
}

/* A thousand agents ask for the same bytes after a publish: they are read and held once. */
static int cache_newest(struct wedr_server *s,
                        const char *agent_id,
                        struct wedr_bundle_row *row,
                        struct wedr_cached_bundle **ret)
{
    struct wedr_cached_bundle *oldest = &s->bundles[0];
    struct wedr_buf bytes;
    *ret = find_cached(s, row->sha256);
    if (*ret) {
        return WEDR_OK;
    }
    for (size_t i = 1; i < WEDR_ARRAY_COUNT(s->bundles); i++) {
        oldest = s->bundles[i].used < oldest->used ? &s->bundles[i] : oldest;
    }
    wedr_buf_init(&bytes, WEDR_BUNDLE_STORED_MAX);
    int err = s->d.state_ops->rules->bundle_of_agent(s->d.state, agent_id, row, &bytes);
    struct wedr_shared *shared = err == WEDR_OK ? wedr_shared_new(bytes.p, bytes.len) : NULL;
    wedr_buf_fini(&bytes);
    if (!shared) {
        return err == WEDR_OK ? WEDR_E_NOMEM : err;
    }
    wedr_shared_unref(oldest->bytes);
    oldest->bytes = shared;
    oldest->used = ++s->bundle_clock;
    memcpy(oldest->sha256, row->sha256, sizeof(oldest->sha256));
    *ret = oldest;
    return WEDR_OK;
}

/* True when the header names this tag, among others or as a star (RFC 9110, 13.1.2). */
static bool tag_matches(const char *header, const char *etag)
{
    return header && (strstr(header, etag) != NULL || strcmp(header, "*") == 0);
}

void wedr_api_rules(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_bundle_row row;
    struct wedr_cached_bundle *cached = NULL;
    wedr_api_adopt_certificate(s, rq);
    int err = s->d.state_ops->rules->bundle_of_agent(s->d.state, rq->agent.agent_id, &row, NULL);
    if (err == WEDR_OK) {
        (void)snprintf(rq->etag, sizeof(rq->etag), "\"%s\"", row.sha256);
    }
    if (err == WEDR_OK && tag_matches(wedr_request_header(rq, "If-None-Match"), rq->etag)) {
        wedr_answer_unchanged(rq);
        return;
    }
    if (err == WEDR_OK) {
        err = cache_newest(s, rq->agent.agent_id, &row, &cached);
    }
    if (err == WEDR_OK) {
        (void)snprintf(rq->etag, sizeof(rq->etag), "\"%s\"", row.sha256);
        atomic_fetch_add(&s->metrics.bundles_sent, 1);
        wedr_log(INFO, "rules.sent", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_STR("profile", row.profile), WEDR_U64("serial", row.serial));
        wedr_answer_bytes(rq, cached->bytes);
        return;
    }
    rq->etag[0] = '\0';
    if (err == WEDR_E_NOENT) {
        wedr_answer_problem(rq, 404, "no rules are published for this agent's profile");
    } else {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the rules could not be read: %s", wedr_err_text(err));
    }
}

void wedr_api_rules_offer(struct wedr_server *s, const struct wedr_request *rq, struct wedr_json *j)
{
    struct wedr_bundle_row row;
    char serial[24];
    int err = s->d.state_ops->rules->bundle_of_agent(s->d.state, rq->agent.agent_id, &row, NULL);
    if (err != WEDR_OK) {
        if (err != WEDR_E_NOENT) {
            wedr_log(ERROR, "rules.unreadable", WEDR_ERR(err));
        }
        return;
    }
    int n = snprintf(serial, sizeof(serial), "%" PRIu64, row.serial);
    wedr_json_key(j, "rules");
    wedr_json_obj_begin(j);
    wedr_json_key(j, "serial");
    wedr_json_str(j, serial, (size_t)n);
    wedr_json_key(j, "sha256");
    wedr_json_str(j, row.sha256, strlen(row.sha256));
    wedr_json_key(j, "size");
    wedr_json_u64(j, row.size);
    wedr_json_obj_end(j);
    wedr_json_key(j, "current_profile_version");
    wedr_json_u64(j, row.serial);
}
