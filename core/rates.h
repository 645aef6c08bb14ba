/*
 * rates.h - from the error rates that somebody wants to what the engine asks of its evidence.
 * Know: Wald's sequential test, ln((1 - miss) / false). Outside of the core proper, which has no
 * logarithm: what reads settings or measures calls it once.
 * Units: rates in millionths of the runs of evidence that reach a decision.
 * Threads: any.
 */
#ifndef CORE_RATES_H
#define CORE_RATES_H

#include "base/status.h"
#include "base/text.h"
#include "core/policy.h"

struct presence_rates {
    uint32_t left_e6, entered_e6, danger_e6; /* told, but not so */
    uint32_t miss_e6;                        /* so, but not told */
};

#define RATE_E6_MIN 1u
#define RATE_E6_MAX 500000u

/* "0.0002" as 200. STATUS_INVALID: no share from RATE_E6_MIN to RATE_E6_MAX, in steps of a millionth. */
enum status rate_from_text(struct text text, uint32_t *ret_e6) MUST_CHECK;

/* 0.02 %, 0.2 %, 1 %, and 1 % missed: the policy of these is the default one. */
#define PRESENCE_RATES_DEFAULT                                                                     \
    ((struct presence_rates){                                                                      \
        .left_e6 = 200, .entered_e6 = 2000, .danger_e6 = 10000, .miss_e6 = 10000})

/* Asserts RATE_E6_MIN..RATE_E6_MAX. */
struct presence_policy policy_of_rates(const struct presence_rates *rates);

#endif
