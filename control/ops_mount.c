/*
 * Purpose: the operations on a running mount: rows and their short handlers.
 */
#include "backends/base/clock.h"
#include "backends/base/metrics.h"
#include "control/meter.h"
#include "control/op.h"

static int run_version(const struct op_call *call, struct json_object **ret, struct error *err)
{
	if (!call->session)
		return error_set(err, ERR_NOT_FOUND, "this is no daemon");
	*ret = session_describe(call->session);
	return *ret ? 0 : error_no_memory(err);
}

/* What fs tells of itself, and what only the daemon knows. */
static int run_status(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *own = session_describe(call->session);
	struct json_object *status = NULL;
	int r;

	if (!own)
		return error_no_memory(err);
	r = fs_status(call->session->fs, &status, err);
	if (r < 0)
		return r;
	json_object_object_foreach(own, key, value)
	{
		json_object_object_add(status, key, json_object_get(value));
	}
	json_object_object_add(status, "budgets", meter_budgets());
	*ret = status;
	return 0;
}

struct progress {
	const struct op_call *call;
	uint64_t last_mono_ms;
};

static void send_progress(void *arg, const struct fs_progress *p)
{
	struct progress *progress = arg;
	uint64_t now = clock_mono_ms();
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (!progress->call->notify || now - progress->last_mono_ms < 100)
		return;
	progress->last_mono_ms = now;
	o = json_object_new_object();
	if (!o)
		return; /* progress is a courtesy */
	json_object_object_add(o, "files_left", json_object_new_uint64(p->files_left));
	json_object_object_add(o, "bytes_left", json_object_new_uint64(p->bytes_left));
	json_object_object_add(o, "bytes_sent", json_object_new_uint64(p->bytes_sent));
	json_object_object_add(o, "ops_left", json_object_new_uint64(p->ops_left));
	progress->call->notify(progress->call->notify_arg, o);
}

/* {uploaded, reason, failures}: what failed for good is a result, so that the caller can list it.
 */
static int sync_path(const struct op_call *call, const char *path, uint64_t timeout_ms,
		     struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *failures = NULL;
	struct progress progress = {.call = call};
	uint64_t deadline = timeout_ms ? clock_mono_ms() + timeout_ms : 0;
	struct json_object *o;
	int r = fs_sync(call->session->fs, path, deadline, call->cancel, send_progress, &progress,
			&failures, err);

	if (r < 0 && (!failures || json_object_array_length(failures) == 0))
		return r;
	o = json_object_new_object();
	if (!o)
		return error_no_memory(err);
	json_object_object_add(o, "uploaded", json_object_new_boolean(r == 0));
	if (r < 0)
		json_object_object_add(o, "reason", json_object_new_string(error_name(err->kind)));
	json_object_object_add(o, "failures", failures ? steal(failures) : json_object_new_array());
	*ret = o;
	return 0;
}

static int run_sync(const struct op_call *call, struct json_object **ret, struct error *err)
{
	const char *path = call->params ? json_get_string(call->params, "path") : NULL;
	int64_t timeout_ms = call->params ? json_get_int64(call->params, "timeout_ms", 0) : 0;

	return sync_path(call, path ? path : "/", (uint64_t)timeout_ms, ret, err);
}

static int run_drain(const struct op_call *call, struct json_object **ret, struct error *err)
{
	return sync_path(call, "/", 0, ret, err);
}

static int run_stop(const struct op_call *call, struct json_object **ret, struct error *err)
{
	bool is_now = call->params && json_get_bool(call->params, "now", false);
	struct json_object *o = json_object_new_object();

	if (!o)
		return error_no_memory(err);
	json_object_object_add(o, "stopping", json_object_new_boolean(1));
	session_stop(call->session, is_now ? SESSION_STOP_NOW : SESSION_STOP_DRAIN);
	*ret = o;
	return 0;
}

static void add_row(struct json_object *rows, const char *name, const char *labels,
		    enum metric_type type, int64_t value)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return;
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "labels", json_object_new_string(labels));
	json_object_object_add(
		o, "type", json_object_new_string(type == METRIC_COUNTER ? "counter" : "gauge"));
	json_object_object_add(o, "value", json_object_new_int64(value));
	json_object_array_add(rows, o);
}

static void add_metric(const struct metric *m, void *rows)
{
	add_row(rows, m->name, m->labels, m->type, metric_value(m));
}

/* All counters, and of a mount what waits for the cloud, which alarms are made of. */
static int run_metrics(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *status = NULL;
	struct fs *fs = call->session ? call->session->fs : NULL;
	struct json_object *o, *rows;
	int r = fs ? fs_status(fs, &status, err) : 0;

	if (r < 0)
		return r;
	o = json_object_new_object();
	rows = json_object_new_array();
	if (!o || !rows) {
		json_object_put(o);
		json_object_put(rows);
		return error_no_memory(err);
	}
	metrics_each(add_metric, rows);
	if (fs) {
		add_row(rows, "skydir_dirty_files", "", METRIC_GAUGE,
			json_get_int64(status, "dirty.files", 0));
		add_row(rows, "skydir_dirty_bytes", "", METRIC_GAUGE,
			json_get_int64(status, "dirty.bytes", 0));
		add_row(rows, "skydir_pending_operations", "", METRIC_GAUGE,
			json_get_int64(status, "pending", 0));
		json_object_object_add(o, "mountpoint", json_object_new_string(call->session->mountpoint));
	}
	json_object_object_add(o, "metrics", rows);
	*ret = o;
	return 0;
}

static int add_method(void *methods, const struct op *op)
{
	struct json_object *m = json_object_new_object(), *result = op_result_schema(op);

	if (!m || json_object_array_add(methods, m) != 0) {
		json_object_put(m);
		json_object_put(result);
		return -ENOMEM;
	}
	json_object_object_add(m, "name", json_object_new_string(op->name));
	json_object_object_add(m, "summary", json_object_new_string(op->summary));
	json_object_object_add(m, "risk", json_object_new_string(op_risk_name(op->risk)));
	json_object_object_add(m, "params", op_schema(op));
	if (result)
		json_object_object_add(m, "result", result);
	return 0;
}

static int run_discover(const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *o = json_object_new_object(), *methods = json_object_new_array();

	(void)call; /* the table is the same for every caller */
	if (!o || !methods || op_each(add_method, methods) != 0) {
		json_object_put(o);
		json_object_put(methods);
		return error_no_memory(err);
	}
	json_object_object_add(o, "version", json_object_new_string(SKYDIR_VERSION));
	json_object_object_add(o, "methods", methods);
	*ret = o;
	return 0;
}

static const struct op_param sync_params[] = {
	{"path", OP_STRING, false, 4096, "path inside the mount; everything when left out"},
	{"timeout_ms", OP_INT, false, INT64_C(31536000000), "how long to wait; 0: no limit"},
	OP_PARAM_END,
};
static const struct op_param stop_params[] = {
	{"now", OP_BOOL, false, 0, "leave what is not uploaded for the next mount"},
	OP_PARAM_END,
};

/* Commands of their own (cmd_*.c) stand before these rows for people; the rows are the socket's and the agents'. */
extern const struct op mount_ops[];
const struct op mount_ops[] = {
	{.name = "version",
	 .is_quick = true,
	 .summary = "which daemon this is and what it serves",
	 .run = run_version,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = "status",
	 .is_quick = true,
	 .summary = "dirty files, uploads, errors, cache and requests of the mount",
	 .run = run_status,
	 .needs_mount = true,
	 .has_command = true,
	 .result = OP_ONE},
	{.name = "metrics",
	 .is_quick = true,
	 .summary = "all counters and gauges",
	 .run = run_metrics,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = "mount.sync",
	 .summary = "wait until what was written is in the cloud",
	 .params = sync_params,
	 .run = run_sync,
	 .needs_mount = true,
	 .has_command = true, /* "mount sync" would be a mount at ./sync */
	 .result = OP_ONE},
	{.name = "mount.drain",
	 .summary = "upload all that is left, telling the progress",
	 .run = run_drain,
	 .needs_mount = true,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = "mount.stop",
	 .is_quick = true,
	 .summary = "unmount and end the daemon",
	 .risk = OP_CHANGE,
	 .params = stop_params,
	 .run = run_stop,
	 .needs_mount = true,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = "rpc.discover",
	 .is_quick = true,
	 .summary = "the methods and their parameters",
	 .run = run_discover,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = NULL},
};
