#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/page.h"
#include "bench/load/page_parts.h"
#include "bench/load/run_file.h"
#include "tests/check.h"

static const char run_element[] = "<script type=\"application/json\" id=\"run\">";

/* The page of the run; *ret_run is what stands in its element up to the next "</script". */
static void make(const char *json, struct buffer *html, json_t **ret_run)
{
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_parse("a.json", json, strlen(json), &run, &detail), STATUS_OK);
    buffer_init(html, 1u << 26);
    assert_int_equal(load_page_make(run, html, &detail), STATUS_OK);
    json_decref(run);
    const char *begin = strstr(buffer_cstr(html), run_element);
    assert_non_null(begin);
    begin += strlen(run_element);
    const char *end = strcasestr(begin, "</script");
    assert_non_null(end);
    assert_null(memchr(begin, '<', (size_t)(end - begin)));
    assert_int_equal(run_file_parse("page", begin, (size_t)(end - begin), ret_run, &detail),
                     STATUS_OK);
}

static int times(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

static void no_text_of_the_run_ends_its_element(void **state)
{
    (void)state;
    struct buffer html, plain;
    json_t *run, *other;
    make("{\"machine\": \"</script><script>alert(1)</script><!-- & --> ]]> @page.js@ \\\\ \\\"\","
         "\"figures\": {\"<!--<script>\": 1}}",
         &html, &run);
    assert_string_equal(run_file_text(run, "machine"),
                        "</script><script>alert(1)</script><!-- & --> ]]> @page.js@ \\ \"");
    assert_non_null(json_object_get(json_object_get(run, "figures"), "<!--<script>"));
    make("{\"figures\": {}}", &plain, &other);
    assert_int_equal(times(buffer_cstr(&html), "<script"), times(buffer_cstr(&plain), "<script"));
    assert_int_equal(times(buffer_cstr(&html), "<!--"), times(buffer_cstr(&plain), "<!--"));
    json_decref(run);
    json_decref(other);
    buffer_release(&html);
    buffer_release(&plain);
}

static void the_page_needs_nothing_else(void **state)
{
    (void)state;
    struct buffer html;
    json_t *run;
    make("{\"figures\": {\"load.lost\": 0}}", &html, &run);
    const char *text = buffer_cstr(&html);
    assert_int_equal(strncmp(text, "<!doctype html>", 15), 0);
    assert_non_null(strstr(text, "default-src 'none'"));
    assert_null(strstr(text, " src="));
    assert_null(strstr(text, "<link"));
    assert_null(strstr(text, "@import"));
    for (const struct page_part *part = page_parts; part->mark != NULL; part++) {
        assert_non_null(strstr(text, part->text));
        assert_null(strstr(text, part->mark));
    }
    json_decref(run);
    buffer_release(&html);
}

/* or the browser would end the element in the midst of the library */
static void no_script_of_the_page_ends_itself(void **state)
{
    (void)state;
    int parts = 0;
    for (const struct page_part *part = page_parts; part->mark != NULL; part++, parts++) {
        assert_null(strcasestr(part->text, "</script"));
        assert_null(strcasestr(part->text, "</style"));
        assert_null(strstr(part->text, "<!--"));
    }
    assert_int_equal(parts, 4);
}

static void numbers_arrive_as_they_were(void **state)
{
    (void)state;
    struct buffer html;
    json_t *run;
    static const char json[] =
        "{\"figures\": {\"a\": 0.1, \"b\": 123456789012, \"c\": -1.5e-7, \"d\": 12.345}}";
    make(json, &html, &run);
    json_t *before = NULL;
    assert_int_equal(run_file_parse("a", json, strlen(json), &before, NULL), STATUS_OK);
    assert_true(json_equal(before, run));
    json_decref(before);
    json_decref(run);
    buffer_release(&html);
}

static void too_large_a_page_is_told(void **state)
{
    (void)state;
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_parse("a", "{\"figures\": {}}", 15, &run, &detail), STATUS_OK);
    struct buffer html;
    buffer_init(&html, 1000);
    assert_int_equal(load_page_make(run, &html, &detail), STATUS_TOO_LARGE);
    buffer_release(&html);
    json_decref(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_of_the_run_ends_its_element),
        cmocka_unit_test(the_page_needs_nothing_else),
        cmocka_unit_test(no_script_of_the_page_ends_itself),
        cmocka_unit_test(numbers_arrive_as_they_were),
        cmocka_unit_test(too_large_a_page_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
