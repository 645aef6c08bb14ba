/*
 * archive_city.h - fixes of a made-up city for bench-archive: a fix a minute for each card, minute by
 * minute, all cards in turn; the n-th is a pure function of n.
 * Know: seven of ten cards stay about one place, as at school; three move 300 m a minute.
 * Memory: the caller's. Threads: any.
 */
#ifndef BENCH_ARCHIVE_CITY_H
#define BENCH_ARCHIVE_CITY_H

#include <stdint.h>

#include "core/event.h"

#define ARCHIVE_CITY_START_MS 1772409600000 /* 2026-03-02T00:00:00Z, eight o'clock in Changzhi */
#define ARCHIVE_CITY_MINUTES  150u
#define ARCHIVE_CITY_SCHOOLS  206u

/* The n-th report; its one event goes to ret_event. Cards are numbered from 1. */
struct report archive_city_report(uint64_t n, uint32_t cards, struct event *ret_event);

#endif
