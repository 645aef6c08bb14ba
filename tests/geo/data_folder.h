/*
 * data_folder.h - where the folder of real inputs lies unless $CAMPUS_DATA says so: beside the tree.
 * Nobody has it but who develops here; tests and benchmarks skip what they miss.
 */
#ifndef TESTS_GEO_DATA_FOLDER_H
#define TESTS_GEO_DATA_FOLDER_H

#define REAL_DATA_FOLDER CAMPUS_SOURCE_DIR "/../shared/data"

#endif
