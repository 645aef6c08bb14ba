#include <math.h>

#include "bench/geo_city.h"

/* A net of 125 x 120 meshes. Its knots stand off their places by up to a fifth of a mesh, and the
 * string between two knots goes by corners of its own, which the two tracts beside it share. In
 * the net's own square all meshes are alike; squeezed towards the middle it becomes the city. */
enum {
    WIDE = CITY_TRACTS_WIDE,
    HIGH = CITY_TRACTS_HIGH,
    STRING_MIN = 2, /* points of a string: its first knot and corners */
    STRING_MAX = 12,
    KNOTS = (WIDE + 1) * (HIGH + 1),
};

struct place { /* in meshes from the low corner */
    double x, y;
};

struct string {
    struct geo_point points[STRING_MAX];
    uint32_t count; /* the knot at its end is the next string's */
};

struct net {
    struct place knots[KNOTS];
    struct string strings[KNOTS][2]; /* from each knot: eastwards, northwards */
};

static double squeezed(double share) /* 0 .. 1 */
{
    double u = 2 * share - 1;
    return 0.5 + 0.5 * u * (0.25 + 0.75 * u * u);
}

static struct geo_point in_city(struct place place)
{
    double lat = 358230000 + 13020000 * squeezed(place.y / HIGH);
    double lon = 1119850000 + 17510000 * squeezed(place.x / WIDE);
    return (struct geo_point){(int32_t)lround(lat), (int32_t)lround(lon)};
}

/* Corners stand off the straight line by up to 0.15 of the way to the nearer knot, so that strings
 * that meet in a knot do not cross. */
static void tie(struct city_random *random, struct place from, struct place to, struct string *ret)
{
    ret->count = STRING_MIN + city_random_below(random, STRING_MAX - STRING_MIN + 1);
    for (uint32_t i = 0; i < ret->count; i++) {
        double done = (double)i / ret->count;
        double off = city_random_between(random, -0.15, 0.15) * (done < 0.5 ? done : 1 - done);
        ret->points[i] =
            in_city((struct place){from.x + (to.x - from.x) * done - (to.y - from.y) * off,
                                   from.y + (to.y - from.y) * done + (to.x - from.x) * off});
    }
}

static void knot(struct net *net, struct city_random *random)
{
    for (uint32_t i = 0; i < KNOTS; i++) {
        uint32_t column = i % (WIDE + 1), row = i / (WIDE + 1);
        net->knots[i] = (struct place){column + city_random_between(random, -0.2, 0.2),
                                       row + city_random_between(random, -0.2, 0.2)};
    }
    for (uint32_t i = 0; i < KNOTS; i++) {
        if (i % (WIDE + 1) < WIDE) {
            tie(random, net->knots[i], net->knots[i + 1], &net->strings[i][0]);
        }
        if (i / (WIDE + 1) < HIGH) {
            tie(random, net->knots[i], net->knots[i + WIDE + 1], &net->strings[i][1]);
        }
    }
}

static void follow(const struct string *string, struct geo_point *points, uint32_t *count)
{
    for (uint32_t i = 0; i < string->count; i++) {
        points[(*count)++] = string->points[i];
    }
}

/* From the knot at its end back: the end itself belongs to this way, the first knot does not. */
static void follow_back(const struct string *string, struct geo_point end, struct geo_point *points,
                        uint32_t *count)
{
    points[(*count)++] = end;
    for (uint32_t i = string->count; i-- > 1;) {
        points[(*count)++] = string->points[i];
    }
}

static bool cut_out(const struct net *net, uint32_t low, struct arena *arena, struct geo_shape *ret)
{
    uint32_t east = low + 1, north = low + WIDE + 1, across = north + 1, count = 0;
    struct geo_point *points = arena_array(arena, (size_t)STRING_MAX * 4, sizeof *points);
    uint32_t *ends = arena_array(arena, 1, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return false;
    }
    follow(&net->strings[low][0], points, &count);
    follow(&net->strings[east][1], points, &count);
    follow_back(&net->strings[north][0], in_city(net->knots[across]), points, &count);
    follow_back(&net->strings[low][1], in_city(net->knots[north]), points, &count);
    ends[0] = count;
    *ret = (struct geo_shape){.kind = GEO_POLYGON,
                              .point_count = count,
                              .ring_count = 1,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(ret);
    return true;
}

bool city_tracts(uint64_t seed, struct arena *arena, struct geo_shape **ret)
{
    struct city_random random = {seed};
    struct net *net = arena_array(arena, 1, sizeof *net);
    struct geo_shape *shapes = arena_array(arena, CITY_TRACTS, sizeof *shapes);
    bool ok = net != NULL && shapes != NULL;
    if (ok) {
        knot(net, &random);
    }
    for (uint32_t i = 0; i < CITY_TRACTS && ok; i++) {
        ok = cut_out(net, i / WIDE * (WIDE + 1) + i % WIDE, arena, &shapes[i]);
    }
    *ret = shapes;
    return ok;
}
