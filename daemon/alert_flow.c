#include "daemon/alert_flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "proto/cloudevent.h"

enum { JSON_BYTES_MAX = 8192 };

struct item {
    uint64_t cause_end;
    uint64_t end; /* of its own record; 0: not appended yet */
    struct alert alert;
    char id[ALERT_ID_MAX];
    char *json;
    size_t json_size;
};

/* Items [first, first + count) of a growing array wait; appended ones come before those that are
 * not. */
struct alert_flow {
    struct alert_flow_options options;
    struct item *items;
    uint32_t first, count, capacity;
    uint32_t recorded; /* replaying: the items before this place have their record, or never had */
    bool replaying, changed;
    uint64_t recorded_cause; /* cause_end of the last alert record read back */
    uint64_t stepped, confirmed;
    uint64_t raised, replayed;
    struct buffer scratch;
};

enum status alert_flow_new(const struct alert_flow_options *options, struct alert_flow **ret)
{
    struct alert_flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL) {
        return STATUS_NO_MEMORY;
    }
    flow->options = *options;
    flow->replaying = true;
    buffer_init(&flow->scratch, (size_t)2 * JSON_BYTES_MAX);
    *ret = flow;
    return STATUS_OK;
}

static void item_clear(struct item *item)
{
    free(item->json);
    *item = (struct item){0};
}

void alert_flow_free(struct alert_flow *flow)
{
    if (flow != NULL) {
        for (uint32_t i = 0; i < flow->count; i++) {
            item_clear(&flow->items[flow->first + i]);
        }
        free(flow->items);
        buffer_release(&flow->scratch);
        free(flow);
    }
}

static struct item *item_at(struct alert_flow *flow, uint32_t place)
{
    ASSERT(place < flow->count);
    return &flow->items[flow->first + place];
}

static struct item *push(struct alert_flow *flow)
{
    if (flow->first + flow->count == flow->capacity) {
        if (flow->first > flow->count) { /* room at the front: move down */
            memmove(flow->items, flow->items + flow->first, flow->count * sizeof *flow->items);
        } else {
            uint32_t capacity = flow->capacity < 512 ? 1024 : flow->capacity * 2;
            struct item *items = malloc(capacity * sizeof *items);
            if (items == NULL) {
                return NULL;
            }
            if (flow->count > 0) {
                memcpy(items, flow->items + flow->first, flow->count * sizeof *items);
            }
            free(flow->items);
            flow->items = items;
            flow->capacity = capacity;
        }
        flow->first = 0;
    }
    struct item *item = &flow->items[flow->first + flow->count++];
    *item = (struct item){0};
    return item;
}

static void pop(struct alert_flow *flow)
{
    item_clear(item_at(flow, 0));
    flow->first++;
    flow->count--;
}

static enum status item_set_json(struct item *item, const char *json, size_t size)
{
    item->json = malloc(size > 0 ? size : 1);
    if (item->json == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(item->json, json, size);
    item->json_size = size;
    return STATUS_OK;
}

enum status alert_flow_raise(struct alert_flow *flow, uint64_t cause_end, const struct alert *alert,
                             const struct directory *directory, const struct fence_set *fences)
{
    buffer_clear(&flow->scratch);
    cloudevent_write(&flow->scratch, alert, directory, fences);
    enum status status = buffer_status(&flow->scratch);
    ASSERT(status != STATUS_TOO_LARGE); /* ids are bounded */
    struct item *item = status == STATUS_OK ? push(flow) : NULL;
    if (item == NULL) {
        return STATUS_NO_MEMORY;
    }
    item->cause_end = cause_end;
    item->alert = *alert;
    alert_id(alert, item->id);
    if (item_set_json(item, flow->scratch.data, flow->scratch.size) != STATUS_OK) {
        flow->count--;
        return STATUS_NO_MEMORY;
    }
    flow->raised += !flow->replaying;
    return STATUS_OK;
}

/* Records are written in the order of their causes. Without this, a minute's alerts that rest until
 * they are settled are looked through for each record. */
static void pass_recorded(struct alert_flow *flow)
{
    while (flow->recorded < flow->count &&
           (item_at(flow, flow->recorded)->end != 0 ||
            item_at(flow, flow->recorded)->cause_end < flow->recorded_cause)) {
        flow->recorded++;
    }
}

enum status alert_flow_replay_record(struct alert_flow *flow, uint64_t end,
                                     const struct alert_record *record)
{
    flow->recorded_cause = record->cause_end;
    pass_recorded(flow);
    for (uint32_t i = flow->recorded; i < flow->count; i++) {
        struct item *item = item_at(flow, i);
        if (item->end == 0 && text_is(record->id, item->id)) {
            item->end = end;
            return STATUS_OK;
        }
    }
    struct item *item = push(flow); /* raised under other fences or rules than today's */
    if (item == NULL || record->id.length >= ALERT_ID_MAX) {
        return item == NULL ? STATUS_NO_MEMORY : STATUS_CORRUPT;
    }
    item->cause_end = record->cause_end;
    item->end = end;
    item->alert = record->alert;
    memcpy(item->id, record->id.at, record->id.length);
    return item_set_json(item, record->json.at, record->json.length);
}

/* Keeps the items for which keep() says so, in order. */
static void sift(struct alert_flow *flow,
                 bool (*keep)(const struct alert_flow *, const struct item *, const struct mark *),
                 const struct mark *mark)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < flow->count; i++) {
        struct item *item = item_at(flow, i);
        if (keep(flow, item, mark)) {
            flow->items[flow->first + kept++] = *item;
        } else {
            item_clear(item);
        }
    }
    flow->count = kept;
    flow->recorded = 0;
}

static bool open_after_mark(const struct alert_flow *flow, const struct item *item,
                            const struct mark *mark)
{
    (void)flow;
    return item->end != 0 ? item->end > mark->confirmed : item->cause_end > mark->settled;
}

void alert_flow_replay_mark(struct alert_flow *flow, const struct mark *mark)
{
    flow->confirmed = mark->confirmed;
    sift(flow, open_after_mark, mark);
}

/* Records are written in the order of their causes: what lies before the last recorded cause and
 * has no record was not raised then. */
static bool recorded_or_new(const struct alert_flow *flow, const struct item *item,
                            const struct mark *mark)
{
    (void)mark;
    return item->end != 0 || item->cause_end >= flow->recorded_cause;
}

static int by_record(const void *a, const void *b)
{
    const struct item *one = a, *other = b;
    uint64_t left = one->end != 0 ? one->end : UINT64_MAX;
    uint64_t right = other->end != 0 ? other->end : UINT64_MAX;
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return one->cause_end < other->cause_end ? -1 : one->cause_end > other->cause_end;
}

void alert_flow_replay_done(struct alert_flow *flow)
{
    sift(flow, recorded_or_new, NULL);
    if (flow->count > 0) {
        qsort(flow->items + flow->first, flow->count, sizeof *flow->items, by_record);
    }
    flow->replaying = false;
    flow->replayed = flow->count;
    flow->changed = true;
}

static enum status append_item(struct alert_flow *flow, struct item *item)
{
    const struct alert_record record = {.cause_end = item->cause_end,
                                        .alert = item->alert,
                                        .id = text_of(item->id),
                                        .json = {item->json, item->json_size}};
    buffer_clear(&flow->scratch);
    record_put_alert(&flow->scratch, &record);
    if (buffer_status(&flow->scratch) != STATUS_OK) {
        return buffer_status(&flow->scratch);
    }
    return flow->options.append(flow->options.context, RECORD_ALERT,
                                (struct text){flow->scratch.data, flow->scratch.size}, &item->end);
}

void alert_flow_pump(struct alert_flow *flow)
{
    if (flow->replaying) {
        return;
    }
    while (flow->count > 0) {
        struct item *item = item_at(flow, 0);
        if (item->end == 0 && append_item(flow, item) != STATUS_OK) {
            return;
        }
        struct text json = {item->json, item->json_size};
        if (flow->options.publish(flow->options.context, item->end, &item->alert, json) !=
            STATUS_OK) {
            break;
        }
        pop(flow);
    }
    for (uint32_t i = 0; i < flow->count; i++) { /* the publisher is full: at least their records */
        struct item *item = item_at(flow, i);
        if (item->end == 0 && append_item(flow, item) != STATUS_OK) {
            return;
        }
    }
}

bool alert_flow_full(const struct alert_flow *flow)
{
    return flow->count >= flow->options.waiting_max;
}

bool alert_flow_recorded(const struct alert_flow *flow)
{
    bool recorded = true;
    for (uint32_t i = 0; i < flow->count && recorded; i++) {
        recorded = flow->items[flow->first + i].end != 0;
    }
    return recorded;
}

void alert_flow_confirmed(struct alert_flow *flow, uint64_t end)
{
    flow->changed = flow->changed || end > flow->confirmed;
    flow->confirmed = end > flow->confirmed ? end : flow->confirmed;
}

void alert_flow_stepped(struct alert_flow *flow, uint64_t end)
{
    flow->stepped = end;
    flow->changed = true;
}

void alert_flow_mark(struct alert_flow *flow)
{
    if (!flow->changed || flow->replaying) {
        return;
    }
    struct mark mark = {.settled = flow->stepped, .confirmed = flow->confirmed};
    for (uint32_t i = 0; i < flow->count; i++) {
        if (item_at(flow, i)->end == 0) {
            mark.settled = item_at(flow, i)->cause_end - 1;
            break;
        }
    }
    uint64_t end;
    buffer_clear(&flow->scratch);
    record_put_mark(&flow->scratch, &mark);
    if (buffer_status(&flow->scratch) == STATUS_OK &&
        flow->options.append(flow->options.context, RECORD_MARK,
                             (struct text){flow->scratch.data, flow->scratch.size},
                             &end) == STATUS_OK) {
        flow->changed = false;
    }
}

void alert_flow_stats(const struct alert_flow *flow, struct alert_flow_stats *ret)
{
    *ret = (struct alert_flow_stats){.raised = flow->raised,
                                     .waiting = flow->count,
                                     .confirmed = flow->confirmed,
                                     .replayed = flow->replayed};
}
