/*
 * What is counted, where it is kept, and the thread that writes it.
 */
#include "control/meter_private.h"

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/metrics.h"
#include "control/paths.h"
#include "control/telemetry.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define INTERVAL_MS  2000
#define OTHER_BUCKET "(other)"

struct meter meter = { .lock = LOCK_INIT_RANKED(LOCK_WORKERS), .db_lock = LOCK_INIT_RANKED(LOCK_CONTROL_PEER) };

/* ---- counting ---- */

void meter_copy_word(char *ret, size_t size, const char *text)
{
	(void)snprintf(ret, size, "%s", text ? text : "");
}

/* NULL without memory: then that request is not counted. */
static struct count *count_of_locked(int64_t day, const char *store, const char *bucket, const char *operation)
{
	char key[STORE_MAX + BUCKET_MAX + OPERATION_MAX + 32];
	struct count *c = NULL;

	(void)snprintf(key, sizeof key, "%lld\n%.64s\n%.299s\n%.63s", (long long)day, store, bucket, operation);
	HASH_FIND_STR(meter.counts, key, c);
	if (c)
		return c;
	if (HASH_COUNT(meter.counts) >= METER_COUNTS_MAX && strcmp(bucket, OTHER_BUCKET) != 0)
		return count_of_locked(day, store, OTHER_BUCKET, operation);
	c = calloc(1, sizeof *c);
	if (c)
		c->key = strdup(key);
	if (!c || !c->key) {
		free(c);
		return NULL;
	}
	c->day = day;
	meter_copy_word(c->store, sizeof c->store, store);
	meter_copy_word(c->bucket, sizeof c->bucket, bucket);
	meter_copy_word(c->operation, sizeof c->operation, operation);
	HASH_ADD_KEYPTR(hh, meter.counts, c->key, strlen(c->key), c);
	return c;
}

static void on_sent(const struct http_sent *sent)
{
	const struct http_request *q = sent->request;
	int64_t day = clock_wall_s() / 86400;
	struct count *c;

	if (q->store && !strcmp(q->store, TELEMETRY_STORE)) /* to the user's own collector */
		return;
	LOCKED(&meter.lock);
	c = count_of_locked(day, q->store ? q->store : "other", q->bucket ? q->bucket : "", q->operation ? q->operation : "other");
	if (!c)
		return;
	c->requests += sent->sends;
	c->errors += sent->status < 200 || sent->status >= 400;
	c->sent += sent->bytes_sent;
	c->received += sent->bytes_received;
}

static void counts_free(struct count *counts)
{
	struct count *c, *next;

	HASH_ITER(hh, counts, c, next) {
		HASH_DEL(counts, c);
		free(c->key);
		free(c);
	}
}

/* ---- providers ---- */

static const char *type_of_locked(const char *store)
{
	for (size_t i = 0; i < meter.place_count; i++)
		if (!strcmp(meter.places[i].store, store))
			return meter.places[i].type;
	return NULL;
}

void meter_name_store(const char *store, const char *type)
{
	LOCKED(&meter.lock);
	if (type_of_locked(store) || meter.place_count == PLACES_MAX)
		return;
	meter_copy_word(meter.places[meter.place_count].store, STORE_MAX, store);
	meter_copy_word(meter.places[meter.place_count].type, STORE_MAX, type);
	meter.place_count++;
}

/* A store's type; of "aws-ec2" what stands before the '-', where that is a driver; else the word itself ("auth"). */
void meter_provider_locked(const char *store, char ret[STORE_MAX])
{
	const char *type = type_of_locked(store);
	size_t len = strcspn(store, "-");

	meter_copy_word(ret, STORE_MAX, type ? type : store);
	if (type || !store[len])
		return;
	ret[len] = '\0';
	if (!cloud_driver_find(ret))
		meter_copy_word(ret, STORE_MAX, store);
}

/* ---- writing ---- */

char *meter_path(void)
{
	CLEANUP(freep) char *dir = paths_state_dir();

	return dir ? str_format("%s/usage.db", dir) : NULL;
}

static int open_db(struct error *err)
{
	CLEANUP(freep) char *path = meter_path();

	if (meter.db)
		return 0;
	if (!path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return usage_db_open(path, USAGE_WRITE, &meter.db, err);
}

static void day_text(int64_t day, char ret[USAGE_DAY_LEN + 1])
{
	time_t at = (time_t)(day * 86400);
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(ret, USAGE_DAY_LEN + 1, "%Y-%m-%d", &tm);
}

static int write_counts(struct count *counts, struct error *err)
{
	size_t count = HASH_COUNT(counts), i = 0;
	CLEANUP(freep) struct usage_row *rows = calloc(count + 1, sizeof *rows);
	CLEANUP(freep) char(*providers_of)[STORE_MAX] = calloc(count + 1, sizeof *providers_of);
	int r = rows && providers_of ? open_db(err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		return r;
	lock_take(&meter.lock);
	for (struct count *c = counts; c; c = c->hh.next, i++) {
		meter_provider_locked(c->store, providers_of[i]);
		rows[i] = (struct usage_row){ .provider = providers_of[i], .store = c->store, .bucket = c->bucket,
					      .operation = c->operation, .requests = c->requests, .errors = c->errors,
					      .sent = c->sent, .received = c->received };
		day_text(c->day, rows[i].day);
	}
	lock_drop(&meter.lock);
	return usage_db_add(meter.db, rows, count, err);
}

/* What could not be written goes back to what was counted meanwhile. */
static void take_back(struct count *counts)
{
	LOCKED(&meter.lock);
	for (struct count *c = counts; c; c = c->hh.next) {
		struct count *now = count_of_locked(c->day, c->store, c->bucket, c->operation);

		if (!now)
			continue;
		now->requests += c->requests;
		now->errors += c->errors;
		now->sent += c->sent;
		now->received += c->received;
	}
}

int meter_flush(struct error *err)
{
	struct count *counts;
	int r = 0;

	LOCKED(&meter.db_lock);
	lock_take(&meter.lock);
	counts = meter.counts;
	meter.counts = NULL;
	lock_drop(&meter.lock);
	if (counts)
		r = write_counts(counts, err);
	if (r < 0)
		take_back(counts);
	counts_free(counts);
	if (r == 0)
		r = meter_judge(err);
	if (r < 0 && !meter.is_db_failing)
		log_event(meter.has_thread ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "usage.write",
			  "error='%s' what='kept, and tried again'", err->message);
	if (r < 0) { /* opened anew the next time: the file may have been put away */
		usage_db_close(meter.db);
		meter.db = NULL;
	}
	meter.is_db_failing = r < 0;
	return r;
}

/* ---- configuration ---- */

static char *prices_path(const char *config_path)
{
	return str_format("%.*s/prices.conf", (int)(strrchr(config_path, '/') - config_path), config_path);
}

static struct timespec time_of(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
}

static const struct http_observer observer = {
	.admit = meter_admit, .sent = on_sent, .ended = telemetry_call_ended, .wants_ended = telemetry_is_tracing,
};

static void name_stores(const struct config *config)
{
	for (size_t i = 0; i < config->store_count; i++)
		if (config->stores[i].is_store || config->stores[i].driver)
			meter_name_store(config->stores[i].name, config->stores[i].type);
	for (size_t i = 0; providers[i]; i++)
		meter_name_store(providers[i]->type, providers[i]->type);
}

static int take_config(const struct config *config, struct error *err)
{
	CLEANUP(freep) struct judgement *fresh = calloc(1, sizeof *fresh);
	CLEANUP(freep) char *config_path = config->path ? paths_absolute(config->path) : NULL;
	CLEANUP(freep) char *path = config_path ? prices_path(config_path) : NULL;
	int r;

	if (!fresh || (config->path && !path))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = prices_load(path, &fresh->prices, err);
	if (r == 0)
		r = budgets_read(config, &fresh->prices, &fresh->budgets, err);
	if (r < 0)
		return r;
	LOCKED(&meter.lock);
	meter.prices = fresh->prices;
	for (size_t i = 0; i < BUDGETS_MAX; i++) /* what was told of a budget stays told */
		if (strcmp(meter.budgets.rows[i].name, fresh->budgets.rows[i].name) != 0)
			meter.standings[i] = (struct standing){ 0 };
	meter.budgets = fresh->budgets;
	return 0;
}

int meter_configure(const struct config *config, struct error *err)
{
	struct error why = ERROR_INIT;
	bool has_budgets;
	int r;

	name_stores(config);
	r = take_config(config, err);
	if (r < 0)
		return r;
	http_observe(&observer);
	lock_take(&meter.lock);
	if (!meter.config_path && config->path)
		meter.config_path = paths_absolute(config->path);
	meter.config_time = time_of(meter.config_path);
	has_budgets = meter.budgets.count > 0;
	lock_drop(&meter.lock);
	if (!has_budgets)
		return 0;
	/* What was spent already; a file that cannot be opened keeps nobody from his data. */
	LOCKED(&meter.db_lock);
	if (open_db(&why) < 0 || meter_judge(&why) < 0)
		log_warn("usage.read", "error='%s'", why.message);
	return 0;
}

/* By the thread: a budget that was raised counts from now on. */
static void look_at_config(void)
{
	struct timespec now = time_of(meter.config_path);
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	struct error err = ERROR_INIT;

	if (now.tv_sec == meter.config_time.tv_sec && now.tv_nsec == meter.config_time.tv_nsec)
		return;
	meter.config_time = now; /* only this thread looks at it from here on */
	if (config_load(meter.config_path, &config, &err) < 0 || take_config(&config, &err) < 0)
		log_warn("budget.config", "error='%s' what='the budgets stay as they were'", err.message);
	else
		log_info("budget.config", "what='read again'");
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	(void)arg;
	for (;;) {
		struct error err = ERROR_INIT;
		uint64_t until = clock_mono_ms() + INTERVAL_MS;
		bool is_ending;

		lock_take(&meter.lock);
		while (!meter.is_ending && cond_wait_until(&meter.wake, &meter.lock, until))
			;
		is_ending = meter.is_ending;
		lock_drop(&meter.lock);
		if (is_ending)
			return NULL;
		look_at_config();
		(void)meter_flush(&err); /* logged there, and tried again */
	}
}

int meter_start(struct error *err)
{
	sigset_t all, old;
	int r;

	cond_init(&meter.wake);
	meter.is_ending = false;
	(void)sigfillset(&all); /* signals are for the program's own threads */
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&meter.thread, NULL, run, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return error_errno(err, r, "cannot start the meter's thread");
	(void)pthread_setname_np(meter.thread, "skydir-meter");
	meter.has_thread = true;
	return 0;
}

void meter_stop(void)
{
	struct error err = ERROR_INIT;

	if (meter.has_thread) {
		lock_take(&meter.lock);
		meter.is_ending = true;
		cond_broadcast(&meter.wake);
		lock_drop(&meter.lock);
		(void)pthread_join(meter.thread, NULL);
		cond_destroy(&meter.wake);
		meter.has_thread = false;
	}
	if (meter.counts)
		(void)meter_flush(&err); /* logged there */
	LOCKED(&meter.db_lock);
	usage_db_close(meter.db);
	meter.db = NULL;
}
