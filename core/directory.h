/*
 * directory.h - schools, pupils, cards, guardians, gates: who is who, by number and by id.
 * Know: immutable once built; changed by building another aside and handing it to engine_step.
 * Numbers come from the registry, are stable, dense and never reused; index arrays by them
 * directly.
 * Memory: all of it in one growing arena that the directory owns.
 * Threads: any may read.
 */
#ifndef CORE_DIRECTORY_H
#define CORE_DIRECTORY_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

/* Texts are NUL-terminated and live as long as the directory. A hole in the numbers has id NULL. */
struct dir_school {
    const char *id;
};
struct dir_pupil {
    const char *id;
    uint32_t school_no;
    uint32_t guardian_first, guardian_count; /* into guardian_links */
};
struct dir_card {
    const char *id;
    const char *owntracks; /* "user/device" of a phone that stands in for the card, or NULL */
    uint32_t pupil_no;     /* 0: issued to nobody */
    uint32_t school_no; /* where it may report: the pupil's school; 0: nowhere, issued to nobody */
};
struct dir_guardian {
    const char *id;
};
struct dir_gate {
    const char *id;
    uint32_t school_no;
};

struct directory {
    uint64_t revision; /* of the registry it was read from */
    struct arena arena;
    /* arrays of (max number + 1) entries; entry 0 unused */
    struct dir_school *schools;
    struct dir_pupil *pupils;
    struct dir_card *cards;
    struct dir_guardian *guardians;
    struct dir_gate *gates;
    uint32_t school_end, pupil_end, card_end, guardian_end, gate_end; /* max number + 1 */
    uint32_t *guardian_links;
    uint32_t guardian_link_count;
    struct dir_table *tables; /* id -> number, private to directory.c */
};

/* Makes an empty directory with room for numbers below the given ends; the caller fills the arrays
 * (ids copied into ->arena with arena_copy_text) and calls directory_seal. STATUS_TOO_LARGE: an end
 * is beyond REGISTRY_NUMBER_MAX; STATUS_NO_MEMORY. */
struct directory_ends {
    uint32_t schools, pupils, cards, guardians, gates, guardian_links;
};
enum status directory_new(const struct directory_ends *ends, struct directory **ret) MUST_CHECK;
/* Builds the id tables; checks that references point at entries and that ids are unique.
 * STATUS_INVALID with the offender in detail. */
enum status directory_seal(struct directory *directory, struct status_detail *detail) MUST_CHECK;
void directory_free(struct directory *directory);

/* Number of the id, 0 when there is none. */
uint32_t directory_school(const struct directory *directory, struct text id);
uint32_t directory_pupil(const struct directory *directory, struct text id);
uint32_t directory_card(const struct directory *directory, struct text id);
uint32_t directory_guardian(const struct directory *directory, struct text id);
uint32_t directory_gate(const struct directory *directory, struct text id);
uint32_t directory_owntracks(const struct directory *directory, struct text user_device);

/* directory_school and directory_card of up to DIRECTORY_BATCH_MAX ids, asking memory for what all of them need
 * before any of them waits for it: several times as fast as one by one. */
#define DIRECTORY_BATCH_MAX 64u
void directory_schools(const struct directory *directory, const struct text *ids, uint32_t count,
                       uint32_t *ret_nos);
void directory_cards(const struct directory *directory, const struct text *ids, uint32_t count,
                     uint32_t *ret_nos);

#endif
