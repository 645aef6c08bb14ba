#include "cli/campus_sim.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "geo/geojson.h"

#define USAGE                                                                                      \
    "campus-sim city --out DIR [--seed N] [--schools 206] [--pupils 134000] [--zones 2000]\n"      \
    "  writes schools.csv pupils.csv cards.csv guardians.csv gates.csv fences.geojson load.csv\n"  \
    "  and city.txt, from which `campus-sim day` makes the same city again"
#define MANIFEST       "city.txt"
#define MANIFEST_TITLE "campus-sim city"
#define PIECE_MAX      (64u << 20)

static enum status write_table(const struct sim_city *city, const char *folder,
                               enum sim_table table, struct status_detail *detail)
{
    struct sim_file file;
    struct buffer bytes;
    buffer_init(&bytes, PIECE_MAX);
    enum status status = sim_file_open(&file, folder, sim_table_file(table), detail);
    if (status == STATUS_OK) {
        sim_table_header(table, &bytes);
    }
    for (uint32_t s = 0; status == STATUS_OK && s < city->options.schools; s++) {
        sim_table_rows(city, table, s, &bytes);
        status = sim_file_write(&file, &bytes, detail);
    }
    if (status == STATUS_OK) {
        status = sim_file_commit(&file, detail);
    }
    sim_file_abort(&file);
    buffer_release(&bytes);
    return status;
}

static void write_fence(const struct sim_city *city, uint32_t no, struct buffer *out)
{
    struct sim_fence fence;
    sim_city_fence(city, no, &fence);
    struct geo_feature feature = {
        .id = fence.id,
        .school = fence.school,
        .kind = fence.kind,
        .name = fence.name,
        .severity = "",
        .schedule = "",
        .datum = GEO_WGS84,
        .shape = *fence.shape,
    };
    buffer_text(out, no == 0 ? "{\"type\":\"FeatureCollection\",\"features\":[\n" : ",\n");
    geo_geojson_write_feature(out, &feature);
}

static enum status write_fences(const struct sim_city *city, const char *folder,
                                struct status_detail *detail)
{
    struct sim_file file;
    struct buffer bytes;
    buffer_init(&bytes, PIECE_MAX);
    enum status status = sim_file_open(&file, folder, "fences.geojson", detail);
    uint32_t count = sim_city_fence_count(city);
    for (uint32_t no = 0; status == STATUS_OK && no < count; no++) {
        write_fence(city, no, &bytes);
        status = sim_file_write(&file, &bytes, detail);
    }
    if (status == STATUS_OK) {
        buffer_text(&bytes, "\n]}\n");
        status = sim_file_write(&file, &bytes, detail);
    }
    if (status == STATUS_OK) {
        status = sim_file_commit(&file, detail);
    }
    sim_file_abort(&file);
    buffer_release(&bytes);
    return status;
}

/* Last of all: a folder with a manifest is complete. */
static enum status write_manifest(const struct sim_city *city, const char *folder,
                                  struct status_detail *detail)
{
    const struct sim_city_options *options = &city->options;
    struct sim_file file;
    struct buffer bytes;
    buffer_init(&bytes, PIECE_MAX);
    buffer_printf(&bytes, MANIFEST_TITLE "\nseed=%llu\nschools=%u\npupils=%u\nzones=%u\n",
                  (unsigned long long)options->seed, options->schools, options->pupils,
                  options->zones);
    buffer_printf(&bytes, "digest=%016llx\n", (unsigned long long)sim_city_digest(city));
    enum status status = sim_file_open(&file, folder, MANIFEST, detail);
    if (status == STATUS_OK) {
        status = sim_file_write(&file, &bytes, detail);
    }
    if (status == STATUS_OK) {
        status = sim_file_commit(&file, detail);
    }
    sim_file_abort(&file);
    buffer_release(&bytes);
    return status;
}

static enum status write_city(const struct sim_city *city, const char *folder,
                              struct status_detail *detail)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", folder, strerror(errno));
    }
    for (enum sim_table table = 0; table < SIM_TABLES; table++) {
        enum status status = write_table(city, folder, table, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    enum status status = write_fences(city, folder, detail);
    return status == STATUS_OK ? write_manifest(city, folder, detail) : status;
}

int sim_command_city(int argc, char **argv)
{
    const char *folder = NULL, *seed = NULL, *schools = NULL, *pupils = NULL, *zones = NULL;
    bool help = false;
    const struct cli_option list[] = {
        {"--out", &folder, NULL},    {"--seed", &seed, NULL},   {"--schools", &schools, NULL},
        {"--pupils", &pupils, NULL}, {"--zones", &zones, NULL}, {"--help", NULL, &help},
        {NULL, NULL, NULL},
    };
    int words = 0;
    if (cli_options(argc, argv, list, USAGE, &words) != CLI_OK) {
        return CLI_USAGE;
    }
    if (help) {
        (void)printf("usage: %s\n", USAGE);
        return CLI_OK;
    }
    if (folder == NULL || words > 1) {
        return cli_usage(USAGE, folder == NULL ? "city: --out is missing" : "city: takes no words");
    }
    int64_t seed_no, school_count, pupil_count, zone_count;
    if (sim_option_number("--seed", seed, 0, INT64_MAX, 1, &seed_no) != STATUS_OK ||
        sim_option_number("--schools", schools, 1, SIM_SCHOOLS_MAX, SIM_SCHOOLS_DEFAULT,
                          &school_count) != STATUS_OK ||
        sim_option_number("--pupils", pupils, 1, 999999, SIM_PUPILS_DEFAULT, &pupil_count) !=
            STATUS_OK ||
        sim_option_number("--zones", zones, 0, SIM_ZONES_MAX, SIM_ZONES_DEFAULT, &zone_count) !=
            STATUS_OK) {
        return CLI_USAGE;
    }
    const struct sim_city_options options = {(uint64_t)seed_no, (uint32_t)school_count,
                                             (uint32_t)pupil_count, (uint32_t)zone_count};
    struct sim_city city;
    struct status_detail detail = {{0}};
    if (sim_city_init(&city, &options, &detail) != STATUS_OK) {
        return cli_fail("city: %s", detail.text);
    }
    int result = CLI_OK;
    if (write_city(&city, folder, &detail) != STATUS_OK) {
        result = cli_fail("city: %s", detail.text);
    } else {
        (void)printf("%s: %u schools, %u pupils, %u guardians, %u fences, seed %llu\n", folder,
                     options.schools, options.pupils, city.guardian_count,
                     sim_city_fence_count(&city), (unsigned long long)options.seed);
    }
    sim_city_release(&city);
    return result;
}

/* ---- the way back ---- */

static enum status read_manifest(const char *folder, struct sim_city_options *ret,
                                 uint64_t *ret_digest, struct status_detail *detail)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/" MANIFEST, folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        return status_detail_set(detail, STATUS_INVALID, "%s: too long a path", folder);
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_NOT_FOUND,
                                 "%s: %s: make the city with `campus-sim city --out %s`", path,
                                 strerror(errno), folder);
    }
    unsigned long long seed = 0, digest = 0;
    int found = fscanf(file, // NOLINT(bugprone-unchecked-string-to-number-conversion,cert-err34-c)
                       MANIFEST_TITLE " seed=%20llu schools=%9u pupils=%9u zones=%9u digest=%16llx",
                       &seed, &ret->schools, &ret->pupils, &ret->zones, &digest);
    (void)fclose(file);
    if (found != 5) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "%s: not as campus-sim writes it: make the city again", path);
    }
    ret->seed = seed;
    *ret_digest = digest;
    return STATUS_OK;
}

enum status sim_city_open(const char *folder, struct sim_city *ret, struct status_detail *detail)
{
    struct sim_city_options options = {0};
    struct sim_city city;
    uint64_t digest = 0;
    enum status status = read_manifest(folder, &options, &digest, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = sim_city_init(&city, &options, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s/" MANIFEST, folder);
    }
    if (sim_city_digest(&city) != digest) {
        sim_city_release(&city);
        return status_detail_set(
            detail, STATUS_CONFLICT,
            "%s: another version of campus-sim made this city: make and import "
            "it again",
            folder);
    }
    *ret = city;
    return STATUS_OK;
}
