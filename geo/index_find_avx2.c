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

AVX2 APART static uint32_t give_four(const struct geo_index *index, struct geo_point p,
                                     uint32_t head, uint32_t entry, struct index_spot spot,
                                     uint32_t *ret)
{
    if (__builtin_expect(index_kind(entry) != SLOT_FOUR, 0)) {
        return give_rare(index, p, head, entry, ret);
    }
    const uint32_t *slot = index_slot(index->words, head, entry);
    struct geo_point here = index_here(index, spot);
    struct crossing c = {
        .points = _mm256_set1_epi64x(packed(here.lat_e7, here.lon_e7)),
        .lons = _mm256_set1_epi32(index_west(index, spot, index->cell_bits - (head & 7)))};
    put_edges(&c, load_two(slot), load_two(slot + 4));
    uint32_t touched, crossed = cross_four(&c, &touched);
    return __builtin_expect(touched != 0, 0) ? give_rare(index, p, head, entry, ret)
                                             : give(index, index_four_set(slot + 8, crossed), ret);
}

/* Leaves of one edge or two, without a branch that tells them apart: what stands in the place of a
 * second edge counts for nothing. */
AVX2 APART static uint32_t give_slot(const struct geo_index *index, struct geo_point p,
                                     uint32_t head, uint32_t entry, struct index_spot spot,
                                     uint32_t *ret)
{
    uint32_t kind = index_kind(entry), edges = 2 * kind + 1; /* a bit each */
    if (__builtin_expect(kind > SLOT_TWO, 0)) {
        return give_four(index, p, head, entry, spot, ret);
    }
    const uint32_t *slot = index_slot(index->words, head, entry);
    __m128i held = _mm_shuffle_epi32(load_two(slot), 0xd8);
    struct geo_point here = index_here(index, spot);
    struct crossing c = {
        .points = _mm256_set1_epi64x(packed(here.lat_e7, here.lon_e7)),
        .lons = _mm256_set1_epi32(index_west(index, spot, index->cell_bits - (head & 7))),
        .low = _mm256_castsi128_si256(_mm_cvtepi16_epi32(held)),
        .high = _mm256_castsi128_si256(_mm_cvtepi16_epi32(_mm_srli_si128(held, 8)))};
    uint32_t touched, crossed = cross_four(&c, &touched) & edges;
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
                                     : give_slot(index, p, head, entry, spot, ret);
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
