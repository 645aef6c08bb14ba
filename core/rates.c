#include "core/rates.h"

#include <math.h>

#include "base/assert.h"

enum status rate_from_text(struct text text, uint32_t *ret_e6)
{
    double rate;
    if (text_to_double(text, &rate) != STATUS_OK || !(rate > 0 && rate < 1)) {
        return STATUS_INVALID;
    }
    double e6 = round(rate * 1e6);
    if (e6 < RATE_E6_MIN || e6 > RATE_E6_MAX || fabs(rate * 1e6 - e6) > 0.001) {
        return STATUS_INVALID;
    }
    *ret_e6 = (uint32_t)e6;
    return STATUS_OK;
}

/* Lies that last are rarer than single ones, by as much as the rates of these may be higher for the same
 * share of false alerts: three times where they lead out, and 4.5 where they must hit a ground. */
static const double rarer_out = 3, rarer_in = 4.5;

/* A rate that everything may exceed asks for a trace of evidence still: 0 would be the default. */
static int32_t threshold_mn(double false_rate, double miss)
{
    double nats = log((1 - miss) / false_rate);
    return nats > 0.001 ? (int32_t)lround(1000 * nats) : 1;
}

static double rate_of(uint32_t rate_e6)
{
    ASSERT(rate_e6 >= RATE_E6_MIN && rate_e6 <= RATE_E6_MAX);
    return rate_e6 / 1e6;
}

struct presence_policy policy_of_rates(const struct presence_rates *rates)
{
    double left = rate_of(rates->left_e6), entered = rate_of(rates->entered_e6);
    double miss = rate_of(rates->miss_e6);
    return (struct presence_policy){.leave_mn = threshold_mn(left, miss),
                                    .enter_mn = threshold_mn(entered, miss),
                                    .danger_mn = threshold_mn(rate_of(rates->danger_e6), miss),
                                    .lasting_out_mn = threshold_mn(rarer_out * left, miss),
                                    .lasting_in_mn = threshold_mn(rarer_in * entered, miss)};
}
