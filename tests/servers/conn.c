#include "proxy.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOW_CAPACITY (512 << 10)
#define RATE_BURST_BYTES (256 << 10)
#define RATE_STEP_BYTES (128 << 10)
#define NEVER UINT64_MAX

enum flow_state { FLOW_HEAD, FLOW_BODY, FLOW_DONE };
enum flow_stop { STOP_NONE, STOP_RESET, STOP_CLOSE, STOP_STALL };

/* One direction. data[start, parsed) may be sent, data[parsed, end) was not looked at yet. */
struct flow {
	char *data;
	size_t start, parsed, end;
	enum flow_state state;
	struct http1_head head;
	struct http1_chunks chunks;
	uint64_t body_left, body_seen;
	uint64_t hold_until_ns; /* nothing is sent before */
	double tokens;
	uint64_t tokens_at_ns;
	bool is_eof;
	bool is_discarded;     /* what is parsed goes nowhere: the server is not asked */
	uint64_t break_at;     /* body position at which `stop` happens or a bit flips; NEVER: none */
	enum flow_stop stop;   /* once all before break_at is sent */
	bool is_stopped;
};

struct conn {
	struct conn *next;
	struct conn_end client, server;
	struct flow up, down;
	struct fault fault; /* kind NONE: none */
	uint64_t log_entry, wake_ns;
	int epoll_fd;
	bool is_active; /* a request is under way */
	bool is_last;	/* close when its answer is out */
	bool is_dead;
};

struct settings settings;
static struct conn *conns;

uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void end_close(struct conn_end *end)
{
	if (end->fd >= 0)
		(void)close(end->fd); /* nothing to lose: sockets are not files */
	end->fd = -1;
}

static void conn_set_idle(struct conn *c)
{
	if (c->is_active)
		counters.active--;
	c->is_active = false;
}

static void conn_close(struct conn *c)
{
	if (c->is_dead)
		return;
	conn_set_idle(c);
	end_close(&c->client);
	end_close(&c->server);
	c->is_dead = true;
	counters.open--;
}

static void conn_reset(struct conn *c)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	if (c->client.fd >= 0)
		(void)setsockopt(c->client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close(c);
}

static void end_watch(struct conn *c, struct conn_end *end, uint32_t interest)
{
	if (end->fd < 0 || end->has_hung_up || end->interest == interest)
		return;
	struct epoll_event event = { .events = interest, .data.ptr = end };
	int op = end->interest == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (epoll_ctl(c->epoll_fd, op, end->fd, &event) < 0)
		conn_reset(c);
	end->interest = interest;
}

static void end_init(struct conn *c, struct conn_end *end, int fd)
{
	const int on = 1;
	*end = (struct conn_end){ .conn = c, .fd = fd, .interest = UINT32_MAX };
	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only speed */
}

void conn_new(int epoll_fd, int client_fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	char *up = malloc(FLOW_CAPACITY), *down = malloc(FLOW_CAPACITY);
	if (!c || !up || !down) {
		free(c);
		free(up);
		free(down);
		(void)close(client_fd);
		return;
	}
	c->epoll_fd = epoll_fd;
	c->wake_ns = NEVER;
	c->up.data = up;
	c->down.data = down;
	c->up.break_at = c->down.break_at = NEVER;
	end_init(c, &c->client, client_fd);
	end_init(c, &c->server, -1);
	c->next = conns;
	conns = c;
	counters.connections++;
	counters.open++;
	end_watch(c, &c->client, EPOLLIN);
}

static bool server_connect(struct conn *c)
{
	if (c->server.fd >= 0)
		return true;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(settings.upstream_port),
				       .sin_addr.s_addr = settings.upstream_ip };
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS) {
		(void)close(fd);
		return false;
	}
	end_init(c, &c->server, fd);
	end_watch(c, &c->server, EPOLLIN);
	return true;
}

static void flow_begin_body(struct flow *f)
{
	f->state = f->head.framing == HTTP1_NONE || f->head.length == 0 ? FLOW_DONE : FLOW_BODY;
	f->body_left = f->head.framing == HTTP1_LENGTH ? f->head.length : NEVER;
	f->body_seen = 0;
	f->chunks = (struct http1_chunks){ 0 };
}

/* Where the rule bites, in this body. */
static void flow_arm(struct flow *f, const struct fault *fault, enum flow_stop stop)
{
	f->stop = stop;
	f->break_at = fault->at;
	if (fault->at == HTTP1_UNKNOWN)
		f->break_at = f->head.length == HTTP1_UNKNOWN ? 0 : f->head.length / 2;
	f->is_stopped = stop != STOP_NONE && (f->state == FLOW_DONE || f->break_at == 0);
}

/* Puts the rule's own answer into the other direction. */
static void conn_answer(struct conn *c)
{
	struct flow *d = &c->down;
	const struct fault *f = &c->fault;
	char retry[48] = "";
	bool has_body = strcmp(c->up.head.method, "HEAD") != 0;
	if (f->retry_after_s >= 0)
		(void)snprintf(retry, sizeof(retry), "Retry-After: %d\r\n", f->retry_after_s);
	time_t clock = (time_t)fault_clock_s(f);
	char date[64] = "";
	struct tm t;
	if (f->kind == FAULT_SKEW && gmtime_r(&clock, &t))
		(void)strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &t);
	int n = snprintf(d->data, FLOW_CAPACITY, "HTTP/1.1 %d Fault\r\nContent-Type: application/xml\r\n"
			 "Content-Length: %zu\r\n%s%s%s%s\r\n%s", f->status, strlen(f->body), retry, date, f->header,
			 f->header[0] ? "\r\n" : "", has_body ? f->body : "");
	assert(n > 0 && n < FLOW_CAPACITY);
	counters_status(c->log_entry, f->status);
	counters.wire_down += (uint64_t)n;
	d->start = 0;
	d->parsed = d->end = (size_t)n;
	d->head = (struct http1_head){ .status = f->status };
	d->state = FLOW_DONE;
	d->hold_until_ns = clock_ns() + settings.latency_ns;
}

static bool is_answered_here(const struct conn *c)
{
	return c->fault.kind == FAULT_STATUS || c->fault.kind == FAULT_SKEW;
}

/* "If-Match" becomes "Xf-Match", which no server knows: the head keeps its length. */
static void hide_field(char *data, size_t len, const char *name)
{
	char *at = memmem(data, len, name, strlen(name));

	if (at)
		at[2] = 'X';
}

static void strip_conditions(char *data, size_t len)
{
	hide_field(data, len, "\r\nIf-Match:");
	hide_field(data, len, "\r\nIf-None-Match:");
}

/* A request's head is complete: count it, find its rule. false: the connection ended. */
static bool conn_request(struct conn *c, char *data, size_t len)
{
	struct flow *f = &c->up;
	c->is_active = true;
	c->log_entry = counters_request(&f->head);
	c->is_last |= f->head.has_close;
	const struct fault *fault = fault_take(&f->head, data, len);
	c->fault = fault ? *fault : (struct fault){ 0 };
	f->is_discarded = is_answered_here(c);
	if (c->fault.kind == FAULT_STRIP)
		strip_conditions(data, len);
	if (c->fault.kind == FAULT_RESET_BEFORE || (!f->is_discarded && !server_connect(c))) {
		conn_reset(c);
		return false;
	}
	if (c->fault.kind == FAULT_CORRUPT_UP)
		flow_arm(f, &c->fault, STOP_NONE);
	return true;
}

/* The same for an answer's. */
static bool conn_response(struct conn *c)
{
	static const enum flow_stop stops[] = { [FAULT_RESET_MID] = STOP_RESET, [FAULT_TRUNCATE] = STOP_CLOSE,
						[FAULT_STALL] = STOP_STALL, [FAULT_KINDS] = STOP_NONE };
	struct flow *f = &c->down;
	enum fault_kind kind = c->fault.kind;
	counters_status(c->log_entry, f->head.status);
	c->is_last |= f->head.has_close || f->head.framing == HTTP1_TO_EOF;
	f->hold_until_ns = clock_ns() + settings.latency_ns;
	if (kind == FAULT_RESET_AFTER) {
		conn_reset(c);
		return false;
	}
	if (kind == FAULT_DELAY)
		f->hold_until_ns += c->fault.ms * 1000000;
	else if (kind == FAULT_CORRUPT || stops[kind] != STOP_NONE)
		flow_arm(f, &c->fault, kind == FAULT_CORRUPT ? STOP_NONE : stops[kind]);
	return true;
}

static bool flow_parse_head(struct conn *c, struct flow *f)
{
	char *at = f->data + f->parsed;
	size_t size = http1_head_size(at, f->end - f->parsed);
	bool is_up = f == &c->up;
	if (!size) {
		if (f->end - f->start == FLOW_CAPACITY && f->start == 0)
			conn_reset(c);
		return false;
	}
	bool is_good = is_up ? http1_request(at, size, &f->head) : http1_response(at, size, &c->up.head, &f->head);
	if (!is_good || (!is_up && !c->is_active)) {
		conn_reset(c);
		return false;
	}
	*(is_up ? &counters.wire_up : &counters.wire_down) += size;
	f->parsed += size;
	if (!is_up && settings.hides_server)
		hide_field(at, size, "\r\nServer:");
	if (!is_up && f->head.status < 200)
		return true; /* 100 Continue: the real answer follows */
	flow_begin_body(f);
	return is_up ? conn_request(c, at, size) : conn_response(c);
}

/* Lets n bytes of body pass, up to the place of a fault. Returns how many. */
static size_t flow_pass(struct conn *c, struct flow *f, size_t n)
{
	if (f->break_at >= f->body_seen && f->break_at - f->body_seen < n) {
		if (f->stop != STOP_NONE) {
			n = (size_t)(f->break_at - f->body_seen);
			f->is_stopped = true;
		} else {
			f->data[f->parsed + (f->break_at - f->body_seen)] ^= 0x20;
			f->break_at = NEVER;
		}
	}
	f->parsed += n;
	f->body_seen += n;
	*(f == &c->up ? &counters.bytes_up : &counters.bytes_down) += n;
	*(f == &c->up ? &counters.wire_up : &counters.wire_down) += n;
	return n;
}

static void flow_parse_body(struct conn *c, struct flow *f)
{
	size_t n = f->end - f->parsed;
	if (f->head.framing == HTTP1_CHUNKED) {
		f->parsed += http1_chunks_skip(&f->chunks, f->data + f->parsed, n);
		n = f->end - f->parsed;
		if (f->chunks.state == CHUNKS_END)
			f->state = FLOW_DONE;
		if (f->chunks.state != CHUNKS_DATA || !n)
			return;
		f->chunks.left -= flow_pass(c, f, n < f->chunks.left ? n : (size_t)f->chunks.left);
		if (!f->chunks.left)
			f->chunks.state = CHUNKS_DATA_END;
		return;
	}
	n = flow_pass(c, f, n < f->body_left ? n : (size_t)f->body_left);
	if (f->body_left != NEVER)
		f->body_left -= n;
	if (!f->body_left)
		f->state = FLOW_DONE;
}

static void flow_parse(struct conn *c, struct flow *f)
{
	while (!c->is_dead && f->parsed < f->end && f->state != FLOW_DONE && !f->is_stopped) {
		if (f->state == FLOW_BODY)
			flow_parse_body(c, f);
		else if (!flow_parse_head(c, f))
			return;
	}
}

/* Reads what fits. */
static void flow_read(struct flow *f, struct conn_end *from)
{
	if (f->start == f->end)
		f->start = f->parsed = f->end = 0;
	if (f->start && f->end == FLOW_CAPACITY) {
		memmove(f->data, f->data + f->start, f->end - f->start);
		f->parsed -= f->start;
		f->end -= f->start;
		f->start = 0;
	}
	if (from->fd < 0 || f->is_eof || f->end == FLOW_CAPACITY)
		return;
	ssize_t got = recv(from->fd, f->data + f->end, FLOW_CAPACITY - f->end, 0);
	if (got > 0)
		f->end += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOTCONN && errno != EINPROGRESS))
		f->is_eof = true;
}

/* How many bytes the rate allows now; sets the time to come again when that is none. */
static size_t flow_allowance(struct conn *c, struct flow *f, size_t wanted)
{
	uint64_t now = clock_ns();
	if (f->hold_until_ns > now) {
		c->wake_ns = c->wake_ns < f->hold_until_ns ? c->wake_ns : f->hold_until_ns;
		return 0;
	}
	if (!settings.rate)
		return wanted;
	f->tokens += (double)(now - f->tokens_at_ns) * (double)settings.rate / 1e9;
	f->tokens_at_ns = now;
	if (f->tokens > RATE_BURST_BYTES)
		f->tokens = RATE_BURST_BYTES;
	size_t least = wanted < RATE_STEP_BYTES ? wanted : RATE_STEP_BYTES;
	if (f->tokens < (double)least) {
		uint64_t due = now + (uint64_t)(((double)least - f->tokens) * 1e9 / (double)settings.rate) + 1000;
		c->wake_ns = c->wake_ns < due ? c->wake_ns : due;
		return 0;
	}
	return (double)wanted < f->tokens ? wanted : (size_t)f->tokens;
}

/* Sends what was parsed. Returns whether the other end's buffer is what holds it up. */
static bool flow_write(struct conn *c, struct flow *f, struct conn_end *to)
{
	if (f->is_discarded)
		f->start = f->parsed;
	while (f->start < f->parsed && !c->is_dead) {
		size_t n = flow_allowance(c, f, f->parsed - f->start);
		if (!n)
			return false;
		ssize_t sent = send(to->fd, f->data + f->start, n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EAGAIN || errno == ENOTCONN || errno == EINTR)
				return true;
			if (f == &c->up) { /* it may have answered before it closed: read on */
				f->is_discarded = true;
				return false;
			}
			conn_close(c);
			return false;
		}
		f->start += (size_t)sent;
		if (settings.rate)
			f->tokens -= (double)sent;
	}
	return false;
}

/* All before the place of the fault is out: do it. */
static void conn_break(struct conn *c)
{
	struct flow *f = &c->down;
	switch (f->stop) {
	case STOP_RESET:
		conn_reset(c);
		return;
	case STOP_CLOSE:
		conn_close(c);
		return;
	default:
		f->hold_until_ns = c->fault.ms ? clock_ns() + c->fault.ms * 1000000 : NEVER;
		f->is_stopped = false;
		f->break_at = NEVER;
		f->stop = STOP_NONE;
		return;
	}
}

/* The answer is out: the next request, or the end. */
static void conn_finish(struct conn *c)
{
	if (c->is_last || c->server.has_hung_up || c->down.is_eof) {
		(void)shutdown(c->client.fd, SHUT_WR);
		conn_close(c);
		return;
	}
	conn_set_idle(c);
	c->up.state = c->down.state = FLOW_HEAD;
	c->up.is_discarded = false;
	c->up.break_at = c->down.break_at = NEVER;
	c->fault = (struct fault){ 0 };
}

static bool conn_step(struct conn *c, bool *ret_up_blocked, bool *ret_down_blocked)
{
	struct flow *up = &c->up, *down = &c->down;
	size_t before = up->start + up->parsed + up->end + down->start + down->parsed + down->end;
	flow_parse(c, up);
	if (!c->is_dead)
		*ret_up_blocked = c->server.fd >= 0 || up->is_discarded ? flow_write(c, up, &c->server) : false;
	if (!c->is_dead && is_answered_here(c) && up->state == FLOW_DONE && down->state == FLOW_HEAD)
		conn_answer(c);
	if (!c->is_dead)
		flow_parse(c, down);
	if (!c->is_dead)
		*ret_down_blocked = flow_write(c, down, &c->client);
	if (c->is_dead)
		return false;
	bool is_flushed = down->start == down->parsed;
	if (down->is_stopped && is_flushed) {
		conn_break(c);
		return !c->is_dead;
	}
	if (down->state == FLOW_DONE && is_flushed && up->state == FLOW_DONE && up->start == up->parsed) {
		conn_finish(c);
		return !c->is_dead && up->parsed < up->end;
	}
	if (down->is_eof && is_flushed && down->parsed == down->end && down->state != FLOW_DONE)
		conn_close(c); /* the server ended it, in time or not: so do we */
	return !c->is_dead &&
	       before != up->start + up->parsed + up->end + down->start + down->parsed + down->end;
}

static void conn_pump(struct conn *c, bool can_read_client, bool can_read_server)
{
	bool is_up_blocked = false, is_down_blocked = false;
	c->wake_ns = NEVER;
	if (can_read_client)
		flow_read(&c->up, &c->client);
	if (can_read_server)
		flow_read(&c->down, &c->server);
	if (c->up.is_eof) {
		conn_close(c);
		return;
	}
	do {
		if (c->server.has_hung_up)
			flow_read(&c->down, &c->server);
	} while (conn_step(c, &is_up_blocked, &is_down_blocked));
	if (c->is_dead)
		return;
	bool has_up_room = c->up.end < FLOW_CAPACITY || c->up.start > 0;
	bool has_down_room = c->down.end < FLOW_CAPACITY || c->down.start > 0;
	end_watch(c, &c->client, (has_up_room ? EPOLLIN : 0u) | (is_down_blocked ? EPOLLOUT : 0u));
	end_watch(c, &c->server,
		  (has_down_room && !c->down.is_eof ? EPOLLIN : 0u) | (is_up_blocked ? EPOLLOUT : 0u));
}

void conn_event(struct conn_end *end, uint32_t events)
{
	struct conn *c = end->conn;
	if (c->is_dead)
		return;
	bool is_client = end == &c->client;
	if (events & (EPOLLERR | EPOLLHUP)) {
		if (is_client) {
			conn_close(c);
			return;
		}
		/* It would be reported for ever; what it still said is read as room appears. */
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, end->fd, NULL);
		end->has_hung_up = true;
	}
	conn_pump(c, is_client && (events & EPOLLIN), !is_client && (events & EPOLLIN));
}

uint64_t conn_wake_due(uint64_t now_ns)
{
	uint64_t next = NEVER;
	for (struct conn *c = conns; c; c = c->next) {
		if (!c->is_dead && c->wake_ns <= now_ns)
			conn_pump(c, true, true);
		if (!c->is_dead && c->wake_ns < next)
			next = c->wake_ns;
	}
	return next;
}

void conn_collect(void)
{
	for (struct conn **at = &conns; *at;) {
		struct conn *c = *at;
		if (!c->is_dead) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		free(c->up.data);
		free(c->down.data);
		free(c);
	}
}

void conn_reset_all(void)
{
	for (struct conn *c = conns; c; c = c->next)
		conn_reset(c);
}
