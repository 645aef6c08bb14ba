#include "geo/personal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/shape_internal.h"

/* low and high are the box of the points alone: a single point is stored there, and the radius is added in the scale
 * of whoever asks. */
struct personal_item {
    uint32_t owner, number;
    struct geo_point low, high;
    double radius_m;                  /* 0 of a polygon */
    uint32_t point_first;             /* where its points begin, or would */
    uint32_t point_count, rings_kind; /* ring count * 4 + kind */
    uint32_t ring_first;              /* the same for the ring ends, where there is more than one */
};

_Static_assert(sizeof(struct personal_item) == 48, "64 bytes a fence, with 16 for the directory");

struct geo_personal {
    uint32_t count, point_count, ring_count;
    uint32_t start_count, shift;
    struct geo_point *points;
    uint32_t *ring_ends;
    uint32_t *starts;             /* by owner >> shift: the first item of that or a later one */
    struct personal_item items[]; /* by owner and number */
};

_Static_assert(sizeof(struct geo_personal) <= 64, "as the header says");

/* ---- lookups ---- */

/* The first item of the owner or of a later one, which is known to be in low..high. */
static uint32_t lower_bound(const struct geo_personal *personal, uint32_t owner, uint32_t low,
                            uint32_t high)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (personal->items[middle].owner < owner) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* From here to the end lie all items of the owner, first. */
static const struct personal_item *first_of(const struct geo_personal *personal, uint32_t owner,
                                            const struct personal_item **ret_end)
{
    uint32_t bucket = owner >> personal->shift;
    *ret_end = personal->items;
    if (personal->count == 0 || bucket >= personal->start_count - 1) {
        return personal->items;
    }
    uint32_t low = personal->starts[bucket], high = personal->starts[bucket + 1];
    *ret_end = personal->items + high;
    if (personal->shift > 0) { /* else there is no other owner in the bucket */
        low = lower_bound(personal, owner, low, high);
    }
    return personal->items + low;
}

void geo_personal_prefetch(const struct geo_personal *personal, uint32_t owner)
{
    uint32_t bucket = owner >> personal->shift;
    if (personal->count > 0 && bucket < personal->start_count - 1) {
        const char *item = (const char *)(personal->items + personal->starts[bucket]);
        __builtin_prefetch(item);
        __builtin_prefetch(item + 64);
    }
}

static struct geo_shape shape_of(const struct geo_personal *personal,
                                 const struct personal_item *item)
{
    uint32_t rings = item->rings_kind / 4;
    return (struct geo_shape){
        .kind = (enum geo_shape_kind)(item->rings_kind % 4),
        .point_count = item->point_count,
        .ring_count = rings,
        .points = item->point_count == 1 ? &item->low : personal->points + item->point_first,
        .ring_ends = rings == 1 ? &item->point_count : personal->ring_ends + item->ring_first,
        .radius_m = item->radius_m,
        .low = item->low,
        .high = item->high,
    };
}

/* What is looked over: a box of longitudes that may lie beyond the antimeridian. */
struct window {
    int64_t south, west, north, east;
    double lon_m, reach_m; /* metres per step: none of its latitudes has less */
};

#define LAT_M_LEAST 110574e-7 /* at the equator */
#define LON_M_LEAST 111319e-7 /* times the cosine */
#define SLACK_M     0.001

/* The cosine's series broken off after a term that is subtracted is less than the cosine: a bound that needs no cos(),
 * and is 0.001 off at the pole. */
static double lon_m_at_least(int64_t lat_e7)
{
    double x = (double)lat_e7 * (3.14159265358979323846 / 180 * 1e-7), x2 = x * x;
    double cosine = 1 - x2 / 2 * (1 - x2 / 12 * (1 - x2 / 30));
    return cosine > 0 ? LON_M_LEAST * cosine : 0;
}

static struct window window_over(struct geo_point a, struct geo_point b, double reach_m)
{
    int64_t end = a.lon_e7 + geo_lon_gap(a.lon_e7, b.lon_e7);
    struct window window = {.reach_m = reach_m + SLACK_M};
    window.south = a.lat_e7 < b.lat_e7 ? a.lat_e7 : b.lat_e7;
    window.north = a.lat_e7 < b.lat_e7 ? b.lat_e7 : a.lat_e7;
    window.west = a.lon_e7 < end ? a.lon_e7 : end;
    window.east = a.lon_e7 < end ? end : a.lon_e7;
    window.lon_m = lon_m_at_least(-window.south > window.north ? window.south : window.north);
    return window;
}

/* Steps from one range to the other, 0 where they meet, if `turn` steps are a round; 0 <= either gap <= turn. */
static int64_t steps_apart(int64_t before, int64_t after, int64_t turn)
{
    int64_t gap = before > after ? before : after, other = (before > after ? after : before) + turn;
    gap = other < gap ? other : gap;
    return gap > 0 ? gap : 0;
}

/* Is it so far from the window that no distance can be within reach? */
static bool is_far(const struct personal_item *item, const struct window *window)
{
    int64_t north = item->low.lat_e7 - window->north, south = window->south - item->high.lat_e7;
    int64_t lat = north > south ? north : south;
    double limit_m = window->reach_m + item->radius_m;
    double lat_m = lat > 0 ? (double)lat * LAT_M_LEAST : 0;
    if (lat_m > limit_m) {
        return true;
    }
    int64_t lon =
        steps_apart(item->low.lon_e7 - window->east, window->west - item->high.lon_e7, GEO_TURN_E7);
    double lon_m = (double)lon * window->lon_m;
    return lat_m * lat_m + lon_m * lon_m > limit_m * limit_m;
}

static float told_m(double distance_m, bool covers, double reach_m)
{
    if (covers) {
        return (float)(distance_m > -reach_m ? distance_m : -reach_m);
    }
    return distance_m > (double)FLT_MIN ? (float)distance_m : FLT_MIN;
}

uint32_t geo_personal_near(const struct geo_personal *personal, uint32_t owner,
                           struct geo_point point, float reach_m, struct geo_near *ret,
                           uint32_t capacity)
{
    ASSERT(reach_m >= 0);
    double reach = (double)(reach_m < GEO_REACH_M_MAX ? reach_m : GEO_REACH_M_MAX);
    struct window window = window_over(point, point, reach);
    struct geo_scale scale = {0, 0}; /* not yet needed */
    uint32_t found = 0;
    const struct personal_item *end, *item = first_of(personal, owner, &end);
    for (; item < end && item->owner == owner; item++) {
        if (is_far(item, &window)) {
            continue;
        }
        scale = scale.lat_m > 0 ? scale : geo_scale_at(point.lat_e7);
        struct geo_shape shape = shape_of(personal, item);
        bool covers;
        double distance_m = geo_shape_measure(&shape, point, scale, &covers);
        if (!covers && distance_m > reach) {
            continue;
        }
        if (found < capacity) {
            ret[found] = (struct geo_near){item->number, told_m(distance_m, covers, reach)};
        }
        found++;
    }
    return found;
}

uint32_t geo_personal_way(const struct geo_personal *personal, uint32_t owner, struct geo_point a,
                          struct geo_point b, struct geo_stretch *ret, uint32_t capacity,
                          bool *ret_coarse)
{
    struct window window = window_over(a, b, 0);
    uint32_t found = 0;
    bool coarse = false;
    const struct personal_item *end, *item = first_of(personal, owner, &end);
    for (; item < end && item->owner == owner; item++) {
        if (is_far(item, &window)) {
            continue;
        }
        struct geo_shape shape = shape_of(personal, item);
        bool rough = false;
        uint32_t start = found < capacity ? found : capacity;
        found += geo_shape_way(&shape, a, b, capacity > 0 ? ret + start : NULL, capacity - start,
                               &rough);
        for (uint32_t i = start; i < found && i < capacity; i++) {
            ret[i].shape = item->number;
        }
        coarse |= rough;
    }
    if (ret_coarse != NULL) {
        *ret_coarse = coarse;
    }
    return found;
}

/* ---- building ---- */

struct place {
    uint64_t key; /* owner and number */
    uint32_t fence;
};

/* A new whole: items before `from` and from `to` on of the old one, and the fences between them. */
struct plan {
    const struct geo_personal *old; /* may be NULL */
    uint32_t from, to;
    const struct geo_personal_fence *fences;
    uint32_t count;
    struct place *places; /* the fences in order */
    uint64_t items_in_all, points_in_all, rings_in_all;
    struct status_detail *detail;
};

static void sift(struct place *places, uint32_t at, uint32_t count)
{
    struct place place = places[at];
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && places[child].key < places[child + 1].key) {
            child++;
        }
        if (place.key >= places[child].key) {
            break;
        }
        places[at] = places[child];
    }
    places[at] = place;
}

static void sort(struct place *places, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(places, i, count);
    }
    while (count > 1) {
        count--;
        struct place place = places[0];
        places[0] = places[count];
        places[count] = place;
        sift(places, 0, count);
    }
}

/* What is kept beside the item. */
static uint32_t points_beside(const struct geo_shape *shape)
{
    return shape->point_count == 1 ? 0 : shape->point_count;
}

static uint32_t rings_beside(const struct geo_shape *shape)
{
    return shape->kind == GEO_POLYGON && shape->ring_count != 1 ? shape->ring_count : 0;
}

static enum status check_fences(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct geo_personal_fence *fence = &plan->fences[i];
        const char *fault = geo_shape_fault(&fence->shape);
        if (fault != NULL) {
            return status_detail_set(plan->detail, STATUS_INVALID, "owner %u, fence %u: %s",
                                     fence->owner, fence->number, fault);
        }
        plan->items_in_all++;
        plan->points_in_all += points_beside(&fence->shape);
        plan->rings_in_all += rings_beside(&fence->shape);
        if (plan->items_in_all > GEO_PERSONAL_FENCES_MAX ||
            plan->points_in_all > GEO_PERSONAL_POINTS_MAX ||
            plan->rings_in_all > GEO_PERSONAL_POINTS_MAX) {
            return status_detail_set(plan->detail, STATUS_TOO_LARGE,
                                     "owner %u, fence %u: with it there are more than %u personal "
                                     "fences, or %u points or rings of them",
                                     fence->owner, fence->number, GEO_PERSONAL_FENCES_MAX,
                                     GEO_PERSONAL_POINTS_MAX);
        }
    }
    return STATUS_OK;
}

static enum status order_fences(struct plan *plan)
{
    bool sorted = true;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct geo_personal_fence *fence = &plan->fences[i];
        plan->places[i] = (struct place){(uint64_t)fence->owner << 32 | fence->number, i};
        sorted = sorted && (i == 0 || plan->places[i - 1].key <= plan->places[i].key);
    }
    if (!sorted) {
        sort(plan->places, plan->count);
    }
    for (uint32_t i = 1, same = 1; i < plan->count; i++) {
        uint64_t key = plan->places[i].key, last = plan->places[i - 1].key;
        if (key == last) {
            return status_detail_set(plan->detail, STATUS_EXISTS,
                                     "owner %u has two fences of the number %u",
                                     (uint32_t)(key >> 32), (uint32_t)key);
        }
        same = key >> 32 == last >> 32 ? same + 1 : 1;
        if (same > GEO_PERSONAL_OWNER_MAX) {
            return status_detail_set(plan->detail, STATUS_TOO_LARGE,
                                     "owner %u, fence %u: more than %u fences of one owner",
                                     (uint32_t)(key >> 32), (uint32_t)key, GEO_PERSONAL_OWNER_MAX);
        }
    }
    return STATUS_OK;
}

static void append(struct geo_personal *personal, const struct geo_personal_fence *fence)
{
    const struct geo_shape *shape = &fence->shape;
    bool polygon = shape->kind == GEO_POLYGON;
    struct geo_shape flat = *shape;
    flat.kind = GEO_POLYGON; /* the box of the points alone */
    geo_shape_set_bounds(&flat);
    personal->items[personal->count++] = (struct personal_item){
        .owner = fence->owner,
        .number = fence->number,
        .low = flat.low,
        .high = flat.high,
        .radius_m = polygon ? 0 : shape->radius_m,
        .point_first = personal->point_count,
        .point_count = shape->point_count,
        .rings_kind = (polygon ? shape->ring_count : 0) * 4 + (uint32_t)shape->kind,
        .ring_first = personal->ring_count,
    };
    uint32_t points = points_beside(shape), rings = rings_beside(shape);
    memcpy(personal->points + personal->point_count, shape->points, points * sizeof *shape->points);
    personal->point_count += points;
    if (rings > 0) {
        memcpy(personal->ring_ends + personal->ring_count, shape->ring_ends,
               rings * sizeof *shape->ring_ends);
        personal->ring_count += rings;
    }
}

static uint32_t points_before(const struct geo_personal *personal, uint32_t item)
{
    return item < personal->count ? personal->items[item].point_first : personal->point_count;
}

static uint32_t rings_before(const struct geo_personal *personal, uint32_t item)
{
    return item < personal->count ? personal->items[item].ring_first : personal->ring_count;
}

static void append_old(struct geo_personal *personal, const struct geo_personal *old, uint32_t from,
                       uint32_t to)
{
    uint32_t point = points_before(old, from), points = points_before(old, to) - point;
    uint32_t ring = rings_before(old, from), rings = rings_before(old, to) - ring;
    struct personal_item *items = personal->items + personal->count;
    memcpy(items, old->items + from, (to - from) * sizeof *items);
    memcpy(personal->points + personal->point_count, old->points + point,
           points * sizeof *old->points);
    memcpy(personal->ring_ends + personal->ring_count, old->ring_ends + ring,
           rings * sizeof *old->ring_ends);
    for (uint32_t i = 0; i < to - from; i++) { /* what was before them may have been more or less */
        items[i].point_first += personal->point_count - point;
        items[i].ring_first += personal->ring_count - ring;
    }
    personal->count += to - from;
    personal->point_count += points;
    personal->ring_count += rings;
}

static uint32_t last_owner(const struct plan *plan)
{
    uint32_t last = plan->count > 0 ? (uint32_t)(plan->places[plan->count - 1].key >> 32) : 0;
    if (plan->old == NULL) {
        return last;
    }
    uint32_t old_count = plan->old->count;
    uint32_t kept = plan->to < old_count ? old_count : plan->from;
    uint32_t old_last = kept > 0 ? plan->old->items[kept - 1].owner : 0;
    return old_last > last ? old_last : last;
}

/* All in one piece, empty, with room and the directory's size. */
static struct geo_personal *make_room(const struct plan *plan)
{
    size_t items = plan->items_in_all, points = plan->points_in_all, rings = plan->rings_in_all;
    uint32_t last = last_owner(plan), shift = 0;
    while (items > 0 && (uint64_t)(last >> shift) + 2 > 4 * items) {
        shift++;
    }
    size_t starts = items > 0 ? (size_t)(last >> shift) + 2 : 0;
    struct geo_personal *personal =
        malloc(sizeof *personal + items * sizeof(struct personal_item) +
               points * sizeof(struct geo_point) + (rings + starts) * sizeof(uint32_t));
    if (personal != NULL) {
        *personal = (struct geo_personal){.start_count = (uint32_t)starts, .shift = shift};
        personal->points = (struct geo_point *)(void *)(personal->items + items);
        personal->ring_ends = (uint32_t *)(void *)(personal->points + points);
        personal->starts = personal->ring_ends + rings;
    }
    return personal;
}

static void fill_directory(struct geo_personal *personal)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < personal->count; i++) {
        while (next <= personal->items[i].owner >> personal->shift) {
            personal->starts[next++] = i;
        }
    }
    while (next < personal->start_count) {
        personal->starts[next++] = personal->count;
    }
}

static enum status assemble(struct plan *plan, struct geo_personal **ret)
{
    enum status status = check_fences(plan);
    if (status != STATUS_OK) {
        return status;
    }
    plan->places = malloc((plan->count + (size_t)1) * sizeof *plan->places);
    if (plan->places == NULL) {
        return status_detail_set(plan->detail, STATUS_NO_MEMORY,
                                 "no memory to sort %u personal fences", plan->count);
    }
    status = order_fences(plan);
    struct geo_personal *personal = status == STATUS_OK ? make_room(plan) : NULL;
    if (status == STATUS_OK && personal == NULL) {
        status =
            status_detail_set(plan->detail, STATUS_NO_MEMORY, "no memory for %llu personal fences",
                              (unsigned long long)plan->items_in_all);
    }
    if (personal != NULL) {
        if (plan->old != NULL) {
            append_old(personal, plan->old, 0, plan->from);
        }
        for (uint32_t i = 0; i < plan->count; i++) {
            append(personal, &plan->fences[plan->places[i].fence]);
        }
        if (plan->old != NULL) {
            append_old(personal, plan->old, plan->to, plan->old->count);
        }
        fill_directory(personal);
        *ret = personal;
    }
    free(plan->places);
    return status;
}

enum status geo_personal_new(const struct geo_personal_fence *fences, uint32_t count,
                             struct geo_personal **ret, struct status_detail *detail)
{
    struct plan plan = {.fences = fences, .count = count, .detail = detail};
    return assemble(&plan, ret);
}

enum status geo_personal_change(const struct geo_personal *personal, uint32_t owner,
                                const struct geo_personal_fence *fences, uint32_t count,
                                struct geo_personal **ret, struct status_detail *detail)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fences[i].owner != owner) {
            return status_detail_set(detail, STATUS_INVALID,
                                     "owner %u, fence %u: it is among those of owner %u",
                                     fences[i].owner, fences[i].number, owner);
        }
    }
    struct plan plan = {.old = personal, .fences = fences, .count = count, .detail = detail};
    plan.from = plan.to = lower_bound(personal, owner, 0, personal->count);
    while (plan.to < personal->count && personal->items[plan.to].owner == owner) {
        plan.to++;
    }
    plan.items_in_all = personal->count - (plan.to - plan.from);
    plan.points_in_all = personal->point_count -
                         (points_before(personal, plan.to) - points_before(personal, plan.from));
    plan.rings_in_all = personal->ring_count -
                        (rings_before(personal, plan.to) - rings_before(personal, plan.from));
    return assemble(&plan, ret);
}

void geo_personal_free(struct geo_personal *personal)
{
    free(personal);
}

size_t geo_personal_bytes(const struct geo_personal *personal)
{
    return sizeof *personal + personal->count * sizeof personal->items[0] +
           personal->point_count * sizeof personal->points[0] +
           ((size_t)personal->ring_count + personal->start_count) * sizeof(uint32_t);
}
