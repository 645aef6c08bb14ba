#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"import", cmd_import,
     "schools, pupils, cards, guardians and gates from CSV files into the registry"},
    {"fences", cmd_fences, "fences from and to GeoJSON, and a list of them"},
    {"alerts", cmd_alerts, "the alerts as they come, from the broker"},
    {"publish", cmd_publish, "a recorded trace, as if a card reported it"},
    {"locate", cmd_locate, "which fences of a file contain the points of a file, offline"},
    {"replay", cmd_replay, "fixes from a file against fences from a file, offline"},
    {"status", cmd_status, "what a running campusd counts"},
};

static void print_help(FILE *out)
{
    (void)fputs("usage: campusctl COMMAND [...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].sentence);
    }
    (void)fputs("\ncampusctl COMMAND --help tells more.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)cli_fail("no command %s", argv[1]);
    print_help(stderr);
    return CLI_USAGE;
}
