#include "tests/sim/sim_cities.h"

#include <string.h>
#include <unistd.h>

#include "cli/campus_sim.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test-campus-sim-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {
        "schools.csv",    "pupils.csv", "cards.csv", "guardians.csv", "gates.csv", "load.csv",
        "fences.geojson", "city.txt",   "a.csv",     "b.csv",         "o.csv",     "t.csv"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder); /* fails when something else was left behind */
}

/* Runs a command with its words; "@x" stands for the file x in the folder. */
static int run(int (*command)(int, char **), const char *const *words)
{
    static char copies[24][128];
    char *argv[24];
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        bool file = words[argc][0] == '@';
        (void)snprintf(copies[argc], sizeof copies[argc], "%s%s%s", file ? folder : "",
                       file ? "/" : "", words[argc] + file);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    return command(argc, argv);
}

#define RUN(command, ...) run((command), (const char *const[]){__VA_ARGS__, NULL})

static void make_small_city(void)
{
    assert_int_equal(RUN(sim_command_city, "city", "--out", "@", "--schools", "3", "--pupils",
                         "900", "--zones", "40", "--seed=9"),
                     CLI_OK);
}

static struct text read_text(const char *name, struct arena *arena)
{
    char path[128];
    struct text text;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(cli_read_file(path, arena, &text, NULL), STATUS_OK);
    return text;
}

static void a_city_that_was_written_is_opened_again(void **state)
{
    (void)state;
    struct sim_city city;
    make_small_city();
    assert_int_equal(sim_city_open(folder, &city, NULL), STATUS_OK);
    assert_int_equal(city.options.pupils, 900);
    assert_true(city.options.seed == 9);
    sim_city_release(&city);
}

static void a_manifest_of_another_city_is_refused(void **state)
{
    (void)state;
    char path[128];
    struct sim_city city;
    struct status_detail detail;
    make_small_city();
    (void)snprintf(path, sizeof path, "%s/city.txt", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("campus-sim city\nseed=9\nschools=3\npupils=901\nzones=40\ndigest=1\n", file);
    (void)fclose(file);
    assert_int_equal(sim_city_open(folder, &city, &detail), STATUS_CONFLICT);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("nonsense", file);
    (void)fclose(file);
    assert_int_equal(sim_city_open(folder, &city, &detail), STATUS_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sim_city_open(folder, &city, &detail), STATUS_NOT_FOUND);
    assert_non_null(strstr(detail.text, "make the city"));
}

static void the_same_day_gives_the_same_files(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, 1u << 28);
    make_small_city();
    assert_int_equal(RUN(sim_command_day, "day", "--city", "@", "--pupils", "30", "--out", "@a.csv",
                         "--others", "@o.csv", "--truth", "@t.csv"),
                     CLI_OK);
    assert_int_equal(
        RUN(sim_command_day, "day", "--city", "@", "--pupils", "30", "--out", "@b.csv"), CLI_OK);
    struct text a = read_text("a.csv", &arena), b = read_text("b.csv", &arena);
    assert_true(a.length > 100000);
    assert_true(text_equal(a, b));
    assert_memory_equal(a.at, "card,time,lat,lon,accuracy_m,source,arrival,seq\nc", 49);
    assert_non_null(strstr(read_text("t.csv", &arena).at, "-ground,"));
    assert_non_null(strstr(read_text("o.csv", &arena).at, ",pass,in,s00"));
    arena_release(&arena);
}

static void groups_of_pupils_share_nobody(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 12, 5000, 0);
    for (uint32_t count = 1; count <= 5000; count = count * 2 + 1) {
        static uint32_t pupils[5000];
        static uint8_t taken[5000];
        uint32_t groups = sim_choose_pupils(&city, count, 0, NULL);
        memset(taken, 0, sizeof taken);
        for (uint32_t group = 0; group < groups; group++) {
            assert_int_equal(sim_choose_pupils(&city, count, group, pupils), groups);
            for (uint32_t i = 0; i < count; i++) {
                assert_true(pupils[i] < 5000 && !taken[pupils[i]]);
                taken[pupils[i]] = 1;
            }
        }
    }
    assert_int_equal(sim_choose_pupils(&city, 300, 0, NULL), 16);
    assert_int_equal(sim_choose_pupils(&city, 4990, 0, NULL), 1);
    sim_city_release(&city);
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][8] = {
        {"day", "--city", "@"},
        {"day", "--out", "@a.csv"},
        {"day", "--city", "@", "--out", "@a.csv", "--repeat"},
        {"day", "--city", "@", "--out", "@a.csv", "--broker", "mqtt://127.0.0.1"},
        {"day", "--city", "@", "--out", "@a.csv", "--pupils", "901"},
        {"day", "--city", "@", "--out", "@a.csv", "--pupils", "x"},
        {"day", "--city", "@", "--out", "@a.csv", "--start", "7:10"},
        {"day", "--city", "@", "--out", "@a.csv", "--start", "05:59"},
        {"day", "--city", "@", "--out", "@a.csv", "--until", "07:00"},
        {"day", "--city", "@", "--out", "@a.csv", "--date", "2026-02-30"},
        {"day", "--city", "@", "--broker", "mqtt://127.0.0.1", "--speed", "0"},
        {"day", "--city", "@", "--out", "@a.csv", "word"},
    };
    make_small_city();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(run(sim_command_day, bad[i]), CLI_USAGE);
    }
    assert_int_equal(RUN(sim_command_city, "city"), CLI_USAGE);
    assert_int_equal(RUN(sim_command_city, "city", "--out", "@", "--pupils", "7"), CLI_FAILED);
    assert_int_equal(RUN(sim_command_city, "city", "--out", "@no/where"), CLI_FAILED);
    assert_int_equal(
        RUN(sim_command_day, "day", "--city", "@", "--pupils", "3", "--broker", "http://x"),
        CLI_FAILED);
    assert_int_equal(RUN(sim_command_day, "day", "--city", "@", "--pupils", "300", "--repeat",
                         "--broker", "mqtt://127.0.0.1:1"),
                     CLI_FAILED); /* 3 groups: a card would be back within its day */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_city_that_was_written_is_opened_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_manifest_of_another_city_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_same_day_gives_the_same_files, make_folder,
                                        remove_folder),
        cmocka_unit_test(groups_of_pupils_share_nobody),
        cmocka_unit_test_setup_teardown(wrong_words_are_refused, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
