/* geo_index_find for processors that have AVX2. */
#include "geo/index_internal.h"

#if defined(__x86_64__)

#include "geo/index_cross_avx2_internal.h"

/* What follows is split so that the common way down calls nothing and keeps nothing: the processor
 * then works on several lookups of a caller's loop at once. */
#define APART __attribute__((noinline))

APART static uint32_t give_many(const struct geo_index *index, uint32_t set, uint32_t *ret)
{
    uint32_t first = index->set_starts[set], count = index->set_starts[set + 1] - first;
    memcpy(ret, index->set_items + first, count * sizeof *ret);
    return count;
}

AVX2 static inline uint32_t give(const struct geo_index *index, uint32_t set, uint32_t *ret)
{
    uint32_t first = index->set_starts[set], count = index->set_starts[set + 1] - first;
    const uint32_t *items = index->set_items + first;
    if (__builtin_expect(count > 2 * LANES4, 0)) {
        return give_many(index, set, ret);
    }
    __m128i *to = (__m128i *)(void *)ret;
    _mm_storeu_si128(to, load_two(items));
    _mm_storeu_si128(to + 1, load_two(items + LANES4));
    return count;
}

APART static uint32_t give_rare(const struct geo_index *index, struct geo_point p, uint32_t head,
                                uint32_t entry, uint32_t *ret)
{
    struct index_spot spot = index_spot_of(index, p);
    return give_many(index, index_slot_set(index, p, spot, head, entry, index->cell_bits), ret);
}

/* The point from the middle of its coarse cell, twice, and in `ret_lons` the western edge of its
 * leaf; longitudes in the low half of each lane, latitudes in the high one. */
AVX2 static inline __m128i here_of(const struct geo_index *index, struct geo_point p, uint32_t head,
                                   __m128i *ret_lons)
{
    __m128i at = _mm_cvtsi64_si128(packed(p.lon_e7, p.lat_e7)); /* as it lies in memory */
    at = _mm_sub_epi32(at, _mm_loadl_epi64((const __m128i *)(const void *)&index->lat));
    at = _mm_and_si128(at, _mm_loadl_epi64((const __m128i *)(const void *)&index->cell_mask));
    at = _mm_sub_epi32(at, _mm_loadl_epi64((const __m128i *)(const void *)&index->cell_half));
    at = _mm_shuffle_epi32(at, 0x11);
    __m128i bits = _mm_cvtsi32_si128((int)(index->cell_bits - (head & 7)));
    *ret_lons = _mm_sll_epi32(_mm_sra_epi32(at, bits), bits);
    return at;
}

AVX2 APART static uint32_t give_four(const struct geo_index *index, struct geo_point p,
                                     uint32_t head, uint32_t entry, uint32_t *ret)
{
    if (__builtin_expect(index_kind(entry) != SLOT_FOUR, 0)) {
        return give_rare(index, p, head, entry, ret);
    }
    const uint32_t *slot = index_slot(index->words, head, entry);
    __m128i lons, here = here_of(index, p, head, &lons);
    struct crossing c = {.points = _mm256_broadcastsi128_si256(here),
                         .lons = _mm256_broadcastsi128_si256(lons)};
    put_edges(&c, load_two(slot), load_two(slot + 4));
    uint32_t touched, crossed = cross_four(&c, &touched);
    return __builtin_expect(touched != 0, 0) ? give_rare(index, p, head, entry, ret)
                                             : give(index, index_four_set(slot + 8, crossed), ret);
}

/* Leaves of one edge or two, without a branch that tells them apart: what stands in the place of a
 * second edge counts for nothing. */
AVX2 APART static uint32_t give_slot(const struct geo_index *index, struct geo_point p,
                                     uint32_t head, uint32_t entry, uint32_t *ret)
{
    uint32_t kind = index_kind(entry), edges = 2 * kind + 1; /* a bit each */
    if (__builtin_expect(kind > SLOT_TWO, 0)) {
        return give_four(index, p, head, entry, ret);
    }
    const uint32_t *slot = index_slot(index->words, head, entry);
    __m128i lons, here = here_of(index, p, head, &lons), held = load_two(slot);
    __m128i low = _mm_cvtepi16_epi32(_mm_shuffle_epi32(held, 0x08));
    __m128i high = _mm_cvtepi16_epi32(_mm_shuffle_epi32(held, 0x0d));
    uint32_t touched, crossed = cross_two(here, lons, low, high, &touched) & edges;
    if (__builtin_expect((touched & edges) != 0, 0)) {
        return give_rare(index, p, head, entry, ret);
    }
    return give(index, slot[1 + edges + crossed] & LEAF_SET_MASK, ret);
}

AVX2 uint32_t index_find_avx2(const struct geo_index *index, struct geo_point p, uint32_t *ret)
{
    struct index_spot spot = index_spot_of(index, p);
    const uint32_t *words = index->words;
    uint32_t head = words[spot.word], side = head & 7, bits = index->cell_bits;
    uint32_t entry = index_entries(words, head)[index_place(side, bits, spot.east, spot.north)];
    return (entry & ENTRY_SLOT) == 0 ? give(index, entry, ret)
                                     : give_slot(index, p, head, entry, ret);
}

bool index_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

#else

uint32_t index_find_avx2(const struct geo_index *index, struct geo_point p, uint32_t *ret)
{
    (void)index, (void)p, (void)ret;
    return 0;
}

bool index_has_avx2(void)
{
    return false;
}

#endif
