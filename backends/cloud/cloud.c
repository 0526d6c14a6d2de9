#include "backends/cloud/cloud.h"

#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "backends/cloud/rest.h"

#include <stdarg.h>
#include <stdio.h>

const char *cloud_interface_name(enum cloud_interface interface)
{
	static const char *const names[] = {
		[CLOUD_NO_INTERFACE] = "none",	 [CLOUD_COMPUTE] = "compute",
		[CLOUD_DNS] = "dns",		 [CLOUD_VOLUMES] = "volumes",
		[CLOUD_NETWORK] = "network",	 [CLOUD_IDENTITY] = "identity",
		[CLOUD_FUNCTIONS] = "functions", [CLOUD_STACKS] = "stacks",
		[CLOUD_DATABASES] = "databases", [CLOUD_METERING] = "metering",
	};

	return interface < CLOUD_INTERFACES ? names[interface] : names[CLOUD_NO_INTERFACE];
}

static const struct provider_value *find_setting(const struct cloud_settings *s, const char *key)
{
	for (size_t i = s->count; i-- > 0;)
		if (!strcmp(s->values[i].key, key))
			return *s->values[i].value ? &s->values[i] : NULL;
	return NULL;
}

const char *cloud_setting(const struct cloud_settings *s, const char *key)
{
	const struct provider_value *v = find_setting(s, key);

	return v ? v->value : NULL;
}

int cloud_setting_or(const struct backend_context *context, const struct cloud_settings *s, const char *key,
		     const char *variable, const char *fallback, char **ret, struct error *err)
{
	const char *value = cloud_setting(s, key);

	if (!value)
		value = context->getenv(variable);
	if (!value || !*value)
		value = fallback;
	*ret = value ? strdup(value) : NULL;
	return value && !*ret ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

int cloud_setting_flag(const struct cloud_settings *s, const char *key, bool *ret, struct error *err)
{
	const struct provider_value *v = find_setting(s, key);

	return v ? setting_flag(v, ret, err) : 0;
}

int cloud_setting_rate(const struct cloud_settings *s, const char *key, double *ret, struct error *err)
{
	const struct provider_value *v = find_setting(s, key);

	return v ? setting_rate(v, ret, err) : 0;
}

struct json_object *cloud_param_json(const struct cloud_call *call, const char *name)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(call->params, name, &value); /* absent: NULL */
	return value;
}

const char *cloud_param(const struct cloud_call *call, const char *name)
{
	struct json_object *value = cloud_param_json(call, name);

	return value ? json_object_get_string(value) : NULL;
}

int64_t cloud_param_int(const struct cloud_call *call, const char *name, int64_t fallback)
{
	struct json_object *value = cloud_param_json(call, name);

	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

bool cloud_param_bool(const struct cloud_call *call, const char *name, bool fallback)
{
	struct json_object *value = cloud_param_json(call, name);

	return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) : fallback;
}

void cloud_progress(const struct cloud_call *call, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!call->progress)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* cut off is fine */
	va_end(args);
	call->progress(call->progress_arg, text);
}

int cloud_record(const struct cloud_call *call, const struct record_source *map,
		 struct json_object *theirs, struct json_object **ret, struct error *err)
{
	if (!call->shape || !map) {
		*ret = json_object_get(theirs);
		return 0;
	}
	return record_make(call->shape, map, theirs, call->wants_raw ? RECORD_WITH_RAW : RECORD_PLAIN,
			   ret, err);
}

int cloud_list_add(const struct cloud_call *call, const struct record_source *map,
		   struct json_object *theirs, struct json_object **list, struct error *err)
{
	struct json_object *record = NULL;
	int r = cloud_record(call, map, theirs, &record, err);

	if (r < 0)
		return r;
	if (!*list)
		*list = json_object_new_array();
	if (!*list || json_object_array_add(*list, record) != 0) {
		json_object_put(record);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return call->limit && json_object_array_length(*list) >= call->limit;
}

const struct cloud_slot *cloud_slot(const struct cloud_driver *driver, enum cloud_interface interface,
				    size_t offset)
{
	const char *table = driver->interfaces[interface];
	const struct cloud_slot *slot;

	if (!table)
		return NULL;
	slot = (const struct cloud_slot *)(const void *)(table + offset);
	return slot->run || slot->row ? slot : NULL;
}

int cloud_run(struct cloud_call *call, const struct cloud_slot *slot, struct json_object **ret,
	      struct error *err)
{
	*ret = NULL;
	return slot->run ? slot->run(call, ret, err) : rest_run(call, slot->row, ret, err);
}

void cloud_free(struct cloud *cloud)
{
	if (cloud)
		cloud->driver->free(cloud);
}

void cloud_token(char ret[CLOUD_TOKEN_LEN + 1])
{
	unsigned char b[16];
	size_t at = 0;

	random_bytes(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		(void)snprintf(ret + at, 3, "%02x", b[i]); /* never cut off */
		at += 2;
	}
}

struct sleeper {
	struct cancel_hook hook;
	struct lock lock;
	struct cond wake;
	bool is_woken; /* guarded by lock */
};

static void wake(struct cancel_hook *hook)
{
	struct sleeper *s = container_of(hook, struct sleeper, hook);

	LOCKED(&s->lock);
	s->is_woken = true;
	cond_broadcast(&s->wake);
}

int cloud_sleep(const struct cloud_call *call, uint64_t ms, struct error *err)
{
	struct sleeper s = { .hook = { .fire = wake } };
	uint64_t until = clock_mono_ms() + ms;
	bool is_late = call->wait_until_mono_ms && until > call->wait_until_mono_ms, is_woken;

	lock_init(&s.lock);
	cond_init(&s.wake);
	cancel_hook(call->cancel, &s.hook);
	lock_take(&s.lock);
	while (!s.is_woken && cond_wait_until(&s.wake, &s.lock, is_late ? call->wait_until_mono_ms : until))
		;
	is_woken = s.is_woken;
	lock_drop(&s.lock);
	cancel_unhook(call->cancel, &s.hook);
	cond_destroy(&s.wake);
	lock_destroy(&s.lock);
	if (is_woken)
		return error_set(err, ERR_CANCELLED, "%s: given up", call->operation);
	return is_late ? error_set(err, ERR_WAIT_OVER, "%s: not done in time (it goes on; --timeout waits longer)", call->operation) : 0;
}
