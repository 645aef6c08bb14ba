#include "bench/archive_city.h"

enum { MINUTE_MS = 60000, TOWN_E7 = 800000, STEP_E7 = 2700, SPREAD_E7 = 3000 };

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Two dice, so that most are near the middle. */
static int32_t spread(uint64_t random)
{
    return (int32_t)(random % SPREAD_E7) + (int32_t)((random >> 16) % SPREAD_E7) - SPREAD_E7;
}

static struct geo_point place(uint32_t card, uint32_t minute, uint64_t random)
{
    uint64_t home = mix(card);
    struct geo_point point = {361900000 + (int32_t)(home % TOWN_E7) + spread(random),
                              1131100000 + (int32_t)((home >> 32) % TOWN_E7) +
                                  spread(random >> 32)};
    if (card % 10 >= 7) {
        point.lat_e7 += (int32_t)(minute % 60) * STEP_E7;
    }
    return point;
}

struct report archive_city_report(uint64_t n, uint32_t cards, struct event *ret_event)
{
    uint32_t card = 1 + (uint32_t)(n % cards), minute = (uint32_t)(n / cards);
    uint64_t random = mix(n);
    int64_t within_ms = (int64_t)card * MINUTE_MS / ((int64_t)cards + 1);
    int64_t arrival_ms = ARCHIVE_CITY_START_MS + (int64_t)minute * MINUTE_MS + within_ms;
    *ret_event = (struct event){
        .time_ms = arrival_ms - 200 - (int64_t)(random % 1500),
        .card_no = card,
        .type = EVENT_FIX,
        .flags = EVENT_HAS_ACCURACY | EVENT_HAS_SPEED | EVENT_HAS_HEADING | EVENT_HAS_BATTERY,
        .kind = random % 10 == 0 ? 2 : 1,
        .datum = 1,
        .point = place(card, minute, mix(random)),
        .accuracy_cm = 300 + (uint32_t)((random >> 8) % 3000),
        .speed_cms = (uint16_t)((random >> 20) % 150),
        .heading_cdeg = (uint16_t)((random >> 32) % 36000),
        .battery_pct = (uint8_t)(100 - card % 50 - minute / 10),
    };
    return (struct report){
        .arrival_ms = arrival_ms,
        .origin = {.kind = ORIGIN_CARD, .no = card, .epoch = 1772000000, .seq = 1000 + minute},
        .event_count = 1,
        .events = ret_event};
}
