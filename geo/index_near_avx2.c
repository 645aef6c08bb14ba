/* near_some of index_near.c, eight edges at a time, for processors that have AVX2. The runs of all
 * points of a batch stand in one row, so that no step of the work waits for a branch. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "geo/index_near_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))

enum { ITEMS_MAX = 512 };

/* A run, the point that asks for its distance, and the answer. */
struct items {
    uint32_t count;
    uint32_t edges[ITEMS_MAX + 1], shapes[ITEMS_MAX + 1];
    uint32_t points[ITEMS_MAX + 1];
    float gaps2[ITEMS_MAX + 1];
};

/* Metres per step at each point of the batch. */
struct scales {
    float lat_m[INDEX_BATCH], lon_m[INDEX_BATCH];
};

/* Those runs of the list that may be within reach. */
AVX2 static inline void push_list(struct items *items, const uint32_t *list, uint32_t point,
                                  float reach_m)
{
    uint32_t reach = (uint32_t)reach_m, count = items->count;
    for (uint32_t r = 0; r < list[0]; r++) {
        const uint32_t *run = list + 1 + 2 * (size_t)r;
        items->edges[count] = run[0] & POINT_MASK;
        items->shapes[count] = run[1] & ~(RUN_METRES_MASK << RUN_METRES_BITS);
        items->points[count] = point;
        count += (run[1] >> RUN_METRES_BITS & RUN_METRES_MASK) <= reach;
    }
    items->count = count;
}

AVX2 static inline __m256 from_here(const struct geo_point *points, __m256i here, __m256 scale)
{
    __m256i at = _mm256_loadu_si256((const __m256i *)(const void *)points);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(at, here)), scale);
}

/* Square of the metres to the nearest of eight edges. */
AVX2 static inline float eight_gap2(const struct geo_point *edges, struct geo_point p, float lat_m,
                                    float lon_m)
{
    __m256i here = _mm256_set1_epi64x(
        (long long)((uint64_t)(uint32_t)p.lon_e7 << 32 | (uint32_t)p.lat_e7));
    __m256 scale = _mm256_unpacklo_ps(_mm256_set1_ps(lat_m), _mm256_set1_ps(lon_m));
    __m256 a = from_here(edges, here, scale), b = from_here(edges + 1, here, scale);
    __m256 c = from_here(edges + 4, here, scale), d = from_here(edges + 5, here, scale);
    __m256 ay = _mm256_shuffle_ps(a, c, 0x88), ax = _mm256_shuffle_ps(a, c, 0xdd);
    __m256 by = _mm256_shuffle_ps(b, d, 0x88), bx = _mm256_shuffle_ps(b, d, 0xdd);
    __m256 dx = _mm256_sub_ps(bx, ax), dy = _mm256_sub_ps(by, ay);
    __m256 length2 = _mm256_fmadd_ps(dx, dx, _mm256_fmadd_ps(dy, dy, _mm256_set1_ps(FLT_MIN)));
    __m256 along = _mm256_fmadd_ps(ax, dx, _mm256_mul_ps(ay, dy)); /* negative towards b */
    __m256 t = _mm256_div_ps(along, length2);
    t = _mm256_max_ps(_mm256_min_ps(t, _mm256_setzero_ps()), _mm256_set1_ps(-1));
    __m256 ex = _mm256_fnmadd_ps(t, dx, ax), ey = _mm256_fnmadd_ps(t, dy, ay);
    __m256 gap2 = _mm256_fmadd_ps(ex, ex, _mm256_mul_ps(ey, ey));
    __m128 least = _mm_min_ps(_mm256_castps256_ps128(gap2), _mm256_extractf128_ps(gap2, 1));
    least = _mm_min_ps(least, _mm_movehl_ps(least, least));
    return _mm_cvtss_f32(_mm_min_ss(least, _mm_movehdup_ps(least)));
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

AVX2 static void measure(const struct near_batch *batch, struct items *items,
                         const struct scales *scales)
{
    const struct geo_index *index = batch->index;
    for (uint32_t k = 0; k < items->count; k++) {
        uint32_t i = items->points[k];
        const struct geo_point *edges = index->points + items->edges[k];
        items->gaps2[k] =
            __builtin_expect((items->shapes[k] & RUN_LONG) != 0, 0)
                ? index_long_gap2(edges, RUN_EDGES_MAX, batch->points[i])
                : eight_gap2(edges, batch->points[i], scales->lat_m[i], scales->lon_m[i]);
    }
}

/* Writes those within reach; there is room. A shape's runs follow one another: the last one speaks
 * for all. */
AVX2 static void answer(struct near_batch *batch, struct items *items, const uint32_t *sets,
                        uint32_t *counts)
{
    uint32_t written = batch->written;
    items->shapes[items->count] = UINT32_MAX;
    items->gaps2[items->count] = 0;
    for (uint32_t k = 0; k < items->count; k++) {
        uint32_t i = items->points[k], tag = items->shapes[k], shape = tag & SHAPE_MASK;
        float gap2 = items->gaps2[k], next = items->gaps2[k + 1];
        bool goes_on = (items->shapes[k + 1] == tag) & (items->points[k + 1] == i);
        items->gaps2[k + 1] = goes_on & (gap2 < next) ? gap2 : next;
        struct near_hit hit = {tag & (RUN_ROUND | SHAPE_MASK), gap2};
        bool covers = is_in_set(batch->index, sets[i], shape);
        float distance_m = index_signed_distance(batch->index, &hit, covers);
        batch->near[written] = (struct geo_near){shape, distance_m};
        bool is_near = !goes_on & (fabsf(distance_m) <= batch->reaches_m[i]);
        written += is_near;
        counts[i] += is_near;
    }
    batch->written = written;
    items->count = 0;
}

/* 0: the room does not do for all that may be near, or a list is too long; nothing is written. */
AVX2 uint32_t index_near_some_avx2(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                                   const uint32_t *sets, uint32_t *ret_ends)
{
    const struct geo_index *index = batch->index;
    struct items items;
    struct scales scales;
    items.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *list = index->words + lists[i];
        if (items.count + list[0] > ITEMS_MAX) {
            return 0;
        }
        index_scale(index, batch->points[i], &scales.lat_m[i], &scales.lon_m[i]);
        push_list(&items, list, i, batch->reaches_m[i]);
    }
    if (items.count >= batch->capacity - batch->written) {
        return 0;
    }
    for (uint32_t k = 0; k < items.count; k++) {
        __builtin_prefetch(index->points + items.edges[k]);
        __builtin_prefetch(index->points + items.edges[k] + RUN_EDGES_MAX);
    }
    memset(ret_ends, 0, count * sizeof *ret_ends);
    uint32_t end = batch->written;
    measure(batch, &items, &scales);
    answer(batch, &items, sets, ret_ends);
    for (uint32_t i = 0; i < count; i++) {
        end += ret_ends[i];
        ret_ends[i] = end;
    }
    return count;
}

#else

uint32_t index_near_some_avx2(struct near_batch *batch, uint32_t count, const uint32_t *lists,
                              const uint32_t *sets, uint32_t *ret_ends)
{
    (void)batch, (void)count, (void)lists, (void)sets, (void)ret_ends;
    return 0;
}

#endif
