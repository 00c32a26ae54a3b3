/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_play.h"

/* S-1-5-21-1-2-4294967295-1001 */
static const uint8_t user_sid[] = {1, 5, 0, 0, 0, 0, 0,    5,    21,   0,    0,    0, 1, 0,
                                   0, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xe9, 3, 0, 0};

struct ntsim_process_spec play_spec(uint64_t pid, uint64_t parent_pid)
{
    return (struct ntsim_process_spec){.pid = pid,
                                       .parent_pid = parent_pid,
                                       .create_time = NTSIM_TIME + (int64_t)pid,
                                       .start_key = DRIVER_KEY(pid),
                                       .session = 2,
                                       .image = NTSIM_TEXT(CHILD_IMAGE),
                                       .sid = user_sid,
                                       .sid_len = sizeof(user_sid),
                                       .integrity = 0x3000,
                                       .elevated = true};
}

struct ntsim_process *play_parent(void)
{
    struct ntsim_process_spec s = play_spec(PARENT, 4);

    s.image = NTSIM_TEXT(PARENT_IMAGE);
    s.sid = NULL;
    s.session = 1;
    s.integrity = 0x2000;
    s.elevated = false;
    return ntsim_process_new(&s);
}

void play_creator(void)
{
    struct ntsim_process_spec s = play_spec(CREATOR_PID, 4);

    s.sid = NULL; /* S-1-5-18 */
    s.integrity = 0x4000;
    s.session = 0;
    s.elevated = false;
    s.image = NTSIM_TEXT(DRIVER_IMAGE);
    ntsim_set_current(thread_of(ntsim_process_new(&s)));
}

struct wants wants_creation(void)
{
    struct wants w = {.type = WEDR_EV_PROCESS_CREATE, .lane = WEDR_LANE_CRITICAL};

    want_number(&w, "pid", CHILD);
    want_number(&w, "parent_pid", PARENT);
    want_number(&w, "creating_pid", CREATOR_PID);
    want_number(&w, "process_key", DRIVER_KEY(CHILD));
    want_number(&w, "parent_key", DRIVER_KEY(PARENT));
    want_text(&w, "image_path", NTSIM_TEXT(CHILD_IMAGE), 0);
    want_text(&w, "command_line", NTSIM_TEXT(COMMAND), 0);
    want_text(&w, "parent_image_path", NTSIM_TEXT(PARENT_IMAGE), 0);
    want_nothing(&w, "cwd", 0);
    want_text(&w, "user_sid", NTSIM_TEXT(USER_SID), 0);
    want_number(&w, "integrity_level", 0x3000);
    want_number(&w, "session_id", 2);
    want_number(&w, "elevated", 1);
    return w;
}

void play_creation(struct ntsim_process *p, struct ntsim_text image, struct ntsim_text command_line)
{
    const struct ntsim_create c = {.process = p, .image = image, .command_line = command_line};

    assert_int_equal(ntsim_fire_process_create(&c), NTSIM_SUCCESS);
}

struct ntsim_process *play_new(const struct ntsim_process_spec *s)
{
    struct ntsim_process *p = ntsim_process_new(s);

    play_creation(p, NTSIM_TEXT(NAMED_IMAGE), NTSIM_TEXT(COMMAND));
    return p;
}

struct ntsim_process *play_child(void)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);

    (void)play_parent();
    play_creator();
    return ntsim_process_new(&s);
}

struct wants wants_change(uint16_t op, int32_t status, struct ntsim_text key_path)
{
    struct wants w = {.type = WEDR_EV_REGISTRY_WRITE, .lane = WEDR_LANE_CRITICAL};

    want_number(&w, "pid", CREATOR_PID);
    want_number(&w, "process_key", 0);
    want_number(&w, "op", op);
    want_number(&w, "value_type", 0);
    want_number(&w, "data_size", 0);
    want_number(&w, "status", (uint32_t)status);
    want_text(&w, "key_path", key_path, 0);
    want_nothing(&w, "value_name", 0);
    want_nothing(&w, "new_name", 0);
    want_nothing(&w, "data_preview", 0);
    want_nothing(&w, "source_file", 0);
    return w;
}
