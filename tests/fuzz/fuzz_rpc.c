/* The control socket's lines: cut, read, checked against the table, answered. However they are cut, they are the same. */
#include "tests/fuzz/fuzz.h"
#include "control/op.h"
#include "control/rpc.h"

#define LINE_MAX_BYTES 2000

struct lines {
	struct buf all; /* joined by line feeds; a line that was too long is one NUL */
};

/* An answer is one line that is JSON. */
static void check_answer(struct buf *out)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	FUZZ_CHECK(out->len > 1 && out->data[out->len - 1] == '\n');
	FUZZ_CHECK(!memchr(out->data, '\n', out->len - 1));
	FUZZ_CHECK(json_parse((struct str){ out->data, out->len - 1 }, RPC_REPLY_MAX, &o, NULL) ==
		   0);
	FUZZ_CHECK(json_get_string(o, "jsonrpc"));
}

static void check_request(struct json_object *message)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
	struct rpc_request request;
	const struct op *op;
	struct error err = ERROR_INIT;
	const char *why = NULL;
	int code = rpc_parse_request(message, &request, &why), r = 0;

	FUZZ_CHECK(code == 0 || why);
	op = code == 0 ? op_find(request.method) : NULL;
	if (op) {
		r = op_check_params(op, request.params, &err);
		fuzz_check_result(r, &err);
	}
	if (rpc_add_error(&out, request.id, code ? code : RPC_METHOD_NOT_FOUND, why ? why : "no",
			  r < 0 ? &err : NULL) == 0)
		check_answer(&out);
	buf_clear(&out);
	if (code == 0 && rpc_add_utf8(&out, request.method) == 0)
		FUZZ_CHECK(out.len >= strlen(request.method));
}

static int on_line(void *arg, struct str line)
{
	struct lines *l = arg;
	CLEANUP(json_putp) struct json_object *message = NULL;

	if (!line.ptr)
		return buf_add(&l->all, "\0\n", 2);
	FUZZ_CHECK(line.len > 0 && line.len <= LINE_MAX_BYTES && !memchr(line.ptr, '\n', line.len));
	if (json_parse(line, RPC_LINE_MAX, &message, NULL) == 0)
		check_request(message);
	return buf_add_str(&l->all, line) < 0 ? -ENOMEM : buf_addc(&l->all, '\n');
}

static void push(struct str text, size_t step, struct lines *ret)
{
	CLEANUP(rpc_framer_release) struct rpc_framer framer = RPC_FRAMER_INIT(LINE_MAX_BYTES);

	for (size_t at = 0; at < text.len; at += step) {
		size_t len = text.len - at < step ? text.len - at : step;

		FUZZ_CHECK(rpc_framer_push(&framer, text.ptr + at, len, on_line, ret) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	size_t step = 1 + fuzz_byte(&input) % 64;
	struct lines whole = { BUF_INIT(64 << 20) }, cut = { BUF_INIT(64 << 20) };

	push(input, input.len ? input.len : 1, &whole);
	push(input, step, &cut);
	FUZZ_CHECK(str_equal(buf_str(&whole.all), buf_str(&cut.all)));
	buf_release(&whole.all);
	buf_release(&cut.all);
	return 0;
}
