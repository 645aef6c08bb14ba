/*
 * clock.h - the two clocks. The core never calls them: time comes to it as data.
 * Know: a benchmark may give a program another wall clock (clock_set_pace), in which a day passes in
 * minutes.
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Unix time, milliseconds UTC; the pace's, where one was set. */
int64_t clock_wall_ms(void);
/* Unix time, whatever pace was set. */
int64_t clock_real_ms(void);
/* Monotonic time, microseconds from an arbitrary start. */
int64_t clock_mono_us(void);

/* A wall clock that says start_ms when the real one says origin_ms, and runs `speed` times as fast. All
 * programs that have the same pace have the same time, and one that is started again goes on in it. */
#define CLOCK_SPEED_MAX 1000u
struct clock_pace {
    int64_t origin_ms, start_ms;
    uint32_t speed; /* 1..CLOCK_SPEED_MAX */
};
/* Once, before there is a second thread. */
void clock_set_pace(const struct clock_pace *pace);
/* What such a clock says at a moment of the real one, Unix microseconds. */
int64_t clock_pace_ms(const struct clock_pace *pace, int64_t moment_us);

/* "2026-03-02T07:41:10.250Z" (RFC 3339, UTC) for time_ms; ret holds at least CLOCK_TEXT_MAX bytes.
 * Times outside the years 0001-9999 are clamped. */
#define CLOCK_TEXT_MAX 32
void clock_format_rfc3339(int64_t time_ms, char ret[CLOCK_TEXT_MAX]);

/* Reads RFC 3339 (any offset, 'T' or ' ' between, fraction of any length; a missing offset means
 * UTC) or Unix seconds with an optional fraction. STATUS_INVALID: neither. */
enum status clock_parse(const char *text, size_t length, int64_t *ret_time_ms) MUST_CHECK;

#endif
