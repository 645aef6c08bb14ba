/*
 * geo_upkeep.h - what a city costs beside its lookups: fences that are edited, and 134,000 pupils
 * with a home and a way to school of their own.
 */
#ifndef BENCH_GEO_UPKEEP_H
#define BENCH_GEO_UPKEEP_H

#include "bench/geo_city.h"
#include "bench/geo_race.h"

/* Draws the five fences of one school after another anew and puts them into the index:
 * geo.change_ms (median), geo.change_worst_ms. Afterwards the index must answer as one that is
 * built from nothing: geo.change_differences. */
enum status geo_upkeep_change(const struct city *city, const struct geo_race *race,
                              uint32_t schools, struct arena *arena, struct figures *figures,
                              struct status_detail *detail) MUST_CHECK;

/* geo.homes_slowdown: the time of shared lookups in batches of 64 when the owner of each point is
 * looked up in the personal fences before each batch, by the time of the same batches alone.
 * The personal lookups themselves are not in it: geo.homes_ns is what one of them takes. */
enum status geo_upkeep_homes(const struct city *city, const struct geo_race *race, uint32_t slices,
                             struct arena *arena, struct figures *figures,
                             struct status_detail *detail) MUST_CHECK;

#endif
