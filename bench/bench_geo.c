/*
 * bench-geo: lookups of fences beside GEOS, on the same lattice, in the same process, in turns. A
 * city of its own making, real school grounds, countries, census tracts; or the fences of a file.
 */
#include <stdio.h>
#include <string.h>

#include "bench/geo_city.h"
#include "bench/geo_data.h"
#include "bench/geo_dump.h"
#include "bench/geo_exact.h"
#include "bench/geo_upkeep.h"
#include "cli/cli.h"

static const char usage[] = "bench-geo [--quick] [--json FILE] [--fences FILE.geojson[.gz] --datum "
                            "DATUM] [--count batch|single|distance|distance_single] "
                            "[--dump FOLDER]";

enum { SEED = 1, COUNTED_POINTS = 16 * RACE_SLICE, KINKED = 300 };

/* How much of everything: the full run, and --quick. */
struct extent {
    uint32_t slices, variant_slices, schools_changed, distance_points, dumped_points;
    uint64_t city_points, grounds_points, kinked_points, variant_points;
};
static const struct extent full = {
    .slices = 150,
    .variant_slices = 50,
    .schools_changed = CITY_SCHOOLS,
    .distance_points = 200000,
    .dumped_points = 50 * RACE_SLICE,
    .city_points = 6000000,
    .grounds_points = 3000000,
    .kinked_points = 1100000,
    .variant_points = 1000000,
};
static const struct extent quick = {
    .slices = 20,
    .variant_slices = 8,
    .schools_changed = 20,
    .distance_points = 20000,
    .dumped_points = 10 * RACE_SLICE,
    .city_points = 600000,
    .grounds_points = 300000,
    .kinked_points = 110000,
    .variant_points = 100000,
};

struct bench {
    struct arena arena;
    struct city city;
    struct geo_point *points; /* of the city */
    const struct extent *extent;
    uint64_t differences, difference_points; /* of city, grounds and kinked */
    bool differs;                            /* anywhere */
    struct figures figures;
};

static bool make_city(struct bench *bench)
{
    return city_make(SEED, &bench->arena, &bench->city) &&
           city_points(&bench->city, SEED + 1, RACE_POINTS, &bench->arena, &bench->points);
}

/* ---- exactness ---- */

static void compare_distances(struct bench *bench, const struct geo_race *race)
{
    uint64_t wrong;
    double worst_m = geo_exact_distances(race, bench->extent->distance_points, &wrong);
    (void)printf("distances of %u points: at most %.4f m from those of all edges, %llu wrong\n",
                 bench->extent->distance_points, worst_m, (unsigned long long)wrong);
    bench->differs = bench->differs || wrong > 0;
    bench_figure(&bench->figures, race->key, "distance_error_m", worst_m);
    bench_figure(&bench->figures, race->key, "distance_differences", (double)wrong);
}

/* Those of `figure` are told in the figures of their own. */
static void compare(struct bench *bench, struct geo_race *race, uint64_t points, bool walk,
                    bool figure)
{
    static struct geo_exact exact;
    struct city_random random = {SEED + 2};
    exact = (struct geo_exact){.race = race, .walk = walk, .random = &random};
    geo_exact_run(&exact, points);
    (void)printf("%llu differences over %llu points, hard ones among them\n",
                 (unsigned long long)exact.differences, (unsigned long long)exact.points);
    bench->differs = bench->differs || exact.differences > 0;
    if (figure) {
        bench_figure(&bench->figures, race->key, "differences", (double)exact.differences);
    } else {
        bench->differences += exact.differences;
        bench->difference_points += exact.points;
    }
}

static enum status compare_kinked(struct bench *bench, struct status_detail *detail)
{
    struct geo_shape *shapes;
    if (!city_kinked(&bench->city, SEED + 3, KINKED, &bench->arena, &shapes)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_race race = {
        .key = "kinked", .shapes = shapes, .shape_count = KINKED, .points = bench->points};
    enum status status = geo_race_prepare(&race, detail);
    if (status == STATUS_OK) {
        (void)printf("\npolygons that cross themselves, against a walk round all edges%s: ",
                     race.peer_cpp != NULL ? " and GEOS's locator" : "");
        compare(bench, &race, bench->extent->kinked_points, true, false);
    }
    geo_race_release(&race);
    return status;
}

/* ---- the city and its variants ---- */

static enum status run_city(struct bench *bench, struct status_detail *detail)
{
    struct geo_race race = {.title = "city: 206 schools of five fences, 2000 danger zones",
                            .key = "geo",
                            .shapes = bench->city.shapes,
                            .shape_count = bench->city.shape_count,
                            .points = bench->points,
                            .flat = true};
    enum status status = geo_race_prepare(&race, detail);
    if (status == STATUS_OK) {
        geo_race_run(&race, bench->extent->slices, &bench->figures);
        compare(bench, &race, bench->extent->city_points, false, false);
        compare_distances(bench, &race);
        status = geo_upkeep_change(&bench->city, &race, bench->extent->schools_changed,
                                   &bench->arena, &bench->figures, detail);
    }
    if (status == STATUS_OK) {
        status = geo_upkeep_homes(&bench->city, &race, bench->extent->slices, &bench->arena,
                                  &bench->figures, detail);
    }
    geo_race_release(&race);
    return status == STATUS_OK ? compare_kinked(bench, detail) : status;
}

static enum status run_variant(struct bench *bench, struct geo_race *race, uint64_t points,
                               bool figure, struct status_detail *detail)
{
    enum status status = geo_race_prepare(race, detail);
    if (status == STATUS_OK) {
        geo_race_run(race, bench->extent->variant_slices, &bench->figures);
        compare(bench, race, points, false, figure);
    }
    geo_race_release(race);
    return status;
}

static enum status run_grounds(struct bench *bench, struct status_detail *detail)
{
    struct geo_data data;
    enum status status = geo_data_grounds(&bench->city, &bench->arena, &data, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct geo_race race = {.title = "grounds: 206 real ones, each over a school of the city",
                            .key = "geo.grounds",
                            .shapes = data.shapes,
                            .shape_count = data.shape_count,
                            .points = bench->points,
                            .flat = true};
    return run_variant(bench, &race, bench->extent->grounds_points, false, detail);
}

static enum status run_countries(struct bench *bench, struct status_detail *detail)
{
    struct geo_data data;
    struct geo_point *points;
    enum status status = geo_data_countries(&bench->arena, &data, detail);
    if (status != STATUS_OK) {
        return status;
    }
    if (!geo_data_points(&data, 5000, SEED + 4, RACE_POINTS, &bench->arena, &points)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_race race = {.title = "countries: half of the points within 5 km of a corner",
                            .key = "geo.countries",
                            .shapes = data.shapes,
                            .shape_count = data.shape_count,
                            .points = points};
    return run_variant(bench, &race, bench->extent->variant_points, true, detail);
}

static enum status run_census(struct bench *bench, struct status_detail *detail)
{
    struct geo_data data = {.shape_count = CITY_TRACTS};
    struct geo_point *points;
    if (!city_tracts(SEED + 5, &bench->arena, &data.shapes) ||
        !geo_data_points(&data, 100, SEED + 6, RACE_POINTS, &bench->arena, &points)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_race race = {.title = "census: 15000 tracts side by side, half of the points within "
                                     "100 m of a corner",
                            .key = "geo.census",
                            .shapes = data.shapes,
                            .shape_count = data.shape_count,
                            .points = points,
                            .flat = true};
    return run_variant(bench, &race, bench->extent->variant_points, true, detail);
}

static enum status skipped(enum status status, const char *what, const struct status_detail *detail)
{
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    (void)printf("\nskipped: %s: %s (set CAMPUS_DATA to the folder of real inputs)\n", what,
                 detail->text);
    return STATUS_OK;
}

static enum status run_all(struct bench *bench, struct status_detail *detail)
{
    enum status status = make_city(bench) ? run_city(bench, detail) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        status = skipped(run_grounds(bench, detail), "grounds", detail);
    }
    if (status == STATUS_OK) {
        status = skipped(run_countries(bench, detail), "countries", detail);
    }
    if (status == STATUS_OK) {
        status = run_census(bench, detail);
    }
    if (status == STATUS_OK) {
        figures_add(&bench->figures, "geo.differences", (double)bench->differences);
        figures_add(&bench->figures, "geo.difference_points", (double)bench->difference_points);
        (void)printf("\n%llu differences over %llu points of city, kinked polygons and grounds\n",
                     (unsigned long long)bench->differences,
                     (unsigned long long)bench->difference_points);
    }
    return status;
}

/* ---- other ways to run ---- */

static enum status run_file(struct bench *bench, const char *path, const char *datum,
                            struct status_detail *detail)
{
    struct geo_data data;
    struct geo_point *points;
    enum status status = geo_data_read(path, datum, &bench->arena, &data, detail);
    if (status != STATUS_OK) {
        return status;
    }
    if (!geo_data_points(&data, 300, SEED, RACE_POINTS, &bench->arena, &points)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_race race = {.title = path,
                            .key = "geo",
                            .shapes = data.shapes,
                            .shape_count = data.shape_count,
                            .points = points,
                            .flat = true};
    return run_variant(bench, &race, bench->extent->variant_points, true, detail);
}

/* The index over the city without GEOS: to count its instructions, since the tool slows everything
 * fifty times; or to be compared with a database. */
static enum status run_alone(struct bench *bench, const char *count, const char *dump,
                             struct status_detail *detail)
{
    if (!make_city(bench)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_race race = {.shapes = bench->city.shapes,
                            .shape_count = bench->city.shape_count,
                            .points = bench->points};
    enum status status = geo_index_new(race.shapes, race.shape_count, &race.index, detail);
    if (status == STATUS_OK && dump != NULL) {
        status = geo_dump(&race, bench->extent->dumped_points, dump, detail);
    } else if (status == STATUS_OK && !geo_race_count(&race, count, COUNTED_POINTS)) {
        status = status_detail_set(detail, STATUS_INVALID, "nothing named %s to count", count);
    } else if (status == STATUS_OK) {
        (void)printf("%u times (checksum %llu)\n", (uint32_t)COUNTED_POINTS,
                     (unsigned long long)race.checksum);
    }
    geo_index_free(race.index);
    return status;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *fences = NULL, *datum = NULL, *count = NULL, *dump = NULL;
    bool is_quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--fences", &fences, NULL},
                                         {"--datum", &datum, NULL},
                                         {"--count", &count, NULL},
                                         {"--dump", &dump, NULL},
                                         {"--quick", NULL, &is_quick},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result != CLI_OK || words > 1) {
        return result != CLI_OK ? result : cli_usage(usage, "what is %s?", argv[1]);
    }
    static struct bench bench;
    struct status_detail detail = {"no memory"};
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* each line as it is known, through a pipe too */
    bench.extent = is_quick ? &quick : &full;
    arena_init_growing(&bench.arena, 1u << 20, (size_t)8 << 30);
    enum status status = count != NULL || dump != NULL ? run_alone(&bench, count, dump, &detail)
                         : fences != NULL              ? run_file(&bench, fences, datum, &detail)
                                                       : run_all(&bench, &detail);
    if (status == STATUS_OK && json != NULL) {
        status = figures_write(&bench.figures, json, &detail);
    }
    arena_release(&bench.arena);
    if (status != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return bench.differs ? cli_fail("the index and its peers differ") : CLI_OK;
}
