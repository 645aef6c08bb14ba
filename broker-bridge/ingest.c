#include "broker-bridge/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/buffer.h"
#include "base/touch.h"
#include "broker-bridge/letter.h"
#include "broker-bridge/recent.h"
#include "broker-bridge/topic.h"
#include "core/limits.h"
#include "core/record.h"
#include "proto/codec.h"

/* A topic is cut in its dead letter: what comes from no sender of ours can be 65,535 bytes long. */
#define LETTER_TOPIC_MAX 512u
/* The largest record that is written here, with its head. */
#define RECORD_BYTES_MAX 16384u
_Static_assert(REPORT_EVENTS_MAX * sizeof(struct event) + 256 <= RECORD_BYTES_MAX &&
                   REFUSED_BYTES_MAX + LETTER_TOPIC_MAX + LETTER_BYTES_MAX + 256 <=
                       RECORD_BYTES_MAX,
               "every record fits the room that is taken at the start");
/* Messages whose dead letter is written while the rest waits: at most one for each link. */
#define AGAIN_MAX 64u

/* What is to be done with one report of the message. */
enum verdict {
    TAKE,   /* append it */
    REPEAT, /* here already */
    STALE,  /* of an epoch that the sender left: refused, but the sender may ask where we are */
};

struct item {
    struct origin origin;
    const struct wire_report *report;
    enum verdict verdict;
};

/* What a topic names. Numbers 0: nobody has that id, or it is of no such kind. */
struct address {
    struct topic topic; /* kind 0: none of the contract */
    uint32_t school_no, card_no;
};

struct message {
    struct text name, payload;
    struct address address;
    int64_t arrival_ms;
    uint64_t key; /* of its bytes */
    uint32_t item_count;
    struct item items[GATEWAY_REPORTS_MAX];
    struct wire_report report; /* of topics that carry one */
    struct letter letter;
};

struct ingest {
    struct ingest_options options;
    const struct directory *directory;
    uint32_t cards_end, gates_end; /* numbers from here on were never known */
    struct sequence *cards, *gates;
    struct recent phones;
    struct arena arena;
    struct buffer record;
    struct address addresses[DIRECTORY_BATCH_MAX]; /* of messages that are to be taken next */
    struct message message;
    struct event events[REPORT_EVENTS_MAX]; /* of the report that is being appended */
    uint64_t again[AGAIN_MAX];              /* keys; 0 is none */
    uint32_t again_at;
    struct ingest_stats stats;
};

/* ---- lifecycle ---- */

enum status ingest_new(const struct ingest_options *options, struct ingest **ret)
{
    ASSERT(options->append != NULL && options->want_receipt != NULL);
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (ingest == NULL) {
        return STATUS_NO_MEMORY;
    }
    ingest->options = *options;
    buffer_init(&ingest->record, RECORD_BYTES_MAX);
    ingest->cards = calloc((size_t)options->cards_max + 1, sizeof *ingest->cards);
    ingest->gates = calloc((size_t)options->gates_max + 1, sizeof *ingest->gates);
    bool whole = ingest->cards != NULL && ingest->gates != NULL &&
                 buffer_extend(&ingest->record, RECORD_BYTES_MAX) != NULL &&
                 recent_init(&ingest->phones, OWNTRACKS_REMEMBERED) == STATUS_OK &&
                 arena_init_fixed(&ingest->arena, DECODE_ARENA_BYTES) == STATUS_OK;
    if (!whole) {
        ingest_free(ingest);
        return STATUS_NO_MEMORY;
    }
    *ret = ingest;
    return STATUS_OK;
}

void ingest_free(struct ingest *ingest)
{
    if (ingest != NULL) {
        arena_release(&ingest->arena);
        recent_release(&ingest->phones);
        buffer_release(&ingest->record);
        free(ingest->cards);
        free(ingest->gates);
        free(ingest);
    }
}

static void note_end(uint32_t *end, uint32_t now, uint32_t max)
{
    now = now < max ? now : max;
    *end = now > *end ? now : *end;
}

void ingest_set_directory(struct ingest *ingest, const struct directory *directory)
{
    ASSERT(directory != NULL);
    ingest->directory = directory;
    note_end(&ingest->cards_end, directory->card_end, ingest->options.cards_max);
    note_end(&ingest->gates_end, directory->gate_end, ingest->options.gates_max);
}

/* ---- the windows ---- */

static struct sequence *window_of(const struct ingest *ingest, uint8_t kind, uint32_t no)
{
    if (kind == ORIGIN_CARD) {
        return no > 0 && no < ingest->options.cards_max ? &ingest->cards[no] : NULL;
    }
    return kind == ORIGIN_GATE && no > 0 && no < ingest->options.gates_max ? &ingest->gates[no]
                                                                           : NULL;
}

/* Of a number that was found within the maxima. */
static struct sequence *known_window(const struct ingest *ingest, const struct origin *origin)
{
    struct sequence *window = window_of(ingest, origin->kind, origin->no);
    ASSERT(window != NULL);
    return window;
}

static bool is_phone(const struct origin *origin)
{
    return origin->kind == ORIGIN_CARD && seq_is_owntracks(origin->epoch, origin->seq);
}

static enum verdict judge(const struct ingest *ingest, const struct origin *origin)
{
    if (is_phone(origin)) {
        return recent_has(&ingest->phones, origin->no, origin->seq) ? REPEAT : TAKE;
    }
    const struct sequence *window = known_window(ingest, origin);
    if (origin->epoch < window->epoch) {
        return STALE;
    }
    return sequence_seen(window, origin->epoch, origin->seq) ? REPEAT : TAKE;
}

static void advance(struct ingest *ingest, const struct origin *origin, uint64_t keep_from)
{
    if (is_phone(origin)) {
        if (!recent_has(&ingest->phones, origin->no, origin->seq)) {
            recent_add(&ingest->phones, origin->no, origin->seq);
        }
        return;
    }
    struct sequence *window = known_window(ingest, origin);
    uint32_t gaps = window->gaps;
    sequence_take(window, origin->epoch, origin->seq, keep_from);
    ingest->stats.gaps += window->gaps - gaps;
}

void ingest_replay(struct ingest *ingest, const struct report *report)
{
    if (window_of(ingest, report->origin.kind, report->origin.no) != NULL) {
        bool is_card = report->origin.kind == ORIGIN_CARD;
        note_end(is_card ? &ingest->cards_end : &ingest->gates_end, report->origin.no + 1,
                 is_card ? ingest->options.cards_max : ingest->options.gates_max);
        advance(ingest, &report->origin, report->keep_from);
    }
}

/* ---- the windows as bytes ---- */

struct image_head {
    uint32_t cards_max, gates_max, cards_end, gates_end, window_bytes, phones, at, reserved;
};

static struct image_head image_head_of(const struct ingest *ingest)
{
    return (struct image_head){.cards_max = ingest->options.cards_max,
                               .gates_max = ingest->options.gates_max,
                               .cards_end = ingest->cards_end,
                               .gates_end = ingest->gates_end,
                               .window_bytes = sizeof *ingest->cards,
                               .phones = ingest->phones.mask + 1,
                               .at = ingest->phones.at};
}

enum { IMAGE_PARTS = 4 };

/* Returns the bytes of all, the head's too. */
static size_t image_parts(const struct ingest *ingest, const struct image_head *head,
                          void *ret[IMAGE_PARTS], size_t ret_bytes[IMAGE_PARTS])
{
    void *const parts[IMAGE_PARTS] = {ingest->cards, ingest->gates, ingest->phones.pairs,
                                      ingest->phones.buckets};
    const size_t bytes[IMAGE_PARTS] = {
        head->cards_end * sizeof *ingest->cards, head->gates_end * sizeof *ingest->gates,
        head->phones * sizeof *ingest->phones.pairs, head->phones * sizeof *ingest->phones.buckets};
    memcpy(ret, parts, sizeof parts);
    memcpy(ret_bytes, bytes, sizeof bytes);
    return sizeof *head + bytes[0] + bytes[1] + bytes[2] + bytes[3];
}

size_t ingest_image_bytes(const struct ingest *ingest)
{
    void *parts[IMAGE_PARTS];
    size_t bytes[IMAGE_PARTS];
    const struct image_head head = image_head_of(ingest);
    return image_parts(ingest, &head, parts, bytes);
}

void ingest_image_put(const struct ingest *ingest, void *out)
{
    void *parts[IMAGE_PARTS];
    size_t bytes[IMAGE_PARTS];
    const struct image_head head = image_head_of(ingest);
    char *at = out;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    (void)image_parts(ingest, &head, parts, bytes);
    for (int i = 0; i < IMAGE_PARTS; i++) {
        memcpy(at, parts[i], bytes[i]);
        at += bytes[i];
    }
}

enum status ingest_image_get(struct ingest *ingest, const void *image, size_t size)
{
    void *parts[IMAGE_PARTS];
    size_t bytes[IMAGE_PARTS];
    struct image_head head, own = image_head_of(ingest);
    if (size < sizeof head) {
        return STATUS_UNSUPPORTED;
    }
    memcpy(&head, image, sizeof head);
    own.at = head.at;
    own.cards_end = head.cards_end;
    own.gates_end = head.gates_end;
    if (memcmp(&head, &own, sizeof head) != 0 || head.at > ingest->phones.mask ||
        head.cards_end > head.cards_max || head.gates_end > head.gates_max ||
        size != image_parts(ingest, &head, parts, bytes)) {
        return STATUS_UNSUPPORTED;
    }
    const char *at = (const char *)image + sizeof head;
    for (int i = 0; i < IMAGE_PARTS; i++) {
        memcpy(parts[i], at, bytes[i]);
        at += bytes[i];
    }
    ingest->phones.at = head.at;
    ingest->cards_end = head.cards_end;
    ingest->gates_end = head.gates_end;
    return STATUS_OK;
}

const struct sequence *ingest_sequence(const struct ingest *ingest, uint8_t origin_kind,
                                       uint32_t no)
{
    return window_of(ingest, origin_kind, no);
}

/* ---- first pass: who says what, and may they? nothing is appended yet ---- */

static void note_event(struct letter *letter, uint32_t index, const struct wire_event *event)
{
    static const char *const words[] = {[EVENT_FIX] = "fix",
                                        [EVENT_PASS] = "pass",
                                        [EVENT_SIGNAL] = "signal",
                                        [EVENT_CALL] = "call"};
    letter_note(letter, event->flaw, "event %u (%s): %s: %s%s", index, words[event->event.type],
                event->field, refusal_meaning(event->flaw),
                event->refusal == REFUSAL_NONE ? "; the SOS is taken without it" : "");
}

/* The number of the card, 0 with a note when nobody is to report by it. no: as the directory has it. */
static uint32_t check_card(const struct ingest *ingest, uint32_t no, struct text id,
                           struct letter *letter, const char *what)
{
    if (no == 0) {
        letter_note(letter, REFUSAL_UNKNOWN_CARD, "%s \"%.*s\" is not in the registry", what,
                    TEXT_FMT(id));
    } else if (no >= ingest->options.cards_max) {
        letter_note(letter, REFUSAL_UNKNOWN_CARD,
                    "%s \"%.*s\" has number %u: limit.cards is %u, raise it", what, TEXT_FMT(id),
                    no, ingest->options.cards_max);
        return 0;
    }
    return no;
}

/* Passes: whose card. A pupil may visit another school, so any card of the registry will do. */
static void find_passed_card(const struct ingest *ingest, uint32_t index, struct wire_event *event,
                             struct letter *letter)
{
    char what[32];
    (void)snprintf(what, sizeof what, "event %u (pass): card", index);
    event->event.card_no = check_card(ingest, directory_card(ingest->directory, event->card),
                                      event->card, letter, what);
    if (event->event.card_no == 0) {
        event->refusal = event->flaw = REFUSAL_UNKNOWN_CARD;
    }
}

static void find_events(const struct ingest *ingest, const struct origin *origin,
                        const struct wire_report *report, struct letter *letter)
{
    for (uint32_t i = 0; i < report->event_count; i++) {
        struct wire_event *event = &report->events[i];
        if (event->flaw != REFUSAL_NONE) {
            note_event(letter, i, event);
        }
        if (event->refusal != REFUSAL_NONE) {
            continue;
        }
        if (origin->kind == ORIGIN_GATE) {
            event->event.gate_no = origin->no;
            find_passed_card(ingest, i, event, letter);
        } else {
            event->event.card_no = origin->no;
        }
    }
}

/* A report of a sender that is who it claims to be. words: why it is refused as a whole. */
static void consider(const struct ingest *ingest, struct message *message, uint8_t kind,
                     uint32_t no, const struct wire_report *report, const char *words)
{
    struct letter *letter = &message->letter;
    if (report->refusal != REFUSAL_NONE && report->seq == 0) {
        letter_note(letter, report->refusal, "%s", words);
        return;
    }
    ASSERT(message->item_count < GATEWAY_REPORTS_MAX);
    struct item *item = &message->items[message->item_count++];
    *item = (struct item){.origin = {.kind = kind, .no = no}, .report = report};
    item->origin.epoch = report->epoch;
    item->origin.seq = report->seq;
    item->verdict = judge(ingest, &item->origin);
    if (item->verdict == STALE) {
        letter_note(letter, REFUSAL_SEQUENCE,
                    "epoch %u seq %llu: this sender was at epoch %u already: raise it above",
                    report->epoch, (unsigned long long)report->seq,
                    known_window(ingest, &item->origin)->epoch);
    } else if (item->verdict == TAKE && report->refusal != REFUSAL_NONE) {
        letter_note(letter, report->refusal, "%s", words);
    } else if (item->verdict == TAKE) {
        find_events(ingest, &item->origin, report, letter);
    }
}

static bool has_school(struct message *message)
{
    if (message->address.school_no == 0) {
        letter_note(&message->letter, REFUSAL_UNKNOWN_SCHOOL,
                    "school \"%.*s\" is not in the registry",
                    TEXT_FMT(message->address.topic.school));
    }
    return message->address.school_no != 0;
}

static bool belongs(struct message *message, uint32_t school_no, const char *what)
{
    if (school_no != message->address.school_no) {
        letter_note(&message->letter, REFUSAL_WRONG_SCHOOL, "the %s is not of school \"%.*s\"",
                    what, TEXT_FMT(message->address.topic.school));
    }
    return school_no == message->address.school_no;
}

/* A payload need not name its sender, but may name no other than its topic. */
static bool claims_right(struct message *message)
{
    const struct text claim = message->report.sender;
    bool right = claim.length == 0 || text_equal(claim, message->address.topic.sender);
    if (!right) {
        letter_note(&message->letter, REFUSAL_CLAIM, "the payload claims \"%.*s\"",
                    claim.length > TEXT_ID_MAX ? TEXT_ID_MAX : (int)claim.length, claim.at);
    }
    return right;
}

static void read_card(const struct ingest *ingest, const struct decode_context *context,
                      struct message *message)
{
    struct status_detail detail = {""};
    if (!has_school(message)) {
        return;
    }
    uint32_t no = check_card(ingest, message->address.card_no, message->address.topic.sender,
                             &message->letter, "card");
    if (no == 0 || !belongs(message, ingest->directory->cards[no].school_no, "card")) {
        return;
    }
    (void)decode_card_report(context, message->payload, &message->report, &detail);
    if (claims_right(message)) {
        consider(ingest, message, ORIGIN_CARD, no, &message->report, detail.text);
    }
}

static void read_gate(const struct ingest *ingest, const struct decode_context *context,
                      struct message *message)
{
    struct status_detail detail = {""};
    if (!has_school(message)) {
        return;
    }
    uint32_t no = directory_gate(ingest->directory, message->address.topic.sender);
    if (no == 0 || no >= ingest->options.gates_max) {
        letter_note(&message->letter, REFUSAL_UNKNOWN_GATE, "gate \"%.*s\" %s",
                    TEXT_FMT(message->address.topic.sender),
                    no == 0 ? "is not in the registry" : "is beyond the limit: raise limit.cards");
        return;
    }
    if (!belongs(message, ingest->directory->gates[no].school_no, "gate")) {
        return;
    }
    (void)decode_gate_report(context, message->payload, &message->report, &detail);
    if (claims_right(message)) {
        consider(ingest, message, ORIGIN_GATE, no, &message->report, detail.text);
    }
}

static void read_owntracks(const struct ingest *ingest, const struct decode_context *context,
                           struct message *message)
{
    struct status_detail detail = {""};
    uint32_t no = directory_owntracks(ingest->directory, message->address.topic.sender);
    if (no == 0 || no >= ingest->options.cards_max) {
        letter_note(&message->letter, REFUSAL_UNKNOWN_CARD, "no card names the device \"%.*s\"",
                    TEXT_FMT(message->address.topic.sender));
        return;
    }
    (void)decode_owntracks(context, message->payload, &message->report, &detail);
    consider(ingest, message, ORIGIN_CARD, no, &message->report, detail.text);
}

/* One of a gateway's reports: it must say whose it is, and be of the topic's school. */
static void read_carried(const struct ingest *ingest, struct message *message,
                         const struct wire_report *report, uint32_t card_no)
{
    struct letter *letter = &message->letter;
    if (!text_is_id(report->sender)) {
        letter_note(letter, REFUSAL_CLAIM, "it names no card");
        return;
    }
    uint32_t no = check_card(ingest, card_no, report->sender, letter, "card");
    if (no == 0 || !belongs(message, ingest->directory->cards[no].school_no, "card")) {
        return;
    }
    const char *words = report->refusal != REFUSAL_NONE ? refusal_meaning(report->refusal) : "";
    consider(ingest, message, ORIGIN_CARD, no, report, words);
}

/* Their numbers, and their windows on the way from memory. */
static void find_cards(const struct ingest *ingest, const struct text *ids, uint32_t count,
                       uint32_t *ret_nos)
{
    directory_cards(ingest->directory, ids, count, ret_nos);
    for (uint32_t i = 0; i < count; i++) {
        if (ret_nos[i] < ingest->options.cards_max) { /* it may lie on two lines of the cache */
            const struct sequence *window = &ingest->cards[ret_nos[i]];
            touch(&window->durable_to);
            touch(&window->epoch);
        }
    }
}

static void read_some_carried(const struct ingest *ingest, struct message *message,
                              const struct wire_reports *reports, uint32_t first, uint32_t count)
{
    struct text ids[DIRECTORY_BATCH_MAX];
    uint32_t nos[DIRECTORY_BATCH_MAX];
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = reports->items[first + i].sender;
    }
    find_cards(ingest, ids, count, nos);
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_report *report = &reports->items[first + i];
        letter_report(&message->letter, first + i, report->sender);
        read_carried(ingest, message, report, nos[i]);
    }
}

static void read_gateway(const struct ingest *ingest, const struct decode_context *context,
                         struct message *message)
{
    struct status_detail detail = {""};
    struct wire_reports reports;
    if (!has_school(message)) {
        return;
    }
    enum refusal refusal = decode_gateway_report(context, message->payload, &reports, &detail);
    if (refusal != REFUSAL_NONE) {
        letter_note(&message->letter, refusal, "%s", detail.text);
        return;
    }
    for (uint32_t first = 0; first < reports.count; first += DIRECTORY_BATCH_MAX) {
        const uint32_t left = reports.count - first;
        read_some_carried(ingest, message, &reports, first,
                          left < DIRECTORY_BATCH_MAX ? left : DIRECTORY_BATCH_MAX);
    }
}

/* Reads the topics, and finds whom they name. */
static void find_addresses(struct ingest *ingest, const struct broker_message *messages,
                           uint32_t count)
{
    struct text schools[DIRECTORY_BATCH_MAX], cards[DIRECTORY_BATCH_MAX];
    uint32_t school_nos[DIRECTORY_BATCH_MAX], card_nos[DIRECTORY_BATCH_MAX];
    ASSERT(count > 0 && count <= DIRECTORY_BATCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct topic *topic = &ingest->addresses[i].topic;
        if (topic_parse(messages[i].topic, topic) != STATUS_OK) {
            *topic = (struct topic){0, TEXT(""), TEXT("")};
        }
        schools[i] = topic->school;
        cards[i] = topic->kind == TOPIC_CARD_UP ? topic->sender : TEXT("");
    }
    directory_schools(ingest->directory, schools, count, school_nos);
    find_cards(ingest, cards, count, card_nos);
    for (uint32_t i = 0; i < count; i++) {
        ingest->addresses[i].school_no = school_nos[i];
        ingest->addresses[i].card_no = card_nos[i];
    }
}

static void read_message(struct ingest *ingest, struct message *message)
{
    const struct decode_context context = {&ingest->arena, message->arrival_ms,
                                           ingest->options.datum_default};
    switch (message->address.topic.kind) {
    case TOPIC_CARD_UP:
        read_card(ingest, &context, message);
        break;
    case TOPIC_GATE_UP:
        read_gate(ingest, &context, message);
        break;
    case TOPIC_GATEWAY_UP:
        read_gateway(ingest, &context, message);
        break;
    case TOPIC_OWNTRACKS:
        read_owntracks(ingest, &context, message);
        break;
    default: /* 0: none of the contract */
        letter_note(&message->letter, REFUSAL_TOPIC, "%s", refusal_meaning(REFUSAL_TOPIC));
    }
}

/* ---- second pass: the dead letter, then the reports ---- */

static enum status append(struct ingest *ingest, enum record_type type)
{
    ASSERT(buffer_status(&ingest->record) == STATUS_OK);
    const struct text record = {ingest->record.data, ingest->record.size};
    return ingest->options.append(ingest->options.context, type, record);
}

static enum status append_letter(struct ingest *ingest, struct message *message)
{
    struct letter *letter = &message->letter;
    struct text name = message->name;
    name.length = name.length > LETTER_TOPIC_MAX ? LETTER_TOPIC_MAX : name.length;
    const struct refused refused = {.arrival_ms = message->arrival_ms,
                                    .reason = letter->reason,
                                    .topic = name,
                                    .detail = letter_text(letter),
                                    .payload = message->payload,
                                    .payload_bytes = message->payload.length < UINT32_MAX
                                                         ? (uint32_t)message->payload.length
                                                         : UINT32_MAX};
    buffer_clear(&ingest->record);
    record_put_refused(&ingest->record, &refused);
    enum status status = append(ingest, RECORD_REFUSED);
    if (status == STATUS_OK) {
        ingest->stats.dead_letters++;
        for (int reason = 0; reason < REFUSAL_COUNT; reason++) {
            ingest->stats.refused[reason] += letter->counts[reason];
        }
    }
    return status;
}

/* Its events lie in ingest->events. */
static struct report make_report(struct ingest *ingest, const struct message *message,
                                 const struct item *item)
{
    const struct wire_report *from = item->report;
    struct report report = {.arrival_ms = message->arrival_ms,
                            .origin = item->origin,
                            .keep_from = from->keep_from,
                            .events = ingest->events};
    for (uint32_t i = 0; i < from->event_count; i++) {
        if (from->events[i].refusal == REFUSAL_NONE) {
            ingest->events[report.event_count++] = from->events[i].event;
        }
    }
    return report;
}

static enum status append_report(struct ingest *ingest, const struct message *message,
                                 const struct item *item)
{
    struct report report = make_report(ingest, message, item);
    buffer_clear(&ingest->record);
    record_put_report(&ingest->record, &report);
    enum status status = append(ingest, RECORD_REPORT);
    if (status == STATUS_OK) {
        advance(ingest, &item->origin, report.keep_from);
        ingest->stats.reports++;
        ingest->stats.events += report.event_count;
    }
    return status;
}

static enum status take(struct ingest *ingest, const struct message *message,
                        const struct item *item)
{
    enum verdict verdict = item->verdict;
    if (verdict == TAKE) { /* one before it in the same message may have been the same */
        verdict = judge(ingest, &item->origin);
    }
    if (verdict == TAKE) {
        enum status status = append_report(ingest, message, item);
        if (status != STATUS_OK) {
            return status;
        }
    } else if (verdict == REPEAT) {
        ingest->stats.repeats++;
    }
    if (item->report->want_receipt) {
        ingest->options.want_receipt(ingest->options.context, &item->origin);
    }
    return STATUS_OK;
}

/* ---- messages that come again because a record found no room ---- */

static uint64_t key_of(struct text name, struct text payload)
{
    uint64_t key = text_hash(name) * 31 + text_hash(payload) + payload.length;
    return key != 0 ? key : 1;
}

/* The place of the message whose dead letter is written already; NULL: it is not. */
static uint64_t *find_again(struct ingest *ingest, uint64_t key)
{
    for (uint32_t i = 0; i < ingest->again_at; i++) {
        if (ingest->again[i] == key) {
            return &ingest->again[i];
        }
    }
    return NULL;
}

static void remember_again(struct ingest *ingest, uint64_t key)
{
    if (find_again(ingest, key) == NULL) {
        if (ingest->again_at == AGAIN_MAX) { /* more than links: the oldest never came again */
            memmove(ingest->again, ingest->again + 1, sizeof ingest->again - sizeof key);
            ingest->again_at--;
        }
        ingest->again[ingest->again_at++] = key;
    }
}

static void forget_again(struct ingest *ingest, uint64_t key)
{
    uint64_t *place = find_again(ingest, key);
    if (place != NULL) {
        *place = ingest->again[--ingest->again_at];
    }
}

static enum status take_message(struct ingest *ingest, struct message *message)
{
    if (message->letter.reason != REFUSAL_NONE && find_again(ingest, message->key) == NULL) {
        enum status status = append_letter(ingest, message);
        if (status != STATUS_OK) {
            return status;
        }
        remember_again(ingest, message->key);
    }
    for (uint32_t i = 0; i < message->item_count; i++) {
        enum status status = take(ingest, message, &message->items[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    forget_again(ingest, message->key);
    ingest->stats.messages++;
    return STATUS_OK;
}

static struct message *begin_message(struct ingest *ingest, const struct broker_message *from,
                                     const struct address *address)
{
    struct message *message = &ingest->message;
    message->name = from->topic;
    message->payload = from->payload;
    message->address = *address;
    message->arrival_ms = from->arrival_ms;
    message->item_count = 0;
    letter_clear(&message->letter);
    arena_reset(&ingest->arena);
    read_message(ingest, message);
    return message;
}

void ingest_look(struct ingest *ingest, struct text topic, struct text payload, int64_t arrival_ms,
                 void (*on_report)(void *context, const struct report *report), void *context)
{
    const struct broker_message one = {topic, payload, arrival_ms};
    if (ingest->directory == NULL) {
        return;
    }
    find_addresses(ingest, &one, 1);
    const struct message *message = begin_message(ingest, &one, ingest->addresses);
    for (uint32_t i = 0; i < message->item_count; i++) {
        const struct item *item = &message->items[i];
        if (item->verdict == TAKE && item->report->refusal == REFUSAL_NONE) {
            const struct report report = make_report(ingest, message, item);
            on_report(context, &report);
        }
    }
}

static enum status take_one(struct ingest *ingest, const struct broker_message *from,
                            const struct address *address)
{
    struct message *message = begin_message(ingest, from, address);
    message->key = 0;
    if (message->letter.reason != REFUSAL_NONE || ingest->again_at > 0) {
        message->key = key_of(from->topic, from->payload);
    }
    return take_message(ingest, message);
}

enum status ingest_messages(struct ingest *ingest, const struct broker_message *messages,
                            uint32_t count, uint32_t *ret_taken)
{
    enum status status = ingest->directory != NULL ? STATUS_OK : STATUS_UNAVAILABLE;
    uint32_t taken = 0;
    while (taken < count && status == STATUS_OK) {
        const struct broker_message *some = messages + taken;
        const uint32_t left = count - taken;
        const uint32_t end = left < DIRECTORY_BATCH_MAX ? left : DIRECTORY_BATCH_MAX;
        find_addresses(ingest, some, end);
        for (uint32_t i = 0; i < end && status == STATUS_OK; i++) {
            status = take_one(ingest, &some[i], &ingest->addresses[i]);
            taken += status == STATUS_OK;
        }
    }
    *ret_taken = taken;
    return status;
}

enum status ingest_message(struct ingest *ingest, struct text topic, struct text payload,
                           int64_t arrival_ms)
{
    const struct broker_message one = {topic, payload, arrival_ms};
    uint32_t taken;
    return ingest_messages(ingest, &one, 1, &taken);
}

void ingest_stats(const struct ingest *ingest, struct ingest_stats *ret)
{
    *ret = ingest->stats;
}
