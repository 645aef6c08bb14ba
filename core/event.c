#include "core/event.h"

#include "core/limits.h"

bool event_take_time(struct event *event, int64_t time_ms, int64_t arrival_ms)
{
    if (time_ms < TIME_MS_MIN || time_ms > arrival_ms + TIME_AHEAD_MS_MAX) {
        return false;
    }
    if (time_ms > arrival_ms + TIME_AHEAD_MS_TRUSTED) {
        event->flags |= EVENT_CLOCK_AHEAD;
        time_ms = arrival_ms;
    }
    event->time_ms = time_ms;
    return true;
}

/* Mostly sorted already. */
void report_order(const struct report *report, uint16_t *ret_order)
{
    for (uint32_t i = 0; i < report->event_count; i++) {
        uint32_t place = i;
        while (place > 0 &&
               report->events[ret_order[place - 1]].time_ms > report->events[i].time_ms) {
            ret_order[place] = ret_order[place - 1];
            place--;
        }
        ret_order[place] = (uint16_t)i;
    }
}
