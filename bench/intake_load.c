#include "bench/intake_load.h"

#include <stdio.h>

#include "base/assert.h"
#include "proto/codec.h"

enum {
    SEED = 7,
    REPORT_ROOM = 128, /* topic and payload of a message of one report */
    JITTER_M = 20,
    STAYS = 500, /* reports */
    AWAY_M = 600,
    ACCURACY_CM_LEAST = 500,
    ACCURACY_CM_SPREAD = 3000,
    BATTERY_PCT = 80,
    TURN_STRIDE = 48611, /* a prime that divides no number of cards used here */
};
#define START_MS  1764201600000
#define SEQ_START 1000000u /* of each card: it has reported for years */

bool intake_load_make(struct intake_load *load, const struct intake_city *city)
{
    *load = (struct intake_load){.city = city, .random = {SEED}};
    arena_init_growing(&load->arena, 1u << 20, (size_t)4 << 30);
    buffer_init(&load->bytes, (size_t)INTAKE_ROUND * REPORT_ROOM);
    load->messages = arena_array(&load->arena, INTAKE_ROUND, sizeof *load->messages);
    load->sent = arena_array(&load->arena, (size_t)city->cards + 1, sizeof *load->sent);
    load->away = arena_array(&load->arena, (size_t)city->cards + 1, sizeof *load->away);
    /* all of it at once: texts point into it */
    return load->messages != NULL && load->sent != NULL && load->away != NULL &&
           buffer_extend(&load->bytes, (size_t)INTAKE_ROUND * REPORT_ROOM) != NULL;
}

void intake_load_release(struct intake_load *load)
{
    buffer_release(&load->bytes);
    arena_release(&load->arena);
}

static int64_t now_ms(const struct intake_load *load)
{
    return START_MS +
           (int64_t)((double)load->events * INTAKE_INTERVAL_MS / (double)load->city->cards);
}

/* The next fix of a card. */
static void next_fix(struct intake_load *load, uint32_t card, int64_t time_ms,
                     struct wire_event *event)
{
    struct city_random *random = &load->random;
    load->away[card] ^= city_random_below(random, STAYS) == 0;
    const double east_m = load->away[card] ? AWAY_M : 0;
    *event = (struct wire_event){
        .event = {.time_ms = time_ms,
                  .type = EVENT_FIX,
                  .kind = FIX_GNSS,
                  .flags = EVENT_HAS_ACCURACY | EVENT_HAS_BATTERY,
                  .accuracy_cm = ACCURACY_CM_LEAST + city_random_below(random, ACCURACY_CM_SPREAD),
                  .battery_pct = BATTERY_PCT,
                  .point = city_offset(load->city->homes[card],
                                       east_m + city_random_between(random, -JITTER_M, JITTER_M),
                                       city_random_between(random, -JITTER_M, JITTER_M))}};
    load->events++;
}

/* The next report of a card; its event is the caller's. */
static struct wire_report next_report(struct intake_load *load, uint32_t card,
                                      struct wire_event *event)
{
    next_fix(load, card, now_ms(load), event);
    return (struct wire_report){
        .seq = SEQ_START + ++load->sent[card], .event_count = 1, .events = event};
}

/* What was written since `start`. */
static struct text written(const struct intake_load *load, size_t start)
{
    return (struct text){load->bytes.data + start, load->bytes.size - start};
}

static struct text write_topic(struct intake_load *load, uint32_t school, const char *kind,
                               char letter, uint32_t no)
{
    const size_t start = load->bytes.size;
    buffer_printf(&load->bytes, "campus/v1/s%u/%s/%c%u/up", school, kind, letter, no);
    return written(load, start);
}

uint32_t intake_load_cards(struct intake_load *load, uint32_t events)
{
    ASSERT(events <= INTAKE_ROUND);
    buffer_clear(&load->bytes);
    for (uint32_t i = 0; i < events; i++) {
        const uint32_t card = 1 + city_random_below(&load->random, load->city->cards);
        struct broker_message *message = &load->messages[i];
        struct wire_event event;
        message->arrival_ms = now_ms(load);
        message->topic = write_topic(load, (card - 1) % load->city->schools + 1, "card", 'c', card);
        const struct wire_report report = next_report(load, card, &event);
        const size_t start = load->bytes.size;
        encode_card_report(&load->bytes, &report);
        message->payload = written(load, start);
    }
    return buffer_status(&load->bytes) == STATUS_OK ? events : 0;
}

/* A report of all that the card saw since the last; one card after the other has its turn, at equal times
 * and far from each other in memory. */
static void write_kept(struct intake_load *load, struct broker_message *message)
{
    struct wire_event events[INTAKE_KEPT_FIXES];
    load->turn = (load->turn + TURN_STRIDE) % load->city->cards;
    const uint32_t card = 1 + load->turn;
    const int64_t end_ms = now_ms(load);
    message->arrival_ms = end_ms;
    message->topic = write_topic(load, load->turn % load->city->schools + 1, "card", 'c', card);
    for (int64_t i = 0; i < INTAKE_KEPT_FIXES; i++) {
        next_fix(load, card, end_ms - (INTAKE_KEPT_FIXES - 1 - i) * INTAKE_INTERVAL_MS, &events[i]);
    }
    const struct wire_report report = {
        .seq = SEQ_START + ++load->sent[card], .event_count = INTAKE_KEPT_FIXES, .events = events};
    const size_t start = load->bytes.size;
    encode_card_report(&load->bytes, &report);
    message->payload = written(load, start);
}

uint32_t intake_load_kept(struct intake_load *load, uint32_t events)
{
    ASSERT(events <= INTAKE_ROUND);
    const uint32_t count = events / INTAKE_KEPT_FIXES;
    buffer_clear(&load->bytes);
    for (uint32_t i = 0; i < count; i++) {
        write_kept(load, &load->messages[i]);
    }
    return buffer_status(&load->bytes) == STATUS_OK ? count : 0;
}

static void write_gateway(struct intake_load *load, uint32_t school, struct broker_message *message)
{
    struct wire_event events[INTAKE_GATEWAY_REPORTS];
    struct wire_report reports[INTAKE_GATEWAY_REPORTS];
    char ids[INTAKE_GATEWAY_REPORTS][16];
    message->topic = write_topic(load, school, "gateway", 'w', school);
    for (uint32_t i = 0; i < INTAKE_GATEWAY_REPORTS; i++) {
        const uint32_t card = intake_city_card(load->city, &load->random, school);
        reports[i] = next_report(load, card, &events[i]);
        int length = snprintf(ids[i], sizeof ids[i], "c%u", card);
        reports[i].sender = (struct text){ids[i], (size_t)length};
    }
    const struct wire_reports all = {INTAKE_GATEWAY_REPORTS, reports};
    const size_t start = load->bytes.size;
    encode_gateway_report(&load->bytes, &all);
    message->payload = written(load, start);
    message->arrival_ms = now_ms(load);
}

uint32_t intake_load_gateways(struct intake_load *load, uint32_t events)
{
    ASSERT(events <= INTAKE_ROUND);
    const uint32_t count = events / INTAKE_GATEWAY_REPORTS;
    buffer_clear(&load->bytes);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t school = 1 + city_random_below(&load->random, load->city->schools);
        write_gateway(load, school, &load->messages[i]);
    }
    return buffer_status(&load->bytes) == STATUS_OK ? count : 0;
}
