#include "base/clock.h"
#include "cli/campus_sim.h"

static void append_truth(const struct sim_day *day, uint32_t i, const struct sim_crossing *crossing,
                         struct buffer *out)
{
    struct sim_fence fence;
    char time[CLOCK_TEXT_MAX];
    uint32_t pupil = day->pupils[i].pupil + 1;
    sim_city_fence(day->config.city, crossing->fence, &fence);
    clock_format_rfc3339(day->config.midnight_ms + crossing->time_ms, time);
    buffer_printf(out, "p%06u,c%06u,%s,%s,%s,%s\n", pupil, pupil, fence.id, time,
                  crossing->entered ? "entered" : "left", fence.kind);
}

enum status sim_add_truth(const struct sim_day *day, struct sim_file *file,
                          struct status_detail *detail)
{
    enum { CROSSINGS_MAX = 4096 };
    static struct sim_crossing crossings[CROSSINGS_MAX];
    struct buffer bytes;
    buffer_init(&bytes, (size_t)CROSSINGS_MAX * 256);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < day->config.pupil_count; i++) {
        uint32_t count = sim_day_truth(day, i, crossings, CROSSINGS_MAX);
        if (count > CROSSINGS_MAX) {
            status =
                status_detail_set(detail, STATUS_TOO_LARGE, "pupil %u crosses %u times", i, count);
            break;
        }
        for (uint32_t c = 0; c < count; c++) {
            append_truth(day, i, &crossings[c], &bytes);
        }
        status = sim_file_write(file, &bytes, detail);
    }
    buffer_release(&bytes);
    return status;
}

enum status sim_truth_open(struct sim_file *file, const char *path, struct status_detail *detail)
{
    struct buffer head;
    buffer_init(&head, 256);
    buffer_text(&head, "pupil,card,fence,time,event,kind\n");
    enum status status = sim_file_open(file, NULL, path, detail);
    if (status == STATUS_OK) {
        status = sim_file_write(file, &head, detail);
    }
    buffer_release(&head);
    return status;
}

enum status sim_write_truth(const struct sim_day *day, const char *path,
                            struct status_detail *detail)
{
    struct sim_file file;
    enum status status = sim_truth_open(&file, path, detail);
    if (status == STATUS_OK) {
        status = sim_add_truth(day, &file, detail);
    }
    if (status == STATUS_OK) {
        status = sim_file_commit(&file, detail);
    }
    sim_file_abort(&file);
    return status;
}
