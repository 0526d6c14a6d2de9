#include "backends/azure/arm_rows.h"

#include <strings.h>

const struct rest_page arm_page = { REST_PAGE_URL, REST_QUERY, NULL, "nextLink", NULL, 0, 0 };

enum rest_id arm_rest_id(const char *text, const char *part)
{
	if (*text != '/')
		return REST_NO_ID;
	return strcasestr(text, part) ? REST_ID : REST_STRANGE_ID;
}

/* "data" or "group1/data", without regard to case, as the service has it */
bool arm_is_named(struct json_object *thing, const char *name)
{
	const char *own = json_get_string(thing, "name"), *slash = strchr(name, '/');
	CLEANUP(freep) char *group = slash ? arm_id_piece(json_get_string(thing, "id"), "resourceGroups") : NULL;

	if (!own || strcasecmp(own, slash ? slash + 1 : name) != 0)
		return false;
	return !slash || (group && strlen(group) == (size_t)(slash - name) && !strncasecmp(group, name, strlen(group)));
}
