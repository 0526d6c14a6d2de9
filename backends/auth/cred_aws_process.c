/*
 * credential_process of a profile: a program that prints credentials as JSON, Version 1.
 *
 * The command line is split by a shell's quoting rules but no shell runs, so nothing in it is
 * expanded. The program gets its own process group, no input and none of our descriptors but
 * stderr; it has 60 s and 64 KiB. Source:
 * docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html (2026-11).
 */
#include "backends/auth/cred_source.h"
#include "backends/base/arena.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define PROCESS_TIMEOUT_MS 60000
#define PROCESS_MAX_ARGS   64
#define PROCESS_MAX_BYTES  8192 /* of the command line */

extern char **environ;

struct splitter {
	const char *at;
	char *word; /* written from here on; never longer than the text left */
	size_t len;
	bool has_word; /* '' is a word too */
};

/* What stands between quotes; false when they are not closed. */
static bool take_quoted(struct splitter *s, char quote)
{
	for (; *s->at && *s->at != quote; s->at++) {
		/* Inside "..." a backslash escapes only itself and the quote. */
		if (quote == '"' && *s->at == '\\' && (s->at[1] == '"' || s->at[1] == '\\'))
			s->at++;
		s->word[s->len++] = *s->at;
	}
	if (!*s->at)
		return false;
	s->at++;
	return true;
}

/* The next word into s->word; false for a quote or backslash that nothing follows. */
static bool take_word(struct splitter *s)
{
	s->len = 0;
	s->has_word = false;
	s->at += strspn(s->at, " \t\r\n");
	while (*s->at && !strchr(" \t\r\n", *s->at)) {
		char c = *s->at++;

		s->has_word = true;
		if (c == '\'' || c == '"') {
			if (!take_quoted(s, c))
				return false;
		} else if (c == '\\') {
			if (!*s->at)
				return false;
			s->word[s->len++] = *s->at++;
		} else {
			s->word[s->len++] = c;
		}
	}
	s->word[s->len] = '\0';
	return true;
}

int cred_process_split(const char *command, struct arena *arena, char ***ret_args,
		       struct error *err)
{
	struct splitter s = {.at = command};
	size_t count = 0;
	char **args = arena_alloc(arena, (PROCESS_MAX_ARGS + 1) * sizeof(*args));

	if (strlen(command) > PROCESS_MAX_BYTES)
		return error_set(err, ERR_CONFIG, "credential_process is longer than %d bytes",
				 PROCESS_MAX_BYTES);
	if (!args)
		return error_set(err, ERR_NO_MEMORY, "no memory for credential_process");
	for (;;) {
		s.word = arena_alloc(arena, strlen(s.at) + 1);
		if (!s.word)
			return error_set(err, ERR_NO_MEMORY, "no memory for credential_process");
		if (!take_word(&s))
			return error_set(err, ERR_CONFIG,
					 "credential_process has a quote that is not closed");
		if (!s.has_word)
			break;
		if (count == PROCESS_MAX_ARGS)
			return error_set(err, ERR_CONFIG,
					 "credential_process has more than %d words",
					 PROCESS_MAX_ARGS);
		args[count++] = s.word;
	}
	if (count == 0 || !*args[0])
		return error_set(err, ERR_CONFIG, "credential_process names no program");
	*ret_args = args;
	return 0;
}

struct process {
	pid_t pid; /* -1: none, or waited for */
	int out_fd, pid_fd, wake_fd;
	struct cancel *cancel;
	struct cancel_hook hook;
};
#define PROCESS_INIT ((struct process){.pid = -1, .out_fd = -1, .pid_fd = -1, .wake_fd = -1})

static void wake(struct cancel_hook *hook)
{
	struct process *p = container_of(hook, struct process, hook);

	(void)eventfd_write(p->wake_fd, 1); /* fails only when it is awake already */
}

static void process_release(struct process *p)
{
	if (p->cancel)
		cancel_unhook(p->cancel, &p->hook);
	if (p->pid > 0) {
		(void)kill(-p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	closep(&p->out_fd);
	closep(&p->pid_fd);
	closep(&p->wake_fd);
}

static int spawn_with(struct process *p, char **args, int write_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, standard;
	int r;

	(void)sigemptyset(&none);
	(void)sigemptyset(&standard);
	(void)sigaddset(&standard, SIGPIPE);
	(void)sigaddset(&standard, SIGCHLD);
	if ((r = posix_spawn_file_actions_init(&actions)) != 0)
		return r;
	if ((r = posix_spawnattr_init(&attributes)) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	if ((r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
	    (r = posix_spawn_file_actions_adddup2(&actions, write_fd, 1)) == 0 &&
	    (r = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
	    (r = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
	    (r = posix_spawnattr_setsigdefault(&attributes, &standard)) == 0 &&
	    (r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
							       POSIX_SPAWN_SETSIGMASK |
							       POSIX_SPAWN_SETSIGDEF)) == 0)
		r = posix_spawnp(&p->pid, args[0], &actions, &attributes, args, environ);
	if (r != 0)
		p->pid = -1;
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int start(struct process *p, char **args, struct cancel *cancel, struct error *err)
{
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "cannot run '%s'", args[0]);
	p->out_fd = fds[0];
	r = spawn_with(p, args, fds[1]);
	(void)close(fds[1]);
	if (r != 0)
		return error_set(err, ERR_CONFIG, "cannot run credential_process '%s': %s", args[0],
				 strerror(r));
	p->pid_fd = pidfd_open(p->pid, 0);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->pid_fd < 0 || p->wake_fd < 0)
		return error_errno(err, errno, "cannot watch '%s'", args[0]);
	if (cancel) {
		p->hook.fire = wake;
		p->cancel = cancel;
		cancel_hook(cancel, &p->hook);
	}
	return 0;
}

/* Waits until fd can be read: 0, or ERR_TIMEOUT, or ERR_CANCELLED. */
static int wait_for(const struct process *p, int fd, uint64_t deadline_ms, const char *name,
		    struct error *err)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = p->wake_fd, .events = POLLIN}};

	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		int r;

		if (now_ms >= deadline_ms)
			return error_set(err, ERR_TIMEOUT,
					 "credential_process '%s' did not end within %d s", name,
					 PROCESS_TIMEOUT_MS / 1000);
		r = poll(fds, ARRAY_SIZE(fds), (int)(deadline_ms - now_ms));
		if (r < 0 && errno != EINTR)
			return error_errno(err, errno, "cannot watch '%s'", name);
		if (r > 0 && fds[1].revents)
			return error_set(err, ERR_CANCELLED, "cancelled");
		if (r > 0 && fds[0].revents)
			return 0;
	}
}

static int read_output(struct process *p, uint64_t deadline_ms, const char *name, struct buf *out,
		       struct error *err)
{
	char chunk[4096];
	int r;

	for (;;) {
		ssize_t n;

		if ((r = wait_for(p, p->out_fd, deadline_ms, name, err)) < 0)
			break;
		n = read(p->out_fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? error_errno(err, errno, "cannot read from '%s'", name) : 0;
			break;
		}
		if (buf_add(out, chunk, (size_t)n) < 0) {
			r = error_set(err, ERR_TOO_LARGE,
				      "credential_process '%s' prints over 64 KiB", name);
			break;
		}
	}
	explicit_bzero(chunk, sizeof(chunk));
	return r;
}

static int wait_for_end(struct process *p, uint64_t deadline_ms, const char *name,
			struct error *err)
{
	int r = wait_for(p, p->pid_fd, deadline_ms, name, err), status;

	if (r < 0)
		return r;
	r = waitpid(p->pid, &status, 0);
	p->pid = -1;
	if (r < 0) /* a parent that ignores SIGCHLD learns nothing */
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, ERR_UNAUTHENTICATED,
				 "credential_process '%s' was killed by signal %d", name,
				 WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "credential_process '%s' failed with exit code %d", name,
				 WEXITSTATUS(status));
	return 0;
}

int cred_process_fetch(const struct cred_context *c, const char *command, struct cred_aws *ret,
		       struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(process_release) struct process process = PROCESS_INIT;
	CLEANUP(cred_buf_wipe) struct buf out = BUF_INIT(0);
	CLEANUP(json_putp) struct json_object *o = NULL;
	uint64_t deadline_ms = clock_mono_ms() + PROCESS_TIMEOUT_MS;
	char **args = NULL;
	int r;

	if ((r = cred_process_split(command, &arena, &args, err)) < 0 ||
	    (r = cred_buf_init(&out, err)) < 0 || (r = start(&process, args, c->cancel, err)) < 0 ||
	    (r = read_output(&process, deadline_ms, args[0], &out, err)) < 0 ||
	    (r = wait_for_end(&process, deadline_ms, args[0], err)) < 0)
		return r;
	if (json_parse(buf_str(&out), CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "credential_process '%s' does not print a JSON object", args[0]);
	if (json_get_int64(o, "Version", 0) != 1)
		return error_set(err, ERR_PROTOCOL,
				 "credential_process '%s' prints a Version other than 1", args[0]);
	return cred_set_json(ret, "credential process", buf_str(&out), "SessionToken", err);
}
