#include "control/telemetry.h"

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "backends/base/metrics.h"
#include "backends/base/random.h"
#include "backends/http/engine.h"
#include "control/metrics_port.h"
#include "control/metrics_text.h"
#include "control/op.h"
#include "control/otlp.h"
#include "fs/optrace.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#define BATCH	   512
#define PAUSE_MS   1000
#define SEND_MS	   10000
#define LAST_MS	   2000
#define JSON_MAX   (32 << 20)

const struct provider_option telemetry_options[] = {
	{ "metrics-port", "port on 127.0.0.1 where GET /metrics answers Prometheus", false },
	{ "otlp-endpoint", "address of an OpenTelemetry collector (OTLP over HTTP): http://127.0.0.1:4318", false },
	{ "otlp-authorization", "the Authorization header for it", true },
	{ "sample", "which part of file-system calls and requests becomes spans: 0 to 1 (0.01)", false },
	{ "interval", "time between two sendings of metrics (15s)", false },
	{ NULL, NULL, false },
};

struct telemetry {
	struct lock lock;
	struct cond wake;
	struct otlp_span *spans; /* guarded by lock, as the next four: a ring */
	size_t first, count;
	bool is_ending;
	uint64_t deadline_mono_ms; /* of all sending, once it ends */
	uint64_t threshold;	   /* of random numbers that are sampled; immutable while tracing */
	_Atomic bool is_tracing;
	struct telemetry_settings settings;
	struct session *session;
	struct http_engine *engine;
	struct metrics_port *port;
	struct metric *dropped, *sent, *failed;
	int64_t begun_wall_ns;
	pthread_t thread;
	bool has_thread, is_failing; /* owned by the thread */
};
static struct telemetry telemetry = { .lock = LOCK_INIT };

/* ---- configuration ---- */

static int read_value(const struct provider_value *v, struct telemetry_settings *s, struct error *err)
{
	uint64_t number = 0;
	char *end;
	int r = 0;

	if (!strcmp(v->key, "metrics-port")) {
		r = str_to_u64(str_of(v->value), &number);
		r = r < 0 || number > 65535 ? -EINVAL : 0;
		s->has_port = true;
		s->metrics_port = (uint16_t)number;
	} else if (!strcmp(v->key, "interval")) {
		r = str_to_duration(str_of(v->value), &s->interval_ms);
		r = r < 0 || s->interval_ms < 1000 || s->interval_ms > 3600000 ? -EINVAL : 0;
	} else if (!strcmp(v->key, "sample")) {
		s->sample = strtod(v->value, &end);
		r = !v->value[0] || *end || !isfinite(s->sample) || s->sample < 0 || s->sample > 1 ? -EINVAL : 0;
	} else if (!strcmp(v->key, "otlp-endpoint")) {
		struct http_request probe = HTTP_REQUEST_INIT;

		s->endpoint = v->value;
		r = http_request_set_base(&probe, v->value, err);
		http_request_release(&probe);
	} else {
		s->authorization = v->value; /* not shown in messages */
		return 0;
	}
	return r == 0 ? 0 : error_set(err, ERR_CONFIG, "%s: %s: '%.64s' will not do (see docs/telemetry.md)", v->origin, v->key, v->value);
}

int telemetry_read(const struct config *config, struct telemetry_settings *ret, struct error *err)
{
	bool is_found = false;
	int r = 0;

	*ret = (struct telemetry_settings){ .sample = 0.01, .interval_ms = 15000 };
	for (size_t i = 0; i < config->store_count && r == 0; i++) {
		const struct config_store *s = &config->stores[i];

		if (strcmp(s->type, "telemetry") != 0)
			continue;
		if (is_found)
			return error_set(err, ERR_CONFIG, "%s: there is a section of type 'telemetry' already", s->origin);
		is_found = true;
		for (size_t v = 0; v < s->count && r == 0; v++)
			r = read_value(&s->values[v], ret, err);
	}
	return r;
}

/* ---- spans ---- */

static void new_id(unsigned char *ret, size_t len)
{
	do
		random_bytes(ret, len);
	while (ret[0] == 0); /* all zero is no id */
}

static bool sample(struct trace_context *ret)
{
	if (telemetry.threshold != UINT64_MAX && random_u64() >= telemetry.threshold)
		return false;
	new_id(ret->trace_id, TRACE_ID_LEN);
	new_id(ret->span_id, SPAN_ID_LEN);
	ret->is_sampled = true;
	return true;
}

static void queue_span(const struct otlp_span *span)
{
	LOCKED(&telemetry.lock);
	if (!telemetry.spans || telemetry.count == TELEMETRY_SPANS_MAX) {
		metric_add(telemetry.dropped, 1);
		return;
	}
	telemetry.spans[(telemetry.first + telemetry.count++) % TELEMETRY_SPANS_MAX] = *span;
	if (telemetry.count == BATCH)
		cond_signal(&telemetry.wake);
}

bool telemetry_is_tracing(void)
{
	return atomic_load_explicit(&telemetry.is_tracing, memory_order_acquire);
}

void telemetry_call_ended(const struct http_ended *ended)
{
	const struct http_request *q = ended->request;
	struct otlp_span span = { .kind = OTLP_CLIENT, .attempts = ended->attempts ? ended->attempts : 1 };

	if (q->store && !strcmp(q->store, TELEMETRY_STORE))
		return;
	if (ended->parent->is_sampled) {
		span.context = *ended->parent;
		memcpy(span.parent, ended->parent->span_id, SPAN_ID_LEN);
		span.has_parent = true;
		new_id(span.context.span_id, SPAN_ID_LEN);
	} else if (!sample(&span.context)) {
		return;
	}
	(void)snprintf(span.name, sizeof span.name, "%s", q->operation ? q->operation : "request");
	(void)snprintf(span.store, sizeof span.store, "%s", q->store ? q->store : "other");
	if (ended->err->kind != ERR_NONE)
		(void)snprintf(span.error, sizeof span.error, "%s", error_name(ended->err->kind));
	span.method = http_method_name(q->method);
	span.status = ended->response->status;
	span.begun_wall_ns = ended->begun_wall_ns;
	span.ended_wall_ns = ended->ended_wall_ns;
	span.sent = ended->bytes_sent;
	span.received = ended->response->body_length;
	queue_span(&span);
}

static void on_call(const struct optrace_call *call)
{
	struct otlp_span span = { .context = call->context, .kind = OTLP_SERVER, .begun_wall_ns = call->begun_wall_ns,
				  .ended_wall_ns = call->ended_wall_ns, .errnum = call->errnum };

	(void)snprintf(span.name, sizeof span.name, "fs.%s", call->name);
	/* That a name is not there is an everyday answer. */
	if (call->errnum && call->errnum != ENOENT && call->errnum != ENODATA)
		(void)snprintf(span.error, sizeof span.error, "%s", strerrorname_np(call->errnum) ? strerrorname_np(call->errnum) : "error");
	queue_span(&span);
}

static const struct optrace_sink sink = { .begin = sample, .end = on_call };

/* ---- sending ---- */

static int post(const char *path, struct json_object *body, struct error *err)
{
	struct http_request request = HTTP_REQUEST_INIT;
	struct http_response response = HTTP_RESPONSE_INIT;
	const char *text = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	uint64_t now = clock_mono_ms();
	char *whole;
	int r = http_request_set_base(&request, telemetry.settings.endpoint, err);

	whole = r == 0 ? str_format("%s%s", request.path && strcmp(request.path, "/") ? request.path : "", path) : NULL;
	if (r == 0 && (!whole || !text))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0) {
		free(request.path);
		request.path = whole;
		whole = NULL;
		r = http_fields_add(&request.headers, "Content-Type", "application/json", err);
	}
	if (r == 0 && telemetry.settings.authorization)
		r = http_fields_add(&request.headers, "Authorization", telemetry.settings.authorization, err);
	if (r == 0) {
		request.method = HTTP_POST;
		request.body.kind = HTTP_BODY_MEM;
		request.body.mem = str_of(text);
		request.store = TELEMETRY_STORE;
		request.operation = "otlp";
		request.is_idempotent = true; /* what arrives twice has the same ids */
		request.max_attempts = 1;
		request.deadline_mono_ms = now + SEND_MS;
		lock_take(&telemetry.lock);
		if (telemetry.deadline_mono_ms && telemetry.deadline_mono_ms < request.deadline_mono_ms)
			request.deadline_mono_ms = telemetry.deadline_mono_ms;
		lock_drop(&telemetry.lock);
		r = http_perform(telemetry.engine, &request, &response, err);
	}
	free(whole);
	http_request_release(&request);
	http_response_release(&response);
	return r;
}

static void note(int r, const struct error *err)
{
	if (r < 0)
		metric_add(telemetry.failed, 1);
	if (r < 0 && !telemetry.is_failing)
		log_warn("telemetry.send", "error='%s' what='spans are dropped until the collector answers'", err->message);
	else if (r == 0 && telemetry.is_failing)
		log_info("telemetry.send", "what='the collector answers again'");
	telemetry.is_failing = r < 0;
}

/* Sends up to BATCH spans; whether there were any. */
static bool send_spans(struct otlp_span *batch)
{
	CLEANUP(json_putp) struct json_object *body = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;
	int r;

	lock_take(&telemetry.lock);
	for (; count < BATCH && telemetry.count; telemetry.count--) {
		batch[count++] = telemetry.spans[telemetry.first];
		telemetry.first = (telemetry.first + 1) % TELEMETRY_SPANS_MAX;
	}
	lock_drop(&telemetry.lock);
	if (!count)
		return false;
	body = otlp_traces(batch, count, telemetry.session->mountpoint);
	r = body ? post("/v1/traces", body, &err) : error_set(&err, ERR_NO_MEMORY, "out of memory");
	note(r, &err);
	metric_add(r < 0 ? telemetry.dropped : telemetry.sent, (int64_t)count);
	return r == 0;
}

static int read_metrics(struct json_object **ret, struct error *err)
{
	struct op_call call = { .session = telemetry.session };

	return op_run(op_find("metrics"), &call, ret, err);
}

static void send_metrics(void)
{
	CLEANUP(json_putp) struct json_object *result = NULL, *body = NULL;
	struct error err = ERROR_INIT;
	int r = read_metrics(&result, &err);

	if (r == 0) {
		body = otlp_metrics(json_get_array(result, "metrics"), telemetry.session->mountpoint, telemetry.begun_wall_ns,
				    clock_wall_ns());
		r = body ? post("/v1/metrics", body, &err) : error_set(&err, ERR_NO_MEMORY, "out of memory");
	}
	note(r, &err);
}

static void *run(void *arg)
{
	struct otlp_span *batch = arg;
	uint64_t next_metrics = clock_mono_ms() + telemetry.settings.interval_ms;
	bool is_ending = false;

	while (!is_ending) {
		uint64_t until = clock_mono_ms() + PAUSE_MS;

		lock_take(&telemetry.lock);
		while (!telemetry.is_ending && telemetry.count < BATCH && cond_wait_until(&telemetry.wake, &telemetry.lock, until))
			;
		is_ending = telemetry.is_ending;
		lock_drop(&telemetry.lock);
		while (send_spans(batch))
			;
		if (is_ending || clock_mono_ms() >= next_metrics) {
			next_metrics = clock_mono_ms() + telemetry.settings.interval_ms;
			send_metrics();
		}
	}
	free(batch);
	return NULL;
}

/* ---- the port ---- */

static int metrics_as_text(void *arg, struct buf *out)
{
	CLEANUP(json_putp) struct json_object *results = json_object_new_array();
	struct json_object *result = NULL;
	struct error err = ERROR_INIT;

	(void)arg; /* there is one session */
	if (!results || read_metrics(&result, &err) < 0)
		return -ENOMEM;
	if (json_object_array_add(results, result) != 0) {
		json_object_put(result);
		return -ENOMEM;
	}
	return metrics_text(results, out);
}

/* ---- life ---- */

static int start_thread(struct error *err)
{
	struct otlp_span *batch = calloc(BATCH, sizeof *batch);
	sigset_t all, old;
	int r;

	if (!batch)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)sigfillset(&all); /* signals are for the program's own threads */
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&telemetry.thread, NULL, run, batch);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0) {
		free(batch);
		return error_errno(err, r, "cannot start the thread of telemetry");
	}
	(void)pthread_setname_np(telemetry.thread, "skydir-otlp");
	telemetry.has_thread = true;
	return 0;
}

static int start_otlp(struct error *err)
{
	struct http_engine_options options = { .stall_timeout_ms = SEND_MS };
	double sample_part = telemetry.settings.sample;
	int r;

	telemetry.spans = calloc(TELEMETRY_SPANS_MAX, sizeof *telemetry.spans);
	if (!telemetry.spans)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	cond_init(&telemetry.wake);
	telemetry.dropped = metric_get(METRIC_COUNTER, "telemetry_spans_dropped_total", "");
	telemetry.sent = metric_get(METRIC_COUNTER, "telemetry_spans_sent_total", "");
	telemetry.failed = metric_get(METRIC_COUNTER, "telemetry_send_errors_total", "");
	telemetry.threshold = sample_part >= 1 ? UINT64_MAX : (uint64_t)(sample_part * 18446744073709551615.0);
	r = http_engine_new(&options, &telemetry.engine, err);
	if (r == 0)
		r = start_thread(err);
	if (r == 0 && telemetry.threshold) {
		atomic_store(&telemetry.is_tracing, true);
		optrace_set(&sink);
	}
	return r;
}

int telemetry_start(const struct config *config, struct session *session, struct error *err)
{
	int r = telemetry_read(config, &telemetry.settings, err);

	if (r < 0)
		return r;
	telemetry.session = session;
	telemetry.begun_wall_ns = clock_wall_ns();
	if (telemetry.settings.has_port)
		r = metrics_port_new(telemetry.settings.metrics_port, metrics_as_text, NULL, &telemetry.port, err);
	if (r == 0 && telemetry.port)
		log_info("metrics.ready", "address=http://127.0.0.1:%u/metrics", metrics_port_number(telemetry.port));
	return r == 0 && telemetry.settings.endpoint ? start_otlp(err) : r;
}

void telemetry_stop(void)
{
	optrace_set(NULL);
	atomic_store(&telemetry.is_tracing, false);
	metrics_port_free(telemetry.port);
	telemetry.port = NULL;
	if (telemetry.has_thread) {
		lock_take(&telemetry.lock);
		telemetry.is_ending = true;
		telemetry.deadline_mono_ms = clock_mono_ms() + LAST_MS;
		cond_signal(&telemetry.wake);
		lock_drop(&telemetry.lock);
		(void)pthread_join(telemetry.thread, NULL);
		telemetry.has_thread = false;
	}
	http_engine_free(telemetry.engine);
	telemetry.engine = NULL;
	lock_take(&telemetry.lock);
	free(telemetry.spans);
	telemetry.spans = NULL; /* a call that ends only now finds none */
	lock_drop(&telemetry.lock);
}
