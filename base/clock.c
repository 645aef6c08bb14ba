#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

static struct clock_pace paced = {.speed = 1};

static int64_t real_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_real_ms(void)
{
    return real_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_pace_ms(&paced, real_us());
}

void clock_set_pace(const struct clock_pace *pace)
{
    ASSERT(pace->speed >= 1 && pace->speed <= CLOCK_SPEED_MAX);
    paced = *pace;
}

int64_t clock_pace_ms(const struct clock_pace *pace, int64_t moment_us)
{
    return pace->start_ms + (moment_us - pace->origin_ms * 1000) * (int64_t)pace->speed / 1000;
}

int64_t clock_mono_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Civil date <-> days since 1970-01-01, proleptic Gregorian (H. Hinnant, chrono-compatible date
 * algorithms). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

void clock_format_rfc3339(int64_t time_ms, char ret[CLOCK_TEXT_MAX])
{
    const int64_t first = -62135596800000, last = 253402300799999;
    time_ms = time_ms < first ? first : time_ms > last ? last : time_ms;
    int64_t days = time_ms / 86400000, rest = time_ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    int seconds = (int)(rest / 1000);
    (void)snprintf(ret, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100,
                   (unsigned)(seconds / 3600) % 100, (unsigned)(seconds / 60 % 60),
                   (unsigned)(seconds % 60), (unsigned)(rest % 1000));
}

/* Reads exactly `count` digits at *at. */
static int digits(const char **at, const char *end, int count, int *ret)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (*at >= end || !isdigit((unsigned char)**at)) {
            return 0;
        }
        value = value * 10 + (*(*at)++ - '0');
    }
    *ret = value;
    return 1;
}

static int one_of(const char **at, const char *end, const char *set)
{
    if (*at >= end || strchr(set, **at) == NULL) {
        return 0;
    }
    return *(*at)++;
}

/* ".25" -> 250; digits beyond the third are dropped. */
static int fraction_ms(const char **at, const char *end, int *ret_ms)
{
    int ms = 0, weight = 100, seen = 0;
    while (*at < end && isdigit((unsigned char)**at)) {
        ms += (*(*at)++ - '0') * weight;
        weight /= 10;
        seen = 1;
    }
    *ret_ms = ms;
    return seen;
}

static enum status parse_unix(const char *at, const char *end, int64_t *ret_time_ms)
{
    int negative = one_of(&at, end, "-") != 0;
    int64_t seconds = 0;
    int count = 0, ms = 0;
    while (at < end && isdigit((unsigned char)*at)) {
        if (++count > 12) {
            return STATUS_INVALID;
        }
        seconds = seconds * 10 + (*at++ - '0');
    }
    if (count == 0 || (one_of(&at, end, ".") && !fraction_ms(&at, end, &ms)) || at != end) {
        return STATUS_INVALID;
    }
    int64_t time_ms = seconds * 1000 + ms;
    *ret_time_ms = negative ? -time_ms : time_ms;
    return STATUS_OK;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int parse_offset(const char **at, const char *end, int *ret_minutes)
{
    *ret_minutes = 0;
    if (*at == end) {
        return 1;
    }
    int sign = one_of(at, end, "Zz+-");
    if (sign == 'Z' || sign == 'z') {
        return *at == end;
    }
    int hours, minutes = 0;
    if (!sign || !digits(at, end, 2, &hours)) {
        return 0;
    }
    (void)one_of(at, end, ":");
    if ((*at < end && !digits(at, end, 2, &minutes)) || hours > 23 || minutes > 59) {
        return 0;
    }
    *ret_minutes = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    return *at == end;
}

enum status clock_parse(const char *text, size_t length, int64_t *ret_time_ms)
{
    const char *at = text, *end = text + length;
    int year, month, day, hour, minute, second, ms = 0, offset;
    if (length < 5 || text[4] != '-') {
        return parse_unix(at, end, ret_time_ms);
    }
    if (!digits(&at, end, 4, &year) || !one_of(&at, end, "-") || !digits(&at, end, 2, &month) ||
        !one_of(&at, end, "-") || !digits(&at, end, 2, &day) || !one_of(&at, end, "Tt ") ||
        !digits(&at, end, 2, &hour) || !one_of(&at, end, ":") || !digits(&at, end, 2, &minute) ||
        !one_of(&at, end, ":") || !digits(&at, end, 2, &second)) {
        return STATUS_INVALID;
    }
    if ((one_of(&at, end, ".,") && !fraction_ms(&at, end, &ms)) ||
        !parse_offset(&at, end, &offset)) {
        return STATUS_INVALID;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60) {
        return STATUS_INVALID;
    }
    int64_t seconds = days_from_civil(year, month, day) * 86400 + (int64_t)hour * 3600 +
                      (int64_t)minute * 60 + second;
    *ret_time_ms = (seconds - (int64_t)offset * 60) * 1000 + ms;
    return STATUS_OK;
}
