/*
 * A client assertion: a JSON web token that says who we are, signed with the key of a certificate that Microsoft Entra
 * knows by its thumbprint (x5t: SHA-1 of the certificate's DER form).
 *
 * Source: learn.microsoft.com/entra/identity-platform/certificate-credentials (2026-11).
 */
#include "backends/auth/cred_azure.h"
#include "backends/auth/jwt.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/json.h"
#include "backends/base/random.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define ASSERTION_LIFE_S 600

static int thumbprint(const char *path, struct str pem, struct buf *ret, struct error *err)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL, digest[20];
	int len = certificate ? i2d_X509(certificate, &der) : -1;

	X509_free(certificate);
	BIO_free(bio);
	if (len < 0)
		return error_set(err, ERR_CONFIG,
				 "AZURE_CLIENT_CERTIFICATE_PATH: '%.100s' holds no certificate in PEM form", path);
	hash_sha1(der, (size_t)len, digest);
	OPENSSL_free(der);
	return base64url_encode(digest, sizeof(digest), ret) < 0
		       ? error_set(err, ERR_NO_MEMORY, "no memory for a token")
		       : 0;
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static int make_claims(const struct cred_context *c, const char *client_id, const char *audience,
		       struct json_object **ret, struct error *err)
{
	unsigned char id[16];
	char hex[33];

	*ret = json_object_new_object();
	if (!*ret)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), hex);
	add_text(*ret, "aud", audience);
	add_text(*ret, "iss", client_id);
	add_text(*ret, "sub", client_id);
	add_text(*ret, "jti", hex);
	json_object_object_add(*ret, "nbf", json_object_new_int64(cred_now_s(c) - 60));
	json_object_object_add(*ret, "iat", json_object_new_int64(cred_now_s(c)));
	json_object_object_add(*ret, "exp", json_object_new_int64(cred_now_s(c) + ASSERTION_LIFE_S));
	return 0;
}

int cred_azure_assertion(const struct cred_context *c, const char *path, const char *client_id,
			 const char *audience, struct buf *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf pem = BUF_INIT(0);
	CLEANUP(buf_release) struct buf x5t = BUF_INIT(64);
	CLEANUP(buf_release) struct buf header = BUF_INIT(256);
	CLEANUP(json_putp) struct json_object *claims = NULL;
	CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
	CLEANUP(freep) char *what = str_format("AZURE_CLIENT_CERTIFICATE_PATH: '%.100s'", path);
	const char *text;
	int r = what ? cred_buf_init(&pem, err) : error_set(err, ERR_NO_MEMORY, "no memory for a token");

	if (r < 0)
		return r;
	r = fileio_read_file(path, &pem, err);
	if (r < 0)
		return error_set(err, ERR_CONFIG, "%s cannot be read: %s", what, strerror(-r));
	if ((r = thumbprint(path, buf_str(&pem), &x5t, err)) < 0 ||
	    (r = jwt_key_new(what, buf_str(&pem), &key, err)) < 0 ||
	    (r = make_claims(c, client_id, audience, &claims, err)) < 0)
		return r;
	if (buf_addf(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"%s\"}", buf_cstr(&x5t)) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	text = json_object_to_json_string_ext(claims, JSON_C_TO_STRING_PLAIN);
	return jwt_sign(key, buf_str(&header), str_of(text), ret, err);
}
