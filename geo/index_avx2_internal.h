/*
 * index_avx2_internal.h - what the two files for AVX2 share.
 */
#ifndef GEO_INDEX_AVX2_INTERNAL_H
#define GEO_INDEX_AVX2_INTERNAL_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "geo/index_internal.h"

#define AVX2 __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))

enum { LANES4 = 4, LANES8 = 8 };

/* The numbers of the lanes whose bit is set, in front. */
AVX2 static inline __m256i lanes8_order(uint32_t mask)
{
    uint64_t bytes = _pdep_u64(mask, 0x0101010101010101u) * 0xff;
    return _mm256_cvtepu8_epi32(
        _mm_cvtsi64_si128((long long)_pext_u64(0x0706050403020100u, bytes)));
}

AVX2 static inline __m256i lanes8_load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static inline void lanes8_store(void *to, __m256i lanes)
{
    _mm256_storeu_si256((__m256i *)to, lanes);
}

/* Latitudes and longitudes of eight points, from the grid's corner. */
AVX2 static inline void lanes8_steps(const struct geo_index *index, const struct geo_point *points,
                                     __m256i *ret_north, __m256i *ret_east)
{
    __m256 low = _mm256_castsi256_ps(lanes8_load(points));
    __m256 high = _mm256_castsi256_ps(lanes8_load(points + LANES8 / 2));
    __m256i lats = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
    __m256i lons = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
    lats = _mm256_permute4x64_epi64(lats, 0xd8);
    lons = _mm256_permute4x64_epi64(lons, 0xd8);
    *ret_north = _mm256_sub_epi32(lats, _mm256_set1_epi32(index->lat));
    *ret_east = _mm256_sub_epi32(lons, _mm256_set1_epi32(index->lon));
}

AVX2 static inline __m256i lanes8_below(__m256i a, uint32_t count)
{
    return _mm256_cmpeq_epi32(_mm256_min_epu32(a, _mm256_set1_epi32((int)(count - 1))), a);
}

/* The heads of their cells, `skipped` words on: by plain loads, as those of a gather do not overlap
 * with the next one's. */
AVX2 static inline __m256i lanes8_heads(const struct geo_index *index, uint32_t skipped,
                                        __m256i north, __m256i east)
{
    const __m256i side = _mm256_set1_epi32(TILE_SIDE - 1);
    __m128i bits = _mm_cvtsi32_si128((int)index->cell_bits);
    __m256i row = _mm256_srl_epi32(north, bits), column = _mm256_srl_epi32(east, bits);
    __m256i on_grid =
        _mm256_and_si256(lanes8_below(row, index->height), lanes8_below(column, index->width));
    __m256i tile = _mm256_mullo_epi32(_mm256_srli_epi32(row, TILE_BITS),
                                      _mm256_set1_epi32((int)index->tile_width));
    tile =
        _mm256_blendv_epi8(_mm256_set1_epi32((int)index->tile_count),
                           _mm256_add_epi32(tile, _mm256_srli_epi32(column, TILE_BITS)), on_grid);
    __m256i place = _mm256_add_epi32(_mm256_slli_epi32(_mm256_and_si256(row, side), TILE_BITS),
                                     _mm256_and_si256(column, side));
    uint32_t at[LANES8], places[LANES8], found[LANES8];
    lanes8_store(at, tile);
    lanes8_store(places, place);
    for (uint32_t i = 0; i < LANES8; i++) {
        found[i] = index->words[index->tiles[at[i]] + places[i] + skipped];
    }
    return lanes8_load(found);
}

/* index_place of each, and what it is made of: steps within the coarse cell, the western edge of the
 * entry's cell, log2 of the entries along the block. */
struct lanes8_place {
    __m256i place, north, east, west;
};

AVX2 static inline struct lanes8_place lanes8_places(const struct geo_index *index, __m256i head,
                                                     __m256i north, __m256i east)
{
    __m256i side = _mm256_and_si256(head, _mm256_set1_epi32(7));
    __m256i mask = _mm256_set1_epi32((int)((1u << index->cell_bits) - 1));
    __m256i bits = _mm256_sub_epi32(_mm256_set1_epi32((int)index->cell_bits), side);
    north = _mm256_and_si256(north, mask);
    east = _mm256_and_si256(east, mask);
    __m256i row = _mm256_srlv_epi32(north, bits), column = _mm256_srlv_epi32(east, bits);
    return (struct lanes8_place){_mm256_add_epi32(_mm256_sllv_epi32(row, side), column), north,
                                 east, _mm256_sllv_epi32(column, bits)};
}

#endif
