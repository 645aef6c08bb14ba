#include "cli/campus_sim.h"
#include "geo/datum.h"

_Static_assert((int)SIM_FIX == (int)EVENT_FIX && (int)SIM_PASS == (int)EVENT_PASS &&
                   (int)SIM_SIGNAL == (int)EVENT_SIGNAL,
               "kinds are those of core/event.h");
_Static_assert((int)SIM_GNSS == (int)FIX_GNSS && (int)SIM_CELL == (int)FIX_CELL &&
                   (int)SIM_IN == (int)PASS_IN && (int)SIM_OUT == (int)PASS_OUT &&
                   (int)SIM_SIGNAL_SOS == (int)SIGNAL_SOS &&
                   (int)SIM_SIGNAL_POWERED_OFF == (int)SIGNAL_POWERED_OFF,
               "values are those of core/event.h");

struct event sim_event_of(const struct sim_report *report)
{
    struct event event = {
        .time_ms = report->time_ms,
        .type = report->kind,
        .datum = GEO_WGS84,
        .point = report->point,
        .accuracy_cm = report->accuracy_cm,
        .battery_pct = report->battery_pct,
    };
    event.kind = report->kind == SIM_FIX    ? report->source
                 : report->kind == SIM_PASS ? report->direction
                                            : report->signal;
    if (report->kind != SIM_PASS) {
        event.flags = EVENT_HAS_BATTERY;
        event.flags |= report->has_position ? EVENT_HAS_ACCURACY : EVENT_NO_POSITION;
    }
    return event;
}
