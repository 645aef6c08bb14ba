#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "level=fatal event=assert.failed at=%s:%d expression=\"%s\"\n", file,
                  line, expression);
    abort();
}
