/*
 * limits.h - every bound of the core and its reason, on one page.
 */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

/* A report is one MQTT message of one card: 256 events of 48 bytes stay under 16 KiB in the
 * journal. */
#define REPORT_EVENTS_MAX 256u
/* A gateway's message carries at most this many reports. */
#define GATEWAY_REPORTS_MAX 256u
/* Payload bytes of one message, MQTT and OwnTracks alike. */
#define PAYLOAD_BYTES_MAX 65536u
/* Reports a sender may have on the way without a receipt: the width of the window bitmap. */
#define SEQUENCE_WINDOW 64u
/* Cards, pupils, guardians, gates: registry numbers are below this (a province has 4 million
 * pupils). */
#define REGISTRY_NUMBER_MAX 8000000u
/* Guardians who hear of one pupil. */
#define PUPIL_GUARDIANS_MAX 8u
/* Alerts one event can raise: the fences over one place, each once, and its own. More (hundreds of
 * fences left in the same moment) wait for the next fix; none is dropped. */
#define STEP_ALERTS_MAX 300u
/* Fence numbers whose versions the engine remembers, so that a new set re-bases only the fences
 * that changed; those above re-base at every new set. */
#define FENCE_NUMBERS_REMEMBERED 65536u
/* Fences in one set: 206 schools x 5, 2,000 zones and room. */
#define FENCES_MAX 1000000u
/* Device times before 2000-01-01 are no times; later than arrival + this are refused. */
#define TIME_MS_MIN       946684800000
#define TIME_AHEAD_MS_MAX 86400000
/* A device clock this far ahead of arrival is believed; beyond, the event is marked CLOCK_AHEAD and
 * its time clamped to arrival. */
#define TIME_AHEAD_MS_TRUSTED 5000
/* A device time this long before arrival marks what it raises as late. */
#define TIME_LATE_MS 900000

/* What came so long after it happened tells nobody anything new: it is archived and moves the pupil, and
 * raises nothing. Of a danger the next hours tell more; of everything else the day. Never an SOS. */
#define DANGER_WORTH_MS 7200000
#define ALERT_WORTH_MS  43200000

/* A fix vaguer than this (radius of 68 %) moves nobody: it covers half a town. */
#define FIX_ACCURACY_CM_MAX 50000u
/* Stretches of the way between two fixes that are looked at for danger zones, in the order of the
 * fences of all kinds; a way of 2.5 km passes some tens, and those beyond are left out. */
#define PASSAGE_STRETCHES_MAX 64
/* The moment of a crossing is reckoned from the distances to shapes of so many points at most, as
 * they are linear in them; of others it is the first fix on the other side. */
#define CROSSING_POINTS_MAX 512u
/* The same card, gate and direction again so soon is one pass read twice. */
#define PASS_REPEAT_MS 10000
/* A pass read this long before the pupil's last fix tells nothing about where the pupil is now. */
#define PASS_BEHIND_MS_MAX 60000
/* A fix that comes out of order may bear out a pass if it is older than the newest one by no more than
 * this: longer is no disorder of a network but a backlog. */
#define FIX_BEHIND_MS_MAX 600000
/* A fix waits for reports before it that the card is sending again for so long at most: two rounds of a
 * slow network, and an alert is no later than that. */
#define ORDER_WAIT_MS 5000
/* So many cards share a place to wait: after an outage each of them sends its newest report first, but
 * not all in the same seconds. */
#define ORDER_CARDS_A_PLACE 128u
/* Low battery is told again after this time, or after the battery was seen above BATTERY_FULL_PCT.
 */
#define LOW_BATTERY_REPEAT_MS 43200000
#define BATTERY_FULL_PCT      30
/* Removed and powered off are told again after this time. */
#define SIGNAL_REPEAT_MS 600000

/* A card is silent that was not heard of for so long, and for so many of its own intervals: a lift, a
 * cellar, a break of the network last for minutes, and one report in 50 is lost. */
#define SILENT_S_MIN     600u
#define SILENT_INTERVALS 5u
/* Intervals count up to here: a card that says something every two hours is silent after two and a half. */
#define INTERVAL_S_MAX 1800u
/* One tick a second looks at so large a part of the cards: all of them once a minute, ten times sooner
 * than any is silent. */
#define SILENT_LOOKS 60u
/* Without a tick for longer than this nobody listened: what was not heard then is no silence. */
#define SILENT_DEAF_S 60u
/* So many pupils of a school are told one by one while they are silent at once; more are an outage, told
 * once for the school. */
#define SILENT_TOLD_MAX 10u
/* School numbers below this are told of outages (a province has 20,000 schools); of those above each
 * pupil is told. */
#define SCHOOL_NUMBERS_REMEMBERED 32768u

#endif
