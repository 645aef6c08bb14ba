#include <string.h>

#include "base/csv.h"
#include "tests/check.h"

struct fixture {
    struct arena arena;
    struct csv csv;
    struct csv_row row;
    struct status_detail detail;
};

static void open_csv(struct fixture *f, const char *text)
{
    memset(f, 0, sizeof *f);
    arena_init_growing(&f->arena, 256, 1 << 20);
    csv_init(&f->csv, text_of(text), &f->arena);
}

static void rows_come_with_their_lines(void **state)
{
    (void)state;
    struct fixture f;
    open_csv(&f, "\xef\xbb\xbf"
                 "a,b\r\n\r\n\"x \"\"y\"\"\nz\",2\n3,\n");
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_OK);
    assert_true(text_is(f.row.fields[0], "a") && text_is(f.row.fields[1], "b"));
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_OK);
    assert_int_equal(f.row.line, 3);
    assert_true(text_is(f.row.fields[0], "x \"y\"\nz"));
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_OK);
    assert_int_equal(f.row.line, 5);
    assert_int_equal(f.row.field_count, 2);
    assert_int_equal(f.row.fields[1].length, 0);
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_END);
    arena_release(&f.arena);
}

static void the_header_finds_columns_in_any_order_and_separator(void **state)
{
    (void)state;
    static const char *const names[] = {"lat", "lon", "x", NULL};
    int places[3];
    struct fixture f;
    open_csv(&f, "user;LON ; lat\n");
    assert_int_equal(csv_header(&f.csv, names, places, &f.detail), STATUS_OK);
    assert_int_equal(places[0], 2);
    assert_int_equal(places[1], 1);
    assert_int_equal(places[2], -1);
    arena_release(&f.arena);
    open_csv(&f, "lat,lat\n");
    assert_int_equal(csv_header(&f.csv, names, places, &f.detail), STATUS_INVALID);
    arena_release(&f.arena);
    open_csv(&f, "");
    assert_int_equal(csv_header(&f.csv, names, places, &f.detail), STATUS_INVALID);
    arena_release(&f.arena);
}

static void an_open_quote_is_named_with_its_line(void **state)
{
    (void)state;
    struct fixture f;
    open_csv(&f, "a\nb,\"c\nd\n");
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_OK);
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_INVALID);
    assert_string_equal(f.detail.text, "line 2: quote not closed");
    arena_release(&f.arena);
    open_csv(&f, "\"a\"b\n");
    assert_int_equal(csv_next(&f.csv, &f.row, &f.detail), STATUS_INVALID);
    arena_release(&f.arena);
}

static void any_cut_of_a_text_ends_or_errs(void **state)
{
    (void)state;
    const char text[] = "a,\"b\"\"\",c\r\n,,\n\"\n\",x\n";
    for (size_t length = 0; length < sizeof text; length++) {
        struct fixture f;
        char copy[sizeof text] = "";
        memcpy(copy, text, length);
        open_csv(&f, copy);
        enum status status = STATUS_OK;
        for (int rows = 0; status == STATUS_OK; rows++) {
            assert_true(rows < 10);
            status = csv_next(&f.csv, &f.row, &f.detail);
        }
        arena_release(&f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_with_their_lines),
        cmocka_unit_test(the_header_finds_columns_in_any_order_and_separator),
        cmocka_unit_test(an_open_quote_is_named_with_its_line),
        cmocka_unit_test(any_cut_of_a_text_ends_or_errs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
