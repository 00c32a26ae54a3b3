/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/fields.c — Sigma's names first, which pipelines give to our own events, Sysmon,
 * Windows, ECS and auditd; then the keys that stand for themselves where no pipeline renames them.
 */
#include "ioc/fields.h"
#include "core/base/attr.h"
#include <stddef.h>

/* Of executables, modules and files. */
static const char *const hashes[] = {
    "Hashes",
    "Hash",
    "sha256",
    "sha1",
    "md5",
    "raw.sha256",
    "file.hash.sha256",
    "file.hash.sha1",
    "file.hash.md5",
    "dll.hash.sha256",
    "dll.hash.sha1",
    "dll.hash.md5",
    "process.hash.sha256",
    "process.hash.sha1",
    "process.hash.md5",
    NULL,
};

static const char *const domains[] = {
    "QueryName",
    "query",
    "DestinationHostname",
    "raw.query_name",
    "dns.question.name",
    "destination.domain",
    "url.domain",
    "tls.client.server_name",
    "cs-host",
    NULL,
};

static const char *const nets[] = {
    "DestinationIp",
    "SourceIp",
    "dst_ip",
    "src_ip",
    "raw.dst_ip",
    "raw.src_ip",
    "destination.ip",
    "source.ip",
    "QueryResults",
    "raw.answers",
    "dns.resolved_ip",
    "IpAddress",
    "DestAddress",
    "SourceAddress",
    "addr",
    NULL,
};

static const char *const paths[] = {
    "Image",
    "ImageLoaded",
    "TargetFilename",
    "SourceFilename",
    "NewProcessName",
    "exe",
    "name",
    "raw.image_path",
    "raw.script_path",
    "raw.target_path",
    "process.executable",
    "file.path",
    "dll.path",
    NULL,
};

const char *const *wedr_ioc_fields(enum wedr_ioc_kind kind)
{
    static const char *const *const all[] = {hashes, domains, nets, paths};
    return all[kind];
}
