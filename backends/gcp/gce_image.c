/*
 * Images of Compute Engine: one's own and those of Google's public projects, which are projects like any other.
 *
 * Source: cloud.google.com/compute/docs/images/os-details (the projects), .../reference/rest/v1/images (read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

#include <strings.h>

static const struct {
	const char *prefix, *project; /* of the names of its images and families */
} public_rows[] = {
	{ "debian-", "debian-cloud" },	     { "ubuntu-", "ubuntu-os-cloud" }, { "rocky-linux-", "rocky-linux-cloud" },
	{ "cos-", "cos-cloud" },	     { "centos-", "centos-cloud" },    { "rhel-", "rhel-cloud" },
	{ "sles-", "suse-cloud" },	     { "fedora-coreos-", "fedora-coreos-cloud" },
	{ "windows-", "windows-cloud" },
};

static const struct record_word states[] = {
	{ "READY", "available" }, { "PENDING", "creating" }, { "FAILED", "error" },
	{ "DELETING", "deprecated" }, { NULL, NULL },
};

/* "projects/debian-cloud/global/images/x": as it may be given back. */
static struct json_object *make_id(struct json_object *image)
{
	const char *link = json_get_string(image, "selfLink"), *at = link ? strstr(link, "/projects/") : NULL;

	return at ? json_object_new_string(at + 1) : json_object_get(json_get(image, "name"));
}

static struct json_object *make_owner(struct json_object *image)
{
	const char *link = json_get_string(image, "selfLink"), *at = link ? strstr(link, "/projects/") : NULL;

	at = at ? at + strlen("/projects/") : NULL;
	return at ? json_object_new_string_len(at, (int)strcspn(at, "/")) : NULL;
}

static struct json_object *make_status(struct json_object *image)
{
	const char *word = json_get_string(image, "status");

	if (json_get(image, "deprecated.state") && strcasecmp(json_get_string(image, "deprecated.state"), "ACTIVE") != 0)
		return json_object_new_string("deprecated");
	for (const struct record_word *w = states; word && w->theirs; w++)
		if (!strcasecmp(w->theirs, word))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

static const struct record_source image_map[] = {
	{ "id", "", NULL, make_id },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "status", NULL, NULL },
	{ "owner", "", NULL, make_owner },
	{ "architecture", "architecture", NULL, NULL },
	{ "os", "family", NULL, NULL },
	{ "size_bytes", "archiveSizeBytes", NULL, NULL },
	{ "min_disk_gb", "diskSizeGb", NULL, NULL },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

struct listing {
	struct cloud_call *call;
	const char *part;
	struct json_object *list;
};

static int take(void *arg, struct json_object *image, struct error *err)
{
	struct listing *l = arg;
	const char *name = json_get_string(image, "name");

	if (l->part && (!name || !strcasestr(name, l->part)))
		return 0;
	return cloud_list_add(l->call, image_map, image, &l->list, err);
}

static int list_project(struct cloud_call *call, const char *project, struct listing *l, struct error *err)
{
	static const char *const pieces[] = { "global", "images", NULL };
	CLEANUP(freep) char *path = NULL;
	int r = gce_path(call, project, pieces, &path, err);

	return r < 0 ? r : gce_pages(call, path, NULL, take, l, err);
}

int gce_images_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct listing l = { call, cloud_param(call, "name"), json_object_new_array() };
	const char *owner = cloud_param(call, "owner");
	bool is_own = owner && !strcmp(owner, "self");
	int r = l.list ? list_project(call, is_own ? NULL : owner, &l, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	for (size_t i = 0; r == 0 && !owner && i < ARRAY_SIZE(public_rows); i++) {
		if (call->limit && json_object_array_length(l.list) >= call->limit)
			break;
		r = list_project(call, public_rows[i].project, &l, err);
	}
	if (r < 0) {
		json_object_put(l.list);
		return r;
	}
	*ret = l.list;
	return 0;
}

static int get_image(struct cloud_call *call, const char *project, const char *family, const char *name,
		     struct json_object **ret, struct error *err)
{
	const char *pieces[] = { "global", "images", family ? family : name, family ? name : NULL, NULL };
	CLEANUP(freep) char *path = NULL;
	int r = gce_path(call, project, pieces, &path, err);

	return r < 0 ? r : gce_ask(call, HTTP_GET, path, NULL, ret, err);
}

/* A name, else a family of that name. */
static int get_either(struct cloud_call *call, const char *project, const char *name, struct json_object **ret,
		      struct error *err)
{
	int r = get_image(call, project, NULL, name, ret, err);

	if (r == 0 || err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT;
	return get_image(call, project, "family", name, ret, err);
}

/* "projects/P/global/images/X", "P/X" and so on, in pieces: P, X and whether X is a family's name. */
static int split(char *text, char **ret_project, char **ret_name, bool *ret_is_family)
{
	char *at = strstr(text, "projects/"), *slash;

	at = at ? at + strlen("projects/") : text;
	slash = strchr(at, '/');
	if (!slash)
		return -1;
	*slash++ = '\0';
	*ret_project = at;
	if (!strncmp(slash, "global/images/", 14))
		slash += 14;
	*ret_is_family = !strncmp(slash, "family/", 7);
	*ret_name = slash + (*ret_is_family ? 7 : 0);
	return **ret_name && !strchr(*ret_name, '/') ? 0 : -1;
}

int gce_find_image(struct cloud_call *call, const char *given, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *text = strdup(given);
	char *project = NULL, *name = NULL;
	bool is_family = false;
	int r;

	if (!text)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (strchr(given, '/')) {
		if (split(text, &project, &name, &is_family) < 0)
			return error_set(err, ERR_INVALID, "'%.200s' is no image (PROJECT/NAME, PROJECT/family/FAMILY)", given);
		return is_family ? get_image(call, project, "family", name, ret, err) :
				   get_either(call, project, name, ret, err);
	}
	r = get_either(call, NULL, given, ret, err);
	for (size_t i = 0; r < 0 && err->kind == ERR_NOT_FOUND && i < ARRAY_SIZE(public_rows); i++) {
		if (strncmp(given, public_rows[i].prefix, strlen(public_rows[i].prefix)) != 0)
			continue;
		*err = ERROR_INIT;
		r = get_either(call, public_rows[i].project, given, ret, err);
		break;
	}
	return r < 0 && err->kind == ERR_NOT_FOUND ? error_set(err, ERR_NOT_FOUND, "there is no image '%.200s'", given) : r;
}

int gce_images_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *image = NULL;
	int r = gce_find_image(call, cloud_param(call, "image"), &image, err);

	return r < 0 ? r : cloud_record(call, image_map, image, ret, err);
}
