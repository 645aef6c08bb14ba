/* Distances: the chunks within reach of a point, and of each shape the nearest edge. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_internal.h"

enum { HITS_MAX = 256 };

typedef int32_t lanes_int __attribute__((vector_size(4 * sizeof(int32_t))));
typedef uint32_t lanes_uint __attribute__((vector_size(4 * sizeof(uint32_t))));
typedef float lanes_float __attribute__((vector_size(4 * sizeof(float))));

struct hit {
    uint32_t shape;
    float gap2;
};

struct search {
    const struct geo_index *index;
    int32_t lat, lon; /* lon may lie beyond the antimeridian */
    struct geo_scale scale;
    float lat_m, lon_m, reach_m;
    /* the hits of the lowest shapes from `floor` on, ascending; others were found where `more` */
    uint32_t floor, count;
    bool more;
    struct hit hits[HITS_MAX];
};

/* ---- lanes ---- */

static inline lanes_int load(const int32_t *from)
{
    lanes_int lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

/* Differences of neighbours fit; those of what is far wrap round instead of being undefined. */
static inline lanes_float difference(lanes_int a, lanes_int b)
{
    return __builtin_convertvector((lanes_int)((lanes_uint)a - (lanes_uint)b), lanes_float);
}

static inline lanes_float pick(lanes_int mask, lanes_float yes, lanes_float no)
{
    return (lanes_float)((mask & (lanes_int)yes) | (~mask & (lanes_int)no));
}

static inline lanes_float all_lanes(float value)
{
    return (lanes_float){value, value, value, value};
}

static inline lanes_int all_steps(int32_t value)
{
    return (lanes_int){value, value, value, value};
}

/* ---- chunks ---- */

/* geo_segment_gap2 for four edges, in floats: a distance of 300 m is exact to a tenth of a
 * millimetre, as the steps are subtracted before they are rounded. */
static inline lanes_float edges_gap2(const struct search *search, const struct index_chunk *chunk,
                                     uint32_t first)
{
    lanes_int a_lat = load(chunk->lats + first), b_lat = load(chunk->lats + first + 1);
    lanes_int a_lon = load(chunk->lons + first), b_lon = load(chunk->lons + first + 1);
    lanes_float lat_m = all_lanes(search->lat_m), lon_m = all_lanes(search->lon_m);
    const lanes_float zero = all_lanes(0), one = all_lanes(1);
    lanes_float ax = difference(a_lon, all_steps(search->lon)) * lon_m;
    lanes_float ay = difference(a_lat, all_steps(search->lat)) * lat_m;
    lanes_float dx = difference(b_lon, a_lon) * lon_m;
    lanes_float dy = difference(b_lat, a_lat) * lat_m;
    lanes_float t = -(ax * dx + ay * dy) / (dx * dx + dy * dy + all_lanes(FLT_MIN));
    t = pick(t > zero, t, zero);
    t = pick(t < one, t, one);
    lanes_float ex = ax + t * dx, ey = ay + t * dy;
    return ex * ex + ey * ey;
}

static float chunk_gap2(const struct search *search, const struct index_chunk *chunk)
{
    lanes_float best = edges_gap2(search, chunk, 0);
    for (uint32_t first = LANES; first < CHUNK_EDGES; first += LANES) {
        lanes_float gap2 = edges_gap2(search, chunk, first);
        best = pick(gap2 < best, gap2, best);
    }
    float least = best[0];
    for (uint32_t i = 1; i < LANES; i++) {
        least = best[i] < least ? best[i] : least;
    }
    return least;
}

/* Edges of 6 km and more, in doubles. */
static float long_chunk_gap2(const struct search *search, const struct index_chunk *chunk)
{
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < CHUNK_EDGES; i++) {
        double ax = (double)((int64_t)chunk->lons[i] - search->lon) * search->scale.lon_m;
        double ay = (double)((int64_t)chunk->lats[i] - search->lat) * search->scale.lat_m;
        double dx = (double)((int64_t)chunk->lons[i + 1] - chunk->lons[i]) * search->scale.lon_m;
        double dy = (double)((int64_t)chunk->lats[i + 1] - chunk->lats[i]) * search->scale.lat_m;
        double length2 = dx * dx + dy * dy, along = -(ax * dx + ay * dy);
        double t = along <= 0 ? 0 : along >= length2 ? 1 : along / length2;
        double ex = ax + t * dx, ey = ay + t * dy;
        best = fmin(best, ex * ex + ey * ey);
    }
    return (float)best;
}

static void add_hit(struct search *search, uint32_t shape, float gap2)
{
    uint32_t at = search->count;
    while (at > 0 && search->hits[at - 1].shape > shape) {
        at--;
    }
    if (at > 0 && search->hits[at - 1].shape == shape) {
        struct hit *hit = &search->hits[at - 1];
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
    search->hits[at] = (struct hit){shape, gap2};
    search->count++;
}

static void search_chunk(struct search *search, const struct index_chunk *chunk)
{
    if (chunk->shape < search->floor) {
        return;
    }
    float gap2 = chunk->is_long ? long_chunk_gap2(search, chunk) : chunk_gap2(search, chunk);
    float far_m = search->reach_m + chunk->radius_m;
    if (gap2 <= far_m * far_m) {
        add_hit(search, chunk->shape, gap2);
    }
}

/* ---- nodes ---- */

/* The children whose boxes lie within reach, and a step more, a bit each. Halves are subtracted:
 * they fit. */
static inline uint32_t near_children(const struct search *search, const struct index_node *node)
{
    lanes_int lat = all_steps(search->lat >> 1), lon = all_steps(search->lon >> 1);
    lanes_float lat_m = all_lanes(search->lat_m * 2), lon_m = all_lanes(search->lon_m * 2);
    float reach_m = search->reach_m * 1.000001F + 0.1F;
    lanes_float limit2 = all_lanes(reach_m * reach_m);
    lanes_int bits = {1, 2, 4, 8}, near = {0};
    for (uint32_t first = 0; first < NODE_CHILDREN; first += LANES) {
        lanes_int south = (load(node->low_lats + first) >> 1) - lat;
        lanes_int north = lat - (load(node->high_lats + first) >> 1);
        lanes_int west = (load(node->low_lons + first) >> 1) - lon;
        lanes_int east = lon - (load(node->high_lons + first) >> 1);
        lanes_int y = (south & (south > 0)) | (north & (north > 0));
        lanes_int x = (west & (west > 0)) | (east & (east > 0));
        lanes_float ym = __builtin_convertvector(y, lanes_float) * lat_m;
        lanes_float xm = __builtin_convertvector(x, lanes_float) * lon_m;
        near |= (xm * xm + ym * ym <= limit2) & bits;
        bits <<= LANES;
    }
    return (uint32_t)(near[0] | near[1] | near[2] | near[3]);
}

static void search_node(struct search *search, const struct index_node *node)
{
    for (uint32_t near = near_children(search, node); near != 0; near &= near - 1) {
        uint32_t child = node->first + (uint32_t)__builtin_ctz(near);
        if (node->level == 0) {
            search_chunk(search, &search->index->chunks[child]);
        } else {
            search_node(search, &search->index->nodes[child]);
        }
    }
}

/* The lowest nodes that the coarse cell of the point knows, or the whole tree. */
static void search_cell(struct search *search)
{
    const struct geo_index *index = search->index;
    uint32_t column = ((uint32_t)search->lon - (uint32_t)index->lon) >> index->cell_bits;
    uint32_t row = ((uint32_t)search->lat - (uint32_t)index->lat) >> index->cell_bits;
    if (index->cell_starts == NULL || column >= index->width || row >= index->height ||
        search->reach_m > CELL_REACH_M) {
        search_node(search, &index->nodes[index->node_count - 1]);
        return;
    }
    const uint32_t *starts = index->cell_starts + (size_t)row * index->width + column;
    for (uint32_t i = starts[0]; i < starts[1]; i++) {
        search_node(search, &index->nodes[index->cell_nodes[i]]);
    }
}

/* The same once more from beyond the antimeridian, where the reach goes over it. */
static void search_around(struct search *search)
{
    int64_t margin =
        (int64_t)fmin(3.4e8, (double)search->reach_m / fmax(search->scale.lon_m, 1e-9));
    int64_t lon = search->lon;
    search_cell(search);
    if (lon > GEO_LON_E7_MAX - margin || lon < -GEO_LON_E7_MAX + margin) {
        search->lon = (int32_t)(lon > 0 ? lon - GEO_TURN_E7 : lon + GEO_TURN_E7);
        search_node(search, &search->index->nodes[search->index->node_count - 1]);
        search->lon = (int32_t)lon;
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

/* Whether it covers is exact, and decides the sign. */
static float signed_distance(const struct search *search, const struct hit *hit, bool covers)
{
    float radius_m = (float)search->index->radii_m[hit->shape];
    float away_m = sqrtf(hit->gap2);
    if (radius_m > 0) {
        away_m = covers ? radius_m - away_m : away_m - radius_m;
    }
    if (!covers) {
        return away_m > 0 ? away_m : FLT_MIN;
    }
    away_m = away_m > 0 ? away_m : 0;
    return away_m < search->reach_m ? -away_m : -search->reach_m;
}

/* Joins the hits with the covering shapes below `end`; returns the place of the next covering one.
 */
static uint32_t join(const struct search *search, const uint32_t *covering, uint32_t at,
                     uint32_t covering_count, uint32_t end, struct answer *answer)
{
    for (uint32_t h = 0; h < search->count; h++) {
        const struct hit *hit = &search->hits[h];
        for (; at < covering_count && covering[at] < hit->shape; at++) {
            give(answer, covering[at], -search->reach_m, true);
        }
        bool covers = at < covering_count && covering[at] == hit->shape;
        at += covers;
        give(answer, hit->shape, signed_distance(search, hit, covers), covers);
    }
    for (; at < covering_count && covering[at] < end; at++) {
        give(answer, covering[at], -search->reach_m, true);
    }
    return at;
}

uint32_t geo_index_near(const struct geo_index *index, struct geo_point point, float reach_m,
                        struct geo_near *ret, uint32_t ret_capacity)
{
    ASSERT(reach_m >= 0);
    if (index->node_count == 0) {
        return 0;
    }
    uint32_t covering_count, at = 0;
    const uint32_t *covering = geo_index_set(index, index_find_set(index, point), &covering_count);
    struct answer answer = {.items = ret, .capacity = ret_capacity, .seats = covering_count};
    struct search search;
    search.index = index;
    search.lat = point.lat_e7;
    search.lon = point.lon_e7;
    search.scale = geo_scale_at(point.lat_e7);
    search.lat_m = (float)search.scale.lat_m;
    search.lon_m = (float)search.scale.lon_m;
    search.reach_m = reach_m < GEO_REACH_M_MAX ? reach_m : GEO_REACH_M_MAX;
    search.floor = 0;
    do { /* more than once only where more than HITS_MAX shapes are near */
        search.count = 0;
        search.more = false;
        search_around(&search);
        uint32_t end = search.more ? search.hits[HITS_MAX - 1].shape + 1 : UINT32_MAX;
        at = join(&search, covering, at, covering_count, end, &answer);
        search.floor = end;
    } while (search.more);
    return answer.total;
}
