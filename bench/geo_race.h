/*
 * geo_race.h - one set of fences, looked up by the index and by GEOS in turns.
 * Know: ratios are medians over turns that stand side by side, so that what slows the machine slows
 * both; those of the best turns are printed too, for what waits for memory is slowed more. Figures get
 * `key` before their names.
 * Memory: shapes and points are the caller's and stay until geo_race_release.
 * Threads: one.
 */
#ifndef BENCH_GEO_RACE_H
#define BENCH_GEO_RACE_H

#include "bench/figures.h"
#include "bench/geo_peer.h"
#include "bench/geo_peer_cpp.h"
#include "geo/index.h"

enum {
    RACE_SLICE = 4096, /* points between two looks at the clock */
    RACE_BATCH = 256,  /* points a call of the batches */
    RACE_SLICES_MAX = 400,
    RACE_POINTS = 256 * RACE_SLICE,
};
#define RACE_REACH_M 20.0F

struct geo_race {
    /* given */
    const char *title, *key; /* "geo", "geo.grounds" */
    const struct geo_shape *shapes;
    uint32_t shape_count;
    const struct geo_point *points; /* RACE_POINTS */
    bool flat;                      /* small enough that GEOS can tell its metres */
    /* made */
    struct geo_index *index;
    struct geo_peer *peer;
    struct geo_peer_cpp *peer_cpp;  /* NULL: not compiled in */
    enum geo_peer_way way, box_way; /* the fastest here; and of those for any reach */
    double build_s;                 /* median of five */
    uint64_t checksum;              /* so that no work can be left out */
};

/* STATUS_INVALID, STATUS_NO_MEMORY, STATUS_TOO_LARGE; release it then too. */
enum status geo_race_prepare(struct geo_race *race, struct status_detail *detail) MUST_CHECK;
/* Prints the table and adds the figures. slices <= RACE_SLICES_MAX. */
void geo_race_run(struct geo_race *race, uint32_t slices, struct figures *figures);
void geo_race_release(struct geo_race *race);

/* What tools count the instructions of: "batch", "single", "distance" or "distance_single" over
 * `count` points, a multiple of RACE_SLICE, inside a call of geo_race_counted. False: no such name.
 */
bool geo_race_count(struct geo_race *race, const char *name, uint32_t count);
void geo_race_counted(struct geo_race *race,
                      void (*run)(struct geo_race *, const struct geo_point *), uint32_t count);

double bench_now_ns(void);
/* Sorts the values. */
double bench_median(double *values, uint32_t count);
/* key "." name */
void bench_figure(struct figures *figures, const char *key, const char *name, double value);

#endif
