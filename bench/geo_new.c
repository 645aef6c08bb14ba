#include "bench/geo_new.h"

#include "base/assert.h"

static struct geo_shape *all_shapes;
static uint32_t all_count;

void geo_new_shapes(struct geo_shape *shapes, uint32_t count)
{
    all_shapes = shapes;
    all_count = count;
}

uint32_t geo_index_near_batch(const struct geo_index *index, const struct geo_point *points,
                              const float *reaches_m, uint32_t count, uint32_t *ret_sets,
                              struct geo_near *ret_near, uint32_t near_capacity, uint32_t *ret_ends)
{
    uint32_t end = 0;
    geo_index_find_batch(index, points, count, ret_sets);
    for (uint32_t i = 0; i < count; i++) {
        struct geo_near near[GEO_FOUND_MAX];
        uint32_t found = geo_index_near(index, points[i], reaches_m[i], near, GEO_FOUND_MAX);
        if (end + found > near_capacity) {
            return i;
        }
        for (uint32_t k = 0; k < found; k++) {
            if (near[k].distance_m > -reaches_m[i]) {
                ret_near[end++] = near[k];
            }
        }
        ret_ends[i] = end;
    }
    return count;
}

enum status geo_index_change(struct geo_index *index, const struct geo_change *changes,
                             uint32_t count, struct geo_index **ret, struct status_detail *detail)
{
    (void)index;
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(changes[i].number < all_count && changes[i].shape != NULL);
        all_shapes[changes[i].number] = *changes[i].shape;
    }
    return geo_index_new(all_shapes, all_count, ret, detail);
}
