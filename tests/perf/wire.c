/*
 * Purpose: skydir-wire PORT: performs plans of requests on 127.0.0.1:PORT, one after the other, as fast as the wire is.
 *
 * A plan on standard input, lengths in bytes:
 *     plan REQUESTS CONNECTIONS
 *     HEAD_LENGTH BODY_OFFSET BODY_LENGTH BODY_FILE     (BODY_FILE "-": no body)
 *     EXPECT_OFFSET EXPECT_LENGTH EXPECT_FILE           ("-": the answer is told, not compared)
 *     the head itself, HEAD_LENGTH bytes                (these three for each request)
 * The answer on standard output, when all of them are through:
 *     done SECONDS CPU_SECONDS
 *     STATUS IS_RIGHT BODY_BYTES KEPT_LENGTH ETAG|-     (for each request, in order)
 *     the kept body, KEPT_LENGTH bytes, and a line's end
 * Request n starts when a connection is free; with one connection each waits for the one before. Plans are kept apart
 * in time: what has to be made from answers (an upload's id) is made between them and costs nothing here.
 * Errors: a plan that cannot be read ends the program with 2; a request that failed has status 0 and a text as body.
 */
#include "wire.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define REQUESTS_MAX 100000
#define HEAD_MAX 65536
#define FILES_MAX 16384

struct mapped { /* a file of a plan, mapped until the plan is over */
	char *path;
	char *data;
	size_t size;
};

struct plan {
	struct wire_request *requests;
	size_t count, connections;
	struct mapped *files;
	size_t files_count;
};

struct run { /* what a plan's threads share */
	struct plan *plan;
	atomic_size_t next;
	uint16_t port;
};

struct worker {
	pthread_t thread;
	struct run *run;
	struct wire_conn conn;
};

static struct worker workers[CONNECTIONS_MAX];

static double seconds(clockid_t clock)
{
	struct timespec t = { 0 };
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	size_t n;
	while ((n = atomic_fetch_add(&w->run->next, 1)) < w->run->plan->count)
		wire_conn_perform(&w->conn, w->run->port, &w->run->plan->requests[n]);
	return NULL;
}

static bool map_file(struct mapped *f)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		f->size = (size_t)st.st_size;
		f->data = mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0);
	}
	(void)close(fd);
	return f->data != MAP_FAILED && f->data;
}

/* The span of a file; "-" is none. Requests of one file come together, so the last one is looked at first. */
static bool span_of(struct plan *p, const char *path, unsigned long long offset, unsigned long long length,
		    struct wire_span *ret)
{
	*ret = (struct wire_span){ 0 };
	if (strcmp(path, "-") == 0)
		return true;
	struct mapped *f = p->files_count ? &p->files[p->files_count - 1] : NULL;
	if (!f || strcmp(f->path, path) != 0) {
		if (p->files_count == FILES_MAX)
			return false;
		f = &p->files[p->files_count++];
		f->path = strdup(path);
		if (!f->path || !map_file(f))
			return false;
	}
	if (offset > f->size || length > f->size - offset)
		return false;
	*ret = (struct wire_span){ .data = f->data + offset, .len = length };
	return true;
}

static bool read_request(struct plan *p, struct wire_request *r)
{
	unsigned long long head_len, body_at, body_len, expect_at, expect_len;
	char body[4096], expect[4096], text[4200];
	if (!fgets(text, sizeof(text), stdin) ||
	    sscanf(text, "%llu %llu %llu %4095[^\n]", &head_len, &body_at, &body_len, body) != 4 ||
	    !fgets(text, sizeof(text), stdin) ||
	    sscanf(text, "%llu %llu %4095[^\n]", &expect_at, &expect_len, expect) != 3 || head_len > HEAD_MAX)
		return false;
	r->head = malloc(head_len + 1);
	if (!r->head || fread(r->head, 1, head_len, stdin) != head_len)
		return false;
	r->head[head_len] = '\0';
	r->head_len = head_len;
	r->has_expect = strcmp(expect, "-") != 0;
	return span_of(p, body, body_at, body_len, &r->body) && span_of(p, expect, expect_at, expect_len, &r->expect);
}

static void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->requests[i].head);
		free(p->requests[i].kept);
	}
	for (size_t i = 0; i < p->files_count; i++) {
		if (p->files[i].data && p->files[i].data != MAP_FAILED)
			(void)munmap(p->files[i].data, p->files[i].size);
		free(p->files[i].path);
	}
	free(p->requests);
	free(p->files);
	*p = (struct plan){ 0 };
}

/* 1: a plan; 0: no more of them; -1: not a plan. */
static int plan_read(struct plan *p)
{
	char text[128];
	size_t count, connections;
	if (!fgets(text, sizeof(text), stdin))
		return 0;
	if (sscanf(text, "plan %zu %zu", &count, &connections) != 2 || count > REQUESTS_MAX || !connections ||
	    connections > CONNECTIONS_MAX)
		return -1;
	p->requests = calloc(count ? count : 1, sizeof(*p->requests));
	p->files = calloc(FILES_MAX, sizeof(*p->files));
	if (!p->requests || !p->files)
		return -1;
	p->connections = connections;
	for (p->count = 0; p->count < count;)
		if (!read_request(p, &p->requests[p->count++]))
			return -1;
	return 1;
}

static bool plan_run(struct plan *p, uint16_t port)
{
	struct run run = { .plan = p, .port = port };
	size_t started = 0, wanted = p->connections < p->count ? p->connections : p->count;
	for (; started < wanted; started++) {
		workers[started].run = &run;
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
			break;
	}
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(workers[i].thread, NULL);
	return started == wanted;
}

static void plan_tell(const struct plan *p, double wall_s, double cpu_s)
{
	(void)printf("done %.6f %.6f\n", wall_s, cpu_s);
	for (size_t i = 0; i < p->count; i++) {
		const struct wire_request *r = &p->requests[i];
		const char *kept = r->status ? r->kept : r->problem;
		size_t len = r->status ? r->kept_len : strlen(r->problem);
		(void)printf("%d %d %llu %zu %s\n", r->status, r->is_right, (unsigned long long)r->body_bytes, len,
			     r->etag[0] ? r->etag : "-");
		(void)fwrite(kept ? kept : "", 1, len, stdout);
		(void)putchar('\n');
	}
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	if (!port || port > UINT16_MAX) {
		(void)fprintf(stderr, "usage: skydir-wire PORT <PLANS\n");
		return 2;
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		workers[i].conn.fd = -1;
	for (;;) {
		struct plan plan = { 0 };
		int r = plan_read(&plan);
		if (r <= 0) {
			plan_release(&plan);
			if (r < 0)
				(void)fprintf(stderr, "skydir-wire: not a plan\n");
			return r < 0 ? 2 : 0;
		}
		double began_s = seconds(CLOCK_MONOTONIC), cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
		bool is_good = plan_run(&plan, (uint16_t)port);
		if (!is_good) {
			(void)fprintf(stderr, "skydir-wire: no threads\n");
			return 1;
		}
		plan_tell(&plan, seconds(CLOCK_MONOTONIC) - began_s, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_s);
		plan_release(&plan);
	}
}
