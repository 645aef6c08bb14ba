/* Fixes and passes as evidence: who moves across which fence. docs/presence.md tells why. */
#include <string.h>

#include "base/assert.h"
#include "core/engine_internal.h"
#include "core/evidence.h"

enum { REACH_SIGMAS = 4 /* as far as words differ */, WORTH_A_PLACE_MN = -2000 };

/* One word on one fence. */
struct word {
    const struct fence *fence;
    int32_t mn, weight;
    int64_t dt_ms; /* since the sums were last faded */
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
    while (engine->presences.first[pupil_no] != 0) {
        presences_drop(&engine->presences, engine->presences.first[pupil_no]);
    }
    struct pupil_state *pupil = &engine->pupils[pupil_no];
    pupil->settled_in = pupil->base_set = 0;
    pupil->base_mn = 0;
}

static int32_t enter_threshold(const struct fence *fence)
{
    return fence->kind == FENCE_DANGER ? EVIDENCE_DANGER_MN : EVIDENCE_ENTER_MN;
}

void step_raise_crossing(struct step *step, const struct fence *fence, enum alert_type type,
                         int64_t time_ms)
{
    enum severity severity = (enum severity)fence->severity;
    if (fence->severity == 0) {
        severity = type == ALERT_DANGER ? SEVERITY_WARNING : SEVERITY_INFO;
    }
    struct alert *alert = step_raise(step, type, severity, time_ms);
    alert->fence_no = fence->no;
    alert->fence_version = fence->version;
}

static void settle_unknown(struct step *step, uint32_t place, const struct word *word, int32_t sum)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    if (sum >= enter_threshold(word->fence)) {
        presence->state = PRESENCE_INSIDE;
        presence->run_ms = 0;
        sum = 0;
    } else if (sum <= -EVIDENCE_LEAVE_MN) {
        if (fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
            presences_drop(presences, place);
            return;
        }
        sum = -EVIDENCE_LEAVE_MN;
    }
    presence->sum_mn = (int16_t)sum;
    presences_touch(presences, place);
}

static void settle_inside(struct step *step, uint32_t place, const struct word *word, int32_t sum)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    bool left = sum <= -EVIDENCE_LEAVE_MN && step_has_room(step);
    if (left) {
        if (word->fence->kind != FENCE_DANGER) {
            step_raise_crossing(step, word->fence, ALERT_LEFT, presence->run_ms);
        }
        if (fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
            presences_drop(presences, place);
            return;
        }
        presence->state = PRESENCE_OUTSIDE;
        presence->run_ms = 0;
        sum = 0;
    }
    presence->sum_mn = (int16_t)(sum < -EVIDENCE_LEAVE_MN ? -EVIDENCE_LEAVE_MN : sum);
    presences_touch(presences, place);
}

static void settle_outside(struct step *step, uint32_t place, const struct word *word, int32_t sum)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    int32_t threshold = enter_threshold(word->fence);
    if (sum >= threshold && step_has_room(step)) {
        step_raise_crossing(step, word->fence,
                            word->fence->kind == FENCE_DANGER ? ALERT_DANGER : ALERT_ENTERED,
                            presence->run_ms);
        presence->state = PRESENCE_INSIDE;
        presence->run_ms = 0;
        sum = 0;
    } else if (sum == 0 && fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
        presences_drop(presences, place);
        return;
    }
    presence->sum_mn = (int16_t)(sum > threshold ? threshold : sum);
    presences_touch(presences, place);
}

/* Adds the word to the sum and draws the consequence. The place may be free afterwards. */
static void weigh(struct step *step, uint32_t place, const struct word *word)
{
    struct presence *presence = &step->engine->presences.items[place];
    bool inside = presence->state == PRESENCE_INSIDE;
    bool against = inside ? word->mn < 0 : word->mn > 0;
    /* A word that contradicts the one before cannot share its error: it counts in full. */
    bool turned = word->mn != 0 && against == (presence->run_ms == 0);
    if (turned) {
        presence->run_ms = against ? passage_crossing_ms(step, word->fence, word->dt_ms) : 0;
    } else if (against && step->event->type == EVENT_PASS) {
        presence->run_ms = step->event->time_ms; /* the gate saw what fixes let guess */
    }
    int32_t sum = evidence_fade(presence->sum_mn, word->dt_ms);
    sum = evidence_add(sum, word->mn, turned ? EVIDENCE_ONE : word->weight);
    if (inside) {
        settle_inside(step, place, word, sum < 0 ? sum : 0);
    } else if (presence->state == PRESENCE_OUTSIDE) {
        settle_outside(step, place, word, sum > 0 ? sum : 0);
    } else {
        settle_unknown(step, place, word, sum);
    }
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
    weigh(step, place, word);
}

/* A fix among the fences: those that cover it, by ascending shape. */
struct surroundings {
    const struct fence_set *fences;
    struct geo_point point;
    int32_t sigma_cm;
    float reach_m;
    uint32_t count, *covering;
};

/* The word on a fence, by its distance; one that is not near is far outside. */
static int32_t word_on(const struct surroundings *here, uint32_t shape)
{
    bool covers = false;
    for (uint32_t i = 0; i < here->count; i++) {
        covers |= here->covering[i] == shape;
    }
    float distance_m =
        geo_index_distance(here->fences->index, shape, here->point, covers, here->reach_m);
    return evidence_position_mn((int32_t)(distance_m * 100.0F), here->sigma_cm);
}

static void weigh_presences(struct step *step, const struct surroundings *here, struct word word)
{
    struct engine *engine = step->engine;
    uint32_t place = engine->presences.first[step->pupil_no];
    while (place != 0) {
        struct presence *presence = &engine->presences.items[place];
        uint32_t next = presence->next;
        word.fence = fence_set_by_no(here->fences, presence->fence_no);
        if (word.fence == NULL || !concerns(step, word.fence)) {
            presences_drop(&engine->presences, place);
        } else {
            word.mn = word_on(here, (uint32_t)(word.fence - here->fences->items));
            weigh(step, place, &word);
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
        geo_index_near(here->fences->index, here->point, here->reach_m, near, GEO_FOUND_MAX);
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
    int32_t sum = evidence_fade(pupil->base_mn, dt_ms) + EVIDENCE_CAP_MN * weight / EVIDENCE_ONE;
    if (sum >= EVIDENCE_LEAVE_MN) {
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

static void evaluate(struct step *step, int64_t dt_ms)
{
    struct engine *engine = step->engine;
    uint32_t covering[GEO_FOUND_MAX];
    struct surroundings here = {.fences = engine->fences,
                                .point = step->event->point,
                                .sigma_cm = evidence_sigma_cm(step->event),
                                .covering = covering};
    here.reach_m = (float)(here.sigma_cm * REACH_SIGMAS) / 100.0F;
    here.count = geo_index_find(here.fences->index, here.point, covering);
    struct word word = {.weight = evidence_weight(dt_ms), .dt_ms = dt_ms};
    begin_base(engine, step->pupil_no);
    /* What has no place yet is found before the held ones move: some of them lose theirs. */
    uint32_t fresh[GEO_FOUND_MAX], fresh_count = 0;
    uint32_t count = candidates(step, &here, fresh);
    for (uint32_t i = 0; i < count; i++) {
        const struct fence *fence = &here.fences->items[fresh[i]];
        if (concerns(step, fence) &&
            presences_find(&engine->presences, step->pupil_no, fence->no) == 0) {
            fresh[fresh_count++] = fresh[i];
        }
    }
    weigh_presences(step, &here, word);
    for (uint32_t i = 0; i < fresh_count; i++) {
        word.fence = &here.fences->items[fresh[i]];
        word.mn = word_on(&here, fresh[i]);
        weigh_new(step, &word);
    }
    settle_base(engine, step->pupil_no, word.weight, dt_ms);
    order_crossings(step);
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
    if (evidence_too_vague(fix)) {
        stats->too_vague++;
        return false;
    }
    if (pupil_has_position(pupil) && fix->time_ms <= pupil->last_ms) {
        if (fix->time_ms == pupil->last_ms) {
            stats->repeats++;
        } else {
            stats->out_of_order++;
        }
        return false;
    }
    return true;
}

static void take_fix(struct pupil_state *pupil, const struct event *fix)
{
    int32_t sigma_m = (evidence_sigma_cm(fix) + 99) / 100;
    pupil->way_s = passage_way_s(pupil, fix);
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
    bool fenced = engine->fences != NULL && engine->fences->count > 0;
    if (fenced) {
        step_passage(step);
    }
    int64_t dt_ms = pupil_has_position(pupil) ? fix->time_ms - pupil->last_ms : INT32_MAX;
    take_fix(pupil, fix);
    if (fenced) {
        evaluate(step, dt_ms);
    }
}

void step_weigh_pass(struct step *step, uint32_t school_no)
{
    struct engine *engine = step->engine;
    const struct event *pass = step->event;
    const struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    if (engine->fences == NULL || pass->kind == PASS_UNKNOWN || school_no != step->school_no ||
        (pupil_has_position(pupil) && pass->time_ms + PASS_BEHIND_MS_MAX < pupil->last_ms)) {
        return;
    }
    begin_base(engine, step->pupil_no);
    const uint32_t *grounds;
    uint32_t count = fence_set_grounds(engine->fences, school_no, &grounds);
    for (uint32_t i = 0; i < count; i++) {
        struct word word = {.fence = &engine->fences->items[grounds[i]],
                            .mn = pass->kind == PASS_IN ? EVIDENCE_PASS_MN : -EVIDENCE_PASS_MN,
                            .weight = EVIDENCE_ONE};
        uint32_t place = presences_find(&engine->presences, step->pupil_no, word.fence->no);
        if (place != 0) {
            weigh(step, place, &word);
        } else {
            weigh_new(step, &word);
        }
    }
}
