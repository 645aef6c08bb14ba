/*
 * card.h - how a card tells a true position: what its receiver, its clock and its network do to it.
 * Know: the shares follow measurements on 116,594 fixes of 24 phones: accuracy <= 10 m 34 %, <= 30
 * m 27 %, <= 50 m 7 %, <= 100 m 8 %, <= 200 m 6 %, <= 1 km 17 %, worse 1.5 %; to the network after
 * 0.3 s (median), 8.8 s (90 %), 2 min (99 %), over a minute 1.6 %; stamped ahead 1 %; doubled 1.2
 * %. Errors last: neighbouring fixes share them, and for minutes a receiver may be 200 m off and
 * claim 10 m.
 * Units: metres from the school's centre, ms since local midnight.
 * Threads: one per
 * card.
 */
#ifndef SIM_CARD_H
#define SIM_CARD_H

#include "sim/place.h"
#include "sim/random.h"
#include "sim/report.h"

struct sim_card {
    struct sim_random random;
    double error_east, error_north; /* in deviations, fading from fix to fix */
    uint32_t last_ms;
    uint8_t class_no;   /* of accuracy; kept for a while, as the accuracy itself */
    bool class_indoors; /* it was drawn for indoors */
    double accuracy_m;
    uint32_t drift_end_ms;
    struct sim_spot drift;
    uint32_t gap_end_ms; /* no network until then */
    uint32_t held;       /* fixes that wait for the network */
    int32_t clock_ahead_ms;
    double battery_pct;
};

/* A card keeps this many fixes while it has no network; later ones of that gap are never sent. */
#define SIM_CARD_HELD_MAX 16u

struct sim_fix {
    int32_t stamp_ms; /* by the card's clock */
    uint32_t arrival_ms;
    bool has_position, is_zero; /* is_zero: the card sends 0,0 */
    struct sim_spot spot;
    double accuracy_m;
    enum sim_source source;
    uint8_t battery_pct;
    bool doubled;  /* the card takes it for new and sends it twice, under two numbers */
    bool repeated; /* the network delivers it twice, under one number */
};

void sim_card_init(struct sim_card *card, uint64_t seed, uint32_t day, uint32_t pupil);
/* The card tries to find itself at time_ms, truly being at `truth`. Returns false when it sends
 * nothing of it. Times ascend from call to call. */
bool sim_card_fix(struct sim_card *card, uint32_t time_ms, struct sim_spot truth, bool indoors,
                  struct sim_fix *ret);

#endif
