#pragma once
/*
 * Purpose: what the files of the meter share: what is counted (meter.c), and what budgets say to it (meter_budgets.c).
 * Threads: see the struct's members.
 */
#include "backends/base/lock.h"
#include "backends/http/observer.h"
#include "control/meter.h"
#include "control/usage_db.h"

#include <uthash.h>

#define PLACES_MAX    128
#define STORE_MAX     65
#define BUCKET_MAX    300
#define OPERATION_MAX 64

struct count {
	char *key;
	int64_t day; /* since 1970 */
	char store[STORE_MAX], bucket[BUCKET_MAX], operation[OPERATION_MAX];
	uint64_t requests, errors, sent, received;
	UT_hash_handle hh;
};
struct place {
	char store[STORE_MAX], type[STORE_MAX];
};
struct standing { /* of one budget */
	int64_t spent;
	unsigned warned; /* the highest threshold told this month, in per cent */
	bool is_stopped;
};
struct meter {
	struct lock lock;
	struct count *counts;		/* guarded by lock, as all down to `month` */
	struct place places[PLACES_MAX];
	size_t place_count;
	struct prices prices;
	struct budgets budgets;
	struct standing standings[BUDGETS_MAX];
	char month[8];
	char *config_path;		/* of the file to look at again; set by meter_configure */
	struct timespec config_time;
	_Atomic bool is_stopping_any;	/* some budget refuses something */
	struct lock db_lock;		/* one writer at a time; held across SQLite, which is what it guards */
	struct usage_db *db;		/* guarded by db_lock */
	bool is_db_failing;		/* guarded by db_lock */
	pthread_t thread;
	bool has_thread;
	struct cond wake;
	bool is_ending; /* guarded by lock */
};
struct judgement {
	struct prices prices;
	struct budgets budgets;
	int64_t spent[BUDGETS_MAX];
};
extern struct meter meter;

void meter_copy_word(char *ret, size_t size, const char *text);
/* A store's type; of "aws-ec2" what stands before the '-', where that is a driver; else the word itself ("auth"). */
void meter_provider_locked(const char *store, char ret[STORE_MAX]);

/* meter_budgets.c */
/* For the observer: whether some budget refuses the request. */
int meter_admit(const struct http_request *request, struct error *err);
/* How much of each budget is spent; db_lock is held: what others wrote counts too. */
int meter_judge(struct error *err) MUST_CHECK;
