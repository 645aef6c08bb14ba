/*
 * status.h - the one vocabulary of outcomes.
 * Know: a function that can fail for reasons outside the program returns enum status; a bug
 * asserts.
 * Memory: a status_detail belongs to the caller and has a fixed size.
 * Threads: any.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define STATUS_LIST(X)                                                                             \
    X(STATUS_OK, "ok")                                                                             \
    X(STATUS_INVALID, "invalid input")                                                             \
    X(STATUS_NOT_FOUND, "not found")                                                               \
    X(STATUS_EXISTS, "exists already")                                                             \
    X(STATUS_FULL, "full")                                                                         \
    X(STATUS_TOO_LARGE, "beyond a limit")                                                          \
    X(STATUS_CORRUPT, "corrupt")                                                                   \
    X(STATUS_IO, "input/output error")                                                             \
    X(STATUS_NO_MEMORY, "out of memory")                                                           \
    X(STATUS_DENIED, "denied")                                                                     \
    X(STATUS_TIMEOUT, "timed out")                                                                 \
    X(STATUS_UNAVAILABLE, "unavailable")                                                           \
    X(STATUS_CONFLICT, "conflict")                                                                 \
    X(STATUS_UNSUPPORTED, "unsupported")                                                           \
    X(STATUS_END, "end")

enum status {
#define X(name, words) name,
    STATUS_LIST(X)
#undef X
};

/* Marks a function whose status may not be ignored. */
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The status in words, for people. Never NULL. */
const char *status_words(enum status status);

/* What an operator needs to know beyond the status: which file, line, feature, row, and the way
 * out. */
struct status_detail {
    char text[512];
};

/* Sets the text; too long a text is cut. detail may be NULL. Returns status, so that a caller can
 * `return status_detail_set(detail, STATUS_INVALID, "line %u: ...", line);` */
enum status status_detail_set(struct status_detail *detail, enum status status, const char *fmt,
                              ...) PRINTF(3, 4);

/* Puts the formatted words and ": " before the present text. detail may be NULL. Returns status. */
enum status status_detail_wrap(struct status_detail *detail, enum status status, const char *fmt,
                               ...) PRINTF(3, 4);

#endif
