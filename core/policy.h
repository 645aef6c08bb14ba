/*
 * policy.h - how sure the engine must be before it tells: what the evidence has to reach.
 * Know: an operator names error rates; core/rates.h makes a policy of them. What is 0 has its
 * default, which stands in core/evidence.h.
 * Units: thousandths of a nat.
 * Threads: any.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct presence_policy {
    int32_t leave_mn, enter_mn, danger_mn; /* of the sum, against single lies */
    int32_t lasting_out_mn, lasting_in_mn; /* of the streak, against one lie that lasts */
};

/* As sure as one false in a million: the sums of more would not fit into a presence. */
#define POLICY_MN_MAX 14000

/* Puts the defaults where 0 stands. false: a demand is negative or above POLICY_MN_MAX. */
bool policy_fill(struct presence_policy *policy);
/* The sum that leaving takes where no pass and no distance helps: more than two lies that last, each of as
 * many fixes as the sum for leaving is meant to withstand. */
int32_t policy_alone_mn(const struct presence_policy *policy);
/* As much more than the highest demand as a lie takes away again. */
int32_t policy_sum_max_mn(const struct presence_policy *policy);

#endif
