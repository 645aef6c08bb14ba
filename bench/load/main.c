/* campus-load: reports at a fixed rate, whatever becomes of them; then: what was lost, what came
 * twice, how long did an alert take. */
#include <mosquitto.h>
#include <signal.h>

#include "bench/load/compare.h"
#include "bench/load/page.h"
#include "bench/load/run.h"
#include "bench/load/run_file.h"
#include "cli/cli.h"

static volatile sig_atomic_t ended;

static void on_term(int signum)
{
    (void)signum;
    ended = 1;
}

static int judge(const struct load_run *run)
{
    uint32_t silent = load_ledger_silent(&run->ledger, LOAD_SOS);
    return run->found.lost + run->found.doubled + run->found.unknown + silent +
                       run->kept.conflicts >
                   0
               ? cli_fail("events were lost, doubled or invented, or an SOS raised nothing: see "
                          "above")
               : CLI_OK;
}

static const struct cli_command reports[] = {
    {"page", load_page, "a run as one HTML file"},
    {"compare", load_compare, "two runs beside each other"},
    {"stamp", load_stamp, "machine, commit and command into a run's JSON"},
    {0}};

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        return cli_main(reports, argc, argv);
    }
    static struct load_options options;
    static struct load_run run;
    int outcome = load_options_read(&options, argc, argv);
    if (outcome != CLI_OK) {
        return outcome;
    }
    (void)mosquitto_lib_init();
    (void)signal(SIGTERM, on_term);
    (void)signal(SIGPIPE, SIG_IGN);
    struct status_detail detail;
    enum status status = load_run_all(&run, &options, &ended, &detail);
    if (status == STATUS_OK) {
        load_result_print(&run);
    }
    if (status == STATUS_OK && options.json != NULL) {
        status = load_result_write(&run, options.json, &detail);
    }
    if (status == STATUS_OK) {
        status = load_model_judge(&run.model, run.lag_max_us, &detail);
    }
    outcome = status == STATUS_OK ? judge(&run) : cli_fail("%s", detail.text);
    load_run_close(&run);
    (void)mosquitto_lib_cleanup();
    return outcome;
}
