#pragma once
/*
 * Purpose: what the control plane knows of a provider: a connection, and for each kind of resource a table of what it
 *	can do.
 *
 * A *driver* is a row: how a connection is configured and opened, and its tables, one per interface (compute.h,
 * dns.h, ...; NULL: the provider has nothing of the kind). A table has one slot per operation; an empty slot is an
 * operation the provider does not have. A slot holds a function, or only a row (rest.h) where one call of a REST
 * service is all there is to it.
 * Invariants: a slot runs only with parameters that fit the operation's row in control's table: they need no second
 *	check of type or bound, but are still the user's text (encode them into paths).
 * Ownership: a cloud is opened by its driver and freed with cloud_free; a call belongs to the caller and borrows all.
 * Threads: a cloud serves many calls at once, from any thread; slots may block on the network.
 * Errors: a slot gives back one error fit for the user, with service_code and request_id where the provider sent them.
 */
#include "backends/base/cancel.h"
#include "backends/base/settings.h"
#include "backends/cloud/record.h"

struct cloud_call;
struct rest_row;
struct service;
struct service_answer;

/* A slot's function: *ret is an array of records for a list, a record for one thing, or stays NULL when there is
 * nothing to tell. */
typedef int cloud_fn(struct cloud_call *call, struct json_object **ret, struct error *err);
struct cloud_slot {
	cloud_fn *run;
	const struct rest_row *row;
};

enum cloud_interface {
	CLOUD_NO_INTERFACE,
	CLOUD_COMPUTE,
	CLOUD_DNS,
	CLOUD_VOLUMES,
	CLOUD_NETWORK,
	CLOUD_IDENTITY,
	CLOUD_FUNCTIONS,
	CLOUD_STACKS,
	CLOUD_DATABASES,
	CLOUD_METERING,
	CLOUD_INTERFACES
};
/* "compute", as `skydir capabilities` shows it. */
const char *cloud_interface_name(enum cloud_interface interface);

struct cloud {
	const struct cloud_driver *driver;
	char *name;	/* what --provider says: the section's name, or the driver's type */
	char *region;	/* NULL: the provider's own default, or none */
};

/* What a section says, and what the command line puts over it. Borrowed. */
struct cloud_settings {
	const char *name;
	const struct provider_value *values;
	size_t count;
	const char *profile, *region; /* NULL: not given */
};
/* The value of an option that was given with text in it, else NULL; borrowed. */
const char *cloud_setting(const struct cloud_settings *s, const char *key);
/* A copy of the option, else of the variable, else of the fallback: heap; NULL stays NULL. */
int cloud_setting_or(const struct backend_context *context, const struct cloud_settings *s, const char *key,
		     const char *variable, const char *fallback, char **ret, struct error *err) MUST_CHECK;
/* yes or no, a number of requests a second: *ret stays as it is when the option was not given. */
int cloud_setting_flag(const struct cloud_settings *s, const char *key, bool *ret, struct error *err) MUST_CHECK;
int cloud_setting_rate(const struct cloud_settings *s, const char *key, double *ret, struct error *err) MUST_CHECK;

struct cloud_driver {
	const char *type;    /* "aws", "gcp", "azure", "openstack", "infomaniak", "coda" */
	const char *summary; /* "Amazon Web Services" */
	const struct provider_option *options; /* ended by key NULL */
	/* Whether the standard means (environment, files) hold credentials; no network. */
	bool (*is_configured)(const struct backend_context *context);
	/* No network: credentials are fetched by the first call. */
	int (*open)(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		    struct error *err);
	void (*free)(struct cloud *cloud);
	/* The service a rest_row names; ERR_UNSUPPORTED when there is none. May fetch a token or a catalogue. */
	int (*service)(struct cloud_call *call, const char *name, const struct service **ret, struct error *err);
	/* What {name} in a row's path stands for when no parameter has that name ("project"): 0 with *ret a heap string,
	 * or an error that says where to set it. NULL: there are none. */
	int (*variable)(struct cloud_call *call, const char *name, char **ret, struct error *err);
	/* Waits for what a change began (rest_row.is_later); *answer: the change's own, and at the end what it came to. */
	int (*settle)(struct cloud_call *call, const struct service *service, struct service_answer *answer,
		      struct error *err);
	const void *interfaces[CLOUD_INTERFACES]; /* struct compute_ops and so on, by enum cloud_interface */
};

struct cloud_call {
	struct cloud *cloud;
	const char *operation;		/* "instances.list", for counters and messages; static */
	const struct record_shape *shape; /* of the result; NULL: it is passed on as it came */
	struct json_object *params;	/* an object, never NULL */
	struct cancel *cancel;		/* may be NULL */
	uint64_t deadline_mono_ms;	/* of each request; 0: none */
	/* Of waiting for what was begun (cloud_sleep), by --timeout; no request is broken off for it. 0: none. */
	uint64_t wait_until_mono_ms;
	uint64_t limit;			/* most items of a list that are wanted; 0: all */
	unsigned page_size;		/* 0: what suits the service */
	bool wants_raw;
	/* Set for a dry run: an array to which requests that would change something are added instead of being sent.
	 * The slot then sees ERR_CANCELLED and passes it on; is_planned says why. */
	struct json_object *plan;
	bool is_planned;
	/* What rest_page.tail names, of the last page that was read; the caller's to put. */
	struct json_object *tail;
	/* One line on how far a long operation is; may be NULL. */
	void (*progress)(void *arg, const char *text);
	void *progress_arg;
	/* One line that the user must see, whatever becomes of the call; may be NULL. Of progress_arg. */
	void (*tell)(void *arg, const char *text);
};
#define CLOUD_CALL_INIT ((struct cloud_call){ .cloud = NULL })

/* The parameters, by name; NULL or the fallback when they were not given. Strings are borrowed. */
const char *cloud_param(const struct cloud_call *call, const char *name);
int64_t cloud_param_int(const struct cloud_call *call, const char *name, int64_t fallback);
bool cloud_param_bool(const struct cloud_call *call, const char *name, bool fallback);
struct json_object *cloud_param_json(const struct cloud_call *call, const char *name); /* borrowed */
void cloud_progress(const struct cloud_call *call, const char *format, ...) PRINTF(2, 3);
/* One record of the call's shape. */
int cloud_record(const struct cloud_call *call, const struct record_source *map, struct json_object *theirs,
		 struct json_object **ret, struct error *err) MUST_CHECK;
/* Adds one to a list (made when *list is NULL); 1 when the call's limit is reached with it, so that a driver's loop can
 * end. */
int cloud_list_add(const struct cloud_call *call, const struct record_source *map, struct json_object *theirs,
		   struct json_object **list, struct error *err) MUST_CHECK;

/* The slot at that offset of the driver's table, or NULL when the provider does not have the operation. */
const struct cloud_slot *cloud_slot(const struct cloud_driver *driver, enum cloud_interface interface, size_t offset);
/* Runs a slot: its function or its row. */
int cloud_run(struct cloud_call *call, const struct cloud_slot *slot, struct json_object **ret,
	      struct error *err) MUST_CHECK;
void cloud_free(struct cloud *cloud); /* NULL is fine */

/* A random UUID, by which a service knows that two requests are one and the same. */
#define CLOUD_TOKEN_LEN 36
void cloud_token(char ret[CLOUD_TOKEN_LEN + 1]);

/* Waits ms, or until the call is cancelled (ERR_CANCELLED) or out of time (ERR_WAIT_OVER). */
int cloud_sleep(const struct cloud_call *call, uint64_t ms, struct error *err) MUST_CHECK;
