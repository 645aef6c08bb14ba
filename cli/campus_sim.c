#include "cli/campus_sim.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"city", sim_command_city, "write the sample city: tables and fences, all invented"},
    {"day", sim_command_day, "let some of its pupils live a school day, into a broker or a file"},
};

static void print_help(FILE *out)
{
    (void)fputs("usage: campus-sim COMMAND [...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(out, "  %-6s %s\n", commands[i].name, commands[i].sentence);
    }
    (void)fputs("\ncampus-sim COMMAND --help tells more.\n", out);
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
