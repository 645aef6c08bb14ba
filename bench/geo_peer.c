#include "bench/geo_peer.h"

#include <math.h>
#include <stdlib.h>

#define GEOS_USE_ONLY_R_API
#include <geos_c.h>

#include "base/assert.h"
#include "geo/geojson.h"

const char *const geo_peer_way_names[PEER_WAYS] = {"a box each", "a box each, within first",
                                                   "wide boxes in the tree",
                                                   "wide boxes in the tree, within first"};

struct fence {
    uint32_t shape;
    GEOSGeometry *area, *flat, *outline; /* lattice steps; metres; the boundary in metres */
    const GEOSPreparedGeometry *prepared, *prepared_flat, *prepared_outline;
};

struct geo_peer {
    GEOSContextHandle_t geos;
    GEOSSTRtree *tree, *flat_tree, *wide_tree;
    struct fence *fences;
    uint32_t count;
    double reach_m, metres_per_lon, metres_per_lat;
};

/* One lookup: who is asked, and who answered. */
struct question {
    const struct geo_peer *peer;
    GEOSGeometry *point;
    bool within;
    uint32_t *found, count;
    struct geo_near *near;
    uint32_t near_count;
};

/* ---- making ---- */

static int to_lattice(double *x, double *y, void *unused)
{
    (void)unused;
    *x = nearbyint(*x * 1e7);
    *y = nearbyint(*y * 1e7);
    return 1;
}

static int to_metres(double *x, double *y, void *context)
{
    const struct geo_peer *peer = context;
    *x *= peer->metres_per_lon;
    *y *= peer->metres_per_lat;
    return 1;
}

static GEOSGeometry *read_area(const struct geo_peer *peer, GEOSGeoJSONReader *reader,
                               const struct geo_shape *shape)
{
    struct buffer json;
    buffer_init(&json, 1u << 28);
    geo_geojson_write_geometry(&json, shape);
    GEOSGeometry *degrees =
        GEOSGeoJSONReader_readGeometry_r(peer->geos, reader, buffer_cstr(&json));
    buffer_release(&json);
    if (degrees == NULL) {
        return NULL;
    }
    GEOSGeometry *area = GEOSGeom_transformXY_r(peer->geos, degrees, to_lattice, NULL);
    GEOSGeom_destroy_r(peer->geos, degrees);
    return area;
}

/* The box of a fence, larger by the reach on each side. */
static bool insert_wide(struct geo_peer *peer, struct fence *fence)
{
    double low_x, low_y, high_x, high_y, reach = peer->reach_m;
    if (GEOSGeom_getExtent_r(peer->geos, fence->flat, &low_x, &low_y, &high_x, &high_y) == 0) {
        return false;
    }
    GEOSGeometry *box = GEOSGeom_createRectangle_r(peer->geos, low_x - reach, low_y - reach,
                                                   high_x + reach, high_y + reach);
    if (box == NULL) {
        return false;
    }
    GEOSSTRtree_insert_r(peer->geos, peer->wide_tree, box, fence); /* keeps the numbers alone */
    GEOSGeom_destroy_r(peer->geos, box);
    return true;
}

static bool prepare_flat(struct geo_peer *peer, struct fence *fence)
{
    fence->flat = GEOSGeom_transformXY_r(peer->geos, fence->area, to_metres, peer);
    fence->outline = fence->flat != NULL ? GEOSBoundary_r(peer->geos, fence->flat) : NULL;
    if (fence->outline == NULL) {
        return false;
    }
    fence->prepared_flat = GEOSPrepare_r(peer->geos, fence->flat);
    fence->prepared_outline = GEOSPrepare_r(peer->geos, fence->outline);
    GEOSSTRtree_insert_r(peer->geos, peer->flat_tree, fence->flat, fence);
    return insert_wide(peer, fence);
}

static bool prepare_fence(struct geo_peer *peer, GEOSGeoJSONReader *reader,
                          const struct geo_shape *shape, struct fence *fence)
{
    fence->area = read_area(peer, reader, shape);
    if (fence->area == NULL) {
        return false;
    }
    fence->prepared = GEOSPrepare_r(peer->geos, fence->area);
    GEOSSTRtree_insert_r(peer->geos, peer->tree, fence->area, fence);
    return peer->reach_m <= 0 || prepare_flat(peer, fence);
}

static enum status prepare(struct geo_peer *peer, const struct geo_shape *shapes,
                           struct status_detail *detail)
{
    GEOSGeoJSONReader *reader = GEOSGeoJSONReader_create_r(peer->geos);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < peer->count && status == STATUS_OK; i++) {
        peer->fences[i].shape = i;
        if (!prepare_fence(peer, reader, &shapes[i], &peer->fences[i])) {
            status =
                status_detail_set(detail, STATUS_INVALID, "GEOS does not take fence %u", i + 1);
        }
    }
    GEOSGeoJSONReader_destroy_r(peer->geos, reader);
    return status;
}

enum status geo_peer_new(const struct geo_shape *shapes, uint32_t shape_count, float reach_m,
                         struct geo_peer **ret, struct status_detail *detail)
{
    struct geo_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return STATUS_NO_MEMORY;
    }
    peer->geos = GEOS_init_r();
    peer->tree = GEOSSTRtree_create_r(peer->geos, 10);
    peer->flat_tree = GEOSSTRtree_create_r(peer->geos, 10);
    peer->wide_tree = GEOSSTRtree_create_r(peer->geos, 10);
    peer->count = shape_count;
    peer->reach_m = (double)reach_m;
    double lat = shape_count > 0 ? shapes[0].low.lat_e7 * 1e-7 : 0;
    peer->metres_per_lat = 0.0110974;
    peer->metres_per_lon = 0.0111320 * cos(lat / 57.29577951308232);
    peer->fences = calloc(shape_count + (size_t)1, sizeof *peer->fences);
    enum status status = peer->fences != NULL ? prepare(peer, shapes, detail) : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        geo_peer_free(peer);
        return status;
    }
    *ret = peer;
    return STATUS_OK;
}

void geo_peer_free(struct geo_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    for (uint32_t i = 0; peer->fences != NULL && i < peer->count; i++) {
        struct fence *fence = &peer->fences[i];
        GEOSPreparedGeom_destroy_r(peer->geos, fence->prepared);
        GEOSPreparedGeom_destroy_r(peer->geos, fence->prepared_flat);
        GEOSPreparedGeom_destroy_r(peer->geos, fence->prepared_outline);
        GEOSGeom_destroy_r(peer->geos, fence->area);
        GEOSGeom_destroy_r(peer->geos, fence->flat);
        GEOSGeom_destroy_r(peer->geos, fence->outline);
    }
    GEOSSTRtree_destroy_r(peer->geos, peer->tree);
    GEOSSTRtree_destroy_r(peer->geos, peer->flat_tree);
    GEOSSTRtree_destroy_r(peer->geos, peer->wide_tree);
    GEOS_finish_r(peer->geos);
    free(peer->fences);
    free(peer);
}

/* ---- asking ---- */

static void take_covering(void *item, void *context)
{
    const struct fence *fence = item;
    struct question *question = context;
    if (GEOSPreparedIntersects_r(question->peer->geos, fence->prepared, question->point) == 1 &&
        question->count < GEO_FOUND_MAX) {
        question->found[question->count++] = fence->shape;
    }
}

uint32_t geo_peer_find(struct geo_peer *peer, struct geo_point point, uint32_t ret[GEO_FOUND_MAX])
{
    struct question question = {.peer = peer, .found = ret};
    question.point = GEOSGeom_createPointFromXY_r(peer->geos, point.lon_e7, point.lat_e7);
    GEOSSTRtree_query_r(peer->geos, peer->tree, question.point, take_covering, &question);
    GEOSGeom_destroy_r(peer->geos, question.point);
    return question.count;
}

static void take_near(void *item, void *context)
{
    const struct fence *fence = item;
    struct question *question = context;
    const struct geo_peer *peer = question->peer;
    double distance_m = 0;
    bool inside = GEOSPreparedIntersects_r(peer->geos, fence->prepared_flat, question->point) == 1;
    if (inside && question->count < GEO_FOUND_MAX) {
        question->found[question->count++] = fence->shape;
    }
    if (question->within && GEOSPreparedDistanceWithin_r(peer->geos, fence->prepared_outline,
                                                         question->point, peer->reach_m) != 1) {
        return;
    }
    if (GEOSPreparedDistance_r(peer->geos, fence->prepared_outline, question->point, &distance_m) ==
            1 &&
        distance_m <= peer->reach_m && question->near_count < GEO_FOUND_MAX) {
        question->near[question->near_count++] =
            (struct geo_near){fence->shape, (float)(inside ? -distance_m : distance_m)};
    }
}

uint32_t geo_peer_near(struct geo_peer *peer, enum geo_peer_way way, struct geo_point point,
                       uint32_t ret[GEO_FOUND_MAX], struct geo_near ret_near[GEO_FOUND_MAX],
                       uint32_t *ret_near_count)
{
    ASSERT(peer->reach_m > 0);
    struct question question = {.peer = peer,
                                .found = ret,
                                .near = ret_near,
                                .within = way == PEER_BOX_WITHIN || way == PEER_WIDE_WITHIN};
    double x = point.lon_e7 * peer->metres_per_lon, y = point.lat_e7 * peer->metres_per_lat;
    double reach = peer->reach_m;
    question.point = GEOSGeom_createPointFromXY_r(peer->geos, x, y);
    if (way == PEER_WIDE || way == PEER_WIDE_WITHIN) {
        GEOSSTRtree_query_r(peer->geos, peer->wide_tree, question.point, take_near, &question);
    } else {
        GEOSGeometry *box =
            GEOSGeom_createRectangle_r(peer->geos, x - reach, y - reach, x + reach, y + reach);
        GEOSSTRtree_query_r(peer->geos, peer->flat_tree, box, take_near, &question);
        GEOSGeom_destroy_r(peer->geos, box);
    }
    GEOSGeom_destroy_r(peer->geos, question.point);
    *ret_near_count = question.near_count;
    return question.count;
}

const void *geo_peer_area(const struct geo_peer *peer, uint32_t shape)
{
    return peer->fences[shape].area;
}

uint32_t geo_peer_shape_count(const struct geo_peer *peer)
{
    return peer->count;
}
