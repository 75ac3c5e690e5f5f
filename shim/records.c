/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists by the object's address. A place that was given up is zeroed by its last owner, then offered by storing NULL;
 * whoever exchanges that has it. What a list once has is at its end for ever, so walking needs no care.
 */
#include "shim/records.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(struct record *) *list_of(struct records *records, const void *object)
{
	uintptr_t hash = (uintptr_t)object >> 4;

	return &records->list[(hash ^ hash >> 10 ^ hash >> 20) % RECORDS_LISTS];
}

struct record *records_find(struct records *records, const void *object)
{
	struct record *record = object ? atomic_load(list_of(records, object)) : NULL;

	while (record && atomic_load(&record->object) != object)
		record = record->next;
	return record;
}

struct record *records_add(struct records *records, const void *object, size_t size)
{
	_Atomic(struct record *) *list = list_of(records, object);
	struct record *record;

	for (record = atomic_load(list); record; record = record->next) {
		const void *nobody = NULL;

		if (atomic_compare_exchange_strong(&record->object, &nobody, object))
			return record;
	}
	record = calloc(1, size);
	if (!record)
		return NULL;
	atomic_store(&record->object, object);
	record->next = atomic_load(list);
	while (!atomic_compare_exchange_weak(list, &record->next, record))
		;
	return record;
}

void records_remove(struct record *record, size_t size)
{
	memset(record + 1, 0, size - sizeof(*record));
	atomic_store(&record->object, NULL);
}
