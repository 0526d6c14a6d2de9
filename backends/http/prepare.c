/* Credentials that must be fetched: the fetch blocks, so it runs on a worker; once per signer,
 * however many calls need it. */
#include "backends/http/call.h"
#include <utlist.h>

static void end(struct preparation *p, int result)
{
	struct http_engine *e = p->engine;
	LOCKED(&e->lock);

	p->result = result;
	p->is_ended = true;
	cond_broadcast(&e->preparation_ended);
	engine_wake_locked(e);
}

static void run(struct job *job)
{
	struct preparation *p = container_of(job, struct preparation, job);

	end(p, p->signer->ops->prepare(p->signer, &p->err));
}

static void drop(struct job *job)
{
	struct preparation *p = container_of(job, struct preparation, job);

	end(p, error_set(&p->err, ERR_CANCELLED, "the engine stops"));
}

static struct preparation *find(struct http_engine *e, const struct signer *signer)
{
	LOCKED(&e->lock);
	struct preparation *p;

	DL_FOREACH(e->preparations, p)
		if (p->signer == signer)
			return p;
	return NULL;
}

void prepare_join(struct call *c)
{
	struct http_engine *e = c->engine;
	struct preparation *p = find(e, c->request->signer);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p) {
			call_give_up(c, ERR_NO_MEMORY, "out of memory");
			return;
		}
		p->job.run = run;
		p->job.drop = drop;
		p->engine = e;
		p->signer = c->request->signer;
		lock_take(&e->lock);
		DL_APPEND(e->preparations, p);
		lock_drop(&e->lock);
		workers_submit(e->workers, &p->job);
	}
	c->state = CALL_PREPARING;
	c->preparation = p;
	DL_APPEND(p->waiting, c);
}

void prepare_leave(struct call *c)
{
	DL_DELETE(c->preparation->waiting, c);
	c->preparation = NULL;
}

static struct preparation *take_ended(struct http_engine *e)
{
	LOCKED(&e->lock);
	struct preparation *p;

	DL_FOREACH(e->preparations, p) {
		if (p->is_ended) {
			DL_DELETE(e->preparations, p);
			return p;
		}
	}
	return NULL;
}

void prepare_deliver(struct http_engine *e)
{
	struct preparation *p;

	while ((p = take_ended(e))) {
		while (p->waiting) {
			struct call *c = p->waiting;
			prepare_leave(c);
			call_prepared(c, p->result, &p->err);
		}
		free(p);
	}
}
