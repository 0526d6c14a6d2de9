#include "backends/http/observer.h"
#include <stdatomic.h>

static const struct http_observer *_Atomic the_observer;

void http_observe(const struct http_observer *observer)
{
	atomic_store(&the_observer, observer);
}

const struct http_observer *http_observer(void)
{
	return atomic_load_explicit(&the_observer, memory_order_acquire);
}
