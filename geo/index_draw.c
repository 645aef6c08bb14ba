#include "geo/index_draw.h"

#include <math.h>

#include "geo/index_walk_internal.h"

#define WIDTH_PX 1200.0

struct drawing {
    const struct geo_index *index;
    const struct geo_index_view *view;
    struct buffer *out;
    double x_px, y_px; /* of a step */
};

static double x_of(const struct drawing *d, int64_t lon)
{
    return (double)(lon - d->view->low.lon_e7) * d->x_px;
}

static double y_of(const struct drawing *d, int64_t lat)
{
    return (double)(d->view->high.lat_e7 - lat) * d->y_px;
}

static bool is_in_view(const struct drawing *d, int64_t lon, int64_t lat, uint32_t bits)
{
    int64_t size = (int64_t)1 << bits;
    return lon <= d->view->high.lon_e7 && lon + size > d->view->low.lon_e7 &&
           lat <= d->view->high.lat_e7 && lat + size > d->view->low.lat_e7;
}

/* Text of a title or label. */
static void put_name(const struct drawing *d, uint32_t shape)
{
    if (d->view->names == NULL) {
        buffer_printf(d->out, "%u", shape);
        return;
    }
    for (const char *c = d->view->names[shape]; *c != '\0'; c++) {
        switch (*c) {
        case '<':
            buffer_text(d->out, "&lt;");
            break;
        case '&':
            buffer_text(d->out, "&amp;");
            break;
        default:
            buffer_append(d->out, c, (unsigned char)*c >= ' ' ? 1 : 0);
            break;
        }
    }
}

static void put_set(const struct drawing *d, uint32_t set)
{
    const struct geo_index *index = d->index;
    for (uint32_t i = index->set_starts[set]; i < index->set_starts[set + 1]; i++) {
        buffer_text(d->out, i > index->set_starts[set] ? ", " : "");
        put_name(d, index->set_items[i]);
    }
    buffer_text(d->out, index->set_starts[set] == index->set_starts[set + 1] ? "none" : "");
}

static const char *class_of(const struct index_cell *cell, uint32_t *ret_set)
{
    const uint32_t *slot = cell->slot;
    *ret_set = cell->set;
    if (slot == NULL) {
        return cell->set == 0 ? "n" : "s";
    }
    if (cell->kind == SLOT_WIDE && slot[0] == WIDE_SET) {
        *ret_set = slot[1];
        return "s";
    }
    return cell->kind == SLOT_FOUR || cell->kind == SLOT_FAR4 ? "f"
           : cell->kind == SLOT_WIDE                          ? "g"
                                                              : "e";
}

static bool draw_cell(void *context, const struct index_cell *cell)
{
    const struct drawing *d = context;
    uint32_t set;
    if (!is_in_view(d, cell->lon, cell->lat, cell->bits)) {
        return true;
    }
    const char *class = class_of(cell, &set);
    int64_t size = (int64_t)1 << cell->bits;
    buffer_printf(d->out,
                  "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">", class,
                  x_of(d, cell->lon), y_of(d, cell->lat + size), (double)size * d->x_px,
                  (double)size * d->y_px);
    if (class[0] == 's') {
        buffer_text(d->out, "<title>");
        put_set(d, set);
        buffer_text(d->out, "</title>");
    }
    buffer_text(d->out, "</rect>\n");
    return buffer_status(d->out) == STATUS_OK;
}

static void draw_runs(const struct drawing *d, uint32_t cell)
{
    const struct geo_index *index = d->index;
    uint32_t touches =
        index->words[index_lines_at(index, cell % index->width, cell / index->width) >> 3];
    const uint32_t *list = index->words + touches;
    for (uint32_t i = 0; touches != 0 && i < list[0]; i++) {
        const uint32_t *run = list + 1 + 2 * (size_t)i;
        const struct geo_point *points = index->points + (run[0] & POINT_MASK);
        bool is_round = (run[1] & RUN_ROUND) != 0;
        buffer_printf(d->out, "<polyline class=\"%s\"", is_round ? "r" : "l");
        if (is_round) {
            double radius_m = index->shapes[run[1] & SHAPE_MASK].radius_m;
            buffer_printf(d->out, " style=\"stroke-width:%.2f\"",
                          2 * radius_m / geo_scale_at(points[0].lat_e7).lat_m * d->y_px);
        }
        buffer_text(d->out, " points=\"");
        for (uint32_t k = 0; k <= (run[0] >> POINT_BITS) + 1; k++) {
            buffer_printf(d->out, "%.2f,%.2f ", x_of(d, points[k].lon_e7),
                          y_of(d, points[k].lat_e7));
        }
        buffer_text(d->out, "\"><title>");
        put_name(d, run[1] & SHAPE_MASK);
        buffer_text(d->out, "</title></polyline>\n");
    }
}

static const char style[] =
    "<style>rect{stroke:#888;stroke-width:.2}.n{fill:#fff}.s{fill:#8c8;fill-opacity:.6}.e{fill:#ff8}"
    ".f{fill:#fb4}.g{fill:#f66}.l{fill:none;stroke:#00c;stroke-width:1.5}"
    ".r{fill:none;stroke:#00c;stroke-opacity:.3;stroke-linecap:round;stroke-linejoin:round}"
    ".m{stroke:#d00;stroke-width:2}.c{fill:none;stroke:#000;stroke-width:1}</style>\n";

static void draw_mark(const struct drawing *d)
{
    double x = x_of(d, d->view->mark.lon_e7), y = y_of(d, d->view->mark.lat_e7);
    buffer_printf(d->out,
                  "<path class=\"m\" d=\"M%.2f %.2fh16M%.2f %.2fv16\"><title>%.7f, %.7f</title>"
                  "</path>\n",
                  x - 8, y, x, y - 8, (double)d->view->mark.lon_e7 * 1e-7,
                  (double)d->view->mark.lat_e7 * 1e-7);
}

void geo_index_draw(const struct geo_index *index, const struct geo_index_view *view,
                    struct buffer *out)
{
    struct geo_scale scale = geo_scale_at((view->low.lat_e7 / 2) + (view->high.lat_e7 / 2));
    double steps = (double)view->high.lon_e7 - view->low.lon_e7 + 1;
    struct drawing d = {index, view, out, WIDTH_PX / steps, 0};
    d.y_px = d.x_px * scale.lat_m / fmax(scale.lon_m, 1e-9);
    double height_px = ((double)view->high.lat_e7 - view->low.lat_e7 + 1) * d.y_px;
    buffer_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\">\n",
                  WIDTH_PX, height_px);
    buffer_text(out, style);
    for (int pass = 0; pass < 2; pass++) { /* edges over cells */
        for (uint32_t cell = 0; cell < index->cell_count; cell++) {
            int64_t size = (int64_t)1 << index->cell_bits;
            int64_t lon = index->lon + (int64_t)(cell % index->width) * size;
            int64_t lat = index->lat + (int64_t)(cell / index->width) * size;
            if (!is_in_view(&d, lon, lat, index->cell_bits)) {
                continue;
            }
            if (pass == 1) {
                draw_runs(&d, cell);
            } else {
                (void)index_walk(index, cell, draw_cell, &d);
                buffer_printf(out,
                              "<rect class=\"c\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                              "height=\"%.2f\"/>\n",
                              x_of(&d, lon), y_of(&d, lat + size), (double)size * d.x_px,
                              (double)size * d.y_px);
            }
        }
    }
    if (view->has_mark) {
        draw_mark(&d);
    }
    buffer_text(out, "</svg>\n");
}
