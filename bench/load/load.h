/*
 * load.h - the parts of campus-load: cards, the ledger of what was sent, senders, keepers (senders
 * with receipts), the listener, the check of the archive.
 * Know: the main thread sends by a schedule that waits for nothing; libmosquitto's threads, one a
 * connection, write acknowledgements and alerts down. Microseconds are of clock_mono_us.
 * Memory: own, from start to end of the program.
 * Threads: what a function may be called from is said.
 */
#ifndef BENCH_LOAD_LOAD_H
#define BENCH_LOAD_LOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/histogram.h"
#include "base/status.h"
#include "base/text.h"
#include "broker-bridge/mqtt_url.h"
#include "geo/point.h"
#include "proto/codec.h"

#define LOAD_NONE UINT32_MAX

/* ---- cards.c: who reports, and where it is when ---- */

struct load_card {
    const char *id, *school, *topic;
    struct geo_point inside, outside; /* the ground's centre, and LOAD_AWAY_M north of it */
    bool crosses;
    int64_t phase_ms; /* of its crossings */
};
#define LOAD_AWAY_M 500

struct load_cards {
    struct arena arena;
    struct load_card *items;
    uint32_t count;    /* in use */
    uint32_t in_file;  /* rows there */
    uint32_t crossing; /* how many cross */
    uint32_t *table;   /* by id, open addressing */
    uint32_t table_size;
    int64_t period_ms; /* out for half of it, in for the other half */
};

/* Takes at most count_max cards, every k-th of the file so that all schools are in; one in
 * 1/crossing_share of them crosses. STATUS_INVALID with file and line. */
enum status load_cards_read(struct load_cards *cards, const char *path, uint32_t count_max,
                            double crossing_share, struct status_detail *detail) MUST_CHECK;
void load_cards_release(struct load_cards *cards);
/* LOAD_NONE: not one of ours. Any thread. */
uint32_t load_cards_find(const struct load_cards *cards, struct text id);
struct geo_point load_card_place(const struct load_cards *cards, const struct load_card *card,
                                 int64_t time_ms);

/* ---- ledger.c: every report that was sent ---- */

enum load_kind { LOAD_FIX, LOAD_SOS, LOAD_WARM_UP };

struct load_report {
    uint32_t card, seq;
    uint32_t before; /* the card's report before, or LOAD_NONE */
    uint16_t events; /* rows that it must make */
    uint16_t rows;   /* found in the archive */
    int64_t due_us;  /* when it had to leave */
    uint8_t kind;    /* enum load_kind */
    bool acked, alerted;
};

struct load_counts {
    uint64_t sent, acked; /* reports */
    uint64_t acked_events;
};

struct load_ledger {
    pthread_mutex_t lock;
    struct load_report *reports;
    uint32_t count, capacity;
    uint32_t *last; /* of each card, or LOAD_NONE */
    struct load_counts counts;
    uint32_t epoch;
};

enum status load_ledger_init(struct load_ledger *ledger, uint32_t cards,
                             uint32_t capacity) MUST_CHECK;
void load_ledger_release(struct load_ledger *ledger);
/* Notes a report that is about to be sent, with the card's next number. Main thread. */
uint32_t load_ledger_add(struct load_ledger *ledger, uint32_t card, enum load_kind kind,
                         uint16_t events, int64_t due_us);
/* Any thread. */
void load_ledger_acked(struct load_ledger *ledger, uint32_t report);
struct load_counts load_ledger_counts(struct load_ledger *ledger);
/* Notes that an alert came of it; copies it to ret. false: no such report. Any thread. */
bool load_ledger_alerted(struct load_ledger *ledger, uint32_t card, uint64_t seq,
                         struct load_report *ret);
/* The card's reports but the newest `kept` are durable. Main thread. */
void load_ledger_receipted(struct load_ledger *ledger, uint32_t card, uint32_t kept);
/* Reports of a kind without an alert. */
uint32_t load_ledger_silent(struct load_ledger *ledger, enum load_kind kind);
/* LOAD_NONE: no such report. Only when nothing is sent any more. */
uint32_t load_ledger_find(const struct load_ledger *ledger, uint32_t card, uint64_t seq);

/* ---- send.c ---- */

struct load_senders;

#define LOAD_EVENTS_MAX 200
/* What a card tells now; returns how many events. */
uint16_t load_fill(const struct load_cards *cards, uint32_t card, enum load_kind kind,
                   int64_t now_ms, struct wire_event *events);

struct load_broker {
    struct mqtt_url url;
    const char *password; /* or NULL */
};

/* Connects all; waits until each is up. STATUS_UNAVAILABLE, STATUS_TIMEOUT with the reason. */
enum status load_senders_open(const struct load_broker *broker, uint32_t connections,
                              const struct load_cards *cards, struct load_ledger *ledger,
                              struct load_senders **ret, struct status_detail *detail) MUST_CHECK;
void load_senders_close(struct load_senders *senders);
/* Sends one fix, one SOS, or a card's last minutes in one report. STATUS_UNAVAILABLE: libmosquitto
 * refused. Main thread. */
enum status load_send(struct load_senders *senders, uint32_t card, enum load_kind kind,
                      int64_t due_us, struct status_detail *detail) MUST_CHECK;
/* Sends an SOS of the first card before the run, in the epoch before the run's, so that it is in
 * nobody's count; its alert tells that a daemon listens (load_listener_heard_probe). no from 1.
 * Main thread. */
enum status load_send_probe(struct load_senders *senders, uint32_t no,
                            struct status_detail *detail) MUST_CHECK;
/* Connections lost so far. Any thread. */
uint32_t load_senders_losses(struct load_senders *senders);

/* ---- receipts.c: instead of load_send.c, with receipts; main thread only ---- */

struct load_keepers;

struct load_keeper_counts {
    uint64_t resent;
    uint32_t losses;    /* of the connection */
    uint32_t conflicts; /* receipts for what was never sent */
};

enum status load_keepers_open(const char *url, const char *password, const struct load_cards *cards,
                              struct load_ledger *ledger, struct load_keepers **ret,
                              struct status_detail *detail) MUST_CHECK;
void load_keepers_close(struct load_keepers *keepers);
/* As load_send; waits while the card has SEQUENCE_WINDOW reports without a receipt.
 * STATUS_TIMEOUT: for minutes. */
enum status load_keepers_send(struct load_keepers *keepers, uint32_t card, enum load_kind kind,
                              int64_t due_us, struct status_detail *detail) MUST_CHECK;
/* Sends and takes receipts until then, at least what waits; may return a millisecond early. */
void load_keepers_run_until(struct load_keepers *keepers, int64_t until_us);
void load_keepers_counts(const struct load_keepers *keepers, struct load_keeper_counts *ret);

/* ---- listen.c ---- */

struct load_listener;

struct load_alerts {
    uint64_t alerts;  /* caused by this run, each id once a topic */
    uint64_t sos;     /* of them */
    uint64_t warm_up; /* of them, caused by the reports before the run: not timed */
    uint64_t repeats; /* same id on the same topic again */
    uint64_t foreign; /* caused by others */
    uint64_t unreadable;
    uint64_t losses;                 /* of the connection: alerts in between were not seen */
    int64_t last_us;                 /* when the last came; 0: none */
    struct histogram all_us, sos_us; /* from when the report had to leave */
};

/* Subscribes to every guardian's alerts; returns when the broker has confirmed it. heard: NULL, or
 * a file that gets a line "id hash-of-the-bytes" for each alert heard, the schools' alerts too. */
enum status load_listener_open(const struct load_broker *broker, const struct load_cards *cards,
                               struct load_ledger *ledger, const char *heard,
                               struct load_listener **ret, struct status_detail *detail) MUST_CHECK;
void load_listener_close(struct load_listener *listener);
bool load_listener_heard_probe(struct load_listener *listener);
void load_listener_alerts(struct load_listener *listener, struct load_alerts *ret);

/* ---- archive.c ---- */

struct load_archive;

struct load_archive_result {
    uint64_t rows;    /* of this epoch */
    uint64_t lost;    /* acknowledged events that have no row */
    uint64_t doubled; /* rows beyond one an event */
    uint64_t unknown; /* rows that nobody sent */
    uint64_t settle_ms;
};

/* Connects and reads the numbers of the cards. STATUS_UNAVAILABLE, STATUS_NOT_FOUND: the registry
 * does not know a card of the file. */
enum status load_archive_open(const char *conninfo, const struct load_cards *cards,
                              struct load_archive **ret, struct status_detail *detail) MUST_CHECK;
void load_archive_close(struct load_archive *archive);
/* Waits until as many rows are there as were acknowledged, or none came for patience_s; then
 * compares them with the ledger one by one. */
enum status load_archive_check(struct load_archive *archive, struct load_ledger *ledger,
                               double patience_s, struct load_archive_result *ret,
                               struct status_detail *detail) MUST_CHECK;

#endif
