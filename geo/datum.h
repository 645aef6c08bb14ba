/*
 * datum.h - WGS-84, and the two obfuscated Chinese systems GCJ-02 (Gaode, Tencent) and BD-09
 * (Baidu).
 * Know: in Changzhi GCJ-02 is 544-608 m away from WGS-84. Outside mainland China's box
 * GCJ-02 equals WGS-84. The inverses iterate to under 1 mm.
 * Units: degrees, latitude first.
 * Threads: any.
 */
#ifndef GEO_DATUM_H
#define GEO_DATUM_H

#include "base/status.h"
#include "base/text.h"

enum geo_datum { GEO_DATUM_NONE = 0, GEO_WGS84 = 1, GEO_GCJ02 = 2, GEO_BD09 = 3 };

/* "wgs84", "gcj02", "bd09"; case and '-' do not matter. STATUS_INVALID otherwise. */
enum status geo_datum_parse(struct text name, enum geo_datum *ret) MUST_CHECK;
const char *geo_datum_name(enum geo_datum datum);

/* Position given in `datum` to WGS-84 and back. In place. datum is not GEO_DATUM_NONE. */
void geo_to_wgs84(enum geo_datum datum, double *lat, double *lon);
void geo_from_wgs84(enum geo_datum datum, double *lat, double *lon);

#endif
