/*
 * fences_draw.h - `campusctl fences draw`: the index over the fences of a file, as a picture.
 */
#ifndef CLI_FENCES_DRAW_H
#define CLI_FENCES_DRAW_H

/* at: "LAT,LON" in WGS-84; around_m: half the picture's side, NULL = 300; datum: of features that
 * name none. The SVG goes to standard output. Returns an exit code. */
int fences_draw(const char *path, const char *at, const char *around_m, const char *datum);

#endif
