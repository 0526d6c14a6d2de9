/* Slots per host: so many connections and no more, the rest waits in order of arrival. curl has
 * such a limit too, but runs its clocks while a transfer waits there, and looks through all that
 * wait. */
#include "backends/http/call.h"
#include <utlist.h>

#define HOSTS_KEPT 256 /* beyond that, those nobody uses are forgotten */

static void host_free(struct http_engine *e, struct host *h)
{
	HASH_DEL(e->hosts, h);
	free(h->key);
	free(h);
}

static void forget_idle_hosts(struct http_engine *e)
{
	struct host *h, *next;

	if (HASH_COUNT(e->hosts) < HOSTS_KEPT)
		return;
	HASH_ITER(hh, e->hosts, h, next)
		if (h->users == 0)
			host_free(e, h);
}

int host_attach(struct call *c, struct error *err)
{
	struct http_engine *e = c->engine;
	CLEANUP(freep) char *key = str_format("%s://%s", c->request->scheme, c->request->authority);
	struct host *h = NULL;

	if (!key)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	HASH_FIND_STR(e->hosts, key, h);
	if (!h) {
		forget_idle_hosts(e);
		h = calloc(1, sizeof(*h));
		if (!h)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		h->key = steal(key);
		h->budget = (struct retry_budget)RETRY_BUDGET_INIT;
		HASH_ADD_KEYPTR(hh, e->hosts, h->key, strlen(h->key), h);
	}
	h->users++;
	c->host = h;
	return 0;
}

void host_detach(struct call *c)
{
	if (!c->host)
		return;
	c->host->users--;
	c->host = NULL;
}

/* A call that fails on the spot gives its slot back from within call_run: the loop goes on, nothing
 * nests. */
static void pump(struct http_engine *e, struct host *h)
{
	if (h->is_pumping || e->is_ending)
		return;
	h->is_pumping = true;
	h->users++;
	while (h->waiting && h->active < e->options.max_connections_per_host) {
		struct call *c = h->waiting;
		DL_DELETE(h->waiting, c);
		h->active++;
		c->has_slot = true;
		call_run(c);
	}
	h->users--;
	h->is_pumping = false;
}

void host_enter(struct call *c)
{
	struct host *h = c->host;

	DL_APPEND(h->waiting, c);
	pump(c->engine, h);
}

void host_leave(struct call *c)
{
	struct host *h = c->host;

	if (c->has_slot) {
		c->has_slot = false;
		h->active--;
		pump(c->engine, h);
	} else if (c->state == CALL_HOST_WAIT) {
		DL_DELETE(h->waiting, c);
	}
}

void hosts_free(struct http_engine *e)
{
	struct host *h, *next;

	HASH_ITER(hh, e->hosts, h, next)
		host_free(e, h);
}
