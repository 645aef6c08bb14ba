#include "base/assert.h"
#include "sim/city.h"

#include <string.h>

uint32_t sim_city_fence_count(const struct sim_city *city)
{
    return city->options.schools * SIM_SCHOOL_FENCES + city->options.zones;
}

static void set_text(char ret[SIM_TEXT_MAX], struct buffer *made)
{
    ASSERT(buffer_status(made) == STATUS_OK && made->size < SIM_TEXT_MAX);
    memcpy(ret, buffer_cstr(made), made->size + 1);
    buffer_clear(made);
}

void sim_city_fence(const struct sim_city *city, uint32_t no, struct sim_fence *ret)
{
    static const char *const words[SIM_SCHOOL_FENCES] = {"ground", "playground", "dormitory",
                                                         "teaching", "gate"};
    static const char *const zones[] = {"River", "Pond", "Quarry", "Road"};
    ASSERT(no < sim_city_fence_count(city));
    *ret = (struct sim_fence){.kind = "danger"};
    struct buffer text;
    buffer_init(&text, SIM_TEXT_MAX);
    uint32_t school = no / SIM_SCHOOL_FENCES, place = no % SIM_SCHOOL_FENCES;
    if (school < city->options.schools) {
        buffer_printf(&text, "s%03u-%s", school + 1, words[place]);
        set_text(ret->id, &text);
        buffer_printf(&text, "s%03u", school + 1);
        set_text(ret->school, &text);
        buffer_printf(&text, "School %03u %s", school + 1, words[place]);
        set_text(ret->name, &text);
        ret->kind = place == SIM_FENCE_GROUND ? "school" : "place";
        ret->shape = &city->schools[school].fences[place];
    } else {
        uint32_t z = no - city->options.schools * SIM_SCHOOL_FENCES;
        buffer_printf(&text, "z%04u", z + 1);
        set_text(ret->id, &text);
        buffer_printf(&text, "%s %04u", zones[city->zones[z].kind], z + 1);
        set_text(ret->name, &text);
        ret->shape = &city->zones[z].shape;
    }
    buffer_release(&text);
}

/* Everything that the rows of one school need. */
struct row_context {
    const struct sim_city *city;
    const struct sim_school *school;
    uint32_t no; /* the school's, from 1 */
};

static void degrees(struct buffer *out, const struct sim_land *land, struct sim_spot spot)
{
    struct geo_point point = sim_land_point(land, spot);
    buffer_text(out, ",");
    buffer_degrees_e7(out, point.lat_e7);
    buffer_text(out, ",");
    buffer_degrees_e7(out, point.lon_e7);
    buffer_text(out, "\n");
}

static void write_school(const struct row_context *c, uint32_t i, struct buffer *out)
{
    const struct sim_county *county = &sim_counties[c->school->county];
    (void)i;
    buffer_printf(out, "s%03u,%s School %03u,%s", c->no, county->name, c->no, county->code);
    degrees(out, &c->school->land, (struct sim_spot){0, 0});
}

static void write_pupil(const struct row_context *c, uint32_t i, struct buffer *out)
{
    uint32_t no = c->school->pupil_first + i + 1;
    const struct sim_pupil *pupil = &c->city->pupils[no - 1];
    buffer_printf(out, "p%06u,Pupil %06u,s%03u,%u-%u\n", no, no, c->no, pupil->grade,
                  pupil->class_no);
}

static void write_card(const struct row_context *c, uint32_t i, struct buffer *out)
{
    uint32_t no = c->school->pupil_first + i + 1;
    buffer_printf(out, "c%06u,p%06u,\n", no, no);
}

static void write_guardians(const struct row_context *c, uint32_t i, struct buffer *out)
{
    uint32_t no = c->school->pupil_first + i + 1;
    const struct sim_pupil *pupil = &c->city->pupils[no - 1];
    for (uint32_t g = 1; g <= pupil->guardian_count; g++) {
        uint32_t guardian = pupil->guardian_first + g;
        buffer_printf(out, "g%06u,Guardian %06u,p%06u\n", guardian, guardian, no);
    }
}

static void write_gate(const struct row_context *c, uint32_t i, struct buffer *out)
{
    buffer_printf(out, "s%03u-g%u,Gate %u,s%03u\n", c->no, i + 1, i + 1, c->no);
}

static void write_load(const struct row_context *c, uint32_t i, struct buffer *out)
{
    uint32_t no = c->school->pupil_first + i + 1;
    const struct sim_pupil *pupil = &c->city->pupils[no - 1];
    buffer_printf(out, "s%03u,c%06u,g%06u", c->no, no, pupil->guardian_first + 1);
    degrees(out, &c->school->land, c->school->teaching);
}

static uint32_t one(const struct sim_school *school)
{
    (void)school;
    return 1;
}

static uint32_t pupils_of(const struct sim_school *school)
{
    return school->pupil_count;
}

static uint32_t gates_of(const struct sim_school *school)
{
    return school->gate_count;
}

static const struct {
    const char *file, *header;
    uint32_t (*count)(const struct sim_school *school);
    void (*write)(const struct row_context *c, uint32_t i, struct buffer *out);
} tables[SIM_TABLES] = {
    [SIM_TABLE_SCHOOLS] = {"schools.csv", "id,name,county,lat,lon\n", one, write_school},
    [SIM_TABLE_PUPILS] = {"pupils.csv", "id,name,school,class\n", pupils_of, write_pupil},
    [SIM_TABLE_CARDS] = {"cards.csv", "id,pupil,owntracks\n", pupils_of, write_card},
    [SIM_TABLE_GUARDIANS] = {"guardians.csv", "id,name,pupil\n", pupils_of, write_guardians},
    [SIM_TABLE_GATES] = {"gates.csv", "id,name,school\n", gates_of, write_gate},
    [SIM_TABLE_LOAD] = {"load.csv", "school,card,guardian,lat,lon\n", pupils_of, write_load},
};

const char *sim_table_file(enum sim_table table)
{
    ASSERT(table < SIM_TABLES);
    return tables[table].file;
}

void sim_table_header(enum sim_table table, struct buffer *out)
{
    ASSERT(table < SIM_TABLES);
    buffer_text(out, tables[table].header);
}

void sim_table_rows(const struct sim_city *city, enum sim_table table, uint32_t school,
                    struct buffer *out)
{
    ASSERT(table < SIM_TABLES && school < city->options.schools);
    struct row_context context = {city, &city->schools[school], school + 1};
    uint32_t count = tables[table].count(context.school);
    for (uint32_t i = 0; i < count; i++) {
        tables[table].write(&context, i, out);
    }
}
