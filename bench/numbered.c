#include "bench/numbered.h"

#include <stdio.h>

char *numbered_id(struct arena *arena, char letter, uint32_t no)
{
    char id[16];
    int length = snprintf(id, sizeof id, "%c%u", letter, no);
    return arena_copy_text(arena, id, (size_t)length);
}

static void fill_guardians(const struct numbered *numbered, struct directory *directory)
{
    const uint32_t each = numbered->guardians_a_pupil;
    for (uint32_t no = 1; no < directory->guardian_end; no++) {
        directory->guardians[no].id = numbered_id(&directory->arena, 'u', no);
        directory->guardian_links[no - 1] = no;
    }
    for (uint32_t no = 1; no < directory->pupil_end; no++) {
        directory->pupils[no].guardian_first = (no - 1) * each;
        directory->pupils[no].guardian_count = each;
    }
}

static void fill(const struct numbered *numbered, struct directory *directory)
{
    struct arena *arena = &directory->arena;
    for (uint32_t no = 1; no <= numbered->schools; no++) {
        directory->schools[no].id = numbered_id(arena, 's', no);
    }
    for (uint32_t no = 1; no < directory->gate_end; no++) {
        directory->gates[no] =
            (struct dir_gate){.id = numbered_id(arena, 'g', no),
                              .school_no = (no - 1) / numbered->gates_a_school + 1};
    }
    for (uint32_t no = 1; no <= numbered->pupils; no++) {
        uint32_t school_no = numbered->school_of(numbered->context, no);
        directory->pupils[no] =
            (struct dir_pupil){.id = numbered_id(arena, 'p', no), .school_no = school_no};
        directory->cards[no] = (struct dir_card){
            .id = numbered_id(arena, 'c', no), .pupil_no = no, .school_no = school_no};
    }
    fill_guardians(numbered, directory);
}

enum status numbered_directory(const struct numbered *numbered, struct directory **ret,
                               struct status_detail *detail)
{
    struct directory_ends ends = {.schools = numbered->schools + 1,
                                  .pupils = numbered->pupils + 1,
                                  .cards = numbered->pupils + 1,
                                  .guardians = numbered->pupils * numbered->guardians_a_pupil + 1,
                                  .gates = numbered->schools * numbered->gates_a_school + 1,
                                  .guardian_links = numbered->pupils * numbered->guardians_a_pupil};
    struct directory *directory = NULL;
    *ret = NULL;
    enum status status = directory_new(&ends, &directory);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "directory");
    }
    fill(numbered, directory);
    status = directory_seal(directory, detail);
    if (status != STATUS_OK) {
        directory_free(directory);
        return status;
    }
    *ret = directory;
    return STATUS_OK;
}
