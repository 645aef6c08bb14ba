#include "storage/registry_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* What is in service. An entry out of service takes with it what hangs on it: the pupils of a
 * school, the gate of a school; a card whose pupil is gone belongs to nobody. */
#define PUPILS "campus.pupil p JOIN campus.school s ON s.no = p.school_no AND s.valid WHERE p.valid"
#define LINKS                                                                                      \
    "campus.guardian_pupil l JOIN campus.guardian g ON g.no = l.guardian_no AND g.valid"           \
    " JOIN campus.pupil p ON p.no = l.pupil_no AND p.valid"                                        \
    " JOIN campus.school s ON s.no = p.school_no AND s.valid"

static enum status read_ends(PGconn *conn, struct directory_ends *ret, struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status =
        registry_ask_binary(conn,
                            "SELECT (SELECT coalesce(max(no), 0) + 1 FROM campus.school),"
                            " (SELECT coalesce(max(no), 0) + 1 FROM campus.pupil),"
                            " (SELECT coalesce(max(no), 0) + 1 FROM campus.card),"
                            " (SELECT coalesce(max(no), 0) + 1 FROM campus.guardian),"
                            " (SELECT coalesce(max(no), 0) + 1 FROM campus.gate),"
                            " (SELECT count(*)::int FROM " LINKS ")",
                            &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    *ret = (struct directory_ends){
        .schools = registry_u32(result, 0, 0),
        .pupils = registry_u32(result, 0, 1),
        .cards = registry_u32(result, 0, 2),
        .guardians = registry_u32(result, 0, 3),
        .gates = registry_u32(result, 0, 4),
        .guardian_links = registry_u32(result, 0, 5),
    };
    PQclear(result);
    return STATUS_OK;
}

/* Where the rows of one query go. */
struct filler {
    const char *sql;
    /* false: no memory */
    bool (*fill)(struct directory *directory, const PGresult *result, int row);
};

static char *copy_value(struct directory *directory, const PGresult *result, int row, int column)
{
    return arena_copy_text(&directory->arena, PQgetvalue(result, row, column),
                           (size_t)PQgetlength(result, row, column));
}

static bool fill_school(struct directory *directory, const PGresult *result, int row)
{
    uint32_t no = registry_u32(result, row, 0);
    ASSERT(no < directory->school_end);
    directory->schools[no].id = copy_value(directory, result, row, 1);
    return directory->schools[no].id != NULL;
}

static bool fill_pupil(struct directory *directory, const PGresult *result, int row)
{
    uint32_t no = registry_u32(result, row, 0);
    ASSERT(no < directory->pupil_end);
    directory->pupils[no].id = copy_value(directory, result, row, 1);
    directory->pupils[no].school_no = registry_u32(result, row, 2);
    return directory->pupils[no].id != NULL;
}

static bool fill_card(struct directory *directory, const PGresult *result, int row)
{
    uint32_t no = registry_u32(result, row, 0);
    ASSERT(no < directory->card_end);
    struct dir_card *card = &directory->cards[no];
    card->id = copy_value(directory, result, row, 1);
    card->pupil_no = registry_u32(result, row, 2);
    card->school_no = registry_u32(result, row, 3);
    if (PQgetisnull(result, row, 4) == 0) {
        card->owntracks = copy_value(directory, result, row, 4);
        return card->id != NULL && card->owntracks != NULL;
    }
    return card->id != NULL;
}

static bool fill_guardian(struct directory *directory, const PGresult *result, int row)
{
    uint32_t no = registry_u32(result, row, 0);
    ASSERT(no < directory->guardian_end);
    directory->guardians[no].id = copy_value(directory, result, row, 1);
    return directory->guardians[no].id != NULL;
}

static bool fill_gate(struct directory *directory, const PGresult *result, int row)
{
    uint32_t no = registry_u32(result, row, 0);
    ASSERT(no < directory->gate_end);
    directory->gates[no].id = copy_value(directory, result, row, 1);
    directory->gates[no].school_no = registry_u32(result, row, 2);
    return directory->gates[no].id != NULL;
}

/* Rows come by pupil, so that each pupil's links lie side by side. */
static bool fill_link(struct directory *directory, const PGresult *result, int row)
{
    uint32_t pupil_no = registry_u32(result, row, 0);
    ASSERT(pupil_no < directory->pupil_end);
    struct dir_pupil *pupil = &directory->pupils[pupil_no];
    if (pupil->guardian_count == 0) {
        pupil->guardian_first = (uint32_t)row;
    }
    pupil->guardian_count++;
    directory->guardian_links[row] = registry_u32(result, row, 1);
    return true;
}

static const struct filler fillers[] = {
    {"SELECT no, id FROM campus.school WHERE valid", fill_school},
    {"SELECT p.no, p.id, p.school_no FROM " PUPILS, fill_pupil},
    {"SELECT c.no, c.id, coalesce(p.no, 0), coalesce(p.school_no, 0), c.owntracks FROM campus.card c"
     " LEFT JOIN (SELECT p.no, p.school_no FROM " PUPILS ") p ON p.no = c.pupil_no WHERE c.valid",
     fill_card},
    {"SELECT no, id FROM campus.guardian WHERE valid", fill_guardian},
    {"SELECT t.no, t.id, t.school_no FROM campus.gate t"
     " JOIN campus.school s ON s.no = t.school_no AND s.valid WHERE t.valid",
     fill_gate},
    {"SELECT l.pupil_no, l.guardian_no FROM " LINKS " ORDER BY 1, 2", fill_link},
};

static enum status fill(PGconn *conn, struct directory *directory, struct status_detail *detail)
{
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
        PGresult *result = NULL;
        enum status status = registry_ask_binary(conn, fillers[i].sql, &result, detail);
        if (status != STATUS_OK) {
            return status;
        }
        bool filled = true;
        for (int row = 0; filled && row < PQntuples(result); row++) {
            filled = fillers[i].fill(directory, result, row);
        }
        PQclear(result);
        if (!filled) {
            return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the directory");
        }
    }
    return STATUS_OK;
}

static enum status load_directory(PGconn *conn, uint64_t revision, struct directory **ret,
                                  struct status_detail *detail)
{
    struct directory_ends ends;
    enum status status = read_ends(conn, &ends, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct directory *directory = NULL;
    status = directory_new(&ends, &directory);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "directory: %s", status_words(status));
    }
    directory->revision = revision;
    directory->guardian_link_count = ends.guardian_links;
    status = fill(conn, directory, detail);
    if (status == STATUS_OK) {
        status = directory_seal(directory, detail);
    }
    if (status != STATUS_OK) {
        directory_free(directory);
        return status;
    }
    *ret = directory;
    return STATUS_OK;
}

enum status registry_load(PGconn *conn, struct directory **ret_directory,
                          struct fence_set **ret_fences, struct status_detail *detail)
{
    enum status status =
        registry_run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", detail);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t revision;
    struct directory *directory = NULL;
    struct fence_set *fences = NULL;
    status = registry_revision(conn, &revision, detail);
    if (status == STATUS_OK) {
        status = load_directory(conn, revision, &directory, detail);
    }
    if (status == STATUS_OK) {
        status = registry_load_fences(conn, revision, &fences, detail);
    }
    status = registry_end(conn, status, false, detail);
    if (status != STATUS_OK) {
        directory_free(directory);
        fence_set_free(fences);
        return status;
    }
    *ret_directory = directory;
    *ret_fences = fences;
    return STATUS_OK;
}
