#include "bench/presence_stays.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"

static int by_time(const void *a, const void *b)
{
    const struct stay_fix *x = a, *y = b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

uint32_t stays_usable(struct stay_fix *fixes, uint32_t count)
{
    uint32_t precise = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fixes[i].accuracy_cm > 0 && fixes[i].accuracy_cm <= STAY_ACCURACY_CM_MAX) {
            fixes[precise++] = fixes[i];
        }
    }
    if (precise > 0) {
        qsort(fixes, precise, sizeof *fixes, by_time);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < precise; i++) {
        if (kept == 0 || fixes[i].time_ms > fixes[kept - 1].time_ms) {
            fixes[kept++] = fixes[i];
        }
    }
    return kept;
}

/* ---- groups ---- */

struct mean {
    int64_t lat_e7, lon_e7; /* sums */
    uint32_t count;
};

static void add_point(struct mean *mean, struct geo_point point)
{
    mean->lat_e7 += point.lat_e7;
    mean->lon_e7 += point.lon_e7;
    mean->count++;
}

static struct geo_point mean_point(const struct mean *mean)
{
    return (struct geo_point){(int32_t)(mean->lat_e7 / mean->count),
                              (int32_t)(mean->lon_e7 / mean->count)};
}

static bool is_near(struct geo_point a, struct geo_point b)
{
    return geo_distance_m(a, b) <= STAY_RADIUS_M;
}

/* The group that begins with fix `first`. */
static struct stay group_from(const struct stay_fix *fixes, uint32_t count, uint32_t first)
{
    struct stay group = {.first = first, .last = first, .from_ms = fixes[first].time_ms};
    struct mean mean = {0};
    add_point(&mean, fixes[first].point);
    for (uint32_t i = first + 1; i < count; i++) {
        if (is_near(fixes[i].point, mean_point(&mean))) {
            add_point(&mean, fixes[i].point);
            group.last = i;
        } else if (i - group.last >= STAY_AWAY_FIXES &&
                   fixes[i].time_ms - fixes[group.last].time_ms >= STAY_AWAY_MS) {
            break;
        }
    }
    group.fix_count = mean.count;
    group.centre = mean_point(&mean);
    return group;
}

static int64_t silence_ms(const struct stay_fix *last, const struct stay_fix *next)
{
    double walk_s = geo_distance_m(last->point, next->point) / STAY_WALK_M_PER_S;
    int64_t silent_ms = next->time_ms - last->time_ms;
    int64_t still_ms = silent_ms - (int64_t)(walk_s * 1000);
    return still_ms > 0 && silent_ms <= STAY_SILENT_MS_MAX ? still_ms : 0;
}

/* Sets to_ms. Is the group a stay? */
static bool lasts(const struct stay_fix *fixes, uint32_t count, struct stay *group)
{
    const struct stay_fix *last = &fixes[group->last];
    bool ends = group->last + 1 == count;
    group->to_ms = last->time_ms + (ends ? 0 : silence_ms(last, last + 1));
    return group->fix_count >= STAY_FIXES_MIN &&
           group->fix_count * 3 >= (group->last - group->first + 1) * 2 &&
           last->time_ms - group->from_ms >= STAY_SEEN_MS_MIN &&
           (ends || group->to_ms - group->from_ms > STAY_MS_MIN);
}

/* Was the phone clearly out of the place between two stays? */
static bool is_left_between(const struct stay_fix *fixes, const struct stay *a,
                            const struct stay *b, struct geo_point place)
{
    uint32_t in_row = 0;
    int64_t inside_ms = fixes[a->last].time_ms;
    for (uint32_t i = a->last + 1; i <= b->first; i++) {
        if (i == b->first || is_near(fixes[i].point, place)) {
            if (in_row >= STAY_AWAY_FIXES && fixes[i].time_ms - inside_ms >= STAY_AWAY_MS) {
                return true;
            }
            in_row = 0;
            inside_ms = fixes[i].time_ms;
        } else {
            in_row++;
        }
    }
    return false;
}

static void join(struct stay *a, const struct stay *b)
{
    double part = (double)b->fix_count / (double)(a->fix_count + b->fix_count);
    a->centre.lat_e7 += (int32_t)lround(part * (double)(b->centre.lat_e7 - a->centre.lat_e7));
    a->centre.lon_e7 += (int32_t)lround(part * (double)(b->centre.lon_e7 - a->centre.lon_e7));
    a->fix_count += b->fix_count;
    a->last = b->last;
    a->to_ms = b->to_ms;
}

uint32_t stays_find(const struct stay_fix *fixes, uint32_t count, struct stay *ret,
                    uint32_t capacity)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count;) {
        struct stay group = group_from(fixes, count, i);
        if (!lasts(fixes, count, &group)) {
            i++;
            continue;
        }
        struct stay *before = found > 0 ? &ret[found - 1] : NULL;
        if (before != NULL && is_near(before->centre, group.centre) &&
            !is_left_between(fixes, before, &group, before->centre)) {
            join(before, &group);
        } else if (found < capacity) {
            ret[found++] = group;
        }
        i = group.last + 1;
    }
    return found;
}

/* ---- places ---- */

uint32_t stays_places(struct stay *stays, uint32_t count, struct geo_point *ret_places)
{
    uint32_t places = 0;
    struct mean *means = calloc(count + 1, sizeof *means);
    ASSERT(means != NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t nearest = places;
        double nearest_m = STAY_RADIUS_M;
        for (uint32_t k = 0; k < places; k++) {
            double m = geo_distance_m(stays[i].centre, ret_places[k]);
            if (m <= nearest_m) {
                nearest = k;
                nearest_m = m;
            }
        }
        places += nearest == places ? 1 : 0;
        stays[i].place = nearest;
        add_point(&means[nearest], stays[i].centre);
        ret_places[nearest] = mean_point(&means[nearest]);
    }
    free(means);
    return places;
}

uint32_t stays_join(struct stay *stays, uint32_t count, const struct stay_fix *fixes,
                    const struct geo_point *places)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct stay *before = kept > 0 ? &stays[kept - 1] : NULL;
        if (before != NULL && before->place == stays[i].place &&
            !is_left_between(fixes, before, &stays[i], places[before->place])) {
            join(before, &stays[i]);
        } else {
            stays[kept++] = stays[i];
        }
    }
    return kept;
}
