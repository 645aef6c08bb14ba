/*
 * load.h - the parts of campus-load: cards, the ledger of what was sent, keepers (senders with
 * receipts), the listener, the check of the archive. fleet.h has the senders.
 * Know: generator processes send by a schedule that waits for nothing; libmosquitto's threads of the
 * first process, one a broker, write alerts down. Microseconds are of clock_mono_us, which is the
 * same in all processes.
 * Memory: own, from start to end of the program; the ledger's is shared by the processes.
 * Threads: what a function may be called from is said.
 */
#ifndef BENCH_LOAD_LOAD_H
#define BENCH_LOAD_LOAD_H

#include <stdatomic.h>
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
    const struct load_gate *gates; /* senders beside them, of a day */
    uint32_t gate_count;
    int64_t period_ms; /* out for half of it, in for the other half */
};

/* Takes at most count_max cards, every k-th of the file so that all schools are in; one in
 * 1/crossing_share of them crosses. STATUS_INVALID with file and line. */
enum status load_cards_read(struct load_cards *cards, const char *path, uint32_t count_max,
                            double crossing_share, struct status_detail *detail) MUST_CHECK;
void load_cards_release(struct load_cards *cards);
/* LOAD_NONE: not one of ours. Any thread. */
uint32_t load_cards_find(const struct load_cards *cards, struct text id);
/* The same of a card or, beyond the cards, a gate. */
uint32_t load_sender_find(const struct load_cards *cards, struct text id);
struct geo_point load_card_place(const struct load_cards *cards, const struct load_card *card,
                                 int64_t time_ms);

/* ---- ledger.c: every report that was sent, in memory that generator processes share ---- */

enum load_kind { LOAD_FIX, LOAD_SOS, LOAD_WARM_UP, LOAD_KINDS };

/* A report is written by the process that sends it, and never again but for: acked by the same,
 * alerted and rows by the first process. */
struct load_report {
    uint32_t card, seq; /* seq 0: a place that was not used */
    uint32_t before;    /* the card's report before, or LOAD_NONE */
    uint32_t with;      /* another report of the same message, or LOAD_NONE */
    int64_t due_us;     /* when it had to leave */
    uint16_t events;    /* rows that it must make */
    uint16_t rows;      /* found in the archive */
    uint8_t kind;       /* enum load_kind */
    _Atomic bool acked, alerted;
};

struct load_counts {
    uint64_t sent, acked; /* reports */
    uint64_t acked_events;
};

#define LOAD_PARTS_MAX    64u
#define LOAD_LEDGER_CHUNK 4096u /* reports; each part fills chunks of its own */

struct load_ledger_shared;

struct load_ledger {
    struct load_report *reports;       /* shared */
    _Atomic uint32_t *last;            /* shared: of each card, or LOAD_NONE */
    struct load_ledger_shared *shared; /* counts */
    uint32_t cards, capacity;
    uint32_t count;                       /* after load_ledger_seal: places to look at */
    uint32_t *index_from, *_Atomic index; /* after load_ledger_seal: by card and number */
    uint32_t epoch;                       /* set before processes are made */
};

/* Before fork(), for so many senders and reports at most; memory is taken as it is used.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE. */
enum status load_ledger_init(struct load_ledger *ledger, uint32_t cards,
                             uint64_t reports) MUST_CHECK;
void load_ledger_release(struct load_ledger *ledger);
/* Notes a report that is about to be sent, with the card's next number. LOAD_NONE: it is full.
 * Only one process adds for a part, and for a card. */
uint32_t load_ledger_add(struct load_ledger *ledger, uint32_t part, uint32_t card,
                         enum load_kind kind, uint16_t events, int64_t due_us);
/* The message with this report, and with those that follow by `with`, is acknowledged. The process
 * that added it. */
void load_ledger_acked(struct load_ledger *ledger, uint32_t part, uint32_t report);
/* Any process and thread. */
struct load_counts load_ledger_counts(const struct load_ledger *ledger);
/* Notes that an alert came of it; copies it to ret. false: no such report. First process, any
 * thread. */
bool load_ledger_alerted(struct load_ledger *ledger, uint32_t card, uint64_t seq,
                         struct load_report *ret);
/* The card's reports but the newest `kept` are durable. Of one part, 0. */
void load_ledger_receipted(struct load_ledger *ledger, uint32_t card, uint32_t kept);
/* Reports of a kind. */
uint64_t load_ledger_sent(const struct load_ledger *ledger, enum load_kind kind);
/* Those of them without an alert. */
uint32_t load_ledger_silent(const struct load_ledger *ledger, enum load_kind kind);
/* Nothing is sent any more: sets count, and makes load_ledger_find fast for all reports. */
void load_ledger_seal(struct load_ledger *ledger);
/* LOAD_NONE: no such report. */
uint32_t load_ledger_find(const struct load_ledger *ledger, uint32_t card, uint64_t seq);

/* ---- feed_steady.c ---- */

#define LOAD_EVENTS_MAX 200
/* What a card tells now; returns how many events. */
uint16_t load_fill(const struct load_cards *cards, uint32_t card, enum load_kind kind,
                   int64_t now_ms, struct wire_event *events);

struct load_broker {
    struct mqtt_url url;
    const char *password; /* or NULL */
};

/* A sender beyond the cards: number cards.count + its place. */
struct load_gate {
    const char *id, *school, *topic;
};

/* ---- receipts.c: instead of the fleet, with receipts; main thread only ---- */

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
    uint64_t repeats; /* same id on the same topic again, by the same broker */
    uint64_t foreign; /* caused by others */
    uint64_t unreadable;
    uint64_t losses;                 /* of the connections: alerts in between were not seen */
    int64_t last_us;                 /* when the last came; 0: none */
    struct histogram all_us, sos_us; /* from when the report had to leave */
};

/* Subscribes to every guardian's alerts at each of these brokers; returns when all have confirmed it.
 * heard: NULL, or a file that gets a line "id hash-of-the-bytes" for each alert heard, the schools'
 * alerts too. kept: NULL, or a file that gets what
 * campusctl score wants of each alert of a school's topic, one a line, each once. */
enum status load_listener_open(const struct load_broker *brokers, uint32_t broker_count,
                               const struct load_cards *cards, struct load_ledger *ledger,
                               const char *heard, const char *kept, struct load_listener **ret,
                               struct status_detail *detail) MUST_CHECK;
void load_listener_close(struct load_listener *listener);
bool load_listener_heard_probe(struct load_listener *listener);
void load_listener_alerts(struct load_listener *listener, struct load_alerts *ret);
/* The file of kept alerts is complete; no more is written. */
void load_listener_kept(struct load_listener *listener);
/* A step begins: alerts of reports that had to leave from from_us on are counted for it as well,
 * until the next. STATUS_FULL: LOAD_STEPS_MAX; STATUS_NO_MEMORY. */
#define LOAD_STEPS_MAX 256u
enum status load_listener_step(struct load_listener *listener, int64_t from_us) MUST_CHECK;
/* The alerts of step `step`, 0 the first. */
void load_listener_step_alerts(struct load_listener *listener, uint32_t step,
                               struct histogram *ret);
/* The alerts timed since the last call. */
void load_listener_recent(struct load_listener *listener, struct histogram *ret);

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
/* "15.14"; lives as long as the archive. */
const char *load_archive_version(const struct load_archive *archive);
/* Waits until as many rows are there as were acknowledged, or none came for patience_s. */
enum status load_archive_await(struct load_archive *archive, struct load_ledger *ledger,
                               double patience_s, struct status_detail *detail) MUST_CHECK;
/* The same, then compares them with the ledger one by one. */
enum status load_archive_check(struct load_archive *archive, struct load_ledger *ledger,
                               double patience_s, struct load_archive_result *ret,
                               struct status_detail *detail) MUST_CHECK;

#endif
