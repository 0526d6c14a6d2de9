#include "backends/openstack/openstack.h"

#include "backends/base/xml_json.h"

#include <ctype.h>

/* The services that rows name: the types of the catalogue, and what follows the catalogue's address. */
static const struct {
	const char *name, *types, *suffix, *label, *microversion;
} service_rows[] = {
	/* 2.47: the flavor stands in the server's own record, and keypairs can still be made by the service. */
	{ "compute", "compute", "", "openstack-compute", "compute 2.47" },
	{ "dns", "dns", "/v2", "openstack-dns", NULL },
	{ "image", "image", "/v2", "openstack-image", NULL },
	{ "network", "network", "/v2.0", "openstack-network", NULL },
	{ "load-balancer", "load-balancer", "/v2", "openstack-load-balancer", NULL },
	{ "volume", "block-storage|volumev3|block-store", "", "openstack-volume", "volume 3.50" },
	{ "stack", "orchestration", "", "openstack-stack", NULL },
	{ "identity", NULL, "", "openstack-identity", NULL },
	{ "object-store", "object-store", "", "openstack-object-store", NULL },
	{ "metric", "metric", "/v1", "openstack-metric", NULL },
	{ "rating", "rating", "/v2", "openstack-rating", NULL },
};

struct made_service {
	struct service service;
	char *url;
	struct http_field headers[2];
};
struct openstack_services {
	struct lock lock;
	struct made_service *made[ARRAY_SIZE(service_rows)]; /* guarded by lock; immutable once there */
};

const struct provider_option openstack_option_rows[] = {
	OPENSTACK_OPTION_ROWS,
	{ NULL, NULL, false },
};

int openstack_read_option(const struct provider_value *v, struct keystone_options *o, double *rate, bool *ret_is_known,
			  struct error *err)
{
	const struct setting_text texts[] = {
		{ "cloud", &o->cloud },
		{ "auth-url", &o->auth_url },
		{ "region", &o->region },
		{ "interface", &o->interface },
		{ "username", &o->username },
		{ "user-id", &o->user_id },
		{ "user-domain-name", &o->user_domain_name },
		{ "user-domain-id", &o->user_domain_id },
		{ "project-name", &o->project_name },
		{ "project-id", &o->project_id },
		{ "project-domain-name", &o->project_domain_name },
		{ "project-domain-id", &o->project_domain_id },
		{ "application-credential-id", &o->application_credential_id },
		{ "application-credential-name", &o->application_credential_name },
		{ "application-credential-secret", &o->application_credential_secret },
		{ "password", &o->password },
		{ "token", &o->token },
	};

	*ret_is_known = true;
	if (setting_text(v, texts, ARRAY_SIZE(texts)))
		return 0;
	if (!strcmp(v->key, "allow-http"))
		return setting_flag(v, &o->is_http_allowed, err);
	if (!strcmp(v->key, "rate-limit"))
		return setting_rate(v, rate, err);
	*ret_is_known = false;
	return 0;
}

bool openstack_is_configured(enum keystone_flavour flavour, const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return keystone_is_configured(&host, &(struct keystone_options){ .flavour = flavour });
}

static struct openstack_services *services_new(void)
{
	struct openstack_services *s = calloc(1, sizeof *s);

	if (s)
		lock_init(&s->lock);
	return s;
}

static void services_free(struct openstack_services *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(s->made); i++) {
		if (s->made[i])
			free(s->made[i]->url);
		free(s->made[i]);
	}
	lock_destroy(&s->lock);
	free(s);
}

void openstack_free(struct cloud *cloud)
{
	struct openstack *o = container_of(cloud, struct openstack, base);

	http_engine_free_signer(o->engine, o->signer);
	keystone_free(o->keystone);
	services_free(o->services);
	free(o->base.name);
	free(o->base.region);
	lock_destroy(&o->ratelimit.lock);
	free(o);
}

int openstack_open(const struct cloud_driver *driver, enum keystone_flavour flavour,
		   const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		   struct error *err)
{
	static const struct sign_bearer_options header = { .header = "X-Auth-Token", .prefix = "" };
	struct keystone_options options = { .flavour = flavour };
	struct cred_host host = cred_host_of(context);
	struct openstack *o = calloc(1, sizeof *o);
	double rate = 20;
	bool is_known;
	int r = o ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		return r;
	ratelimit_init(&o->ratelimit, rate, 2 * rate);
	for (size_t i = 0; i < settings->count && r == 0; i++)
		r = openstack_read_option(&settings->values[i], &options, &rate, &is_known, err);
	lock_destroy(&o->ratelimit.lock);
	ratelimit_init(&o->ratelimit, rate, 2 * rate);
	if (settings->profile)
		options.cloud = settings->profile;
	if (settings->region)
		options.region = settings->region;
	o->base = (struct cloud){ .driver = driver, .name = strdup(settings->name) };
	o->engine = context->engine;
	o->services = services_new();
	if (r == 0 && (!o->base.name || !o->services))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = keystone_new(&host, &options, &o->keystone, err);
	if (r == 0)
		r = sign_bearer_new(keystone_tokens(o->keystone), &header, &o->signer, err);
	if (r < 0) {
		openstack_free(&o->base);
		return r;
	}
	*ret = &o->base;
	return 0;
}

/* ---- services ---- */

/* Neutron: {"NeutronError": {type, message}}; a Designate 404 says nothing of use. */
static void refine(const struct http_response *response, struct error *err)
{
	if (response->status == 413 || response->status == 429)
		err->kind = ERR_THROTTLED;
	if ((response->status == 403 || response->status == 413) && strstr(err->message, "uota")) /* Cinder: 413 */
		err->kind = ERR_QUOTA;
}

/* "https://host/v2.1/PROJECT" has its version; "https://host:9001" gets it. */
static char *service_url(const char *url, const char *suffix)
{
	struct str s = str_of(url);

	if (*suffix && (str_ends(s, suffix) || (str_ends(s, "/v2") && !strcmp(suffix, "/v2.0"))))
		return strdup(url);
	return str_format("%s%s", url, suffix);
}

static int make_service(struct openstack *o, size_t row, struct made_service **ret, struct error *err)
{
	CLEANUP(freep) struct made_service *m = calloc(1, sizeof *m);
	CLEANUP(freep) char *url = NULL;
	int r = 0;

	if (!m)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (service_rows[row].types)
		r = keystone_endpoint(o->keystone, service_rows[row].types, NULL, &url, err);
	if (r < 0)
		return r;
	m->url = service_url(url ? url : keystone_url(o->keystone), service_rows[row].suffix);
	if (!m->url)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	m->service = (struct service){
		.engine = o->engine,
		.label = service_rows[row].label,
		.base_url = m->url,
		.signer = o->signer,
		.ratelimit = &o->ratelimit,
		.refine = refine,
	};
	if (service_rows[row].microversion) {
		m->headers[0] = (struct http_field){ (char *)(uintptr_t)"OpenStack-API-Version",
						     (char *)(uintptr_t)service_rows[row].microversion };
		m->service.headers = m->headers;
	}
	*ret = steal(m);
	return 0;
}

int openstack_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	struct openstack *o = openstack_of(call);
	struct made_service *made = NULL;
	size_t row = 0;
	int r;

	while (row < ARRAY_SIZE(service_rows) && strcmp(service_rows[row].name, name) != 0)
		row++;
	if (row == ARRAY_SIZE(service_rows))
		return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
	{
		LOCKED(&o->services->lock);
		made = o->services->made[row];
	}
	if (!made) { /* without the lock: it may sign in. Two at once make two, and one is kept. */
		struct made_service *own = NULL;

		r = make_service(o, row, &own, err);
		if (r < 0)
			return r;
		LOCKED(&o->services->lock);
		made = o->services->made[row];
		if (made) {
			free(own->url);
			free(own);
		} else {
			made = o->services->made[row] = own;
		}
	}
	*ret = &made->service;
	return 0;
}

int openstack_variable(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	struct openstack *o = openstack_of(call);

	if (!strcmp(name, "own_project"))
		return keystone_project(o->keystone, ret, err);
	if (!strcmp(name, "own_user"))
		return keystone_user(o->keystone, ret, err);
	return error_set(err, ERR_INVALID, "parameter '%s' is missing", name);
}

/* ---- asking ---- */

int openstack_ask(struct cloud_call *call, const char *service_name, enum http_method method, const char *path,
		  struct json_object *body, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const struct service *service = NULL;
	int r;

	request.json = body;
	r = openstack_service(call, service_name, &service, err);
	if (r < 0)
		return r;
	request.method = method;
	request.path = path;
	r = service_json(call, service, &request, &answer, err);
	if (r == 0 && ret)
		*ret = steal(answer);
	return r;
}

bool openstack_is_id(const char *text)
{
	size_t digits = 0;

	for (; *text; text++) {
		if (!isxdigit((unsigned char)*text) && *text != '-')
			return false;
		digits += *text != '-';
	}
	return digits == 32;
}
