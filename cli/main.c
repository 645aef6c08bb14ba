#include <stddef.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"import", cmd_import,
         "schools, pupils, cards, guardians and gates from CSV files into the registry"},
        {"fences", cmd_fences, "fences from and to GeoJSON, and a list of them"},
        {"alerts", cmd_alerts, "the alerts as they come, from the broker"},
        {"publish", cmd_publish, "a recorded trace, as if a card reported it"},
        {"locate", cmd_locate, "which fences of a file contain the points of a file, offline"},
        {"replay", cmd_replay, "fixes from a file against fences from a file, offline"},
        {"score", cmd_score, "raised alerts beside what truly happened: found, missed, false"},
        {"delay", cmd_delay, "how soon crossings are told, by the error rates that are wanted"},
        {"status", cmd_status, "what a running campusd counts"},
        {NULL, NULL, NULL}};
    return cli_main(commands, argc, argv);
}
