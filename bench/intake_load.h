/*
 * intake_load.h - the messages of a city: topics and payload bytes of cards at random, each some metres
 * from where it is about, a fix each 15 s and card by their own clock. With one report in 500 the card
 * goes to another place, or comes back.
 * Memory: own; the messages of a round live until the next is written.
 * Threads: one.
 */
#ifndef BENCH_INTAKE_LOAD_H
#define BENCH_INTAKE_LOAD_H

#include "base/buffer.h"
#include "bench/intake.h"

enum {
    INTAKE_ROUND = 1 << 18,     /* events at most */
    INTAKE_INTERVAL_MS = 15000, /* between two fixes of a card */
    INTAKE_GATEWAY_REPORTS = 16,
    INTAKE_KEPT_FIXES = 16, /* of four minutes */
};

struct intake_load {
    const struct intake_city *city;
    struct city_random random;
    struct broker_message *messages;
    struct buffer bytes; /* topics and payloads */
    uint32_t *sent;      /* how many reports, by card */
    bool *away;          /* from where it is about, by card */
    uint32_t turn;       /* whose report of kept fixes comes next */
    uint64_t events;     /* written so far: the clock */
    struct arena arena;
};

/* False: no memory; release it then too. */
bool intake_load_make(struct intake_load *load, const struct intake_city *city);
void intake_load_release(struct intake_load *load);

/* A round of messages of one fix each; or of a gateway's with 16 reports of one school. Returns how many
 * messages; 0: no memory. */
uint32_t intake_load_cards(struct intake_load *load, uint32_t events);
/* The same events, INTAKE_KEPT_FIXES in each report, as cards send that save their battery. */
uint32_t intake_load_kept(struct intake_load *load, uint32_t events);
uint32_t intake_load_gateways(struct intake_load *load, uint32_t events);

#endif
