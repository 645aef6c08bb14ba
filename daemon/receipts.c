#include "daemon/receipts.h"

#include <stdlib.h>

#include "base/assert.h"

/* A ring in the order of asking. newest[kind][no] is the sequence of the last entry of a sender, so
 * that older entries of the same sender are skipped when their turn comes. */
struct receipts {
    struct owed_receipt *ring;
    uint32_t capacity, numbers_max;
    uint64_t first, next; /* entries [first, next) are in the ring */
    uint64_t *newest[2];
    uint64_t dropped;
};

enum status receipts_new(uint32_t capacity, uint32_t numbers_max, struct receipts **ret)
{
    struct receipts *receipts = calloc(1, sizeof *receipts);
    if (receipts == NULL) {
        return STATUS_NO_MEMORY;
    }
    receipts->capacity = capacity;
    receipts->numbers_max = numbers_max;
    receipts->ring = calloc(capacity, sizeof *receipts->ring);
    receipts->newest[0] = calloc(numbers_max, sizeof(uint64_t));
    receipts->newest[1] = calloc(numbers_max, sizeof(uint64_t));
    if (receipts->ring == NULL || receipts->newest[0] == NULL || receipts->newest[1] == NULL) {
        receipts_free(receipts);
        return STATUS_NO_MEMORY;
    }
    *ret = receipts;
    return STATUS_OK;
}

void receipts_free(struct receipts *receipts)
{
    if (receipts != NULL) {
        free(receipts->ring);
        free(receipts->newest[0]);
        free(receipts->newest[1]);
        free(receipts);
    }
}

static uint64_t *newest_of(struct receipts *receipts, const struct owed_receipt *owed)
{
    ASSERT(owed->no < receipts->numbers_max);
    return &receipts->newest[owed->origin_kind == ORIGIN_GATE][owed->no];
}

void receipts_add(struct receipts *receipts, const struct owed_receipt *owed)
{
    if (receipts->next - receipts->first == receipts->capacity) {
        receipts->first++;
        receipts->dropped++;
    }
    *newest_of(receipts, owed) = receipts->next;
    receipts->ring[receipts->next % receipts->capacity] = *owed;
    receipts->next++;
}

/* Is there a newer entry of the same sender that may leave now as well? */
static bool superseded(struct receipts *receipts, const struct owed_receipt *owed, uint64_t place,
                       uint64_t durable)
{
    uint64_t newest = *newest_of(receipts, owed);
    return newest > place && receipts->ring[newest % receipts->capacity].end <= durable;
}

bool receipts_flush(struct receipts *receipts, uint64_t durable,
                    void (*send)(void *context, const struct owed_receipt *owed), void *context)
{
    while (receipts->first < receipts->next) {
        struct owed_receipt owed = receipts->ring[receipts->first % receipts->capacity];
        if (owed.end > durable) {
            return true; /* ends rise: none behind it may leave */
        }
        if (!superseded(receipts, &owed, receipts->first, durable)) {
            send(context, &owed);
        }
        receipts->first++;
    }
    return false;
}

uint64_t receipts_dropped(const struct receipts *receipts)
{
    return receipts->dropped;
}
