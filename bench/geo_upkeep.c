#include "bench/geo_upkeep.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "geo/personal.h"

/* ---- edits ---- */

static bool same_set(const struct geo_index *a, uint32_t set_a, const struct geo_index *b,
                     uint32_t set_b)
{
    uint32_t count_a, count_b;
    const uint32_t *shapes_a = geo_index_set(a, set_a, &count_a);
    const uint32_t *shapes_b = geo_index_set(b, set_b, &count_b);
    return count_a == count_b && memcmp(shapes_a, shapes_b, count_a * sizeof *shapes_a) == 0;
}

static enum status count_differences(const struct geo_race *race, const struct geo_index *changed,
                                     const struct geo_shape *shapes, uint64_t *ret,
                                     struct status_detail *detail)
{
    static uint32_t sets[RACE_SLICE], fresh_sets[RACE_SLICE];
    struct geo_index *fresh = NULL;
    enum status status = geo_index_new(shapes, race->shape_count, &fresh, detail);
    if (status != STATUS_OK) {
        return status;
    }
    *ret = 0;
    for (uint32_t i = 0; i < RACE_POINTS; i += RACE_SLICE) {
        geo_index_find_batch(changed, race->points + i, RACE_SLICE, sets);
        geo_index_find_batch(fresh, race->points + i, RACE_SLICE, fresh_sets);
        for (uint32_t k = 0; k < RACE_SLICE; k++) {
            *ret += !same_set(changed, sets[k], fresh, fresh_sets[k]);
        }
    }
    geo_index_free(fresh);
    return STATUS_OK;
}

/* One school's edit: *index is replaced. */
static enum status change_school(const struct city *city, uint32_t school, struct arena *arena,
                                 struct geo_shape *shapes, struct geo_index **index, double *ret_ms,
                                 struct status_detail *detail)
{
    struct geo_shape drawn[CITY_SCHOOL_FENCES];
    struct geo_change changes[CITY_SCHOOL_FENCES];
    struct geo_index *changed = NULL;
    if (!city_redraw_school(city, school, 77, arena, drawn)) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < CITY_SCHOOL_FENCES; i++) {
        uint32_t number = school * CITY_SCHOOL_FENCES + i;
        shapes[number] = drawn[i];
        changes[i] = (struct geo_change){number, &shapes[number]};
    }
    double start_ns = bench_now_ns();
    enum status status = geo_index_change(*index, changes, CITY_SCHOOL_FENCES, &changed, detail);
    *ret_ms = (bench_now_ns() - start_ns) / 1e6;
    if (status == STATUS_OK) {
        geo_index_free(*index);
        *index = changed;
    }
    return status;
}

enum status geo_upkeep_change(const struct city *city, const struct geo_race *race,
                              uint32_t schools, struct arena *arena, struct figures *figures,
                              struct status_detail *detail)
{
    ASSERT(schools > 0 && schools <= CITY_SCHOOLS);
    double ms[CITY_SCHOOLS];
    uint64_t differences = 0;
    struct geo_index *index = NULL;
    struct geo_shape *shapes = arena_array(arena, race->shape_count, sizeof *shapes);
    if (shapes == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(shapes, race->shapes, race->shape_count * sizeof *shapes);
    enum status status = geo_index_new(shapes, race->shape_count, &index, detail);
    for (uint32_t s = 0; s < schools && status == STATUS_OK; s++) {
        status = change_school(city, s, arena, shapes, &index, &ms[s], detail);
    }
    if (status == STATUS_OK) {
        status = count_differences(race, index, shapes, &differences, detail);
    }
    geo_index_free(index);
    if (status == STATUS_OK) {
        double middle = bench_median(ms, schools); /* sorts */
        (void)printf("\nfive fences of one school drawn anew, %u schools in turn: median %.3f ms, "
                     "worst %.3f ms, %llu differences from a new index\n",
                     schools, middle, ms[schools - 1], (unsigned long long)differences);
        bench_figure(figures, race->key, "change_ms", middle);
        bench_figure(figures, race->key, "change_worst_ms", ms[schools - 1]);
        bench_figure(figures, race->key, "change_differences", (double)differences);
    }
    return status;
}

/* ---- personal fences ---- */

struct homes {
    struct geo_personal *personal;
    uint32_t owners[RACE_SLICE];
    uint64_t inside;
};

static void look_up_owners(struct homes *homes, const struct geo_point *points,
                           const uint32_t *owners)
{
    struct geo_near near[GEO_PERSONAL_OWNER_MAX];
    for (uint32_t k = 0; k < RACE_BATCH; k++) {
        geo_personal_prefetch(homes->personal, owners[k]);
    }
    for (uint32_t k = 0; k < RACE_BATCH; k++) {
        homes->inside += geo_personal_near(homes->personal, owners[k], points[k], RACE_REACH_M,
                                           near, GEO_PERSONAL_OWNER_MAX);
    }
}

/* Nanoseconds in the shared lookups of one slice; with personal lookups between them. */
static double shared_ns(const struct geo_race *race, const struct geo_point *points,
                        struct homes *homes, bool between)
{
    uint32_t sets[RACE_BATCH];
    double ns = 0;
    for (uint32_t i = 0; i < RACE_SLICE; i += RACE_BATCH) {
        if (between) {
            look_up_owners(homes, points + i, homes->owners + i);
        }
        double start_ns = bench_now_ns();
        geo_index_find_batch(race->index, points + i, RACE_BATCH, sets);
        ns += bench_now_ns() - start_ns;
        for (uint32_t k = 0; k < RACE_BATCH; k++) {
            homes->inside += sets[k];
        }
    }
    return ns;
}

static double personal_ns(const struct geo_point *points, struct homes *homes)
{
    double start_ns = bench_now_ns();
    for (uint32_t i = 0; i < RACE_SLICE; i += RACE_BATCH) {
        look_up_owners(homes, points + i, homes->owners + i);
    }
    return (bench_now_ns() - start_ns) / RACE_SLICE;
}

/* What two looks at the clock cost by themselves, which is taken off each batch. */
static double clock_ns(void)
{
    double ns[1001];
    for (uint32_t i = 0; i < 1001; i++) {
        double start_ns = bench_now_ns();
        ns[i] = bench_now_ns() - start_ns;
    }
    return bench_median(ns, 1001);
}

/* A home and a way to school of each owner. */
static enum status make_personal(const struct city *city, struct arena *arena,
                                 struct geo_personal **ret, struct status_detail *detail)
{
    struct geo_shape *shapes;
    struct geo_personal_fence *fences = arena_array(arena, (size_t)2 * CITY_HOMES, sizeof *fences);
    if (fences == NULL || !city_homes(city, 5, arena, &shapes)) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < 2 * CITY_HOMES; i++) {
        fences[i] = (struct geo_personal_fence){i / 2, i, shapes[i]};
    }
    return geo_personal_new(fences, 2 * CITY_HOMES, ret, detail);
}

enum status geo_upkeep_homes(const struct city *city, const struct geo_race *race, uint32_t slices,
                             struct arena *arena, struct figures *figures,
                             struct status_detail *detail)
{
    static double slowdown[RACE_SLICES_MAX], personal[RACE_SLICES_MAX];
    static struct homes homes;
    struct city_random random = {99};
    ASSERT(slices > 0 && slices <= RACE_SLICES_MAX);
    enum status status = make_personal(city, arena, &homes.personal, detail);
    if (status != STATUS_OK) {
        return status;
    }
    const uint32_t batches = RACE_SLICE / RACE_BATCH;
    const size_t third = RACE_SLICE;
    double clock = clock_ns() * batches;
    for (uint32_t i = 0; i < slices; i++) {
        const struct geo_point *points = race->points + (size_t)(3 * i % 250) * RACE_SLICE;
        for (uint32_t k = 0; k < RACE_SLICE; k++) {
            homes.owners[k] = city_random_below(&random, CITY_HOMES);
        }
        /* slices of their own: none finds in the caches what another left there */
        double alone = shared_ns(race, points, &homes, false) - clock;
        double beside = shared_ns(race, points + third, &homes, true) - clock;
        alone += shared_ns(race, points + 2 * third, &homes, false) - clock;
        slowdown[i] = 2 * beside / alone;
        personal[i] = personal_ns(points, &homes);
    }
    double middle = bench_median(slowdown, slices), own_ns = bench_median(personal, slices);
    (void)printf("\n%u homes and ways looked up by owner between the batches: shared lookups take "
                 "%.3f times as long, a personal one %.1f ns (checksum %llu)\n",
                 (uint32_t)CITY_HOMES, middle, own_ns, (unsigned long long)homes.inside);
    bench_figure(figures, race->key, "homes_slowdown", middle);
    double bytes = (double)geo_personal_bytes(homes.personal);
    (void)printf("%.1f bytes a personal fence, points and all\n", bytes / (2 * CITY_HOMES));
    bench_figure(figures, race->key, "homes_ns", own_ns);
    bench_figure(figures, race->key, "homes_bytes", bytes);
    geo_personal_free(homes.personal);
    return STATUS_OK;
}
