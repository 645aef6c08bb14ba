#include "cli/names.h"

#include "base/assert.h"

enum status names_init(struct names *names, struct arena *arena, uint32_t most)
{
    ASSERT(most <= 1u << 29);
    uint32_t slots = 16;
    while (slots < 2 * most) {
        slots *= 2;
    }
    *names = (struct names){.arena = arena, .slot_mask = slots - 1, .most = most};
    names->items = arena_array(arena, (size_t)most + 1, sizeof *names->items);
    names->slots = arena_array(arena, slots, sizeof *names->slots);
    return names->items != NULL && names->slots != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

uint32_t names_number(struct names *names, struct text name)
{
    uint32_t slot = (uint32_t)text_hash(name) & names->slot_mask;
    for (; names->slots[slot] != 0; slot = (slot + 1) & names->slot_mask) {
        if (text_equal(names->items[names->slots[slot]], name)) {
            return names->slots[slot];
        }
    }
    ASSERT(names->count < names->most);
    const char *copy = arena_copy_text(names->arena, name.at, name.length);
    if (copy == NULL) {
        return 0;
    }
    names->count++;
    names->items[names->count] = (struct text){copy, name.length};
    names->slots[slot] = names->count;
    return names->count;
}
