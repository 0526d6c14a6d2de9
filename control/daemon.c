#include "control/daemon.h"
#include "backends/http/engine.h"

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "control/client.h"
#include "control/meter.h"
#include "control/mounts.h"
#include "control/server.h"
#include "control/telemetry.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TAKE_OVER_MS 15000
#define ANSWER_MS    30000
#define OUTAGE_MS    10000 /* of a network that flaps nobody hears */

/* What the child tells its parent through the pipe, once; smaller than PIPE_BUF, so it arrives
 * whole. */
struct report {
	int result; /* 0: the mount is there */
	struct error err;
};

/* ---- the cache directory ---- */

/* A daemon whose mount is gone, still uploading into the cache we want: it leaves the rest to us.
 */
static bool take_over(const char *cache_dir, const char *source)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct error err = ERROR_INIT;

	if (clients_open(&all, &err) < 0)
		return false;
	for (size_t i = 0; i < all.count; i++) {
		CLEANUP(json_putp) struct json_object *params = NULL;
		CLEANUP(json_putp) struct json_object *result = NULL;
		struct json_object *about = all.items[i].about;
		const char *state = about ? json_get_string(about, "state") : NULL;
		const char *dir = about ? json_get_string(about, "cache_dir") : NULL;
		const char *its_source = about ? json_get_string(about, "source") : NULL;

		if (!state || !dir || !its_source || strcmp(state, "unmounted") != 0 ||
		    strcmp(dir, cache_dir) != 0 || strcmp(its_source, source) != 0)
			continue;
		params = json_object_new_object();
		if (!params)
			return false;
		json_object_object_add(params, "now", json_object_new_boolean(1));
		log_info("cache.take-over", "cache_dir='%s' pid=%d", cache_dir,
			 (int)all.items[i].pid);
		return client_call(&all.items[i], "mount.stop", params, ANSWER_MS, NULL, NULL,
				   &result, &err) == 0 &&
		       client_wait_end(&all.items[i], TAKE_OVER_MS);
	}
	return false;
}

int daemon_open_fs(struct config *config, const struct store_set *stores, const char *source,
		   struct fs **ret, struct error *err)
{
	struct fs_options *options = &config->options;
	CLEANUP(freep) char *base = str_dup(str_of(options->cache_dir));
	int r;

	if (!base)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = fs_new(options, stores->stores, stores->count, source, ret, err);
	if (r < 0 && err->kind == ERR_CONFLICT && take_over(base, source))
		r = fs_new(options, stores->stores, stores->count, source, ret, err);
	for (int i = 2; r < 0 && err->kind == ERR_CONFLICT && !options->is_cache_dir_explicit &&
			i <= DAEMON_CACHE_SIBLINGS;
	     i++) {
		char *next = str_format("%s/mount-%d", base, i);

		if (!next)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		free(options->cache_dir);
		options->cache_dir = next;
		r = fs_new(options, stores->stores, stores->count, source, ret, err);
	}
	return r;
}

/* ---- signals ---- */

struct signals {
	struct session *session;
	int signal_fd, end_fd;
	pthread_t thread, drain_thread;
	bool has_thread, has_drain;
};

static void *drain_and_stop(void *arg)
{
	struct session *session = arg;
	struct error err = ERROR_INIT;

	if (session_drain(session, &err) < 0)
		log_warn("stop.rest", "what='left in the journal for the next mount'");
	session_stop(session, SESSION_STOP_DRAIN);
	return NULL;
}

static void on_signal(struct signals *s, unsigned number, unsigned count)
{
	if (count == 1 && atomic_load(&s->session->state) == SESSION_UNMOUNTED) {
		log_info("signal", "number=%u what='still uploading; again to leave the rest'",
			 number);
		return;
	}
	if (count == 1) {
		log_info("signal",
			 "number=%u what='uploading the rest, then ending; again to end at once'",
			 number);
		s->has_drain =
			pthread_create(&s->drain_thread, NULL, drain_and_stop, s->session) == 0;
		if (s->has_drain)
			return;
	}
	log_info("signal", "number=%u what='ending; the rest stays in the journal'", number);
	session_stop(s->session, SESSION_STOP_NOW);
}

static void *signal_loop(void *arg)
{
	struct signals *s = arg;
	unsigned count = 0;

	for (;;) {
		struct pollfd p[2] = {{.fd = s->signal_fd, .events = POLLIN},
				      {.fd = s->end_fd, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		if (p[0].revents && read(s->signal_fd, &info, sizeof info) == sizeof info)
			on_signal(s, info.ssi_signo, ++count);
	}
}

enum terminal { TERMINAL_KEPT, TERMINAL_LEFT };
/* Blocks what the signal thread will read; before any thread starts, so that all inherit it. A
 * terminal that goes away ends only the daemon that stayed on it. */
static void block_signals(enum terminal terminal, sigset_t *ret)
{
	(void)sigemptyset(ret);
	(void)sigaddset(ret, SIGINT);
	(void)sigaddset(ret, SIGTERM);
	if (terminal == TERMINAL_KEPT)
		(void)sigaddset(ret, SIGHUP);
	else
		(void)signal(SIGHUP, SIG_IGN);
	(void)pthread_sigmask(SIG_BLOCK, ret, NULL); /* these fail for wrong numbers only */
	(void)signal(SIGPIPE, SIG_IGN);
}

static int signals_start(struct signals *s, struct session *session, const sigset_t *set,
			 struct error *err)
{
	s->session = session;
	s->signal_fd = signalfd(-1, set, SFD_CLOEXEC);
	s->end_fd = eventfd(0, EFD_CLOEXEC);
	if (s->signal_fd < 0 || s->end_fd < 0 ||
	    pthread_create(&s->thread, NULL, signal_loop, s) != 0)
		return error_set(err, ERR_NO_MEMORY, "cannot start the signal thread");
	s->has_thread = true;
	return 0;
}

static void signals_end(struct signals *s)
{
	if (s->has_thread) {
		(void)eventfd_write(s->end_fd, 1);
		(void)pthread_join(s->thread, NULL);
	}
	if (s->has_drain)
		(void)pthread_join(s->drain_thread, NULL);
	if (s->signal_fd >= 0)
		(void)close(s->signal_fd);
	if (s->end_fd >= 0)
		(void)close(s->end_fd);
}

/* ---- serving ---- */

struct ready {
	void (*fn)(void *arg);
	void *arg;
};

static void log_skip(const char *name, const struct error *why)
{
	log_warn("store.skipped", "store='%s' error='%s'", name, why->message);
}

/* From a mount that stands to its end; what is left then is uploaded as long as nobody says
 * otherwise. */
static int serve(struct op_context *context, struct session *session, const sigset_t *set, const struct ready *ready,
		 struct error *err)
{
	struct signals signals = {.signal_fd = -1, .end_fd = -1};
	struct error drain_err = ERROR_INIT;
	struct server *server = NULL;
	int r = server_new(context, session, OP_READ, &server, err);

	if (r == 0)
		r = telemetry_start(op_context_config(context), session, err);
	if (r == 0)
		r = signals_start(&signals, session, set, err);
	if (r == 0) {
		log_info("mount.ready", "mountpoint='%s' source='%s' cache_dir='%s' socket='%s'",
			 session->mountpoint, session->source, session->cache_dir,
			 server_path(server));
		ready->fn(ready->arg);
		r = fs_run(session->fs, err);
		atomic_store(&session->state, SESSION_UNMOUNTED);
		log_info("mount.ended", "mountpoint='%s' error='%s'", session->mountpoint,
			 r < 0 ? err->message : "");
		if (!atomic_load(&session->is_leaving_rest) &&
		    session_drain(session, &drain_err) < 0)
			log_warn("mount.rest", "what='left in the journal for the next mount'");
	} else {
		fs_stop(session->fs);
		if (fs_run(session->fs, &drain_err) < 0) /* it unmounts; err says why we are here */
			log_warn("mount.ended", "error='%s'", drain_err.message);
	}
	signals_end(&signals);
	telemetry_stop();
	server_free(server);
	return r;
}

static int run_mount(const struct daemon_args *args, const sigset_t *set, const struct ready *ready,
		     struct error *err)
{
	CLEANUP(store_set_release) struct store_set stores = STORE_SET_INIT;
	struct op_context *context = NULL;
	struct session session;
	struct fs *fs = NULL;
	int r = store_set_open(args->plan, log_skip, &stores, err);

	if (r == 0) {
		uint64_t timeout_ms = args->config->options.timeout_ms;

		meter_gate_stores(stores.stores, stores.count);
		http_engine_limit_stall(stores.engine, timeout_ms);
		http_engine_bear_outages(stores.engine, timeout_ms < OUTAGE_MS ? timeout_ms : OUTAGE_MS);
	}
	if (r == 0)
		r = daemon_open_fs(args->config, &stores, args->source, &fs, err);
	if (r < 0)
		return r;
	r = op_context_new(args->config, &stores, &context, err);
	if (r == 0)
		r = fs_mount(fs, args->mountpoint, err);
	if (r == 0) {
		session_init(&session, fs, args->mountpoint, args->source,
			     args->config->options.cache_dir);
		session.environment = op_context_fingerprint(args->config->path);
		r = serve(context, &session, set, ready, err);
		session_destroy(&session);
	}
	op_context_free(context);
	http_engine_stop(stores.engine); /* what hangs on a silent server does not keep the process */
	fs_free(fs);
	return r;
}

static int run(const struct daemon_args *args, const sigset_t *set, const struct ready *ready, struct error *err)
{
	int r = meter_configure(args->config, err);

	if (r == 0)
		r = meter_start(err);
	if (r == 0)
		r = run_mount(args, set, ready, err);
	meter_stop(); /* when all engines have ended */
	return r;
}

static int start_log(const struct fs_options *o, enum log_target otherwise, struct error *err)
{
	enum log_level level = LOG_LEVEL_INFO;
	bool has_file = o->log_file && o->log_file[0];

	if (o->log_level && o->log_level[0] && log_level_from_name(o->log_level, &level) < 0)
		return error_set(err, ERR_CONFIG,
				 "log-level '%s' is none of error, warn, info, debug",
				 o->log_level);
	if (log_init(level, has_file ? LOG_TARGET_FILE : otherwise, o->log_file) < 0)
		return error_set(err, ERR_CONFIG, "cannot write the log to '%s'",
				 has_file ? o->log_file : "syslog");
	return 0;
}

static void say_nothing(void *arg)
{
	(void)arg; /* in the foreground the log line tells it */
}

int daemon_run_foreground(const struct daemon_args *args, struct error *err)
{
	struct ready ready = {.fn = say_nothing};
	sigset_t set;
	int r = start_log(&args->config->options, LOG_TARGET_STDERR, err);

	if (r < 0)
		return r;
	block_signals(TERMINAL_KEPT, &set);
	return run(args, &set, &ready, err);
}

/* ---- in the background ---- */

static void send_report(int fd, int result, const struct error *err)
{
	struct report report = {.result = result};

	if (err)
		report.err = *err;
	while (write(fd, &report, sizeof report) < 0 && errno == EINTR)
		; /* the parent may be gone: then nobody waits for it */
	(void)close(fd);
}

static void detach_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return;
	(void)dup2(fd, STDIN_FILENO);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

/* The mount stands and the log is open: now let go of the terminal and the directory. */
static void child_ready(void *arg)
{
	int *fd = arg;

	if (chdir("/") < 0)
		log_warn("daemon.chdir", "error='%s'", strerror(errno));
	send_report(*fd, 0, NULL);
	*fd = -1;
}

static void run_child(const struct daemon_args *args, int report_fd)
{
	struct error err = ERROR_INIT;
	struct ready ready = {.fn = child_ready, .arg = &report_fd};
	sigset_t set;
	int r;

	(void)setsid();
	(void)umask(077);
	detach_stdio();
	/* Whatever else the caller had open (pipes of a script, another mount's lock) is none of
	 * ours. */
	if (report_fd > 3)
		(void)close_range(3, (unsigned)report_fd - 1, 0);
	(void)close_range((unsigned)report_fd + 1, ~0u, 0);
	block_signals(TERMINAL_LEFT, &set);
	r = start_log(&args->config->options, LOG_TARGET_SYSLOG, &err);
	if (r == 0)
		r = run(args, &set, &ready, &err);
	if (r < 0 && report_fd < 0)
		log_error("mount.failed", "error='%s'", err.message);
	if (report_fd >= 0)
		send_report(report_fd, r < 0 ? r : -EIO, &err);
	exit(r < 0 ? error_exit_code(err.kind) : 0);
}

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
	(void)number; /* both mean the same here */
	is_interrupted = 1;
}

/* Waits for the child's word. Interrupted, the child is told to end too. */
static int wait_report(pid_t pid, int fd, struct error *err)
{
	struct report report;
	ssize_t n;
	int status = 0;

	do
		n = read(fd, &report, sizeof report);
	while (n < 0 && errno == EINTR && !is_interrupted);
	if (is_interrupted) {
		(void)kill(pid, SIGTERM);
		return error_set(err, ERR_CANCELLED, "interrupted before the mount was ready");
	}
	if (n == sizeof report) {
		if (report.result < 0) {
			*err = report.err;
			(void)waitpid(pid, &status, 0); /* a mount that failed leaves no process behind */
		}
		return report.result;
	}
	(void)waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return error_set(err, ERR_IO, "the mount's process was killed by signal %d",
				 WTERMSIG(status));
	return error_set(err, ERR_IO, "the mount's process ended with code %d",
			 WEXITSTATUS(status));
}

int daemon_start_background(const struct daemon_args *args, struct error *err)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	CLEANUP(closep) int from = -1;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "cannot make a pipe");
	from = fds[0];
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(args, fds[1]);
	(void)close(fds[1]);
	if (pid < 0)
		return error_errno(err, errno, "cannot start the mount's process");
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	r = wait_report(pid, from, err);
	if (r < 0)
		return r;
	r = mounts_probe(args->mountpoint, ANSWER_MS);
	if (r < 0) {
		(void)kill(pid, SIGTERM); /* it uploads what there is and goes */
		return error_errno(err, -r, "the mount does not answer");
	}
	return 0;
}
