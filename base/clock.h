/*
 * clock.h - the two clocks. The core never calls them: time comes to it as data.
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Unix time, milliseconds UTC. */
int64_t clock_wall_ms(void);
/* Monotonic time, microseconds from an arbitrary start. */
int64_t clock_mono_us(void);

/* "2026-03-02T07:41:10.250Z" (RFC 3339, UTC) for time_ms; ret holds at least CLOCK_TEXT_MAX bytes.
 * Times outside the years 0001-9999 are clamped. */
#define CLOCK_TEXT_MAX 32
void clock_format_rfc3339(int64_t time_ms, char ret[CLOCK_TEXT_MAX]);

/* Reads RFC 3339 (any offset, 'T' or ' ' between, fraction of any length; a missing offset means
 * UTC) or Unix seconds with an optional fraction. STATUS_INVALID: neither. */
enum status clock_parse(const char *text, size_t length, int64_t *ret_time_ms) MUST_CHECK;

#endif
