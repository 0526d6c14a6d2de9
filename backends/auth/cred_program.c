/*
 * A program that prints credentials: its own process group, no input and none of our descriptors but
 * stderr, a time limit and 64 KiB.
 */
#include "backends/auth/cred_program.h"
#include "backends/base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

extern char **environ;

struct process {
	pid_t pid; /* -1: none, or waited for */
	int out_fd, pid_fd, wake_fd;
	struct cancel *cancel;
	struct cancel_hook hook;
};
#define PROCESS_INIT ((struct process){ .pid = -1, .out_fd = -1, .pid_fd = -1, .wake_fd = -1 })

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

static int spawn_with(struct process *p, const struct cred_program *program, int write_fd)
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
		r = posix_spawnp(&p->pid, program->args[0], &actions, &attributes, program->args,
				 program->env ? program->env : environ);
	if (r != 0)
		p->pid = -1;
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int start(struct process *p, const struct cred_program *program, struct cancel *cancel,
		 struct error *err)
{
	const char *name = program->args[0];
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "cannot run '%s'", name);
	p->out_fd = fds[0];
	r = spawn_with(p, program, fds[1]);
	(void)close(fds[1]);
	if (r != 0)
		return error_set(err, ERR_CONFIG, "cannot run %s '%s': %s", program->what, name,
				 strerror(r));
	p->pid_fd = pidfd_open(p->pid, 0);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->pid_fd < 0 || p->wake_fd < 0)
		return error_errno(err, errno, "cannot watch '%s'", name);
	if (cancel) {
		p->hook.fire = wake;
		p->cancel = cancel;
		cancel_hook(cancel, &p->hook);
	}
	return 0;
}

/* Waits until fd can be read: 0, or ERR_TIMEOUT, or ERR_CANCELLED. */
static int wait_for(const struct process *p, int fd, uint64_t deadline_ms,
		    const struct cred_program *program, struct error *err)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
				{ .fd = p->wake_fd, .events = POLLIN } };

	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		int r;

		if (now_ms >= deadline_ms)
			return error_set(err, ERR_TIMEOUT, "%s '%s' did not end within %llu s",
					 program->what, program->args[0],
					 (unsigned long long)program->timeout_ms / 1000);
		r = poll(fds, ARRAY_SIZE(fds), (int)(deadline_ms - now_ms));
		if (r < 0 && errno != EINTR)
			return error_errno(err, errno, "cannot watch '%s'", program->args[0]);
		if (r > 0 && fds[1].revents)
			return error_set(err, ERR_CANCELLED, "cancelled");
		if (r > 0 && fds[0].revents)
			return 0;
	}
}

static int read_output(struct process *p, uint64_t deadline_ms, const struct cred_program *program,
		       struct buf *out, struct error *err)
{
	char chunk[4096];
	int r;

	for (;;) {
		ssize_t n;

		if ((r = wait_for(p, p->out_fd, deadline_ms, program, err)) < 0)
			break;
		n = read(p->out_fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? error_errno(err, errno, "cannot read from '%s'",
						program->args[0])
				  : 0;
			break;
		}
		if (buf_add(out, chunk, (size_t)n) < 0) {
			r = error_set(err, ERR_TOO_LARGE, "%s '%s' prints over 64 KiB",
				      program->what, program->args[0]);
			break;
		}
	}
	explicit_bzero(chunk, sizeof(chunk));
	return r;
}

static int wait_for_end(struct process *p, uint64_t deadline_ms, const struct cred_program *program,
			int *ret_exit, struct error *err)
{
	int r = wait_for(p, p->pid_fd, deadline_ms, program, err), status;

	if (r < 0)
		return r;
	r = waitpid(p->pid, &status, 0);
	p->pid = -1;
	if (r < 0) /* a parent that ignores SIGCHLD learns nothing */
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, ERR_UNAUTHENTICATED, "%s '%s' was killed by signal %d",
				 program->what, program->args[0], WTERMSIG(status));
	if (ret_exit)
		*ret_exit = WEXITSTATUS(status);
	else if (WEXITSTATUS(status) != 0)
		return error_set(err, ERR_UNAUTHENTICATED, "%s '%s' failed with exit code %d",
				 program->what, program->args[0], WEXITSTATUS(status));
	return 0;
}

int cred_program_run(const struct cred_context *c, const struct cred_program *program,
		     struct buf *out, int *ret_exit, struct error *err)
{
	CLEANUP(process_release) struct process process = PROCESS_INIT;
	uint64_t deadline_ms = clock_mono_ms() + program->timeout_ms;
	int r;

	if (ret_exit)
		*ret_exit = 0;
	if ((r = start(&process, program, c->cancel, err)) < 0 ||
	    (r = read_output(&process, deadline_ms, program, out, err)) < 0)
		return r;
	return wait_for_end(&process, deadline_ms, program, ret_exit, err);
}
