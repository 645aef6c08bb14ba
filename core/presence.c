#include "core/presence.h"

#include "base/assert.h"
#include "core/engine.h"

enum { ARENA_ROUNDING = 32 };

size_t presences_bytes(uint32_t pupil_end, uint32_t count_max)
{
    return sizeof(struct presence) * ((size_t)count_max + 1) + sizeof(uint32_t) * pupil_end +
           2 * (size_t)ARENA_ROUNDING;
}

enum status presences_init(struct presences *presences, struct arena *arena, uint32_t pupil_end,
                           uint32_t count_max)
{
    *presences = (struct presences){0};
    presences->items = arena_array(arena, (size_t)count_max + 1, sizeof *presences->items);
    presences->first = arena_array(arena, pupil_end, sizeof *presences->first);
    if (presences->items == NULL || presences->first == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = count_max; i > 0; i--) {
        presences->items[i].next = presences->free;
        presences->free = i;
    }
    return STATUS_OK;
}

uint32_t presences_find(const struct presences *presences, uint32_t pupil_no, uint32_t fence_no)
{
    uint32_t place = presences->first[pupil_no];
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
    presence->flags &= (uint8_t)~PRESENCE_WAITING;
}

void presences_touch(struct presences *presences, uint32_t place)
{
    struct presence *presence = &presences->items[place];
    leave_line(presences, place);
    if (presence->state == PRESENCE_INSIDE) {
        return;
    }
    presence->older = presences->newest;
    if (presences->newest != 0) {
        presences->items[presences->newest].newer = place;
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
    presences->items[place] = (struct presence){
        .pupil_no = pupil_no, .fence_no = fence_no, .next = presences->first[pupil_no]};
    presences->first[pupil_no] = place;
    presences->count++;
    presences_touch(presences, place);
    return place;
}

void presences_drop(struct presences *presences, uint32_t place)
{
    ASSERT(place != 0 && presences->count > 0);
    struct presence *presence = &presences->items[place];
    leave_line(presences, place);
    uint32_t *link = &presences->first[presence->pupil_no];
    while (*link != place) {
        ASSERT(*link != 0);
        link = &presences->items[*link].next;
    }
    *link = presence->next;
    *presence = (struct presence){.next = presences->free};
    presences->free = place;
    presences->count--;
}
