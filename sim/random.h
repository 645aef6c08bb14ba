/*
 * random.h - the simulator's only source of chance: the same seed gives the same city and the same
 * day.
 * Know: every thing that needs chance (a school, a pupil's day, a card) has a generator of its
 * own, made from the seed, a stream and its number, so that adding one thing does not change the
 * others. xoshiro256** seeded by splitmix64 (Blackman and Vigna, prng.di.unimi.it).
 * Threads: one
 * per generator.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum sim_stream {
    SIM_STREAM_SCHOOLS = 1, /* places and sizes */
    SIM_STREAM_GROUND,      /* shapes of one school */
    SIM_STREAM_ZONE,        /* one danger zone */
    SIM_STREAM_PUPILS,      /* who is whose guardian */
    SIM_STREAM_HOME,        /* what holds for a pupil on all days */
    SIM_STREAM_PLAN,        /* a pupil's day */
    SIM_STREAM_CARD,        /* a card's errors on a day */
    SIM_STREAM_GATE,        /* the readings of a pupil's passes on a day */
    SIM_STREAM_SIGNAL,      /* keys pressed and batteries run down on a day */
};

struct sim_random {
    uint64_t s[4];
};

void sim_random_init(struct sim_random *random, uint64_t seed, enum sim_stream stream,
                     uint64_t number);
uint64_t sim_random_u64(struct sim_random *random);
/* 0 .. end-1; end is not 0. */
uint32_t sim_random_below(struct sim_random *random, uint32_t end);
/* [low, high) */
double sim_random_between(struct sim_random *random, double low, double high);
/* [low, high), every decade as likely as the next; 0 < low. */
double sim_random_log_between(struct sim_random *random, double low, double high);
bool sim_random_chance(struct sim_random *random, double probability);
/* Mean 0, deviation 1. */
double sim_random_normal(struct sim_random *random);

#endif
