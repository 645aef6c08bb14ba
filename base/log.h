/*
 * log.h - logfmt lines on stderr: `ts=... level=info event=broker.connected broker=127.0.0.1:1883`.
 * Know: only edges and programs log; values are quoted as needed; no coordinates, card ids or names
 * above LOG_DEBUG. Units are in the key (`took_ms`).
 * Threads: any; a line is one write.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: number is the value */
    int64_t number;
};

#define LOG_STR(key_, text_)   ((struct log_field){(key_), log_text(text_), 0})
#define LOG_INT(key_, number_) ((struct log_field){(key_), (const char *)0, (int64_t)(number_)})

static inline const char *log_text(const char *text)
{
    return text != (const char *)0 ? text : "";
}

/* log_event(LOG_INFO, "broker.connected", LOG_STR("broker", url), LOG_INT("took_ms", 3)); */
#define log_event(level, ...)                                                                      \
    log_write((level), LOG_FIRST(__VA_ARGS__, 0), LOG_FIELDS(__VA_ARGS__, (struct log_field){0}))
#define LOG_FIRST(event, ...)  (event)
#define LOG_FIELDS(event, ...) ((const struct log_field[]){__VA_ARGS__})

void log_write(enum log_level level, const char *event, const struct log_field *fields);
/* Lines below the level are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

#endif
