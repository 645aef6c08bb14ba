/*
 * index_cross_avx2_internal.h - which edges are crossed, four at a time.
 */
#ifndef GEO_INDEX_CROSS_AVX2_INTERNAL_H
#define GEO_INDEX_CROSS_AVX2_INTERNAL_H

#include "geo/index_avx2_internal.h"

AVX2 static inline __m128i load_two(const void *edges)
{
    return _mm_loadu_si128((const __m128i *)edges);
}

/* Four points, each with an edge: longitudes in the low half of each lane, latitudes in the high
 * one; of `lons`, the western edge of the cell, only the low half. */
struct crossing {
    __m256i points, lons, low, high;
};

/* As index_crossed, a bit each. */
AVX2 static inline uint32_t cross_four(const struct crossing *c, uint32_t *ret_touched)
{
    __m256i d = _mm256_sub_epi32(c->high, c->low), q = _mm256_sub_epi32(c->points, c->low);
    __m256i side = _mm256_sub_epi64(_mm256_mul_epi32(d, _mm256_srli_epi64(q, 32)),
                                    _mm256_mul_epi32(_mm256_srli_epi64(d, 32), q));
    /* in the high halves */
    __m256i not_above =
        _mm256_andnot_si256(_mm256_slli_epi64(_mm256_cmpgt_epi32(c->lons, c->low), 32),
                            _mm256_cmpgt_epi32(c->low, c->points));
    __m256i below = _mm256_or_si256(_mm256_slli_epi64(_mm256_cmpgt_epi32(c->lons, c->high), 32),
                                    _mm256_cmpgt_epi32(c->high, c->points));
    __m256i crossed = _mm256_andnot_si256(not_above, _mm256_and_si256(below, side));
    __m256i touched = _mm256_cmpeq_epi64(side, _mm256_setzero_si256());
    *ret_touched = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(touched));
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(crossed));
}

/* As cross_four, of two edges. */
AVX2 static inline uint32_t cross_two(__m128i points, __m128i lons, __m128i low, __m128i high,
                                      uint32_t *ret_touched)
{
    __m128i d = _mm_sub_epi32(high, low), q = _mm_sub_epi32(points, low);
    __m128i side = _mm_sub_epi64(_mm_mul_epi32(d, _mm_srli_epi64(q, 32)),
                                 _mm_mul_epi32(_mm_srli_epi64(d, 32), q));
    __m128i not_above = _mm_andnot_si128(_mm_slli_epi64(_mm_cmpgt_epi32(lons, low), 32),
                                         _mm_cmpgt_epi32(low, points));
    __m128i below = _mm_or_si128(_mm_slli_epi64(_mm_cmpgt_epi32(lons, high), 32),
                                 _mm_cmpgt_epi32(high, points));
    __m128i crossed = _mm_andnot_si128(not_above, _mm_and_si128(below, side));
    __m128i touched = _mm_cmpeq_epi64(side, _mm_setzero_si128());
    *ret_touched = (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(touched));
    return (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(crossed));
}

/* Edges as slots hold them, two a half: 0, 2, 1, 3. */
AVX2 static inline void put_edges(struct crossing *c, __m128i first, __m128i second)
{
    __m256i one = _mm256_cvtepi16_epi32(first), other = _mm256_cvtepi16_epi32(second);
    c->low = _mm256_unpacklo_epi64(one, other);
    c->high = _mm256_unpackhi_epi64(one, other);
}

/* Edges as the store holds them, in order. */
AVX2 static inline void put_far_edges(struct crossing *c, const struct geo_point *const edges[4])
{
    const __m256i flip = _mm256_set1_epi64x(0x80000000); /* longitudes in unsigned order */
    __m256i even =
        _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(edges[0])), load_two(edges[2]), 1);
    __m256i odd =
        _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(edges[1])), load_two(edges[3]), 1);
    __m256i a = _mm256_shuffle_epi32(_mm256_unpacklo_epi64(even, odd), 0xb1);
    __m256i b = _mm256_shuffle_epi32(_mm256_unpackhi_epi64(even, odd), 0xb1);
    __m256i swap = _mm256_cmpgt_epi64(_mm256_xor_si256(a, flip), _mm256_xor_si256(b, flip));
    c->low = _mm256_blendv_epi8(a, b, swap);
    c->high = _mm256_blendv_epi8(b, a, swap);
}

static inline long long packed(int32_t lat, int32_t lon)
{
    return (long long)((uint64_t)(uint32_t)lat << 32 | (uint32_t)lon);
}

#endif
