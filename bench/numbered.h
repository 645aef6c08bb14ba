/*
 * numbered.h - directories of made-up schools, pupils, cards, guardians and gates, whose ids are a letter
 * and their number: s1, p1, c1, u1, g1. Card n is pupil n's.
 * Threads: one per directory.
 */
#ifndef BENCH_NUMBERED_H
#define BENCH_NUMBERED_H

#include "base/status.h"
#include "core/directory.h"

struct numbered {
    uint32_t schools, pupils, gates_a_school, guardians_a_pupil;
    uint32_t (*school_of)(const void *context, uint32_t pupil_no);
    const void *context;
};

/* NULL: no memory. */
char *numbered_id(struct arena *arena, char letter, uint32_t no);
/* Sealed. STATUS_NO_MEMORY, or what directory_new and directory_seal return; *ret is NULL then. */
enum status numbered_directory(const struct numbered *numbered, struct directory **ret,
                               struct status_detail *detail) MUST_CHECK;

#endif
