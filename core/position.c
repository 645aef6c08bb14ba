/* What fixes and passes say, of which fences. docs/presence.md tells why. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "core/engine_internal.h"
#include "core/evidence.h"

enum {
    NEAR_SIGMAS = 4,  /* as far as words differ */
    REACH_SIGMAS = 5, /* and beyond where all are firm */
    REACH_CM = 50000, /* as far as a lasting lie may lead */
    WORTH_A_PLACE_MN = -2000,
    CLEAR_SIGMA_M = 20, /* up to there a fix tells clearly where the pupil is */
};

static uint32_t since_set(const struct engine *engine, uint32_t fence_no)
{
    return fence_no < FENCE_NUMBERS_REMEMBERED ? engine->fence_memory[fence_no].since_set
                                               : engine->set;
}

bool fence_is_known(const struct engine *engine, uint32_t pupil_no, uint32_t fence_no)
{
    return since_set(engine, fence_no) <= engine->pupils[pupil_no].settled_in;
}

void pupil_rebase(struct engine *engine, uint32_t pupil_no)
{
    struct pupil_state *pupil = &engine->pupils[pupil_no];
    while (pupil->first != 0) {
        presences_drop(&engine->presences, pupil->first);
    }
    pupil->settled_in = pupil->base_set = pupil->quiet = 0;
    pupil->base_mn = 0;
}

/* A word on a fence without a place: outside as far as is known, or unknown with what the fixes far
 * from it have put there. */
static void weigh_new(struct step *step, const struct word *word)
{
    struct engine *engine = step->engine;
    bool known = fence_is_known(engine, step->pupil_no, word->fence->no);
    if (word->mn <= (known ? 0 : WORTH_A_PLACE_MN)) {
        return;
    }
    uint32_t place = presences_add(&engine->presences, step->pupil_no, word->fence->no);
    if (place == 0) {
        return;
    }
    struct presence *presence = &engine->presences.items[place];
    presence->state = known ? PRESENCE_OUTSIDE : PRESENCE_UNKNOWN;
    presence->sum_mn = (int16_t)(known ? 0 : -engine->pupils[step->pupil_no].base_mn);
    step_weigh(step, place, word);
}

/* A fix among the fences: those that cover it, by ascending shape. */
struct surroundings {
    const struct fence_set *fences;
    struct geo_point point;
    int32_t sigma_cm;
    float near_m, reach_m; /* as far as words differ, and as far as distances are told */
    bool is_leap;          /* nobody is so fast: this fix or the one before it lies */
    bool is_asked;         /* somebody asks why: exactly, please */
    uint32_t count;
    const uint32_t *covering;
};

static bool is_covered(const struct surroundings *here, uint32_t shape)
{
    uint32_t i = 0;
    while (i < here->count && here->covering[i] != shape) {
        i++;
    }
    return i < here->count;
}

/* As near as that nothing firm is said of a boundary. */
static uint32_t firm_cm(const struct surroundings *here, bool covers)
{
    return (uint32_t)here->sigma_cm * (covers ? EVIDENCE_FIRM_IN : EVIDENCE_FIRM_OUT) / 16;
}

/* More than the way from one point to the other, in metres: what is true at the equator, and the
 * longer side with half of the shorter one for the root. */
static uint64_t way_at_most_m(struct geo_point a, struct geo_point b)
{
    uint64_t north = (uint64_t)llabs((long long)b.lat_e7 - a.lat_e7);
    uint64_t east = (uint64_t)llabs((long long)b.lon_e7 - a.lon_e7);
    uint64_t steps = north > east ? north + east / 2 : east + north / 2;
    return steps / 89 + 1; /* 1.12 cm each */
}

/* Without measuring: is the fix known to say nothing firm of the fence, the boundary being near? */
static bool is_vague(const struct surroundings *here, const struct presence *presence, bool covers)
{
    const uint32_t told_m_max = REACH_CM / 100; /* those that were cut off are more */
    if (here->is_asked || presence == NULL || presence->away_m >= told_m_max) {
        return false;
    }
    uint64_t away_m = presence->away_m + 1u + way_at_most_m(presence->measured, here->point);
    return here->is_leap || away_m * 100 < firm_cm(here, covers);
}

/* What the fix says of a fence, by its distance; one that is not near is far outside. Of a word that is
 * not firm only the sign counts. */
static void put_word(const struct surroundings *here, uint32_t shape,
                     const struct presence *presence, struct word *ret)
{
    bool covers = is_covered(here, shape);
    ret->fence = &here->fences->items[shape];
    ret->away_m = 0;
    ret->firm = false;
    ret->mn = covers ? 1 : -1;
    ret->is_measured = !is_vague(here, presence, covers);
    if (!ret->is_measured) {
        return;
    }
    float distance_m =
        geo_index_distance(here->fences->index, shape, here->point, covers, here->reach_m);
    int32_t distance_cm = (int32_t)(distance_m * 100.0F);
    uint32_t away_cm = (uint32_t)(distance_cm < 0 ? -distance_cm : distance_cm);
    int32_t mn = evidence_position_mn(distance_cm, here->sigma_cm);
    ret->mn = mn != 0 ? mn : ret->mn;
    ret->away_m = away_cm / 100;
    ret->firm = !here->is_leap && away_cm >= firm_cm(here, covers);
}

static void weigh_presences(struct step *step, const struct surroundings *here, struct word word)
{
    struct engine *engine = step->engine;
    uint32_t place = engine->pupils[step->pupil_no].first;
    while (place != 0) {
        struct presence *presence = &engine->presences.items[place];
        uint32_t next = presence->next;
        word.fence = fence_set_by_no(here->fences, presence->fence_no);
        if (word.fence == NULL || !concerns(step, word.fence)) {
            presences_drop(&engine->presences, place);
        } else {
            put_word(here, (uint32_t)(word.fence - here->fences->items), presence, &word);
            step_weigh(step, place, &word);
        }
        place = next;
    }
}

/* The shapes whose fences this fix may give a place: those that cover it, and near ones too where the
 * pupil is not known to be outside of all others. Returns how many. */
static uint32_t candidates(const struct step *step, const struct surroundings *here,
                           uint32_t ret[GEO_FOUND_MAX])
{
    const struct engine *engine = step->engine;
    if (engine->pupils[step->pupil_no].settled_in == engine->set) {
        memcpy(ret, here->covering, here->count * sizeof *ret);
        return here->count;
    }
    struct geo_near near[GEO_FOUND_MAX];
    uint32_t count =
        geo_index_near(here->fences->index, here->point, here->near_m, near, GEO_FOUND_MAX);
    count = count < GEO_FOUND_MAX ? count : GEO_FOUND_MAX; /* those left out do not cover it */
    for (uint32_t i = 0; i < count; i++) {
        ret[i] = near[i].shape;
    }
    return count;
}

/* Everything without a place is as far as this fix says, once more. */
static void settle_base(struct engine *engine, uint32_t pupil_no, int32_t weight, int64_t dt_ms)
{
    struct pupil_state *pupil = &engine->pupils[pupil_no];
    if (pupil->settled_in == engine->set) {
        return;
    }
    int32_t sum = evidence_fade(pupil->base_mn, 0, dt_ms) + EVIDENCE_CAP_MN * weight / EVIDENCE_ONE;
    if (sum >= engine->limits.policy.leave_mn) {
        pupil->settled_in = engine->set;
        sum = 0;
    }
    pupil->base_mn = (uint16_t)sum;
}

static void begin_base(struct engine *engine, uint32_t pupil_no)
{
    struct pupil_state *pupil = &engine->pupils[pupil_no];
    if (pupil->base_set != engine->set) {
        pupil->base_set = engine->set;
        pupil->base_mn = 0;
    }
}

/* Who goes from one place to the next has left before arriving: stable, leaving first. */
static void order_crossings(const struct step *step)
{
    struct alert *alerts = step->outbox->alerts;
    uint32_t next = step->outbox_start;
    for (uint32_t i = next; i < step->outbox->count; i++) {
        if (alerts[i].type != ALERT_LEFT) {
            continue;
        }
        struct alert left;
        memcpy(&left, &alerts[i], sizeof left); /* padding too: equal alerts are equal bytes */
        memmove(&alerts[next + 1], &alerts[next], (i - next) * sizeof *alerts);
        memcpy(&alerts[next++], &left, sizeof left);
    }
}

/* Would another fix among just the same fences tell nothing new? */
static bool is_quiet(const struct step *step, const struct surroundings *here)
{
    const struct engine *engine = step->engine;
    const struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    uint32_t inside = 0, covering = 0;
    for (uint32_t place = pupil->first; place != 0; inside++) {
        const struct presence *presence = &engine->presences.items[place];
        const struct fence *fence = fence_set_by_no(here->fences, presence->fence_no);
        if (!presence_is_quiet(presence) || fence == NULL ||
            !is_covered(here, (uint32_t)(fence - here->fences->items))) {
            return false;
        }
        place = presence->next;
    }
    for (uint32_t i = 0; i < here->count; i++) {
        covering += concerns(step, &here->fences->items[here->covering[i]]);
    }
    return inside == covering && pupil->settled_in == engine->set;
}

/* The number of the set of shapes that cover the point. */
static uint32_t find_set(struct engine *engine, struct geo_point point)
{
    for (uint32_t i = engine->expected_next; i < engine->expected_count; i++) {
        const struct expected *expected = &engine->expected[i];
        if (expected->point.lat_e7 == point.lat_e7 && expected->point.lon_e7 == point.lon_e7) {
            engine->expected_next = i + 1;
            return expected->set;
        }
    }
    uint32_t set;
    geo_index_find_batch(engine->fences->index, &point, 1, &set);
    return set;
}

/* What has no place yet is found before the held ones move: some of them lose theirs. */
static void weigh_all(struct step *step, const struct surroundings *here, struct word word)
{
    struct engine *engine = step->engine;
    uint32_t fresh[GEO_FOUND_MAX], fresh_count = 0;
    uint32_t count = candidates(step, here, fresh);
    for (uint32_t i = 0; i < count; i++) {
        const struct fence *fence = &here->fences->items[fresh[i]];
        if (concerns(step, fence) &&
            presences_find(&engine->presences, step->pupil_no, fence->no) == 0) {
            fresh[fresh_count++] = fresh[i];
        }
    }
    weigh_presences(step, here, word);
    for (uint32_t i = 0; i < fresh_count; i++) {
        put_word(here, fresh[i], NULL, &word);
        weigh_new(step, &word);
    }
}

static void evaluate(struct step *step, int64_t dt_ms, int64_t clear_ms)
{
    struct engine *engine = step->engine;
    struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    const uint32_t set = find_set(engine, step->event->point);
    if (pupil->quiet == set + 1 && engine->tell == NULL) {
        return;
    }
    struct surroundings here = {
        .fences = engine->fences, .point = step->event->point, .sigma_cm = step->sigma_cm};
    here.covering = geo_index_set(here.fences->index, set, &here.count);
    int32_t reach_cm = here.sigma_cm * REACH_SIGMAS;
    here.near_m = (float)(here.sigma_cm * NEAR_SIGMAS) / 100.0F;
    here.reach_m = (float)(reach_cm > REACH_CM ? reach_cm : REACH_CM) / 100.0F;
    here.is_leap = passage_is_leap(pupil->before, step->event->point,
                                   (int64_t)pupil->before_sigma_m + pupil->sigma_m, dt_ms);
    here.is_asked = engine->tell != NULL || pupil->settled_in != engine->set;
    const struct word word = {
        .weight = evidence_weight(dt_ms), .dt_ms = dt_ms, .clear_ms = clear_ms};
    begin_base(engine, step->pupil_no);
    weigh_all(step, &here, word);
    settle_base(engine, step->pupil_no, word.weight, dt_ms);
    order_crossings(step);
    pupil->quiet = is_quiet(step, &here) ? set + 1 : 0;
}

/* A fix from between those that were taken. */
static void weigh_late_fix(struct step *step)
{
    struct engine *engine = step->engine;
    const struct event *fix = step->event;
    const struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    int64_t behind_ms = pupil->last_ms - fix->time_ms;
    if (behind_ms > FIX_BEHIND_MS_MAX || pupil->first == 0 || evidence_too_vague(fix)) {
        return;
    }
    int32_t sigma_cm = evidence_sigma_cm(fix);
    struct surroundings here = {.fences = engine->fences,
                                .point = fix->point,
                                .sigma_cm = sigma_cm,
                                .reach_m = (float)REACH_CM / 100.0F,
                                .is_asked = true};
    here.covering = geo_index_set(here.fences->index, find_set(engine, fix->point), &here.count);
    here.is_leap = passage_is_leap(fix->point, pupil->point,
                                   (int64_t)pupil->sigma_m + (sigma_cm + 99) / 100, behind_ms);
    const struct word word = {.weight = EVIDENCE_ONE, .is_late = true};
    weigh_presences(step, &here, word);
    engine->stats.late_fixes++;
}

/* A fix too vague to tell anything: what is under way goes on without its word. */
static void doubt(struct step *step)
{
    struct engine *engine = step->engine;
    uint32_t place = engine->pupils[step->pupil_no].first, next;
    for (; place != 0; place = next) {
        struct presence *presence = &engine->presences.items[place];
        next = presence->next;
        struct word word = {.fence = fence_set_by_no(engine->fences, presence->fence_no)};
        if (word.fence != NULL) {
            step_weigh(step, place, &word);
        }
    }
}

/* Fixes that move nobody are counted by their reason. */
static bool moves(struct step *step, const struct pupil_state *pupil)
{
    struct engine_stats *stats = &step->engine->stats;
    const struct event *fix = step->event;
    if ((fix->flags & EVENT_NO_POSITION) != 0) {
        stats->no_position++;
        return false;
    }
    if (pupil_has_position(pupil) && fix->time_ms <= pupil->last_ms) {
        if (fix->time_ms == pupil->last_ms) {
            stats->repeats++;
        } else {
            stats->out_of_order++;
            if (step->engine->fences != NULL && step->engine->fences->count > 0) {
                weigh_late_fix(step);
            }
        }
        return false;
    }
    if (evidence_too_vague(fix)) {
        stats->too_vague++;
        step->engine->pupils[step->pupil_no].was_vague = true;
        if (step->engine->fences != NULL) {
            doubt(step);
        }
        return false;
    }
    return true;
}

static void take_fix(struct pupil_state *pupil, const struct event *fix, int32_t sigma_cm)
{
    int32_t sigma_m = (sigma_cm + 99) / 100;
    bool is_vague = sigma_m > CLEAR_SIGMA_M;
    pupil->clear_s =
        !is_vague && !pupil->was_vague
            ? (uint16_t)0
            : whole_seconds(fix->time_ms - pupil->last_ms + pupil->clear_s * INT64_C(1000));
    pupil->was_vague = is_vague;
    pupil->way_s = passage_way_s(pupil, fix, sigma_cm);
    pupil->before = pupil->point;
    pupil->before_sigma_m = pupil->sigma_m;
    pupil->last_ms = fix->time_ms;
    pupil->point = fix->point;
    pupil->accuracy_cm =
        (fix->flags & EVENT_HAS_ACCURACY) != 0 ? (uint16_t)fix->accuracy_cm : (uint16_t)0;
    pupil->sigma_m = sigma_m < UINT8_MAX ? (uint8_t)sigma_m : (uint8_t)UINT8_MAX;
}

void step_fix(struct step *step)
{
    struct engine *engine = step->engine;
    engine->stats.fixes++;
    if (step->pupil_no == 0) {
        return;
    }
    struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    const struct event *fix = step->event;
    if (!moves(step, pupil)) {
        return;
    }
    step->sigma_cm = evidence_sigma_cm(fix);
    bool fenced = engine->fences != NULL && engine->fences->count > 0;
    if (fenced) {
        step_passage(step);
    }
    int64_t dt_ms = pupil_has_position(pupil) ? fix->time_ms - pupil->last_ms : INT32_MAX;
    int64_t clear_ms = pupil->last_ms - pupil->clear_s * INT64_C(1000);
    take_fix(pupil, fix, step->sigma_cm);
    if (fenced) {
        evaluate(step, dt_ms, clear_ms);
    }
}

void step_weigh_pass(struct step *step, uint32_t school_no)
{
    struct engine *engine = step->engine;
    const struct event *pass = step->event;
    struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    if (engine->fences == NULL || pass->kind == PASS_UNKNOWN || school_no != step->school_no ||
        (pupil_has_position(pupil) && pass->time_ms + PASS_BEHIND_MS_MAX < pupil->last_ms)) {
        return;
    }
    pupil->quiet = 0;
    begin_base(engine, step->pupil_no);
    const uint32_t *grounds;
    uint32_t count = fence_set_grounds(engine->fences, school_no, &grounds);
    for (uint32_t i = 0; i < count; i++) {
        struct word word = {.fence = &engine->fences->items[grounds[i]],
                            .mn = pass->kind == PASS_IN ? EVIDENCE_PASS_MN : -EVIDENCE_PASS_MN,
                            .weight = EVIDENCE_ONE,
                            .firm = true};
        uint32_t place = presences_find(&engine->presences, step->pupil_no, word.fence->no);
        if (place != 0) {
            step_weigh(step, place, &word);
        } else {
            weigh_new(step, &word);
        }
    }
}
