/*
 * The source "container": the agent beside an ECS task, an EKS pod or a Greengrass component.
 *
 * The address comes from the environment and is sent a token, so a plain http one may only lead to
 * this machine or to the two agents' fixed addresses. The token file is read at each fetch, because
 * the platform replaces it. Source:
 * docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html (2026-11).
 */
#include "backends/auth/cred_source.h"
#include "backends/base/fileio.h"
#include "backends/http/url.h"

#define CONTAINER_HOST	     "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 5000

bool cred_container_url_is_allowed(const char *text)
{
	static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	struct url url;

	if (url_parse(str_of(text), &url, NULL) < 0)
		return false;
	if (str_equal_nocase(url.scheme, STR("https")) || url_host_is_loopback(url.host))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
		if (str_equal_nocase(url.host, str_of(agents[i])))
			return true;
	return false;
}

/* "a=b&c" of an address into raw fields. */
static int read_query(struct str text, struct http_fields *to, struct error *err)
{
	struct str pair;
	int r;

	if (!text.len)
		return 0;
	while ((pair = str_split(&text, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(4096), value = BUF_INIT(4096);
		struct str rest = pair, key = str_split(&rest, '=');

		if (url_decode(key, &name) < 0 || (rest.ptr && url_decode(rest, &value) < 0))
			return error_set(err, ERR_CONFIG,
					 "AWS_CONTAINER_CREDENTIALS_FULL_URI has a broken query");
		if ((r = http_query_add(to, buf_cstr(&name), buf_cstr(&value), err)) < 0)
			return r;
	}
	return 0;
}

static int add_token(const struct cred_context *c, struct http_fields *headers, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	const char *path = cred_getenv(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = cred_getenv(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	int r;

	if (path) {
		if ((r = cred_buf_init(&text, err)) < 0)
			return r;
		if ((r = fileio_read_file(path, &text, err)) < 0)
			return error_prefix(err, r, "container authorization token");
		while (text.len && strchr("\r\n", text.data[text.len - 1]))
			text.data[--text.len] = '\0';
		token = buf_cstr(&text);
	}
	if (!token)
		return 0;
	if (strpbrk(token, "\r\n"))
		return error_set(err, ERR_CONFIG,
				 "the container authorization token has more than one line");
	return http_fields_add(headers, "Authorization", token, err);
}

/* Address and path of the agent into the call; *ret_url and *ret_path are what it borrows. */
static int find_agent(const struct cred_context *c, struct cred_call *call, char **ret_url,
		      char **ret_path, struct error *err)
{
	const char *relative = cred_getenv(c, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	CLEANUP(freep)
	char *whole = relative ? str_format("%s%s", CONTAINER_HOST, relative)
			       : strdup(cred_getenv(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI"));
	struct url url;
	int r;

	if (!whole)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if ((relative && *relative != '/') || (r = url_parse(str_of(whole), &url, err)) < 0)
		return error_set(err, ERR_CONFIG, "%s is no address",
				 relative ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
					  : "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!cred_container_url_is_allowed(whole))
		return error_set(err, ERR_CONFIG,
				 "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain http to '%.*s', "
				 "which is not this machine",
				 (int)url.host.len, url.host.ptr);
	if ((r = read_query(url.query, &call->query, err)) < 0)
		return r;
	*ret_url = str_format("%.*s://%.*s%s%.*s", (int)url.scheme.len, url.scheme.ptr,
			      (int)url.host.len, url.host.ptr, url.port.len ? ":" : "",
			      (int)url.port.len, url.port.len ? url.port.ptr : "");
	*ret_path = url.path.len ? str_dup(url.path) : strdup("/");
	return *ret_url && *ret_path ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for a request");
}

static int container_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	static const char *const names[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					    "AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL};
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	CLEANUP(freep) char *url = NULL;
	CLEANUP(freep) char *path = NULL;
	struct cred_call call = {.method = HTTP_GET,
				 .operation = "ContainerCredentials",
				 .timeout_ms = CONTAINER_TIMEOUT_MS,
				 .max_attempts = 3};
	int r;

	if (!cred_getenv_any(c, names))
		return CRED_ABSENT;
	if ((r = find_agent(c, &call, &url, &path, err)) == 0 &&
	    (r = add_token(c, &call.headers, err)) == 0 && (r = cred_buf_init(&answer, err)) == 0) {
		call.url = url;
		call.path = path;
		if ((r = cred_call(c, &call, &answer, err)) < 0)
			(void)error_prefix(err, r, "container credentials (%s)",
					   cred_getenv(c, names[0]) ? names[0] : names[1]);
	}
	http_fields_release(&call.query);
	http_fields_release(&call.headers);
	return r < 0 ? r : cred_set_json(ret, "container", buf_str(&answer), "Token", err);
}

const struct cred_source cred_source_container = {
	.name = "container",
	.is_metadata = true,
	.fetch = container_fetch,
};
