#include <stddef.h>

#include "cli/campus_sim.h"

int main(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"city", sim_command_city, "write the sample city: tables and fences, all invented"},
        {"day", sim_command_day,
         "let some of its pupils live a school day, into a broker or a file"},
        {NULL, NULL, NULL}};
    return cli_main(commands, argc, argv);
}
