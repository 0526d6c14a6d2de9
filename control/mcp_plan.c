/*
 * Tools that destroy, in two steps: a plan with a token, then the same call with the token; or a question to the user
 * where the client can ask one.
 *
 * A token is EXPIRY-NONCE-MAC: the HMAC of the operation, its arguments (members sorted), the time it ends and a random
 * number, under a key that only this process has; so it fits one call, and each token is taken once.
 */
#include "control/mcp_private.h"

#include "backends/base/clock.h"
#include "backends/base/hash.h"
#include "backends/base/random.h"

#include <inttypes.h>
#include <stdio.h>

#define USED_MAX    256
#define TOKEN_BYTES 128

static struct lock plan_lock = LOCK_INIT_RANKED(LOCK_CONTROL_PEER);
static unsigned char key[32];	/* guarded by plan_lock until made, then immutable */
static bool has_key;		/* guarded by plan_lock */
static char used[USED_MAX][TOKEN_BYTES]; /* guarded by plan_lock; a ring of tokens that were taken */
static size_t used_at;		/* guarded by plan_lock */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_sorted(struct buf *out, struct json_object *o);

static int add_members(struct buf *out, struct json_object *o)
{
	size_t count = (size_t)json_object_object_length(o), at = 0;
	CLEANUP(freep) const char **names = calloc(count + 1, sizeof *names);
	int r = names ? buf_addc(out, '{') : -ENOMEM;

	if (r < 0)
		return r;
	json_object_object_foreach(o, name, value)
	{
		(void)value; /* looked up below, in order */
		names[at++] = name;
	}
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count && r == 0; i++) {
		struct json_object *member = NULL;

		(void)json_object_object_get_ex(o, names[i], &member); /* it is there */
		r = buf_addf(out, "%zu:%s=", strlen(names[i]), names[i]);
		if (r == 0)
			r = add_sorted(out, member);
	}
	return r < 0 ? r : buf_addc(out, '}');
}

/* The same bytes for the same value, however its members were ordered. */
static int add_sorted(struct buf *out, struct json_object *o)
{
	int r;

	if (json_object_is_type(o, json_type_object))
		return add_members(out, o);
	if (!json_object_is_type(o, json_type_array))
		return buf_addf(out, "%s,", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	r = buf_addc(out, '[');
	for (size_t i = 0; i < json_object_array_length(o) && r == 0; i++)
		r = add_sorted(out, json_object_array_get_idx(o, i));
	return r < 0 ? r : buf_addc(out, ']');
}

static int make_token(const struct op *op, struct json_object *args, int64_t expires_s, uint64_t nonce,
		      char ret[TOKEN_BYTES])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(4 << 20);
	unsigned char mac[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1];
	int r = buf_addf(&text, "%s\n%" PRId64 "\n%016" PRIx64 "\n", op->name, expires_s, nonce);

	if (r == 0)
		r = add_sorted(&text, args);
	if (r < 0)
		return r;
	lock_take(&plan_lock);
	if (!has_key)
		random_bytes(key, sizeof key);
	has_key = true;
	lock_drop(&plan_lock);
	hash_hmac_sha256(key, sizeof key, text.data, text.len, mac);
	hex_encode(mac, sizeof mac, hex);
	(void)snprintf(ret, TOKEN_BYTES, "%" PRId64 "-%016" PRIx64 "-%s", expires_s, nonce, hex);
	return 0;
}

static bool is_first_use(const char *token)
{
	LOCKED(&plan_lock);
	for (size_t i = 0; i < USED_MAX; i++)
		if (!strcmp(used[i], token))
			return false;
	(void)snprintf(used[used_at++ % USED_MAX], sizeof used[0], "%s", token);
	return true;
}

static int check_token(const struct op *op, struct json_object *args, const char *token, struct error *err)
{
	struct str rest = str_of(token), first = str_split(&rest, '-'), second = str_split(&rest, '-');
	char expected[TOKEN_BYTES];
	unsigned char bytes[8];
	unsigned differ = 0;
	uint64_t nonce = 0;
	int64_t expires_s;

	if (str_to_i64(first, &expires_s) < 0 || hex_decode(second, bytes, sizeof bytes) != sizeof bytes)
		return error_set(err, ERR_PRECONDITION, "confirm_token is none of ours (call without it for a plan)");
	for (size_t i = 0; i < sizeof bytes; i++)
		nonce = nonce << 8 | bytes[i];
	if (make_token(op, args, expires_s, nonce, expected) < 0 || strlen(token) != strlen(expected))
		return error_set(err, ERR_PRECONDITION, "confirm_token is none of ours (call without it for a plan)");
	for (size_t i = 0; expected[i]; i++) /* all of it, so that the time taken tells nothing */
		differ |= (unsigned char)expected[i] ^ (unsigned char)token[i];
	if (differ)
		return error_set(err, ERR_PRECONDITION,
				 "confirm_token is not of these arguments (call without it for a plan)");
	if (clock_wall_s() > expires_s)
		return error_set(err, ERR_PRECONDITION, "confirm_token has expired (call without it for a new plan)");
	if (!is_first_use(token))
		return error_set(err, ERR_PRECONDITION, "confirm_token was used already (call without it for a new plan)");
	return 1;
}

/* What would be sent, from providers that can tell without doing. */
static int dry_run(const struct mcp_call *c, const struct op *op, struct json_object *args, struct json_object **ret,
		   struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;

	if (!op_param_find(op, "dry_run"))
		return 0;
	if (json_object_deep_copy(args, &params, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(params, "dry_run", json_object_new_boolean(1));
	return mcp_run_op(c, op, params, ret, err);
}

static int add_plan(const struct mcp_call *c, const struct op *op, struct json_object *args, const char *token,
		    struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(json_putp) struct json_object *would = NULL;
	struct json_object *arguments = NULL, *send = NULL;
	int r = dry_run(c, op, args, &would, err);

	if (r < 0)
		return r;
	if (!o || json_object_deep_copy(args, &arguments, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	mcp_add_text(o, "status", "planned");
	mcp_add_text(o, "operation", op->name);
	mcp_add_text(o, "effect", op->summary);
	json_object_object_add(o, "arguments", arguments);
	if (would && json_object_object_get_ex(would, "would_send", &send))
		json_object_object_add(o, "would_send", json_object_get(send));
	mcp_add_text(o, "confirm_token", token);
	json_object_object_add(o, "expires_in_s", json_object_new_int(MCP_PLAN_S));
	mcp_add_text(o, "next", "nothing was done; call again with the same arguments and confirm_token to do it");
	*ret = steal(o);
	return 0;
}

static struct json_object *question(const struct mcp_call *c, const struct op *op, struct json_object *args)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(8192);
	struct json_object *o = json_object_new_object(), *schema = json_object_new_object();
	struct json_object *properties = json_object_new_object(), *confirm = json_object_new_object();
	struct json_object *required = json_object_new_array();
	const char *shown = json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	bool is_whole = buf_addf(&text, "%s (%s) cannot be undone. Arguments: %s", op->name, op->summary,
				 strlen(shown) < 4096 ? shown : "too long to show") == 0;

	if (c->revision >= MCP_2025_11_25)
		mcp_add_text(o, "mode", "form");
	mcp_add_text(o, "message", is_whole ? buf_cstr(&text) : "This cannot be undone.");
	mcp_add_text(confirm, "type", "boolean");
	mcp_add_text(confirm, "title", "Do it");
	json_object_object_add(properties, "confirm", confirm);
	json_object_array_add(required, json_object_new_string("confirm"));
	mcp_add_text(schema, "type", "object");
	json_object_object_add(schema, "properties", properties);
	json_object_object_add(schema, "required", required);
	json_object_object_add(o, "requestedSchema", schema);
	return o;
}

static int judge_answer(struct json_object *answer, struct error *err)
{
	const char *action = json_get_string(answer, "action");

	if (action && !strcmp(action, "accept") && json_get_bool(answer, "content.confirm", false))
		return 1;
	return error_set(err, ERR_CANCELLED, "the user did not agree; nothing was done");
}

/* 2026-07-28: the question is an answer of its own, and the client calls again with what was said to it. */
static int ask_by_result(const struct mcp_call *c, const struct op *op, struct json_object *args, const char *token,
			 struct json_object **ret, struct error *err)
{
	const char *state = json_get_string(c->params, "requestState");
	struct json_object *said = json_get(c->params, "inputResponses.confirm"), *o, *requests, *request;
	int r;

	if (state && said) {
		r = check_token(op, args, state, err);
		return r < 0 ? r : judge_answer(said, err);
	}
	o = json_object_new_object();
	requests = json_object_new_object();
	request = json_object_new_object();
	mcp_add_text(request, "method", "elicitation/create");
	json_object_object_add(request, "params", question(c, op, args));
	json_object_object_add(requests, "confirm", request);
	mcp_add_text(o, "resultType", "input_required");
	json_object_object_add(o, "inputRequests", requests);
	mcp_add_text(o, "requestState", token);
	*ret = o;
	return 0;
}

int mcp_confirm(const struct mcp_call *c, const struct op *op, struct json_object *args, const char *token,
		struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *asked = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	char fresh[TOKEN_BYTES];
	int r;

	if (token)
		return check_token(op, args, token, err);
	if (make_token(op, args, clock_wall_s() + MCP_PLAN_S, random_u64(), fresh) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (!c->can_elicit)
		return add_plan(c, op, args, fresh, ret, err);
	if (c->revision >= MCP_2026_07_28)
		return ask_by_result(c, op, args, fresh, ret, err);
	asked = question(c, op, args);
	r = c->ask(c->arg, "elicitation/create", asked, &answer, err);
	return r < 0 ? r : judge_answer(answer, err);
}
