/* RS256 by OpenSSL. */
#include "backends/auth/jwt.h"
#include "backends/base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define JWT_PEM_MAX 65536

struct jwt_key {
	EVP_PKEY *pkey;
};

void jwt_key_free(struct jwt_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

void jwt_key_freep(struct jwt_key **k)
{
	jwt_key_free(*k);
}

/* Without it OpenSSL would ask for a password on the terminal. */
static int no_password(char *ret, int size, int is_writing, void *arg)
{
	(void)ret;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

int jwt_key_new(const char *what, struct str pem, struct jwt_key **ret, struct error *err)
{
	CLEANUP(jwt_key_freep) struct jwt_key *k = calloc(1, sizeof(*k));
	BIO *bio =
		pem.len && pem.len <= JWT_PEM_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;

	if (k && bio)
		k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (!k)
		return error_set(err, ERR_NO_MEMORY, "no memory for a key");
	if (!k->pkey)
		return error_set(err, ERR_CONFIG, "%s is no unencrypted private key in PEM form",
				 what);
	if (EVP_PKEY_get_base_id(k->pkey) != EVP_PKEY_RSA || EVP_PKEY_get_bits(k->pkey) < 2048 ||
	    EVP_PKEY_get_bits(k->pkey) > 8192)
		return error_set(err, ERR_CONFIG, "%s is no RSA key of 2048 to 8192 bits", what);
	*ret = steal(k);
	return 0;
}

int jwt_key_sign(const struct jwt_key *k, struct str data, struct buf *ret_signature,
		 struct error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = (size_t)EVP_PKEY_get_size(k->pkey);
	bool is_signed;

	if (!ctx || buf_reserve(ret_signature, len) < 0) {
		EVP_MD_CTX_free(ctx);
		return error_set(err, ERR_NO_MEMORY, "no memory for a signature");
	}
	is_signed = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
		    EVP_DigestSign(ctx, (unsigned char *)ret_signature->data + ret_signature->len,
				   &len, (const unsigned char *)data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!is_signed)
		return error_set(err, ERR_CONFIG, "the private key cannot sign");
	ret_signature->len += len;
	ret_signature->data[ret_signature->len] = '\0';
	return 0;
}

int jwt_sign(const struct jwt_key *k, struct str header_json, struct str claims_json,
	     struct buf *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf signature = BUF_INIT(4096);
	int r;

	buf_clear(ret);
	if (base64url_encode(header_json.ptr, header_json.len, ret) < 0 || buf_addc(ret, '.') < 0 ||
	    base64url_encode(claims_json.ptr, claims_json.len, ret) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	r = jwt_key_sign(k, buf_str(ret), &signature, err);
	if (r < 0)
		return r;
	if (buf_addc(ret, '.') < 0 || base64url_encode(signature.data, signature.len, ret) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	return 0;
}
