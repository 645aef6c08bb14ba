#include "broker-bridge/recent.h"

#include <stdlib.h>

#include "base/assert.h"

enum status recent_init(struct recent *recent, uint32_t capacity)
{
    ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0);
    struct recent fresh = {.mask = capacity - 1};
    fresh.pairs = calloc(capacity, sizeof *fresh.pairs);
    fresh.buckets = calloc(capacity, sizeof *fresh.buckets);
    if (fresh.pairs == NULL || fresh.buckets == NULL) {
        recent_release(&fresh);
        return STATUS_NO_MEMORY;
    }
    *recent = fresh;
    return STATUS_OK;
}

void recent_release(struct recent *recent)
{
    free(recent->pairs);
    free(recent->buckets);
    *recent = (struct recent){0};
}

static uint32_t *bucket_of(const struct recent *recent, uint32_t no, uint64_t seq)
{
    uint64_t hash = (seq ^ ((uint64_t)no << 32)) * 0x9e3779b97f4a7c15u;
    return &recent->buckets[(hash >> 32) & recent->mask];
}

bool recent_has(const struct recent *recent, uint32_t no, uint64_t seq)
{
    for (uint32_t place = *bucket_of(recent, no, seq); place != 0;
         place = recent->pairs[place - 1].next) {
        const struct recent_pair *pair = &recent->pairs[place - 1];
        if (pair->no == no && pair->seq == seq) {
            return true;
        }
    }
    return false;
}

static void drop(struct recent *recent, uint32_t index)
{
    const struct recent_pair *pair = &recent->pairs[index];
    uint32_t *link = bucket_of(recent, pair->no, pair->seq);
    while (*link != index + 1) {
        ASSERT(*link != 0);
        link = &recent->pairs[*link - 1].next;
    }
    *link = pair->next;
}

void recent_add(struct recent *recent, uint32_t no, uint64_t seq)
{
    ASSERT(no != 0 && !recent_has(recent, no, seq));
    uint32_t index = recent->at;
    if (recent->pairs[index].no != 0) {
        drop(recent, index);
    }
    uint32_t *bucket = bucket_of(recent, no, seq);
    recent->pairs[index] = (struct recent_pair){seq, no, *bucket};
    *bucket = index + 1;
    recent->at = (index + 1) & recent->mask;
}
