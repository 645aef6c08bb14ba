#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *status_words(enum status status)
{
    static const char *const words[] = {
#define X(name, text) text,
        STATUS_LIST(X)
#undef X
    };
    if ((unsigned)status >= sizeof words / sizeof words[0]) {
        return "unknown status";
    }
    return words[status];
}

enum status status_detail_set(struct status_detail *detail, enum status status, const char *fmt,
                              ...)
{
    if (detail != NULL) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(detail->text, sizeof detail->text, fmt, args);
        va_end(args);
    }
    return status;
}

enum status status_detail_wrap(struct status_detail *detail, enum status status, const char *fmt,
                               ...)
{
    if (detail != NULL) {
        struct status_detail inner = *detail;
        va_list args;
        va_start(args, fmt);
        int used = vsnprintf(detail->text, sizeof detail->text, fmt, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof detail->text) {
            size_t room = sizeof detail->text - (size_t)used;
            (void)snprintf(detail->text + used, room, ": %.*s", (int)room, inner.text);
        }
    }
    return status;
}
