/*
 * fuzz.h - what the fuzz targets share.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "proto/codec.h"

/* The target: made of one file, called by libFuzzer or by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 2026-03-02T07:41:10Z: when every payload arrives. */
#define FUZZ_NOW_MS 1772437270000

struct text fuzz_text(const uint8_t *data, size_t size);
/* An arena as ingest has it, empty again. */
struct arena *fuzz_arena(void);
/* A decoded report holds nothing that the journal would not give back as it was. */
void fuzz_check_report(const struct wire_report *report);

#endif
