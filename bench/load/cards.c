#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "bench/load/load.h"
#include "cli/cli.h"

enum column { SCHOOL, CARD, LAT, LON, COLUMN_COUNT };
static const char *const column_names[COLUMN_COUNT + 1] = {"school", "card", "lat", "lon", NULL};

enum { ROWS_MAX = 8000000, AWAY_E7 = 44966 }; /* LOAD_AWAY_M in 1e-7 degrees north */
static const size_t arena_bytes_max = (size_t)4 << 30;

static enum status read_place(const struct csv_row *row, const int *places, struct load_card *card)
{
    double lat, lon;
    if (text_to_double(row->fields[places[LAT]], &lat) != STATUS_OK ||
        text_to_double(row->fields[places[LON]], &lon) != STATUS_OK ||
        geo_point_from_degrees(lat, lon, &card->inside) != STATUS_OK) {
        return STATUS_INVALID;
    }
    card->outside = card->inside;
    card->outside.lat_e7 += card->inside.lat_e7 < GEO_LAT_E7_MAX - AWAY_E7 ? AWAY_E7 : -AWAY_E7;
    return STATUS_OK;
}

static enum status read_row(struct load_cards *cards, const struct csv_row *row, const int *places,
                            const char *path, struct status_detail *detail)
{
    struct load_card *card = &cards->items[cards->in_file];
    for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
        if ((uint32_t)places[i] >= row->field_count) {
            return status_detail_set(detail, STATUS_INVALID, "%s:%u: no column %s in this row",
                                     path, row->line, column_names[i]);
        }
    }
    struct text school = row->fields[places[SCHOOL]], id = row->fields[places[CARD]];
    if (!text_is_id(school) || !text_is_id(id)) {
        return status_detail_set(detail, STATUS_INVALID, "%s:%u: school or card is no identifier",
                                 path, row->line);
    }
    if (read_place(row, places, card) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "%s:%u: lat, lon are no position in degrees", path, row->line);
    }
    char topic[64 + 2 * sizeof(char[TEXT_ID_MAX])];
    int length = snprintf(topic, sizeof topic, "campus/v1/%.*s/card/%.*s/up", TEXT_FMT(school),
                          TEXT_FMT(id));
    card->id = arena_copy_text(&cards->arena, id.at, id.length);
    card->school = arena_copy_text(&cards->arena, school.at, school.length);
    card->topic = arena_copy_text(&cards->arena, topic, (size_t)length);
    if (card->id == NULL || card->school == NULL || card->topic == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
    }
    cards->in_file++;
    return STATUS_OK;
}

static uint32_t count_lines(struct text text)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.length && lines < ROWS_MAX; i++) {
        lines += text.at[i] == '\n';
    }
    return lines;
}

static enum status read_rows(struct load_cards *cards, const char *path,
                             struct status_detail *detail)
{
    struct text text;
    enum status status = cli_read_file(path, &cards->arena, &text, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct csv csv;
    struct csv_row row;
    int places[COLUMN_COUNT];
    csv_init(&csv, text, &cards->arena);
    status = csv_header(&csv, column_names, places, detail);
    for (uint32_t i = 0; status == STATUS_OK && i < COLUMN_COUNT; i++) {
        if (places[i] < 0) {
            status = status_detail_set(detail, STATUS_INVALID, "no column %s", column_names[i]);
        }
    }
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s", path);
    }
    uint32_t lines = count_lines(text);
    cards->items = calloc(lines, sizeof *cards->items);
    if (cards->items == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
    }
    while ((status = csv_next(&csv, &row, detail)) == STATUS_OK) {
        if (cards->in_file == lines) { /* a quoted field cannot make more rows than lines */
            return status_detail_set(detail, STATUS_TOO_LARGE, "%s: over %u rows", path, lines);
        }
        status = read_row(cards, &row, places, path, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (status != STATUS_END) {
        return status_detail_wrap(detail, status, "%s", path);
    }
    return cards->in_file > 0
               ? STATUS_OK
               : status_detail_set(detail, STATUS_INVALID, "%s: no cards in it", path);
}

static uint32_t *place_of(const struct load_cards *cards, struct text id)
{
    uint32_t at = (uint32_t)text_hash(id) & (cards->table_size - 1);
    while (cards->table[at] != LOAD_NONE && !text_is(id, cards->items[cards->table[at]].id)) {
        at = (at + 1) & (cards->table_size - 1);
    }
    return &cards->table[at];
}

static enum status make_table(struct load_cards *cards, const char *path,
                              struct status_detail *detail)
{
    cards->table_size = 16;
    while (cards->table_size < cards->count * 2) {
        cards->table_size *= 2;
    }
    cards->table = malloc(cards->table_size * sizeof *cards->table);
    if (cards->table == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory", path);
    }
    memset(cards->table, 0xff, cards->table_size * sizeof *cards->table); /* LOAD_NONE */
    for (uint32_t i = 0; i < cards->count; i++) {
        uint32_t *place = place_of(cards, text_of(cards->items[i].id));
        if (*place != LOAD_NONE) {
            return status_detail_set(detail, STATUS_INVALID, "%s: card %s stands twice", path,
                                     cards->items[i].id);
        }
        *place = i;
    }
    return STATUS_OK;
}

enum status load_cards_read(struct load_cards *cards, const char *path, uint32_t count_max,
                            double crossing_share, struct status_detail *detail)
{
    *cards = (struct load_cards){0};
    arena_init_growing(&cards->arena, 1u << 20, arena_bytes_max);
    enum status status = read_rows(cards, path, detail);
    if (status != STATUS_OK) {
        load_cards_release(cards);
        return status;
    }
    cards->count = cards->in_file < count_max ? cards->in_file : count_max;
    double crossed = 0;
    for (uint32_t i = 0; i < cards->count; i++) {
        struct load_card *card = &cards->items[i];
        *card = cards->items[(uint64_t)i * cards->in_file / cards->count];
        crossed += crossing_share;
        card->crosses =
            crossed > 1 - 1e-9; /* a share of 0.1 is a tenth, whatever its binary form */
        crossed -= card->crosses ? 1 : 0;
        cards->crossing += card->crosses;
        card->phase_ms = (int64_t)(i * (uint64_t)7919 % 1000000);
    }
    status = make_table(cards, path, detail);
    if (status != STATUS_OK) {
        load_cards_release(cards);
    }
    return status;
}

void load_cards_release(struct load_cards *cards)
{
    free(cards->items);
    free(cards->table);
    arena_release(&cards->arena);
    *cards = (struct load_cards){0};
}

uint32_t load_cards_find(const struct load_cards *cards, struct text id)
{
    return *place_of(cards, id);
}

uint32_t load_sender_find(const struct load_cards *cards, struct text id)
{
    uint32_t card = load_cards_find(cards, id);
    for (uint32_t i = 0; i < cards->gate_count && card == LOAD_NONE; i++) {
        if (text_is(id, cards->gates[i].id)) {
            return cards->count + i;
        }
    }
    return card;
}

struct geo_point load_card_place(const struct load_cards *cards, const struct load_card *card,
                                 int64_t time_ms)
{
    bool out =
        card->crosses && (time_ms + card->phase_ms) % cards->period_ms < cards->period_ms / 2;
    return out ? card->outside : card->inside;
}
