/*
 * touch.h - reads a byte, for its line of the cache to come.
 * Know: many at once, before any of them is used, come in the time of one. A prefetch would be dropped
 * by some processors where the page is not known either.
 * Threads: any.
 */
#ifndef BASE_TOUCH_H
#define BASE_TOUCH_H

static inline void touch(const void *byte)
{
    (void)*(const volatile char *)byte;
}

#endif
