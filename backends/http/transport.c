#include "backends/http/transport.h"
#include "backends/base/clock.h"
#include "backends/http/gather.h"
#include "backends/http/wire.h"
#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define IDLE_WIRES_MAX	64
#define EVENTS_PER_WAIT 64

struct transport {
	struct transport_options options;
	CURLM *multi;
	CURLSH *share; /* TLS sessions; connections and addresses are the multi's */
	int epoll_fd, wake_fd;
	uint64_t curl_due_ms; /* when curl wants to be called; UINT64_MAX: not */
	struct wire *idle;
	unsigned idle_count;
	struct gather gather;
};

static void global_init(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT); /* failure shows as curl_multi_init's */
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct transport *t = arg;
	struct epoll_event event = { .data.fd = fd };
	char *private = NULL;

	if (what == CURL_POLL_REMOVE) {
		/* closed already: gone as well */
		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		(void)curl_multi_assign(t->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	/* A socket that cannot be watched ends by the time limit of its transfer. */
	if (!known && epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		(void)curl_multi_assign(t->multi, fd, t);
	else
		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	if (easy && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) == CURLE_OK && private)
		((struct wire *)(void *)private)->socket = fd;
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct transport *t = arg;

	(void)multi;
	t->curl_due_ms = timeout_ms < 0 ? UINT64_MAX : clock_mono_ms() + (uint64_t)timeout_ms;
	return 0;
}

static bool set_up_curl(struct transport *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, global_init);
	t->multi = curl_multi_init();
	t->share = curl_share_init();
	if (!t->multi || !t->share)
		return false;
	return curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) ==
		       CURLSHE_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t) == CURLM_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t) == CURLM_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ==
		       CURLM_OK &&
	       curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS,
				 (long)t->options.max_kept_connections) == CURLM_OK;
}

int transport_new(const struct transport_options *options, struct transport **ret,
		  struct error *err)
{
	struct transport *t = calloc(1, sizeof(*t));
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (!t)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	t->options = *options;
	t->curl_due_ms = UINT64_MAX;
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = t->wake_fd;
	if (t->epoll_fd < 0 || t->wake_fd < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &event) < 0)
		r = error_errno(err, errno, "cannot set up the event loop");
	else if (!set_up_curl(t))
		r = error_set(err, ERR_NO_MEMORY, "cannot set up libcurl");
	else
		r = 0;
	if (r < 0) {
		transport_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	while (t->idle) {
		struct wire *w = t->idle;
		t->idle = w->next;
		wire_free(w);
	}
	if (t->multi)
		(void)curl_multi_cleanup(t->multi);
	if (t->share)
		(void)curl_share_cleanup(t->share);
	closep(&t->epoll_fd);
	closep(&t->wake_fd);
	gather_release(&t->gather);
	free(t);
}

static void give_back(struct transport *t, struct wire *w)
{
	if (t->idle_count >= IDLE_WIRES_MAX) {
		wire_free(w);
		return;
	}
	w->next = t->idle;
	t->idle = w;
	t->idle_count++;
}

int transport_start(struct transport *t, struct attempt *a, struct error *err)
{
	struct wire *w = t->idle;
	int r;

	if (w) {
		t->idle = w->next;
		t->idle_count--;
	} else {
		w = wire_new(&t->options, t->share);
		if (!w)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	a->gather = &t->gather;
	r = wire_prepare(w, a, err);
	if (r == 0 && curl_multi_add_handle(t->multi, w->easy) != CURLM_OK)
		r = error_set(err, ERR_NO_MEMORY, "libcurl took no more transfers");
	if (r < 0) {
		a->wire = NULL;
		w->attempt = NULL;
		give_back(t, w);
	}
	return r;
}

void transport_abort(struct transport *t, struct attempt *a)
{
	struct wire *w = a->wire;

	if (!w)
		return;
	assert(t->gather.owner != a);
	(void)curl_multi_remove_handle(t->multi, w->easy);
	wire_detach(w);
	give_back(t, w);
}

uint64_t transport_moved(const struct attempt *a)
{
	return a->wire ? wire_moved(a->wire) : 0;
}

/* on_done may start other attempts, so each is taken out before it is reported. */
static void report_finished(struct transport *t)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(t->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
		struct wire *w = (struct wire *)(void *)private;
		struct attempt *a = w->attempt;
		(void)curl_multi_remove_handle(t->multi, easy);
		wire_settle(w, (int)code);
		give_back(t, w);
		t->options.on_done(a);
	}
}

static int wait_ms(const struct transport *t, int timeout_ms)
{
	uint64_t now_ms = clock_mono_ms(), until_curl_ms;

	if (t->curl_due_ms == UINT64_MAX)
		return timeout_ms;
	until_curl_ms = t->curl_due_ms > now_ms ? t->curl_due_ms - now_ms : 0;
	if (timeout_ms >= 0 && (uint64_t)timeout_ms <= until_curl_ms)
		return timeout_ms;
	return until_curl_ms > INT32_MAX ? INT32_MAX : (int)until_curl_ms;
}

void transport_run(struct transport *t, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n = epoll_wait(t->epoll_fd, events, EVENTS_PER_WAIT, wait_ms(t, timeout_ms));
	int running = 0;

	for (int i = 0; i < n; i++) {
		int what = 0;
		uint64_t count;
		if (events[i].data.fd == t->wake_fd) {
			(void)!read(t->wake_fd, &count, sizeof(count)); /* only resets it */
			continue;
		}
		/* An error is found, with its name, by the read or write that meets it. */
		if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			what |= CURL_CSELECT_OUT;
		(void)curl_multi_socket_action(t->multi, events[i].data.fd, what, &running);
		gather_flush(&t->gather);
	}
	if (t->curl_due_ms <= clock_mono_ms()) {
		t->curl_due_ms = UINT64_MAX;
		(void)curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		gather_flush(&t->gather);
	}
	report_finished(t);
}

void transport_wake(struct transport *t)
{
	uint64_t one = 1;

	(void)!write(t->wake_fd, &one, sizeof(one)); /* full: it is awake anyway */
}
