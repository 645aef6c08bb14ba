/* What happened between two fixes of a pupil. docs/presence.md tells why. */
#include "core/engine_internal.h"
#include "core/evidence.h"
#include "core/limits.h"

enum {
    WAY_MS_MAX = 180000,
    WAY_STEPS_A_S_MAX = 1259, /* 14 m/s: a bus in town; what is faster is a train, or a lie */
    WAY_SIGMA_M_MAX = 100,    /* a cell tower tells no way */
    STEPS_A_M = 90,           /* of latitude */
    LEAP_MS_MAX = 600000,
    LEAP_STEPS_MIN = 100 * STEPS_A_M,
    LEAP_STEPS_A_S = 20 * STEPS_A_M,
    WAY_STEPS_MIN = 1500,     /* some 15 m: nothing on a shorter way is deep enough */
    BEND_PART = 16,           /* people leave the straight line by this part of the way */
    BACK_PART = 12,           /* a neighbouring fix lies no farther back upon the way */
    ONE = 1 << 20,            /* the whole way, for places on it */
    CROSSING_MS_MAX = 600000, /* nobody goes straight on for longer */
    CROSSING_REACH_CM = 1000000,
};

/* The way that the last two fixes make, and the one after them. */
struct way {
    struct geo_point a, b, next;
    int32_t sigma_a_cm, sigma_b_cm;
    int64_t start_ms, ms;
};

/* From one place to another in lattice steps of latitude, 1.11 cm. */
struct leg {
    int64_t north, east;
};

/* Bhaskara's cosine, (180^2 - 4 x^2) / (180^2 + x^2), is right to 0.2 %. */
static int64_t cosine_e3(struct geo_point point)
{
    const uint32_t half_circle = 1800 * 1800; /* tenths of a degree */
    int32_t lat = point.lat_e7 / 1000000;
    uint32_t square = (uint32_t)(lat * lat);
    return (half_circle - 4 * square) / ((half_circle + square) / 1000);
}

/* Legs over the antimeridian are too long for a way. */
static struct leg leg_of(struct geo_point a, struct geo_point b)
{
    return (struct leg){.north = (int64_t)b.lat_e7 - a.lat_e7,
                        .east = ((int64_t)b.lon_e7 - a.lon_e7) * cosine_e3(a) / 1000};
}

static int64_t longer_side(struct leg leg)
{
    int64_t north = leg.north < 0 ? -leg.north : leg.north;
    int64_t east = leg.east < 0 ? -leg.east : leg.east;
    return north > east ? north : east;
}

static int64_t product(struct leg a, struct leg b)
{
    return a.north * b.north + a.east * b.east;
}

/* Does p lie behind a, for one who looks from a to b? A receiver that lies at a or b stands alone
 * there: the fix before or after it is back on the other side. */
static bool behind(struct geo_point p, struct geo_point a, struct geo_point b)
{
    struct leg back = leg_of(a, p), way = leg_of(a, b);
    return BACK_PART * product(back, way) <= product(way, way);
}

/* Not by the cosine: all that are short at the equator, and nearly all that are short here. */
static bool is_short(struct geo_point a, struct geo_point b)
{
    int64_t north = (int64_t)b.lat_e7 - a.lat_e7, east = (int64_t)b.lon_e7 - a.lon_e7;
    return north < WAY_STEPS_MIN && -north < WAY_STEPS_MIN && east < WAY_STEPS_MIN &&
           -east < WAY_STEPS_MIN;
}

/* Long enough to pass anything, and no faster than a way may be. */
static bool at_pace(struct leg way, int64_t ms)
{
    int64_t side = longer_side(way), steps_max = ms * WAY_STEPS_A_S_MAX / 1000;
    return side >= WAY_STEPS_MIN && side <= steps_max && product(way, way) <= steps_max * steps_max;
}

/* The fences are known after three fixes at the earliest, so there is a `before` when it counts. */
uint8_t passage_way_s(const struct pupil_state *pupil, const struct event *fix, int32_t sigma_cm)
{
    int64_t ms = fix->time_ms - pupil->last_ms;
    if (ms > WAY_MS_MAX || pupil->sigma_m > WAY_SIGMA_M_MAX || sigma_cm > WAY_SIGMA_M_MAX * 100 ||
        is_short(pupil->point, fix->point) || !at_pace(leg_of(pupil->point, fix->point), ms) ||
        !behind(pupil->before, pupil->point, fix->point)) {
        return 0;
    }
    return (uint8_t)(ms / 1000);
}

bool passage_is_leap(struct geo_point a, struct geo_point b, int64_t sigmas_m, int64_t dt_ms)
{
    if (dt_ms > LEAP_MS_MAX) {
        return false;
    }
    int64_t error = sigmas_m * 2 * STEPS_A_M;
    return longer_side(leg_of(a, b)) > LEAP_STEPS_MIN + error + dt_ms * LEAP_STEPS_A_S / 1000;
}

static bool covers(const struct geo_index *index, uint32_t shape, struct geo_point point)
{
    uint32_t found[GEO_FOUND_MAX];
    uint32_t count = geo_index_find(index, point, found);
    uint32_t i = 0;
    while (i < count && found[i] != shape) {
        i++;
    }
    return i < count;
}

static int32_t distance_to_cm(const struct geo_index *index, uint32_t shape, struct geo_point point,
                              int32_t reach_cm)
{
    bool inside = covers(index, shape, point);
    return (int32_t)(geo_index_distance(index, shape, point, inside, (float)reach_cm / 100.0F) *
                     100.0F);
}

/* The middle of a stretch: how deep inside (negative), and how sure that is. */
struct depth {
    int32_t distance_cm, mn;
};

/* How sure is it that the pupil was inside in the middle of the stretch? Each end of the way says what
 * a fix in that place would say, if it were as vague as the end and the way's bend together. */
static struct depth depth_of(const struct way *way, const struct geo_index *index,
                             const struct geo_stretch *stretch)
{
    const int32_t sigmas_max = 4; /* where words do not grow any more */
    int64_t middle = (int64_t)((stretch->from + stretch->to) / 2 * ONE);
    int32_t bend_cm = (int32_t)(geo_distance_m(way->a, way->b) * 100) / BEND_PART;
    int32_t sigma_a_cm = way->sigma_a_cm + bend_cm, sigma_b_cm = way->sigma_b_cm + bend_cm;
    int32_t distance =
        distance_to_cm(index, stretch->shape, geo_way_point(way->a, way->b, (double)middle / ONE),
                       sigmas_max * (sigma_a_cm > sigma_b_cm ? sigma_a_cm : sigma_b_cm));
    int32_t sum =
        evidence_position_mn(distance, sigma_a_cm) +
        evidence_position_mn(distance, sigma_b_cm) * evidence_weight(way->ms) / EVIDENCE_ONE;
    return (struct depth){distance, sum};
}

/* A zone with evidence under way is left to it. */
static bool may_warn(const struct step *step, const struct fence *fence)
{
    return fence->kind == FENCE_DANGER && concerns(step, fence) &&
           fence_is_known(step->engine, step->pupil_no, fence->no) &&
           presences_find(&step->engine->presences, step->pupil_no, fence->no) == 0 &&
           step_has_room(step);
}

/* One step for the whole passage: nothing was said of the zone before it. */
static void tell(const struct step *step, const struct way *way, const struct alert *alert,
                 struct depth depth)
{
    const struct engine *engine = step->engine;
    if (engine->tell == NULL) {
        return;
    }
    const struct engine_reason reason = {.time_ms = step->event->time_ms,
                                         .run_ms = alert->time_ms,
                                         .pupil_no = step->pupil_no,
                                         .fence_no = alert->fence_no,
                                         .fence_version = alert->fence_version,
                                         .distance_m = depth.distance_cm / 100,
                                         .word_mn = depth.mn,
                                         .sum_mn = depth.mn,
                                         .sum_needed_mn = engine->limits.policy.danger_mn,
                                         .lasts_s = (uint32_t)(way->ms / 1000),
                                         .type = EVENT_FIX,
                                         .before = PRESENCE_OUTSIDE,
                                         .after = PRESENCE_OUTSIDE,
                                         .firm = true,
                                         .between = true};
    engine->tell(engine->tell_context, &reason);
}

/* The stretches of one shape: its first that convinces is the passage, unless a fix before or after
 * lies in the shape and speaks for itself. */
static void judge_zone(struct step *step, const struct way *way,
                       const struct geo_stretch *stretches, uint32_t count)
{
    const struct fence_set *fences = step->engine->fences;
    const struct fence *fence = &fences->items[stretches[0].shape];
    if (stretches[0].from <= 0 || !may_warn(step, fence)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct depth depth = depth_of(way, fences->index, &stretches[i]);
        if (depth.mn >= step->engine->limits.policy.danger_mn) {
            int64_t from = (int64_t)(stretches[i].from * ONE);
            if (!covers(fences->index, stretches[i].shape, way->next)) {
                struct alert *alert = step_raise_crossing(step, fence, ALERT_DANGER,
                                                          way->start_ms + way->ms * from / ONE);
                alert->earliest_ms = way->start_ms;
                alert->latest_ms = way->start_ms + way->ms;
                alert->doubt_e6 = evidence_wrong_e6(depth.mn);
                tell(step, way, alert, depth);
            }
            return;
        }
    }
}

/* Whatever a short way passes lies near its middle: cheaper to ask for, and mostly there is nothing. */
static bool may_pass_zone(const struct step *step, const struct way *way)
{
    const struct fence_set *fences = step->engine->fences;
    struct leg leg = leg_of(way->a, way->b);
    float half_m = (float)longer_side(leg) * 0.008F; /* more than half of it */
    if (half_m > (float)(GEO_NEAR_M - 1)) {
        return true;
    }
    struct geo_near near[GEO_FOUND_MAX];
    uint32_t count = geo_index_near(fences->index, geo_way_point(way->a, way->b, 0.5), half_m + 1,
                                    near, GEO_FOUND_MAX);
    bool any = count > GEO_FOUND_MAX;
    for (uint32_t i = 0; i < count && !any; i++) {
        any = may_warn(step, &fences->items[near[i].shape]);
    }
    return any;
}

static void judge_way(struct step *step, const struct way *way)
{
    if (!may_pass_zone(step, way)) {
        return;
    }
    struct geo_stretch stretches[PASSAGE_STRETCHES_MAX];
    uint32_t found = geo_index_way(step->engine->fences->index, way->a, way->b, stretches,
                                   PASSAGE_STRETCHES_MAX, NULL);
    uint32_t count = found < PASSAGE_STRETCHES_MAX ? found : PASSAGE_STRETCHES_MAX;
    uint32_t end;
    for (uint32_t i = 0; i < count; i = end) {
        end = i + 1;
        while (end < count && stretches[end].shape == stretches[i].shape) {
            end++;
        }
        if (end == count && found > count) {
            return; /* this shape's stretches may be cut off */
        }
        judge_zone(step, way, &stretches[i], end - i);
    }
}

void step_passage(struct step *step)
{
    const struct pupil_state *pupil = &step->engine->pupils[step->pupil_no];
    if (pupil->way_s == 0 || !behind(step->event->point, pupil->point, pupil->before)) {
        return;
    }
    int64_t ms = pupil->way_s * INT64_C(1000);
    struct way way = {.a = pupil->before,
                      .b = pupil->point,
                      .next = step->event->point,
                      .sigma_a_cm = pupil->before_sigma_m * 100,
                      .sigma_b_cm = pupil->sigma_m * 100,
                      .start_ms = pupil->last_ms - ms,
                      .ms = ms};
    judge_way(step, &way);
}

/* Beyond, each distance would search the surroundings, 10 km of them. */
_Static_assert(CROSSING_POINTS_MAX <= GEO_DISTANCE_POINTS, "one shape's edges alone are read");

int64_t passage_crossing_ms(const struct step *step, const struct fence *fence, int64_t dt_ms)
{
    const struct event *event = step->event;
    const struct fence_set *fences = step->engine->fences;
    uint32_t number = (uint32_t)(fence - fences->items);
    if (event->type != EVENT_FIX || dt_ms > CROSSING_MS_MAX ||
        fences->shapes[number].point_count > CROSSING_POINTS_MAX) {
        return event->time_ms;
    }
    int64_t before_cm = distance_to_cm(
        fences->index, number, step->engine->pupils[step->pupil_no].before, CROSSING_REACH_CM);
    int64_t now_cm = distance_to_cm(fences->index, number, event->point, CROSSING_REACH_CM);
    if ((before_cm < 0) == (now_cm < 0)) {
        return event->time_ms; /* an older run lost its place: the crossing was not here */
    }
    return event->time_ms - dt_ms * now_cm / (now_cm - before_cm);
}
