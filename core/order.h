/*
 * order.h - fixes that came before those they follow wait for them.
 * Know: a card numbers its reports and says with each which it still keeps (sequence.h). What comes while
 * an earlier one is missing that the card keeps is held back until that has come, for ORDER_WAIT_MS at
 * most: fixes only, and only of a card that will send again what is missing.
 * Memory: a fixed room in the caller's arena; when it is full, the card that waits longest waits no more.
 * Threads: one at a time.
 */
#ifndef CORE_ORDER_H
#define CORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "core/event.h"

/* An event that waits, or of which nothing is left to do (event.type 0): its report is here. */
struct held {
    struct event event;
    struct origin origin; /* no 0: the place is free */
    int64_t since_ms;
    uint32_t
        next; /* of the same chain, 1 + place; 0: none. By card, number and the order of arrival */
    uint16_t index;
    bool ends_report;
};

struct order {
    struct held *held; /* a ring, in the order of arrival */
    uint32_t *chains;  /* by the card's low bits: 1 + the place of the first */
    uint32_t room, mask;
    uint64_t first, end; /* of the ring */
};

/* Bytes of order_init for so many cards. */
size_t order_bytes(uint32_t cards_max);
enum status order_init(struct order *order, struct arena *arena, uint32_t cards_max) MUST_CHECK;
static inline bool order_is_full(const struct order *order)
{
    return order->end - order->first == order->room;
}
/* There is room. */
void order_hold(struct order *order, const struct held *held);
/* The first of what the card has waiting, which stays; NULL: nothing waits. */
const struct held *order_first(const struct order *order, uint32_t card_no);
/* Takes out the first of what the card has waiting: there is something. */
void order_take(struct order *order, uint32_t card_no, struct held *ret);
/* The one that waits longest; NULL: nothing waits. */
const struct held *order_oldest(const struct order *order);

#endif
