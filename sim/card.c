#include "sim/card.h"

#include <math.h>

#include "base/assert.h"

enum { CLASSES = 7 };

/* Upper ends of the classes of accuracy; a fix of a class is as likely in each part of its decade.
 */
static const double class_ends_m[CLASSES + 1] = {3, 10, 30, 50, 100, 200, 1000, 20000};

/* Shares in per mille. A pupil's card is outdoors in about one fix of six; together the two rows
 * give the measured mix. */
static const uint16_t outdoor_shares[CLASSES] = {660, 270, 40, 20, 5, 5, 0};
static const uint16_t indoor_shares[CLASSES] = {274, 268, 75, 91, 71, 203, 18};

#define OUTDOOR_MEMORY_S 90.0   /* how long an error lasts under the sky */
#define INDOOR_MEMORY_S  2400.0 /* the same room, the same access point, the same error */
#define DEVIATIONS_IN_68 1.515  /* Rayleigh: 68 % lie within that many deviations of an axis */
#define LIE              0.005  /* single fixes far off that claim to be good */
#define NO_FIX           0.02
#define ZERO_FIX         0.003
#define NOT_TAKEN        0.02
#define DOUBLED          0.008
#define REPEATED         0.004
#define DRIFT_PER_HOUR   0.06
#define GAP_PER_HOUR     0.04
#define DELAY_MEDIAN_S   0.3
#define DELAY_SPREAD     2.4 /* of its logarithm */
#define DELAY_MAX_S      3600.0

void sim_card_init(struct sim_card *card, uint64_t seed, uint32_t day, uint32_t pupil)
{
    *card = (struct sim_card){0};
    sim_random_init(&card->random, seed, SIM_STREAM_CARD, (uint64_t)day << 32 | pupil);
    card->class_no = CLASSES;
    card->error_east = sim_random_normal(&card->random);
    card->error_north = sim_random_normal(&card->random);
    card->battery_pct = sim_random_between(&card->random, 60, 100);
    double clock = sim_random_between(&card->random, 0, 1);
    if (clock < 0.012) {
        card->clock_ahead_ms = (int32_t)sim_random_log_between(&card->random, 2000, 90000);
    } else if (clock < 0.017) {
        card->clock_ahead_ms = -(int32_t)sim_random_log_between(&card->random, 5000, 300000);
    }
}

/* True with the chance that something that happens `per_hour` begins within elapsed_s. */
static bool begins(struct sim_card *card, double per_hour, double elapsed_s)
{
    return sim_random_chance(&card->random, per_hour * elapsed_s / 3600);
}

/* The part of an error that is left after that time. */
static double kept_part(bool indoors, double elapsed_s)
{
    return exp(-elapsed_s / (indoors ? INDOOR_MEMORY_S : OUTDOOR_MEMORY_S));
}

static void choose_class(struct sim_card *card, bool indoors, double elapsed_s)
{
    bool fits = card->class_no < CLASSES && card->class_indoors == indoors;
    if (fits && sim_random_chance(&card->random, kept_part(indoors, elapsed_s))) {
        return;
    }
    const uint16_t *shares = indoors ? indoor_shares : outdoor_shares;
    uint32_t draw = sim_random_below(&card->random, 1000);
    uint8_t class_no = 0;
    while (class_no + 1 < CLASSES && draw >= shares[class_no]) {
        draw -= shares[class_no++];
    }
    card->class_no = class_no;
    card->class_indoors = indoors;
    card->accuracy_m =
        sim_random_log_between(&card->random, class_ends_m[class_no], class_ends_m[class_no + 1]);
}

static enum sim_source choose_source(struct sim_card *card, bool indoors)
{
    switch (card->class_no) {
    case 0:
        return SIM_GNSS;
    case 1:
        return indoors && sim_random_chance(&card->random, 0.5) ? SIM_WIFI : SIM_GNSS;
    case 2:
    case 3:
        return SIM_WIFI;
    case 4:
        return sim_random_chance(&card->random, 0.5) ? SIM_WIFI : SIM_CELL;
    default:
        return SIM_CELL;
    }
}

static void age_errors(struct sim_card *card, bool indoors, double elapsed_s)
{
    double kept = kept_part(indoors, elapsed_s);
    double fresh = sqrt(1 - kept * kept);
    card->error_east = kept * card->error_east + fresh * sim_random_normal(&card->random);
    card->error_north = kept * card->error_north + fresh * sim_random_normal(&card->random);
}

static void see(struct sim_card *card, struct sim_spot truth, bool indoors, double elapsed_s,
                struct sim_fix *ret)
{
    choose_class(card, indoors, elapsed_s);
    age_errors(card, indoors, elapsed_s);
    ret->source = choose_source(card, indoors);
    ret->accuracy_m = card->accuracy_m * sim_random_between(&card->random, 0.95, 1.05);
    double deviation_m = ret->accuracy_m / DEVIATIONS_IN_68;
    ret->spot = (struct sim_spot){truth.east_m + deviation_m * card->error_east,
                                  truth.north_m + deviation_m * card->error_north};
}

/* What a receiver does that its claim does not tell. */
static void deceive(struct sim_card *card, struct sim_spot truth, double elapsed_s,
                    struct sim_fix *fix)
{
    uint32_t now_ms = card->last_ms;
    if (now_ms >= card->drift_end_ms && begins(card, DRIFT_PER_HOUR, elapsed_s)) {
        card->drift_end_ms = now_ms + (uint32_t)sim_random_between(&card->random, 180e3, 480e3);
        card->drift = sim_spot_polar(sim_random_log_between(&card->random, 80, 300),
                                     sim_random_between(&card->random, 0, 2 * SIM_PI));
    }
    bool lies = sim_random_chance(&card->random, LIE);
    struct sim_spot off = card->drift;
    if (lies) {
        off = sim_spot_polar(sim_random_log_between(&card->random, 300, 5000),
                             sim_random_between(&card->random, 0, 2 * SIM_PI));
    } else if (now_ms >= card->drift_end_ms) {
        return;
    }
    fix->source = SIM_GNSS;
    fix->accuracy_m = sim_random_log_between(&card->random, 2, 25);
    double deviation_m = fix->accuracy_m / DEVIATIONS_IN_68;
    fix->spot = (struct sim_spot){
        truth.east_m + off.east_m + deviation_m * card->error_east,
        truth.north_m + off.north_m + deviation_m * card->error_north,
    };
}

/* When the network has it; false: never. */
static bool deliver(struct sim_card *card, double elapsed_s, uint32_t *ret_arrival_ms)
{
    uint32_t now_ms = card->last_ms;
    double delay_s = DELAY_MEDIAN_S * exp(DELAY_SPREAD * sim_random_normal(&card->random));
    delay_s = fmin(delay_s, DELAY_MAX_S);
    if (now_ms >= card->gap_end_ms && begins(card, GAP_PER_HOUR, elapsed_s)) {
        card->gap_end_ms = now_ms + (uint32_t)sim_random_log_between(&card->random, 60e3, 1200e3);
        card->held = 0;
    }
    if (now_ms >= card->gap_end_ms) {
        *ret_arrival_ms = now_ms + (uint32_t)(delay_s * 1000);
        return true;
    }
    if (card->held == SIM_CARD_HELD_MAX) {
        return false;
    }
    card->held++;
    /* at the end of the gap all go at once, the newest and the oldest within a second */
    *ret_arrival_ms = card->gap_end_ms + sim_random_below(&card->random, 1000);
    return true;
}

bool sim_card_fix(struct sim_card *card, uint32_t time_ms, struct sim_spot truth, bool indoors,
                  struct sim_fix *ret)
{
    ASSERT(time_ms >= card->last_ms);
    double elapsed_s = card->last_ms == 0 ? 0 : (time_ms - card->last_ms) / 1000.0;
    struct sim_fix fix = {.has_position = true};
    card->last_ms = time_ms;
    card->battery_pct = fmax(1, card->battery_pct - elapsed_s / 3600 * 4);
    if (sim_random_chance(&card->random, NOT_TAKEN)) {
        return false;
    }
    see(card, truth, indoors, elapsed_s, &fix);
    deceive(card, truth, elapsed_s, &fix);
    if (indoors && sim_random_chance(&card->random, NO_FIX)) {
        fix.has_position = false;
        fix.source = SIM_SOURCE_NONE;
    }
    fix.is_zero = sim_random_chance(&card->random, ZERO_FIX);
    fix.doubled = sim_random_chance(&card->random, DOUBLED);
    fix.repeated = sim_random_chance(&card->random, REPEATED);
    fix.battery_pct = (uint8_t)card->battery_pct;
    fix.stamp_ms = (int32_t)time_ms + card->clock_ahead_ms;
    if (!deliver(card, elapsed_s, &fix.arrival_ms)) {
        return false;
    }
    *ret = fix;
    return true;
}
