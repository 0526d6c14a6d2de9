/*
 * Virtual machines by Azure.
 *
 * stop takes the machine off its host (deallocates), so that it costs nothing, as the portal does. A list of machines
 * tells neither their state nor their addresses: those come from three more lists, whatever the number of machines.
 *
 * Source: learn.microsoft.com/rest/api/compute/virtual-machines, /azure/virtual-machines/states-billing (read 2026-11).
 */
#include "backends/azure/cloud_azure.h"

#include "backends/http/url.h"

#include <ctype.h>
#include <strings.h>

/* ---- records: {vm, power, addresses} ---- */

static const struct record_word power_states[] = {
	{ "starting", "creating" },	{ "running", "running" }, { "stopping", "stopping" },
	{ "deallocating", "stopping" }, { "stopped", "stopped" }, { "deallocated", "stopped" },
	{ NULL, NULL },
};

static const char *power_of(struct json_object *o)
{
	struct json_object *statuses = json_get_array(o, "properties.instanceView.statuses");

	for (size_t i = 0; statuses && i < json_object_array_length(statuses); i++) {
		const char *code = json_get_string(json_object_array_get_idx(statuses, i), "code");

		if (code && !strncmp(code, "PowerState/", 11))
			return code + 11;
	}
	return NULL;
}

static struct json_object *make_status(struct json_object *o)
{
	const char *made = json_get_string(o, "vm.properties.provisioningState"), *power = json_get_string(o, "power");

	if (made && !strcasecmp(made, "Deleting"))
		return json_object_new_string("deleting");
	for (const struct record_word *w = power_states; power && w->theirs; w++)
		if (!strcasecmp(w->theirs, power))
			return json_object_new_string(w->ours);
	if (made && !strcasecmp(made, "Creating"))
		return json_object_new_string("creating");
	return json_object_new_string(made && !strcasecmp(made, "Failed") ? "error" : "unknown");
}

static struct json_object *make_image(struct json_object *o)
{
	struct json_object *image = json_get(o, "vm.properties.storageProfile.imageReference");
	const char *id = json_get_string(image, "id"), *publisher = json_get_string(image, "publisher");
	CLEANUP(freep) char *urn = NULL;

	if (id || !publisher)
		return id ? json_object_new_string(id) : NULL;
	urn = str_format("%s:%s:%s:%s", publisher, json_get_string(image, "offer"), json_get_string(image, "sku"),
			 json_get_string(image, "version"));
	return urn ? json_object_new_string(urn) : NULL;
}

/* "westeurope-1", as zones.list names it; without a zone the location. */
static struct json_object *make_zone(struct json_object *o)
{
	const char *location = json_get_string(o, "vm.location"), *zone = json_get_string(o, "vm.zones.0");
	CLEANUP(freep) char *name = location && zone ? str_format("%s-%s", location, zone) : NULL;

	return name ? json_object_new_string(name) : location ? json_object_new_string(location) : NULL;
}

static const struct record_source instance_map[] = {
	{ "id", "vm.id", NULL, NULL },
	{ "name", "vm.name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "power|vm.properties.provisioningState", NULL, NULL },
	{ "flavor", "vm.properties.hardwareProfile.vmSize", NULL, NULL },
	{ "image", "", NULL, make_image },
	{ "zone", "", NULL, make_zone },
	{ "addresses", "addresses", NULL, NULL },
	{ "created", "vm.properties.timeCreated", NULL, NULL },
	{ "tags", "vm.tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- addresses ---- */

/* Identifiers are compared without case: the service is not of one mind about it. */
static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static struct json_object *map_get(struct json_object *map, const char *id)
{
	CLEANUP(freep) char *key = id ? strdup(id) : NULL;
	struct json_object *value = NULL;

	if (!key)
		return NULL;
	lower(key);
	(void)json_object_object_get_ex(map, key, &value); /* absent: NULL */
	return value;
}

/* Takes value. */
static int map_put(struct json_object *map, const char *id, struct json_object *value, struct error *err)
{
	CLEANUP(freep) char *key = strdup(id);

	if (!key || !value) {
		json_object_put(value);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	lower(key);
	return json_object_object_add(map, key, value) == 0 ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int note_public(void *arg, struct json_object *item, struct error *err)
{
	const char *id = json_get_string(item, "id"), *address = json_get_string(item, "properties.ipAddress");

	return id && address ? map_put(arg, id, json_object_new_string(address), err) : 0;
}

/* The addresses of a port: private ones, then public ones. publics: by identifier, or NULL where they are expanded. */
static void add_port(struct json_object *port, struct json_object *publics, struct json_object *list)
{
	struct json_object *all = json_get_array(port, "properties.ipConfigurations");

	for (int is_public = 0; is_public < 2; is_public++)
		for (size_t i = 0; all && i < json_object_array_length(all); i++) {
			struct json_object *one = json_object_array_get_idx(all, i), *outer;
			const char *address = json_get_string(one, "properties.privateIPAddress");

			if (is_public) {
				address = json_get_string(one, "properties.publicIPAddress.properties.ipAddress");
				outer = publics ? map_get(publics, json_get_string(one, "properties.publicIPAddress.id")) : NULL;
				address = outer ? json_object_get_string(outer) : address;
			}
			if (address)
				json_object_array_add(list, json_object_new_string(address));
		}
}

struct ports {
	struct json_object *publics, *by_vm;
};

static int note_port(void *arg, struct json_object *item, struct error *err)
{
	struct ports *p = arg;
	const char *vm = json_get_string(item, "properties.virtualMachine.id");
	struct json_object *list = vm ? map_get(p->by_vm, vm) : NULL;
	int r = 0;

	if (!vm)
		return 0;
	if (!list) {
		list = json_object_new_array();
		r = map_put(p->by_vm, vm, list, err);
	}
	if (r == 0)
		add_port(item, p->publics, list);
	return r;
}

static int note_power(void *arg, struct json_object *item, struct error *err)
{
	const char *id = json_get_string(item, "id"), *power = power_of(item);

	return id && power ? map_put(arg, id, json_object_new_string(power), err) : 0;
}

/* ---- lists ---- */

struct listing {
	struct cloud_call *call;
	struct json_object *powers, *addresses, *list;
};

static int take(void *arg, struct json_object *vm, struct error *err)
{
	struct listing *l = arg;
	const char *id = json_get_string(vm, "id");
	CLEANUP(json_putp) struct json_object *whole = json_object_new_object();

	if (!whole)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(whole, "vm", json_object_get(vm));
	json_object_object_add(whole, "power", json_object_get(map_get(l->powers, id)));
	json_object_object_add(whole, "addresses", json_object_get(map_get(l->addresses, id)));
	return cloud_list_add(l->call, instance_map, whole, &l->list, err);
}

static int all_of(struct cloud_call *call, const char *provider, const char *kind, const char *api, const char *name,
		  rest_each_fn *each, void *arg, struct error *err)
{
	const char *pieces[] = { "providers", provider, kind, NULL };
	CLEANUP(freep) char *path = NULL;
	int r = arm_path(call, NULL, pieces, &path, err);

	return r < 0 ? r : arm_pages(call, path, api, name, name ? "true" : NULL, each, arg, err);
}

static int instances_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *powers = json_object_new_object();
	CLEANUP(json_putp) struct json_object *publics = json_object_new_object();
	CLEANUP(json_putp) struct json_object *addresses = json_object_new_object();
	struct listing l = { call, powers, addresses, json_object_new_array() };
	struct ports ports = { publics, addresses };
	int r = powers && publics && addresses && l.list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = all_of(call, "Microsoft.Compute", "virtualMachines", ARM_COMPUTE, "statusOnly", note_power, powers, err);
	if (r == 0)
		r = all_of(call, "Microsoft.Network", "publicIPAddresses", ARM_NETWORK, NULL, note_public, publics, err);
	if (r == 0)
		r = all_of(call, "Microsoft.Network", "networkInterfaces", ARM_NETWORK, NULL, note_port, &ports, err);
	if (r == 0)
		r = all_of(call, "Microsoft.Compute", "virtualMachines", ARM_COMPUTE, NULL, take, &l, err);
	if (r < 0) {
		json_object_put(l.list);
		return r;
	}
	*ret = l.list;
	return 0;
}

/* ---- one of them ---- */

/* The path of the machine that the call names: by its identifier, GROUP/NAME, or a name that only one has. */
static int vm_path(struct cloud_call *call, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	const char *given = cloud_param(call, "instance"), *slash = strchr(given, '/');

	if (*given != '/' && slash) {
		CLEANUP(freep) char *group = str_dup((struct str){ given, (size_t)(slash - given) });
		const char *pieces[] = { "providers", "Microsoft.Compute", "virtualMachines", slash + 1, NULL };

		return group ? arm_path(call, group, pieces, ret, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (*given != '/') {
		int r = azvm_find(call, "virtualMachines", "instance", given, &found, err);

		if (r < 0)
			return r;
		given = json_get_string(found, "id");
	} else if (!strcasestr(given, "/providers/Microsoft.Compute/virtualMachines/")) {
		return error_set(err, ERR_INVALID, "'%.200s' is no instance's identifier", given);
	}
	return given ? arm_id_path(given, ret, err) : error_set(err, ERR_PROTOCOL, "Azure tells of a machine without id");
}

static int read_ports(struct cloud_call *call, struct json_object *vm, struct json_object *list, struct error *err)
{
	struct json_object *ports = json_get_array(vm, "properties.networkProfile.networkInterfaces");
	int r = 0;

	for (size_t i = 0; r == 0 && ports && i < json_object_array_length(ports); i++) {
		const char *id = json_get_string(json_object_array_get_idx(ports, i), "id");
		CLEANUP(json_putp) struct json_object *port = NULL;
		CLEANUP(freep) char *path = NULL;

		if (!id)
			continue;
		r = arm_id_path(id, &path, err);
		if (r == 0)
			r = arm_get(call, path, ARM_NETWORK, "ipConfigurations/publicIPAddress", &port, err);
		if (r < 0 && err->kind == ERR_NOT_FOUND) { /* it goes with the machine */
			*err = ERROR_INIT;
			r = 0;
		}
		add_port(port, NULL, list);
	}
	return r;
}

int azvm_show(struct cloud_call *call, const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *vm = NULL;
	CLEANUP(json_putp) struct json_object *whole = json_object_new_object();
	struct json_object *addresses = json_object_new_array();
	const char *power;
	int r = whole && addresses ? arm_get(call, path, ARM_COMPUTE, "instanceView", &vm, err) :
				     error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = read_ports(call, vm, addresses, err);
	if (r < 0) {
		json_object_put(addresses);
		return r;
	}
	power = power_of(vm);
	json_object_object_add(whole, "addresses", addresses);
	json_object_object_add(whole, "vm", json_object_get(vm));
	json_object_object_add(whole, "power", power ? json_object_new_string(power) : NULL);
	return cloud_record(call, instance_map, whole, ret, err);
}

static int instances_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = vm_path(call, &path, err);

	return r < 0 ? r : azvm_show(call, path, ret, err);
}

/* ---- changes ---- */

static int post(struct cloud_call *call, const char *path, const char *verb, const char *name, struct error *err)
{
	CLEANUP(freep) char *action = str_format("%s/%s", path, verb);
	const struct arm_change change = { HTTP_POST, action, ARM_COMPUTE, name, name ? "true" : NULL, false };

	return action ? arm_change(call, &change, NULL, NULL, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int act(struct cloud_call *call, const char *verb, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = vm_path(call, &path, err);

	if (r == 0)
		r = post(call, path, verb, NULL, err);
	return r < 0 ? r : azvm_show(call, path, ret, err);
}

static int instances_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "start", ret, err);
}

static int instances_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "deallocate", ret, err);
}

/* Hard: the power is cut without asking the system, then it starts on the same host again. */
static int instances_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *mode = cloud_param(call, "mode");
	CLEANUP(freep) char *path = NULL;
	int r;

	if (!mode || strcmp(mode, "hard") != 0)
		return act(call, "restart", ret, err);
	r = vm_path(call, &path, err);
	if (r == 0)
		r = post(call, path, "powerOff", "skipShutdown", err);
	if (r == 0)
		r = post(call, path, "start", NULL, err);
	return r < 0 ? r : azvm_show(call, path, ret, err);
}

/* DELETE of what is not there is a success for Azure; asked for first, it is told. */
static int instances_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *vm = NULL;
	CLEANUP(freep) char *path = NULL;
	struct arm_change change = { .method = HTTP_DELETE, .api = ARM_COMPUTE };
	int r = vm_path(call, &path, err);

	(void)ret; /* nothing is left to tell */
	if (r == 0)
		r = arm_get(call, path, ARM_COMPUTE, NULL, &vm, err);
	change.path = path;
	return r < 0 ? r : arm_change(call, &change, NULL, NULL, err);
}

/* The log is a blob with a signed address of its own: it is read without our token, over TLS (or from this machine). */
static int read_blob(struct cloud_call *call, const char *address, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *base = NULL;
	CLEANUP(freep) char *path = NULL;
	struct service blob = { .engine = azure_cloud_of(call)->engine, .label = "azure-log", .dialect = SERVICE_TEXT };
	struct url url;
	struct str pair, query;
	int r = url_parse(str_of(address), &url, err);

	if (r < 0)
		return error_prefix(err, r, "the address of the log");
	if (!str_equal_nocase(url.scheme, STR("https")) && !str_starts(url.host, "127."))
		return error_set(err, ERR_PROTOCOL, "the log is said to be at an address without TLS");
	base = str_format("%.*s://%.*s%s%.*s", (int)url.scheme.len, url.scheme.ptr, (int)url.host.len, url.host.ptr,
			  url.port.len ? ":" : "", (int)url.port.len, url.port.len ? url.port.ptr : "");
	path = str_dup(url.path);
	blob.base_url = base;
	q.path = path;
	query = url.query;
	while (r == 0 && query.ptr && (pair = str_split(&query, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(8192);
		CLEANUP(buf_release) struct buf value = BUF_INIT(8192);
		struct str rest = pair, left = str_split(&rest, '=');

		if (url_decode(left, &name) < 0 || (rest.ptr && url_decode(rest, &value) < 0))
			return error_set(err, ERR_PROTOCOL, "the address of the log is broken");
		r = http_query_add(&q.query, buf_cstr(&name), buf_cstr(&value), err);
	}
	if (r == 0 && (!base || !path))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	return r < 0 ? r : service_json(call, &blob, &q, ret, err);
}

static int log_address(struct cloud_call *call, const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *action = str_format("%s/retrieveBootDiagnosticsData", path);
	int r = http_query_add(&q.query, "api-version", ARM_COMPUTE, err);

	if (r == 0 && !action)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	q.method = HTTP_POST;
	q.path = action;
	q.is_read = true;
	return r < 0 ? r : service_json(call, &azure_cloud_of(call)->service, &q, ret, err);
}

static int instances_console(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct record_source map[] = { { "instance", "instance", NULL, NULL },
						    { "output", "output", NULL, NULL },
						    { NULL, NULL, NULL, NULL } };
	CLEANUP(json_putp) struct json_object *links = NULL;
	CLEANUP(json_putp) struct json_object *log = NULL;
	CLEANUP(json_putp) struct json_object *whole = json_object_new_object();
	CLEANUP(freep) char *path = NULL;
	const char *address;
	struct str part;
	int r = whole ? vm_path(call, &path, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = log_address(call, path, &links, err);
	if (r < 0)
		return r;
	address = json_get_string(links, "serialConsoleLogBlobUri");
	if (!address)
		return error_set(err, ERR_UNSUPPORTED, "the machine keeps no console log (boot diagnostics is off)");
	r = read_blob(call, address, &log, err);
	if (r < 0)
		return r;
	part = compute_last_lines(str_of(log ? json_object_get_string(log) : ""), cloud_param_int(call, "lines", 0));
	json_object_object_add(whole, "output", json_object_new_string_len(part.ptr, (int)part.len));
	json_object_object_add(whole, "instance", json_object_new_string(cloud_param(call, "instance")));
	return cloud_record(call, map, whole, ret, err);
}

const struct compute_ops azure_compute = {
	.instances_list = { .run = instances_list },
	.instances_get = { .run = instances_get },
	.instances_create = { .run = azvm_create },
	.instances_start = { .run = instances_start },
	.instances_stop = { .run = instances_stop },
	.instances_delete = { .run = instances_delete },
	.instances_reboot = { .run = instances_reboot },
	.instances_console = { .run = instances_console },
	.images_list = { .run = azvm_images_list },
	.images_get = { .run = azvm_images_get },
	.flavors_list = { .run = azvm_flavors_list },
	.keypairs_list = { .run = azvm_keypairs_list },
	.keypairs_create = { .run = azvm_keypairs_create },
	.keypairs_delete = { .run = azvm_keypairs_delete },
	.zones_list = { .run = azvm_zones_list },
};
