#include "tests/proto/allocations.h"

#include <stddef.h>

static unsigned long asked, hooked;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *place, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *place, size_t size);

void *__wrap_malloc(size_t size)
{
    asked++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    asked++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *place, size_t size)
{
    asked++;
    return __real_realloc(place, size);
}

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static void on_malloc(const volatile void *place, size_t size)
{
    (void)place;
    (void)size;
    hooked++;
}

static void on_free(const volatile void *place)
{
    (void)place;
}

unsigned long allocations(void)
{
    static int installed;
    if (!installed && __sanitizer_install_malloc_and_free_hooks != NULL) {
        installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    }
    return asked + hooked;
}
