/*
 * settings.h - the table of every setting of campusd: parser, checks, --print-config and the manual
 * are made from it. X(kind, field, key, default, low, high, unit, reload, sentence) kind    TEXT,
 * NUMBER, RATE (a share; low and high in millionths), CHOICE, LIST (of texts) reload  1: taken over on SIGHUP; 0: needs a restart choices of a
 * CHOICE are the words in its unit column, in the order of their values
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#define SETTINGS(X)                                                                                \
    X(CHOICE, log_level, "log.level", "info", 0, 3, "debug|info|warn|error", 1,                    \
      "Lines below this level are not written; only debug shows cards and positions.")             \
    X(TEXT, control_socket, "control.socket", "/run/campusd/control.sock", 1, 100, "path", 0,      \
      "Unix socket on which campusctl status asks.")                                               \
    X(TEXT, journal_directory, "journal.directory", "/var/lib/campusd/journal", 1, 4000, "path",   \
      0, "Where the journal's segments lie; on a disk that keeps what fdatasync promised.")        \
    X(NUMBER, journal_segment_mib, "journal.segment_mib", "64", 1, 4096, "MiB", 0,                 \
      "Size of one segment file.")                                                                 \
    X(NUMBER, journal_max_mib, "journal.max_mib", "0", 0, 1000000000, "MiB", 0,                    \
      "The journal's files together; reached, it is as a full disk until the archive caught up. "  \
      "At least four segments; 0: no limit.")                                                      \
    X(NUMBER, journal_pending_mib, "journal.pending_mib", "64", 1, 4096, "MiB", 0,                 \
      "Events in memory that wait for the disk; beyond, the brokers are not read.")                \
    X(NUMBER, journal_keep_hours, "journal.keep_hours", "48", 1, 8760, "hours", 1,                 \
      "Segments older than this and archived are deleted; a restart knows this much history.")     \
    X(NUMBER, snapshot_every_s, "snapshot.every_s", "300", 1, 86400, "s", 1,                       \
      "How often the state is written beside the journal; a restart begins at the newest.")        \
    X(TEXT, archive_conninfo, "archive.conninfo", "dbname=campus", 1, 2000, "libpq conninfo", 0,   \
      "The PostgreSQL database of registry and archive; passwords belong into a passfile.")        \
    X(NUMBER, archive_batch_rows, "archive.batch_rows", "50000", 1, 1000000, "rows", 0,            \
      "Rows of one archive transaction at most.")                                                  \
    X(NUMBER, archive_batch_wait_ms, "archive.batch_wait_ms", "200", 0, 60000, "ms", 0,            \
      "A smaller batch waits this long for more rows.")                                            \
    X(NUMBER, archive_seal_after_hours, "archive.seal_after_hours", "2", 0, 8760, "hours", 0,      \
      "Fixes of an hour that is over for so long become one compact row a card; 0 means never.")   \
    X(NUMBER, archive_keep_days, "archive.keep_days", "0", 0, 36500, "days", 0,                    \
      "Past days (UTC, of arrival) beyond these are deleted for good; 0 keeps everything.")        \
    X(TEXT, registry_cache, "registry.cache", "/var/lib/campusd/registry.cache", 1, 4000, "path",  \
      0, "Copy of registry and fences, so that campusd starts while PostgreSQL is away.")          \
    X(NUMBER, registry_poll_ms, "registry.poll_ms", "1000", 50, 600000, "ms", 1,                   \
      "How often the registry's revision is looked up.")                                           \
    X(LIST, brokers, "brokers", "mqtt://127.0.0.1:1883", 1, 64, "mqtt://host:port", 0,             \
      "Every MQTT broker that cards and gates connect to.")                                        \
    X(LIST, alert_brokers, "alert_brokers", "", 0, 64, "mqtt://host:port", 0,                      \
      "Those of the brokers at which alerts are published; empty means all of them.")              \
    X(TEXT, broker_client_id, "broker.client_id", "campusd", 1, 60, "text", 0,                     \
      "MQTT client id; the broker keeps the session under it, so it must stay the same.")          \
    X(TEXT, broker_password_file, "broker.password_file", "", 0, 4000, "path", 0,                  \
      "File with the password for the user named in the broker's URL; empty means none.")          \
    X(NUMBER, broker_keepalive_s, "broker.keepalive_s", "30", 5, 3600, "s", 0, "MQTT keepalive.")  \
    X(NUMBER, broker_connect_timeout_ms, "broker.connect_timeout_ms", "5000", 100, 600000, "ms",   \
      0, "A broker that has not answered by then is tried anew.")                                  \
    X(NUMBER, broker_backoff_min_ms, "broker.backoff_min_ms", "200", 10, 60000, "ms", 0,           \
      "First pause before reconnecting; it doubles, with a random part.")                          \
    X(NUMBER, broker_backoff_max_ms, "broker.backoff_max_ms", "5000", 10, 600000, "ms", 0,         \
      "Longest pause before reconnecting.")                                                        \
    X(NUMBER, broker_burst, "broker.burst", "512", 64, 4096, "messages", 0,                        \
      "Messages read from one broker in one turn; of a backlog, 4096 are acknowledged together.")  \
    X(NUMBER, alerts_waiting_max, "alerts.waiting_max", "65536", 1024, 4000000, "alerts", 0,       \
      "Alerts that wait for a broker's confirmation; beyond, the brokers are not read.")           \
    X(NUMBER, alerts_repeat_s, "alerts.repeat_s", "60", 0, 3600, "s", 0,                           \
      "After a broker was lost, alerts of this long before are published again (same ids).")       \
    X(CHOICE, card_datum, "card.datum_default", "wgs84", 0, 2, "wgs84|gcj02|bd09", 0,              \
      "Datum of fixes that do not name theirs.")                                                   \
    X(NUMBER, card_receipt_ms, "card.receipt_ms", "20", 1, 10000, "ms", 0,                         \
      "Receipts to the same card within this time leave as one.")                                  \
    X(RATE, presence_false_left, "presence.false_left", "0.0002", 1, 500000,                       \
      "of the runs of evidence", 0,                                                                \
      "How many departures may be told that were none; fewer are told later: docs/presence.md.")   \
    X(RATE, presence_false_entered, "presence.false_entered", "0.002", 1, 500000,                  \
      "of the runs of evidence", 0, "The same of arrivals.")                                       \
    X(RATE, presence_false_danger, "presence.false_danger", "0.01", 1, 500000,                     \
      "of the runs of evidence", 0, "The same of danger zones.")                                   \
    X(RATE, presence_miss, "presence.miss", "0.01", 1, 500000, "of the crossings", 0,              \
      "How many may be missed for want of evidence; hardly moves what is asked.")                  \
    X(NUMBER, limit_cards, "limit.cards", "300000", 100, 8000000, "cards", 0,                      \
      "Cards, pupils and gates are numbered below this; memory is set aside for them at boot.")    \
    X(NUMBER, limit_presences, "limit.presences", "1000000", 1000, 64000000, "states", 0,          \
      "States of pupils at fences held at once; the stalest outside one makes room.")              \
    X(TEXT, clock_start, "clock.start", "now", 1, 40, "now, RFC 3339 or Unix s", 0,                \
      "For benchmarks only: the time that it is at clock.origin; now means the same.")             \
    X(TEXT, clock_origin, "clock.origin", "", 0, 40, "RFC 3339 or Unix s", 0,                      \
      "For benchmarks only: the real time at which it is clock.start, so that all agree on it.")   \
    X(NUMBER, clock_speed, "clock.speed", "1", 1, 1000, "times", 0,                                \
      "For benchmarks only: how fast time passes since clock.origin.")

#endif
