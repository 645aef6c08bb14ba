/* Distances: of each shape whose boundary is within reach of a point, that of the nearest edge. */
#include <string.h>

#include "base/assert.h"
#include "geo/index_lanes_internal.h"
#include "geo/index_near_internal.h"

enum { HITS_MAX = 256, BATCH = INDEX_BATCH };

/* A point and its surroundings. */
struct search {
    const struct geo_index *index;
    struct geo_point point; /* lon may lie beyond the antimeridian */
    float lat_m, lon_m, reach_m;
    /* the hits of the lowest shapes from `floor` on, ascending; others were found where `more` */
    uint32_t floor, count;
    bool more;
    struct near_hit hits[HITS_MAX];
};

/* ---- runs of edges ---- */

static float short_run_gap2(const struct geo_point *points, uint32_t edges, struct geo_point p,
                            float lat_m, float lon_m)
{
    lanes_float best = lanes_edges_gap2(points, p, lat_m, lon_m);
    for (uint32_t first = LANES; first < edges; first += LANES) {
        best = lanes_least(best, lanes_edges_gap2(points + first, p, lat_m, lon_m));
    }
    return lanes_least_of(best);
}

float index_long_gap2(const struct geo_point *points, uint32_t edges, struct geo_point p)
{
    struct geo_scale scale = geo_scale_at(p.lat_e7);
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < edges; i++) {
        double ax = (double)((int64_t)points[i].lon_e7 - p.lon_e7) * scale.lon_m;
        double ay = (double)((int64_t)points[i].lat_e7 - p.lat_e7) * scale.lat_m;
        double dx = (double)((int64_t)points[i + 1].lon_e7 - points[i].lon_e7) * scale.lon_m;
        double dy = (double)((int64_t)points[i + 1].lat_e7 - points[i].lat_e7) * scale.lat_m;
        double length2 = dx * dx + dy * dy, along = -(ax * dx + ay * dy);
        double t = along <= 0 ? 0 : along >= length2 ? 1 : along / length2;
        double ex = ax + t * dx, ey = ay + t * dy;
        best = fmin(best, ex * ex + ey * ey);
    }
    return (float)best;
}

static inline float run_gap2(const struct search *search, uint32_t point, uint32_t edges,
                             uint32_t flags)
{
    const struct geo_point *points = search->index->points + point;
    return __builtin_expect((flags & RUN_LONG) != 0, 0)
               ? index_long_gap2(points, edges, search->point)
               : short_run_gap2(points, edges, search->point, search->lat_m, search->lon_m);
}

/* ---- hits ---- */

static void insert_hit(struct search *search, uint32_t shape, float gap2)
{
    uint32_t at = search->count;
    while (at > 0 && (search->hits[at - 1].shape & SHAPE_MASK) > (shape & SHAPE_MASK)) {
        at--;
    }
    if (at > 0 && search->hits[at - 1].shape == shape) {
        struct near_hit *hit = &search->hits[at - 1];
        hit->gap2 = gap2 < hit->gap2 ? gap2 : hit->gap2;
        return;
    }
    if (search->count == HITS_MAX) {
        search->more = true;
        if (at == HITS_MAX) {
            return;
        }
        search->count--;
    }
    memmove(search->hits + at + 1, search->hits + at,
            (search->count - at) * sizeof search->hits[0]);
    search->hits[at] = (struct near_hit){shape, gap2};
    search->count++;
}

static void try_hit(struct search *search, uint32_t shape, float gap2)
{
    float radius_m =
        (shape & RUN_ROUND) != 0 ? (float)search->index->shapes[shape & SHAPE_MASK].radius_m : 0;
    float far_m = search->reach_m + radius_m;
    if (gap2 <= far_m * far_m && (shape & SHAPE_MASK) >= search->floor) {
        insert_hit(search, shape & (RUN_ROUND | SHAPE_MASK), gap2);
    }
}

static void search_touches(struct search *search, const uint32_t *list)
{
    for (const uint32_t *run = list + 1, *end = run + 2 * (size_t)list[0]; run < end; run += 2) {
        uint32_t edges = (run[0] >> POINT_BITS) + 1;
        try_hit(search, run[1], run_gap2(search, run[0] & POINT_MASK, edges, run[1]));
    }
}

static void search_near(struct search *search, const uint32_t *list)
{
    for (const uint32_t *run = list + 1, *end = run + index_near_runs(*list); run < end; run++) {
        uint32_t point = *run & POINT_MASK, shape = search->index->owners_of[point / OWNER_POINTS];
        if ((float)(*run >> POINT_BITS) <= search->reach_m) {
            try_hit(search, shape, run_gap2(search, point, RUN_EDGES_MAX, shape));
        }
    }
}

/* ---- any reach: the coarse cells within it ---- */

struct index_span index_span_of(double low, double high, uint32_t bits, uint32_t count)
{
    double from = floor(ldexp(low, -(int)bits)), to = floor(ldexp(high, -(int)bits)), last = count;
    from = fmin(fmax(from, 0), last - 1);
    to = fmin(fmax(to, 0), last - 1);
    return (struct index_span){(uint32_t)from, (uint32_t)to};
}

static void search_cells(struct search *search)
{
    const struct geo_index *index = search->index;
    double reach_m = (double)search->reach_m * 1.00001 + 0.1;
    struct geo_scale scale = geo_scale_at(search->point.lat_e7);
    double lat = reach_m / geo_scale_at(0).lat_m, lon = reach_m / fmax(scale.lon_m, 1e-9);
    double north = (double)search->point.lat_e7 - index->lat;
    double east = (double)search->point.lon_e7 - index->lon;
    struct index_span rows =
        index_span_of(north - lat, north + lat, index->cell_bits, index->height);
    struct index_span columns =
        index_span_of(east - lon, east + lon, index->cell_bits, index->width);
    for (uint32_t row = rows.from; row <= rows.to; row++) {
        for (uint32_t column = columns.from; column <= columns.to; column++) {
            uint32_t touches = index->words[index_lines_at(index, column, row) >> 3];
            if (touches != 0) {
                search_touches(search, index->words + touches);
            }
        }
    }
}

/* The same once more from beyond the antimeridian, where the reach goes over it. */
static void search_around(struct search *search)
{
    struct geo_scale scale = geo_scale_at(search->point.lat_e7);
    int64_t margin = (int64_t)fmin(INT32_MAX - GEO_LON_E7_MAX - 1.0,
                                   (double)search->reach_m / fmax(scale.lon_m, 1e-9)) +
                     1;
    int64_t lon = search->point.lon_e7;
    search->lat_m = (float)scale.lat_m;
    search->lon_m = (float)scale.lon_m;
    search_cells(search);
    if (!search->index->has_near) { /* a round shape may reach over it as far as bounds do */
        margin = INT32_MAX - GEO_LON_E7_MAX - 1;
    }
    if (lon > GEO_LON_E7_MAX - margin || lon < -GEO_LON_E7_MAX + margin) {
        search->point.lon_e7 = (int32_t)(lon > 0 ? lon - GEO_TURN_E7 : lon + GEO_TURN_E7);
        search_cells(search);
        search->point.lon_e7 = (int32_t)lon;
    }
}

/* ---- a reach that the near entries know ---- */

/* The near list at the point; 0: none. */
static inline uint32_t list_of(const struct geo_index *index, struct geo_point p)
{
    struct index_spot spot = index_spot_of(index, p);
    uint32_t head = index->words[spot.word + TILE_CELLS];
    uint32_t place = index_place(head & 7, index->cell_bits, spot.east, spot.north);
    return index_near_list(head >> 3, index_near_entries(index->words, head)[place]);
}

static inline bool is_listed(const struct geo_index *index, float reach_m)
{
    return index->has_near && reach_m <= GEO_NEAR_M;
}

static inline float taken_reach(float reach_m)
{
    ASSERT(reach_m >= 0);
    return reach_m < GEO_REACH_M_MAX ? reach_m : GEO_REACH_M_MAX;
}

/* The hits are set where they are counted. */
static void begin_search(struct search *search, const struct geo_index *index,
                         struct geo_point point, float reach_m)
{
    search->index = index;
    search->point = point;
    search->reach_m = taken_reach(reach_m);
    search->floor = search->count = 0;
    search->more = false;
}

static void search_point(struct search *search)
{
    const struct geo_index *index = search->index;
    search->count = 0;
    search->more = false;
    if (!is_listed(index, search->reach_m)) {
        search_around(search);
        return;
    }
    uint32_t list = list_of(index, search->point);
    if (list != 0 && search->reach_m >= (float)index_near_metres(index->words[list])) {
        index_scale(search->index, search->point, &search->lat_m, &search->lon_m);
        search_near(search, index->words + list);
    }
}

/* ---- answers ---- */

struct answer {
    struct geo_near *items;
    uint32_t capacity, written, total;
    uint32_t seats; /* kept free for covering ones to come */
};

static void give(struct answer *answer, uint32_t shape, float distance_m, bool covers)
{
    answer->total++;
    answer->seats -= covers;
    if (answer->written < answer->capacity &&
        (covers || answer->written + answer->seats < answer->capacity)) {
        answer->items[answer->written++] = (struct geo_near){shape, distance_m};
    }
}

/* Joins the hits with the covering shapes below `end`; returns the place of the next covering one.
 */
static uint32_t join(const struct search *search, const uint32_t *covering, uint32_t at,
                     uint32_t covering_count, uint32_t end, struct answer *answer)
{
    for (uint32_t h = 0; h < search->count; h++) {
        const struct near_hit *hit = &search->hits[h];
        uint32_t shape = hit->shape & SHAPE_MASK;
        for (; at < covering_count && covering[at] < shape; at++) {
            give(answer, covering[at], -search->reach_m, true);
        }
        bool covers = at < covering_count && covering[at] == shape;
        at += covers;
        float distance_m = index_signed_distance(search->index, hit, covers);
        if (distance_m <= search->reach_m) { /* the square may be rounded down, and 0 is not out */
            give(answer, shape, fmaxf(distance_m, -search->reach_m), covers);
        }
    }
    for (; at < covering_count && covering[at] < end; at++) {
        give(answer, covering[at], -search->reach_m, true);
    }
    return at;
}

uint32_t geo_index_near(const struct geo_index *index, struct geo_point point, float reach_m,
                        struct geo_near *ret, uint32_t ret_capacity)
{
    if (index->cell_count == 0) {
        return 0;
    }
    uint32_t covering_count, at = 0;
    const uint32_t *covering = geo_index_set(index, index_find_set(index, point), &covering_count);
    struct answer answer = {.items = ret, .capacity = ret_capacity, .seats = covering_count};
    struct search search;
    begin_search(&search, index, point, reach_m);
    do { /* more than once only where more than HITS_MAX shapes are near */
        search_point(&search);
        uint32_t end =
            search.more ? (search.hits[HITS_MAX - 1].shape & SHAPE_MASK) + 1 : UINT32_MAX;
        at = join(&search, covering, at, covering_count, end, &answer);
        search.floor = end;
    } while (search.more);
    return answer.total;
}

/* ---- one shape ---- */

/* By what is near: where coordinates wrap, and for the largest ones. */
static float listed_distance(const struct geo_index *index, uint32_t shape, struct geo_point point,
                             bool covers, float reach_m)
{
    struct geo_near near[GEO_FOUND_MAX] = {{0, 0}}; /* rarely asked */
    uint32_t count = geo_index_near(index, point, reach_m, near, GEO_FOUND_MAX);
    count = count < GEO_FOUND_MAX ? count : GEO_FOUND_MAX; /* a covering one is among them */
    for (uint32_t i = 0; i < count; i++) {
        if (near[i].shape == shape) {
            return near[i].distance_m;
        }
    }
    return covers ? -reach_m : reach_m;
}

static float gap_m(int32_t at, int32_t low, int32_t high, float step_m)
{
    int64_t below = (int64_t)low - at, above = (int64_t)at - high;
    int64_t gap = below > above ? below : above;
    return gap > 0 ? (float)gap * step_m : 0;
}

static uint32_t points_of(const struct geo_index *index, const struct index_shape *shape)
{
    uint32_t points = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        points += index->words[shape->rings + 2 * r + 1];
    }
    return points;
}

static float ring_gap2(const struct search *search, uint32_t first, uint32_t edges, uint32_t flags)
{
    if ((flags & RUN_LONG) == 0 && edges >= 8 && search->index->has_avx2) {
        return index_ring_gap2_avx2(search->index->points + first, edges, search->point,
                                    search->lat_m, search->lon_m);
    }
    return run_gap2(search, first, edges, flags);
}

static float nearest_gap2(const struct search *search, const struct index_shape *shape)
{
    const uint32_t *words = search->index->words;
    float least = HUGE_VALF;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        float gap2 = ring_gap2(search, index_ring_first(shape, words, r),
                               index_ring_edges(shape, words, r), shape->flags);
        least = gap2 < least ? gap2 : least;
    }
    return least;
}

/* From the grid's rows where something lies, else by a cosine. */
static void scale_search(struct search *search)
{
    const struct geo_index *index = search->index;
    if (index_spot_of(index, search->point).word >= 2 * TILE_CELLS) {
        index_scale(index, search->point, &search->lat_m, &search->lon_m);
        return;
    }
    struct geo_scale scale = geo_scale_at(search->point.lat_e7);
    search->lat_m = (float)scale.lat_m;
    search->lon_m = (float)scale.lon_m;
}

float geo_index_distance(const struct geo_index *index, uint32_t shape, struct geo_point point,
                         bool covers, float reach_m)
{
    struct search search;
    const struct index_shape *one = &index->shapes[shape];
    begin_search(&search, index, point, reach_m);
    if (!index->has_near || points_of(index, one) > GEO_DISTANCE_POINTS) {
        return listed_distance(index, shape, point, covers, search.reach_m);
    }
    scale_search(&search);
    float reach = search.reach_m;
    float north_m = gap_m(point.lat_e7, one->low.lat_e7, one->high.lat_e7, search.lat_m);
    float east_m = gap_m(point.lon_e7, one->low.lon_e7, one->high.lon_e7, search.lon_m);
    if (north_m * north_m + east_m * east_m > reach * reach) {
        return reach;
    }
    const struct near_hit hit = {shape | (one->flags & RUN_ROUND), nearest_gap2(&search, one)};
    float distance_m = index_signed_distance(index, &hit, covers);
    return distance_m < -reach ? -reach : distance_m > reach ? reach : distance_m;
}

/* ---- many points ---- */

/* False: no room. */
static bool give_hits(struct near_batch *batch, const struct search *search, uint32_t set)
{
    for (uint32_t h = 0; h < search->count; h++) {
        uint32_t shape = search->hits[h].shape & SHAPE_MASK;
        float distance_m = index_signed_distance(search->index, &search->hits[h],
                                                 index_is_in_set(search->index, set, shape));
        if (fabsf(distance_m) > search->reach_m) { /* deep inside a round one; rounded down */
            continue;
        }
        if (batch->written == batch->capacity) {
            return false;
        }
        batch->near[batch->written++] = (struct geo_near){shape, distance_m};
    }
    return true;
}

static bool answer_point(struct near_batch *batch, struct search *search, uint32_t i, uint32_t list,
                         uint32_t set)
{
    uint32_t written = batch->written;
    begin_search(search, batch->index, batch->points[i], batch->reaches_m[i]);
    if (list != 0) {
        index_scale(search->index, search->point, &search->lat_m, &search->lon_m);
        search_near(search, search->index->words + list);
    } else {
        search_around(search);
    }
    bool has_room = give_hits(batch, search, set);
    while (search->more && has_room) {
        search->floor = (search->hits[HITS_MAX - 1].shape & SHAPE_MASK) + 1;
        search_point(search);
        has_room = give_hits(batch, search, set);
    }
    if (!has_room) {
        batch->written = written;
    }
    return has_room;
}

/* One by one; returns how many were answered. */
static uint32_t near_some(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                          const uint32_t *sets, uint32_t *ret_ends)
{
    struct search search;
    for (uint32_t i = 0; i < count; i++) {
        bool is_far = !is_listed(batch->index, batch->reaches_m[i]);
        uint32_t list = is_far ? 0 : lists[i];
        if ((list != 0 || is_far) && !answer_point(batch, &search, i, list, sets[i])) {
            return i;
        }
        ret_ends[i] = batch->written;
    }
    return count;
}

/* As find_some: each step asks for what the next one reads. */
static uint32_t near_batch(struct near_batch *batch, uint32_t count, const uint32_t *sets,
                           uint32_t *ret_ends)
{
    const struct geo_index *index = batch->index;
    uint32_t lists[BATCH], done = 0;
    bool any_far = false;
    uint32_t whole = index->has_avx2 ? count & ~7u : 0;
    index_near_lists_avx2(index, batch->points, whole, lists);
    for (uint32_t i = whole; i < count; i++) {
        lists[i] = list_of(index, batch->points[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        any_far |= !is_listed(index, batch->reaches_m[i]);
    }
    if (index->has_avx2 && !any_far) {
        done = index_near_some_avx2(batch, count, lists, sets, ret_ends);
    }
    return done > 0 ? done : near_some(batch, count, lists, sets, ret_ends);
}

uint32_t geo_index_near_batch(const struct geo_index *index, const struct geo_point *points,
                              const float *reaches_m, uint32_t count, uint32_t *ret_sets,
                              struct geo_near *ret_near, uint32_t near_capacity, uint32_t *ret_ends)
{
    struct near_batch batch = {index, points, reaches_m, ret_near, near_capacity, 0};
    geo_index_find_batch(index, points, count, ret_sets);
    if (index->cell_count == 0) {
        memset(ret_ends, 0, count * sizeof *ret_ends);
        return count;
    }
    for (uint32_t done = 0; done < count; done += BATCH) {
        uint32_t some = count - done < BATCH ? count - done : BATCH;
        batch.points = points + done;
        batch.reaches_m = reaches_m + done;
        uint32_t answered = near_batch(&batch, some, ret_sets + done, ret_ends + done);
        if (answered < some) {
            return done + answered;
        }
    }
    return count;
}
