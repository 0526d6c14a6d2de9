#include "backends/http/wire.h"
#include "backends/http/url.h"
#include <ctype.h>
#include <curl/curl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <strings.h>
#include <sys/ioctl.h>

/* Measured (512 KiB cost half the CPU of curl's 16 KiB); small answers need no such buffer. */
#define BUFFER_BIG_BYTES   (512L << 10)
#define BUFFER_SMALL_BYTES (64L << 10)
#define URL_MAX_BYTES	   (256 << 10)

#define SET(w, is_ok, option, value)                                                               \
	do {                                                                                       \
		if (curl_easy_setopt((CURL *)(w)->easy, option, value) != CURLE_OK)                \
			(is_ok) = false;                                                           \
	} while (0)

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct wire *w = arg;

	return attempt_header_line(w->attempt, line, size * count) ? size * count : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct wire *w = arg;

	/* 0 means "all taken" to curl when nothing was offered, else an error. */
	return attempt_receive(w->attempt, data, size * count) ? size * count : 0;
}

static size_t on_send(char *ret, size_t size, size_t count, void *arg)
{
	struct wire *w = arg;
	ssize_t n = attempt_send(w->attempt, ret, size * count);

	return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct wire *w = arg;

	if (origin != SEEK_SET || offset < 0 || !attempt_seek(w->attempt, (uint64_t)offset))
		return CURL_SEEKFUNC_FAIL;
	return CURL_SEEKFUNC_OK;
}

/* Right before each sending of the request. */
static int on_sending(void *arg, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	struct wire *w = arg;

	(void)primary_ip, (void)local_ip, (void)primary_port, (void)local_port;
	w->attempt->sends++;
	return CURL_PREREQFUNC_OK;
}

static bool set_certificates(struct wire *w, const struct transport_options *options)
{
	const char *file = options->ca_file ? options->ca_file : getenv("SSL_CERT_FILE");
	const char *dir = getenv("SSL_CERT_DIR");
	bool is_ok = true;

	if (file && *file)
		SET(w, is_ok, CURLOPT_CAINFO, file);
	if (options->ca_file)
		SET(w, is_ok, CURLOPT_CAPATH, NULL); /* that file's and no others */
	else if (dir && *dir)
		SET(w, is_ok, CURLOPT_CAPATH, dir);
	return is_ok;
}

/* What never changes from one attempt to the next. */
static bool set_up(struct wire *w, const struct transport_options *options, void *share)
{
	bool is_ok = set_certificates(w, options);

	SET(w, is_ok, CURLOPT_PRIVATE, w);
	SET(w, is_ok, CURLOPT_ERRORBUFFER, w->why);
	SET(w, is_ok, CURLOPT_SHARE, share);
	SET(w, is_ok, CURLOPT_NOSIGNAL, 1L);
	/* Giving up on a transfer must not wait for a name server. */
	SET(w, is_ok, CURLOPT_QUICK_EXIT, 1L);
	SET(w, is_ok, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(w, is_ok, CURLOPT_FOLLOWLOCATION, 0L);
	SET(w, is_ok, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(w, is_ok, CURLOPT_PATH_AS_IS, 1L);
	SET(w, is_ok, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(w, is_ok, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(w, is_ok, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(w, is_ok, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(w, is_ok, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(w, is_ok, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(w, is_ok, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(w, is_ok, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
	SET(w, is_ok, CURLOPT_USERAGENT, options->user_agent);
	SET(w, is_ok, CURLOPT_HEADERFUNCTION, on_header);
	SET(w, is_ok, CURLOPT_HEADERDATA, w);
	SET(w, is_ok, CURLOPT_WRITEFUNCTION, on_body);
	SET(w, is_ok, CURLOPT_WRITEDATA, w);
	SET(w, is_ok, CURLOPT_READFUNCTION, on_send);
	SET(w, is_ok, CURLOPT_READDATA, w);
	SET(w, is_ok, CURLOPT_SEEKFUNCTION, on_seek);
	SET(w, is_ok, CURLOPT_SEEKDATA, w);
	SET(w, is_ok, CURLOPT_PREREQFUNCTION, on_sending);
	SET(w, is_ok, CURLOPT_PREREQDATA, w);
	return is_ok;
}

struct wire *wire_new(const struct transport_options *options, void *share)
{
	struct wire *w = calloc(1, sizeof(*w));

	_Static_assert(sizeof(w->why) >= CURL_ERROR_SIZE, "curl writes that many");
	if (!w)
		return NULL;
	w->easy = curl_easy_init();
	if (!w->easy || !set_up(w, options, share)) {
		wire_free(w);
		return NULL;
	}
	return w;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	curl_easy_cleanup(w->easy);
	curl_slist_free_all(w->headers);
	free(w);
}

static int add_query(struct buf *url, const struct http_fields *fields, char *separator)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fields->count; i++) {
		r = buf_addc(url, *separator);
		*separator = '&';
		if (r == 0)
			r = url_encode(str_of(fields->items[i].name), URL_ENCODE_SLASH, url);
		if (r == 0)
			r = buf_addc(url, '=');
		if (r == 0)
			r = url_encode(str_of(fields->items[i].value), URL_ENCODE_SLASH, url);
	}
	return r;
}

static int build_url(const struct http_request *request, struct buf *url, struct error *err)
{
	const char *path = request->path[0] ? request->path : "/";
	char separator = '?';
	int r = buf_addf(url, "%s://%s", request->scheme, request->authority);

	if (path[0] != '/')
		return error_set(err, ERR_INVALID, "the path of a request must begin with '/'");
	for (const char *p = path; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || *p == '?' || *p == '#')
			return error_set(err, ERR_INVALID, "the path of a request is not encoded");
	if (r == 0)
		r = buf_adds(url, path);
	if (r == 0)
		r = add_query(url, &request->query, &separator);
	if (r == 0)
		r = add_query(url, &request->signed_query, &separator);
	if (r == -EFBIG)
		return error_set(err, ERR_NAME_TOO_LONG, "the URL of a request is too long");
	return r < 0 ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

static bool add_line(struct wire *w, const char *line)
{
	struct curl_slist *list = curl_slist_append(w->headers, line);

	if (list)
		w->headers = list;
	return list != NULL;
}

static int add_fields(struct wire *w, const struct http_fields *fields, struct error *err)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct http_field *f = &fields->items[i];
		/* The exchange's own business: lengths that contradict the body smuggle
		 * requests. */
		if (strcasecmp(f->name, "Content-Length") == 0 ||
		    strcasecmp(f->name, "Expect") == 0 ||
		    strcasecmp(f->name, "Transfer-Encoding") == 0 ||
		    strcasecmp(f->name, "Host") == 0)
			continue;
		if (strpbrk(f->name, "\r\n:; ") || strpbrk(f->value, "\r\n"))
			return error_set(err, ERR_INVALID, "a header with a forbidden byte");
		/* curl's form of a header without a value */
		CLEANUP(freep)
		char *line = f->value[0] ? str_format("%s: %s", f->name, f->value)
					 : str_format("%s;", f->name);
		if (!line || !add_line(w, line))
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return 0;
}

static int build_headers(struct wire *w, const struct http_request *request, struct error *err)
{
	const char *host = http_fields_get(&request->headers, "Host");
	CLEANUP(freep) char *host_line = str_format("Host: %s", host ? host : request->authority);
	bool has_type = http_fields_get(&request->headers, "Content-Type") ||
			http_fields_get(&request->signed_headers, "Content-Type");
	int r;

	curl_slist_free_all(w->headers);
	w->headers = NULL;
	/* Host as it was signed: curl would drop a default port. Without a value: not sent at
	 * all. */
	if (!host_line || strpbrk(host_line, "\r\n") || !add_line(w, host_line) ||
	    !add_line(w, "Expect:") || (!has_type && !add_line(w, "Content-Type:")))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = add_fields(w, &request->headers, err);
	return r < 0 ? r : add_fields(w, &request->signed_headers, err);
}

/* Every body goes out as curl's POST under the method's own name; so does an empty one of PUT, POST
 * and PATCH, which must say `Content-Length: 0`. */
static bool set_method(struct wire *w, const struct http_request *request)
{
	uint64_t length = http_body_length(&request->body);
	enum http_method method = request->method;
	bool has_body = method == HTTP_PUT || method == HTTP_POST || method == HTTP_PATCH ||
			(method == HTTP_DELETE && length > 0);
	/* A pointer saves a copy; the callback counts progress and reads files. */
	bool by_pointer =
		length == 0 || (request->body.kind == HTTP_BODY_MEM && !request->body.progress &&
				length == request->body.mem.len);
	bool is_ok = true;

	SET(w, is_ok, CURLOPT_HTTPGET, 1L); /* takes back NOBODY and POST */
	SET(w, is_ok, CURLOPT_POSTFIELDS, NULL);
	if (has_body) {
		SET(w, is_ok, CURLOPT_POST, 1L);
		SET(w, is_ok, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
		if (by_pointer)
			SET(w, is_ok, CURLOPT_POSTFIELDS, length ? request->body.mem.ptr : "");
	} else {
		SET(w, is_ok, CURLOPT_HTTPGET, 1L);
		if (method == HTTP_HEAD)
			SET(w, is_ok, CURLOPT_NOBODY, 1L);
	}
	SET(w, is_ok, CURLOPT_CUSTOMREQUEST,
	    method == HTTP_GET || method == HTTP_HEAD ? NULL : http_method_name(method));
	return is_ok;
}

/* HTTPS_PROXY and NO_PROXY are curl's to read, but for what is beside us: see url_host_is_link_local. */
static bool is_beyond_proxies(const struct http_request *request)
{
	struct str host = str_of(request->authority), rest = host;
	const char *end = host.len && host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;

	if (end)
		host.len = (size_t)(end - host.ptr) + 1;
	else
		host = str_split(&rest, ':');
	return url_host_is_link_local(host);
}

int wire_prepare(struct wire *w, struct attempt *a, struct error *err)
{
	CLEANUP(buf_release) struct buf url = BUF_INIT(URL_MAX_BYTES);
	const struct http_request *request = a->request;
	bool is_big_answer = request->sink.kind == HTTP_SINK_FD &&
			     request->sink.length > (uint64_t)BUFFER_SMALL_BYTES;
	bool is_big_body = http_body_length(&request->body) > (uint64_t)BUFFER_SMALL_BYTES;
	bool is_ok, is_any_size = true;
	int r = build_url(request, &url, err);

	if (r == 0)
		r = build_headers(w, request, err);
	if (r < 0)
		return r;
	w->attempt = a;
	w->socket = -1;
	w->why[0] = '\0';
	is_ok = set_method(w, request);
	SET(w, is_ok, CURLOPT_URL, buf_cstr(&url));
	SET(w, is_ok, CURLOPT_NOPROXY, is_beyond_proxies(request) ? "*" : NULL);
	SET(w, is_ok, CURLOPT_HTTPHEADER, w->headers);
	/* After a name that could not be resolved curl 7.88 still holds its buffers and takes no other size
	 * (CURLE_BAD_FUNCTION_ARGUMENT): then the old one will do. */
	SET(w, is_any_size, CURLOPT_BUFFERSIZE, is_big_answer ? BUFFER_BIG_BYTES : BUFFER_SMALL_BYTES);
	SET(w, is_any_size, CURLOPT_UPLOAD_BUFFERSIZE, is_big_body ? BUFFER_BIG_BYTES : BUFFER_SMALL_BYTES);
	(void)is_any_size;
	/* curl sends again by itself when a kept connection turns out to be dead, whatever the
	 * method. */
	SET(w, is_ok, CURLOPT_FRESH_CONNECT, request->is_idempotent ? 0L : 1L);
	if (!is_ok)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	a->wire = w;
	return 0;
}

static void explain_connect(struct wire *w, struct error *err)
{
	char reason[128];
	const char *text;
	long os_error = 0;

	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_OS_ERRNO, &os_error);
	text = os_error > 0 ? strerrordesc_np((int)os_error) : NULL;
	(void)snprintf(reason, sizeof(reason), "%s", text ? text : "no way there");
	reason[0] = (char)tolower((unsigned char)reason[0]);
	(void)error_set(err, ERR_UNAVAILABLE, "cannot connect to '%.150s': %s",
			w->attempt->request->authority, reason);
}

static void explain_certificate(struct wire *w, CURLcode code, struct error *err)
{
	const char *host = w->attempt->request->authority;

	if (code == CURLE_SSL_CACERT_BADFILE)
		(void)error_set(err, ERR_CONFIG,
				"cannot read the certificates to trust (SSL_CERT_FILE or ca-file)");
	else
		(void)error_set(err, ERR_PROTOCOL,
				"the certificate of '%.100s' was refused: %.120s", host,
				w->why[0] ? w->why : curl_easy_strerror(code));
}

static void explain_timeout(struct wire *w, struct error *err)
{
	(void)error_set(err, ERR_TIMEOUT, "no connection to '%.150s' in time",
			w->attempt->request->authority);
}

/* What a failed transfer means to the caller. */
static void explain(struct wire *w, CURLcode code, struct error *err)
{
	const char *host = w->attempt->request->authority;
	const char *why = w->why[0] ? w->why : curl_easy_strerror(code);

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		(void)error_set(err, ERR_UNAVAILABLE, "cannot find the address of '%.150s'", host);
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		(void)error_set(err, ERR_UNAVAILABLE, "cannot find the address of the proxy");
		break;
	case CURLE_COULDNT_CONNECT:
		explain_connect(w, err);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		explain_timeout(w, err);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		explain_certificate(w, code, err);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		(void)error_set(err, ERR_UNAVAILABLE, "no TLS connection to '%.80s': %.120s", host,
				why);
		break;
	case CURLE_OUT_OF_MEMORY:
		(void)error_set(err, ERR_NO_MEMORY, "out of memory");
		break;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		/* also what curl says of an answer in HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_FILESIZE_EXCEEDED:
		(void)error_set(err, ERR_PROTOCOL, "the answer of '%.80s' makes no sense: %.120s",
				host, why);
		break;
	case CURLE_PARTIAL_FILE:
		(void)error_set(err, ERR_UNAVAILABLE, "the answer of '%.150s' broke off", host);
		break;
	case CURLE_GOT_NOTHING:
		(void)error_set(err, ERR_UNAVAILABLE,
				"'%.150s' closed the connection without an answer", host);
		break;
	default: /* SEND_ERROR, RECV_ERROR, ...: the connection broke */
		(void)error_set(err, ERR_UNAVAILABLE, "the connection to '%.80s' failed: %.120s",
				host, why);
	}
}

void wire_detach(struct wire *w)
{
	struct attempt *a = w->attempt;
	curl_off_t up = 0, down = 0;
	long request_bytes = 0;

	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	a->was_sent = request_bytes > 0 || a->response->status != 0;
	a->bytes_sent = up > 0 ? (uint64_t)up : 0;
	a->bytes_received = down > 0 ? (uint64_t)down : 0;
	a->wire = NULL;
	w->attempt = NULL;
}

void wire_settle(struct wire *w, int curl_code)
{
	struct attempt *a = w->attempt;
	const struct http_body *body = &a->request->body;
	/* A server that refuses an upload answers and closes before it has read all: that is an
	 * answer, and its status says more than the broken pipe. */
	bool is_answer = a->is_cut || (a->has_headers && !attempt_is_success(a));

	/* Otherwise a callback has said why it refused. */
	if (a->err.kind == ERR_NONE && curl_code == CURLE_OK) {
		if (attempt_finish(a) && attempt_is_success(a) && body->progress)
			atomic_store_explicit(body->progress, http_body_content_length(body),
					      memory_order_relaxed);
	} else if (a->err.kind == ERR_NONE && !is_answer) {
		explain(w, (CURLcode)curl_code, &a->err);
	}
	wire_detach(w);
}

uint64_t wire_moved(const struct wire *w)
{
	curl_off_t up = 0, down = 0;
	long request_bytes = 0, header_bytes = 0;
	int unsent = 0;

	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	if (request_bytes <= 0)
		return 0;
	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_HEADER_SIZE, &header_bytes);
	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	(void)curl_easy_getinfo((CURL *)w->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	/* On a slow uplink the kernel still drains its buffer long after curl has handed over the
	 * last byte. */
	if (w->socket < 0 || ioctl(w->socket, SIOCOUTQ, &unsent) < 0)
		unsent = 0;
	return (1ULL << 40) + (uint64_t)request_bytes + (uint64_t)header_bytes + (uint64_t)up +
	       (uint64_t)down - (uint64_t)unsent;
}
