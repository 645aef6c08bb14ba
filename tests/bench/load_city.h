/*
 * load_city.h - cards for tests of the load generator: so many of so many schools.
 */
#ifndef TESTS_BENCH_LOAD_CITY_H
#define TESTS_BENCH_LOAD_CITY_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "tests/check.h"

static inline void load_city(struct load_cards *cards, uint32_t count, uint32_t schools,
                             double crossing_share)
{
    char path[] = "/tmp/campus-cards-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fprintf(file, "school,card,lat,lon\n");
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(file, "s%u,c%u,36.2,113.1\n", i % schools, i);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(load_cards_read(cards, path, count, crossing_share, NULL), STATUS_OK);
    assert_int_equal(unlink(path), 0);
    cards->period_ms = 120000;
}

#endif
