/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_driver_alloc.c — the simulator's memory for system buffers, under libFuzzer. The
 * sanitizer asks the operating system for each block above 128 KiB, and every read has one: half of
 * the time went there. Here such blocks are kept, poisoned while nobody owns them, and used again
 * the longest unused first. The linker puts these functions in place of the simulator's (--wrap).
 */
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define LARGE (64u << 10)
#define BLOCK (400u << 10)
#define BLOCKS 128u

enum sim_rule { FUZZ_UNUSED };
void *__real_sim_alloc(size_t len);
void __real_sim_retire(void *p, size_t len, enum sim_rule rule);
void *__wrap_sim_alloc(size_t len);
void __wrap_sim_retire(void *p, size_t len, enum sim_rule rule);

static struct {
    uint8_t *memory; /* BLOCKS of them */
    uint16_t free[BLOCKS];
    unsigned first, count;
} kept;

static void begin(void)
{
    kept.memory = malloc((size_t)BLOCK * BLOCKS);
    if (!kept.memory) {
        abort();
    }
    __asan_poison_memory_region(kept.memory, (size_t)BLOCK * BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        kept.free[i] = (uint16_t)i;
    }
    kept.count = BLOCKS;
}

void *__wrap_sim_alloc(size_t len)
{
    uint8_t *p;

    if (!kept.memory) {
        begin();
    }
    if (len < LARGE || len > BLOCK - 64u || kept.count == 0) {
        return __real_sim_alloc(len);
    }
    p = kept.memory + (size_t)kept.free[kept.first] * BLOCK;
    kept.first = (kept.first + 1) % BLOCKS;
    kept.count--;
    __asan_unpoison_memory_region(p, len);
    return p;
}

void __wrap_sim_retire(void *p, size_t len, enum sim_rule rule)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)kept.memory;

    if (!kept.memory || at >= (size_t)BLOCK * BLOCKS) {
        __real_sim_retire(p, len, rule);
        return;
    }
    __asan_poison_memory_region(p, len + 64u);
    kept.free[(kept.first + kept.count) % BLOCKS] = (uint16_t)(at / BLOCK);
    kept.count++;
}
