#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/track.h"
#include "core/event.h"
#include "tests/check.h"

struct fixture {
    struct arena arena;
    struct track track;
    struct status_detail detail;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init_growing(&f->arena, 1 << 16, (size_t)1 << 30);
    *state = f;
    return f == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

static enum status parse(struct fixture *f, const char *text, const char *device)
{
    const struct track_options options = {device, 1700000000000};
    return track_parse("file", text_of(text), &options, &f->arena, &f->track, &f->detail);
}

static void track_points_of_all_segments_come_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        parse(
            f,
            "\xef\xbb\xbf<?xml version=\"1.0\"?><gpx><wpt lat=\"1\" lon=\"1\"/><trk><trkseg/>"
            "<trkseg><trkpt lon=\"113.1\" lat=\"36.2\"><ele>1</ele><time>2026-03-02T07:00:00Z</time>"
            "<hdop>2</hdop><extensions><time>no</time></extensions></trkpt></trkseg></trk>"
            "<trk><trkseg><trkpt lat=\"36.3\" lon=\"113.2\"><time>1772434810.5</time>"
            "<hdop>300</hdop></trkpt></trkseg></trk></gpx>",
            NULL),
        STATUS_OK);
    assert_int_equal(f->track.count, 2);
    assert_int_equal(f->track.points[0].point.lat_e7, 362000000);
    assert_int_equal(f->track.points[0].point.lon_e7, 1131000000);
    assert_int_equal(f->track.points[0].accuracy_cm, 1000);
    assert_int_equal(f->track.points[1].time_ms, 1772434810500);
    assert_int_equal(f->track.points[1].accuracy_cm, 0); /* no receiver means 300 */
}

#define POINT(time) "<trkpt lat=\"1\" lon=\"1\">" time "</trkpt>"

static void points_without_a_time_get_one_between_their_neighbours(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f,
                           "<gpx><trk><trkseg>" POINT("") POINT("<time>1000</time>") POINT("")
                               POINT("<time>1010</time>") POINT("") "</trkseg></trk></gpx>",
                           NULL),
                     STATUS_OK);
    static const int64_t wanted[] = {1000000, 1000000, 1005000, 1010000, 1010000};
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(f->track.points[i].time_ms, wanted[i]);
    }
    assert_int_equal(parse(f, "<gpx>" POINT("") POINT("") "</gpx>", NULL), STATUS_OK);
    assert_int_equal(f->track.points[0].time_ms, 1699999999000);
    assert_int_equal(f->track.points[1].time_ms, 1700000000000);
}

static void bad_gpx_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"<gpx>\n<trkpt lat=\"91\" lon=\"1\"/></gpx>", "file:2: trkpt"},
        {"<gpx>\n<trkpt lat=\"x\" lon=\"1\"/></gpx>", "file:2: trkpt"},
        {"<gpx>\n\n<trkpt lat=\"1\" lon=\"1\"><time>noon</time></trkpt></gpx>", "file:3: time"},
        {"<gpx>\n<trkpt>", "file:2: "},
        {"<gpx>\n</gxp>", "file:2: mismatched tag"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(f, bad[i].text, NULL), STATUS_INVALID);
        assert_non_null(strstr(f->detail.text, bad[i].words));
    }
}

static void csv_columns_have_their_names_in_the_wild(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f,
                           "user_id;longitude;latitude;accuracy;tracked_at;provider\n"
                           "0;7.5;47.25;48.0;2019-01-25 20:00:40.5;network\n"
                           "1;7.5;47.25;;2019-01-25 20:00:41;gps\n",
                           NULL),
                     STATUS_OK);
    assert_int_equal(f->track.count, 2);
    assert_int_equal(f->track.points[0].accuracy_cm, 4800);
    assert_int_equal(f->track.points[0].source, FIX_WIFI);
    assert_int_equal(f->track.points[0].time_ms, 1548446440500);
    assert_int_equal(f->track.points[1].accuracy_cm, 0);
    assert_int_equal(f->track.points[1].source, FIX_GNSS);
    assert_int_equal(parse(f, "dev,fix_ts,lat,lon\na,1,2,3\nb,2,3,4\n", "b"), STATUS_OK);
    assert_int_equal(f->track.count, 1);
    assert_int_equal(f->track.points[0].time_ms, 2000);
    assert_int_equal(parse(f, "dev,fix_ts,lat,lon\na,1,2,3\n", "c"), STATUS_NOT_FOUND);
}

static void bad_csv_is_named_with_line_and_column(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *words;
    } bad[] = {{"time,lat\n", "file:1: the header must name"},
               {"time,lat,lon\n1,2,3\nx,2,3\n", "file:3: time"},
               {"time,lat,lon\n1,two,3\n", "file:2: lat"},
               {"time,lat,lon\n1,2\n", "file:2: lat, lon"},
               {"time,lat,lon,accuracy_m\n1,2,3,-1\n", "file:2: accuracy_m"},
               {"time,lat,lon\n1,\"2,3\n", "quote not closed"},
               {"", "a header line is needed"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(f, bad[i].text, NULL), STATUS_INVALID);
        assert_non_null(strstr(f->detail.text, bad[i].words));
    }
}

static const char *data_folder(void)
{
    const char *folder = getenv("CAMPUS_DATA");
    return folder != NULL ? folder : CAMPUS_SOURCE_DIR "/../shared/data";
}

static void every_real_trace_is_read(void **state)
{
    struct fixture *f = *state;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/traces", data_folder());
    DIR *folder = opendir(path);
    if (folder == NULL) {
        print_message("skipped: no traces in %s (CAMPUS_DATA names another folder)\n", path);
        skip();
        return;
    }
    uint32_t files = 0, points = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/traces/%s", data_folder(), entry->d_name);
        const struct track_options options = {NULL, 1700000000000};
        enum status status = track_read(path, &options, &f->arena, &f->track, &f->detail);
        if (status != STATUS_OK) {
            print_error("%s\n", f->detail.text);
        }
        assert_int_equal(status, STATUS_OK);
        files++;
        points += f->track.count;
    }
    (void)closedir(folder);
    assert_true(files >= 18);
    assert_true(points > 30000);
}

int main(void)
{
#define TRACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TRACK_TEST(track_points_of_all_segments_come_in_order),
        TRACK_TEST(points_without_a_time_get_one_between_their_neighbours),
        TRACK_TEST(bad_gpx_is_named_with_its_line),
        TRACK_TEST(csv_columns_have_their_names_in_the_wild),
        TRACK_TEST(bad_csv_is_named_with_line_and_column),
        TRACK_TEST(every_real_trace_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
