/* Fence files of other people; what is taken is written and taken again. */
#include "base/assert.h"
#include "geo/geojson.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const struct geo_features *features)
{
    static const struct geo_geojson_options options = {.datum_default = GEO_DATUM_NONE};
    struct arena arena;
    arena_init_growing(&arena, 1 << 14, 1 << 26);
    for (uint32_t i = 0; i < features->count; i++) {
        struct geo_features again;
        struct status_detail detail;
        struct buffer out;
        buffer_init(&out, 1 << 22);
        geo_geojson_write_feature(&out, &features->items[i]);
        ASSERT(buffer_status(&out) == STATUS_OK);
        ASSERT(geo_geojson_read((struct text){out.data, out.size}, &options, &arena, &again,
                                &detail) == STATUS_OK);
        ASSERT(again.count == 1);
        ASSERT(again.items[0].shape.point_count == features->items[i].shape.point_count);
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
                                                .warn = ignore_words};
    struct geo_features features;
    struct status_detail detail = {""};
    struct arena arena;
    arena_init_growing(&arena, 1 << 14, 1 << 26);
    enum status status =
        geo_geojson_read(fuzz_text(data + 1, size - 1), &options, &arena, &features, &detail);
    if (status != STATUS_OK) {
        ASSERT(detail.text[0] != '\0');
    } else if (!options.lenient && options.datum_default == GEO_WGS84) {
        check_again(&features);
    }
    arena_release(&arena);
    return 0;
}
