/*
 * geo_dump.h - a city as files that a database can load, and what the index answers in it.
 */
#ifndef BENCH_GEO_DUMP_H
#define BENCH_GEO_DUMP_H

#include "bench/geo_city.h"
#include "bench/geo_race.h"

/* Writes fences.tsv and points.tsv (number, tab, WKT in lattice steps) into the folder, the first
 * `count` points of the race, and prints what the index says: "points N", "pairs N" (point and
 * fence that covers it), "checksum N" (sum of point * 31 + fence over the pairs) and "batch_ns X".
 * Fences must be polygons of one outline, its holes behind it. STATUS_IO with the file's name. */
enum status geo_dump(struct geo_race *race, uint32_t count, const char *folder,
                     struct status_detail *detail) MUST_CHECK;

#endif
