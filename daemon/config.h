/*
 * config.h - the settings of campusd, read from a YAML file, checked against daemon/settings.h.
 * Know: keys are nested maps (`journal:` / `  directory: ...`); an unknown key, a value out of
 * range or a key that stands twice is an error with file, line and column. What is absent has its
 * default.
 * Memory: texts belong to the config.
 * Threads: any, one per config.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/status.h"
#include "daemon/settings.h"

#define CONFIG_LIST_MAX 64u

struct config_list {
    uint32_t count;
    const char *items[CONFIG_LIST_MAX];
};

#define CONFIG_TYPE_TEXT   const char *
#define CONFIG_TYPE_NUMBER uint64_t
#define CONFIG_TYPE_RATE   uint64_t /* millionths */
#define CONFIG_TYPE_CHOICE uint64_t
#define CONFIG_TYPE_LIST   struct config_list

struct config {
#define X(kind, field, key, def, low, high, unit, reload, sentence) CONFIG_TYPE_##kind field;
    SETTINGS(X)
#undef X
    struct clock_pace pace; /* of clock.*; other than the real clock for benchmarks only */
    bool paced;
    struct arena arena;
};

/* path NULL: all defaults. STATUS_NOT_FOUND, STATUS_IO, STATUS_INVALID with "campus.yaml:12:3:
 * ...". */
enum status config_read(const char *path, struct config *ret,
                        struct status_detail *detail) MUST_CHECK;
void config_release(struct config *config);

/* The settings as a YAML file with each sentence, unit, range and whether SIGHUP takes it over. */
void config_print(const struct config *config, struct buffer *out);

/* Copies the settings that may be reloaded from `fresh`; returns how many others differ: they need
 * a restart, and `tell` hears each key. */
uint32_t config_reload(struct config *config, const struct config *fresh,
                       void (*tell)(const char *key));

#endif
