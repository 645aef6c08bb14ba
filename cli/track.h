/*
 * track.h - the points of a GPX 1.0/1.1 or CSV file, in the file's order.
 * Know: GPX: track points of all tracks and segments (waypoints and routes are no tracks). CSV: a
 * header names time|fix_ts|tracked_at|timestamp, lat|latitude, lon|lng|longitude and, where there
 * are such, accuracy_m|accuracy, source|provider, dev|user_id|device. Coordinates are taken as they
 * stand.
 * Memory: points are in the caller's arena.
 * Threads: any, one per arena.
 */
#ifndef CLI_TRACK_H
#define CLI_TRACK_H

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "geo/point.h"

struct track_point {
    int64_t time_ms;
    struct geo_point point;
    uint32_t accuracy_cm; /* 0: not told */
    uint8_t source; /* enum fix_source: FIX_GNSS, or what a CSV says: gnss, wifi, cell, `network`
                       (FIX_WIFI) */
    uint32_t line;
};

struct track {
    struct track_point *points;
    uint32_t count;
};

struct track_options {
    const char *device; /* CSV: only rows of this device; NULL: all */
    int64_t now_ms;     /* a GPX without any time ends here, 1 s a step */
};

/* Reads a file by cli_read_file. A GPX point without a time among others with one gets a time
 * between its neighbours'. STATUS_INVALID names file and line ("a.csv:17: lat: not a number:
 * \"x\""); a device that does not occur is STATUS_NOT_FOUND. A GPX without track points gives count
 * 0. */
enum status track_read(const char *path, const struct track_options *options, struct arena *arena,
                       struct track *ret, struct status_detail *detail) MUST_CHECK;
/* The same from memory; `name` is for errors. */
enum status track_parse(const char *name, struct text text, const struct track_options *options,
                        struct arena *arena, struct track *ret,
                        struct status_detail *detail) MUST_CHECK;

#endif
