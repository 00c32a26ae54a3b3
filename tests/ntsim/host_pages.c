/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/host_pages.c — text in pages of its own, which are taken away while the thread holds
 * a spin lock: what the kernel's paged pool is like at DISPATCH, at its worst. */
#include "sim.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_MAX 16u

static struct {
    bool on;
    struct {
        uint8_t *map;
        size_t map_len;
        void *text;
    } v[PAGES_MAX];
} pages;

void ntsim_page_texts(bool on)
{
    pages.on = on;
}

const void *ntsim_paged_text(void)
{
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        if (pages.v[i].map) {
            return pages.v[i].text;
        }
    }
    return NULL;
}

void *sim_paged_dup(const void *p, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; pages.on && i < PAGES_MAX; i++) {
        if (!pages.v[i].map) {
            size_t map_len = (len + page) / page * page;

            /* At the end of its pages, as far as a unit's alignment allows. */
            pages.v[i].map = sim_map(map_len);
            pages.v[i].map_len = map_len;
            pages.v[i].text = pages.v[i].map + (map_len - len) / 2 * 2;
            if (len > 0) {
                memcpy(pages.v[i].text, p, len);
            }
            return pages.v[i].text;
        }
    }
    return sim_dup(p, len);
}

void sim_paged_free(void *text)
{
    for (unsigned i = 0; text && i < PAGES_MAX; i++) {
        if (pages.v[i].map && pages.v[i].text == text) {
            sim_unmap(pages.v[i].map, pages.v[i].map_len);
            pages.v[i].map = NULL;
            return;
        }
    }
    sim_free(text);
}

void sim_pages_hide(bool hide)
{
    for (unsigned i = 0; pages.on && i < PAGES_MAX; i++) {
        if (pages.v[i].map &&
            mprotect(pages.v[i].map, pages.v[i].map_len, hide ? PROT_NONE : PROT_READ) != 0) {
            sim_die("mprotect");
        }
    }
}
