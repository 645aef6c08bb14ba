/* Fence files of other people; what is taken is written and taken again. */
#include <string.h>

#include "base/assert.h"
#include "geo/geojson.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const struct geo_features *features)
{
    static const struct geo_geojson_options options = {.datum_default = GEO_DATUM_NONE};
    struct arena arena;
    arena_init_growing(&arena, 1 << 14, 1 << 26);
    for (uint32_t i = 0; i < features->count; i++) {
        const struct geo_shape *shape = &features->items[i].shape;
        struct geo_features again;
        struct status_detail detail;
        struct buffer out, twice;
        buffer_init(&out, 1 << 22);
        buffer_init(&twice, 1 << 22);
        geo_geojson_write_feature(&out, &features->items[i]);
        ASSERT(buffer_status(&out) == STATUS_OK);
        ASSERT(geo_geojson_read((struct text){out.data, out.size}, &options, &arena, &again,
                                &detail) == STATUS_OK);
        ASSERT(again.count == 1);
        ASSERT(again.items[0].shape.point_count == shape->point_count);
        ASSERT(again.items[0].shape.ring_count == shape->ring_count);
        /* written again it is the same text: the writer's order is its own, and stays */
        geo_geojson_write_feature(&twice, &again.items[0]);
        ASSERT(twice.size == out.size && memcmp(twice.data, out.data, out.size) == 0);
        /* and the same places are in it */
        for (uint32_t k = 0; k < shape->point_count && k < 64; k++) {
            struct geo_point p = shape->points[k];
            ASSERT(shape->kind == GEO_CORRIDOR || shape->kind == GEO_CIRCLE ||
                   (geo_shape_covers(shape, p) && geo_shape_covers(&again.items[0].shape, p)));
        }
        buffer_release(&twice);
        buffer_release(&out);
    }
    arena_release(&arena);
}

static void ignore_words(void *context, const char *words)
{
    (void)context;
    ASSERT(words[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct geo_geojson_options options = {.datum_default = (enum geo_datum)(data[0] & 3),
                                                .lenient = (data[0] & 4) != 0,
                                                .repair = (data[0] & 8) != 0,
                                                .go_on = (data[0] & 16) != 0,
                                                .repair_words = ": offered",
                                                .warn = ignore_words};
    struct geo_features features;
    struct status_detail detail = {""};
    struct arena arena;
    arena_init_growing(&arena, 1 << 14, 1 << 26);
    enum status status =
        geo_geojson_read(fuzz_text(data + 1, size - 1), &options, &arena, &features, &detail);
    if (status != STATUS_OK) {
        ASSERT(detail.text[0] != '\0');
    } else if (!options.lenient) { /* lenient takes edges over 180 degrees, strict does not */
        check_again(&features);
    }
    arena_release(&arena);
    return 0;
}
