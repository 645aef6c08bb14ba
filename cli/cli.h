/*
 * cli.h - what the commands of campusctl share.
 * Know: a command gets its own words in argv[0..argc), argv[0] being its name; it returns the exit
 * status: 0 done, 1 failed, 2 wrong usage. Errors go to stderr as one line "campusctl: ...".
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* One per file cmd_<name>.c */
int cmd_alerts(int argc, char **argv);
int cmd_delay(int argc, char **argv);
int cmd_fences(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_locate(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_status(int argc, char **argv);

/* A program of several commands: runs the one that argv[1] names with its own words, or prints the list.
 * The list ends with a zero entry. */
struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
};
int cli_main(const struct cli_command *commands, int argc, char **argv);

/* Prints "campusctl: <words>" and returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) PRINTF(1, 2);
/* The same with the usage behind it; returns CLI_USAGE. */
int cli_usage(const char *usage, const char *fmt, ...) PRINTF(2, 3);

/* Warnings about one file: the first CLI_WARNINGS_SHOWN are printed, the others counted. cli_warn
 * has the form of geo_geojson_options.warn; its context is the struct. */
#define CLI_WARNINGS_SHOWN 10u
struct cli_warnings {
    const char *path;
    uint32_t count;
};
void cli_warn(void *warnings, const char *words);
/* Says how many were not shown. */
void cli_warn_end(const struct cli_warnings *warnings);

/* Options "--name VALUE" and "--name=VALUE" (value != NULL) or "--name" (flag != NULL), a list that
 * ends with a zero entry. Words that are no options are moved to the front of argv, *ret_words of
 * them (argv[0] included). CLI_OK or CLI_USAGE (told already). */
struct cli_option {
    const char *name; /* "--fences" */
    const char **value;
    bool *flag;
};
int cli_options(int argc, char **argv, const struct cli_option *options, const char *usage,
                int *ret_words);

/* The whole file into the arena; "-" is standard input; gzip is unpacked by itself. STATUS_IO,
 * STATUS_NOT_FOUND, STATUS_TOO_LARGE, each with the file's name in detail. */
#define CLI_FILE_MAX (2ull << 30)
enum status cli_read_file(const char *path, struct arena *arena, struct text *ret,
                          struct status_detail *detail) MUST_CHECK;

/* The setting of that name for programs beside the daemon: environment variable CAMPUS_<NAME> in
 * capitals, else the line of var/campus.env (or of the file named by CAMPUS_ENV) that `./campus up`
 * wrote, else NULL. Names: "pg" (libpq conninfo), "broker" (mqtt://host:port), "control" (socket of
 * campusd). The text lives until the program ends. */
const char *cli_setting(const char *name);

#endif
