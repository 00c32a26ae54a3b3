/* SPDX-License-Identifier: Apache-2.0
 * make_bundle KEYFILE OUT SERIAL POLICY ACTIONS TEXT: a signed bundle of one rule, "the command
 * line contains TEXT", and its public key on standard output. The key is made when KEYFILE is not
 * there. For tests of what no server would send. */
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "wedr/plat/pki.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int die(const char *what, const char *why)
{
    (void)fprintf(stderr, "make_bundle: %s: %s\n", what, why);
    return 1;
}

static int read_key(const char *path, uint8_t secret[WEDR_SIGN_SECRET_LEN])
{
    FILE *f = fopen(path, "rb");
    if (f) {
        size_t n = fread(secret, 1, WEDR_SIGN_SECRET_LEN, f);
        (void)fclose(f);
        return n == WEDR_SIGN_SECRET_LEN ? 0 : -1;
    }
    uint8_t pub[WEDR_SIGN_PUBLIC_LEN];
    wedr_sign_keypair(pub, secret);
    f = fopen(path, "wb");
    if (!f) {
        return -1;
    }
    size_t n = fwrite(secret, 1, WEDR_SIGN_SECRET_LEN, f);
    return fclose(f) == 0 && n == WEDR_SIGN_SECRET_LEN ? 0 : -1;
}

static int add_rule(struct wedr_ruleset *rs, uint8_t actions, const char *text)
{
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_errinfo ei = {""};
    uint32_t field, index;
    rule.id = wedr_text("test-rule", 9);
    rule.title = wedr_text("a test rule", 11);
    rule.language = wedr_text("waza", 4);
    rule.severity = WEDR_SEVERITY_HIGH;
    rule.actions = actions;
    rule.throttle_count = 100000;
    rule.throttle_ms = 1000;
    int err = wedr_ruleset_field(rs, "CommandLine", 11, &field);
    if (err == WEDR_OK) {
        err = wedr_ir_text(rs, field, WEDR_PRED_CONTAINS, wedr_text(text, strlen(text)), 0,
                           &rule.condition, &ei);
    }
    return err == WEDR_OK ? wedr_ruleset_add_rule(rs, &rule, &index) : err;
}

int main(int argc, char **argv)
{
    uint8_t secret[WEDR_SIGN_SECRET_LEN];
    char hex[2 * WEDR_SIGN_PUBLIC_LEN + 1];
    struct wedr_errinfo ei = {""};
    struct wedr_field_map *map = NULL;
    struct wedr_buf out;
    if (argc != 7 || read_key(argv[1], secret) != 0) {
        return die("usage", "make_bundle KEYFILE OUT SERIAL POLICY ACTIONS TEXT");
    }
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_bundle_options o = {.serial = strtoull(argv[3], NULL, 10),
                                    .profile = "test",
                                    .policy = (uint32_t)strtoul(argv[4], NULL, 10)};
    wedr_buf_init(&out, WEDR_BUNDLE_MAX);
    int err = rs ? add_rule(rs, (uint8_t)strtoul(argv[5], NULL, 10), argv[6]) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = wedr_pipeline_map(rs, NULL, 0, true, &map, &ei);
    }
    if (err == WEDR_OK) {
        err = wedr_bundle_write(rs, map, &o, secret, &out, NULL, &ei);
    }
    if (err != WEDR_OK) {
        return die(wedr_err_text(err), ei.text);
    }
    FILE *f = fopen(argv[2], "wb");
    if (!f || fwrite(out.p, 1, out.len, f) != out.len || fclose(f) != 0) {
        return die(argv[2], "cannot be written");
    }
    wedr_hex(secret + WEDR_SIGN_SECRET_LEN - WEDR_SIGN_PUBLIC_LEN, WEDR_SIGN_PUBLIC_LEN, hex);
    (void)printf("%s\n", hex);
    wedr_buf_fini(&out);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    return 0;
}
