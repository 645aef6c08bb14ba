#!/bin/bash
# Every real trace through broker, daemon and archive: no fix lost, and the same alerts by three ways.
. "$(dirname "$0")/lib.sh"
need_data
need_programs campusd campusctl
e2e_open
traces_begin
publish_all
check_publishers
wait_archived
check_fixes
check_alerts
