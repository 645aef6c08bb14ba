#include "geo/way.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "geo/shape_internal.h"

/* What happens at a meeting; each is a place of the boundary. */
enum { TOUCH = 0, CROSS = 1, ALONG = 2, LEAVE = 3 };

#define JUST_OFF 0x1p-53 /* the place nearest to an end that is not the end */
#define NEAR_M   0.1     /* a round shape's rim this near to an end that it covers reaches it */
#define CLOSE_M  0.001   /* gaps that are closed */

__extension__ typedef __int128 wide;

struct flat {
    int64_t lon, lat;
};

static wide cross(struct flat a, struct flat b)
{
    return (wide)a.lon * b.lat - (wide)a.lat * b.lon;
}

static double clamp01(double t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

struct geo_point geo_way_point(struct geo_point a, struct geo_point b, double t)
{
    t = clamp01(t);
    int64_t lon = a.lon_e7 + (int64_t)llround(t * (double)geo_lon_gap(a.lon_e7, b.lon_e7));
    int64_t lat = a.lat_e7 + (int64_t)llround(t * (double)((int64_t)b.lat_e7 - a.lat_e7));
    lon += lon > GEO_LON_E7_MAX ? -GEO_TURN_E7 : lon < -GEO_LON_E7_MAX ? GEO_TURN_E7 : 0;
    return t >= 1 ? b : (struct geo_point){(int32_t)lat, (int32_t)lon};
}

/* ---- what leaves, in order ---- */

struct out {
    struct geo_stretch *ret;
    uint32_t shape, capacity, count;
    bool a_covered, b_covered;
    bool held; /* the last stretch, not yet given */
    double from, to;
    double near; /* this near to an end that is covered is at it */
};

static void give(struct out *out, double from, double to)
{
    if (out->count < out->capacity) {
        out->ret[out->count] = (struct geo_stretch){out->shape, from, to};
    }
    out->count++;
}

/* The next stretch. The start is made to agree with a. */
static void out_add(struct out *out, double from, double to)
{
    if (out->held) {
        give(out, out->from, out->to);
    } else if (!out->a_covered) {
        from = fmax(from, JUST_OFF);
        to = fmax(to, from);
    } else if (from <= out->near) {
        from = 0;
    } else {
        give(out, 0, 0);
    }
    out->held = true;
    out->from = from;
    out->to = to;
}

/* The end is made to agree with b. */
static uint32_t out_end(struct out *out)
{
    if (!out->held && out->a_covered) {
        out->held = true;
        out->from = out->to = 0;
    }
    if (out->held && out->b_covered && out->to >= 1 - out->near) {
        out->to = 1;
    } else if (out->held && !out->b_covered) {
        out->to = fmin(out->to, 1 - JUST_OFF);
        out->from = fmin(out->from, out->to);
    }
    if (out->held) {
        give(out, out->from, out->to);
    }
    if (out->b_covered && !(out->held && out->to >= 1)) {
        give(out, 1, 1);
    }
    return out->count;
}

/* a and b are the same place, though perhaps once as 180 and once as -180 degrees. */
static uint32_t stay(struct out *out)
{
    if (out->a_covered || out->b_covered) {
        give(out, out->a_covered ? 0 : 1, out->b_covered ? 1 : 0);
    }
    return out->count;
}

/* ---- polygons ---- */

void geo_way_init(struct geo_way *way, struct geo_point a, struct geo_point b)
{
    way->start = a;
    way->lon = geo_lon_gap(a.lon_e7, b.lon_e7);
    way->lat = (int64_t)b.lat_e7 - a.lat_e7;
    if (a.lon_e7 == GEO_LON_E7_MAX && way->lon > 0) {
        way->start.lon_e7 = -GEO_LON_E7_MAX;
    } else if (a.lon_e7 == -GEO_LON_E7_MAX && way->lon < 0) {
        way->start.lon_e7 = GEO_LON_E7_MAX;
    }
    int64_t end = way->start.lon_e7 + way->lon;
    way->over = end > GEO_LON_E7_MAX ? GEO_TURN_E7 : end < -GEO_LON_E7_MAX ? -GEO_TURN_E7 : 0;
    way->turned = way->crossed = way->full = false;
    way->count = 0;
}

/* Negative: x is before y. Exact: num <= den < 2^63.1, so that a product is below 2^127. */
static int compare(const struct geo_way_meeting *x, const struct geo_way_meeting *y)
{
    wide left = (wide)x->num * y->den, right = (wide)y->num * x->den;
    return (left > right) - (left < right);
}

static void meet(struct geo_way *way, wide num, wide den, uint32_t what)
{
    if (den < 0) {
        num = -num;
        den = -den;
    }
    if (num < 0 || num > den) {
        return;
    }
    struct geo_way_meeting m = {(uint64_t)num, (uint64_t)den, what};
    way->crossed ^= what == CROSS && num > 0;
    if (way->count == 0 || compare(&m, &way->first) < 0) {
        way->first = m;
    }
    if (way->count == 0 || compare(&m, &way->last) > 0) {
        way->last = m;
    }
    if (way->count < GEO_WAY_MEETINGS_MAX) {
        way->meetings[way->count++] = m;
    } else {
        way->full = true;
    }
}

/* Where a point of the way's own line lies along it, as num / den with den > 0. */
static wide along(const struct geo_way *way, struct flat p, wide *ret_den)
{
    bool by_lon = way->lon != 0;
    int64_t num = by_lon ? p.lon : p.lat, den = by_lon ? way->lon : way->lat;
    *ret_den = den < 0 ? -den : den;
    return den < 0 ? -num : num;
}

static void meet_collinear(struct geo_way *way, struct flat p, struct flat q)
{
    wide den, from = along(way, p, &den), to = along(way, q, &den);
    if (from > to) {
        wide swap = from;
        from = to;
        to = swap;
    }
    if (to < 0 || from > den) {
        return;
    }
    meet(way, from < 0 ? 0 : from, den, ALONG);
    meet(way, to > den ? den : to, den, LEAVE);
}

/* Is the direction beyond the way's own, counted from west by south, east and north? */
static bool is_beyond(struct flat way, struct flat ray)
{
    bool way_upper = way.lat > 0 || (way.lat == 0 && way.lon > 0);
    bool ray_upper = ray.lat > 0 || (ray.lat == 0 && ray.lon > 0);
    return way_upper == ray_upper ? cross(way, ray) > 0 : ray_upper;
}

/* Which edges lie between the ray to the west, where the start's parity is known, and the way (its left side). */
static void turn(struct geo_way *way, struct flat p, struct flat q)
{
    bool holds = (p.lon <= 0 || q.lon <= 0) && (p.lon >= 0 || q.lon >= 0) &&
                 (p.lat <= 0 || q.lat <= 0) && (p.lat >= 0 || q.lat >= 0);
    if (!holds || cross(p, q) != 0) {
        return;
    }
    struct flat d = {way->lon, way->lat};
    way->turned ^= (p.lon != 0 || p.lat != 0) && is_beyond(d, p);
    way->turned ^= (q.lon != 0 || q.lat != 0) && is_beyond(d, q);
}

/* The way is taken a hair to its left, so that it passes through no vertex and along no edge; what it only touches is
 * a meeting too. */
static void take_edge(struct geo_way *way, struct flat p, struct flat q)
{
    struct flat d = {way->lon, way->lat}, pq = {q.lon - p.lon, q.lat - p.lat};
    wide side_p = cross(d, p), side_q = cross(d, q);
    turn(way, p, q);
    if (side_p == 0 && side_q == 0) {
        meet_collinear(way, p, q);
    } else if ((side_p > 0) != (side_q > 0)) {
        meet(way, cross(p, pq), cross(d, pq), CROSS);
    } else if (side_p == 0 || side_q == 0) {
        wide den, num = along(way, side_p == 0 ? p : q, &den);
        meet(way, num, den, TOUCH);
    }
}

void geo_way_edge(struct geo_way *way, struct geo_point p, struct geo_point q)
{
    if (way->lon == 0 && way->lat == 0) {
        return;
    }
    struct flat from = {(int64_t)p.lon_e7 - way->start.lon_e7,
                        (int64_t)p.lat_e7 - way->start.lat_e7};
    struct flat to = {(int64_t)q.lon_e7 - way->start.lon_e7, (int64_t)q.lat_e7 - way->start.lat_e7};
    take_edge(way, from, to);
    if (way->over != 0) { /* what lies beyond the antimeridian is met there */
        from.lon += way->over;
        to.lon += way->over;
        take_edge(way, from, to);
    }
}

static void sift(struct geo_way_meeting *items, uint32_t at, uint32_t count)
{
    struct geo_way_meeting item = items[at];
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(&items[child], &items[child + 1]) < 0) {
            child++;
        }
        if (compare(&item, &items[child]) >= 0) {
            break;
        }
        items[at] = items[child];
    }
    items[at] = item;
}

static void sort(struct geo_way_meeting *items, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(items, i, count);
    }
    while (count > 1) {
        count--;
        struct geo_way_meeting item = items[0];
        items[0] = items[count];
        items[count] = item;
        sift(items, 0, count);
    }
}

static double place(const struct geo_way_meeting *m)
{
    if (m->num == 0 || m->num == m->den) {
        return m->num == 0 ? 0 : 1;
    }
    return fmin(fmax((double)m->num / (double)m->den, JUST_OFF), 1 - JUST_OFF);
}

static void sweep(struct geo_way *way, bool inside, struct out *out)
{
    sort(way->meetings, way->count);
    uint32_t depth = 0; /* edges that the way runs along */
    bool open = inside;
    double from = 0;
    for (uint32_t i = 0, next; i < way->count; i = next) {
        const struct geo_way_meeting *here = &way->meetings[i];
        for (next = i; next < way->count && compare(&way->meetings[next], here) == 0; next++) {
            uint32_t what = way->meetings[next].what;
            inside ^= what == CROSS && here->num > 0;
            depth += (what == ALONG) - (uint32_t)(what == LEAVE);
        }
        double t = place(here);
        from = open ? from : t;
        open = inside || depth > 0;
        if (!open) {
            out_add(out, from, t);
        }
    }
    if (open) {
        out_add(out, from, 1);
    }
}

uint32_t geo_way_finish(struct geo_way *way, const struct geo_way_ends *ends, uint32_t shape,
                        struct geo_stretch *ret, uint32_t capacity, bool *ret_coarse)
{
    ASSERT(way->count <= GEO_WAY_MEETINGS_MAX);
    struct out out = {.ret = ret,
                      .shape = shape,
                      .capacity = capacity,
                      .a_covered = ends->a_covered,
                      .b_covered = ends->b_covered};
    if (ret_coarse != NULL) {
        *ret_coarse = way->full;
    }
    if (way->lon == 0 && way->lat == 0) {
        return stay(&out);
    }
    bool inside = ends->start_inside ^ way->turned;
    if (way->full) {
        bool inside_last = inside ^ way->crossed;
        out_add(&out, inside ? 0 : place(&way->first), inside_last ? 1 : place(&way->last));
    } else {
        sweep(way, inside, &out);
    }
    return out_end(&out);
}

bool geo_way_ray_crosses(struct geo_point start, struct geo_point p, struct geo_point q)
{
    struct geo_point low = p.lat_e7 < q.lat_e7 ? p : q, high = p.lat_e7 < q.lat_e7 ? q : p;
    if (start.lat_e7 < low.lat_e7 || start.lat_e7 >= high.lat_e7) {
        return false;
    }
    struct flat edge = {(int64_t)high.lon_e7 - low.lon_e7, (int64_t)high.lat_e7 - low.lat_e7};
    struct flat to = {(int64_t)start.lon_e7 - low.lon_e7, (int64_t)start.lat_e7 - low.lat_e7};
    return cross(edge, to) < 0;
}

static uint32_t polygon_way(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                            struct out *out, bool *ret_coarse)
{
    struct geo_way way;
    struct geo_way_ends ends = {false, out->a_covered, out->b_covered};
    geo_way_init(&way, a, b);
    uint32_t start = 0;
    for (uint32_t ring = 0; ring < shape->ring_count; ring++) {
        uint32_t end = shape->ring_ends[ring];
        for (uint32_t i = start; i < end; i++) {
            struct geo_point p = shape->points[i], q = shape->points[i + 1 < end ? i + 1 : start];
            ends.start_inside ^= geo_way_ray_crosses(way.start, p, q);
            geo_way_edge(&way, p, q);
        }
        start = end;
    }
    return geo_way_finish(&way, &ends, 0, out->ret, out->capacity, ret_coarse);
}

/* ---- circles and corridors ---- */

struct span {
    double from, to;
};

/* The way from the origin by d, and a segment from p by s; in steps, or metres. */
struct round_pair {
    double dx, dy, px, py, sx, sy;
};

static struct round_pair in_metres(const struct round_pair *pair, struct geo_scale scale)
{
    return (struct round_pair){pair->dx * scale.lon_m, pair->dy * scale.lat_m,
                               pair->px * scale.lon_m, pair->py * scale.lat_m,
                               pair->sx * scale.lon_m, pair->sy * scale.lat_m};
}

/* Where the way is within radius of (x, y). */
static bool disk(const struct round_pair *m, double x, double y, double radius, struct span *ret)
{
    double length = hypot(m->dx, m->dy);
    double off = (m->dx * y - m->dy * x) / length;
    double half2 = radius * radius - off * off;
    if (half2 < 0) {
        return false;
    }
    double middle = (m->dx * x + m->dy * y) / length, half = sqrt(half2);
    *ret = (struct span){(middle - half) / length, (middle + half) / length};
    return true;
}

/* Where start + t * step is within low..high. */
static bool cut(double start, double step, double low, double high, struct span *span)
{
    if (step == 0) {
        return start >= low && start <= high;
    }
    double t0 = (low - start) / step, t1 = (high - start) / step;
    span->from = fmax(span->from, fmin(t0, t1));
    span->to = fmin(span->to, fmax(t0, t1));
    return span->from <= span->to;
}

/* A segment with its radius is convex: a rectangle and a disk at either end, met in one span. */
static bool stadium(const struct round_pair *pair, double radius, struct geo_scale scale,
                    struct span *ret)
{
    struct round_pair m = in_metres(pair, scale);
    double length = hypot(m.sx, m.sy);
    struct span all = {HUGE_VAL, -HUGE_VAL}, part;
    for (int i = 0; i < 2; i++) {
        if (disk(&m, m.px + i * m.sx, m.py + i * m.sy, radius, &part)) {
            all = (struct span){fmin(all.from, part.from), fmax(all.to, part.to)};
        }
    }
    if (length > 0) {
        double ux = m.sx / length, uy = m.sy / length;
        part = (struct span){-HUGE_VAL, HUGE_VAL};
        if (cut(-(ux * m.px + uy * m.py), ux * m.dx + uy * m.dy, 0, length, &part) &&
            cut(uy * m.px - ux * m.py, ux * m.dy - uy * m.dx, -radius, radius, &part)) {
            all = (struct span){fmin(all.from, part.from), fmax(all.to, part.to)};
        }
    }
    *ret = (struct span){fmax(all.from, 0), fmin(all.to, 1)};
    return ret->from <= ret->to;
}

static double gap2(const struct round_pair *m, double t)
{
    double x = t * m->dx - m->px, y = t * m->dy - m->py;
    double length2 = m->sx * m->sx + m->sy * m->sy;
    double u = length2 > 0 ? clamp01((x * m->sx + y * m->sy) / length2) : 0;
    x -= u * m->sx;
    y -= u * m->sy;
    return x * x + y * y;
}

/* Where the way is nearest to the segment. */
static double nearest(const struct round_pair *pair, struct geo_scale scale)
{
    struct round_pair m = in_metres(pair, scale);
    double d2 = m.dx * m.dx + m.dy * m.dy, area = m.dx * m.sy - m.dy * m.sx;
    const double tries[5] = {0, 1, clamp01((m.px * m.dx + m.py * m.dy) / d2),
                             clamp01(((m.px + m.sx) * m.dx + (m.py + m.sy) * m.dy) / d2),
                             area != 0 ? clamp01((m.px * m.sy - m.py * m.sx) / area) : 0};
    double best = 0;
    for (int i = 1; i < 5; i++) {
        best = gap2(&m, tries[i]) < gap2(&m, best) ? tries[i] : best;
    }
    return best;
}

static struct geo_scale scale_on_way(const struct round_pair *pair, struct geo_point a, double t)
{
    return geo_scale_at((int32_t)llround(a.lat_e7 + t * pair->dy));
}

/* The span in the scale of where the two are nearest, then each end in its own. */
static bool segment_span(const struct round_pair *pair, struct geo_point a, double radius,
                         struct span *ret)
{
    double t = 0.5;
    for (int i = 0; i < 3; i++) {
        t = nearest(pair, scale_on_way(pair, a, t));
    }
    struct span span, own;
    if (!stadium(pair, radius, scale_on_way(pair, a, t), &span)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (stadium(pair, radius, scale_on_way(pair, a, span.from), &own)) {
            span.from = fmin(own.from, span.to);
        }
        if (stadium(pair, radius, scale_on_way(pair, a, span.to), &own)) {
            span.to = fmax(own.to, span.from);
        }
    }
    *ret = span;
    return true;
}

struct spans {
    struct span items[GEO_WAY_MEETINGS_MAX];
    uint32_t count;
    bool full;
};

/* Keeps them in order and apart by more than `close`; one too many makes all one. */
static void join(struct spans *spans, struct span span, double close)
{
    uint32_t first = 0, end;
    while (first < spans->count && spans->items[first].to < span.from - close) {
        first++;
    }
    for (end = first; end < spans->count && spans->items[end].from <= span.to + close; end++) {
        span.from = fmin(span.from, spans->items[end].from);
        span.to = fmax(span.to, spans->items[end].to);
    }
    if (end == first && spans->count == GEO_WAY_MEETINGS_MAX) {
        span.from = fmin(span.from, spans->items[0].from);
        span.to = fmax(span.to, spans->items[spans->count - 1].to);
        spans->full = true;
        first = 0;
        end = spans->count;
    }
    memmove(&spans->items[first + 1], &spans->items[end],
            (spans->count - end) * sizeof spans->items[0]);
    spans->items[first] = span;
    spans->count = spans->count - (end - first) + 1;
}

/* From a to p, the turn of the globe that is nearest to the middle of the way. */
static double lon_from(struct geo_point a, int64_t way_lon, struct geo_point p)
{
    int64_t half = way_lon / 2, gap = (int64_t)p.lon_e7 - a.lon_e7 - half;
    gap -= gap > GEO_LON_E7_MAX ? GEO_TURN_E7 : 0;
    gap += gap < -GEO_LON_E7_MAX ? GEO_TURN_E7 : 0;
    return (double)(gap + half);
}

static uint32_t round_way(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                          struct out *out, bool *ret_coarse)
{
    int64_t lon = geo_lon_gap(a.lon_e7, b.lon_e7);
    struct round_pair pair = {.dx = (double)lon, .dy = (double)((int64_t)b.lat_e7 - a.lat_e7)};
    struct geo_scale scale = geo_scale_at(0);
    double length_m = hypot(pair.dx * scale.lon_m, pair.dy * scale.lat_m);
    struct spans spans = {.count = 0};
    for (uint32_t i = 0; i < shape->point_count; i++) {
        if (i == 0 && shape->point_count > 1) {
            continue;
        }
        struct geo_point p = shape->points[i > 0 ? i - 1 : 0], q = shape->points[i];
        pair.px = lon_from(a, lon, p);
        pair.py = (double)((int64_t)p.lat_e7 - a.lat_e7);
        pair.sx = (double)((int64_t)q.lon_e7 - p.lon_e7);
        pair.sy = (double)((int64_t)q.lat_e7 - p.lat_e7);
        struct span span;
        if (segment_span(&pair, a, shape->radius_m, &span)) {
            join(&spans, span, CLOSE_M / length_m);
        }
    }
    out->near = NEAR_M / length_m;
    for (uint32_t i = 0; i < spans.count; i++) {
        out_add(out, spans.items[i].from, spans.items[i].to);
    }
    if (ret_coarse != NULL) {
        *ret_coarse = spans.full;
    }
    return out_end(out);
}

uint32_t geo_shape_way(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                       struct geo_stretch *ret, uint32_t capacity, bool *ret_coarse)
{
    struct out out = {.ret = ret,
                      .capacity = capacity,
                      .a_covered = geo_shape_covers(shape, a),
                      .b_covered = geo_shape_covers(shape, b)};
    if (shape->kind == GEO_POLYGON) {
        return polygon_way(shape, a, b, &out, ret_coarse);
    }
    if (a.lat_e7 == b.lat_e7 && geo_lon_gap(a.lon_e7, b.lon_e7) == 0) {
        if (ret_coarse != NULL) {
            *ret_coarse = false;
        }
        return stay(&out);
    }
    return round_way(shape, a, b, &out, ret_coarse);
}
