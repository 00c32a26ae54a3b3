/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/keyfile.h — keys that sign rule bundles, as files: the secret one is 64 bytes, as
 * the server's own (seed and public key), the public one 64 hexadecimal digits, as agents get it.
 * Any thread. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/rules/bundle.h"

/* A new pair: the secret key into path (0600), the public one into path.pub; neither may be there.
 * WEDR_E_EXIST, errors of the file system. */
WEDR_MUST_USE int wedr_keyfile_new(const char *path,
                                   uint8_t ret_public[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                                   struct wedr_errinfo *ei);
/* WEDR_E_FORMAT: no such key. The caller wipes it. */
WEDR_MUST_USE int wedr_keyfile_secret(const char *path,
                                      uint8_t ret_secret[WEDR_BUNDLE_SECRET_KEY_LEN],
                                      struct wedr_errinfo *ei);
/* Of a public or of a secret key's file. */
WEDR_MUST_USE int wedr_keyfile_public(const char *path,
                                      uint8_t ret_public[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                                      struct wedr_errinfo *ei);
