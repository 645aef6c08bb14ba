/* The engine's state as bytes: what a snapshot holds. */
#include <string.h>

#include "base/assert.h"
#include "core/engine_internal.h"

/* Raised with every change of what the parts mean; that of their sizes is told by `layout`. */
enum { IMAGE_VERSION = 1, PARTS = 8 };

struct image_head {
    char magic[8];
    uint32_t version, layout;
    uint32_t cards_max, presences_max;
    uint32_t cards_end, presences_end; /* what is kept of the two */
    uint32_t set, presences_free, presences_count, presences_hand;
    uint64_t presences_evicted, presences_refused, order_first, order_end;
    struct silence silence; /* its pointer is nothing */
    struct presence_policy policy;
    struct engine_stats stats;
};

struct part {
    void *at;
    size_t bytes;
};

static void list_parts(const struct engine *engine, uint32_t cards_end, uint32_t presences_end,
                       struct part ret[PARTS])
{
    const size_t cards = cards_end;
    const struct part parts[PARTS] = {
        {engine->pupils, cards * sizeof *engine->pupils},
        {engine->owners, cards * sizeof *engine->owners},
        {engine->cards, cards * sizeof *engine->cards},
        {engine->fence_memory, FENCE_NUMBERS_REMEMBERED * sizeof *engine->fence_memory},
        {engine->silence.schools, SCHOOL_NUMBERS_REMEMBERED * sizeof *engine->silence.schools},
        {engine->presences.items, (size_t)presences_end * sizeof *engine->presences.items},
        {engine->order.held, engine->order.room * sizeof *engine->order.held},
        {engine->order.chains, engine->order.room * sizeof *engine->order.chains},
    };
    memcpy(ret, parts, sizeof parts);
}

/* Of the sizes of all parts: another layout has another one. */
static uint32_t layout_of(void)
{
    const size_t sizes[] = {sizeof(struct image_head),   sizeof(struct pupil_state),
                            sizeof(struct card_owner),   sizeof(struct card_state),
                            sizeof(struct fence_memory), sizeof(struct school_silence),
                            sizeof(struct presence),     sizeof(struct held),
                            FENCE_NUMBERS_REMEMBERED,    SCHOOL_NUMBERS_REMEMBERED};
    uint32_t layout = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        layout = layout * 31 + (uint32_t)sizes[i];
    }
    return layout;
}

static size_t bytes_of(const struct part parts[PARTS])
{
    size_t bytes = sizeof(struct image_head);
    for (uint32_t i = 0; i < PARTS; i++) {
        bytes += parts[i].bytes;
    }
    return bytes;
}

size_t engine_image_bytes(const struct engine *engine)
{
    struct part parts[PARTS];
    list_parts(engine, engine->used_end, engine->presences.used_end, parts);
    return bytes_of(parts);
}

void engine_image_put(const struct engine *engine, void *out)
{
    struct image_head head;
    struct part parts[PARTS];
    char *at = out;
    memset(&head, 0, sizeof head);
    memcpy(head.magic, "CAMPUSEN", sizeof head.magic);
    head.version = IMAGE_VERSION;
    head.layout = layout_of();
    head.cards_max = engine->limits.cards_max;
    head.presences_max = engine->limits.presences_max;
    head.cards_end = engine->used_end;
    head.presences_end = engine->presences.used_end;
    head.set = engine->set;
    head.presences_free = engine->presences.free;
    head.presences_count = engine->presences.count;
    head.presences_hand = engine->presences.hand;
    head.presences_evicted = engine->presences.evicted;
    head.presences_refused = engine->presences.refused;
    head.order_first = engine->order.first;
    head.order_end = engine->order.end;
    head.silence = engine->silence;
    head.silence.schools = NULL;
    head.policy = engine->limits.policy;
    head.stats = engine->stats;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    list_parts(engine, engine->used_end, engine->presences.used_end, parts);
    for (uint32_t i = 0; i < PARTS; i++) {
        memcpy(at, parts[i].at, parts[i].bytes);
        at += parts[i].bytes;
    }
}

static void put_head(struct engine *engine, const struct image_head *head)
{
    struct school_silence *schools = engine->silence.schools;
    engine->set = head->set;
    engine->used_end = head->cards_end;
    engine->presences.used_end = head->presences_end;
    engine->presences.free = head->presences_free;
    engine->presences.count = head->presences_count;
    engine->presences.hand = head->presences_hand;
    engine->presences.evicted = head->presences_evicted;
    engine->presences.refused = head->presences_refused;
    engine->order.first = head->order_first;
    engine->order.end = head->order_end;
    engine->silence = head->silence;
    engine->silence.schools = schools;
    engine->limits.policy = head->policy;
    engine->sum_max_mn = policy_sum_max_mn(&head->policy);
    engine->stats = head->stats;
}

enum status engine_image_get(struct engine *engine, const void *image, size_t size,
                             const struct directory *directory, const struct fence_set *fences)
{
    struct image_head head;
    struct part parts[PARTS];
    if (size < sizeof head) {
        return STATUS_UNSUPPORTED;
    }
    memcpy(&head, image, sizeof head);
    if (memcmp(head.magic, "CAMPUSEN", sizeof head.magic) != 0 || head.version != IMAGE_VERSION ||
        head.layout != layout_of() || head.cards_max != engine->limits.cards_max ||
        head.presences_max != engine->limits.presences_max || !policy_fill(&head.policy) ||
        head.cards_end > head.cards_max || head.presences_end > head.presences_max + 1) {
        return STATUS_UNSUPPORTED; /* of other limits, or another version */
    }
    list_parts(engine, head.cards_end, head.presences_end, parts);
    if (size != bytes_of(parts)) {
        return STATUS_UNSUPPORTED;
    }
    const char *at = (const char *)image + sizeof head;
    for (uint32_t i = 0; i < PARTS; i++) {
        memcpy(parts[i].at, at, parts[i].bytes);
        at += parts[i].bytes;
    }
    put_head(engine, &head);
    engine->directory = directory;
    engine->fences = fences;
    engine->expected_count = 0;
    for (uint32_t no = 0; no < engine->limits.cards_max; no++) {
        engine->pupils[no].quiet = 0; /* the index may number its sets another way */
    }
    return STATUS_OK;
}
