/*
 * geo_data.h - fences of real mappers for the geometry benchmark, from the folder of real inputs.
 * Memory: everything lives in the caller's arena.
 * Threads: one.
 */
#ifndef BENCH_GEO_DATA_H
#define BENCH_GEO_DATA_H

#include "base/arena.h"
#include "bench/geo_city.h"

struct geo_data {
    struct geo_shape *shapes;
    uint32_t shape_count;
};

/* The polygons of any GeoJSON file, gzipped or not. STATUS_NOT_FOUND, STATUS_INVALID (also where
 * there is no polygon in it) and what else cli_read_file says. datum may be NULL: each feature
 * tells its own. */
enum status geo_data_read(const char *path, const char *datum, struct arena *arena,
                          struct geo_data *ret, struct status_detail *detail) MUST_CHECK;
/* Real school grounds, the first CITY_SCHOOLS of them, each in its true size over a school of the
 * city. STATUS_NOT_FOUND where the folder is not there. */
enum status geo_data_grounds(const struct city *city, struct arena *arena, struct geo_data *ret,
                             struct status_detail *detail) MUST_CHECK;
/* Canada, Norway, Indonesia, Fiji: few fences with many corners. */
enum status geo_data_countries(struct arena *arena, struct geo_data *ret,
                               struct status_detail *detail) MUST_CHECK;
/* Half evenly in the box of some shape, half within near_m of some corner of it. False: no memory.
 */
bool geo_data_points(const struct geo_data *data, double near_m, uint64_t seed, uint32_t count,
                     struct arena *arena, struct geo_point **ret);

#endif
