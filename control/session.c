#include "control/session.h"

#include "backends/base/clock.h"
#include "backends/base/log.h"

#include <inttypes.h>

#define LOG_INTERVAL_MS 10000

void session_init(struct session *s, struct fs *fs, const char *mountpoint, const char *source,
		  const char *cache_dir)
{
	*s = (struct session){.fs = fs,
			      .mountpoint = mountpoint,
			      .source = source,
			      .cache_dir = cache_dir,
			      .started_wall_s = clock_wall_s()};
	cancel_init(&s->cancel);
}

void session_destroy(struct session *s)
{
	free(s->environment);
	cancel_destroy(&s->cancel);
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {[SESSION_SERVING] = "mounted",
					    [SESSION_DRAINING] = "draining",
					    [SESSION_UNMOUNTED] = "unmounted"};

	return names[state];
}

static void log_progress(void *arg, const struct fs_progress *p)
{
	uint64_t *last_mono_ms = arg, now = clock_mono_ms();

	if (now - *last_mono_ms < LOG_INTERVAL_MS)
		return;
	*last_mono_ms = now;
	log_info("drain.progress",
		 "files_left=%" PRIu64 " bytes_left=%" PRIu64 " bytes_sent=%" PRIu64
		 " ops_left=%" PRIu64,
		 p->files_left, p->bytes_left, p->bytes_sent, p->ops_left);
}

int session_drain(struct session *s, struct error *err)
{
	CLEANUP(json_putp) struct json_object *failures = NULL;
	uint64_t last_mono_ms = clock_mono_ms();
	int serving = SESSION_SERVING, r;

	/* An unmounted session stays that: a new mount asks by it whether it may take over. */
	(void)atomic_compare_exchange_strong(&s->state, &serving, SESSION_DRAINING);
	r = fs_sync(s->fs, "/", 0, &s->cancel, log_progress, &last_mono_ms, &failures, err);
	if (r < 0)
		log_warn("drain.incomplete", "error='%s' failures=%zu", err->message,
			 failures ? json_object_array_length(failures) : 0);
	return r;
}

void session_stop(struct session *s, enum session_stop how)
{
	if (how == SESSION_STOP_NOW) {
		atomic_store(&s->is_leaving_rest, true);
		cancel_fire(&s->cancel);
	}
	if (atomic_load(&s->state) != SESSION_UNMOUNTED)
		fs_stop(s->fs);
}

struct json_object *session_describe(struct session *s)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "version", json_object_new_string(SKYDIR_VERSION));
	json_object_object_add(o, "pid", json_object_new_int(getpid()));
	if (s->fs) {
		json_object_object_add(o, "mountpoint", json_object_new_string(s->mountpoint));
		json_object_object_add(o, "source", json_object_new_string(s->source));
		json_object_object_add(o, "state",
				       json_object_new_string(session_state_name(
					       (enum session_state)atomic_load(&s->state))));
		json_object_object_add(o, "cache_dir", json_object_new_string(s->cache_dir));
	}
	if (s->environment)
		json_object_object_add(o, "environment", json_object_new_string(s->environment));
	json_object_object_add(o, "started", json_object_new_int64(s->started_wall_s));
	return o;
}
