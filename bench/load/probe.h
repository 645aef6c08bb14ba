/*
 * probe.h - how long from the moment a report had to leave until its row can be read in PostgreSQL.
 * Know: a card that is no part of the load reports at a slow pace on a connection of its own, and a
 * connection of its own asks PostgreSQL for the newest row of it every PROBE_ASK_MS while one is
 * awaited: that is the resolution. A server that is slow or away delays nobody but the answers; it
 * is asked again when it is back.
 * Units: milliseconds where the name says so; histograms have microseconds.
 * Memory: own.
 * Threads: its own thread does the work; the functions here may be called from any one thread.
 */
#ifndef BENCH_LOAD_PROBE_H
#define BENCH_LOAD_PROBE_H

#include <stdint.h>

#include "base/histogram.h"
#include "base/status.h"
#include "bench/load/load.h"

#define PROBE_ASK_MS 10

struct load_probe;

struct load_probe_options {
    const struct load_broker *broker;
    const char *conninfo;
    const char *card, *topic;
    struct geo_point place;
    uint32_t epoch; /* one that nobody else's rows have */
    double per_s;
};

/* Connects to the broker and starts. The texts are copied. STATUS_UNAVAILABLE: the broker. */
enum status load_probe_open(const struct load_probe_options *options, struct load_probe **ret,
                            struct status_detail *detail) MUST_CHECK;
/* Returns within seconds, whatever the servers do. */
void load_probe_close(struct load_probe *probe);

struct load_probe_state {
    uint64_t sent, archived;
    uint64_t skipped; /* not sent: too many are awaited */
    uint32_t awaited;
    double behind_ms;  /* age of the oldest that is awaited, or what the newest row took */
    uint32_t losses;   /* of the connection to PostgreSQL */
    char trouble[200]; /* its last words, "" while it is connected */
};
void load_probe_look(struct load_probe *probe, struct load_probe_state *ret);
/* What probes took since the last call; those awaited are in it with their age. */
void load_probe_take(struct load_probe *probe, struct histogram *ret);
/* Forgets what probes took so far: before, the archive caught up with what prepared the run. */
void load_probe_begin(struct load_probe *probe);
/* Since then, archived ones alone. */
void load_probe_all(struct load_probe *probe, struct histogram *ret);

/* A card of the file that the load does not use: its id, topic and place in options (they point
 * into *ret_file, which the caller releases after load_probe_open). STATUS_NOT_FOUND: all of them
 * are in use. */
enum status load_probe_card(const char *path, const struct load_cards *used,
                            struct load_cards *ret_file, struct load_probe_options *options,
                            struct status_detail *detail) MUST_CHECK;

#endif
