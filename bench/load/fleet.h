/*
 * fleet.h - generator processes, each with its share of real MQTT connections, that send what their
 * feeds tell when it is due.
 * Know: made by fork() before any thread exists; the first process commands them over pipes, and
 * they tell in shared memory what became of it. They end by themselves when the first process does.
 * A message that finds its connection down or full waits: the schedule does not, and what that
 * makes late is told as lag.
 * Units: microseconds of clock_mono_us.
 * Memory: own; the options' pointers must live as long as the fleet.
 * Threads: the main thread of the first process.
 */
#ifndef BENCH_LOAD_FLEET_H
#define BENCH_LOAD_FLEET_H

#include <sys/types.h>

#include "base/status.h"
#include "bench/load/feed.h"
#include "bench/load/load.h"

#define LOAD_BROKERS_MAX 64u

struct load_fleet_options {
    const struct load_broker *brokers;
    uint32_t broker_count;
    const struct load_cards *cards;
    const struct load_gate *gates; /* or NULL */
    uint32_t gate_count;
    struct load_ledger *ledger; /* of cards and gates, its epoch set */
    const struct load_feed_source *feeds;
    uint32_t feed_count;
    uint32_t connections; /* that carry all senders; 0: one for each */
    uint32_t gateways;    /* connections that carry the cards of a school as gateways do; 0: none */
    uint32_t batch;       /* card reports a gateway's message */
    uint32_t generators;  /* processes; 0: as many as the limit of open files asks for */
    uint32_t connects_per_s;
    uint16_t keepalive_s; /* 0: none */
    uint8_t qos;          /* 0 or 1 */
};

struct load_fleet;

struct load_fleet_counts {
    uint32_t connections, up, generators;
    uint64_t losses, pings, messages;
};

/* Raises the limit of open files to what is allowed and makes the processes. STATUS_TOO_LARGE: more
 * connections than processes can hold; STATUS_INVALID: fewer gateways than schools;
 * STATUS_NOT_FOUND: a broker's name is unknown; STATUS_NO_MEMORY; all with the way out. */
enum status load_fleet_open(const struct load_fleet_options *options, struct load_fleet **ret,
                            struct status_detail *detail) MUST_CHECK;
/* Sends what is written already, says goodbye, and waits for the processes to end. */
void load_fleet_close(struct load_fleet *fleet);

/* Brings all connections up; progress on stderr. STATUS_UNAVAILABLE, STATUS_DENIED, STATUS_TIMEOUT
 * with the reason and how far it came. */
enum status load_fleet_connect(struct load_fleet *fleet, struct status_detail *detail) MUST_CHECK;
/* Sends an SOS of the first card before the run, in the epoch before the run's, so that it is in
 * nobody's count; its alert tells that a daemon listens (load_listener_heard_probe). no from 1. */
void load_fleet_probe(struct load_fleet *fleet, uint32_t no);
/* Sends feed `feed` from start_us on. */
void load_fleet_run(struct load_fleet *fleet, uint32_t feed, int64_t start_us, int64_t wall_ms);
/* Ends the feed early. */
void load_fleet_stop(struct load_fleet *fleet);
/* Has the feed that was run last told all, and was it handed to the connections? */
bool load_fleet_idle(const struct load_fleet *fleet);
/* STATUS_OK, or what a generator failed with; ask it now and then. */
enum status load_fleet_status(struct load_fleet *fleet, struct status_detail *detail) MUST_CHECK;

/* How long after its moment a message left at most, since the last call. */
int64_t load_fleet_take_lag_us(struct load_fleet *fleet);
void load_fleet_counts(const struct load_fleet *fleet, struct load_fleet_counts *ret);
/* The process ids of the generators; returns how many, at most LOAD_PARTS_MAX. */
uint32_t load_fleet_pids(const struct load_fleet *fleet, pid_t ret[LOAD_PARTS_MAX]);

#endif
