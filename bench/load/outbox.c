#include "bench/load/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/load/mqtt_wire.h"

enum { BYTES_MIN = 128, RING_MIN = 4 };
static const uint32_t note_done = UINT32_MAX - 1;

void outbox_release(struct outbox *outbox)
{
    free(outbox->bytes);
    free(outbox->notes);
    *outbox = (struct outbox){0};
}

static uint16_t id_after(uint16_t id, uint32_t steps)
{
    return (uint16_t)((id - 1 + steps) % MQTT_ID_MAX + 1);
}

static uint32_t *note_at(const struct outbox *outbox, uint32_t place)
{
    return &outbox->notes[(outbox->head + place) & (outbox->ring - 1)];
}

/* Drops packets at the front that need not be sent again. */
static void drop_done(struct outbox *outbox)
{
    while (outbox->count > 0 && *note_at(outbox, 0) == note_done) {
        uint32_t bytes = (uint32_t)mqtt_packet_bytes(outbox->bytes + outbox->front);
        if (outbox->front + bytes > outbox->sent) {
            return; /* a broker that acknowledges what it has not got yet: it gets the rest of it */
        }
        outbox->front += bytes;
        outbox->head++;
        outbox->count--;
        outbox->oldest_id = id_after(outbox->oldest_id, 1);
    }
    if (outbox->count == 0 && outbox->sent == outbox->end) {
        outbox->front = outbox->sent = outbox->end = 0;
    }
}

static void drop_told(struct outbox *outbox)
{
    while (outbox->front < outbox->sent) {
        uint32_t bytes = (uint32_t)mqtt_packet_bytes(outbox->bytes + outbox->front);
        if (outbox->front + bytes > outbox->sent) {
            return;
        }
        outbox->front += bytes;
    }
}

static enum status grow_bytes(struct outbox *outbox, uint32_t need)
{
    uint32_t live = outbox->end - outbox->front;
    if (need > OUTBOX_BYTES_MAX - live) {
        return live == 0 ? STATUS_TOO_LARGE : STATUS_FULL;
    }
    /* a move that frees less than half would come again too soon */
    if (live + need > outbox->capacity / 2) {
        uint32_t capacity = outbox->capacity > 0 ? outbox->capacity : BYTES_MIN;
        while (capacity < live + need) {
            capacity *= 2;
        }
        capacity = capacity == outbox->capacity ? capacity * 2 : capacity;
        uint8_t *bytes = realloc(outbox->bytes, capacity);
        if (bytes == NULL) {
            return STATUS_NO_MEMORY;
        }
        outbox->bytes = bytes;
        outbox->capacity = capacity;
    }
    memmove(outbox->bytes, outbox->bytes + outbox->front, live);
    outbox->sent -= outbox->front;
    outbox->end = live;
    outbox->front = 0;
    return STATUS_OK;
}

static enum status grow_ring(struct outbox *outbox)
{
    uint32_t ring = outbox->ring > 0 ? outbox->ring * 2 : RING_MIN;
    uint32_t *notes = malloc(ring * sizeof *notes);
    if (notes == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < outbox->count; i++) {
        notes[i] = *note_at(outbox, i);
    }
    free(outbox->notes);
    outbox->notes = notes;
    outbox->ring = ring;
    outbox->head = 0;
    return STATUS_OK;
}

static enum status put(struct outbox *outbox, const struct mqtt_publish *publish)
{
    size_t bytes = mqtt_publish_bytes(publish);
    if (bytes == 0 || bytes > OUTBOX_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (bytes > outbox->capacity - outbox->end) {
        enum status status = grow_bytes(outbox, (uint32_t)bytes);
        if (status != STATUS_OK) {
            return status;
        }
    }
    outbox->end += (uint32_t)mqtt_put_publish(publish, outbox->bytes + outbox->end);
    ASSERT(outbox->end <= outbox->capacity);
    return STATUS_OK;
}

bool outbox_full(const struct outbox *outbox)
{
    return outbox->count == OUTBOX_MESSAGES_MAX ||
           outbox->end - outbox->front > OUTBOX_BYTES_MAX - OUTBOX_MESSAGE_MAX;
}

enum status outbox_publish(struct outbox *outbox, struct text topic, struct text payload,
                           uint32_t note)
{
    ASSERT(note != note_done);
    if (outbox->count == OUTBOX_MESSAGES_MAX) {
        return STATUS_FULL;
    }
    if (outbox->count == outbox->ring && grow_ring(outbox) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    outbox->oldest_id = outbox->oldest_id == 0 ? 1 : outbox->oldest_id;
    const struct mqtt_publish publish = {topic, payload,
                                         id_after(outbox->oldest_id, outbox->count)};
    enum status status = put(outbox, &publish);
    if (status == STATUS_OK) {
        *note_at(outbox, outbox->count++) = note;
    }
    return status;
}

enum status outbox_tell(struct outbox *outbox, struct text topic, struct text payload)
{
    ASSERT(outbox->count == 0);
    const struct mqtt_publish publish = {topic, payload, 0};
    drop_told(outbox);
    return put(outbox, &publish);
}

struct text outbox_unsent(const struct outbox *outbox)
{
    if (outbox->sent == outbox->end) {
        return TEXT("");
    }
    return (struct text){(const char *)outbox->bytes + outbox->sent, outbox->end - outbox->sent};
}

void outbox_sent(struct outbox *outbox, size_t bytes)
{
    ASSERT(bytes <= outbox->end - outbox->sent);
    outbox->sent += (uint32_t)bytes;
    drop_done(outbox);
}

enum status outbox_acked(struct outbox *outbox, uint16_t id, uint32_t *ret_note)
{
    uint32_t place = (uint32_t)(id + MQTT_ID_MAX - outbox->oldest_id) % MQTT_ID_MAX;
    if (id == 0 || place >= outbox->count) {
        return STATUS_NOT_FOUND;
    }
    if (*note_at(outbox, place) == note_done) {
        return STATUS_EXISTS;
    }
    *ret_note = *note_at(outbox, place);
    *note_at(outbox, place) = note_done;
    drop_done(outbox);
    return STATUS_OK;
}

void outbox_rewind(struct outbox *outbox)
{
    if (outbox->count == 0) {
        drop_told(outbox);
    }
    for (uint32_t at = outbox->front; outbox->count > 0 && at < outbox->sent;) {
        mqtt_mark_again(outbox->bytes + at);
        at += (uint32_t)mqtt_packet_bytes(outbox->bytes + at);
    }
    outbox->sent = outbox->front;
}
