/* near_some of index_near.c, eight edges at a time, for processors that have AVX2. The runs of all
 * points of a batch stand in one row, so that no step of the work waits for a branch. */
#include "base/assert.h"
#include "geo/index_near_internal.h"

#if defined(__x86_64__)

#include "geo/index_avx2_internal.h"

enum { ITEMS_MAX = 2048 };

/* Runs of edges, the point that asks for their distance, the square of its reach, and the answer. */
struct items {
    uint32_t count;
    uint32_t edges[ITEMS_MAX + LANES8], points[ITEMS_MAX + LANES8];
    float limits2[ITEMS_MAX + LANES8], gaps2[ITEMS_MAX + LANES8];
};

/* Metres per step at each point of the batch. */
struct scale {
    float lat_m, lon_m;
};

/* Eight runs of a list, but `skipped` of them: those that may be within reach. What is read behind
 * the list is left out. */
AVX2 static inline void push_runs(struct items *items, const uint32_t *list, uint32_t skipped,
                                  uint32_t point, float reach_m)
{
    const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i left = _mm256_set1_epi32((int)(index_near_runs(list[0]) - skipped));
    __m256i runs = lanes8_load(list + 1 + skipped);
    __m256i is_far =
        _mm256_cmpgt_epi32(_mm256_srli_epi32(runs, POINT_BITS), _mm256_set1_epi32((int)reach_m));
    __m256i wanted = _mm256_andnot_si256(is_far, _mm256_cmpgt_epi32(left, iota));
    uint32_t mask = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(wanted));
    uint32_t at = items->count;
    __m256i edges = _mm256_permutevar8x32_epi32(runs, lanes8_order(mask));
    lanes8_store(items->edges + at, _mm256_and_si256(edges, _mm256_set1_epi32(POINT_MASK)));
    lanes8_store(items->points + at, _mm256_set1_epi32((int)point));
    _mm256_storeu_ps(items->limits2 + at, _mm256_set1_ps(reach_m * reach_m));
    items->count += (uint32_t)__builtin_popcount(mask);
}

AVX2 static inline void push_list(struct items *items, const uint32_t *list, uint32_t point,
                                  float reach_m)
{
    push_runs(items, list, 0, point, reach_m);
    for (uint32_t r = LANES8; r < index_near_runs(list[0]); r += LANES8) {
        push_runs(items, list, r, point, reach_m);
    }
}

static inline uint32_t owner_of(const struct geo_index *index, uint32_t point)
{
    return index->owners_of[point / OWNER_POINTS];
}

/* Round shapes and such with long edges, of which most indexes have none. */
static void raise_limits(const struct near_batch *batch, struct items *items)
{
    for (uint32_t k = 0; k < items->count; k++) {
        uint32_t shape = owner_of(batch->index, items->edges[k]);
        if ((shape & RUN_ROUND) != 0) {
            double radius_m = batch->index->shapes[shape & SHAPE_MASK].radius_m;
            float far_m = batch->reaches_m[items->points[k]] + (float)radius_m;
            items->limits2[k] = far_m * far_m;
        }
    }
}

static void measure_long(const struct near_batch *batch, struct items *items)
{
    for (uint32_t k = 0; k < items->count; k++) {
        if ((owner_of(batch->index, items->edges[k]) & RUN_LONG) != 0) {
            items->gaps2[k] = index_long_gap2(batch->index->points + items->edges[k], RUN_EDGES_MAX,
                                              batch->points[items->points[k]]);
        }
    }
}

AVX2 static inline __m256 from_here(const struct geo_point *points, __m256i here, __m256 scale)
{
    __m256i at = lanes8_load(points);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(at, here)), scale);
}

/* One run's edges from its point, four starts and four ends. */
struct run_ends {
    __m256 a, b;
};

AVX2 static inline struct run_ends run_ends(const struct near_batch *batch, uint32_t edge,
                                            uint32_t point, const struct scale *scales)
{
    long long here, metres;
    memcpy(&here, batch->points + point, sizeof here);
    memcpy(&metres, scales + point, sizeof metres);
    const struct geo_point *points = batch->index->points + edge;
    __m256i from = _mm256_set1_epi64x(here);
    __m256 scale = _mm256_castsi256_ps(_mm256_set1_epi64x(metres));
    return (struct run_ends){from_here(points, from, scale), from_here(points + 1, from, scale)};
}

/* Squares of metres, of one run's edges in lanes 0, 1, 4, 5, of the other's in the rest; of each
 * pair in two lanes the least is still to be found. */
AVX2 static inline __m128 pair_gaps2(struct run_ends one, struct run_ends other)
{
    __m256 ay = _mm256_shuffle_ps(one.a, other.a, 0x88),
           ax = _mm256_shuffle_ps(one.a, other.a, 0xdd);
    __m256 by = _mm256_shuffle_ps(one.b, other.b, 0x88),
           bx = _mm256_shuffle_ps(one.b, other.b, 0xdd);
    __m256 dx = _mm256_sub_ps(bx, ax), dy = _mm256_sub_ps(by, ay);
    __m256 length2 = _mm256_fmadd_ps(dx, dx, _mm256_fmadd_ps(dy, dy, _mm256_set1_ps(FLT_MIN)));
    __m256 along = _mm256_fmadd_ps(ax, dx, _mm256_mul_ps(ay, dy)); /* negative towards b */
    __m256 t = _mm256_div_ps(along, length2);
    t = _mm256_max_ps(_mm256_min_ps(t, _mm256_setzero_ps()), _mm256_set1_ps(-1));
    __m256 ex = _mm256_fnmadd_ps(t, dx, ax), ey = _mm256_fnmadd_ps(t, dy, ay);
    __m256 gap2 = _mm256_fmadd_ps(ex, ex, _mm256_mul_ps(ey, ey));
    return _mm_min_ps(_mm256_castps256_ps128(gap2), _mm256_extractf128_ps(gap2, 1));
}

/* The least of the first and of the second two lanes, of both. */
AVX2 static inline __m128 least_of_pairs(__m128 a, __m128 b)
{
    return _mm_min_ps(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xdd));
}

AVX2 static inline bool is_in_set(const struct geo_index *index, uint32_t set, uint32_t shape)
{
    uint32_t first = index->set_starts[set], count = index->set_starts[set + 1] - first;
    __m256i some = _mm256_loadu_si256((const __m256i *)(const void *)(index->set_items + first));
    __m256i equal = _mm256_cmpeq_epi32(some, _mm256_set1_epi32((int)shape));
    uint32_t mask = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
    if (__builtin_expect(count > 8, 0)) {
        return index_is_in_set(index, set, shape);
    }
    return (mask & ((1u << count) - 1)) != 0;
}

/* Four at a time; what stands behind the last is of some run. */
AVX2 static void measure(const struct near_batch *batch, struct items *items,
                         const struct scale *scales)
{
    memset(items->edges + items->count, 0, LANES4 * sizeof *items->edges);
    memset(items->points + items->count, 0, LANES4 * sizeof *items->points);
    for (uint32_t k = 0; k < items->count; k += LANES4) {
        struct run_ends ends[LANES4];
        for (uint32_t i = 0; i < LANES4; i++) {
            ends[i] = run_ends(batch, items->edges[k + i], items->points[k + i], scales);
        }
        _mm_storeu_ps(items->gaps2 + k,
                      least_of_pairs(pair_gaps2(ends[0], ends[1]), pair_gaps2(ends[2], ends[3])));
    }
    if ((batch->index->flags & RUN_LONG) != 0) {
        measure_long(batch, items);
    }
}

/* Drops what is out of reach. */
AVX2 static void drop_far(struct items *items)
{
    uint32_t kept = 0;
    for (uint32_t k = 0; k < items->count; k += LANES8) {
        __m256i edges = lanes8_load(items->edges + k), points = lanes8_load(items->points + k);
        __m256 gaps2 = _mm256_loadu_ps(items->gaps2 + k);
        __m256 near = _mm256_cmp_ps(gaps2, _mm256_loadu_ps(items->limits2 + k), _CMP_LE_OQ);
        uint32_t left = items->count - k, mask = (uint32_t)_mm256_movemask_ps(near);
        mask &= left < LANES8 ? (1u << left) - 1 : 0xff;
        __m256i order = lanes8_order(mask);
        lanes8_store(items->edges + kept, _mm256_permutevar8x32_epi32(edges, order));
        lanes8_store(items->points + kept, _mm256_permutevar8x32_epi32(points, order));
        _mm256_storeu_ps(items->gaps2 + kept, _mm256_permutevar8x32_ps(gaps2, order));
        kept += (uint32_t)__builtin_popcount(mask);
    }
    items->count = kept;
}

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

AVX2 static inline float distance_of(const struct near_batch *batch, uint32_t tag, float gap2,
                                     bool covers)
{
    if (__builtin_expect((tag & RUN_ROUND) != 0, 0)) {
        const struct near_hit hit = {tag & (RUN_ROUND | SHAPE_MASK), gap2};
        return index_signed_distance(batch->index, &hit, covers);
    }
    __m128 away = _mm_sqrt_ss(_mm_set_ss(gap2));
    float away_m = _mm_cvtss_f32(_mm_max_ss(away, _mm_set_ss(FLT_MIN)));
    return float_of(bits_of(away_m) | (uint32_t)covers << 31);
}

/* Writes those within reach; there is room. A shape's runs follow one another: the last one speaks
 * for all. Squares are not negative, so that their bits compare as they do. */
AVX2 static void answer(struct near_batch *batch, struct items *items, const uint32_t *sets,
                        uint32_t *counts)
{
    const struct geo_index *index = batch->index;
    uint32_t written = batch->written, before = 0x7fffffff;
    items->edges[items->count] = NO_EDGE; /* its owner is none of theirs */
    items->points[items->count] = UINT32_MAX;
    uint32_t next = items->count > 0 ? owner_of(index, items->edges[0]) : 0;
    for (uint32_t k = 0; k < items->count; k++) {
        uint32_t i = items->points[k], tag = next, shape = tag & SHAPE_MASK;
        next = owner_of(index, items->edges[k + 1]);
        uint32_t goes_on = (next == tag) & (items->points[k + 1] == i);
        uint32_t gap2 = bits_of(items->gaps2[k]);
        gap2 = gap2 < before ? gap2 : before;
        before = gap2 | (goes_on - 1) >> 1;
        bool covers = is_in_set(index, sets[i], shape);
        float distance_m = distance_of(batch, tag, float_of(gap2), covers);
        batch->near[written] = (struct geo_near){shape, distance_m};
        uint32_t is_near = (goes_on ^ 1) & (fabsf(distance_m) <= batch->reaches_m[i]);
        written += is_near;
        counts[i] += is_near;
    }
    batch->written = written;
}

AVX2 void index_near_lists_avx2(const struct geo_index *index, const struct geo_point *points,
                                uint32_t count, uint32_t *ret_lists)
{
    uint32_t blocks[INDEX_BATCH], bytes[INDEX_BATCH]; /* first words, and where the entries are */
    ASSERT(count % LANES8 == 0 && count <= INDEX_BATCH);
    for (uint32_t i = 0; i < count; i += LANES8) {
        __m256i north, east;
        lanes8_steps(index, points + i, &north, &east);
        __m256i head = lanes8_heads(index, TILE_CELLS, north, east);
        __m256i place = lanes8_places(index, head, north, east).place;
        __m256i block = _mm256_srli_epi32(head, 3);
        __m256i entries = _mm256_add_epi32(block, _mm256_set1_epi32(1));
        lanes8_store(blocks + i, block);
        lanes8_store(bytes + i,
                     _mm256_add_epi32(_mm256_slli_epi32(entries, 2), _mm256_slli_epi32(place, 1)));
        for (uint32_t k = i; k < i + LANES8; k++) {
            __builtin_prefetch((const char *)index->words + bytes[k]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry = *(const uint16_t *)(const void *)((const char *)index->words + bytes[i]);
        ret_lists[i] = index_near_list(blocks[i], entry);
        __builtin_prefetch(index->words + ret_lists[i]);
    }
}

/* ---- one ring ---- */

/* Without fused operations, so that the metres are those of index_lanes_internal.h to the last bit. */
#define PLAIN_AVX2 __attribute__((target("avx2")))

PLAIN_AVX2 static inline __m256 plain_from(const struct geo_point *points, __m256i here,
                                           __m256 scale)
{
    __m256i at = _mm256_loadu_si256((const __m256i *)(const void *)points);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(at, here)), scale);
}

/* As lanes_edges_gap2, of eight edges. */
PLAIN_AVX2 static inline __m256 plain_gaps2(const struct geo_point *edges, __m256i here,
                                            __m256 scale)
{
    __m256 a = plain_from(edges, here, scale), b = plain_from(edges + 1, here, scale);
    __m256 c = plain_from(edges + 4, here, scale), d = plain_from(edges + 5, here, scale);
    __m256 ay = _mm256_shuffle_ps(a, c, 0x88), ax = _mm256_shuffle_ps(a, c, 0xdd);
    __m256 by = _mm256_shuffle_ps(b, d, 0x88), bx = _mm256_shuffle_ps(b, d, 0xdd);
    __m256 dx = _mm256_sub_ps(bx, ax), dy = _mm256_sub_ps(by, ay);
    __m256 length2 = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(dx, dx), _mm256_mul_ps(dy, dy)),
                                   _mm256_set1_ps(FLT_MIN));
    __m256 along = _mm256_add_ps(_mm256_mul_ps(ax, dx), _mm256_mul_ps(ay, dy));
    __m256 t = _mm256_div_ps(_mm256_xor_ps(along, _mm256_set1_ps(-0.0F)), length2);
    t = _mm256_min_ps(_mm256_max_ps(t, _mm256_setzero_ps()), _mm256_set1_ps(1));
    __m256 ex = _mm256_add_ps(ax, _mm256_mul_ps(t, dx));
    __m256 ey = _mm256_add_ps(ay, _mm256_mul_ps(t, dy));
    return _mm256_add_ps(_mm256_mul_ps(ex, ex), _mm256_mul_ps(ey, ey));
}

/* The last eight overlap with those before where the ring is no multiple of eight. */
PLAIN_AVX2 float index_ring_gap2_avx2(const struct geo_point *points, uint32_t edges,
                                      struct geo_point p, float lat_m, float lon_m)
{
    __m256i here =
        _mm256_set1_epi64x((long long)((uint64_t)(uint32_t)p.lon_e7 << 32 | (uint32_t)p.lat_e7));
    __m256 scale = _mm256_unpacklo_ps(_mm256_set1_ps(lat_m), _mm256_set1_ps(lon_m));
    __m256 least = plain_gaps2(points + edges - LANES8, here, scale);
    for (uint32_t first = 0; first + LANES8 < edges; first += LANES8) {
        least = _mm256_min_ps(least, plain_gaps2(points + first, here, scale));
    }
    __m128 half = _mm_min_ps(_mm256_castps256_ps128(least), _mm256_extractf128_ps(least, 1));
    half = _mm_min_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_min_ss(half, _mm_movehdup_ps(half)));
}

/* ---- the batch ---- */

/* 0: the room does not do for all that may be near, or a list is too long; nothing is written. */
AVX2 uint32_t index_near_some_avx2(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                                   const uint32_t *sets, uint32_t *ret_ends)
{
    const struct geo_index *index = batch->index;
    struct items items;
    struct scale scales[INDEX_BATCH];
    uint32_t listed[INDEX_BATCH + 1], listed_count = 0;
    for (uint32_t i = 0; i < count; i++) { /* without a branch, as a third of them has no list */
        listed[listed_count] = i;
        listed_count += batch->reaches_m[i] >= (float)index_near_metres(index->words[lists[i]]) &&
                        lists[i] != 0;
    }
    items.count = 0;
    for (uint32_t k = 0; k < listed_count; k++) {
        uint32_t i = listed[k];
        const uint32_t *list = index->words + lists[i];
        if (items.count + index_near_runs(list[0]) > ITEMS_MAX) {
            return 0;
        }
        index_scale(index, batch->points[i], &scales[i].lat_m, &scales[i].lon_m);
        push_list(&items, list, i, batch->reaches_m[i]);
    }
    for (uint32_t k = 0; k < items.count; k++) {
        __builtin_prefetch(index->points + items.edges[k]);
    }
    if (items.count >= batch->capacity - batch->written) {
        return 0;
    }
    memset(ret_ends, 0, count * sizeof *ret_ends);
    uint32_t end = batch->written;
    if ((index->flags & RUN_ROUND) != 0) {
        raise_limits(batch, &items);
    }
    measure(batch, &items, scales);
    drop_far(&items);
    answer(batch, &items, sets, ret_ends);
    for (uint32_t i = 0; i < count; i++) {
        end += ret_ends[i];
        ret_ends[i] = end;
    }
    return count;
}

#else

float index_ring_gap2_avx2(const struct geo_point *points, uint32_t edges, struct geo_point p,
                           float lat_m, float lon_m)
{
    (void)points, (void)edges, (void)p, (void)lat_m, (void)lon_m;
    return 0;
}

void index_near_lists_avx2(const struct geo_index *index, const struct geo_point *points,
                           uint32_t count, uint32_t *ret_lists)
{
    (void)index, (void)points, (void)count, (void)ret_lists;
}

uint32_t index_near_some_avx2(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                              const uint32_t *sets, uint32_t *ret_ends)
{
    (void)batch, (void)count, (void)lists, (void)sets, (void)ret_ends;
    return 0;
}

#endif
