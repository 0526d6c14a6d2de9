#pragma once
/*
 * Purpose: skydir-proxy, an HTTP/1.1 proxy before a test server: latency, bandwidth limit, counts, faults on demand.
 *
 * proxy.c listens and runs the loop, conn.c moves the bytes of one connection, http1.c reads message heads, faults.c
 * holds the rules, the counters and the log, control.c answers the tests on a port of its own.
 * Invariants: every byte passes unchanged (the Host header too, so that signatures stay good) unless a rule says so.
 * Threads: one; nothing blocks but the control port, whose clients are the tests.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_TARGET_MAX 240
#define PROXY_BODY_MAX 4096
#define FAULT_LABELS 32
#define HTTP1_UNKNOWN UINT64_MAX

/* ---- http1.c ---- */

enum http1_framing { HTTP1_NONE, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_TO_EOF };
struct http1_head {
	char method[16];
	char target[PROXY_TARGET_MAX]; /* cut when longer */
	char op;		       /* see http1_op */
	int status;
	enum http1_framing framing;
	uint64_t length; /* HTTP1_UNKNOWN unless framing is LENGTH */
	bool has_close;	 /* the connection ends after this message */
	bool has_copy_source;
	int64_t amz_date_s; /* X-Amz-Date, seconds since 1970; 0: none */
};
/* Length of the head (blank line included) at the start of data, 0 when it is not complete yet. */
size_t http1_head_size(const char *data, size_t len);
/* false: not HTTP. A response's framing depends on the request it answers. */
bool http1_request(const char *data, size_t len, struct http1_head *ret);
bool http1_response(const char *data, size_t len, const struct http1_head *request, struct http1_head *ret);
/* What a request asks of S3, as one letter: G get, H head, L list, V list versions, P put, U part, C copy, K part copy,
 * D delete, M delete many, I/F/A begin/complete/abort multipart, p list parts, u list uploads, B list buckets,
 * b anything else about a bucket, O other. */
char http1_op(const char *method, const char *target, bool has_copy_source);

struct http1_chunks {
	enum { CHUNKS_SIZE, CHUNKS_SIZE_END, CHUNKS_DATA, CHUNKS_DATA_END, CHUNKS_TRAILER, CHUNKS_END } state;
	uint64_t left;
	bool is_line_empty;
};
/* Steps over chunk framing, never over data. Returns the bytes used; state DATA with left > 0: data is next. */
size_t http1_chunks_skip(struct http1_chunks *c, const char *data, size_t len);

/* ---- faults.c ---- */

enum fault_kind {
	FAULT_NONE,
	FAULT_STATUS,
	FAULT_RESET_BEFORE,
	FAULT_RESET_MID,
	FAULT_RESET_AFTER,
	FAULT_TRUNCATE,
	FAULT_STALL,
	FAULT_DELAY,
	FAULT_CORRUPT,
	FAULT_CORRUPT_UP,
	FAULT_SKEW,  /* the server's clock is off: what was signed by another is refused */
	FAULT_STRIP, /* conditions do not reach the server */
	FAULT_KINDS,
};
struct fault {
	enum fault_kind kind;
	char op;		      /* '*': any */
	char match[PROXY_TARGET_MAX]; /* "": any target */
	char head[96];		      /* "": any; else the request's head must hold it (case counts) */
	char label[32];		      /* what it is counted under */
	unsigned skip, count;	      /* count 0: without end */
	unsigned permille;	      /* of the requests it applies to, drawn from `random`; 0: all */
	uint64_t random;	      /* its own seeded state */
	int64_t skew_s;
	uint64_t at;		      /* HTTP1_UNKNOWN: the middle */
	uint64_t ms;
	int status;
	int retry_after_s; /* -1: none */
	char code[64], header[256], body[PROXY_BODY_MAX];
};
bool fault_kind_parse(const char *text, enum fault_kind *ret);
bool fault_add(const struct fault *fault); /* false: too many */
void fault_clear(void);
/* The rule that this request falls under; uses up one of its count. NULL: none. Valid until the next call. */
const struct fault *fault_take(const struct http1_head *head, const char *data, size_t len);
/* The clock of the server that the rule plays. */
int64_t fault_clock_s(const struct fault *fault);

struct counters {
	uint64_t ops[128], statuses[1000];
	uint64_t requests, bytes_up, bytes_down; /* bodies */
	uint64_t wire_up, wire_down;		 /* with heads */
	uint64_t connections, faults;
	struct label_count {
		char label[32];
		uint64_t count;
	} by_label[FAULT_LABELS];
	unsigned open;	   /* connections now; not reset */
	unsigned active;   /* requests under way now; not reset */
	unsigned most_active;
};
extern struct counters counters;
void counters_reset(void);
/* Returns where the entry's status can be set later (counters_status). */
uint64_t counters_request(const struct http1_head *head);
void counters_status(uint64_t entry, int status);
/* JSON into memory the caller frees; NULL without memory. */
char *counters_json(void);
char *log_json(void);

/* ---- conn.c ---- */

struct settings {
	uint64_t latency_ns;
	bool hides_server; /* answers do not tell what server it is */
	uint64_t rate; /* bytes a second, connection and direction; 0: no limit */
	uint16_t upstream_port;
	uint32_t upstream_ip; /* network order */
};
extern struct settings settings;

struct conn;
struct conn_end { /* what epoll hands back */
	struct conn *conn; /* NULL: a listening socket */
	int fd;
	uint32_t interest;
	bool has_hung_up; /* out of epoll; read what is left */
};
/* Takes the client's socket over. */
void conn_new(int epoll_fd, int client_fd);
/* Something happened at one end (events of epoll). */
void conn_event(struct conn_end *end, uint32_t events);
/* Wakes those whose time has come; returns when the next one is due (UINT64_MAX: none). */
uint64_t conn_wake_due(uint64_t now_ns);
/* Frees those that ended; only between two batches of events. */
void conn_collect(void);
void conn_reset_all(void);
uint64_t clock_ns(void);

/* ---- proxy.c ---- */
bool proxy_listen(void);   /* again, on the same port */
void proxy_unlisten(void);

/* ---- control.c ---- */
/* Serves one request of a test and closes. */
void control_serve(int fd);
