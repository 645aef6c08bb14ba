/* Fixes and passes as evidence: who moves across which fence. docs/presence.md tells why. */
#include <string.h>

#include "base/assert.h"
#include "core/engine_internal.h"
#include "core/evidence.h"

enum {
    REACH_SIGMAS = 5, /* as far as words differ, and all that are firm */
    REACH_CM = 50000, /* as far as a lasting lie may lead */
    PASS_BELIEVED_MS = 600000,
    SUM_OVER_MN = 1200, /* a third of a word: the streak is over */
    WORTH_A_PLACE_MN = -2000,
    CLEAR_SIGMA_M = 20,
    VAGUE_MS_MAX = 300000, /* a run that was vague for longer did not begin there */
};

/* One word on one fence. Words that are not firm do not count. */
struct word {
    const struct fence *fence;
    int32_t mn, weight;
    uint32_t away_m; /* of a fix from the boundary */
    bool firm;
    int64_t dt_ms;    /* since the sums were last faded */
    int64_t clear_ms; /* when it was last clear where the pupil was */
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

struct alert *step_raise_crossing(struct step *step, const struct fence *fence,
                                  enum alert_type type, int64_t time_ms)
{
    enum severity severity = (enum severity)fence->severity;
    if (fence->severity == 0) {
        severity = type == ALERT_DANGER ? SEVERITY_WARNING : SEVERITY_INFO;
    }
    struct alert *alert = step_raise(step, type, severity, time_ms);
    alert->fence_no = fence->no;
    alert->fence_version = fence->version;
    return alert;
}

/* ---- runs of evidence ---- */

static uint16_t seconds(int64_t ms)
{
    return (uint16_t)(ms <= 0 ? 0 : ms / 1000 < UINT16_MAX ? ms / 1000 : UINT16_MAX);
}

static void end_streak(struct presence *presence)
{
    presence->lasts_s = presence->away_m = 0;
    presence->flags &= (uint8_t) ~(PRESENCE_STREAK_FOR | PRESENCE_LAST_FIRM | PRESENCE_FIRM);
}

static void end_run(struct presence *presence)
{
    presence->run_ms = 0;
    presence->since_s = 0;
    presence->flags &= (uint8_t) ~(PRESENCE_PASSED | PRESENCE_DENIED);
    end_streak(presence);
}

/* What of the sum is owed to a pass. */
static int32_t pass_mn(const struct presence *presence)
{
    if ((presence->flags & PRESENCE_PASSED) == 0) {
        return 0;
    }
    return presence->state == PRESENCE_INSIDE ? -EVIDENCE_PASS_MN : EVIDENCE_PASS_MN;
}

/* Who leaves is in the open and seen clearly at once, who arrives is seen vaguely from then on: a run
 * that was vague for long was the walls, where it is one of leaving. */
static void date_run(const struct step *step, struct presence *presence, const struct word *word,
                     bool gets_firm)
{
    int64_t now_ms = step->event->time_ms, before_ms = word->clear_ms;
    bool anew = gets_firm && (presence->flags & PRESENCE_PASSED) == 0 &&
                ((presence->flags & PRESENCE_DENIED) != 0 ||
                 (presence->state == PRESENCE_INSIDE && now_ms - presence->run_ms > VAGUE_MS_MAX));
    if (presence->run_ms != 0 && !anew) {
        return;
    }
    if (presence->run_ms != 0) {
        before_ms = presence->run_ms - presence->since_s * INT64_C(1000);
    }
    presence->run_ms = passage_crossing_ms(step, word->fence, word->dt_ms);
    presence->since_s = seconds(presence->run_ms - before_ms + 999);
    presence->flags &= (uint8_t)~PRESENCE_DENIED;
}

/* Takes the fix into the streak. Returns how far the boundary is from it and from the one before it, at
 * least: a single lie does not lead both away. */
static uint32_t go_on(struct presence *presence, const struct word *word, bool against)
{
    bool same = ((presence->flags & PRESENCE_STREAK_FOR) == 0) == against;
    bool goes_on = same && (presence->flags & PRESENCE_LAST_FIRM) != 0;
    if (!word->firm) {
        presence->flags &= (uint8_t)~PRESENCE_LAST_FIRM;
        presence->away_m = 0;
        return 0;
    }
    if (!same) {
        end_streak(presence); /* a lie that lasted is over */
        presence->flags |= against ? 0 : PRESENCE_STREAK_FOR;
    }
    if (goes_on) {
        presence->lasts_s = seconds(presence->lasts_s * INT64_C(1000) + word->dt_ms);
        presence->flags |= against ? 0 : PRESENCE_DENIED;
    }
    uint32_t before_m = presence->away_m;
    presence->flags |= PRESENCE_LAST_FIRM;
    presence->away_m = (uint16_t)word->away_m;
    return before_m < word->away_m ? before_m : word->away_m;
}

/* What a streak is worth at most: one lie that lasts may have told it all, or a single one before it
 * all but the first fix. */
static int32_t streak_mn(const struct presence *presence, const struct word *word, uint32_t away_m)
{
    if ((presence->flags & PRESENCE_LAST_FIRM) == 0) {
        return 0;
    }
    int64_t lasts_ms = presence->lasts_s * INT64_C(1000);
    int64_t less_ms = lasts_ms > word->dt_ms ? lasts_ms - word->dt_ms : 0;
    int32_t all = evidence_lasting_mn(lasts_ms, away_m);
    int32_t less = evidence_lasting_mn(less_ms, away_m) + EVIDENCE_LIE_BEFORE_MN;
    return less < all ? less : all;
}

/* Is nothing else left that would explain the run? Single lies are behind the sum, the noise of a
 * place behind firm words; there remains a lie that lasts. A gate knows better than that, and a pass
 * that nothing has contradicted for long is believed. */
static bool is_sure(const struct step *step, const struct presence *presence, int32_t streak,
                    int32_t sum, int32_t threshold, int32_t streak_min)
{
    if ((presence->flags & PRESENCE_PASSED) != 0) {
        return sum >= threshold || (sum >= EVIDENCE_PASS_MN &&
                                    step->event->time_ms - presence->run_ms >= PASS_BELIEVED_MS);
    }
    return sum >= threshold && (presence->flags & PRESENCE_STREAK_FOR) == 0 && streak >= streak_min;
}

/* Is it as sure as any state must be that there was nothing? By three fixes or more. */
static bool is_over(const struct presence *presence, const struct word *word, int32_t streak)
{
    return (presence->flags & PRESENCE_STREAK_FOR) != 0 && streak >= EVIDENCE_LEAVE_MN &&
           presence->lasts_s * INT64_C(1000) > word->dt_ms + word->dt_ms / 2;
}

static void raise_run(struct step *step, const struct presence *presence, const struct fence *fence,
                      enum alert_type type)
{
    struct alert *alert = step_raise_crossing(step, fence, type, presence->run_ms);
    alert->earliest_ms = presence->run_ms - presence->since_s * INT64_C(1000);
    alert->latest_ms =
        (presence->flags & PRESENCE_PASSED) != 0 ? presence->run_ms : step->event->time_ms;
}

/* ---- states ---- */

static void settle_unknown(struct step *step, uint32_t place, const struct word *word, int32_t sum)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    if (sum >= enter_threshold(word->fence)) {
        presence->state = PRESENCE_INSIDE;
        end_run(presence);
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

static void settle_inside(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                          int32_t streak)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    bool left = is_sure(step, presence, streak, -sum, EVIDENCE_LEAVE_MN, EVIDENCE_LEAVE_MN) &&
                step_has_room(step);
    if (left) {
        if (word->fence->kind != FENCE_DANGER) {
            raise_run(step, presence, word->fence, ALERT_LEFT);
        }
        if (fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
            presences_drop(presences, place);
            return;
        }
        presence->state = PRESENCE_OUTSIDE;
        sum = 0;
    }
    if (left || (sum == 0 && is_over(presence, word, streak))) {
        end_run(presence);
    }
    presence->sum_mn = (int16_t)(sum < -EVIDENCE_SUM_MN_MAX ? -EVIDENCE_SUM_MN_MAX : sum);
    presences_touch(presences, place);
}

static bool has_entered(const struct step *step, const struct presence *presence,
                        const struct fence *fence, int32_t sum, int32_t streak)
{
    if (fence->kind == FENCE_DANGER) {
        return sum >= EVIDENCE_DANGER_MN;
    }
    return is_sure(step, presence, streak, sum, EVIDENCE_ENTER_MN,
                   EVIDENCE_ENTER_MN - EVIDENCE_HIT_MN);
}

static void settle_outside(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                           int32_t streak)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    bool entered =
        has_entered(step, presence, word->fence, sum, streak) && step_has_room(step);
    bool over = sum == 0 && is_over(presence, word, streak);
    if (entered) {
        raise_run(step, presence, word->fence,
                  word->fence->kind == FENCE_DANGER ? ALERT_DANGER : ALERT_ENTERED);
        presence->state = PRESENCE_INSIDE;
        sum = 0;
    } else if (over && fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
        presences_drop(presences, place);
        return;
    }
    if (entered || over) {
        end_run(presence);
    }
    presence->sum_mn = (int16_t)(sum > EVIDENCE_SUM_MN_MAX ? EVIDENCE_SUM_MN_MAX : sum);
    presences_touch(presences, place);
}

/* What is not firm adds nothing and makes what was said before it doubtful, for a lie stands alone.
 * Firm words of the same minute share errors, unless they contradict each other. */
static int32_t add_word(const struct presence *presence, const struct word *word, bool goes_on)
{
    int32_t base_mn = pass_mn(presence);
    int32_t sum = evidence_fade(presence->sum_mn, base_mn, word->dt_ms);
    return !word->firm ? evidence_doubt(sum, base_mn)
                       : sum + word->mn * (goes_on ? word->weight : EVIDENCE_ONE) / EVIDENCE_ONE;
}

/* Fixes deny a pass by no more than their streak is worth. */
static int32_t keep_pass(const struct presence *presence, int32_t sum, int32_t streak)
{
    int32_t left_mn = EVIDENCE_PASS_MN - streak;
    if ((presence->flags & PRESENCE_PASSED) == 0 || left_mn <= 0) {
        return sum;
    }
    return presence->state == PRESENCE_INSIDE ? (sum > -left_mn ? -left_mn : sum)
                                              : (sum < left_mn ? left_mn : sum);
}

static void settle(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                   int32_t streak)
{
    switch ((enum presence_state)step->engine->presences.items[place].state) {
    case PRESENCE_INSIDE:
        settle_inside(step, place, word, sum < 0 ? sum : 0, streak);
        break;
    case PRESENCE_OUTSIDE:
        settle_outside(step, place, word, sum > 0 ? sum : 0, streak);
        break;
    case PRESENCE_UNKNOWN:
        settle_unknown(step, place, word, sum);
        break;
    }
}

static void weigh_fix(struct step *step, uint32_t place, const struct word *word)
{
    struct presence *presence = &step->engine->presences.items[place];
    bool against = presence->state == PRESENCE_INSIDE ? word->mn < 0 : word->mn > 0;
    bool same = ((presence->flags & PRESENCE_STREAK_FOR) == 0) == against;
    int32_t sum =
        add_word(presence, word, same && (presence->flags & PRESENCE_LAST_FIRM) != 0);
    uint32_t away_m = go_on(presence, word, against);
    if (against) {
        date_run(step, presence, word, word->firm && (presence->flags & PRESENCE_FIRM) == 0);
        presence->flags |= word->firm ? PRESENCE_FIRM : 0;
    }
    int32_t streak = streak_mn(presence, word, away_m);
    if ((presence->flags & PRESENCE_STREAK_FOR) != 0) {
        sum = keep_pass(presence, sum, streak);
    } else if (sum < SUM_OVER_MN && sum > -SUM_OVER_MN) {
        end_streak(presence);
    }
    settle(step, place, word, sum, streak);
}

static void begin_pass_run(const struct step *step, struct presence *presence)
{
    presence->run_ms = step->event->time_ms;
    presence->since_s = 0;
    presence->flags |= PRESENCE_PASSED;
}

/* Nobody who is outside passes a gate outwards: with some evidence under way, or an earlier pass that no
 * fix has borne out, the state was wrong until now. Else the run is over. */
static void take_impossible_pass(struct step *step, uint32_t place, const struct word *word)
{
    struct presence *presence = &step->engine->presences.items[place];
    bool inside = presence->state == PRESENCE_INSIDE;
    int32_t sum = inside ? -presence->sum_mn : presence->sum_mn;
    int32_t threshold = inside ? EVIDENCE_LEAVE_MN : enter_threshold(word->fence);
    bool was_wrong = sum >= SUM_OVER_MN && sum + EVIDENCE_PASS_MN >= threshold &&
                     word->fence->kind != FENCE_DANGER && step_has_room(step);
    if (was_wrong) {
        raise_run(step, presence, word->fence, inside ? ALERT_LEFT : ALERT_ENTERED);
        presence->state = inside ? PRESENCE_OUTSIDE : PRESENCE_INSIDE;
    }
    end_run(presence);
    presence->sum_mn = (int16_t)(was_wrong ? word->mn : 0);
    if (was_wrong) {
        begin_pass_run(step, presence);
    }
    presences_touch(&step->engine->presences, place);
}

static void weigh_pass(struct step *step, uint32_t place, const struct word *word)
{
    struct presence *presence = &step->engine->presences.items[place];
    bool against = presence->state == PRESENCE_INSIDE ? word->mn < 0 : word->mn > 0;
    if (presence->state != PRESENCE_UNKNOWN && !against) {
        take_impossible_pass(step, place, word);
        return;
    }
    if (against) {
        begin_pass_run(step, presence);
    }
    settle(step, place, word, presence->sum_mn + word->mn, 0);
}

/* Adds the word to the sum and draws the consequence. The place may be free afterwards. */
static void weigh(struct step *step, uint32_t place, const struct word *word)
{
    if (step->event->type == EVENT_PASS) {
        weigh_pass(step, place, word);
    } else {
        weigh_fix(step, place, word);
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
    bool is_leap; /* nobody is so fast: this fix or the one before it lies */
    uint32_t count, *covering;
};

/* What the fix says of a fence, by its distance; one that is not near is far outside. */
static void put_word(const struct surroundings *here, uint32_t shape, struct word *ret)
{
    bool covers = false;
    for (uint32_t i = 0; i < here->count; i++) {
        covers |= here->covering[i] == shape;
    }
    float distance_m =
        geo_index_distance(here->fences->index, shape, here->point, covers, here->reach_m);
    int32_t distance_cm = (int32_t)(distance_m * 100.0F);
    uint32_t away_cm = (uint32_t)(distance_cm < 0 ? -distance_cm : distance_cm);
    ret->fence = &here->fences->items[shape];
    ret->mn = evidence_position_mn(distance_cm, here->sigma_cm);
    ret->away_m = away_cm / 100;
    ret->firm = !here->is_leap &&
                away_cm * 16 >= (uint32_t)here->sigma_cm *
                                    (distance_cm > 0 ? EVIDENCE_FIRM_OUT : EVIDENCE_FIRM_IN);
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
            put_word(here, (uint32_t)(word.fence - here->fences->items), &word);
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
    int32_t sum = evidence_fade(pupil->base_mn, 0, dt_ms) + EVIDENCE_CAP_MN * weight / EVIDENCE_ONE;
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

static void evaluate(struct step *step, int64_t dt_ms, int64_t clear_ms)
{
    struct engine *engine = step->engine;
    uint32_t covering[GEO_FOUND_MAX];
    struct surroundings here = {.fences = engine->fences,
                                .point = step->event->point,
                                .sigma_cm = evidence_sigma_cm(step->event),
                                .covering = covering};
    int32_t reach_cm = here.sigma_cm * REACH_SIGMAS;
    here.reach_m = (float)(reach_cm > REACH_CM ? reach_cm : REACH_CM) / 100.0F;
    here.count = geo_index_find(here.fences->index, here.point, covering);
    struct word word = {.weight = evidence_weight(dt_ms), .dt_ms = dt_ms, .clear_ms = clear_ms};
    here.is_leap = passage_is_leap(&engine->pupils[step->pupil_no], step->event, dt_ms);
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
        put_word(&here, fresh[i], &word);
        weigh_new(step, &word);
    }
    settle_base(engine, step->pupil_no, word.weight, dt_ms);
    order_crossings(step);
}

/* A fix too vague to tell anything: what is under way goes on without its word. */
static void doubt(struct step *step)
{
    struct engine *engine = step->engine;
    uint32_t place = engine->presences.first[step->pupil_no], next;
    for (; place != 0; place = next) {
        struct presence *presence = &engine->presences.items[place];
        next = presence->next;
        struct word word = {.fence = fence_set_by_no(engine->fences, presence->fence_no)};
        if (word.fence != NULL) {
            weigh(step, place, &word);
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

static void take_fix(struct pupil_state *pupil, const struct event *fix)
{
    int32_t sigma_m = (evidence_sigma_cm(fix) + 99) / 100;
    bool is_vague = sigma_m > CLEAR_SIGMA_M;
    pupil->clear_s = !is_vague && !pupil->was_vague
                         ? (uint16_t)0
                         : seconds(fix->time_ms - pupil->last_ms + pupil->clear_s * INT64_C(1000));
    pupil->was_vague = is_vague;
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
    int64_t clear_ms = pupil->last_ms - pupil->clear_s * INT64_C(1000);
    take_fix(pupil, fix);
    if (fenced) {
        evaluate(step, dt_ms, clear_ms);
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
                            .weight = EVIDENCE_ONE,
                            .firm = true};
        uint32_t place = presences_find(&engine->presences, step->pupil_no, word.fence->no);
        if (place != 0) {
            weigh(step, place, &word);
        } else {
            weigh_new(step, &word);
        }
    }
}
