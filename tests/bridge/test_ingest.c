#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker-bridge/ingest.h"
#include "core/limits.h"
#include "core/record.h"
#include "proto/codec.h"
#include "tests/check.h"
#include "tests/proto/allocations.h"

/* 2026-03-02T07:41:10Z */
static const int64_t now_ms = 1772437270000;
enum { RECORDS_MAX = 4096, CARDS = 5 };

static const char up[] = "campus/v1/s1/card/c1/up";

struct record {
    char *at; /* malloc: 8-byte aligned */
    size_t size;
    uint32_t type;
};

struct fixture {
    struct directory *directory;
    struct ingest *ingest;
    struct record records[RECORDS_MAX];
    uint32_t record_count;
    uint32_t appends, fail_at; /* the fail_at-th append says STATUS_FULL */
    uint32_t wanted;           /* receipts */
    struct origin wanted_last;
    struct buffer payload;
    struct wire_event events[REPORT_EVENTS_MAX];
    struct ingest_stats stats;
};

/* ---- the world ---- */

/* Schools s1, s2; cards c1, c2 of s1, c3 of s2, c4 a phone's, c5 beyond the limit; gates g1 of s1,
 * g2 of s2. */
static struct directory *small_directory(void)
{
    static const struct directory_ends ends = {3, 2, CARDS + 1, 1, 3, 0};
    static const char *const cards[] = {NULL, "c1", "c2", "c3", "c4", "c5"};
    struct directory *directory;
    struct status_detail detail;
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    directory->schools[1].id = "s1";
    directory->schools[2].id = "s2";
    directory->pupils[1] = (struct dir_pupil){.id = "p1", .school_no = 1};
    for (uint32_t no = 1; no <= CARDS; no++) {
        directory->cards[no] =
            (struct dir_card){.id = cards[no], .pupil_no = no == 1, .school_no = no == 3 ? 2 : 1};
    }
    directory->cards[4].owntracks = "walker/handset";
    directory->gates[1] = (struct dir_gate){.id = "g1", .school_no = 1};
    directory->gates[2] = (struct dir_gate){.id = "g2", .school_no = 2};
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    return directory;
}

static enum status append(void *context, uint32_t type, struct text bytes)
{
    struct fixture *f = context;
    if (++f->appends == f->fail_at) {
        return STATUS_FULL;
    }
    assert_true(f->record_count < RECORDS_MAX);
    char *copy = malloc(bytes.length);
    assert_non_null(copy);
    memcpy(copy, bytes.at, bytes.length);
    f->records[f->record_count++] = (struct record){copy, bytes.length, type};
    return STATUS_OK;
}

static void want_receipt(void *context, const struct origin *origin)
{
    struct fixture *f = context;
    f->wanted++;
    f->wanted_last = *origin;
}

static struct ingest *new_ingest(struct fixture *f)
{
    const struct ingest_options options = {.cards_max = CARDS,
                                           .gates_max = 3,
                                           .datum_default = GEO_WGS84,
                                           .append = append,
                                           .want_receipt = want_receipt,
                                           .context = f};
    struct ingest *ingest;
    assert_int_equal(ingest_new(&options, &ingest), STATUS_OK);
    ingest_set_directory(ingest, f->directory);
    return ingest;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->directory = small_directory();
    f->ingest = new_ingest(f);
    buffer_init(&f->payload, 1 << 20);
    *state = f;
    return 0;
}

static void drop_records(struct fixture *f)
{
    for (uint32_t i = 0; i < f->record_count; i++) {
        free(f->records[i].at);
    }
    f->record_count = 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    drop_records(f);
    ingest_free(f->ingest);
    directory_free(f->directory);
    buffer_release(&f->payload);
    free(f);
    return 0;
}

/* ---- messages ---- */

static struct wire_event fix_at(int64_t time_ms)
{
    return (struct wire_event){.event = {.type = EVENT_FIX,
                                         .time_ms = time_ms,
                                         .point = {361000000, 1131000000},
                                         .datum = GEO_WGS84}};
}

/* A report of `count` fixes, a second apart. */
static struct wire_report report_of(struct fixture *f, uint64_t seq, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        f->events[i] = fix_at(now_ms - 1000 * (int64_t)(count - i));
    }
    return (struct wire_report){.epoch = 7,
                                .seq = seq,
                                .keep_from = 1,
                                .want_receipt = true,
                                .event_count = count,
                                .events = f->events};
}

static enum status offer(struct fixture *f, const char *topic)
{
    const struct text payload = {f->payload.data, f->payload.size};
    enum status status = ingest_message(f->ingest, text_of(topic), payload, now_ms);
    ingest_stats(f->ingest, &f->stats);
    return status;
}

static void offer_card(struct fixture *f, const char *topic, const struct wire_report *report)
{
    buffer_clear(&f->payload);
    encode_card_report(&f->payload, report);
    assert_int_equal(offer(f, topic), STATUS_OK);
}

static void offer_text(struct fixture *f, const char *topic, const char *text)
{
    buffer_clear(&f->payload);
    buffer_text(&f->payload, text);
    assert_int_equal(offer(f, topic), STATUS_OK);
}

static struct report report_at(const struct fixture *f, uint32_t place)
{
    struct report report;
    assert_true(place < f->record_count);
    assert_int_equal(f->records[place].type, RECORD_REPORT);
    assert_int_equal(record_get_report(f->records[place].at, f->records[place].size, &report),
                     STATUS_OK);
    return report;
}

static struct refused letter_at(const struct fixture *f, uint32_t place)
{
    struct refused refused;
    assert_true(place < f->record_count);
    assert_int_equal(f->records[place].type, RECORD_REFUSED);
    assert_int_equal(record_get_refused(f->records[place].at, f->records[place].size, &refused),
                     STATUS_OK);
    return refused;
}

static bool tells(struct text detail, const char *words)
{
    return memmem(detail.at, detail.length, words, strlen(words)) != NULL;
}

/* ---- tests ---- */

struct looked {
    uint32_t reports, events;
    uint64_t seq;
};

static void on_looked(void *context, const struct report *report)
{
    struct looked *looked = context;
    looked->reports++;
    looked->events += report->event_count;
    looked->seq = report->origin.seq;
}

static void looking_at_a_message_takes_nothing_and_leaves_repeats_out(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 3);
    struct looked looked = {0};
    buffer_clear(&f->payload);
    encode_card_report(&f->payload, &report);
    const struct text payload = {f->payload.data, f->payload.size};
    const char *topic = "campus/v1/s1/card/c1/up";
    for (int i = 0; i < 2; i++) {
        ingest_look(f->ingest, text_of(topic), payload, now_ms, on_looked, &looked);
    }
    ingest_look(f->ingest, text_of("campus/v1/s1/card/nobody/up"), payload, now_ms, on_looked,
                &looked);
    assert_int_equal(looked.reports, 2);
    assert_int_equal(looked.events, 6);
    assert_int_equal(looked.seq, 1);
    assert_int_equal(f->record_count, 0);
    offer_card(f, topic, &report);
    assert_int_equal(f->record_count, 1);
    ingest_look(f->ingest, text_of(topic), payload, now_ms, on_looked, &looked);
    assert_int_equal(looked.reports, 2);
}

static void a_report_becomes_one_record(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 3);
    report.sender = TEXT("c1");
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 1);
    struct report record = report_at(f, 0);
    assert_int_equal(record.arrival_ms, now_ms);
    assert_int_equal(record.origin.kind, ORIGIN_CARD);
    assert_int_equal(record.origin.no, 1);
    assert_int_equal(record.origin.epoch, 7);
    assert_int_equal(record.origin.seq, 1);
    assert_int_equal(record.keep_from, 1);
    assert_int_equal(record.event_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct event expected = f->events[i].event;
        expected.card_no = 1;
        assert_memory_equal(&record.events[i], &expected, sizeof expected);
    }
    assert_int_equal(f->stats.messages, 1);
    assert_int_equal(f->stats.reports, 1);
    assert_int_equal(f->stats.events, 3);
    assert_int_equal(f->stats.dead_letters, 0);
    assert_int_equal(f->wanted, 1);
    assert_int_equal(f->wanted_last.no, 1);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->durable_to, 1);
}

static void a_repeat_is_dropped_and_still_gets_its_receipt(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 1);
    offer_card(f, up, &report);
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 1);
    assert_int_equal(f->stats.repeats, 1);
    assert_int_equal(f->stats.messages, 2);
    assert_int_equal(f->wanted, 2);
    report.want_receipt = false;
    offer_card(f, up, &report);
    assert_int_equal(f->wanted, 2);
}

static void reports_are_taken_in_any_order_within_the_window(void **state)
{
    struct fixture *f = *state;
    static const uint64_t order[] = {3, 1, 2, 5, 3, 4};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct wire_report report = report_of(f, order[i], 1);
        offer_card(f, up, &report);
    }
    assert_int_equal(f->record_count, 5);
    assert_int_equal(f->stats.repeats, 1);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->durable_to, 5);
    assert_int_equal(f->stats.gaps, 0);
    struct wire_report report = report_of(f, 9, 1);
    report.keep_from = 9;
    offer_card(f, up, &report);
    assert_int_equal(f->stats.gaps, 3);
}

struct refusal_case {
    const char *topic;
    const char *claim;
    enum refusal refusal;
    const char *words;
};

static const struct refusal_case refusal_cases[] = {
    {"campus/v1/s9/card/c1/up", "", REFUSAL_UNKNOWN_SCHOOL, "\"s9\""},
    {"campus/v1/s1/card/nobody/up", "", REFUSAL_UNKNOWN_CARD, "\"nobody\""},
    {"campus/v1/s1/card/c3/up", "", REFUSAL_WRONG_SCHOOL, "\"s1\""},
    {"campus/v1/s1/card/c5/up", "", REFUSAL_UNKNOWN_CARD, "limit.cards"},
    {"campus/v1/s1/card/c1/up", "c2", REFUSAL_CLAIM, "\"c2\""},
    {"campus/v1/s1/card/c1/up", "nobody", REFUSAL_CLAIM, "\"nobody\""},
    {"campus/v1/s1/card/c1/down", "", REFUSAL_TOPIC, "contract"},
    {"somewhere/else", "", REFUSAL_TOPIC, "contract"},
    {"campus/v1/s1/gate/g9/up", "", REFUSAL_UNKNOWN_GATE, "\"g9\""},
    {"campus/v1/s1/gate/g2/up", "", REFUSAL_WRONG_SCHOOL, "\"s1\""},
    {"campus/v1/s9/gateway/w/up", "", REFUSAL_UNKNOWN_SCHOOL, "\"s9\""},
    {"owntracks/some/phone", "", REFUSAL_UNKNOWN_CARD, "\"some/phone\""},
};

static void each_refusal_is_counted_and_kept_as_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < sizeof refusal_cases / sizeof refusal_cases[0]; i++) {
        const struct refusal_case *c = &refusal_cases[i];
        struct wire_report report = report_of(f, 1, 1);
        report.sender = text_of(c->claim);
        struct ingest_stats before = f->stats;
        offer_card(f, c->topic, &report);
        assert_int_equal(f->record_count, i + 1);
        struct refused letter = letter_at(f, i);
        assert_int_equal(letter.reason, c->refusal);
        assert_int_equal(letter.arrival_ms, now_ms);
        assert_true(text_is(letter.topic, c->topic));
        assert_true(tells(letter.detail, c->words));
        assert_int_equal(letter.payload_bytes, f->payload.size);
        assert_memory_equal(letter.payload.at, f->payload.data, f->payload.size);
        assert_int_equal(f->stats.refused[c->refusal], before.refused[c->refusal] + 1);
        assert_int_equal(f->stats.dead_letters, i + 1);
        assert_int_equal(f->stats.messages, i + 1);
    }
    assert_int_equal(f->stats.reports, 0);
    assert_int_equal(f->wanted, 0);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->durable_to, 0);
}

static void what_does_not_decode_is_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    offer_text(f, up, "not a report");
    assert_int_equal(letter_at(f, 0).reason, REFUSAL_MALFORMED);
    offer_text(f, "campus/v1/s1/gate/g1/up", "\x07");
    assert_int_equal(letter_at(f, 1).reason, REFUSAL_MALFORMED);
    offer_text(f, "campus/v1/s1/gateway/w/up", "\x07");
    assert_int_equal(letter_at(f, 2).reason, REFUSAL_MALFORMED);
    offer_text(f, "owntracks/walker/handset", "{");
    assert_int_equal(letter_at(f, 3).reason, REFUSAL_MALFORMED);
    offer_text(f, "owntracks/walker/handset", "{\"_type\":\"lwt\"}");
    assert_int_equal(letter_at(f, 4).reason, REFUSAL_EMPTY);
    offer_text(f, "campus/v1/s1/gateway/w/up", "");
    assert_int_equal(letter_at(f, 5).reason, REFUSAL_EMPTY);
    offer_text(f, up, "");
    assert_int_equal(letter_at(f, 6).reason, REFUSAL_SEQUENCE);
    assert_int_equal(f->stats.dead_letters, 7);
}

static void a_long_message_is_cut_in_its_dead_letter(void **state)
{
    struct fixture *f = *state;
    static char topic[65536];
    memset(topic, 't', sizeof topic - 1);
    assert_non_null(buffer_extend(&f->payload, PAYLOAD_BYTES_MAX + 1));
    memset(f->payload.data, 0, f->payload.size);
    assert_int_equal(offer(f, up), STATUS_OK);
    assert_int_equal(letter_at(f, 0).reason, REFUSAL_TOO_LARGE);
    assert_int_equal(letter_at(f, 0).payload.length, REFUSED_BYTES_MAX);
    assert_int_equal(letter_at(f, 0).payload_bytes, PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(offer(f, topic), STATUS_OK);
    assert_int_equal(letter_at(f, 1).reason, REFUSAL_TOPIC);
    assert_true(letter_at(f, 1).topic.length < 1024);
}

static void refused_events_are_left_out_and_told_by_their_place(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 5);
    f->events[1].event.time_ms = 0;
    f->events[3].event.point.lat_e7 = GEO_LAT_E7_MAX + 1;
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 2);
    struct refused letter = letter_at(f, 0); /* before what it belongs to */
    assert_int_equal(letter.reason, REFUSAL_TIME);
    assert_true(tells(letter.detail, "event 1 (fix): time_ms: "));
    assert_true(tells(letter.detail, "event 3 (fix): lat: "));
    struct report record = report_at(f, 1);
    assert_int_equal(record.event_count, 3);
    assert_int_equal(record.events[0].time_ms, now_ms - 5000);
    assert_int_equal(record.events[1].time_ms, now_ms - 3000);
    assert_int_equal(record.events[2].time_ms, now_ms - 1000);
    assert_int_equal(f->stats.refused[REFUSAL_TIME], 1);
    assert_int_equal(f->stats.refused[REFUSAL_POSITION], 1);
    assert_int_equal(f->stats.events, 3);
    offer_card(f, up, &report); /* the repeat tells nothing again */
    assert_int_equal(f->record_count, 2);
    assert_int_equal(f->stats.refused[REFUSAL_TIME], 1);
}

/* A sender that keeps its report until the receipt must not wait for ever. */
static void a_report_without_one_good_event_takes_its_number(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 1);
    f->events[0].event.time_ms = 1;
    offer_card(f, up, &report);
    report = report_of(f, 2, 0); /* empty */
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 4);
    assert_int_equal(letter_at(f, 0).reason, REFUSAL_TIME);
    assert_int_equal(report_at(f, 1).event_count, 0);
    assert_int_equal(letter_at(f, 2).reason, REFUSAL_EMPTY);
    assert_int_equal(report_at(f, 3).event_count, 0);
    assert_int_equal(report_at(f, 3).origin.seq, 2);
    assert_int_equal(f->wanted, 2);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->durable_to, 2);
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 4);
    assert_int_equal(f->stats.repeats, 1);
}

static void an_sos_is_taken_and_its_flaw_told(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 1);
    f->events[0] = (struct wire_event){
        .event = {.type = EVENT_SIGNAL, .kind = SIGNAL_SOS, .flags = EVENT_NO_POSITION}};
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 2);
    assert_true(tells(letter_at(f, 0).detail, "the SOS is taken without it"));
    struct report record = report_at(f, 1);
    assert_int_equal(record.event_count, 1);
    assert_int_equal(record.events[0].time_ms, now_ms);
    assert_int_equal(record.events[0].card_no, 1);
}

static void an_epoch_that_was_left_is_refused_and_answered(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 1);
    offer_card(f, up, &report);
    report.epoch = 6;
    report.seq = 2;
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, 2);
    assert_int_equal(letter_at(f, 1).reason, REFUSAL_SEQUENCE);
    assert_true(tells(letter_at(f, 1).detail, "epoch 7"));
    assert_int_equal(f->wanted, 2);
    report.epoch = 8;
    report.seq = 1;
    offer_card(f, up, &report);
    assert_int_equal(report_at(f, 2).origin.epoch, 8);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->epoch, 8);
}

static void pass_of(struct fixture *f, uint32_t place, const char *card)
{
    f->events[place] = (struct wire_event){
        .event = {.type = EVENT_PASS, .time_ms = now_ms, .kind = PASS_IN}, .card = text_of(card)};
}

static void a_gate_names_cards_of_any_school(void **state)
{
    struct fixture *f = *state;
    struct wire_report report = report_of(f, 1, 4);
    pass_of(f, 0, "c1");
    pass_of(f, 1, "nobody");
    pass_of(f, 2, "c3"); /* a visitor */
    pass_of(f, 3, "c5"); /* beyond the limit */
    report.sender = TEXT("g1");
    encode_gate_report(&f->payload, &report);
    assert_int_equal(offer(f, "campus/v1/s1/gate/g1/up"), STATUS_OK);
    assert_int_equal(f->record_count, 2);
    assert_true(tells(letter_at(f, 0).detail, "event 1 (pass): card \"nobody\""));
    assert_int_equal(f->stats.refused[REFUSAL_UNKNOWN_CARD], 2);
    struct report record = report_at(f, 1);
    assert_int_equal(record.origin.kind, ORIGIN_GATE);
    assert_int_equal(record.origin.no, 1);
    assert_int_equal(record.event_count, 2);
    assert_int_equal(record.events[0].card_no, 1);
    assert_int_equal(record.events[1].card_no, 3);
    assert_int_equal(record.events[1].gate_no, 1);
    assert_int_equal(f->wanted_last.kind, ORIGIN_GATE);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_GATE, 1)->durable_to, 1);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 1)->durable_to, 0);
    report.sender = TEXT("g2");
    buffer_clear(&f->payload);
    encode_gate_report(&f->payload, &report);
    assert_int_equal(offer(f, "campus/v1/s1/gate/g1/up"), STATUS_OK);
    assert_int_equal(letter_at(f, 2).reason, REFUSAL_CLAIM);
}

/* Good, no claim, unknown, another school, c1 again, its repeat, a bad number, an event too old. */
static void encode_gateway_of_all_kinds(struct fixture *f)
{
    static const char *const senders[] = {"c1", "", "nobody", "c3", "c2", "c2", "c1", "c1"};
    static const uint64_t numbers[] = {1, 1, 1, 1, 1, 1, 0, 2};
    struct wire_event old = fix_at(1);
    struct wire_report items[8];
    const struct wire_reports reports = {8, items};
    for (uint32_t i = 0; i < 8; i++) {
        items[i] = report_of(f, numbers[i], 1);
        items[i].sender = text_of(senders[i]);
    }
    items[7].events = &old;
    buffer_clear(&f->payload);
    encode_gateway_report(&f->payload, &reports);
}

static const char gateway_up[] = "campus/v1/s1/gateway/w1/up";

static void check_gateway_of_all_kinds(struct fixture *f)
{
    assert_int_equal(f->record_count, 4);
    struct refused letter = letter_at(f, 0);
    assert_true(tells(letter.detail, "report 1 (card \"\"): it names no card"));
    assert_true(tells(letter.detail, "report 2 (card \"nobody\"): "));
    assert_true(tells(letter.detail, "report 3 (card \"c3\"): "));
    assert_true(tells(letter.detail, "report 6 (card \"c1\"): "));
    assert_true(tells(letter.detail, "report 7 (card \"c1\"): event 0 (fix): time_ms"));
    static const enum refusal once[] = {REFUSAL_CLAIM, REFUSAL_UNKNOWN_CARD, REFUSAL_WRONG_SCHOOL,
                                        REFUSAL_SEQUENCE, REFUSAL_TIME};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        assert_int_equal(f->stats.refused[once[i]], 1);
    }
    assert_int_equal(f->stats.dead_letters, 1);
    assert_int_equal(report_at(f, 1).origin.no, 1);
    assert_int_equal(report_at(f, 2).origin.no, 2);
    assert_int_equal(report_at(f, 3).origin.seq, 2);
    assert_int_equal(report_at(f, 3).event_count, 0);
    assert_int_equal(f->stats.reports, 3);
    assert_int_equal(f->stats.messages, 1);
}

static void a_gateway_carries_many_cards_and_each_stands_alone(void **state)
{
    struct fixture *f = *state;
    encode_gateway_of_all_kinds(f);
    assert_int_equal(offer(f, gateway_up), STATUS_OK);
    check_gateway_of_all_kinds(f);
    assert_int_equal(f->stats.repeats, 1);
}

/* Wherever the journal is full: offered again, the message gives the same records, each once. */
static void a_full_journal_doubles_nothing_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    for (uint32_t fail_at = 1; fail_at <= 5; fail_at++) {
        ingest_free(f->ingest);
        f->ingest = new_ingest(f);
        drop_records(f);
        f->appends = 0;
        f->fail_at = fail_at;
        encode_gateway_of_all_kinds(f);
        enum status status = offer(f, gateway_up);
        assert_int_equal(status, fail_at <= 4 ? STATUS_FULL : STATUS_OK);
        if (status == STATUS_FULL) {
            f->fail_at = f->appends + 1; /* and full still, before anything else */
            assert_int_equal(offer(f, gateway_up), STATUS_FULL);
            assert_int_equal(f->stats.messages, 0);
            assert_int_equal(offer(f, gateway_up), STATUS_OK);
        }
        check_gateway_of_all_kinds(f);
    }
    f->fail_at = 0;
    encode_gateway_of_all_kinds(f); /* it was taken: what comes now is another message */
    assert_int_equal(offer(f, gateway_up), STATUS_OK);
    assert_int_equal(f->stats.dead_letters, 2);
}

/* Of every kind, more than are looked up at once; texts in `bytes`. Returns how many. */
static uint32_t write_mixed(struct fixture *f, struct buffer *bytes, struct broker_message *ret)
{
    enum { MESSAGES = 150 };
    static const char *const topics[] = {"campus/v1/s1/card/c1/up", "campus/v1/s1/card/c2/up",
                                         "campus/v1/s2/card/c3/up", "campus/v1/s1/card/c3/up",
                                         "campus/v1/s9/card/c1/up", "campus/v1/s1/card/c9/up",
                                         "campus/v1/s1/card/c5/up", "campus/v1/s1/cart/c1/up"};
    enum { TOPICS = sizeof topics / sizeof topics[0] };
    size_t starts[MESSAGES + 1];
    for (uint32_t i = 0; i < MESSAGES; i++) {
        starts[i] = bytes->size;
        if (i % 10 == 9) {
            encode_gateway_of_all_kinds(f);
            buffer_append(bytes, f->payload.data, f->payload.size);
        } else {
            const struct wire_report report = report_of(f, 100 + i / 4, 1); /* repeats, too */
            encode_card_report(bytes, &report);
        }
    }
    starts[MESSAGES] = bytes->size;
    for (uint32_t i = 0; i < MESSAGES; i++) { /* where they lie at last */
        ret[i] = (struct broker_message){text_of(i % 10 == 9 ? gateway_up : topics[i % TOPICS]),
                                         {bytes->data + starts[i], starts[i + 1] - starts[i]},
                                         now_ms};
    }
    return MESSAGES;
}

static void messages_taken_together_are_as_taken_one_by_one(void **state)
{
    struct fixture *f = *state;
    struct broker_message messages[150];
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    const uint32_t count = write_mixed(f, &bytes, messages);
    for (uint32_t i = 0; i < count; i++) {
        const struct broker_message *one = &messages[i];
        assert_int_equal(ingest_message(f->ingest, one->topic, one->payload, now_ms), STATUS_OK);
    }
    struct ingest_stats one_by_one, together;
    ingest_stats(f->ingest, &one_by_one);
    const uint32_t records = f->record_count, wanted = f->wanted;
    assert_true(records > 64 && one_by_one.repeats > 0 && one_by_one.dead_letters > 64);

    static struct fixture other; /* the second time; the journal is full now and then */
    other.directory = f->directory;
    other.ingest = new_ingest(&other);
    uint32_t done = 0, taken = 0, stops = 0;
    for (other.fail_at = 7; done < count; done += taken) {
        enum status status = ingest_messages(other.ingest, messages + done, count - done, &taken);
        assert_int_equal(status, done + taken < count ? STATUS_FULL : STATUS_OK);
        stops += status != STATUS_OK;
        other.fail_at = other.appends + 50;
    }
    ingest_stats(other.ingest, &together);
    assert_true(stops > 2);
    assert_true(together.repeats >= one_by_one.repeats && other.wanted >= wanted);
    together.repeats = one_by_one.repeats; /* what was offered again counts once more */
    assert_memory_equal(&one_by_one, &together, sizeof together);
    assert_int_equal(other.record_count, records);
    for (uint32_t i = 0; i < records; i++) {
        assert_int_equal(other.records[i].size, f->records[i].size);
        assert_memory_equal(other.records[i].at, f->records[i].at, f->records[i].size);
    }
    drop_records(&other);
    ingest_free(other.ingest);
    buffer_release(&bytes);
}

static void many_messages_may_wait_for_room_at_once(void **state)
{
    struct fixture *f = *state;
    enum { WAITING = 20 };
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < WAITING; i++) {
            struct wire_report report = report_of(f, i + 1, 2);
            f->events[0].event.time_ms = 1;
            buffer_clear(&f->payload);
            encode_card_report(&f->payload, &report);
            f->fail_at = round == 0 ? f->appends + 2 : round == 1 ? f->appends + 1 : 0;
            assert_int_equal(offer(f, up), round < 2 ? STATUS_FULL : STATUS_OK);
        }
    }
    assert_int_equal(f->stats.dead_letters, WAITING);
    assert_int_equal(f->stats.reports, WAITING);
    assert_int_equal(f->stats.refused[REFUSAL_TIME], WAITING);
}

static void offer_location(struct fixture *f, int64_t tst_s, double lat)
{
    char json[200];
    (void)snprintf(json, sizeof json,
                   "{\"_type\":\"location\",\"tst\":%lld,\"lat\":%.4f,\"lon\":113.1}",
                   (long long)tst_s, lat);
    offer_text(f, "owntracks/walker/handset", json);
}

static void a_phone_is_taken_in_any_order_and_each_location_once(void **state)
{
    struct fixture *f = *state;
    const int64_t now_s = now_ms / 1000;
    offer_location(f, now_s, 36.1);
    offer_location(f, now_s - 86400, 36.1); /* a day late */
    offer_location(f, now_s - 5, 36.1);
    offer_location(f, now_s - 5, 36.2); /* two places of one second */
    assert_int_equal(f->record_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(report_at(f, i).origin.no, 4);
        assert_int_equal(report_at(f, i).events[0].card_no, 4);
    }
    offer_location(f, now_s - 86400, 36.1);
    offer_location(f, now_s, 36.1);
    assert_int_equal(f->record_count, 4);
    assert_int_equal(f->stats.repeats, 2);
    assert_int_equal(f->wanted, 0);
    /* the card itself counts as if there were no phone */
    struct wire_report report = report_of(f, 1, 1);
    report.epoch = 0;
    offer_card(f, "campus/v1/s1/card/c4/up", &report);
    assert_int_equal(f->record_count, 5);
    assert_int_equal(ingest_sequence(f->ingest, ORIGIN_CARD, 4)->durable_to, 1);
    assert_int_equal(f->stats.gaps, 0);
}

static void the_journal_rebuilds_the_windows(void **state)
{
    struct fixture *f = *state;
    for (uint64_t seq = 1; seq <= 5; seq++) {
        struct wire_report report = report_of(f, seq, 1);
        offer_card(f, up, &report);
    }
    offer_location(f, now_ms / 1000, 36.1);
    struct ingest *second = new_ingest(f);
    for (uint32_t i = 0; i < f->record_count; i++) {
        struct report report = report_at(f, i);
        ingest_replay(second, &report);
        ingest_replay(second, &report); /* twice does no harm */
    }
    const struct report beyond = {.origin = {.kind = ORIGIN_CARD, .no = CARDS, .seq = 1}};
    ingest_replay(second, &beyond);
    ingest_free(f->ingest);
    f->ingest = second;
    assert_int_equal(ingest_sequence(second, ORIGIN_CARD, 1)->durable_to, 5);
    uint32_t records = f->record_count;
    struct wire_report report = report_of(f, 5, 1);
    offer_card(f, up, &report);
    offer_location(f, now_ms / 1000, 36.1);
    assert_int_equal(f->record_count, records);
    assert_int_equal(f->stats.repeats, 2);
    report = report_of(f, 6, 1);
    offer_card(f, up, &report);
    assert_int_equal(f->record_count, records + 1);
}

static void without_a_directory_nothing_is_taken(void **state)
{
    struct fixture *f = *state;
    const struct ingest_options options = {.cards_max = 2,
                                           .gates_max = 2,
                                           .append = append,
                                           .want_receipt = want_receipt,
                                           .context = f};
    struct ingest *ingest;
    assert_int_equal(ingest_new(&options, &ingest), STATUS_OK);
    assert_int_equal(ingest_message(ingest, TEXT("x"), TEXT("y"), now_ms), STATUS_UNAVAILABLE);
    assert_int_equal(f->appends, 0);
    assert_null(ingest_sequence(ingest, ORIGIN_CARD, 0));
    assert_null(ingest_sequence(ingest, ORIGIN_CARD, 2));
    assert_null(ingest_sequence(ingest, 3, 1));
    assert_non_null(ingest_sequence(ingest, ORIGIN_GATE, 1));
    ingest_free(ingest);
    ingest_free(NULL);
}

static enum status append_nothing(void *context, uint32_t type, struct text bytes)
{
    (void)context;
    (void)type;
    (void)bytes;
    return STATUS_OK;
}

static void the_way_into_the_journal_asks_for_no_memory(void **state)
{
    struct fixture *f = *state;
    const struct ingest_options options = {.cards_max = CARDS,
                                           .gates_max = 3,
                                           .datum_default = GEO_GCJ02,
                                           .append = append_nothing,
                                           .want_receipt = want_receipt,
                                           .context = f};
    struct ingest *ingest;
    assert_int_equal(ingest_new(&options, &ingest), STATUS_OK);
    ingest_set_directory(ingest, f->directory);
    struct wire_report report = report_of(f, 1, REPORT_EVENTS_MAX);
    f->events[7].event.time_ms = 1;
    encode_card_report(&f->payload, &report);
    const struct text payload = {f->payload.data, f->payload.size};
    unsigned long before = allocations();
    assert_int_equal(ingest_message(ingest, text_of(up), payload, now_ms), STATUS_OK);
    assert_int_equal(ingest_message(ingest, text_of(up), payload, now_ms), STATUS_OK);
    assert_int_equal(ingest_message(ingest, TEXT("x"), payload, now_ms), STATUS_OK);
    assert_int_equal(allocations(), before);
    ingest_free(ingest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(looking_at_a_message_takes_nothing_and_leaves_repeats_out),
        TEST(a_report_becomes_one_record),
        TEST(a_repeat_is_dropped_and_still_gets_its_receipt),
        TEST(reports_are_taken_in_any_order_within_the_window),
        TEST(each_refusal_is_counted_and_kept_as_a_dead_letter),
        TEST(what_does_not_decode_is_a_dead_letter),
        TEST(a_long_message_is_cut_in_its_dead_letter),
        TEST(refused_events_are_left_out_and_told_by_their_place),
        TEST(a_report_without_one_good_event_takes_its_number),
        TEST(an_sos_is_taken_and_its_flaw_told),
        TEST(an_epoch_that_was_left_is_refused_and_answered),
        TEST(a_gate_names_cards_of_any_school),
        TEST(a_gateway_carries_many_cards_and_each_stands_alone),
        TEST(a_full_journal_doubles_nothing_and_loses_nothing),
        TEST(messages_taken_together_are_as_taken_one_by_one),
        TEST(many_messages_may_wait_for_room_at_once),
        TEST(a_phone_is_taken_in_any_order_and_each_location_once),
        TEST(the_journal_rebuilds_the_windows),
        TEST(without_a_directory_nothing_is_taken),
        TEST(the_way_into_the_journal_asks_for_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
