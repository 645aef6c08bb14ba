#include "bench/intake_city.h"

#include <string.h>

#include "base/assert.h"
#include "bench/numbered.h"

enum {
    SEED = 1,
    TILE_COLUMNS = 10,
    NEAR_PARTS = 7, /* of ten cards are about their own school, two in a town, one anywhere */
    NEAR_M = 200,
};
/* A third of a city's width: each place lies in several of them. */
#define TILE_LAT_E7 4500000
#define TILE_LON_E7 6000000

static struct geo_point moved(struct geo_point point, uint32_t tile)
{
    return (struct geo_point){point.lat_e7 + (int32_t)(tile / TILE_COLUMNS) * TILE_LAT_E7,
                              point.lon_e7 + (int32_t)(tile % TILE_COLUMNS) * TILE_LON_E7};
}

static uint32_t share(uint32_t all, uint32_t parts, uint32_t part)
{
    return all / parts + (part < all % parts);
}

static uint32_t school_of(const void *context, uint32_t pupil_no)
{
    const struct intake_city *city = context;
    return (pupil_no - 1) % city->schools + 1;
}

static bool make_homes(struct intake_city *city)
{
    struct geo_point *about[1];
    struct city_random random = {SEED + 2};
    city->homes = arena_array(&city->arena, (size_t)city->cards + 1, sizeof *city->homes);
    if (city->homes == NULL) {
        return false;
    }
    for (uint32_t tile = 0; tile < city->tiles; tile++) {
        const uint32_t first = tile * CITY_SCHOOLS;
        const uint32_t end =
            first + CITY_SCHOOLS < city->schools ? first + CITY_SCHOOLS : city->schools;
        const uint32_t most = (city->cards / city->schools + 1) * (end - first);
        if (!city_points(&city->cities[tile], SEED + 1 + tile, most, &city->arena, about)) {
            return false;
        }
        for (uint32_t school = first, next = 0; school < end; school++) {
            struct geo_point centre = city->cities[tile].schools[school - first];
            for (uint32_t card = school + 1; card <= city->cards; card += city->schools) {
                struct geo_point home = about[0][next++];
                if (city_random_below(&random, 10) < NEAR_PARTS) {
                    home = city_offset(centre, city_random_between(&random, -NEAR_M, NEAR_M),
                                       city_random_between(&random, -NEAR_M, NEAR_M));
                }
                city->homes[card] = moved(home, tile);
            }
        }
    }
    return true;
}

bool intake_city_make(struct intake_city *city, uint32_t cards, uint32_t schools, uint32_t zones)
{
    const uint32_t tiles = (schools + CITY_SCHOOLS - 1) / CITY_SCHOOLS;
    ASSERT(cards > 0 && schools > 0 && zones <= tiles * CITY_ZONES);
    *city =
        (struct intake_city){.cards = cards, .schools = schools, .zones = zones, .tiles = tiles};
    arena_init_growing(&city->arena, 1u << 20, (size_t)8 << 30);
    city->cities = arena_array(&city->arena, tiles, sizeof *city->cities);
    bool ok = city->cities != NULL;
    for (uint32_t tile = 0; ok && tile < tiles; tile++) {
        ok = city_make(SEED + tile, &city->arena, &city->cities[tile]);
    }
    return ok && make_homes(city);
}

void intake_city_release(struct intake_city *city)
{
    arena_release(&city->arena);
}

enum status intake_city_directory(const struct intake_city *city, struct directory **ret,
                                  struct status_detail *detail)
{
    const struct numbered numbered = {.schools = city->schools,
                                      .pupils = city->cards,
                                      .gates_a_school = 1,
                                      .guardians_a_pupil = 1,
                                      .school_of = school_of,
                                      .context = city};
    return numbered_directory(&numbered, ret, detail);
}

/* Where it is in the province, with memory of the set's own. */
static bool copy_shape(struct arena *arena, const struct geo_shape *from, uint32_t tile,
                       struct geo_shape *ret)
{
    struct geo_point *points = arena_array(arena, from->point_count, sizeof *points);
    uint32_t *ends = arena_array(arena, from->ring_count, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < from->point_count; i++) {
        points[i] = moved(from->points[i], tile);
    }
    memcpy(ends, from->ring_ends, from->ring_count * sizeof *ends);
    *ret = *from;
    ret->points = points;
    ret->ring_ends = ends;
    geo_shape_set_bounds(ret);
    return true;
}

static bool add_fence(struct fence_set *set, uint32_t place, const struct geo_shape *shape,
                      uint32_t tile)
{
    struct fence *fence = &set->items[place];
    fence->no = place + 1;
    fence->version = 1;
    fence->id = numbered_id(&set->arena, 'f', fence->no);
    return fence->id != NULL && copy_shape(&set->arena, shape, tile, &set->shapes[place]);
}

static bool add_school(struct fence_set *set, const struct intake_city *city, uint32_t school)
{
    const uint32_t tile = school / CITY_SCHOOLS, first = school * CITY_SCHOOL_FENCES;
    const struct geo_shape *shapes =
        &city->cities[tile].shapes[(size_t)(school % CITY_SCHOOLS) * CITY_SCHOOL_FENCES];
    bool ok = true;
    for (uint32_t i = 0; ok && i < CITY_SCHOOL_FENCES; i++) {
        set->items[first + i].school_no = school + 1;
        set->items[first + i].kind = i == 0 ? FENCE_SCHOOL : FENCE_PLACE;
        ok = add_fence(set, first + i, &shapes[i], tile);
    }
    return ok;
}

static bool fill_fences(struct fence_set *set, const struct intake_city *city)
{
    bool ok = true;
    uint32_t place = city->schools * CITY_SCHOOL_FENCES;
    for (uint32_t school = 0; ok && school < city->schools; school++) {
        ok = add_school(set, city, school);
    }
    for (uint32_t tile = 0; tile < city->tiles; tile++) {
        const struct geo_shape *zones =
            &city->cities[tile].shapes[(size_t)CITY_SCHOOLS * CITY_SCHOOL_FENCES];
        const uint32_t count = share(city->zones, city->tiles, tile);
        for (uint32_t i = 0; ok && i < count; i++, place++) {
            set->items[place].kind = FENCE_DANGER;
            ok = add_fence(set, place, &zones[i], tile);
        }
    }
    return ok;
}

enum status intake_city_fences(const struct intake_city *city, struct fence_set **ret,
                               struct status_detail *detail)
{
    struct fence_set *set;
    enum status status = fence_set_new(city->schools * CITY_SCHOOL_FENCES + city->zones, &set);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "fences: %s", status_words(status));
    }
    status = fill_fences(set, city) ? fence_set_seal(set, detail)
                                    : status_detail_set(detail, STATUS_NO_MEMORY, "fences");
    if (status == STATUS_OK) {
        *ret = set;
    } else {
        fence_set_free(set);
    }
    return status;
}

uint32_t intake_city_card(const struct intake_city *city, struct city_random *random,
                          uint32_t school)
{
    const uint32_t pupils = share(city->cards, city->schools, school - 1);
    ASSERT(pupils > 0);
    return school + city_random_below(random, pupils) * city->schools;
}
