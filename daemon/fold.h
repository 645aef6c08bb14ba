/*
 * fold.h - the journal's records move the engine: live as they become durable, at boot as they are read.
 * Know: reports of one event wait for others, so that the engine looks up what many need at once; a
 * record of another kind, or fold_flush, lets them go. Nothing else of campusd may look at the engine
 * before.
 * Threads: loop thread.
 */
#ifndef DAEMON_FOLD_H
#define DAEMON_FOLD_H

#include "storage/journal.h"

struct campusd;

/* on_record of the journal. At boot, what lies before the snapshot is passed over but for alerts. */
void fold_record(void *context, const struct journal_record *record);
void fold_flush(struct campusd *campusd);

#endif
