#include "tests/check.h"

#include <math.h>
#include <stdio.h>

#include "geo/datum.h"
#include "geo/point.h"
#include "tests/geo/real_data.h"

static double metres(double lat_a, double lon_a, double lat_b, double lon_b)
{
    double north = (lat_a - lat_b) * 111000, east = (lon_a - lon_b) * 111000 * cos(lat_a / 57.3);
    return sqrt(north * north + east * east);
}

static double lon_of(const json_t *pair)
{
    return json_number_value(json_array_get(pair, 0));
}

static double lat_of(const json_t *pair)
{
    return json_number_value(json_array_get(pair, 1));
}

static void names_are_read_without_case_and_dashes(void **unused)
{
    (void)unused;
    enum geo_datum datum = GEO_DATUM_NONE;
    assert_int_equal(geo_datum_parse(TEXT("WGS-84"), &datum), STATUS_OK);
    assert_int_equal(datum, GEO_WGS84);
    assert_int_equal(geo_datum_parse(TEXT("gcj02"), &datum), STATUS_OK);
    assert_int_equal(datum, GEO_GCJ02);
    assert_int_equal(geo_datum_parse(TEXT("Bd-09"), &datum), STATUS_OK);
    assert_int_equal(datum, GEO_BD09);
    const char *const bad[] = {"", "-", "wgs", "wgs84x", "none", "epsg:4326", "gcj 02"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(geo_datum_parse(text_of(bad[i]), &datum), STATUS_INVALID);
    }
    assert_int_equal(datum, GEO_BD09);
    assert_string_equal(geo_datum_name(GEO_GCJ02), "gcj02");
}

static void expect(enum geo_datum datum, double lat, double lon, const json_t *there, double steps)
{
    double got_lat = lat, got_lon = lon;
    geo_from_wgs84(datum, &got_lat, &got_lon);
    if (fabs(got_lat - lat_of(there)) > steps || fabs(got_lon - lon_of(there)) > steps) {
        fail_msg("%s of %.7f, %.7f: %.9f, %.9f, wanted %.9f, %.9f", geo_datum_name(datum), lat, lon,
                 got_lat, got_lon, lat_of(there), lon_of(there));
    }
}

static void expect_back(enum geo_datum datum, const json_t *there, const json_t *wgs,
                        double limit_m)
{
    double lat = lat_of(there), lon = lon_of(there);
    geo_to_wgs84(datum, &lat, &lon);
    assert_true(metres(lat, lon, lat_of(wgs), lon_of(wgs)) < limit_m);
}

/* The GCJ-02 and BD-09 of a city belong together to the last digit; its WGS-84 came from elsewhere
 * and is half a metre off for gcoord itself. */
static void cities_agree_with_their_published_places(void **unused)
{
    (void)unused;
    json_t *cities = real_json("gcj/gcoord_china-cities_6crs.json");
    size_t i;
    json_t *city;
    json_array_foreach(cities, i, city)
    {
        const json_t *coords = json_object_get(city, "coords");
        const json_t *wgs = json_object_get(coords, "WGS84");
        const json_t *gcj = json_object_get(coords, "GCJ02"), *bd = json_object_get(coords, "BD09");
        double lat = lat_of(gcj), lon = lon_of(gcj);
        geo_to_wgs84(GEO_GCJ02, &lat, &lon);
        expect(GEO_GCJ02, lat, lon, gcj, 1e-9);
        expect(GEO_BD09, lat, lon, bd, 1e-6);
        expect(GEO_GCJ02, lat_of(wgs), lon_of(wgs), gcj, 1e-5);
        expect_back(GEO_GCJ02, gcj, wgs, 1);
        expect_back(GEO_BD09, bd, wgs, 1);
    }
    assert_true(i > 300);
    json_decref(cities);
}

static void eviltransform_agrees(void **unused)
{
    (void)unused;
    json_t *vectors = real_json("gcj/eviltransform_vectors.json");
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "wgs_gcj"), i, vector)
    {
        const json_t *wgs = json_object_get(vector, "wgs"), *gcj = json_object_get(vector, "gcj");
        expect(GEO_GCJ02, lat_of(wgs), lon_of(wgs), gcj, 1e-6);
        expect_back(GEO_GCJ02, gcj, wgs, 1);
    }
    json_decref(vectors);
}

/* As gcoord 1.0.7 converts them. */
static void corners_of_changzhi_agree_with_gcoord(void **unused)
{
    (void)unused;
    static const double vectors[][6] = {
        {36.195, 113.117, 36.19516610266019, 113.1236642543039, 36.201051226716146,
         113.13018603309564},
        {36.5, 112.34, 36.50019579350573, 112.34644672581832, 36.506263521493615,
         112.35294304021032},
        {35.823, 113.736, 35.82290468430189, 113.74230376538226, 35.82910870733612,
         113.74873633175207},
        {37.125, 111.985, 37.12543209070168, 111.99137674526749, 37.1314122407688,
         111.9978978836604},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        for (enum geo_datum datum = GEO_GCJ02; datum <= GEO_BD09; datum++) {
            const double *there = vectors[i] + (datum == GEO_GCJ02 ? 2 : 4);
            double lat = vectors[i][0], lon = vectors[i][1];
            geo_from_wgs84(datum, &lat, &lon);
            assert_true(fabs(lat - there[0]) < 1e-9 && fabs(lon - there[1]) < 1e-9);
            geo_to_wgs84(datum, &lat, &lon);
            assert_true(fabs(lat - vectors[i][0]) < 1e-9 && fabs(lon - vectors[i][1]) < 1e-9);
        }
    }
}

/* The way back of eviltransform for these places (bd_wgs in its vectors) is one step, 10 m and 40 m
 * off. gcoord stops at 1e-6 degrees. */
static void bd09_goes_back_as_in_gcoord(void **unused)
{
    (void)unused;
    static const double vectors[][4] = {
        {29.199786, 120.019809, 29.196219759803856, 120.0087400432669},
        {29.210504, 120.036455, 29.207157913103764, 120.02528300285304},
    };
    for (size_t i = 0; i < 2; i++) {
        double lat = vectors[i][0], lon = vectors[i][1];
        geo_to_wgs84(GEO_BD09, &lat, &lon);
        assert_true(fabs(lat - vectors[i][2]) < 2e-6 && fabs(lon - vectors[i][3]) < 2e-6);
    }
}

static void the_inverses_come_back_within_a_millimetre(void **unused)
{
    (void)unused;
    for (int row = 0; row < 97; row++) {
        for (int column = 0; column < 150; column++) {
            const double lat = 18 + row * 0.37, lon = 73.5 + column * 0.41;
            for (enum geo_datum datum = GEO_WGS84; datum <= GEO_BD09; datum++) {
                double there_lat = lat, there_lon = lon;
                geo_from_wgs84(datum, &there_lat, &there_lon);
                geo_to_wgs84(datum, &there_lat, &there_lon);
                assert_true(metres(lat, lon, there_lat, there_lon) < 0.001);
            }
        }
    }
}

static void changzhi_is_over_half_a_kilometre_off_in_gcj02(void **unused)
{
    (void)unused;
    double lat = 36.195, lon = 113.117;
    geo_from_wgs84(GEO_GCJ02, &lat, &lon);
    double off_m = metres(36.195, 113.117, lat, lon);
    assert_true(off_m > 544 && off_m < 612);
}

static void abroad_gcj02_is_wgs84(void **unused)
{
    (void)unused;
    const double places[][2] = {{51.5, -0.1}, {-33.9, 151.2}, {0, 0}, {90, 180}, {-90, -180}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double lat = places[i][0], lon = places[i][1];
        geo_from_wgs84(GEO_GCJ02, &lat, &lon);
        geo_to_wgs84(GEO_GCJ02, &lat, &lon);
        assert_true(lat == places[i][0] && lon == places[i][1]);
    }
}

static void the_edge_of_the_box_ends_and_stays_near(void **unused)
{
    (void)unused;
    for (int step = 0; step < 57; step++) {
        const double off = -0.02 + step * 0.0007;
        double lat = 30 + off, lon = 72.004 + off;
        geo_to_wgs84(GEO_GCJ02, &lat, &lon);
        assert_true(metres(lat, lon, 30 + off, 72.004 + off) < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_without_case_and_dashes),
        cmocka_unit_test(cities_agree_with_their_published_places),
        cmocka_unit_test(eviltransform_agrees),
        cmocka_unit_test(corners_of_changzhi_agree_with_gcoord),
        cmocka_unit_test(bd09_goes_back_as_in_gcoord),
        cmocka_unit_test(the_inverses_come_back_within_a_millimetre),
        cmocka_unit_test(changzhi_is_over_half_a_kilometre_off_in_gcj02),
        cmocka_unit_test(abroad_gcj02_is_wgs84),
        cmocka_unit_test(the_edge_of_the_box_ends_and_stays_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
