#include "core/policy.h"

#include "core/evidence.h"

enum { ALONE_OVER_MN = 352 }; /* what five fixes lose by age is less */

/* The most that a presence's sum can be: leaving alone against three lies, and a lie beyond. */
_Static_assert(POLICY_MN_MAX <= 4 * EVIDENCE_CAP_MN &&
                   7 * EVIDENCE_CAP_MN + ALONE_OVER_MN <= INT16_MAX,
               "every sum fits into a presence");

static bool fill(int32_t *mn, int32_t initial)
{
    *mn = *mn == 0 ? initial : *mn;
    return *mn > 0 && *mn <= POLICY_MN_MAX;
}

bool policy_fill(struct presence_policy *policy)
{
    bool fits = fill(&policy->leave_mn, EVIDENCE_LEAVE_MN);
    fits = fill(&policy->enter_mn, EVIDENCE_ENTER_MN) && fits;
    fits = fill(&policy->danger_mn, EVIDENCE_DANGER_MN) && fits;
    fits = fill(&policy->lasting_out_mn, EVIDENCE_STREAK_MN) && fits;
    return fill(&policy->lasting_in_mn, EVIDENCE_STREAK_IN_MN) && fits;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

int32_t policy_alone_mn(const struct presence_policy *policy)
{
    int32_t lies = (policy->leave_mn - 1) / EVIDENCE_CAP_MN; /* that the sum withstands */
    return larger(policy->leave_mn, 2 * lies * EVIDENCE_CAP_MN + ALONE_OVER_MN);
}

int32_t policy_sum_max_mn(const struct presence_policy *policy)
{
    int32_t enter_mn = larger(policy->enter_mn, policy->danger_mn);
    return larger(policy_alone_mn(policy), enter_mn) + EVIDENCE_CAP_MN;
}
