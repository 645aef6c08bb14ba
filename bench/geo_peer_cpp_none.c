/* Stands in for geo_peer_cpp.cc where that cannot be compiled. */
#include <stddef.h>

#include "bench/geo_peer_cpp.h"

struct geo_peer_cpp *geo_peer_cpp_new(const void *const *areas, uint32_t count)
{
    (void)areas;
    (void)count;
    return NULL;
}

void geo_peer_cpp_free(struct geo_peer_cpp *peer)
{
    (void)peer;
}

uint32_t geo_peer_cpp_find(struct geo_peer_cpp *peer, double x, double y, uint32_t *ret,
                           uint32_t capacity)
{
    (void)peer;
    (void)x;
    (void)y;
    (void)ret;
    (void)capacity;
    return 0;
}
