#include "core/order.h"

#include <string.h>

#include "base/assert.h"
#include "core/limits.h"

enum { ROOM_MIN = 64, ARENA_ROUNDING = 32 };

static uint32_t room_of(uint32_t cards_max)
{
    uint32_t room = ROOM_MIN;
    while (room < cards_max / ORDER_CARDS_A_PLACE) {
        room *= 2;
    }
    return room;
}

size_t order_bytes(uint32_t cards_max)
{
    return room_of(cards_max) * (sizeof(struct held) + sizeof(uint32_t)) + ARENA_ROUNDING;
}

enum status order_init(struct order *order, struct arena *arena, uint32_t cards_max)
{
    uint32_t room = room_of(cards_max);
    *order = (struct order){.room = room, .mask = room - 1};
    order->held = arena_array(arena, room, sizeof *order->held);
    order->chains = arena_array(arena, room, sizeof *order->chains);
    return order->held != NULL && order->chains != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static struct held *at(const struct order *order, uint64_t place)
{
    return &order->held[place & order->mask];
}

static bool comes_before(const struct held *a, const struct held *b)
{
    return a->origin.no < b->origin.no ||
           (a->origin.no == b->origin.no && a->origin.seq <= b->origin.seq);
}

void order_hold(struct order *order, const struct held *held)
{
    ASSERT(!order_is_full(order) && held->origin.no != 0);
    uint32_t place = (uint32_t)(order->end & order->mask);
    uint32_t *link = &order->chains[held->origin.no & order->mask];
    while (*link != 0 && comes_before(&order->held[*link - 1], held)) {
        link = &order->held[*link - 1].next;
    }
    order->held[place] = *held;
    order->held[place].next = *link;
    *link = place + 1;
    order->end++;
}

/* Where the chain says which is the card's first. */
static uint32_t *link_to_first(const struct order *order, uint32_t card_no)
{
    uint32_t *link = &order->chains[card_no & order->mask];
    while (*link != 0 && order->held[*link - 1].origin.no != card_no) {
        link = &order->held[*link - 1].next;
    }
    return link;
}

const struct held *order_first(const struct order *order, uint32_t card_no)
{
    uint32_t place = *link_to_first(order, card_no);
    return place != 0 ? &order->held[place - 1] : NULL;
}

void order_take(struct order *order, uint32_t card_no, struct held *ret)
{
    uint32_t *link = link_to_first(order, card_no);
    ASSERT(*link != 0);
    struct held *held = &order->held[*link - 1];
    *ret = *held;
    *link = held->next;
    held->origin.no = 0;
    while (order->first != order->end && at(order, order->first)->origin.no == 0) {
        order->first++;
    }
}

const struct held *order_oldest(const struct order *order)
{
    return order->first != order->end ? at(order, order->first) : NULL;
}
