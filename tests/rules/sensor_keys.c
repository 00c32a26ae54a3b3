/* SPDX-License-Identifier: Apache-2.0
 * tests/rules/sensor_keys.c — the keys of our own events, asked from the encoder's own programs: a
 * line `event_type system key field` for each, where field is what the key is made of on the wire.
 * For tools/sigma_page. */
#include "core/base/err.h"
#include "encode/program.h"
#include "wedr/wire/event.h"
#include <stdio.h>
#include <string.h>

static const char *field_at(const struct wedr_type_info *t, uint8_t os, uint16_t offset)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        uint16_t have = os == WEDR_OS_LINUX ? f->offset_linux : f->offset_windows;
        if (!f->derived && (f->os_mask & os) != 0 && have == offset) {
            return f->name;
        }
    }
    return "-"; /* made of no field */
}

static void print_steps(const struct wedr_program *p,
                        const struct wedr_step *steps,
                        size_t count,
                        const char *block,
                        uint8_t os)
{
    for (size_t i = 0; i < count; i++) {
        /* ,"name": */
        printf("%s %s %s.%.*s %s\n", p->type->event_type, os == WEDR_OS_LINUX ? "linux" : "windows",
               block, (int)steps[i].key_len - 4, steps[i].key + 2,
               field_at(p->type, os, steps[i].offset));
    }
}

int main(void)
{
    static struct wedr_program p;
    const uint8_t systems[] = {WEDR_OS_LINUX, WEDR_OS_WINDOWS};
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t s = 0; s < sizeof(systems); s++) {
        for (size_t i = 0; i < count; i++) {
            if ((types[i].os_mask & systems[s]) == 0) {
                continue;
            }
            if (wedr_program_make(&types[i], systems[s], &p) != WEDR_OK) {
                return 1;
            }
            print_steps(&p, p.raw, p.raw_count, "raw", systems[s]);
            print_steps(&p, p.process, p.process_count, "process", systems[s]);
        }
    }
    return 0;
}
