/* find_some of index.c, eight points at a time, for processors that have AVX2. */
#include "geo/index_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

enum { LANES8 = 8 };

/* The slots that a batch came to: their words, and whose they are. */
struct slots {
    uint32_t count;
    uint32_t words[INDEX_BATCH + LANES8], points[INDEX_BATCH + LANES8];
};

/* Latitudes and longitudes of eight points, from the grid's corner. */
AVX2 static inline void load_steps(const struct geo_index *index, const struct geo_point *points,
                                   __m256i *ret_north, __m256i *ret_east)
{
    __m256 low = _mm256_loadu_ps((const float *)(const void *)points);
    __m256 high = _mm256_loadu_ps((const float *)(const void *)(points + LANES8 / 2));
    __m256i lats = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
    __m256i lons = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
    lats = _mm256_permute4x64_epi64(lats, 0xd8);
    lons = _mm256_permute4x64_epi64(lons, 0xd8);
    *ret_north = _mm256_sub_epi32(lats, _mm256_set1_epi32(index->lat));
    *ret_east = _mm256_sub_epi32(lons, _mm256_set1_epi32(index->lon));
}

AVX2 static inline __m256i is_below(__m256i a, uint32_t count)
{
    return _mm256_cmpeq_epi32(_mm256_min_epu32(a, _mm256_set1_epi32((int)(count - 1))), a);
}

AVX2 static inline __m256i cells_of(const struct geo_index *index, __m256i north, __m256i east)
{
    __m128i bits = _mm_cvtsi32_si128((int)index->cell_bits);
    __m256i row = _mm256_srl_epi32(north, bits), column = _mm256_srl_epi32(east, bits);
    __m256i on_grid = _mm256_and_si256(is_below(row, index->height), is_below(column, index->width));
    __m256i cell = _mm256_mullo_epi32(row, _mm256_set1_epi32((int)index->width));
    return _mm256_blendv_epi8(_mm256_set1_epi32((int)index->cell_count),
                              _mm256_add_epi32(cell, column), on_grid);
}

AVX2 static inline __m256i places_of(const struct geo_index *index, __m256i side, __m256i north,
                                     __m256i east)
{
    __m256i mask = _mm256_set1_epi32((int)((1u << index->cell_bits) - 1));
    __m256i bits = _mm256_sub_epi32(_mm256_set1_epi32((int)index->cell_bits), side);
    __m256i row = _mm256_srlv_epi32(_mm256_and_si256(north, mask), bits);
    __m256i column = _mm256_srlv_epi32(_mm256_and_si256(east, mask), bits);
    return _mm256_add_epi32(_mm256_sllv_epi32(row, side), column);
}

/* Those of the eight whose bit is set, in front. */
AVX2 static inline void push_slots(struct slots *slots, __m256i words, uint32_t first,
                                   uint32_t mask)
{
    uint64_t bytes = _pdep_u64(mask, 0x0101010101010101u) * 0xff;
    uint64_t order = _pext_u64(0x0706050403020100u, bytes);
    __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)order));
    __m256i points = _mm256_add_epi32(lanes, _mm256_set1_epi32((int)first));
    _mm256_storeu_si256((__m256i *)(void *)(slots->words + slots->count),
                        _mm256_permutevar8x32_epi32(words, lanes));
    _mm256_storeu_si256((__m256i *)(void *)(slots->points + slots->count), points);
    slots->count += (uint32_t)__builtin_popcount(mask);
}

AVX2 static inline void find_eight(const struct geo_index *index, const struct geo_point *points,
                                   uint32_t first, uint32_t *ret_sets, struct slots *slots)
{
    __m256i north, east;
    load_steps(index, points + first, &north, &east);
    __m256i cell = cells_of(index, north, east);
    __m256i head = _mm256_i32gather_epi32((const int *)(const void *)index->finds, cell, 4);
    __m256i side = _mm256_and_si256(head, _mm256_set1_epi32(7));
    __m256i place = places_of(index, side, north, east);
    __m256i block = _mm256_srli_epi32(head, 3);
    __m256i byte = _mm256_add_epi32(_mm256_slli_epi32(block, 2), _mm256_slli_epi32(place, 1));
    __m256i entry = _mm256_and_si256(
        _mm256_i32gather_epi32((const int *)(const void *)index->words, byte, 1),
        _mm256_set1_epi32(0xffff));
    _mm256_storeu_si256((__m256i *)(void *)(ret_sets + first), entry);
    __m256i entries = _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_add_epi32(side, side));
    __m256i entry_words =
        _mm256_max_epu32(_mm256_srli_epi32(entries, 1), _mm256_set1_epi32(SLOT_WORDS));
    __m256i slot = _mm256_and_si256(entry, _mm256_set1_epi32(ENTRY_SLOT - 1));
    slot = _mm256_add_epi32(_mm256_slli_epi32(slot, 2), _mm256_add_epi32(block, entry_words));
    __m256 slotted = _mm256_castsi256_ps(_mm256_slli_epi32(entry, 16));
    push_slots(slots, slot, first, (uint32_t)_mm256_movemask_ps(slotted));
}

AVX2 void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                               uint32_t count, uint32_t *ret_sets)
{
    struct slots slots;
    slots.count = 0;
    uint32_t wide_count = 0, whole = count & ~(LANES8 - 1u);
    uint32_t wide[INDEX_BATCH];
    for (uint32_t i = 0; i < whole; i += LANES8) {
        find_eight(index, points, i, ret_sets, &slots);
    }
    for (uint32_t k = 0; k < slots.count; k++) {
        __builtin_prefetch(index->words + slots.words[k]);
    }
    for (uint32_t k = 0; k < slots.count; k++) {
        const uint32_t *slot = index->words + slots.words[k];
        __builtin_prefetch(index->points + (slot[2] & POINT_MASK));
        __builtin_prefetch(index->points + (slot[3] & POINT_MASK));
    }
    for (uint32_t k = 0; k < slots.count; k++) {
        const uint32_t *slot = index->words + slots.words[k];
        uint32_t i = slots.points[k];
        wide[wide_count] = i;
        wide_count += slot[2] >> 31;
        ret_sets[i] = index_edges_set(index, slot, points[i]);
    }
    for (uint32_t k = 0; k < wide_count; k++) {
        ret_sets[wide[k]] = index_find_set(index, points[wide[k]]);
    }
    for (uint32_t i = whole; i < count; i++) {
        ret_sets[i] = index_find_set(index, points[i]);
    }
}

bool index_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

#else

bool index_has_avx2(void)
{
    return false;
}

void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets)
{
    for (uint32_t i = 0; i < count; i++) {
        ret_sets[i] = index_find_set(index, points[i]);
    }
}

#endif
