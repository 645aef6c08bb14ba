#include "bench/geo_dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 15 };

static FILE *create(const char *folder, const char *name, struct status_detail *detail)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        (void)status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    return file;
}

static enum status finish(FILE *file, const char *name, struct status_detail *detail)
{
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        return status_detail_set(detail, STATUS_IO, "%s: not written: %s", name, strerror(errno));
    }
    return STATUS_OK;
}

static void write_ring(FILE *file, const struct geo_point *points, uint32_t count)
{
    for (uint32_t i = 0; i <= count; i++) { /* closed by its first point */
        struct geo_point p = points[i < count ? i : 0];
        (void)fprintf(file, "%s%d %d", i > 0 ? "," : "(", p.lon_e7, p.lat_e7);
    }
    (void)fputc(')', file);
}

static enum status write_fences(const struct geo_race *race, const char *folder,
                                struct status_detail *detail)
{
    FILE *file = create(folder, "fences.tsv", detail);
    if (file == NULL) {
        return STATUS_IO;
    }
    for (uint32_t i = 0; i < race->shape_count; i++) {
        const struct geo_shape *shape = &race->shapes[i];
        (void)fprintf(file, "%" PRIu32 "\tPOLYGON(", i);
        for (uint32_t r = 0, first = 0; r < shape->ring_count; first = shape->ring_ends[r++]) {
            (void)fputs(r > 0 ? "," : "", file);
            write_ring(file, shape->points + first, shape->ring_ends[r] - first);
        }
        (void)fputs(")\n", file);
    }
    return finish(file, "fences.tsv", detail);
}

static enum status write_points(const struct geo_race *race, uint32_t count, const char *folder,
                                struct status_detail *detail)
{
    FILE *file = create(folder, "points.tsv", detail);
    if (file == NULL) {
        return STATUS_IO;
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(file, "%" PRIu32 "\tPOINT(%d %d)\n", i, race->points[i].lon_e7,
                      race->points[i].lat_e7);
    }
    return finish(file, "points.tsv", detail);
}

static void tell_answers(const struct geo_race *race, uint32_t count)
{
    uint64_t pairs = 0, checksum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t found[GEO_FOUND_MAX];
        uint32_t covering = geo_index_find(race->index, race->points[i], found);
        for (uint32_t k = 0; k < covering; k++) {
            checksum += (uint64_t)i * 31 + found[k];
        }
        pairs += covering;
    }
    (void)printf("points %" PRIu32 "\npairs %" PRIu64 "\nchecksum %" PRIu64 "\n", count, pairs,
                 checksum);
}

enum status geo_dump(struct geo_race *race, uint32_t count, const char *folder,
                     struct status_detail *detail)
{
    double ns[ROUNDS];
    enum status status = write_fences(race, folder, detail);
    if (status == STATUS_OK) {
        status = write_points(race, count, folder, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    tell_answers(race, count);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        double start_ns = bench_now_ns();
        (void)geo_race_count(race, "batch", count);
        ns[i] = (bench_now_ns() - start_ns) / count;
    }
    (void)printf("batch_ns %.2f\n", bench_median(ns, ROUNDS));
    return STATUS_OK;
}
