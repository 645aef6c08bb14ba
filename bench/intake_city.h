/*
 * intake_city.h - a city of any size for whoever measures the whole way of an event: registry, fences,
 * where each card is about.
 * Know: up to 206 schools are the city of geo_city.h; more are several such cities with seeds of their
 * own, laid over a province of 6 by 8 degrees. Card n is pupil n's and of school (n - 1) % schools + 1;
 * each pupil has a guardian. Ids are a letter and a number (numbered.h).
 * Memory: own; directory and fences are made apart, as a server has them, and belong to the caller.
 * Threads: one.
 */
#ifndef BENCH_INTAKE_CITY_H
#define BENCH_INTAKE_CITY_H

#include "bench/geo_city.h"
#include "core/directory.h"
#include "core/fences.h"

struct intake_city {
    uint32_t cards, schools, zones;
    uint32_t tiles;
    struct city *cities;     /* of each tile */
    struct geo_point *homes; /* by card */
    struct arena arena;
};

/* zones: danger zones; at most CITY_ZONES for each 206 schools. False: no memory; release it then too. */
bool intake_city_make(struct intake_city *city, uint32_t cards, uint32_t schools, uint32_t zones);
void intake_city_release(struct intake_city *city);

enum status intake_city_directory(const struct intake_city *city, struct directory **ret,
                                  struct status_detail *detail) MUST_CHECK;
/* The five fences of each school, then the zones; the points are copied into the set. */
enum status intake_city_fences(const struct intake_city *city, struct fence_set **ret,
                               struct status_detail *detail) MUST_CHECK;

/* Some card of the school, 1 .. schools. */
uint32_t intake_city_card(const struct intake_city *city, struct city_random *random,
                          uint32_t school);

#endif
