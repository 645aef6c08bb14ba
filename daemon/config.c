#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/text.h"
#include "core/rates.h"

enum setting_kind { TEXT_KIND, NUMBER_KIND, RATE_KIND, CHOICE_KIND, LIST_KIND };

struct setting {
    const char *key, *initial;
    uint64_t low, high;
    const char *unit, *sentence;
    size_t offset;
    enum setting_kind kind;
    bool reload;
};

static const struct setting settings[] = {
#define X(kind, field, key, def, low, high, unit, reload, sentence)                                \
    {key, def, low, high, unit, sentence, offsetof(struct config, field), kind##_KIND, reload},
    SETTINGS(X)
#undef X
};
enum { SETTING_COUNT = sizeof settings / sizeof settings[0], DEPTH_MAX = 4, KEY_MAX = 128 };

#define TEXT_OF(config, setting)   ((const char **)((char *)(config) + (setting)->offset))
#define NUMBER_OF(config, setting) ((uint64_t *)((char *)(config) + (setting)->offset))
#define LIST_OF(config, setting)   ((struct config_list *)((char *)(config) + (setting)->offset))

/* ---- values ---- */

/* Place of `word` among "a|b|c", -1 when it is none of them. */
static int64_t choice_of(const char *choices, struct text word)
{
    for (int64_t place = 0;; place++) {
        size_t length = strcspn(choices, "|");
        if (text_equal((struct text){choices, length}, word)) {
            return place;
        }
        if (choices[length] == '\0') {
            return -1;
        }
        choices += length + 1;
    }
}

static enum status set_number(struct config *config, const struct setting *setting,
                              struct text value, struct status_detail *detail)
{
    int64_t number;
    if (text_to_i64(value, &number) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "%s: a whole number is needed, not \"%.*s\"", setting->key,
                                 TEXT_FMT(value));
    }
    if (number < 0 || (uint64_t)number < setting->low || (uint64_t)number > setting->high) {
        return status_detail_set(detail, STATUS_INVALID, "%s: %lld is not within %llu..%llu %s",
                                 setting->key, (long long)number, (unsigned long long)setting->low,
                                 (unsigned long long)setting->high, setting->unit);
    }
    *NUMBER_OF(config, setting) = (uint64_t)number;
    return STATUS_OK;
}

/* Millionths as a share: 200 is 0.0002. Below one. */
static void print_rate(uint64_t rate_e6, struct buffer *out)
{
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%06u", (unsigned)rate_e6);
    size_t length = 6;
    while (length > 1 && digits[length - 1] == '0') {
        length--;
    }
    buffer_printf(out, "0.%.*s", (int)length, digits);
}

static enum status refuse_rate(const struct setting *setting, struct text value,
                               struct status_detail *detail)
{
    char text[64];
    struct buffer range;
    buffer_init(&range, sizeof text);
    print_rate(setting->low, &range);
    buffer_text(&range, "..");
    print_rate(setting->high, &range);
    (void)snprintf(text, sizeof text, "%s", buffer_cstr(&range));
    buffer_release(&range);
    return status_detail_set(detail, STATUS_INVALID,
                             "%s: \"%.*s\" is no share within %s in steps of 0.000001",
                             setting->key, TEXT_FMT(value), text);
}

static enum status set_rate(struct config *config, const struct setting *setting, struct text value,
                            struct status_detail *detail)
{
    uint32_t rate_e6;
    if (rate_from_text(value, &rate_e6) != STATUS_OK || rate_e6 < setting->low ||
        rate_e6 > setting->high) {
        return refuse_rate(setting, value, detail);
    }
    *NUMBER_OF(config, setting) = rate_e6;
    return STATUS_OK;
}

static enum status set_choice(struct config *config, const struct setting *setting,
                              struct text value, struct status_detail *detail)
{
    int64_t place = choice_of(setting->unit, value);
    if (place < 0) {
        return status_detail_set(detail, STATUS_INVALID, "%s: \"%.*s\" is none of %s", setting->key,
                                 TEXT_FMT(value), setting->unit);
    }
    *NUMBER_OF(config, setting) = (uint64_t)place;
    return STATUS_OK;
}

static enum status set_text(struct config *config, const struct setting *setting, struct text value,
                            const char **ret, struct status_detail *detail)
{
    if (setting->kind == TEXT_KIND &&
        (value.length < setting->low || value.length > setting->high)) {
        return status_detail_set(detail, STATUS_INVALID, "%s: %llu to %llu characters are needed",
                                 setting->key, (unsigned long long)setting->low,
                                 (unsigned long long)setting->high);
    }
    *ret = arena_copy_text(&config->arena, value.at, value.length);
    return *ret != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status set_item(struct config *config, const struct setting *setting, struct text value,
                            struct status_detail *detail)
{
    struct config_list *list = LIST_OF(config, setting);
    if (list->count >= setting->high || list->count >= CONFIG_LIST_MAX) {
        return status_detail_set(detail, STATUS_INVALID, "%s: more than %llu entries", setting->key,
                                 (unsigned long long)setting->high);
    }
    enum status status = set_text(config, setting, value, &list->items[list->count], detail);
    list->count += status == STATUS_OK;
    return status;
}

static enum status set_value(struct config *config, const struct setting *setting,
                             struct text value, struct status_detail *detail)
{
    switch (setting->kind) {
    case TEXT_KIND:
        return set_text(config, setting, value, TEXT_OF(config, setting), detail);
    case NUMBER_KIND:
        return set_number(config, setting, value, detail);
    case RATE_KIND:
        return set_rate(config, setting, value, detail);
    case CHOICE_KIND:
        return set_choice(config, setting, value, detail);
    case LIST_KIND:
        return value.length == 0 ? STATUS_OK : set_item(config, setting, value, detail);
    }
    ASSERT(false); /* the table has no other kind */
    return STATUS_INVALID;
}

static enum status set_defaults(struct config *config, struct status_detail *detail)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        enum status status = set_value(config, &settings[i], text_of(settings[i].initial), detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- YAML ---- */

struct reader {
    yaml_parser_t parser;
    const char *path;
    struct config *config;
    char key[KEY_MAX];
    bool seen[SETTING_COUNT];
    struct status_detail *detail;
};

static enum status fail_at(struct reader *reader, yaml_mark_t mark, const char *words)
{
    return status_detail_set(reader->detail, STATUS_INVALID, "%s:%zu:%zu: %s", reader->path,
                             mark.line + 1, mark.column + 1, words);
}

static enum status next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return STATUS_OK;
    }
    return fail_at(reader, reader->parser.problem_mark,
                   reader->parser.problem != NULL ? reader->parser.problem : "not YAML");
}

static const struct setting *find_setting(const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

static struct text scalar_text(const yaml_event_t *event)
{
    return (struct text){(const char *)event->data.scalar.value, event->data.scalar.length};
}

static enum status take_scalar(struct reader *reader, const struct setting *setting,
                               const yaml_event_t *event)
{
    struct status_detail inner = {""};
    struct text value = scalar_text(event);
    if (memchr(value.at, '\0', value.length) != NULL) {
        return fail_at(reader, event->start_mark, "a NUL byte in a value");
    }
    enum status status = set_value(reader->config, setting, value, &inner);
    return status == STATUS_OK ? status : fail_at(reader, event->start_mark, inner.text);
}

static enum status take_sequence(struct reader *reader, const struct setting *setting)
{
    for (;;) {
        yaml_event_t event;
        enum status status = next_event(reader, &event);
        if (status != STATUS_OK) {
            return status;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_SCALAR_EVENT) {
            status = take_scalar(reader, setting, &event);
        } else if (type != YAML_SEQUENCE_END_EVENT) {
            status = fail_at(reader, event.start_mark, "a list of plain texts is needed");
        }
        yaml_event_delete(&event);
        if (status != STATUS_OK || type == YAML_SEQUENCE_END_EVENT) {
            return status;
        }
    }
}

static enum status take_setting(struct reader *reader, const yaml_event_t *event)
{
    char words[KEY_MAX + 80];
    const struct setting *setting = find_setting(reader->key);
    if (setting == NULL) {
        (void)snprintf(words, sizeof words, "no setting %s (campusd --print-config lists them)",
                       reader->key);
        return fail_at(reader, event->start_mark, words);
    }
    if (reader->seen[setting - settings]) {
        (void)snprintf(words, sizeof words, "%s stands twice", reader->key);
        return fail_at(reader, event->start_mark, words);
    }
    reader->seen[setting - settings] = true;
    if (setting->kind == LIST_KIND) {
        *LIST_OF(reader->config, setting) = (struct config_list){0};
    }
    if (event->type == YAML_SEQUENCE_START_EVENT && setting->kind == LIST_KIND) {
        return take_sequence(reader, setting);
    }
    if (event->type != YAML_SCALAR_EVENT) {
        (void)snprintf(words, sizeof words, "%s: a plain value is needed", reader->key);
        return fail_at(reader, event->start_mark, words);
    }
    return take_scalar(reader, setting, event);
}

static enum status push_key(struct reader *reader, const yaml_event_t *event, size_t *ret_length)
{
    struct text word = scalar_text(event);
    size_t length = strlen(reader->key);
    if (length + word.length + 2 > KEY_MAX) {
        return fail_at(reader, event->start_mark, "the key is too long");
    }
    (void)snprintf(reader->key + length, KEY_MAX - length, "%s%.*s", length > 0 ? "." : "",
                   TEXT_FMT(word));
    *ret_length = length;
    return STATUS_OK;
}

static enum status take_map(struct reader *reader, unsigned depth);

static enum status take_pair(struct reader *reader, const yaml_event_t *key, unsigned depth)
{
    size_t length = 0;
    if (key->type != YAML_SCALAR_EVENT) {
        return fail_at(reader, key->start_mark, "a key is needed");
    }
    enum status status = push_key(reader, key, &length);
    if (status != STATUS_OK) {
        return status;
    }
    yaml_event_t value;
    status = next_event(reader, &value);
    if (status != STATUS_OK) {
        return status;
    }
    if (value.type == YAML_MAPPING_START_EVENT) {
        status = depth < DEPTH_MAX ? take_map(reader, depth + 1)
                                   : fail_at(reader, value.start_mark, "nested too deep");
    } else {
        status = take_setting(reader, &value);
    }
    yaml_event_delete(&value);
    reader->key[length] = '\0';
    return status;
}

static enum status take_map(struct reader *reader, unsigned depth)
{
    for (;;) {
        yaml_event_t key;
        enum status status = next_event(reader, &key);
        if (status != STATUS_OK) {
            return status;
        }
        bool end = key.type == YAML_MAPPING_END_EVENT;
        if (!end) {
            status = take_pair(reader, &key, depth);
        }
        yaml_event_delete(&key);
        if (end || status != STATUS_OK) {
            return status;
        }
    }
}

static enum status take_stream(struct reader *reader)
{
    for (;;) {
        yaml_event_t event;
        enum status status = next_event(reader, &event);
        if (status != STATUS_OK) {
            return status;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_MAPPING_START_EVENT) {
            status = take_map(reader, 0);
        } else if (type == YAML_SEQUENCE_START_EVENT ||
                   (type == YAML_SCALAR_EVENT && event.data.scalar.length > 0)) {
            status = fail_at(reader, event.start_mark, "a map of settings is needed");
        }
        yaml_event_delete(&event);
        if (status != STATUS_OK || type == YAML_STREAM_END_EVENT) {
            return status;
        }
    }
}

static enum status read_file(const char *path, struct config *config, struct status_detail *detail)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return status_detail_set(detail, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                                 path, strerror(errno));
    }
    enum status status = STATUS_NO_MEMORY;
    struct reader reader = {.path = path, .config = config, .detail = detail};
    if (yaml_parser_initialize(&reader.parser)) {
        yaml_parser_set_input_file(&reader.parser, file);
        status = take_stream(&reader);
        yaml_parser_delete(&reader.parser);
    }
    (void)fclose(file);
    return status;
}

static enum status read_time(const char *key, const char *text, int64_t *ret,
                             struct status_detail *detail)
{
    return clock_parse(text, strlen(text), ret) == STATUS_OK
               ? STATUS_OK
               : status_detail_set(detail, STATUS_INVALID,
                                   "%s: \"%s\" is no time: RFC 3339 or Unix seconds", key, text);
}

static enum status read_pace(struct config *config, struct status_detail *detail)
{
    struct clock_pace pace = {.speed = (uint32_t)config->clock_speed};
    bool now = strcmp(config->clock_start, "now") == 0;
    enum status status = STATUS_OK;
    config->paced = !now || pace.speed != 1;
    if (config->paced && config->clock_origin[0] == '\0') {
        return status_detail_set(
            detail, STATUS_INVALID,
            "clock.origin is needed beside clock.start and clock.speed: the "
            "real time at which it is clock.start, or a restart would go back");
    }
    if (config->clock_origin[0] != '\0') {
        status = read_time("clock.origin", config->clock_origin, &pace.origin_ms, detail);
    }
    pace.start_ms = pace.origin_ms;
    if (status == STATUS_OK && !now) {
        status = read_time("clock.start", config->clock_start, &pace.start_ms, detail);
    }
    config->pace = pace;
    return status;
}

enum status config_read(const char *path, struct config *ret, struct status_detail *detail)
{
    struct config config = {0};
    arena_init_growing(&config.arena, 4096, 1 << 20);
    enum status status = set_defaults(&config, detail);
    if (status == STATUS_OK && path != NULL) {
        status = read_file(path, &config, detail);
    }
    if (status == STATUS_OK && config.broker_backoff_min_ms > config.broker_backoff_max_ms) {
        status = status_detail_set(detail, STATUS_INVALID,
                                   "broker.backoff_min_ms is above broker.backoff_max_ms");
    }
    if (status == STATUS_OK && config.brokers.count == 0) {
        status = status_detail_set(detail, STATUS_INVALID, "brokers: at least one is needed");
    }
    if (status == STATUS_OK) {
        status = read_pace(&config, detail);
    }
    if (status != STATUS_OK) {
        arena_release(&config.arena);
        return status;
    }
    *ret = config;
    return STATUS_OK;
}

void config_release(struct config *config)
{
    arena_release(&config->arena);
}

/* ---- out again ---- */

static void print_list(const struct config_list *list, struct buffer *out)
{
    buffer_text(out, "[");
    for (uint32_t i = 0; i < list->count; i++) {
        buffer_text(out, i > 0 ? ", " : "");
        buffer_json_string(out, list->items[i], strlen(list->items[i]));
    }
    buffer_text(out, "]");
}

static void print_value(const struct config *config, const struct setting *setting,
                        struct buffer *out)
{
    const char *text;
    switch (setting->kind) {
    case TEXT_KIND:
        text = *(const char *const *)((const char *)config + setting->offset);
        buffer_json_string(out, text, strlen(text));
        break;
    case NUMBER_KIND:
        buffer_printf(
            out, "%llu",
            (unsigned long long)*(const uint64_t *)((const char *)config + setting->offset));
        break;
    case RATE_KIND:
        print_rate(*(const uint64_t *)((const char *)config + setting->offset), out);
        break;
    case CHOICE_KIND:
        text = setting->unit;
        for (uint64_t i = *(const uint64_t *)((const char *)config + setting->offset); i > 0; i--) {
            text += strcspn(text, "|") + 1;
        }
        buffer_append(out, text, strcspn(text, "|"));
        break;
    case LIST_KIND:
        print_list((const struct config_list *)((const char *)config + setting->offset), out);
        break;
    }
}

static void print_about(const struct setting *setting, const char *indent, struct buffer *out)
{
    buffer_printf(out, "%s# %s\n%s# ", indent, setting->sentence, indent);
    switch (setting->kind) {
    case NUMBER_KIND:
        buffer_printf(out, "%llu..%llu %s", (unsigned long long)setting->low,
                      (unsigned long long)setting->high, setting->unit);
        break;
    case RATE_KIND:
        print_rate(setting->low, out);
        buffer_text(out, "..");
        print_rate(setting->high, out);
        buffer_printf(out, " %s", setting->unit);
        break;
    case CHOICE_KIND:
        buffer_text(out, setting->unit);
        break;
    case LIST_KIND:
        buffer_printf(out, "list of %s, at most %llu", setting->unit,
                      (unsigned long long)setting->high);
        break;
    case TEXT_KIND:
        buffer_text(out, setting->unit);
        break;
    }
    buffer_printf(out, "; default %s; %s\n",
                  setting->initial[0] != '\0' ? setting->initial : "empty",
                  setting->reload ? "SIGHUP takes it over" : "needs a restart");
}

void config_print(const struct config *config, struct buffer *out)
{
    const char *group = "";
    size_t group_length = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        const char *dot = strchr(setting->key, '.');
        size_t length = dot != NULL ? (size_t)(dot - setting->key) : 0;
        if (dot != NULL && (length != group_length || strncmp(group, setting->key, length) != 0)) {
            buffer_printf(out, "%.*s:\n", (int)length, setting->key);
        }
        group = setting->key;
        group_length = length;
        const char *indent = dot != NULL ? "  " : "";
        print_about(setting, indent, out);
        buffer_printf(out, "%s%s: ", indent, dot != NULL ? dot + 1 : setting->key);
        print_value(config, setting, out);
        buffer_text(out, "\n");
    }
}

/* ---- reload ---- */

static bool differs(const struct config *a, const struct config *b, const struct setting *setting)
{
    struct buffer one, other;
    buffer_init(&one, 1 << 20);
    buffer_init(&other, 1 << 20);
    print_value(a, setting, &one);
    print_value(b, setting, &other);
    bool result = one.size != other.size || memcmp(one.data, other.data, one.size) != 0;
    buffer_release(&one);
    buffer_release(&other);
    return result;
}

uint32_t config_reload(struct config *config, const struct config *fresh,
                       void (*tell)(const char *key))
{
    uint32_t waiting = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        if (!differs(config, fresh, setting)) {
            continue;
        }
        if (setting->reload) {
            ASSERT(setting->kind == NUMBER_KIND || setting->kind == CHOICE_KIND);
            *NUMBER_OF(config, setting) =
                *(const uint64_t *)((const char *)fresh + setting->offset);
        } else {
            waiting++;
            tell(setting->key);
        }
    }
    return waiting;
}
