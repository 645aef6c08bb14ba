/* When is it sure that a pupil crossed a fence, and when was it? docs/presence.md tells why. */
#include "base/assert.h"
#include "core/engine_internal.h"
#include "core/evidence.h"

enum {
    FAR_M = 300,               /* few lies that last lead so far */
    PASS_BELIEVED_MS = 600000, /* a pass that nothing has contradicted for so long is believed */
    SUM_OVER_MN = 1200,        /* a third of a word: the streak is over */
    GAP_MS_MAX = 360000,       /* as much of the time between two fixes counts for a streak */
    VAGUE_MS_MAX = 300000,     /* a run that was vague for longer did not begin there */
};

static int32_t enter_threshold(const struct step *step, const struct fence *fence)
{
    const struct presence_policy *policy = &step->engine->limits.policy;
    return fence->kind == FENCE_DANGER ? policy->danger_mn : policy->enter_mn;
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

static void end_streak(struct presence *presence)
{
    presence->lasts_s = 0;
    presence->flags &=
        PRESENCE_FLAGS & ~(unsigned)(PRESENCE_STREAK_FOR | PRESENCE_LAST_FIRM | PRESENCE_FIRM);
}

static void end_run(struct presence *presence)
{
    presence_set_run(presence, 0);
    presence->since_s = 0;
    presence->flags &= PRESENCE_FLAGS & ~(unsigned)(PRESENCE_PASSED | PRESENCE_DENIED |
                                                    PRESENCE_SILENCE | PRESENCE_OFF);
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
    bool anew =
        gets_firm && (presence->flags & PRESENCE_PASSED) == 0 &&
        ((presence->flags & PRESENCE_DENIED) != 0 ||
         (presence->state == PRESENCE_INSIDE && now_ms - presence_run_ms(presence) > VAGUE_MS_MAX));
    if (presence_run_ms(presence) != 0 && !anew) {
        return;
    }
    if (presence_run_ms(presence) != 0) {
        before_ms = presence_run_ms(presence) - presence->since_s * INT64_C(1000);
    }
    presence_set_run(presence, passage_crossing_ms(step, word->fence, word->dt_ms));
    presence->since_s = whole_seconds(presence_run_ms(presence) - before_ms + 999);
    presence->flags &= PRESENCE_FLAGS & ~(unsigned)PRESENCE_DENIED;
}

/* Takes the fix into the streak. Returns how far the boundary is from it and from the one before it, at
 * least: a single lie does not lead both away. */
static uint32_t go_on(struct presence *presence, const struct word *word, bool against)
{
    bool same = ((presence->flags & PRESENCE_STREAK_FOR) == 0) == against;
    bool goes_on = same && (presence->flags & PRESENCE_LAST_FIRM) != 0;
    if (!word->firm) {
        presence->flags &= PRESENCE_FLAGS & ~(unsigned)PRESENCE_LAST_FIRM;
        presence->lasts_s = (uint16_t)(presence->lasts_s / 4 * 3);
        return 0;
    }
    if (!same) {
        end_streak(presence); /* a lie that lasted is over */
        presence->flags |= against ? 0 : PRESENCE_STREAK_FOR;
    }
    if (goes_on) {
        int64_t dt_ms = word->dt_ms < GAP_MS_MAX ? word->dt_ms : GAP_MS_MAX;
        presence->lasts_s = whole_seconds(presence->lasts_s * INT64_C(1000) + dt_ms);
        presence->flags |= against ? 0 : PRESENCE_DENIED;
    }
    uint32_t before_m = (presence->flags & PRESENCE_LAST_FIRM) != 0 ? presence->away_m : 0;
    presence->flags |= PRESENCE_LAST_FIRM;
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

struct need {
    int32_t sum_mn, streak_mn;
};

/* A missed danger harms most, and a place is told to those who asked for it: lies that last may cause
 * both. A school's ground is what absence and lessons are reckoned by. */
static struct need need_to_enter(const struct step *step, const struct fence *fence)
{
    int32_t lasting_mn = step->engine->limits.policy.lasting_in_mn;
    return (struct need){enter_threshold(step, fence),
                         fence->kind == FENCE_SCHOOL ? lasting_mn : 0};
}

static bool is_far(const struct presence *presence)
{
    return (presence->flags & PRESENCE_LAST_FIRM) != 0 && presence->away_m > FAR_M;
}

static struct need need_to_leave(const struct step *step, const struct presence *presence)
{
    const struct presence_policy *policy = &step->engine->limits.policy;
    bool quick = (presence->flags & PRESENCE_PASSED) != 0 || is_far(presence);
    return (struct need){quick ? policy->leave_mn : policy_alone_mn(policy),
                         policy->lasting_out_mn};
}

/* Is nothing else left that would explain the run? Single lies are behind the sum, the noise of a
 * place behind firm words; there remains a lie that lasts. A gate knows better than that, and a pass
 * that nothing has contradicted for long is believed. */
static bool is_sure(const struct step *step, const struct presence *presence, int32_t sum,
                    int32_t streak, struct need need)
{
    if ((presence->flags & PRESENCE_PASSED) != 0) {
        return sum >= need.sum_mn ||
               (sum >= EVIDENCE_PASS_MN &&
                step->event->time_ms - presence_run_ms(presence) >= PASS_BELIEVED_MS);
    }
    return sum >= need.sum_mn && (presence->flags & PRESENCE_STREAK_FOR) == 0 &&
           streak >= need.streak_mn;
}

/* Is it as sure as any state must be that there was nothing? By three fixes or more. */
static bool is_over(const struct step *step, const struct presence *presence,
                    const struct word *word, int32_t streak)
{
    return (presence->flags & PRESENCE_STREAK_FOR) != 0 &&
           streak >= step->engine->limits.policy.lasting_out_mn &&
           presence->lasts_s * INT64_C(1000) > word->dt_ms + word->dt_ms / 2;
}

/* How sure the run is: as the weakest excuse that was asked. */
static int32_t surety_mn(const struct presence *presence, int32_t sum, int32_t streak,
                         struct need need)
{
    bool asked = (presence->flags & PRESENCE_PASSED) == 0 && need.streak_mn > 0;
    return asked && streak < sum ? streak : sum;
}

static void raise_run(struct step *step, const struct presence *presence, const struct fence *fence,
                      enum alert_type type, int32_t sure_mn)
{
    struct alert *alert = step_raise_crossing(step, fence, type, presence_run_ms(presence));
    alert->earliest_ms = presence_run_ms(presence) - presence->since_s * INT64_C(1000);
    bool exact =
        (presence->flags & PRESENCE_PASSED) != 0 ||
        step->event->time_ms < presence_run_ms(presence); /* a pass from before the last fix */
    alert->doubt_e6 = evidence_wrong_e6(sure_mn);
    alert->latest_ms = exact ? presence_run_ms(presence) : step->event->time_ms;
    alert->doubts = run_doubts(step, presence);
}

/* ---- states ---- */

static void settle_unknown(struct step *step, uint32_t place, const struct word *word, int32_t sum)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    int32_t leave_mn = step->engine->limits.policy.leave_mn;
    if (sum >= enter_threshold(step, word->fence)) {
        presence->state = PRESENCE_INSIDE;
        end_run(presence);
        sum = 0;
    } else if (sum <= -leave_mn) {
        if (fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
            presences_drop(presences, place);
            return;
        }
        sum = -leave_mn;
    }
    presence->sum_mn = (int16_t)sum;
}

static void settle_inside(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                          int32_t streak)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    struct need need = need_to_leave(step, presence);
    bool left = is_sure(step, presence, -sum, streak, need) && step_has_room(step);
    if (left) {
        if (word->fence->kind != FENCE_DANGER) {
            raise_run(step, presence, word->fence, ALERT_LEFT,
                      surety_mn(presence, -sum, streak, need));
        }
        if (fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
            presences_drop(presences, place);
            return;
        }
        presence->state = PRESENCE_OUTSIDE;
        sum = 0;
    }
    if (left || (sum == 0 && is_over(step, presence, word, streak))) {
        end_run(presence);
    }
    int32_t least_mn = -step->engine->sum_max_mn;
    presence->sum_mn = (int16_t)(sum < least_mn ? least_mn : sum);
}

static void settle_outside(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                           int32_t streak)
{
    struct presences *presences = &step->engine->presences;
    struct presence *presence = &presences->items[place];
    struct need need = need_to_enter(step, word->fence);
    bool entered = is_sure(step, presence, sum, streak, need) && step_has_room(step);
    bool over = sum == 0 && is_over(step, presence, word, streak);
    if (entered) {
        raise_run(step, presence, word->fence,
                  word->fence->kind == FENCE_DANGER ? ALERT_DANGER : ALERT_ENTERED,
                  surety_mn(presence, sum, streak, need));
        presence->state = PRESENCE_INSIDE;
        sum = 0;
    } else if (over && fence_is_known(step->engine, presence->pupil_no, word->fence->no)) {
        presences_drop(presences, place);
        return;
    }
    if (entered || over) {
        end_run(presence);
    }
    int32_t most_mn = step->engine->sum_max_mn;
    presence->sum_mn = (int16_t)(sum > most_mn ? most_mn : sum);
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

static void explain(const struct step *step, const struct presence *presence,
                    const struct word *word, int32_t sum, int32_t streak)
{
    bool inside = presence->state == PRESENCE_INSIDE;
    struct need need = inside ? need_to_leave(step, presence) : need_to_enter(step, word->fence);
    struct engine_reason *reason = step->reason;
    reason->run_ms = presence_run_ms(presence);
    reason->sum_mn = sum;
    reason->streak_mn = streak;
    reason->sum_needed_mn = inside ? -need.sum_mn : need.sum_mn;
    reason->streak_needed_mn = need.streak_mn;
    reason->lasts_s = presence->lasts_s;
    reason->passed = (presence->flags & PRESENCE_PASSED) != 0;
}

static void settle(struct step *step, uint32_t place, const struct word *word, int32_t sum,
                   int32_t streak)
{
    const struct presence *presence = &step->engine->presences.items[place];
    if (step->reason != NULL) {
        explain(step, presence, word, sum, streak);
    }
    switch ((enum presence_state)presence->state) {
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
    if (!against && presence_is_quiet(presence)) {
        if (step->reason != NULL) {
            explain(step, presence, word, 0, 0);
        }
        return;
    }
    bool same = ((presence->flags & PRESENCE_STREAK_FOR) == 0) == against;
    int32_t sum = add_word(presence, word, same && (presence->flags & PRESENCE_LAST_FIRM) != 0);
    uint32_t away_m = go_on(presence, word, against);
    if (word->is_measured) {
        presence->away_m = (uint16_t)word->away_m;
        presence->measured = step->event->point;
    }
    if (against) {
        date_run(step, presence, word, word->firm && (presence->flags & PRESENCE_FIRM) == 0);
        presence->flags |= word->firm ? PRESENCE_FIRM : 0;
    }
    if (step->engine->pupils[step->pupil_no].hearing != 0) {
        doubt_run(step, presence);
    }
    int32_t streak = streak_mn(presence, word, away_m);
    if ((presence->flags & PRESENCE_STREAK_FOR) != 0) {
        sum = word->firm ? keep_pass(presence, sum, streak) : sum;
    } else if (sum < SUM_OVER_MN && sum > -SUM_OVER_MN) {
        end_streak(presence);
    }
    settle(step, place, word, sum, streak);
}

/* The pass tells the moment, unless fixes have told of an earlier one. */
static void begin_pass_run(const struct step *step, struct presence *presence)
{
    int64_t now_ms = step->event->time_ms, before_ms = now_ms;
    bool told = presence_run_ms(presence) != 0 &&
                (presence->sum_mn >= SUM_OVER_MN || presence->sum_mn <= -SUM_OVER_MN);
    if (told) {
        before_ms = presence_run_ms(presence) - presence->since_s * INT64_C(1000);
    } else {
        presence->flags &= PRESENCE_FLAGS & ~(unsigned)(PRESENCE_SILENCE | PRESENCE_OFF);
    }
    presence_set_run(presence, now_ms);
    presence->since_s = whole_seconds(now_ms - before_ms);
    presence->flags |= PRESENCE_PASSED;
}

/* Nobody who is outside passes a gate outwards: with some evidence under way, or an earlier pass that no
 * fix has borne out, the state was wrong until now. Else the run is over. */
static void take_impossible_pass(struct step *step, uint32_t place, const struct word *word)
{
    struct presence *presence = &step->engine->presences.items[place];
    bool inside = presence->state == PRESENCE_INSIDE;
    int32_t sum = inside ? -presence->sum_mn : presence->sum_mn;
    int32_t threshold =
        inside ? step->engine->limits.policy.leave_mn : enter_threshold(step, word->fence);
    bool was_wrong = sum >= SUM_OVER_MN && sum + EVIDENCE_PASS_MN >= threshold &&
                     word->fence->kind != FENCE_DANGER && step_has_room(step);
    if (step->reason != NULL) {
        explain(step, presence, word, presence->sum_mn + (was_wrong ? -word->mn : word->mn), 0);
    }
    if (was_wrong) {
        raise_run(step, presence, word->fence, inside ? ALERT_LEFT : ALERT_ENTERED,
                  sum + EVIDENCE_PASS_MN);
        presence->state = inside ? PRESENCE_OUTSIDE : PRESENCE_INSIDE;
    }
    end_run(presence);
    presence->sum_mn = 0;
    if (was_wrong) {
        begin_pass_run(step, presence);
        presence->sum_mn = (int16_t)word->mn;
    }
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

/* A fix that comes late may bear a pass out, as often as it comes. It tells nothing else: sum and streak are
 * of fixes one after the other, and who knows what was vague between it and them. */
static void weigh_late(struct step *step, uint32_t place, const struct word *word)
{
    const struct presence *presence = &step->engine->presences.items[place];
    bool against = presence->state == PRESENCE_INSIDE ? word->mn < 0 : word->mn > 0;
    if (presence->state != PRESENCE_UNKNOWN && (presence->flags & PRESENCE_PASSED) != 0 &&
        against && word->firm && step->event->time_ms >= presence_run_ms(presence)) {
        settle(step, place, word, presence->sum_mn + word->mn, 0);
    }
}

static void weigh(struct step *step, uint32_t place, const struct word *word)
{
    if (step->event->type == EVENT_PASS) {
        weigh_pass(step, place, word);
    } else if (word->is_late) {
        weigh_late(step, place, word);
    } else {
        weigh_fix(step, place, word);
    }
}

static void weigh_and_tell(struct step *step, uint32_t place, const struct word *word)
{
    const struct event *event = step->event;
    const struct engine *engine = step->engine;
    struct engine_reason reason = {
        .time_ms = event->time_ms,
        .pupil_no = step->pupil_no,
        .fence_no = word->fence->no,
        .fence_version = word->fence->version,
        .accuracy_cm = (event->flags & EVENT_HAS_ACCURACY) != 0 ? event->accuracy_cm : 0,
        .distance_m = word->mn < 0 ? (int32_t)word->away_m : -(int32_t)word->away_m,
        .word_mn = word->mn,
        .type = event->type,
        .kind = event->kind,
        .before = engine->presences.items[place].state,
        .firm = word->firm};
    step->reason = &reason;
    weigh(step, place, word);
    step->reason = NULL;
    const struct presence *presence = &engine->presences.items[place];
    bool dropped = presence->pupil_no != step->pupil_no || presence->fence_no != word->fence->no;
    reason.after = dropped ? PRESENCE_OUTSIDE : presence->state;
    engine->tell(engine->tell_context, &reason);
}

void step_weigh(struct step *step, uint32_t place, const struct word *word)
{
    if (step->engine->tell != NULL) {
        weigh_and_tell(step, place, word);
    } else {
        weigh(step, place, word);
    }
}
