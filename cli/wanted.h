/*
 * wanted.h - the wanted error rates among a command's options, as a policy.
 * Know: the settings presence.* of campusd, with the same ranges and defaults.
 * Memory: the options' texts are the caller's.
 * Threads: any.
 */
#ifndef CLI_WANTED_H
#define CLI_WANTED_H

#include "base/status.h"
#include "core/rates.h"

struct wanted {
    const char *false_left, *false_entered, *false_danger, *miss; /* NULL: the default */
};

/* Into the command's list of options. */
#define WANTED_OPTIONS(wanted)                                                                     \
    {"--false-left", &(wanted)->false_left, NULL},                                                 \
        {"--false-entered", &(wanted)->false_entered, NULL},                                       \
        {"--false-danger", &(wanted)->false_danger, NULL},                                         \
    {                                                                                              \
        "--miss", &(wanted)->miss, NULL                                                            \
    }
#define WANTED_USAGE                                                                               \
    "  --false-left 0.0002 --false-entered 0.002 --false-danger 0.01 --miss 0.01\n"                \
    "       wanted error rates, from 0.000001 to 0.5: campusd's settings presence.*"

/* STATUS_INVALID with the option and its range in detail. */
enum status wanted_rates(const struct wanted *wanted, struct presence_rates *ret,
                         struct status_detail *detail) MUST_CHECK;

#endif
