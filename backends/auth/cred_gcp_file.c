/*
 * Where Google credentials lie, and what is common to the files.
 *
 * Source: google.aip.dev/auth/4110 (2026-11).
 */
#include "backends/auth/cred_gcp_source.h"
#include "backends/base/fileio.h"

#include <stdio.h>
#include <sys/stat.h>

#define WELL_KNOWN "application_default_credentials.json"

char *gcp_gcloud_path(const struct cred_context *c, const char *below)
{
	const char *directory = cred_getenv(c, "CLOUDSDK_CONFIG");
	const char *home = cred_getenv(c, "HOME");

	if (directory)
		return str_format("%s/%s", directory, below);
	return home ? str_format("%s/.config/gcloud/%s", home, below) : NULL;
}

void gcp_file_release(struct gcp_file *f)
{
	json_putp(&f->o);
}

static int read_file(const char *path, const char *origin, struct gcp_file *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	CLEANUP(json_putp) struct json_object *o = NULL;
	int r = cred_buf_init(&text, err);

	if (r < 0)
		return r;
	r = fileio_read_file(path, &text, err);
	if (r < 0) {
		err->kind = ERR_CONFIG;
		return error_prefix(err, -error_errnum(ERR_CONFIG), "Google credentials (%s)",
				    origin);
	}
	(void)snprintf(ret->name, sizeof(ret->name), "'%.110s' (%s)", path, origin);
	/* The parser's own words could quote the text, which is secret. */
	if (json_parse(str_trim(buf_str(&text)), CRED_MAX_BYTES, &o, NULL) < 0 ||
	    !json_object_is_type(o, json_type_object))
		return error_set(err, ERR_CONFIG, "%s is no JSON file", ret->name);
	ret->o = steal(o);
	return 0;
}

int gcp_file_load(const struct cred_context *c, const struct cred_gcp_options *options,
		  struct gcp_file *ret, struct error *err)
{
	const char *named = cred_getenv(c, "GOOGLE_APPLICATION_CREDENTIALS");
	CLEANUP(freep) char *path = NULL;

	if (options->credentials_file) {
		path = fileio_expand_home(options->credentials_file);
		if (!path)
			return error_set(err, ERR_NO_MEMORY, "no memory for a path");
		return read_file(path, "credentials-file", ret, err);
	}
	if (named)
		return read_file(named, "GOOGLE_APPLICATION_CREDENTIALS", ret, err);
	path = gcp_gcloud_path(c, WELL_KNOWN);
	if (!path || access(path, F_OK) < 0)
		return CRED_ABSENT;
	return read_file(path, "gcloud", ret, err);
}

int gcp_text(const struct gcp_json *j, const char *key, const char **ret, struct error *err)
{
	const char *text = json_get_string(j->o, key);

	if (!text || !*text)
		return error_set(err, ERR_CONFIG, "%s has no '%s'", j->name, key);
	*ret = text;
	return 0;
}
