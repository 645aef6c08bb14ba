#include "bench/presence_rules.h"

#include <stdlib.h>

const struct rule_kind rule_kinds[RULES] = {
    {"every fix", 0, 1, 0},
    {"accuracy 50 m", 5000, 1, 0},
    {"three in a row", 0, 3, 0},
    {"20 m, 50 m, two", 5000, 2, RULE_REACH_M},
};

enum status rule_init(struct rule *rule, const struct rule_kind *kind, uint32_t pupils)
{
    *rule = (struct rule){.kind = kind};
    rule->places = calloc((size_t)pupils * RULE_PLACES_MAX, sizeof *rule->places);
    rule->last_ms = calloc(pupils, sizeof *rule->last_ms);
    return rule->places != NULL && rule->last_ms != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void rule_release(struct rule *rule)
{
    free(rule->places);
    free(rule->last_ms);
    *rule = (struct rule){0};
}

void rule_look(struct rule_fix *fix, const struct fence_set *fences)
{
    uint32_t found =
        geo_index_near(fences->index, fix->event->point, RULE_REACH_M, fix->near, RULE_NEAR_MAX);
    fix->near_count = found < RULE_NEAR_MAX ? found : RULE_NEAR_MAX;
}

static float distance_m(const struct rule_fix *fix, uint32_t shape)
{
    for (uint32_t i = 0; i < fix->near_count; i++) {
        if (fix->near[i].shape == shape) {
            return fix->near[i].distance_m;
        }
    }
    return 2 * RULE_REACH_M;
}

/* A place for each fence that covers the fix. */
static void open_places(struct rule_place *places, const struct fence_set *fences,
                        const struct rule_fix *fix)
{
    for (uint32_t i = 0; i < fix->near_count; i++) {
        const struct fence *fence = &fences->items[fix->near[i].shape];
        if (fix->near[i].distance_m > 0 ||
            (fence->school_no != 0 && fence->school_no != fix->school_no)) {
            continue;
        }
        uint32_t at = RULE_PLACES_MAX;
        for (uint32_t k = RULE_PLACES_MAX; k-- > 0;) {
            if (places[k].fence == fix->near[i].shape + 1) {
                at = RULE_PLACES_MAX;
                break;
            }
            at = places[k].fence == 0 ? k : at;
        }
        if (at < RULE_PLACES_MAX) {
            places[at] = (struct rule_place){.fence = fix->near[i].shape + 1};
        }
    }
}

/* Does the fix settle that the pupil crossed? */
static bool crosses(const struct rule *rule, struct rule_place *place, const struct rule_fix *fix)
{
    float d = distance_m(fix, place->fence - 1);
    bool against = place->inside ? d > rule->kind->leave_m : d <= 0;
    if (!against) {
        place->run = 0;
        return false;
    }
    if (place->run == 0) {
        place->run_ms = fix->event->time_ms;
        place->before_ms = rule->last_ms[fix->pupil_no];
    }
    place->run++;
    return place->run >= rule->kind->in_a_row;
}

enum score_type rule_score_type(const struct fence *fence, bool entered)
{
    if (fence->kind == FENCE_DANGER) {
        return entered ? SCORE_DANGER : SCORE_NONE;
    }
    if (fence->kind == FENCE_SCHOOL) {
        return entered ? SCORE_ENTERED : SCORE_LEFT;
    }
    return entered ? SCORE_PLACE_ENTERED : SCORE_PLACE_LEFT;
}

uint32_t rule_step(struct rule *rule, const struct fence_set *fences, const struct rule_fix *fix,
                   struct score_mark *ret, uint32_t capacity)
{
    if (rule->kind->accuracy_cm_max > 0 &&
        ((fix->event->flags & EVENT_HAS_ACCURACY) == 0 ||
         fix->event->accuracy_cm > rule->kind->accuracy_cm_max)) {
        return 0;
    }
    struct rule_place *places = &rule->places[(size_t)fix->pupil_no * RULE_PLACES_MAX];
    open_places(places, fences, fix);
    uint32_t count = 0;
    for (uint32_t k = 0; k < RULE_PLACES_MAX; k++) {
        struct rule_place *place = &places[k];
        if (place->fence == 0) {
            continue;
        }
        const struct fence *fence = &fences->items[place->fence - 1];
        if (crosses(rule, place, fix)) {
            place->inside = !place->inside;
            place->run = 0;
            enum score_type type = rule_score_type(fence, place->inside);
            if (type != SCORE_NONE && count < capacity) {
                ret[count++] = (struct score_mark){.pupil_no = fix->pupil_no,
                                                   .fence_no = fence->no,
                                                   .type = (uint8_t)type,
                                                   .time_ms = place->run_ms,
                                                   .earliest_ms = place->before_ms,
                                                   .latest_ms = place->run_ms,
                                                   .raised_ms = fix->arrival_ms};
            }
        }
        if (!place->inside && place->run == 0) {
            place->fence = 0;
        }
    }
    rule->last_ms[fix->pupil_no] = fix->event->time_ms;
    return count;
}
