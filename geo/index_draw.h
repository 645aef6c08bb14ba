/*
 * index_draw.h - an index as a picture (SVG), for looking at an answer that seems wrong.
 * Know: white cells are of no shape, green ones of some, yellow and orange ones have two and four
 * edges to look at, red ones more. Hovering over a cell tells its shapes.
 * Memory: writes into the caller's buffer, whose failure says that the window was too large.
 * Threads: any.
 */
#ifndef GEO_INDEX_DRAW_H
#define GEO_INDEX_DRAW_H

#include "base/buffer.h"
#include "geo/index.h"

struct geo_index_view {
    struct geo_point low, high; /* the window */
    struct geo_point mark;      /* a cross here */
    bool has_mark;
    const char *const *names; /* of the shapes; NULL: their numbers */
};

void geo_index_draw(const struct geo_index *index, const struct geo_index_view *view,
                    struct buffer *out);

#endif
