/* SPDX-License-Identifier: Apache-2.0
 * Messages between processes: first byte direction, second number of handles, then the message. */
#include "core/base/err.h"
#include "wedr/wire/msg.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t type = 0;
    if (size < 2) {
        return 0;
    }
    size_t handles = 0;
    int err = wedr_msg_check((enum wedr_msg_direction)data[0], data + 2, size - 2, data[1], &type);
    if (err == WEDR_OK && (wedr_msg_size(type, &handles) != size - 2 || handles != data[1])) {
        __builtin_trap();
    }
    if (err == WEDR_OK && (type == WEDR_MSG_T_BATCH || type == WEDR_MSG_T_SIGN)) {
        struct wedr_msg_batch_id m;
        struct wedr_batch_id id;
        memcpy(&m, data + 2 + sizeof(struct wedr_msg_header), sizeof(m));
        if (wedr_msg_to_batch(&m, &id) != WEDR_OK || wedr_batch_id_check(&id) != WEDR_OK) {
            __builtin_trap();
        }
    }
    return 0;
}
