#include "bench/geo_peer_cpp.h"

#include <geos/algorithm/locate/IndexedPointInAreaLocator.h>
#include <geos/geom/Coordinate.h>
#include <geos/geom/Envelope.h>
#include <geos/geom/Geometry.h>
#include <geos/geom/Location.h>
#include <geos/index/strtree/TemplateSTRtree.h>

#include <exception>
#include <memory>
#include <vector>

using geos::algorithm::locate::IndexedPointInAreaLocator;
using geos::geom::Coordinate;
using geos::geom::Envelope;
using geos::geom::Geometry;
using geos::geom::Location;

struct geo_peer_cpp {
    std::vector<std::unique_ptr<IndexedPointInAreaLocator>> locators;
    geos::index::strtree::TemplateSTRtree<uintptr_t> tree; /* numbers of shapes */

    geo_peer_cpp(const void *const *areas, uint32_t count) : tree(10, count)
    {
        for (uint32_t i = 0; i < count; i++) {
            const Geometry *area = static_cast<const Geometry *>(areas[i]);
            const Envelope *box = area->getEnvelopeInternal();
            locators.emplace_back(new IndexedPointInAreaLocator(*area));
            Coordinate corner(box->getMinX(), box->getMinY());
            (void)locators.back()->locate(&corner); /* the first lookup builds its index */
            tree.insert(*box, i);
        }
        tree.build();
    }
};

struct geo_peer_cpp *geo_peer_cpp_new(const void *const *areas, uint32_t count)
{
    try {
        return new geo_peer_cpp(areas, count);
    } catch (const std::exception &) {
        return nullptr;
    }
}

void geo_peer_cpp_free(struct geo_peer_cpp *peer)
{
    delete peer;
}

uint32_t geo_peer_cpp_find(struct geo_peer_cpp *peer, double x, double y, uint32_t *ret,
                           uint32_t capacity)
{
    Coordinate point(x, y);
    Envelope box(point);
    uint32_t count = 0;
    peer->tree.query(box, [&](uintptr_t shape) {
        if (count < capacity && peer->locators[shape]->locate(&point) != Location::EXTERIOR) {
            ret[count++] = static_cast<uint32_t>(shape);
        }
    });
    return count;
}
