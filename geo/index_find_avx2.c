/* find_some of index.c, eight points at a time, for processors that have AVX2. */
#include "geo/index_internal.h"

#if defined(__x86_64__)

#include "geo/index_avx2_internal.h"

/* The slots that a batch came to: their words, and whose they are. */
struct slots {
    uint32_t count;
    uint32_t words[INDEX_BATCH + LANES8], points[INDEX_BATCH + LANES8];
};

struct batch {
    uint32_t bytes[INDEX_BATCH]; /* where the entry is in the words */
    uint32_t slots[INDEX_BATCH]; /* where the slots of its block are */
};

AVX2 static inline void ask_eight(const struct geo_index *index, const struct geo_point *points,
                                  uint32_t first, struct batch *batch)
{
    __m256i north, east;
    lanes8_steps(index, points + first, &north, &east);
    __m256i head = lanes8_heads(index, index->finds, north, east);
    __m256i place = lanes8_places(index, head, north, east);
    __m256i block = _mm256_srli_epi32(head, 3);
    __m256i side = _mm256_and_si256(head, _mm256_set1_epi32(7));
    lanes8_store(batch->bytes + first,
                 _mm256_add_epi32(_mm256_slli_epi32(block, 2), _mm256_slli_epi32(place, 1)));
    __m256i entries = _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_add_epi32(side, side));
    __m256i entry_words =
        _mm256_max_epu32(_mm256_srli_epi32(entries, 1), _mm256_set1_epi32(SLOT_WORDS));
    lanes8_store(batch->slots + first, _mm256_add_epi32(block, entry_words));
    for (uint32_t i = first; i < first + LANES8; i++) {
        __builtin_prefetch((const char *)index->words + batch->bytes[i]);
    }
}

/* ---- edges ---- */

/* Four edges, each with a point: as index_edge_crossed, a bit each. */
struct crossing {
    const struct geo_point *edges[4];
    __m256i points; /* longitude in the low half of each, latitude in the high one */
    __m256i lons;   /* western edge of the cell in the low half of each */
};

AVX2 static inline __m256i load_edges(const struct geo_point *even, const struct geo_point *odd)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)even);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)odd);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

AVX2 static inline uint32_t cross_four(const struct crossing *c, uint32_t *ret_touched)
{
    const __m256i flip = _mm256_set1_epi64x(0x80000000); /* longitudes in unsigned order */
    __m256i even = load_edges(c->edges[0], c->edges[2]);
    __m256i odd = load_edges(c->edges[1], c->edges[3]);
    __m256i a = _mm256_shuffle_epi32(_mm256_unpacklo_epi64(even, odd), 0xb1);
    __m256i b = _mm256_shuffle_epi32(_mm256_unpackhi_epi64(even, odd), 0xb1);
    __m256i swap = _mm256_cmpgt_epi64(_mm256_xor_si256(a, flip), _mm256_xor_si256(b, flip));
    __m256i low = _mm256_blendv_epi8(a, b, swap), high = _mm256_blendv_epi8(b, a, swap);
    __m256i d = _mm256_sub_epi32(high, low), q = _mm256_sub_epi32(c->points, low);
    __m256i side = _mm256_sub_epi64(_mm256_mul_epi32(d, _mm256_srli_epi64(q, 32)),
                                    _mm256_mul_epi32(_mm256_srli_epi64(d, 32), q));
    /* in the high halves */
    __m256i not_above = _mm256_andnot_si256(_mm256_slli_epi64(_mm256_cmpgt_epi32(c->lons, low), 32),
                                            _mm256_cmpgt_epi32(low, c->points));
    __m256i below = _mm256_or_si256(_mm256_slli_epi64(_mm256_cmpgt_epi32(c->lons, high), 32),
                                    _mm256_cmpgt_epi32(high, c->points));
    __m256i crossed = _mm256_andnot_si256(not_above, _mm256_and_si256(below, side));
    __m256i touched = _mm256_cmpeq_epi64(side, _mm256_setzero_si256());
    *ret_touched = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(touched));
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(crossed));
}

/* As the points of a crossing. */
static inline uint64_t turned(struct geo_point p)
{
    return (uint64_t)(uint32_t)p.lat_e7 << 32 | (uint32_t)p.lon_e7;
}

static inline uint32_t lon_of(const struct geo_index *index, const uint32_t *slot,
                              struct geo_point p)
{
    return (uint32_t)index_cell_lon(index, p, slot[3] >> POINT_BITS);
}

/* Two leaves of two edges. */
AVX2 static inline void edges_sets(const struct geo_index *index, const uint32_t *one,
                                   const uint32_t *other, struct geo_point p, struct geo_point q,
                                   uint32_t *ret_one, uint32_t *ret_other)
{
    struct crossing c = {
        {index->points + (one[2] & POINT_MASK), index->points + (one[3] & POINT_MASK),
         index->points + (other[2] & POINT_MASK), index->points + (other[3] & POINT_MASK)},
        _mm256_set_epi64x((long long)turned(q), (long long)turned(q), (long long)turned(p),
                          (long long)turned(p)),
        _mm256_set_epi64x(lon_of(index, other, q), lon_of(index, other, q), lon_of(index, one, p),
                          lon_of(index, one, p))};
    uint32_t touched, crossed = cross_four(&c, &touched);
    uint64_t sets, other_sets;
    memcpy(&sets, one, sizeof sets);
    memcpy(&other_sets, other, sizeof other_sets);
    *ret_one = (uint32_t)(sets >> (16 * (crossed & 3))) & (EDGES_SETS_MAX - 1);
    *ret_other = (uint32_t)(other_sets >> (16 * (crossed >> 2))) & (EDGES_SETS_MAX - 1);
    if (__builtin_expect(touched != 0, 0)) {
        *ret_one = index_edges_on(index, one, p, crossed & 3);
        *ret_other = index_edges_on(index, other, q, crossed >> 2);
    }
}

AVX2 static inline uint32_t four_set(const struct geo_index *index, const uint32_t *slot,
                                     struct geo_point p)
{
    const uint32_t *four = index->words + slot[0];
    struct crossing c = {
        {index->points + (four[0] & POINT_MASK), index->points + (four[1] & POINT_MASK),
         index->points + (four[2] & POINT_MASK), index->points + (four[3] & POINT_MASK)},
        _mm256_set1_epi64x((long long)turned(p)),
        _mm256_set1_epi64x(lon_of(index, slot, p))};
    uint32_t touched, crossed = cross_four(&c, &touched);
    return __builtin_expect(touched != 0, 0) ? index_four_on(index, four, p, crossed)
                                             : index_four_sets(four, crossed);
}

/* ---- the batch ---- */

/* Numbers of slots, made without a branch. */
struct list {
    uint32_t count;
    uint8_t items[INDEX_BATCH + 1];
};

static inline void push_if(struct list *list, uint32_t number, bool wanted)
{
    list->items[list->count] = (uint8_t)number;
    list->count += wanted;
}

AVX2 void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                               uint32_t count, uint32_t *ret_sets)
{
    struct slots slots = {0};
    struct batch batch;
    struct list edges, fours, wides;
    edges.count = fours.count = wides.count = 0;
    uint32_t whole = count & ~(LANES8 - 1u);
    for (uint32_t i = 0; i < whole; i += LANES8) {
        ask_eight(index, points, i, &batch);
    }
    for (uint32_t i = 0; i < whole; i++) {
        uint32_t entry =
            *(const uint16_t *)(const void *)((const char *)index->words + batch.bytes[i]);
        ret_sets[i] = entry;
        uint32_t word = batch.slots[i] + (entry & (ENTRY_SLOT - 1)) * SLOT_WORDS;
        slots.words[slots.count] = word;
        slots.points[slots.count] = i;
        __builtin_prefetch(index->words + word);
        slots.count += entry >> 15;
    }
    for (uint32_t k = 0; k < slots.count; k++) {
        const uint32_t *slot = index->words + slots.words[k];
        push_if(&edges, k, slot[2] < SLOT_FOUR);
        push_if(&fours, k, (slot[2] & SLOT_FOUR) != 0);
        push_if(&wides, k, slot[2] >= SLOT_WIDE);
        __builtin_prefetch(slot[2] < SLOT_FOUR
                               ? (const void *)(index->points + (slot[2] & POINT_MASK))
                               : (const void *)(index->words + slot[0]));
        __builtin_prefetch(index->points + (slot[3] & POINT_MASK));
    }
    edges.items[edges.count] = edges.count > 0 ? edges.items[edges.count - 1] : 0; /* a pair each */
    for (uint32_t k = 0; k < edges.count; k += 2) {
        uint32_t i = edges.items[k], j = edges.items[k + 1];
        uint32_t p = slots.points[i], q = slots.points[j];
        edges_sets(index, index->words + slots.words[i], index->words + slots.words[j], points[p],
                   points[q], &ret_sets[p], &ret_sets[q]);
    }
    for (uint32_t k = 0; k < fours.count; k++) {
        uint32_t p = slots.points[fours.items[k]];
        ret_sets[p] = four_set(index, index->words + slots.words[fours.items[k]], points[p]);
    }
    for (uint32_t k = 0; k < wides.count; k++) {
        uint32_t p = slots.points[wides.items[k]];
        ret_sets[p] = index_find_set(index, points[p]);
    }
    for (uint32_t i = whole; i < count; i++) {
        ret_sets[i] = index_find_set(index, points[i]);
    }
}

bool index_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
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
