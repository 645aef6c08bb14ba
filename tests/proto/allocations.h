/*
 * allocations.h - how often memory was asked for, in this program and the libraries that it loads.
 * Link with -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc; where AddressSanitizer is
 * there, its hook counts the libraries too.
 */
#ifndef TESTS_PROTO_ALLOCATIONS_H
#define TESTS_PROTO_ALLOCATIONS_H

unsigned long allocations(void);

#endif
