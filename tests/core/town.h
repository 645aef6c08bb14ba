/*
 * town.h - a small town for tests of the engine: two schools with round grounds, pupils, cards,
 * gates, and the engine itself on a clock that the test moves.
 * Units: metres north and east of the
 * middle of town, seconds since the test began.
 */
#ifndef TESTS_CORE_TOWN_H
#define TESTS_CORE_TOWN_H

#include "core/engine.h"

#define TOWN_START_MS 1772409600000 /* 2026-03-02 08:00 in Changzhi */
enum {
    TOWN_PUPILS = 40,
    TOWN_ALERTS_MAX = 4096,
    TOWN_SCHOOL_FENCE = 1, /* 100 m around 0, 0; concerns school 1 */
    TOWN_POND_FENCE = 2,   /* danger, 40 m around 0 north, 600 east; concerns everyone */
    TOWN_PARK_FENCE = 3,   /* place, 80 m around 1000 north; concerns everyone */
    TOWN_OTHER_FENCE = 4,  /* the ground of school 2, 100 m around 0, 0 too */
};

struct town {
    struct engine *engine;
    struct directory *directory;
    struct fence_set *fences;
    struct alert *log; /* all that was raised, in order */
    uint32_t log_count;
    uint64_t seq, keep_from; /* of the last report; the lowest that the sender keeps, 0: none */
    struct alert *out;
    bool expects_nothing; /* no engine_expect before each step */
};

/* Pupils 1.. with cards 1.. : odd ones in school 1, even ones in school 2. Gate 1 and 2 of those
 * schools. */
void town_init(struct town *town, uint32_t presences_max);
void town_init_with(struct town *town, uint32_t presences_max,
                    const struct presence_policy *policy);
void town_release(struct town *town);
/* For each test one of its own, with room for 1,000 presences. */
int town_setup(void **state);
int town_teardown(void **state);

struct directory *town_directory(uint32_t pupil_1_school);
struct town_fence {
    uint32_t no, version, school_no;
    enum fence_kind kind;
    double north_m, east_m, radius_m;
};
struct fence_set *town_fences(const struct town_fence *fences, uint32_t count);
void town_take_fences(struct town *town, struct fence_set *fences); /* frees the ones before */
void town_take_directory(struct town *town, struct directory *directory);

struct geo_point town_point(double north_m, double east_m);
/* accuracy_m below 0: not told. */
struct event town_fix_at(uint32_t card_no, double at_s, double north_m, double east_m,
                         double accuracy_m);
/* Steps the event, arriving late_s after it happened; returns how many alerts it raised. */
uint32_t town_step(struct town *town, const struct event *event, double late_s);
uint32_t town_fix(struct town *town, uint32_t card_no, double at_s, double north_m, double east_m,
                  double accuracy_m);
/* `count` fixes every `every_s` from at_s at one place; returns how many alerts they raised. */
uint32_t town_stay(struct town *town, uint32_t card_no, double at_s, uint32_t count, double every_s,
                   double north_m, double east_m);
uint32_t town_pass(struct town *town, uint32_t card_no, double at_s, uint32_t gate_no,
                   enum pass_direction direction);
uint32_t town_signal(struct town *town, uint32_t card_no, double at_s, enum signal_kind kind);
/* Steps a tick; returns how many alerts it raised. */
uint32_t town_tick(struct town *town, double at_s);
uint32_t town_input(struct town *town, const struct engine_input *input);
/* A tick a second, from there to there. */
uint32_t town_ticks(struct town *town, double from_s, double to_s);
const struct alert *town_last(const struct town *town);
int64_t town_ms(double at_s);

#endif
