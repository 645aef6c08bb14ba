#include "tests/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/load/parts.h"

/* ---- a /proc of our own ---- */

static char proc[] = "/tmp/campus-proc-XXXXXX";

static void put(const char *path, const char *text)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", proc, path);
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *path)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", proc, path);
    assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
}

/* utime is all of a process's time here, cutime all of its children's; one thread. */
static void put_process(int pid, int parent, int ticks, int child_ticks, int started)
{
    char path[64], text[256];
    (void)snprintf(text, sizeof text,
                   "%d (a) R 1) S %d 1 1 0 -1 4194560 1 1 1 1 %d 0 %d 0 20 0 1 0 %d 4096 3 99\n",
                   pid, parent, ticks, child_ticks, started);
    (void)snprintf(path, sizeof path, "%d", pid);
    make_folder(path);
    (void)snprintf(path, sizeof path, "%d/task", pid);
    make_folder(path);
    (void)snprintf(path, sizeof path, "%d/task/%d", pid, pid);
    make_folder(path);
    (void)snprintf(path, sizeof path, "%d/stat", pid);
    put(path, text);
    (void)snprintf(path, sizeof path, "%d/task/%d/stat", pid, pid);
    put(path, text);
}

static void remove_process(int pid)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s/%d'", proc, pid);
    assert_int_equal(system(command), 0); /* NOLINT(bugprone-command-processor) */
}

static void put_machine(int user, int idle, int steal)
{
    char text[128];
    (void)snprintf(text, sizeof text, "cpu  %d 0 0 %d 7 0 0 %d 0 0\ncpu0 1 1 1 1\n", user, idle,
                   steal);
    put("stat", text);
}

static int proc_make(void **state)
{
    (void)snprintf(proc, sizeof proc, "/tmp/campus-proc-XXXXXX");
    assert_non_null(mkdtemp(proc));
    put_machine(0, 0, 0);
    (void)state;
    return 0;
}

static int proc_remove(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", proc);
    return system(command); /* NOLINT(bugprone-command-processor) */
}

static struct parts *parts_of_proc(void)
{
    struct parts *parts = NULL;
    struct status_detail detail;
    assert_int_equal(parts_new(proc, &parts, &detail), STATUS_OK);
    return parts;
}

static void add(struct parts *parts, const char *words)
{
    struct status_detail detail;
    assert_int_equal(parts_add_words(parts, words, &detail), STATUS_OK);
}

static void assert_near(double value, double wanted)
{
    assert_true(value > wanted - 1e-9 && value < wanted + 1e-9);
}

/* ---- tests ---- */

static void a_part_is_its_processes_and_all_that_they_begot(void **state)
{
    (void)state;
    put_process(10, 1, 1000, 0, 5);
    put_process(20, 1, 50, 0, 5);
    put_process(21, 20, 7000, 0, 6); /* began before the run */
    put_process(11, 1, 300, 0, 5);
    struct parts *parts = parts_of_proc();
    add(parts, "broker=10");
    add(parts, "broker=11");
    add(parts, "db=20");
    struct parts_use from, to;
    parts_look(parts, 1000000, &from);
    assert_int_equal(from.count, 2);
    assert_near(from.parts[0].cpu_s + from.parts[1].cpu_s, 0);
    put_process(10, 1, 1080, 0, 5);
    put_process(11, 1, 320, 0, 5);
    put_process(21, 20, 7030, 0, 6);
    put_process(22, 21, 10, 0, 9); /* a grandchild that began meanwhile */
    put_process(30, 1, 999, 0, 5); /* nobody's */
    put_machine(180, 20, 5);
    parts_look(parts, 2000000, &to);
    struct parts_rates rates;
    parts_between(&from, &to, &rates);
    assert_near(rates.cores[0], 1.0);
    assert_near(rates.busiest[0], 0.8);
    assert_near(rates.cores[1], 0.4);
    assert_near(rates.busiest[1], 0.3);
    assert_near(rates.machine, 1.8);
    assert_near(rates.others, 0.4);
    assert_near(rates.stolen, 0.05);
    assert_int_equal(to.parts[1].processes, 3);
    assert_int_equal(to.parts[0].rss_bytes, 6 * sysconf(_SC_PAGESIZE));
    parts_free(parts);
}

static void a_child_that_ended_is_not_lost(void **state)
{
    (void)state;
    put_process(20, 1, 0, 0, 5);
    put_process(21, 20, 100, 0, 6);
    struct parts *parts = parts_of_proc();
    add(parts, "db=20");
    struct parts_use use;
    parts_look(parts, 1000000, &use);
    put_process(21, 20, 150, 0, 6);
    parts_look(parts, 2000000, &use);
    remove_process(21);
    put_process(20, 1, 0, 170, 5);
    parts_look(parts, 3000000, &use);
    assert_near(use.parts[0].cpu_s, 0.7);
    assert_int_equal(use.parts[0].processes, 1);
    assert_int_equal(use.parts[0].ended, 0);
    parts_free(parts);
}

static void a_process_that_ended_is_noticed_though_another_got_its_number(void **state)
{
    (void)state;
    put_process(10, 1, 100, 0, 5);
    put_process(11, 1, 100, 0, 5);
    struct parts *parts = parts_of_proc();
    add(parts, "broker=10");
    add(parts, "broker=11");
    struct parts_use use;
    parts_look(parts, 1000000, &use);
    put_process(10, 1, 9000, 0, 77);
    put_process(11, 1, 150, 0, 5);
    parts_look(parts, 2000000, &use);
    assert_int_equal(use.parts[0].ended, 1);
    assert_int_equal(use.parts[0].processes, 1);
    put_process(11, 1, 200, 0, 5);
    parts_look(parts, 3000000, &use);
    assert_near(use.parts[0].cpu_s, 0.5);
    remove_process(11);
    parts_look(parts, 4000000, &use);
    assert_int_equal(use.parts[0].ended, 2);
    assert_near(use.parts[0].cpu_s, 0.5);
    parts_free(parts);
}

static void words_that_name_no_part_are_refused(void **state)
{
    (void)state;
    struct parts *parts = parts_of_proc();
    struct status_detail detail;
    put_process(10, 1, 100, 0, 5);
    const char *const bad[] = {"broker",   "=10",        "broker=",
                               "broker=x", "br oker=10", "a-name-of-over-twenty-three-letters=10"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parts_add_words(parts, bad[i], &detail), STATUS_INVALID);
    }
    assert_int_equal(parts_add_words(parts, "broker=11", &detail), STATUS_NOT_FOUND);
    assert_non_null(strstr(detail.text, "11"));
    assert_int_equal(parts_add_words(parts, "broker=-1", &detail), STATUS_NOT_FOUND);
    for (uint32_t i = 0; i < PARTS_MAX; i++) {
        char name[PART_NAME_MAX];
        (void)snprintf(name, sizeof name, "p%u", i);
        assert_int_equal(parts_add(parts, name, 10, &detail), STATUS_OK);
    }
    assert_int_equal(parts_add(parts, "more", 10, &detail), STATUS_FULL);
    parts_free(parts);
    struct parts *none = NULL;
    assert_int_equal(parts_new("/nonexistent", &none, &detail), STATUS_UNAVAILABLE);
    assert_null(none);
}

/* The true /proc: a child of ours that computes is seen while it runs, and after it was waited for. */
static void a_real_child_is_seen_at_work(void **state)
{
    (void)state;
    struct parts *parts = NULL;
    struct status_detail detail;
    assert_int_equal(parts_new("/proc", &parts, &detail), STATUS_OK);
    assert_int_equal(parts_add(parts, "load", getpid(), &detail), STATUS_OK);
    struct parts_use first, use;
    parts_look(parts, clock_mono_us(), &first);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct timespec used;
        do {
            (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        } while (used.tv_nsec < 200000000 && used.tv_sec == 0);
        (void)pause();
        _exit(0);
    }
    do {
        parts_look(parts, clock_mono_us(), &use);
        (void)usleep(10000);
    } while (use.parts[0].cpu_s < 0.19 && waitpid(child, NULL, WNOHANG) == 0);
    assert_true(use.parts[0].processes == 2);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    parts_look(parts, clock_mono_us(), &use);
    assert_true(use.parts[0].cpu_s >= 0.19);
    assert_int_equal(use.parts[0].processes, 1);
    assert_true(use.machine_s > 0 && use.parts[0].rss_bytes > 100000);
    parts_free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_part_is_its_processes_and_all_that_they_begot, proc_make,
                                        proc_remove),
        cmocka_unit_test_setup_teardown(a_child_that_ended_is_not_lost, proc_make, proc_remove),
        cmocka_unit_test_setup_teardown(
            a_process_that_ended_is_noticed_though_another_got_its_number, proc_make, proc_remove),
        cmocka_unit_test_setup_teardown(words_that_name_no_part_are_refused, proc_make,
                                        proc_remove),
        cmocka_unit_test(a_real_child_is_seen_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
