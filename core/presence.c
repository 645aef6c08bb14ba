#include "core/presence.h"

#include "base/assert.h"

enum { ARENA_ROUNDING = 32 };

/* Every number and every place is below REGISTRY_NUMBER_MAX. */
#define BITS(no) ((no)&0x7fffffu)

size_t presences_bytes(uint32_t count_max)
{
    return sizeof(struct presence) * ((size_t)count_max + 1) + ARENA_LINE + ARENA_ROUNDING;
}

enum status presences_init(struct presences *presences, struct arena *arena,
                           struct pupil_state *pupils, uint32_t count_max)
{
    *presences = (struct presences){.pupils = pupils, .count_max = count_max, .used_end = 1};
    presences->items = arena_lines(arena, (size_t)count_max + 1, sizeof *presences->items);
    if (presences->items == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = count_max; i > 0; i--) {
        presences->items[i].next = BITS(presences->free);
        presences->free = i;
    }
    return STATUS_OK;
}

uint32_t presences_find(const struct presences *presences, uint32_t pupil_no, uint32_t fence_no)
{
    uint32_t place = presences->pupils[pupil_no].first;
    while (place != 0 && presences->items[place].fence_no != fence_no) {
        place = presences->items[place].next;
    }
    return place;
}

/* All places are taken. Which one makes room? 0: none of those looked at. */
static uint32_t find_stalest(struct presences *presences)
{
    uint32_t stalest = 0, found = 0;
    int64_t stalest_ms = INT64_MAX;
    uint32_t looks =
        presences->count_max < PRESENCES_LOOKED_AT ? presences->count_max : PRESENCES_LOOKED_AT;
    for (uint32_t i = 0; i < looks && found < PRESENCES_COMPARED; i++) {
        presences->hand = presences->hand < presences->count_max ? presences->hand + 1 : 1;
        const struct presence *presence = &presences->items[presences->hand];
        if (presence->state == PRESENCE_INSIDE) {
            continue;
        }
        found++;
        int64_t last_ms = presences->pupils[presence->pupil_no].last_ms;
        if (last_ms < stalest_ms) {
            stalest_ms = last_ms;
            stalest = presences->hand;
        }
    }
    return stalest;
}

uint32_t presences_add(struct presences *presences, uint32_t pupil_no, uint32_t fence_no)
{
    ASSERT(presences_find(presences, pupil_no, fence_no) == 0);
    if (presences->free == 0) {
        uint32_t stalest = find_stalest(presences);
        if (stalest == 0) {
            presences->refused++;
            return 0;
        }
        presences_drop(presences, stalest);
        presences->evicted++;
    }
    uint32_t place = presences->free;
    presences->free = presences->items[place].next;
    presences->used_end = place < presences->used_end ? presences->used_end : place + 1;
    presences->items[place] = (struct presence){.pupil_no = BITS(pupil_no),
                                                .fence_no = BITS(fence_no),
                                                .next = BITS(presences->pupils[pupil_no].first)};
    presences->pupils[pupil_no].first = place;
    presences->count++;
    return place;
}

void presences_drop(struct presences *presences, uint32_t place)
{
    ASSERT(place != 0 && presences->count > 0);
    struct presence *presence = &presences->items[place];
    struct pupil_state *pupil = &presences->pupils[presence->pupil_no];
    if (pupil->first == place) {
        pupil->first = presence->next;
    } else {
        uint32_t before = pupil->first;
        while (presences->items[before].next != place) {
            ASSERT(before != 0);
            before = presences->items[before].next;
        }
        presences->items[before].next = presence->next;
    }
    *presence = (struct presence){.next = BITS(presences->free)};
    presences->free = place;
    presences->count--;
}
