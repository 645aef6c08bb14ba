#include "core/presence.h"

#include "base/assert.h"

enum { ARENA_ROUNDING = 32 };

/* Every number and every place is below REGISTRY_NUMBER_MAX. */
#define BITS(no) ((no)&0x7fffffu)

size_t presences_bytes(uint32_t count_max)
{
    return sizeof(struct presence) * ((size_t)count_max + 1) + ARENA_ROUNDING;
}

enum status presences_init(struct presences *presences, struct arena *arena,
                           struct pupil_state *pupils, uint32_t count_max)
{
    *presences = (struct presences){.pupils = pupils};
    presences->items = arena_array(arena, (size_t)count_max + 1, sizeof *presences->items);
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

static void leave_line(struct presences *presences, uint32_t place)
{
    struct presence *presence = &presences->items[place];
    if ((presence->flags & PRESENCE_WAITING) == 0) {
        return;
    }
    if (presence->older != 0) {
        presences->items[presence->older].newer = presence->newer;
    } else {
        presences->oldest = presence->newer;
    }
    if (presence->newer != 0) {
        presences->items[presence->newer].older = presence->older;
    } else {
        presences->newest = presence->older;
    }
    presence->older = presence->newer = 0;
    presence->flags &= PRESENCE_FLAGS & ~(unsigned)PRESENCE_WAITING;
}

void presences_touch(struct presences *presences, uint32_t place)
{
    struct presence *presence = &presences->items[place];
    leave_line(presences, place);
    if (presence->state == PRESENCE_INSIDE) {
        return;
    }
    presence->older = BITS(presences->newest);
    if (presences->newest != 0) {
        presences->items[presences->newest].newer = BITS(place);
    } else {
        presences->oldest = place;
    }
    presences->newest = place;
    presence->flags |= PRESENCE_WAITING;
}

uint32_t presences_add(struct presences *presences, uint32_t pupil_no, uint32_t fence_no)
{
    ASSERT(presences_find(presences, pupil_no, fence_no) == 0);
    if (presences->free == 0) {
        if (presences->oldest == 0) {
            presences->refused++;
            return 0;
        }
        presences_drop(presences, presences->oldest);
        presences->evicted++;
    }
    uint32_t place = presences->free;
    presences->free = presences->items[place].next;
    presences->items[place] = (struct presence){.pupil_no = BITS(pupil_no),
                                                .fence_no = BITS(fence_no),
                                                .next = BITS(presences->pupils[pupil_no].first)};
    presences->pupils[pupil_no].first = place;
    presences->count++;
    presences_touch(presences, place);
    return place;
}

void presences_drop(struct presences *presences, uint32_t place)
{
    ASSERT(place != 0 && presences->count > 0);
    struct presence *presence = &presences->items[place];
    leave_line(presences, place);
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
