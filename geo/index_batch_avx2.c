/* find_some of index.c, eight points at a time, for processors that have AVX2. */
#include "geo/index_internal.h"

#if defined(__x86_64__)

#include "geo/index_cross_avx2_internal.h"

/* Where the points of a batch are, from the middles of their coarse cells, and their entries. */
struct batch {
    int32_t norths[INDEX_BATCH], easts[INDEX_BATCH], wests[INDEX_BATCH]; /* of the cell */
    uint32_t bytes[INDEX_BATCH];  /* where the entry is in the words */
    uint32_t blocks[INDEX_BATCH]; /* the first words of the entries */
};

AVX2 static inline void ask_eight(const struct geo_index *index, const struct geo_point *points,
                                  uint32_t first, struct batch *batch)
{
    __m256i north, east;
    lanes8_steps(index, points + first, &north, &east);
    __m256i head = lanes8_heads(index, 0, north, east);
    struct lanes8_place at = lanes8_places(index, head, north, east);
    __m256i block = _mm256_srli_epi32(head, 3);
    __m256i half = _mm256_set1_epi32(1 << (index->cell_bits - 1));
    lanes8_store(batch->norths + first, _mm256_sub_epi32(at.north, half));
    lanes8_store(batch->easts + first, _mm256_sub_epi32(at.east, half));
    lanes8_store(batch->wests + first, _mm256_sub_epi32(at.west, half));
    lanes8_store(batch->bytes + first,
                 _mm256_add_epi32(_mm256_slli_epi32(block, 2), _mm256_slli_epi32(at.place, 1)));
    lanes8_store(batch->blocks + first, block);
    for (uint32_t i = first; i < first + LANES8; i++) {
        __builtin_prefetch((const char *)index->words + batch->bytes[i]);
    }
}

/* The slots of a kind that a batch came to, each by its first word and its point. */
struct list {
    uint32_t count;
    uint32_t words[INDEX_BATCH + LANES4];
    uint8_t points[INDEX_BATCH + LANES4];
};

/* As many more of its last as make the number a multiple; nothing where there is none. */
static void round_up(struct list *list, uint32_t multiple)
{
    for (uint32_t i = list->count; i % multiple != 0; i++) {
        list->words[i] = list->words[list->count - 1];
        list->points[i] = list->points[list->count - 1];
    }
}

/* What the slot of a point says where it lies on an edge, or where that is hard to tell. */
static __attribute__((noinline)) uint32_t rare_set(const struct geo_index *index,
                                                   struct geo_point p)
{
    return index_find_set(index, p);
}

static inline long long here_of(const struct batch *batch, uint32_t i)
{
    return packed(batch->norths[i], batch->easts[i]);
}

/* ---- edges in slots ---- */

/* One edge of each slot. */
AVX2 static inline __m128i load_one_each(const uint32_t *a, const uint32_t *b)
{
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)a),
                              _mm_loadl_epi64((const __m128i *)(const void *)b));
}

AVX2 static void answer_ones(const struct geo_index *index, const struct geo_point *points,
                             const struct batch *batch, struct list *list, uint32_t *ret_sets)
{
    round_up(list, 4);
    for (uint32_t k = 0; k < list->count; k += 4) {
        const uint8_t *at = list->points + k;
        const uint32_t *slots[4];
        for (uint32_t i = 0; i < 4; i++) {
            slots[i] = index->words + list->words[k + i];
        }
        struct crossing c = {.points =
                                 _mm256_set_epi64x(here_of(batch, at[3]), here_of(batch, at[1]),
                                                   here_of(batch, at[2]), here_of(batch, at[0])),
                             .lons = _mm256_set_epi64x(batch->wests[at[3]], batch->wests[at[1]],
                                                       batch->wests[at[2]], batch->wests[at[0]])};
        put_edges(&c, load_one_each(slots[0], slots[1]), load_one_each(slots[2], slots[3]));
        uint32_t touched, crossed = cross_four(&c, &touched);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t bit = crossed >> index_four_places[i] & 1;
            ret_sets[at[i]] = slots[i][2 + bit] & LEAF_SET_MASK;
        }
        for (uint32_t i = 0; i < 4 && __builtin_expect(touched != 0, 0); i++) {
            ret_sets[at[i]] = rare_set(index, points[at[i]]);
        }
    }
}

AVX2 static void answer_twos(const struct geo_index *index, const struct geo_point *points,
                             const struct batch *batch, struct list *list, uint32_t *ret_sets)
{
    round_up(list, 2);
    for (uint32_t k = 0; k < list->count; k += 2) {
        uint32_t i = list->points[k], j = list->points[k + 1];
        const uint32_t *one = index->words + list->words[k];
        const uint32_t *other = index->words + list->words[k + 1];
        long long p = here_of(batch, i), q = here_of(batch, j);
        struct crossing c = {.points = _mm256_set_epi64x(q, p, q, p),
                             .lons = _mm256_set_epi64x(batch->wests[j], batch->wests[i],
                                                       batch->wests[j], batch->wests[i])};
        put_edges(&c, load_two(one), load_two(other));
        uint32_t touched, crossed = cross_four(&c, &touched);
        ret_sets[i] = one[4 + (crossed & 1) + (crossed >> 1 & 2)] & LEAF_SET_MASK;
        ret_sets[j] = other[4 + (crossed >> 1 & 1) + (crossed >> 2 & 2)] & LEAF_SET_MASK;
        if (__builtin_expect(touched != 0, 0)) {
            ret_sets[i] = rare_set(index, points[i]);
            ret_sets[j] = rare_set(index, points[j]);
        }
    }
}

AVX2 static void answer_fours(const struct geo_index *index, const struct geo_point *points,
                              const struct batch *batch, const struct list *list,
                              uint32_t *ret_sets)
{
    for (uint32_t k = 0; k < list->count; k++) {
        uint32_t i = list->points[k];
        const uint32_t *slot = index->words + list->words[k];
        struct crossing c = {.points = _mm256_set1_epi64x(here_of(batch, i)),
                             .lons = _mm256_set1_epi32(batch->wests[i])};
        put_edges(&c, load_two(slot), load_two(slot + 4));
        uint32_t touched, crossed = cross_four(&c, &touched);
        ret_sets[i] = __builtin_expect(touched != 0, 0) ? rare_set(index, points[i])
                                                        : index_four_set(slot + 8, crossed);
    }
}

/* ---- edges that lie elsewhere ---- */

/* Asks for the edges whose numbers stand in the slots from word `first` to `end`. */
static void ask_edges(const struct geo_index *index, const struct list *list, uint32_t first,
                      uint32_t end)
{
    for (uint32_t k = 0; k < list->count; k++) {
        for (uint32_t i = first; i < end; i++) {
            uint32_t edge = index->words[list->words[k] + i] & POINT_MASK;
            __builtin_prefetch(index->points + edge);
        }
    }
}

static inline long long place_of(struct geo_point p)
{
    return packed(p.lat_e7, p.lon_e7);
}

/* The western edge of the cell, on the globe. */
static inline int32_t lon_of(const struct batch *batch, uint32_t i, struct geo_point p)
{
    return (int32_t)((uint32_t)p.lon_e7 - (uint32_t)(batch->easts[i] - batch->wests[i]));
}

AVX2 static void answer_fars(const struct geo_index *index, const struct geo_point *points,
                             const struct batch *batch, struct list *list, uint32_t *ret_sets)
{
    round_up(list, 2);
    for (uint32_t k = 0; k < list->count; k += 2) {
        uint32_t i = list->points[k], j = list->points[k + 1];
        const uint32_t *one = index->words + list->words[k];
        const uint32_t *other = index->words + list->words[k + 1];
        const struct geo_point *edges[4] = {
            index->points + (one[2] & POINT_MASK), index->points + (one[3] & POINT_MASK),
            index->points + (other[2] & POINT_MASK), index->points + (other[3] & POINT_MASK)};
        long long p = place_of(points[i]), q = place_of(points[j]);
        int32_t lon = lon_of(batch, i, points[i]), other_lon = lon_of(batch, j, points[j]);
        struct crossing c = {.points = _mm256_set_epi64x(q, q, p, p),
                             .lons = _mm256_set_epi64x(other_lon, other_lon, lon, lon)};
        put_far_edges(&c, edges);
        uint32_t touched, crossed = cross_four(&c, &touched);
        ret_sets[i] = index_short_set(one, crossed & 3);
        ret_sets[j] = index_short_set(other, crossed >> 2);
        if (__builtin_expect(touched != 0, 0)) {
            ret_sets[i] = rare_set(index, points[i]);
            ret_sets[j] = rare_set(index, points[j]);
        }
    }
}

AVX2 static void answer_far4s(const struct geo_index *index, const struct geo_point *points,
                              const struct batch *batch, const struct list *list,
                              uint32_t *ret_sets)
{
    for (uint32_t k = 0; k < list->count; k++) {
        uint32_t i = list->points[k];
        const uint32_t *slot = index->words + list->words[k];
        const struct geo_point *edges[4] = {index->points + slot[0], index->points + slot[1],
                                            index->points + slot[2], index->points + slot[3]};
        struct crossing c = {.points = _mm256_set1_epi64x(place_of(points[i])),
                             .lons = _mm256_set1_epi32(lon_of(batch, i, points[i]))};
        put_far_edges(&c, edges);
        uint32_t touched, crossed = cross_four(&c, &touched);
        ret_sets[i] = __builtin_expect(touched != 0, 0) ? rare_set(index, points[i])
                                                        : index_four_set(slot + 4, crossed);
    }
}

/* ---- all kinds ---- */

static void answer_wides(const struct geo_index *index, const struct geo_point *points,
                         const struct list *list, uint32_t *ret_sets)
{
    for (uint32_t k = 0; k < list->count; k++) {
        ret_sets[list->points[k]] = index_find_set(index, points[list->points[k]]);
    }
}

static void push(struct list *list, uint32_t word, uint32_t point)
{
    list->words[list->count] = word;
    list->points[list->count++] = (uint8_t)point;
}

AVX2 void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                               uint32_t count, uint32_t *ret_sets)
{
    struct batch batch;
    struct list slotted, lists[8];
    uint32_t whole = count & ~(LANES8 - 1u);
    slotted.count = 0;
    for (uint32_t kind = 0; kind < 8; kind++) {
        lists[kind].count = 0;
    }
    for (uint32_t i = 0; i < whole; i += LANES8) {
        ask_eight(index, points, i, &batch);
    }
    for (uint32_t i = 0; i < whole; i++) { /* without a branch */
        uint32_t entry =
            *(const uint16_t *)(const void *)((const char *)index->words + batch.bytes[i]);
        uint32_t word = batch.blocks[i] - (entry & (ENTRY_UNITS - 1)) * UNIT_WORDS;
        ret_sets[i] = entry;
        slotted.words[slotted.count] = word;
        slotted.points[slotted.count] = (uint8_t)i;
        __builtin_prefetch(index->words + word);
        slotted.count += entry >> 15;
    }
    for (uint32_t k = 0; k < slotted.count; k++) {
        push(&lists[index_kind(ret_sets[slotted.points[k]])], slotted.words[k], slotted.points[k]);
    }
    answer_ones(index, points, &batch, &lists[SLOT_ONE], ret_sets);
    answer_twos(index, points, &batch, &lists[SLOT_TWO], ret_sets);
    answer_fours(index, points, &batch, &lists[SLOT_FOUR], ret_sets);
    ask_edges(index, &lists[SLOT_FAR], 2, 4);
    ask_edges(index, &lists[SLOT_FAR4], 0, 4);
    answer_fars(index, points, &batch, &lists[SLOT_FAR], ret_sets);
    answer_far4s(index, points, &batch, &lists[SLOT_FAR4], ret_sets);
    answer_wides(index, points, &lists[SLOT_WIDE], ret_sets);
    for (uint32_t i = whole; i < count; i++) {
        ret_sets[i] = index_find_set(index, points[i]);
    }
}

#else

void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets)
{
    for (uint32_t i = 0; i < count; i++) {
        ret_sets[i] = index_find_set(index, points[i]);
    }
}

#endif
