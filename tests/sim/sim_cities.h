/* What the tests of the simulator share: a small city and a seed. */
#ifndef TESTS_SIM_CITIES_H
#define TESTS_SIM_CITIES_H

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/city.h"

/* The seed of the run: SEED=..., else 1. Printed, so that a failure can be run again. */
static inline uint64_t test_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline void make_city(struct sim_city *city, uint64_t seed, uint32_t schools,
                             uint32_t pupils, uint32_t zones)
{
    struct sim_city_options options = {
        .seed = seed, .schools = schools, .pupils = pupils, .zones = zones};
    struct status_detail detail = {{0}};
    if (sim_city_init(city, &options, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

#endif
