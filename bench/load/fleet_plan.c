#include "bench/load/fleet_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { FILES_RESERVE = 64 }; /* what a generator has open beside its connections, and a margin */

void fleet_plan_release(struct fleet_plan *plan)
{
    free(plan->line_of);
    free(plan->part_of);
    free(plan->gateway_school);
    *plan = (struct fleet_plan){0};
}

uint32_t fleet_plan_lines(const struct fleet_plan *plan, uint32_t part)
{
    return (plan->lines + plan->parts - 1 - part) / plan->parts;
}

static enum status no_memory(struct status_detail *detail)
{
    return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the plan of connections");
}

/* ---- gateways: the cards of a school take turns at its gateways ---- */

struct schools {
    uint32_t *school_of; /* of each card */
    const char **names;
    uint32_t *cards; /* of each school, so far */
    uint32_t count;
};

static void schools_release(struct schools *schools)
{
    free(schools->school_of);
    free(schools->names);
    free(schools->cards);
}

static uint32_t *school_place(const struct schools *schools, uint32_t *table, uint32_t size,
                              const char *name)
{
    uint32_t at = (uint32_t)text_hash(text_of(name)) & (size - 1);
    while (table[at] != LOAD_NONE && strcmp(schools->names[table[at]], name) != 0) {
        at = (at + 1) & (size - 1);
    }
    return &table[at];
}

static bool number_schools(struct schools *schools, const struct load_cards *cards)
{
    uint32_t size = 16;
    while (size < cards->count * 2) {
        size *= 2;
    }
    uint32_t *table = malloc(size * sizeof *table);
    schools->school_of = malloc(cards->count * sizeof *schools->school_of);
    schools->names = malloc(cards->count * sizeof *schools->names);
    schools->cards = calloc(cards->count, sizeof *schools->cards);
    if (table == NULL || schools->school_of == NULL || schools->names == NULL ||
        schools->cards == NULL) {
        free(table);
        return false;
    }
    memset(table, 0xff, size * sizeof *table); /* LOAD_NONE */
    for (uint32_t i = 0; i < cards->count; i++) {
        uint32_t *place = school_place(schools, table, size, cards->items[i].school);
        if (*place == LOAD_NONE) {
            schools->names[schools->count] = cards->items[i].school;
            *place = schools->count++;
        }
        schools->school_of[i] = *place;
    }
    free(table);
    return true;
}

static void spread_over_gateways(struct fleet_plan *plan, struct schools *schools, uint32_t cards)
{
    ASSERT(schools->count > 0 && plan->gateways >= schools->count);
    for (uint32_t i = 0; i < plan->gateways; i++) {
        plan->gateway_school[i] = schools->names[i % schools->count];
    }
    for (uint32_t i = 0; i < cards; i++) {
        uint32_t school = schools->school_of[i];
        uint32_t own = (plan->gateways - school + schools->count - 1) / schools->count;
        plan->line_of[i] = school + schools->count * (schools->cards[school]++ % own);
    }
}

static enum status plan_gateways(struct fleet_plan *plan, const struct load_fleet_options *options,
                                 struct status_detail *detail)
{
    struct schools schools = {0};
    enum status status = STATUS_OK;
    plan->gateways = options->gateways;
    plan->gateway_school = calloc(options->gateways, sizeof *plan->gateway_school);
    if (plan->gateway_school == NULL || !number_schools(&schools, options->cards)) {
        status = no_memory(detail);
    } else if (options->gateways < schools.count) {
        status = status_detail_set(detail, STATUS_INVALID,
                                   "%u gateways for %u schools: a gateway carries the cards of one "
                                   "school, so name at least %u, or fewer cards",
                                   options->gateways, schools.count, schools.count);
    } else {
        spread_over_gateways(plan, &schools, options->cards->count);
    }
    schools_release(&schools);
    return status;
}

/* ---- all ---- */

static enum status plan_lines(struct fleet_plan *plan, const struct load_fleet_options *options,
                              struct status_detail *detail)
{
    const uint32_t cards = options->cards->count;
    if (options->gateways > 0) {
        plan->lines = options->gateways + options->gate_count;
        for (uint32_t i = 0; i < options->gate_count; i++) {
            plan->line_of[cards + i] = options->gateways + i;
        }
        return plan_gateways(plan, options, detail);
    }
    bool each = options->connections == 0 || options->connections > plan->senders;
    plan->lines = each ? plan->senders : options->connections;
    for (uint32_t i = 0; i < plan->senders; i++) {
        plan->line_of[i] = i % plan->lines;
    }
    return STATUS_OK;
}

static enum status plan_parts(struct fleet_plan *plan, uint32_t wanted, uint64_t files_max,
                              struct status_detail *detail)
{
    uint64_t room = files_max > FILES_RESERVE ? files_max - FILES_RESERVE : 1;
    uint64_t parts = (plan->lines + room - 1) / room;
    if (parts > LOAD_PARTS_MAX) {
        return status_detail_set(detail, STATUS_TOO_LARGE,
                                 "%u connections with %llu open files a process are more than %u "
                                 "processes: raise ulimit -n",
                                 plan->lines, (unsigned long long)files_max, LOAD_PARTS_MAX);
    }
    parts = parts > wanted ? parts : wanted;
    parts = parts < LOAD_PARTS_MAX ? parts : LOAD_PARTS_MAX;
    plan->parts = (uint32_t)(parts < plan->lines ? parts : plan->lines);
    ASSERT(plan->parts > 0 && plan->line_of != NULL && plan->part_of != NULL);
    for (uint32_t i = 0; i < plan->senders; i++) {
        plan->part_of[i] = (uint8_t)(plan->line_of[i] % plan->parts);
    }
    return STATUS_OK;
}

enum status fleet_plan_init(struct fleet_plan *plan, const struct load_fleet_options *options,
                            uint64_t files_max, struct status_detail *detail)
{
    ASSERT(options->cards->count > 0);
    *plan = (struct fleet_plan){.senders = options->cards->count + options->gate_count};
    plan->line_of = calloc(plan->senders, sizeof *plan->line_of);
    plan->part_of = malloc(plan->senders);
    enum status status = plan->line_of == NULL || plan->part_of == NULL
                             ? no_memory(detail)
                             : plan_lines(plan, options, detail);
    if (status == STATUS_OK) {
        status = plan_parts(plan, options->generators, files_max, detail);
    }
    if (status != STATUS_OK) {
        fleet_plan_release(plan);
    }
    return status;
}
