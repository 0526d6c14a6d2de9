/*
 * What is a secret in a request that a dry run shows: by the name of the member. Too much masked is a nuisance, too
 * little a leak.
 */
#include "backends/cloud/service.h"

#include <strings.h>

#define MASK "***"

static bool is_secret_name(const char *name)
{
	static const char *const words[] = { "password", "passwd", "secret",	 "token",     "authorization",
					     "adminpass", "apikey", "api_key",	 "api-key",   "credential",
					     "private_key", "privatekey", "signature", "user_data", "userdata",
					     "customdata", "connectionstring", "sas" };
	static const char *const harmless[] = { "pagetoken", "nexttoken", "clienttoken", "synctoken",
						"keyname",   "continuationtoken" };

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (!strcasecmp(name, harmless[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], "sas") ? !strcasecmp(name, "sas") : strcasestr(name, words[i]) != NULL)
			return true;
	}
	return false;
}

static struct json_object *mask_object(struct json_object *value)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_foreach(value, name, member)
	{
		bool is_plain = member && !json_object_is_type(member, json_type_object);
		struct json_object *shown = is_plain && is_secret_name(name) ? json_object_new_string(MASK) :
									       service_mask(member);

		if ((member && !shown) || json_object_object_add(o, name, shown) != 0) {
			json_object_put(shown);
			json_object_put(o);
			return NULL;
		}
	}
	return o;
}

struct json_object *service_mask(struct json_object *value)
{
	struct json_object *list;

	if (json_object_is_type(value, json_type_object))
		return mask_object(value);
	if (!json_object_is_type(value, json_type_array))
		return json_object_get(value);
	list = json_object_new_array();
	for (size_t i = 0; list && i < json_object_array_length(value); i++)
		json_object_array_add(list, service_mask(json_object_array_get_idx(value, i)));
	return list;
}
