/* The grid of coarse cells: where it lies, and its pages of heads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

enum {
    CELL_BITS_MIN = 15,         /* 360 m: a school and its surroundings lie in some coarse cells */
    COARSE_CELLS_MAX = 1 << 22, /* a province of such cells; pages are made where something lies */
    NEAR_CELL_BITS_MAX = 18,    /* wider ones would have long lists of what is near */
    NEAR_MARGIN_E7 = 1 << 20,   /* from the antimeridian: what is near lies on this side */
    NEAR_LAT_E7_MAX = 890000000,
};

/* ---- where it lies ---- */

void build_widen_extent(struct build_extent *all, const struct index_shape *shape)
{
    int64_t west = shape->low.lon_e7, east = shape->high.lon_e7;
    if (west < -GEO_LON_E7_MAX || east > GEO_LON_E7_MAX) {
        west = -GEO_LON_E7_MAX; /* it goes on at the other side */
        east = GEO_LON_E7_MAX;
    }
    all->south = shape->low.lat_e7 < all->south ? shape->low.lat_e7 : all->south;
    all->west = west < all->west ? west : all->west;
    all->north = shape->high.lat_e7 > all->north ? shape->high.lat_e7 : all->north;
    all->east = east > all->east ? east : all->east;
}

const struct build_extent build_extent_none = {GEO_LAT_E7_MAX, GEO_LON_E7_MAX, -GEO_LAT_E7_MAX,
                                               -GEO_LON_E7_MAX};

static bool is_near_possible(const struct geo_index *index, const struct build_extent *all)
{
    return index->cell_bits <= NEAR_CELL_BITS_MAX && index->cell_count > 0 &&
           all->west >= -GEO_LON_E7_MAX + NEAR_MARGIN_E7 &&
           all->east <= GEO_LON_E7_MAX - NEAR_MARGIN_E7 && all->south >= -NEAR_LAT_E7_MAX &&
           all->north <= NEAR_LAT_E7_MAX;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The grid goes on as far as near entries do. */
static void widen_by_near(struct build_extent *all)
{
    int64_t lat = (int64_t)(GEO_NEAR_M / geo_scale_at(0).lat_m) + 2;
    int64_t far = most(-all->south, all->north) + lat;
    double lon_m = geo_scale_at((int32_t)(far < GEO_LAT_E7_MAX ? far : GEO_LAT_E7_MAX)).lon_m;
    int64_t lon = (int64_t)fmin(GEO_NEAR_M / fmax(lon_m, 1e-9), GEO_LON_E7_MAX) + 2;
    all->south = most(all->south - lat, -GEO_LAT_E7_MAX);
    all->west = most(all->west - lon, -GEO_LON_E7_MAX);
    all->north = -most(-all->north - lat, -GEO_LAT_E7_MAX);
    all->east = -most(-all->east - lon, -GEO_LON_E7_MAX);
}

/* Cells begin at multiples of their size. */
static int64_t cells_along(int64_t low, int64_t high, uint32_t bits)
{
    return (high >> bits) - (low >> bits) + 1;
}

static void set_cell_bits(struct geo_index *index, uint32_t bits)
{
    int32_t mask = (int32_t)((1u << bits) - 1), half = (int32_t)(1u << (bits - 1));
    index->cell_bits = bits;
    index->cell_mask = (struct geo_point){mask, mask};
    index->cell_half = (struct geo_point){half, half};
}

static void set_grid(struct geo_index *index)
{
    struct build_extent all = build_extent_none;
    for (uint32_t i = 0; i < index->shape_count; i++) {
        if (index->shapes[i].kind != 0) {
            build_widen_extent(&all, &index->shapes[i]);
        }
    }
    set_cell_bits(index, CELL_BITS_MIN);
    if (all.south > all.north) {
        return; /* no shapes: no cells */
    }
    widen_by_near(&all);
    uint32_t bits = CELL_BITS_MIN;
    while (cells_along(all.west, all.east, bits) * cells_along(all.south, all.north, bits) >
           COARSE_CELLS_MAX) {
        bits++;
    }
    set_cell_bits(index, bits);
    index->lat = (int32_t)((all.south >> bits) * ((int64_t)1 << bits));
    index->lon = (int32_t)((all.west >> bits) * ((int64_t)1 << bits));
    index->width = (uint32_t)cells_along(all.west, all.east, bits);
    index->height = (uint32_t)cells_along(all.south, all.north, bits);
    index->cell_count = index->width * index->height;
    index->has_near = is_near_possible(index, &all);
}

bool build_window_of(const struct geo_index *index, const struct build_extent *extent,
                     struct build_window *ret)
{
    int64_t size = (int64_t)1 << index->cell_bits;
    if (extent->west < index->lon || extent->south < index->lat ||
        extent->east >= index->lon + index->width * size ||
        extent->north >= index->lat + index->height * size) {
        return false;
    }
    ret->west = (uint32_t)((extent->west - index->lon) / size);
    ret->south = (uint32_t)((extent->south - index->lat) / size);
    ret->east = (uint32_t)((extent->east - index->lon) / size) + 1;
    ret->north = (uint32_t)((extent->north - index->lat) / size) + 1;
    return (uint64_t)(ret->east - ret->west) * (ret->north - ret->south) * 4 <= index->cell_count;
}

/* ---- tables ---- */

static uint32_t tiles_along(uint32_t cells)
{
    return (cells + TILE_SIDE - 1) / TILE_SIDE;
}

static enum status make_tables(struct geo_index *index)
{
    index->tiles = calloc(index->tile_count + (size_t)1, sizeof *index->tiles);
    index->rows = calloc(index->height + (size_t)2, sizeof *index->rows);
    return index->tiles != NULL && index->rows != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status index_grid_new(struct geo_index *index)
{
    set_grid(index);
    index->tile_width = tiles_along(index->width);
    index->tile_count = index->tile_width * tiles_along(index->height);
    enum status status = make_tables(index);
    index->row_part = ldexpf(1, -(int)index->cell_bits);
    for (uint32_t row = 0; status == STATUS_OK && row <= index->height && index->has_near; row++) {
        struct geo_scale scale =
            geo_scale_at((int32_t)(index->lat + ((int64_t)row << index->cell_bits)));
        index->rows[row] = (struct index_row){(float)scale.lat_m, (float)scale.lon_m};
    }
    return status;
}

enum status index_grid_copy(const struct geo_index *old, struct geo_index *index)
{
    enum status status = make_tables(index);
    if (status == STATUS_OK) {
        memcpy(index->tiles, old->tiles, (old->tile_count + (size_t)1) * sizeof *old->tiles);
        memcpy(index->rows, old->rows, (old->height + (size_t)2) * sizeof *old->rows);
    }
    return status;
}

void index_grid_release(struct geo_index *index)
{
    free(index->tiles);
    free(index->rows);
}

/* ---- pages ---- */

enum status build_new_heads(const struct build_window *window, uint32_t **ret)
{
    size_t cells = (size_t)(window->east - window->west) * (window->north - window->south);
    *ret = calloc(cells + 1, sizeof **ret);
    return *ret != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Those of the window in place of the page's. */
static void put_heads(const uint32_t *heads, const struct build_window *window, uint32_t west,
                      uint32_t south, uint32_t *page)
{
    uint32_t width = window->east - window->west;
    for (uint32_t i = 0; i < TILE_CELLS; i++) {
        uint32_t column = west + i % TILE_SIDE, row = south + i / TILE_SIDE;
        if (column >= window->west && column < window->east && row >= window->south &&
            row < window->north) {
            page[i] = heads[(size_t)(row - window->south) * width + (column - window->west)];
        }
    }
}

static enum status write_page(struct build *build, uint32_t column, uint32_t row)
{
    static const uint32_t none[2 * TILE_CELLS] = {0};
    struct index_store *store = build->store;
    uint32_t *tile = &build->index->tiles[row * build->index->tile_width + column];
    uint32_t page[2 * TILE_CELLS];
    memcpy(page, store->words + *tile, sizeof page);
    put_heads(build->finds, &build->window, column * TILE_SIDE, row * TILE_SIDE, page);
    put_heads(build->lines, &build->lines_window, column * TILE_SIDE, row * TILE_SIDE,
              page + TILE_CELLS);
    if (memcmp(page, none, sizeof page) == 0) {
        *tile = 0;
        return STATUS_OK;
    }
    enum status status = index_store_grow_words(store, sizeof page / sizeof *page);
    if (status == STATUS_OK) {
        *tile = (uint32_t)store->word_count;
        memcpy(store->words + store->word_count, page, sizeof page);
        store->word_count += sizeof page / sizeof *page;
    }
    return status;
}

enum status build_pages(struct build *build)
{
    const struct build_window *window = &build->lines_window;
    enum status status = index_store_grow_words(build->store, TILE_CELLS);
    while (status == STATUS_OK &&
           build->store->word_count % TILE_CELLS != 0) { /* a line of cache */
        build->store->words[build->store->word_count++] = 0;
    }
    for (uint32_t row = window->south / TILE_SIDE; row < tiles_along(window->north); row++) {
        for (uint32_t column = window->west / TILE_SIDE;
             column < tiles_along(window->east) && status == STATUS_OK; column++) {
            status = write_page(build, column, row);
        }
    }
    return status;
}
