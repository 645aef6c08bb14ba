/*
 * geo_peer_cpp.h - lookups by GEOS's C++ classes: TemplateSTRtree and an IndexedPointInAreaLocator
 * a fence, which allocate nothing in a lookup.
 * Know: where there is no C++ compiler or no header of GEOS, geo_peer_cpp_new returns NULL.
 * Memory: the peer's own; it uses the geometries of the geo_peer that it was made from.
 * Threads: one per peer.
 */
#ifndef BENCH_GEO_PEER_CPP_H
#define BENCH_GEO_PEER_CPP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct geo_peer_cpp;

/* areas: geo_peer_area of each shape. */
struct geo_peer_cpp *geo_peer_cpp_new(const void *const *areas, uint32_t count);
void geo_peer_cpp_free(struct geo_peer_cpp *peer);
/* The shapes that cover the point, in no order; at most `capacity` are told. */
uint32_t geo_peer_cpp_find(struct geo_peer_cpp *peer, double x, double y, uint32_t *ret,
                           uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif
