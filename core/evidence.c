#include "core/evidence.h"

#include "base/assert.h"
#include "core/limits.h"

/* word_table[i] = 1000 * ln(p / (1 - p)), p = (1 - eps) * Phi(i / 16) + eps / 2, eps = 0.05,
 * rounded. tests/core/test_evidence.c makes it anew with libm and compares. */
enum { WORD_STEPS = 16, WORD_LAST = 64 };
static const int16_t word_table[WORD_LAST + 1] = {
    0,    95,   190,  284,  380,  475,  570,  666,  762,  859,  956,  1053, 1151,
    1249, 1348, 1447, 1546, 1645, 1744, 1843, 1943, 2041, 2139, 2236, 2333, 2427,
    2520, 2610, 2699, 2784, 2866, 2944, 3018, 3088, 3153, 3214, 3270, 3321, 3367,
    3409, 3446, 3478, 3507, 3532, 3553, 3572, 3588, 3601, 3612, 3622, 3629, 3636,
    3641, 3646, 3649, 3652, 3655, 3656, 3658, 3659, 3660, 3661, 3661, 3662, EVIDENCE_CAP_MN};

/* weight_table[i] = 1024 * (1 - exp(-i / 8)), i / 8 in units of tau = 30 s, rounded. */
enum { WEIGHT_STEPS = 8, WEIGHT_LAST = 48, TAU_MS = 30000 };
static const int16_t weight_table[WEIGHT_LAST + 1] = {
    0,    120,  227,  320,  403,  476,  540,  597,  647,  692,         731,  765,  796,
    822,  846,  867,  885,  902,  916,  929,  940,  950,  959,         966,  973,  979,
    984,  989,  993,  997,  1000, 1003, 1005, 1007, 1009, 1011,        1013, 1014, 1015,
    1016, 1017, 1018, 1019, 1019, 1020, 1020, 1021, 1021, EVIDENCE_ONE};

/* Radius of 68.27 % over sigma for an error that is normal on both axes: sqrt(-2 ln 0.3173). */
enum { RADIUS_PER_SIGMA_E3 = 1515 };

static const int32_t sigma_floor_cm[] = {
    [FIX_UNKNOWN] = 2000, [FIX_GNSS] = 800, [FIX_WIFI] = 2500, [FIX_CELL] = 20000};
static const int32_t sigma_default_cm[] = {
    [FIX_UNKNOWN] = 3000, [FIX_GNSS] = 1500, [FIX_WIFI] = 4000, [FIX_CELL] = 33000};

/* Between two entries of a table, `place` in 1/1024 of a step. */
static int32_t between(const int16_t *table, int64_t place)
{
    int64_t i = place >> 10, part = place & 1023;
    return (int32_t)(table[i] + (table[i + 1] - table[i]) * part / 1024);
}

bool evidence_too_vague(const struct event *fix)
{
    return (fix->flags & EVENT_HAS_ACCURACY) != 0 && fix->accuracy_cm > FIX_ACCURACY_CM_MAX;
}

int32_t evidence_sigma_cm(const struct event *fix)
{
    uint8_t source = fix->kind <= FIX_CELL ? fix->kind : FIX_UNKNOWN;
    if ((fix->flags & EVENT_HAS_ACCURACY) == 0) {
        return sigma_default_cm[source];
    }
    ASSERT(fix->accuracy_cm <= FIX_ACCURACY_CM_MAX);
    int32_t sigma_cm = (int32_t)(fix->accuracy_cm * 1000 / RADIUS_PER_SIGMA_E3);
    return sigma_cm > sigma_floor_cm[source] ? sigma_cm : sigma_floor_cm[source];
}

int32_t evidence_position_mn(int32_t distance_cm, int32_t sigma_cm)
{
    ASSERT(sigma_cm > 0);
    int64_t away = distance_cm < 0 ? -(int64_t)distance_cm : distance_cm;
    int64_t place = away * WORD_STEPS * 1024 / sigma_cm;
    int32_t word =
        place >= (int64_t)WORD_LAST * 1024 ? EVIDENCE_CAP_MN : between(word_table, place);
    return distance_cm > 0 ? -word : word;
}

int32_t evidence_weight(int64_t dt_ms)
{
    ASSERT(dt_ms >= 0);
    if (dt_ms >= (int64_t)TAU_MS * WEIGHT_LAST / WEIGHT_STEPS) {
        return EVIDENCE_ONE;
    }
    int32_t weight = between(weight_table, dt_ms * WEIGHT_STEPS * 1024 / TAU_MS);
    return weight > EVIDENCE_WEIGHT_MIN ? weight : EVIDENCE_WEIGHT_MIN;
}

int32_t evidence_doubt(int32_t sum_mn, int32_t base_mn)
{
    return base_mn + (sum_mn - base_mn) * 3 / 4;
}

/* -1000 * ln of the chance that a lie lasts so many minutes, and leads so many times 50 m away. Beyond the
 * table, where nothing was measured, half of them last three minutes more, up to half an hour. */
enum { LASTS_MINUTES = 12, LASTS_MINUTES_MAX = 30, TAIL_MN_A_MINUTE = 250 };
enum { LEADS_STEPS = 8, LEADS_STEP_M = 50 };
static const int16_t lasts_table[LASTS_MINUTES + 1] = {0,   0,    0,    0,    0,    200, 500,
                                                       800, 1200, 1700, 2500, 4000, 5000};
static const int16_t leads_table[LEADS_STEPS + 1] = {0, 0, 0, 300, 800, 1500, 2500, 4500, 5500};

int32_t evidence_lasting_mn(int64_t lasts_ms, uint32_t away_m)
{
    ASSERT(lasts_ms >= 0);
    const int64_t minute_ms = 60000;
    int32_t lasts = lasts_table[LASTS_MINUTES], leads = leads_table[LEADS_STEPS];
    if (lasts_ms < LASTS_MINUTES * minute_ms) {
        lasts = between(lasts_table, lasts_ms * 1024 / minute_ms);
    } else {
        int64_t most_ms = LASTS_MINUTES_MAX * minute_ms;
        int64_t over_ms = (lasts_ms < most_ms ? lasts_ms : most_ms) - LASTS_MINUTES * minute_ms;
        lasts += (int32_t)(over_ms * TAIL_MN_A_MINUTE / minute_ms);
    }
    if (away_m < LEADS_STEPS * LEADS_STEP_M) {
        leads = between(leads_table, (int64_t)away_m * 1024 / LEADS_STEP_M);
    }
    return EVIDENCE_CAP_MN + lasts + leads;
}

/* 1e9 * exp(-i), and 1e4 * exp(-i / 8), rounded. */
enum { NATS_LAST = 14, PARTS_A_NAT = 8 };
static const int32_t nats_e9[NATS_LAST + 1] = {1000000000, 367879441, 135335283, 49787068, 18315639,
                                               6737947,    2478752,   911882,    335463,   123410,
                                               45400,      16702,     6144,      2260,     832};
static const int16_t parts_e4[PARTS_A_NAT + 1] = {10000, 8825, 7788, 6873, 6065,
                                                  5353,  4724, 4169, 3679};

uint32_t evidence_wrong_e6(int32_t mn)
{
    if (mn <= 0) {
        return 1000000;
    }
    if (mn >= NATS_LAST * 1000) {
        return 1;
    }
    int64_t part_e4 = between(parts_e4, mn % 1000 * INT64_C(1024) * PARTS_A_NAT / 1000);
    return (uint32_t)((nats_e9[mn / 1000] * part_e4 + 5000000) / 10000000);
}

int32_t evidence_fade(int32_t sum_mn, int32_t base_mn, int64_t dt_ms)
{
    ASSERT(dt_ms >= 0);
    const int64_t gap_max_ms = 1200000, minute_percent_ms = 6000000; /* 20 and 100 minutes */
    int64_t gap_ms = dt_ms < gap_max_ms ? dt_ms : gap_max_ms;
    return (int32_t)(sum_mn - (sum_mn - base_mn) * gap_ms / minute_percent_ms);
}
