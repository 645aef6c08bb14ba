/* What distances need: of each coarse cell the edges that touch it, and in finer cells the edges
 * that may be the nearest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"
#include "geo/index_lanes_internal.h"

/* As many lists as entries at the most, within what an entry's 16 bits lead back to. */
enum {
    NEAR_SIDE_MAX = 4,
    NEAR_LISTS_MAX = 1 << (2 * NEAR_SIDE_MAX),
    NEAR_WORDS_MAX = 2 * UINT16_MAX - 2,
};

/* An edge of a shape, by its first point. */
struct entry {
    uint32_t shape, point;
};

/* How far, in steps. */
struct reach {
    double lat, lon;
};

/* The edges that concern each cell of a window. */
struct lines {
    struct build *build;
    struct build_window window;
    double reach_m;        /* an edge concerns the cells that it touches, and those so near */
    struct reach reach;    /* the same, anywhere on the grid */
    uint32_t *starts;      /* by cell of the window, and one more */
    struct entry *entries; /* NULL: they are only counted */
};

static uint32_t width_of(const struct build_window *window)
{
    return window->east - window->west;
}

static size_t cells_of(const struct build_window *window)
{
    return (size_t)width_of(window) * (window->north - window->south);
}

/* ---- which cells does an edge concern? ---- */

/* A degree of longitude is shortest at the end that is farther from the equator. */
static struct reach reach_in_steps(double reach_m, struct geo_point a, struct geo_point b)
{
    double lat = ceil(reach_m / geo_scale_at(0).lat_m) + 2;
    double far = fmax(fabs((double)a.lat_e7), fabs((double)b.lat_e7)) + lat;
    double lon_m = geo_scale_at((int32_t)fmin(far, GEO_LAT_E7_MAX)).lon_m;
    return (struct reach){lat, fmin(reach_m / fmax(lon_m, 1e-9) + 2, 2 * (double)GEO_TURN_E7)};
}

static uint32_t clamp_cell(double steps, uint32_t bits, uint32_t low, uint32_t end)
{
    double cell = floor(ldexp(steps, -(int)bits));
    return cell < low ? low : cell >= end ? end : (uint32_t)cell;
}

static void put(struct lines *lines, uint32_t column, uint32_t row, struct entry entry)
{
    const struct build_window *window = &lines->window;
    size_t cell = (size_t)(row - window->south) * width_of(window) + (column - window->west);
    if (lines->entries != NULL) {
        lines->entries[lines->starts[cell]++] = entry;
    } else {
        lines->starts[cell + 1]++;
    }
}

/* Row by row, the columns of that part of the edge that lies within reach of the row. */
static void put_edge(struct lines *lines, struct entry entry, struct reach reach)
{
    const struct geo_index *index = lines->build->index;
    const struct build_window *window = &lines->window;
    const struct geo_point *edge = lines->build->store->points + entry.point;
    uint32_t bits = index->cell_bits;
    double ax = (double)edge[0].lon_e7 - index->lon, ay = (double)edge[0].lat_e7 - index->lat;
    double dx = (double)edge[1].lon_e7 - edge[0].lon_e7;
    double dy = (double)edge[1].lat_e7 - edge[0].lat_e7;
    double low = fmin(ay, ay + dy) - reach.lat, high = fmax(ay, ay + dy) + reach.lat;
    uint32_t end = clamp_cell(high, bits, window->south, window->north);
    end += end < window->north && high >= ldexp(window->south, (int)bits);
    for (uint32_t row = clamp_cell(low, bits, window->south, window->north); row < end; row++) {
        double south = ldexp(row, (int)bits) - reach.lat;
        double north = ldexp(row + 1.0, (int)bits) + reach.lat;
        double from = dy == 0 ? 0 : fmin(1, fmax(0, ((dy > 0 ? south : north) - ay) / dy));
        double to = dy == 0 ? 1 : fmin(1, fmax(0, ((dy > 0 ? north : south) - ay) / dy));
        double x1 = ax + from * dx, x2 = ax + to * dx;
        double west = fmin(x1, x2) - reach.lon, east = fmax(x1, x2) + reach.lon;
        uint32_t last = clamp_cell(east, bits, window->west, window->east);
        last += last < window->east && east >= ldexp(window->west, (int)bits);
        for (uint32_t column = clamp_cell(west, bits, window->west, window->east); column < last;
             column++) {
            put(lines, column, row, entry);
        }
    }
}

static void put_shape(struct lines *lines, uint32_t number)
{
    const struct index_shape *shape = &lines->build->index->shapes[number];
    const uint32_t *words = lines->build->store->words;
    struct reach reach = reach_in_steps(lines->reach_m + shape->radius_m, shape->low, shape->high);
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        uint32_t first = index_ring_first(shape, words, r);
        uint32_t edges = index_ring_edges(shape, words, r);
        for (uint32_t i = 0; i < edges; i++) {
            put_edge(lines, (struct entry){number, first + i}, reach);
        }
    }
}

/* Could it concern the window? */
static bool is_about(const struct lines *lines, const struct index_shape *shape)
{
    const struct geo_index *index = lines->build->index;
    const struct build_window *window = &lines->window;
    if (shape->kind == 0) {
        return false;
    }
    struct reach reach = lines->reach;
    double size = ldexp(1, (int)index->cell_bits);
    return shape->low.lat_e7 - reach.lat < index->lat + window->north * size &&
           shape->high.lat_e7 + reach.lat >= index->lat + window->south * size &&
           shape->low.lon_e7 - reach.lon < index->lon + window->east * size &&
           shape->high.lon_e7 + reach.lon >= index->lon + window->west * size;
}

static void put_shapes(struct lines *lines)
{
    const struct geo_index *index = lines->build->index;
    for (uint32_t i = 0; i < index->shape_count; i++) {
        if (is_about(lines, &index->shapes[i])) {
            put_shape(lines, i);
        }
    }
}

static void release_lines(struct lines *lines)
{
    free(lines->starts);
    free(lines->entries);
}

/* Those of a cell stand by shape and point, as they were put. */
static enum status collect_lines(struct lines *lines)
{
    size_t cells = cells_of(&lines->window), total = 0;
    lines->starts = calloc(cells + 2, sizeof *lines->starts);
    if (lines->starts == NULL) {
        return STATUS_NO_MEMORY;
    }
    put_shapes(lines);
    for (size_t cell = 0; cell < cells; cell++) {
        total += lines->starts[cell + 1];
        if (total > GEO_INDEX_BYTES_MAX / sizeof(struct entry)) {
            return status_detail_set(lines->build->detail, STATUS_TOO_LARGE,
                                     "the index needs more than %zu MiB: the edges lie in too many "
                                     "cells",
                                     GEO_INDEX_BYTES_MAX >> 20);
        }
        lines->starts[cell + 1] = (uint32_t)total;
    }
    lines->entries = malloc((total + 1) * sizeof *lines->entries);
    if (lines->entries == NULL) {
        return STATUS_NO_MEMORY;
    }
    put_shapes(lines); /* moves each start to its end, the next one's start */
    memmove(lines->starts + 1, lines->starts, cells * sizeof *lines->starts);
    lines->starts[0] = 0;
    return STATUS_OK;
}

/* ---- lists ---- */

static enum status grow_words(struct build *build, size_t count)
{
    enum status status = index_store_grow_words(build->store, count);
    return status != STATUS_TOO_LARGE
               ? status
               : status_detail_set(build->detail, status, "the index needs more than %zu MiB",
                                   GEO_INDEX_BYTES_MAX >> 20);
}

/* Does the entry prolong the run of the one before it? */
static bool goes_on(const struct entry *entry, uint32_t run_edges, uint32_t edges_max)
{
    return run_edges < edges_max && entry[-1].shape == entry->shape &&
           entry[-1].point + 1 == entry->point;
}

/* The list of what touches a coarse cell. */
static enum status write_touches(struct build *build, const struct entry *entries, uint32_t count,
                                 uint32_t *ret_word)
{
    struct index_store *store = build->store;
    enum status status = grow_words(build, 1 + (size_t)count * 2);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t *list = store->words + store->word_count, runs = 0, edges = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *run = list + 1 + 2 * (size_t)runs;
        if (i > 0 && goes_on(&entries[i], edges, TOUCH_EDGES_MAX)) {
            run[-2] += 1u << POINT_BITS;
            edges++;
            continue;
        }
        run[0] = entries[i].point;
        run[1] = entries[i].shape | build->index->shapes[entries[i].shape].flags;
        edges = 1;
        runs++;
    }
    list[0] = runs;
    *ret_word = (uint32_t)store->word_count;
    store->word_count += 1 + 2 * (size_t)runs;
    return STATUS_OK;
}

/* ---- near entries ---- */

/* Edges in metres from the middle of a coarse cell. */
struct candidates {
    struct entry *entries;
    float *ax, *ay, *bx, *by, *gap; /* each with LANES more */
    uint32_t count;
};

/* The edges of a shape that are kept: entries[first .. end). */
struct near_shape {
    uint32_t first, end;
    float radius_m;
};

/* One coarse cell at work: candidates by level of its quarters. */
struct near_work {
    struct build *build;
    struct near_shape *shapes; /* of the last square narrowed to */
    uint32_t shape_count;
    struct candidates levels[NEAR_SIDE_MAX + 2];
    uint32_t capacity;
    void *memory;
    float corner_m; /* of the last square narrowed to: how far it goes from its middle */
    float slack_m;  /* what the one scale for all of the cell may be wrong by */
    uint32_t side;
    uint32_t entries[NEAR_LISTS_MAX]; /* first words of their lists */
    uint32_t lists[NEAR_LISTS_MAX], list_count;
};

/* A square of the cell at work: its middle, and how far its corners are from there. */
struct square {
    float x, y, half_x, half_y;
    uint32_t column, row; /* of the block, of the low corner */
};

static enum status make_capacity(struct near_work *work, uint32_t count)
{
    if (count + LANES <= work->capacity) {
        return STATUS_OK;
    }
    uint32_t capacity = (count + count / 2 + 64) & ~(LANES - 1);
    size_t bytes = capacity * (sizeof(struct entry) + 5 * sizeof(float));
    size_t list_bytes = capacity * sizeof(struct near_shape);
    char *memory = malloc(bytes * (NEAR_SIDE_MAX + 2) + list_bytes);
    if (memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    free(work->memory);
    work->memory = memory;
    work->capacity = capacity;
    for (uint32_t i = 0; i <= NEAR_SIDE_MAX + 1; i++, memory += bytes) {
        struct candidates *level = &work->levels[i];
        level->entries = (void *)memory;
        level->ax = (void *)(memory + capacity * sizeof(struct entry));
        level->ay = level->ax + capacity;
        level->bx = level->ay + capacity;
        level->by = level->bx + capacity;
        level->gap = level->by + capacity;
    }
    work->shapes = (void *)memory;
    return STATUS_OK;
}

static void measure(struct candidates *all, const struct square *square)
{
    lanes_float x = lanes_all(square->x), y = lanes_all(square->y);
    for (uint32_t i = 0; i < all->count; i += LANES) {
        lanes_float gap2 = lanes_gap2(lanes_load(all->ax + i) - x, lanes_load(all->ay + i) - y,
                                      lanes_load(all->bx + i) - x, lanes_load(all->by + i) - y);
        memcpy(all->gap + i, &gap2, sizeof gap2);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        all->gap[i] = sqrtf(all->gap[i]);
    }
}

static void keep(struct candidates *kept, const struct candidates *all, uint32_t i)
{
    uint32_t at = kept->count++;
    kept->entries[at] = all->entries[i];
    kept->ax[at] = all->ax[i];
    kept->ay[at] = all->ay[i];
    kept->bx[at] = all->bx[i];
    kept->by[at] = all->by[i];
    kept->gap[at] = all->gap[i];
}

static void fill_lanes(struct candidates *all)
{
    memset(all->ax + all->count, 0, LANES * sizeof *all->ax);
    memset(all->ay + all->count, 0, LANES * sizeof *all->ay);
    memset(all->bx + all->count, 0, LANES * sizeof *all->bx);
    memset(all->by + all->count, 0, LANES * sizeof *all->by);
}

/* Keeps, of each shape whose boundary may be near to a point of the square, the edges that may be
 * the nearest to one. From the middle to anywhere in the square it is no farther than to a corner,
 * so a distance differs from the middle's by no more than that. */
static void narrow(struct near_work *work, struct candidates *all, const struct square *square,
                   struct candidates *kept)
{
    float corner = hypotf(square->half_x, square->half_y) + work->slack_m;
    measure(all, square);
    kept->count = work->shape_count = 0;
    work->corner_m = corner;
    for (uint32_t first = 0, end; first < all->count; first = end) {
        uint32_t shape = all->entries[first].shape, kept_first = kept->count;
        float least = all->gap[first];
        for (end = first + 1; end < all->count && all->entries[end].shape == shape; end++) {
            least = all->gap[end] < least ? all->gap[end] : least;
        }
        float radius_m = (float)work->build->index->shapes[shape].radius_m;
        if (fabsf(least - radius_m) - corner > GEO_NEAR_M) {
            continue;
        }
        for (uint32_t i = first; i < end; i++) {
            if (all->gap[i] <= least + 2 * corner) {
                keep(kept, all, i);
            }
        }
        work->shapes[work->shape_count++] = (struct near_shape){kept_first, kept->count, radius_m};
    }
    fill_lanes(kept);
}

/* ---- their lists ---- */

/* A line's nearest edge tells how far its rim is, the others do not. */
static uint32_t least_metres(const struct near_work *work, const struct near_shape *shape,
                             const struct candidates *kept, uint32_t first, uint32_t end)
{
    if (shape->radius_m > 0) {
        first = shape->first;
        end = shape->end;
    }
    float least = kept->gap[first];
    for (uint32_t k = first + 1; k < end; k++) {
        least = fminf(least, kept->gap[k]);
    }
    least = fabsf(least - shape->radius_m) - work->corner_m;
    return (uint32_t)fminf(fmaxf(least, 0), (float)NEAR_METRES_MAX);
}

/* The list of a near entry, on an even word. */
static enum status write_kept(struct near_work *work, const struct candidates *kept,
                              uint32_t *ret_word)
{
    struct index_store *store = work->build->store;
    enum status status = grow_words(work->build, 2 + (size_t)kept->count);
    if (status != STATUS_OK) {
        return status;
    }
    store->words[store->word_count] = 0;
    store->word_count += store->word_count % 2;
    uint32_t *list = store->words + store->word_count, runs = 0, least = NEAR_METRES_MAX;
    for (uint32_t i = 0; i < work->shape_count; i++) {
        const struct near_shape *shape = &work->shapes[i];
        for (uint32_t first = shape->first, end; first < shape->end; first = end) {
            for (end = first + 1;
                 end < shape->end && goes_on(&kept->entries[end], end - first, RUN_EDGES_MAX);) {
                end++;
            }
            uint32_t metres = least_metres(work, shape, kept, first, end);
            least = metres < least ? metres : least;
            list[1 + runs++] = kept->entries[first].point | metres << POINT_BITS;
        }
    }
    list[0] = runs | least << POINT_BITS;
    *ret_word = (uint32_t)store->word_count;
    store->word_count += 1 + (size_t)runs;
    return STATUS_OK;
}

/* The list at that word, the last one; or another square's of the cell that is the same, and it goes.
 */
static uint32_t share_list(struct near_work *work, uint32_t word)
{
    struct index_store *store = work->build->store;
    const uint32_t *list = store->words + word;
    size_t bytes = (1 + (size_t)index_near_runs(*list)) * sizeof *list;
    for (uint32_t i = 0; i < work->list_count; i++) {
        const uint32_t *other = store->words + work->lists[i];
        if (other[0] == list[0] && other[1] == list[1] && memcmp(other, list, bytes) == 0) {
            store->word_count = word;
            return work->lists[i];
        }
    }
    work->lists[work->list_count++] = word;
    return word;
}

static enum status write_near(struct near_work *work, const struct square *square,
                              const struct candidates *kept)
{
    uint32_t *entry = &work->entries[((size_t)square->row << work->side) + square->column];
    uint32_t word;
    *entry = 0;
    if (kept->count == 0) {
        return STATUS_OK;
    }
    enum status status = write_kept(work, kept, &word);
    if (status == STATUS_OK) {
        *entry = share_list(work, word);
    }
    return status;
}

static enum status divide_near(struct near_work *work, const struct square *square, uint32_t level)
{
    struct candidates *kept = &work->levels[level + 1];
    narrow(work, &work->levels[level], square, kept);
    if (level == work->side) {
        return write_near(work, square, kept);
    }
    uint32_t half = 1u << (work->side - level - 1);
    enum status status = STATUS_OK;
    for (uint32_t quarter = 0; quarter < 4 && status == STATUS_OK; quarter++) {
        uint32_t east = quarter & 1, north = quarter >> 1;
        struct square part = {square->x + (east ? 0.5F : -0.5F) * square->half_x,
                              square->y + (north ? 0.5F : -0.5F) * square->half_y,
                              square->half_x / 2,
                              square->half_y / 2,
                              square->column + east * half,
                              square->row + north * half};
        status = divide_near(work, &part, level + 1);
    }
    return status;
}

/* Takes the entries along in metres from the middle of the cell. */
static void place(struct near_work *work, const struct entry *entries, uint32_t count,
                  struct build_cell cell, struct square *ret)
{
    const struct geo_point *points = work->build->store->points;
    struct candidates *all = &work->levels[0];
    struct geo_scale least, most;
    build_scales(cell, &least, &most);
    double half = ldexp(1, (int)cell.bits - 1);
    double lat = (double)cell.lat + half, lon = (double)cell.lon + half, far_m = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct geo_point *edge = points + entries[i].point;
        all->entries[i] = entries[i];
        all->ax[i] = (float)((edge[0].lon_e7 - lon) * most.lon_m);
        all->ay[i] = (float)((edge[0].lat_e7 - lat) * most.lat_m);
        all->bx[i] = (float)((edge[1].lon_e7 - lon) * most.lon_m);
        all->by[i] = (float)((edge[1].lat_e7 - lat) * most.lat_m);
        far_m = fmax(far_m, (double)fmaxf(fabsf(all->ax[i]), fabsf(all->ay[i])));
        far_m = fmax(far_m, (double)fmaxf(fabsf(all->bx[i]), fabsf(all->by[i])));
    }
    all->count = count;
    fill_lanes(all);
    *ret =
        (struct square){.half_x = (float)(half * most.lon_m), .half_y = (float)(half * most.lat_m)};
    double off = fmax(most.lon_m / least.lon_m, most.lat_m / least.lat_m) - 1;
    double corner_m = (double)hypotf(ret->half_x, ret->half_y);
    work->slack_m = (float)(0.01 + off * (GEO_NEAR_M + 4 * corner_m) + 1e-6 * far_m);
}

static uint32_t near_side(uint32_t count)
{
    return count <= 6 ? 0 : count <= 16 ? 1 : count <= 64 ? 2 : count <= 140 ? 3 : NEAR_SIDE_MAX;
}

static enum status write_near_block(struct near_work *work, uint32_t touches, uint32_t *ret_head)
{
    struct index_store *store = work->build->store;
    uint32_t entry_words = index_near_entry_words(work->side);
    enum status status = grow_words(work->build, 2 + (size_t)entry_words);
    if (status != STATUS_OK) {
        return status;
    }
    store->words[store->word_count] = 0;
    store->word_count += store->word_count % 2;
    uint32_t *at = store->words + store->word_count;
    at[0] = touches;
    at[entry_words] = 0;
    for (size_t i = 0; i < (size_t)1 << (2 * work->side); i++) {
        uint32_t word = work->entries[i];
        uint16_t entry = (uint16_t)(word != 0 ? (store->word_count - word) / 2 : 0);
        memcpy((char *)(at + 1) + i * sizeof entry, &entry, sizeof entry);
    }
    *ret_head = (uint32_t)store->word_count << 3 | work->side;
    store->word_count += 1 + (size_t)entry_words;
    return STATUS_OK;
}

/* Writes the lists of a cell's squares: of coarser ones, where an entry would not lead back to all. */
static enum status write_lists(struct near_work *work, const struct square *square, uint32_t count,
                               struct build_cell cell)
{
    struct index_store *store = work->build->store;
    size_t first = store->word_count;
    work->side = near_side(count);
    for (;; work->side--) {
        work->list_count = 0;
        enum status status = divide_near(work, square, 0);
        if (status != STATUS_OK || store->word_count - first <= NEAR_WORDS_MAX) {
            return status;
        }
        store->word_count = first;
        if (work->side == 0) {
            return status_detail_set(work->build->detail, STATUS_TOO_LARGE,
                                     "too many edges lie together near %.5f, %.5f (longitude, "
                                     "latitude)",
                                     (double)cell.lon * 1e-7, (double)cell.lat * 1e-7);
        }
    }
}

static enum status build_near_cell(struct near_work *work, const struct entry *entries,
                                   uint32_t count, struct build_cell cell, uint32_t touches,
                                   uint32_t *ret_head)
{
    struct square square;
    enum status status = make_capacity(work, count);
    if (status != STATUS_OK) {
        return status;
    }
    place(work, entries, count, cell, &square);
    status = write_lists(work, &square, count, cell);
    bool is_empty = work->list_count == 0 && touches == 0; /* near the cell's box, not near it */
    return status != STATUS_OK || is_empty ? status : write_near_block(work, touches, ret_head);
}

/* The list of the cell alone. */
static enum status build_far_cell(struct build *build, uint32_t touches, uint32_t *ret_head)
{
    enum status status = grow_words(build, 2);
    if (status == STATUS_OK) {
        *ret_head = (uint32_t)build->store->word_count << 3;
        build->store->words[build->store->word_count++] = touches;
        build->store->words[build->store->word_count++] = 0;
    }
    return status;
}

static struct reach reach_on_grid(const struct geo_index *index, double reach_m)
{
    struct geo_point low = {index->lat, 0};
    int64_t top = index->lat + ((int64_t)index->height << index->cell_bits);
    struct geo_point high = {(int32_t)(top < GEO_LAT_E7_MAX ? top : GEO_LAT_E7_MAX), 0};
    return reach_in_steps(reach_m, low, high);
}

/* The window and the cells from which it is near. */
static struct build_window around(const struct build *build)
{
    const struct geo_index *index = build->index;
    struct reach reach = reach_on_grid(index, GEO_NEAR_M);
    uint32_t columns = (uint32_t)ldexp(reach.lon, -(int)index->cell_bits) + 1;
    uint32_t rows = (uint32_t)ldexp(reach.lat, -(int)index->cell_bits) + 1;
    struct build_window window = build->window;
    window.west -= columns < window.west ? columns : window.west;
    window.south -= rows < window.south ? rows : window.south;
    window.east = index->width - window.east < columns ? index->width : window.east + columns;
    window.north = index->height - window.north < rows ? index->height : window.north + rows;
    return window;
}

/* A cell by the edges that touch it and those near it. */
static enum status build_cell_lines(struct near_work *work, const struct lines *touching,
                                    const struct lines *near, size_t at, struct build_cell cell,
                                    uint32_t *ret_head)
{
    uint32_t count = touching->starts[at + 1] - touching->starts[at], touches = 0;
    enum status status = STATUS_OK;
    *ret_head = 0;
    if (count > 0) {
        status =
            write_touches(work->build, touching->entries + touching->starts[at], count, &touches);
    }
    if (status != STATUS_OK || !work->build->index->has_near) {
        return status != STATUS_OK || touches == 0 ? status
                                                   : build_far_cell(work->build, touches, ret_head);
    }
    count = near->starts[at + 1] - near->starts[at];
    return count > 0 ? build_near_cell(work, near->entries + near->starts[at], count, cell, touches,
                                       ret_head)
                     : STATUS_OK;
}

static enum status build_window_lines(struct near_work *work, const struct lines *touching,
                                      const struct lines *near)
{
    const struct geo_index *index = work->build->index;
    const struct build_window *window = &touching->window;
    enum status status = STATUS_OK;
    size_t at = 0;
    for (uint32_t row = window->south; row < window->north; row++) {
        for (uint32_t column = window->west; column < window->east && status == STATUS_OK;
             column++, at++) {
            struct build_cell cell = {index->lon + ((int64_t)column << index->cell_bits),
                                      index->lat + ((int64_t)row << index->cell_bits),
                                      index->cell_bits};
            status = build_cell_lines(work, touching, near, at, cell, &work->build->lines[at]);
        }
    }
    return status;
}

enum status build_lines(struct build *build)
{
    build->lines_window = around(build);
    struct lines touching = {
        .build = build, .window = build->lines_window, .reach = reach_on_grid(build->index, 0)};
    struct lines near = {.build = build,
                         .window = build->lines_window,
                         .reach_m = GEO_NEAR_M,
                         .reach = reach_on_grid(build->index, GEO_NEAR_M)};
    struct near_work work = {.build = build};
    enum status status = build_new_heads(&build->lines_window, &build->lines);
    if (status == STATUS_OK) {
        status = collect_lines(&touching);
    }
    if (status == STATUS_OK && build->index->has_near) {
        status = collect_lines(&near);
    }
    if (status == STATUS_OK) {
        status = build_window_lines(&work, &touching, &near);
    }
    free(work.memory);
    release_lines(&touching);
    release_lines(&near);
    return status;
}
