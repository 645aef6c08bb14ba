/*
 * assert.h - assertions that stay on in production, for bugs only, never for data from outside.
 * Threads: any.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints the place and aborts. */
_Noreturn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))

/* A struct that travels through a void pointer begins with `uint32_t magic`. MAGIC_CHECK aborts if
 * the pointer is not what the callback believes it to be. */
#define MAGIC_CHECK(pointer, value) ASSERT(assert_magic_is((pointer), (value)))

/* A function and no `pointer != NULL` in the macro: cppcheck would take that for doubt at each use.
 */
static inline bool assert_magic_is(const void *pointer, uint32_t value)
{
    return pointer != NULL && *(const uint32_t *)pointer == value;
}

#endif
