/*
 * limits.h - every bound of the core and its reason, on one page.
 */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

/* A report is one MQTT message of one card: 256 events of 40 bytes stay under 16 KiB in the journal. */
#define REPORT_EVENTS_MAX 256u
/* A gateway's message carries at most this many reports. */
#define GATEWAY_REPORTS_MAX 256u
/* Payload bytes of one message, MQTT and OwnTracks alike. */
#define PAYLOAD_BYTES_MAX 65536u
/* Reports a sender may have on the way without a receipt: the width of the window bitmap. */
#define SEQUENCE_WINDOW 64u
/* Cards, pupils, guardians, gates: registry numbers are below this (a province has 4 million pupils). */
#define REGISTRY_NUMBER_MAX 8000000u
/* Guardians who hear of one pupil. */
#define PUPIL_GUARDIANS_MAX 8u
/* Alerts one event can raise: fences over one place, each once, and its own. */
#define STEP_ALERTS_MAX 300u
/* Fences in one set: 206 schools x 5, 2,000 zones and room. */
#define FENCES_MAX 1000000u
/* Device times before 2000-01-01 are no times; later than arrival + this are refused. */
#define TIME_MS_MIN 946684800000
#define TIME_AHEAD_MS_MAX 86400000
/* A device clock this far ahead of arrival is believed; beyond, the event is marked CLOCK_AHEAD and its
 * time clamped to arrival. */
#define TIME_AHEAD_MS_TRUSTED 5000
/* A device time this long before arrival marks what it raises as late. */
#define TIME_LATE_MS 900000

#endif
