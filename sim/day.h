/*
 * day.h - a school day as the broker sees it: the reports of some pupils' cards and gates in the
 * order in which they are sent.
 * Know: plan.h says where pupils truly are, card.h and gate.h what is
 * told of it, truth.h what should be found; this file only brings it into one order. The same
 * config gives the same reports.
 * Memory: one arena, sized at the start: about 4 KB a pupil.
 * Threads: one per day.
 */
#ifndef SIM_DAY_H
#define SIM_DAY_H

#include "base/arena.h"
#include "base/status.h"
#include "sim/card.h"
#include "sim/city.h"
#include "sim/plan.h"
#include "sim/report.h"
#include "sim/truth.h"

struct sim_day_config {
    const struct sim_city *city; /* outlives the day */
    const uint32_t *pupils;      /* places in city->pupils; copied */
    uint64_t seed;               /* of the pupils' lives, apart from the city's */
    int64_t midnight_ms;         /* local midnight, Unix ms */
    uint32_t day;                /* another number, another day of the same lives */
    uint32_t pupil_count;
    uint32_t interval_ms;    /* between the fixes of a card, 1000..3600000 */
    uint32_t from_ms, to_ms; /* fixes are taken in here, since midnight, within plan.h's day */
    bool noise;              /* false: cards and gates tell the truth at once */
};

struct sim_day_pupil {
    uint32_t pupil;
    struct sim_plan plan;
    struct sim_card card;
    uint32_t silent_from_ms; /* the card is off from here on */
    uint64_t seq;
};

struct sim_day_item; /* day.c: something that will happen */

struct sim_day {
    struct sim_day_config config;
    struct arena arena;
    struct sim_day_pupil *pupils;
    uint64_t *gate_seqs; /* school * SIM_GATES_MAX + gate */
    struct sim_day_item *heap;
    uint32_t heap_count, heap_capacity;
    uint64_t made; /* items so far: breaks ties */
};

/* STATUS_INVALID (no pupils, one twice or beyond the city, interval or times out of their bounds),
 * STATUS_NO_MEMORY. */
enum status sim_day_init(struct sim_day *day, const struct sim_day_config *config,
                         struct status_detail *detail) MUST_CHECK;
void sim_day_release(struct sim_day *day);
/* The next report by arrival_ms. STATUS_END after the last. */
enum status sim_day_next(struct sim_day *day, struct sim_report *ret) MUST_CHECK;

/* The plan of the i-th pupil of the config. */
const struct sim_plan *sim_day_plan(const struct sim_day *day, uint32_t i);
/* Where the i-th pupil truly is at time_ms since midnight. */
struct geo_point sim_day_position(const struct sim_day *day, uint32_t i, uint32_t time_ms);
/* The i-th pupil's true crossings; see sim_truth. */
uint32_t sim_day_truth(const struct sim_day *day, uint32_t i, struct sim_crossing *ret,
                       uint32_t capacity);

#endif
