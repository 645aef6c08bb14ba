#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

enum { LINE_BYTES_MAX = 4096 };

static enum log_level level_min = LOG_INFO;

void log_set_level(enum log_level level)
{
    level_min = level;
}

enum log_level log_level(void)
{
    return level_min;
}

static int needs_quotes(const char *text)
{
    if (*text == '\0') {
        return 1;
    }
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at <= ' ' || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7f) {
            return 1;
        }
    }
    return 0;
}

static void append_field(struct buffer *line, const struct log_field *field)
{
    buffer_printf(line, " %s=", field->key);
    if (field->text == NULL) {
        buffer_printf(line, "%lld", (long long)field->number);
    } else if (needs_quotes(field->text)) {
        buffer_json_string(line, field->text, strlen(field->text));
    } else {
        buffer_text(line, field->text);
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    static const char *const words[] = {"debug", "info", "warn", "error"};
    if (level < level_min) {
        return;
    }
    char now[CLOCK_TEXT_MAX];
    clock_format_rfc3339(clock_real_ms(), now);
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    buffer_printf(&line, "ts=%s level=%s event=%s", now, words[level], event);
    for (; fields->key != NULL; fields++) {
        append_field(&line, fields);
    }
    if (buffer_status(&line) == STATUS_TOO_LARGE) { /* what fits is worth more than nothing */
        line.failed = STATUS_OK;
        line.size = line.size < LINE_BYTES_MAX ? line.size : LINE_BYTES_MAX - 1;
    }
    line.bytes_max++;
    buffer_text(&line, "\n");
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written; /* there is nobody left to tell */
    buffer_release(&line);
}
