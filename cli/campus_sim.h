/*
 * campus_sim.h - what the commands of campus-sim share.
 * Know: commands as in cli.h: argv[0] is the command's name, the result is the exit status.
 */
#ifndef CLI_CAMPUS_SIM_H
#define CLI_CAMPUS_SIM_H

#include <stdio.h>

#include "cli/cli.h"
#include "core/event.h"
#include "sim/day.h"

int sim_command_city(int argc, char **argv);
int sim_command_day(int argc, char **argv);

/* The option's whole number within the bounds, or `otherwise` where it is NULL. STATUS_INVALID is
 * told already. */
enum status sim_option_number(const char *name, const char *text, int64_t low, int64_t high,
                              int64_t otherwise, int64_t *ret) MUST_CHECK;

/* Makes the city again that `campus-sim city` wrote into the folder. STATUS_NOT_FOUND,
 * STATUS_INVALID (no manifest of ours), STATUS_CONFLICT (it was made by another version of the
 * program). */
enum status sim_city_open(const char *folder, struct sim_city *ret,
                          struct status_detail *detail) MUST_CHECK;

/* What the sender of the report tells; whose card a pass is of is not in it. */
struct event sim_event_of(const struct sim_report *report);

/* A file that appears under its name when it is complete. */
struct sim_file {
    char path[4096], path_new[4096 + 8];
    FILE *file;
};
enum status sim_file_open(struct sim_file *file, const char *folder, const char *name,
                          struct status_detail *detail) MUST_CHECK;
/* Writes the buffer and empties it. */
enum status sim_file_write(struct sim_file *file, struct buffer *bytes,
                           struct status_detail *detail) MUST_CHECK;
enum status sim_file_commit(struct sim_file *file, struct status_detail *detail) MUST_CHECK;
/* After a failure: the unfinished file is removed. Fine on a file that was committed or not opened.
 */
void sim_file_abort(struct sim_file *file);

/* ---- a day against a broker ---- */

struct sim_live_options {
    const struct sim_city *city;
    const char *broker;
    uint64_t seed;
    uint32_t pupils;
    double speed;
    uint32_t interval_ms, from_ms, to_ms;
    bool noise, repeat, no_receipts;
    const char *truth_path; /* or NULL */
};
int sim_live_run(const struct sim_live_options *options);

/* Group `group` of the disjoint groups of `count` pupils: some classes of some schools. Returns how
 * many such groups there are; ret may be NULL. count is at most the city's pupils. */
uint32_t sim_choose_pupils(const struct sim_city *city, uint32_t count, uint32_t group,
                           uint32_t *ret);
/* Writes the true crossings of the day's pupils: pupil,card,fence,time,event,kind. */
enum status sim_write_truth(const struct sim_day *day, const char *path,
                            struct status_detail *detail) MUST_CHECK;
/* Begins such a file; sim_add_truth adds a day, sim_file_commit ends it. */
enum status sim_truth_open(struct sim_file *file, const char *path,
                           struct status_detail *detail) MUST_CHECK;
enum status sim_add_truth(const struct sim_day *day, struct sim_file *file,
                          struct status_detail *detail) MUST_CHECK;

#endif
