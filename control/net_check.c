#include "control/net_check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

/* 4, 6, or 0 when it is no address. */
static int version_of(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, text, address) == 1)
		return 4;
	return inet_pton(AF_INET6, text, address) == 1 ? 6 : 0;
}

static int check_address(const char *name, const char *text, struct error *err)
{
	return !text || version_of(text) ? 0
					 : error_set(err, ERR_INVALID, "parameter '%s' must be an IP address, not '%.64s'",
						     name, text);
}

static int check_list(struct json_object *params, const char *name, struct error *err)
{
	struct json_object *list = json_get_array(params, name);
	int r = 0;

	for (size_t i = 0; list && r == 0 && i < json_object_array_length(list); i++)
		r = check_address(name, json_object_get_string(json_object_array_get_idx(list, i)), err);
	return r;
}

static int bad_cidr(const char *text, struct error *err)
{
	return error_set(err, ERR_INVALID, "parameter 'cidr' must be an address range such as 192.0.2.0/24, not '%.64s'", text);
}

static int put_text(struct json_object *o, const char *name, const char *text, struct error *err)
{
	return json_object_object_add(o, name, json_object_new_string(text)) == 0 ? 0 : error_no_memory(err);
}

static int put_int(struct json_object *o, const char *name, int64_t n, struct error *err)
{
	return json_object_object_add(o, name, json_object_new_int64(n)) == 0 ? 0 : error_no_memory(err);
}

static int read_cidr(struct json_object *o, struct error *err)
{
	const char *text = json_get_string(o, "cidr"), *slash = text ? strchr(text, '/') : NULL;
	CLEANUP(freep) char *address = NULL;
	uint64_t bits = 0;
	int version, r;

	if (!text)
		return json_get_string(o, "remote_group") ? 0 : put_text(o, "_cidr_any", "0.0.0.0/0", err);
	if (!slash || str_to_u64(str_of(slash + 1), &bits) < 0)
		return bad_cidr(text, err);
	address = str_dup((struct str){text, (size_t)(slash - text)});
	if (!address)
		return error_no_memory(err);
	version = version_of(address);
	if (!version || bits > (version == 4 ? 32 : 128))
		return bad_cidr(text, err);
	r = put_text(o, version == 4 ? "_cidr_4" : "_cidr_6", text, err);
	if (r == 0)
		r = put_int(o, "_cidr_version", version, err);
	return r < 0 ? r : put_text(o, "_cidr_ethertype", version == 4 ? "IPv4" : "IPv6", err);
}

static int check_protocol(struct json_object *o, struct error *err)
{
	const char *text = json_get_string(o, "protocol");
	uint64_t number;

	if (!text)
		return 0;
	if (!strcmp(text, "any")) {
		json_object_object_del(o, "protocol");
		return 0;
	}
	if (str_to_u64(str_of(text), &number) == 0 ? number > 255
						    : !islower((unsigned char)*text) ||
							      text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return error_set(err, ERR_INVALID, "parameter 'protocol' must be tcp, udp, icmp, any or a number to 255, not '%.32s'",
				 text);
	return 0;
}

static int bad_ports(const char *text, struct error *err)
{
	return error_set(err, ERR_INVALID, "parameter 'ports' must be a port or a range such as 8000-8080, not '%.16s'", text);
}

static int read_ports(struct json_object *o, struct error *err)
{
	const char *text = json_get_string(o, "ports"), *protocol = json_get_string(o, "protocol");
	bool has_ports = protocol && (!strcmp(protocol, "tcp") || !strcmp(protocol, "udp") || !strcmp(protocol, "sctp"));
	struct str rest = str_of(text ? text : ""), from = str_split(&rest, '-');
	uint64_t min = 0, max = 65535;
	int r;

	if (text && !has_ports)
		return error_set(err, ERR_INVALID, "parameter 'ports' needs protocol tcp, udp or sctp");
	if (text && (str_to_u64(from, &min) < 0 || str_to_u64(rest.ptr ? rest : from, &max) < 0 || !min || max > 65535 || min > max))
		return bad_ports(text, err);
	r = put_int(o, "_ports_from", has_ports ? (int64_t)min : -1, err);
	if (r == 0)
		r = put_int(o, "_ports_to", has_ports ? (int64_t)max : -1, err);
	if (r < 0 || !text)
		return r;
	r = put_int(o, "_ports_min", (int64_t)min, err);
	if (r == 0)
		r = put_int(o, "_ports_max", (int64_t)max, err);
	return r < 0 ? r : put_text(o, "_ports_range", text, err);
}

int net_check_params(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	int r = json_object_deep_copy(params, &o, NULL) == 0 ? 0 : error_no_memory(err);

	if (r == 0)
		r = check_address("address", json_get_string(o, "address"), err);
	if (r == 0)
		r = check_address("gateway", json_get_string(o, "gateway"), err);
	if (r == 0)
		r = check_address("fixed_address", json_get_string(o, "fixed_address"), err);
	if (r == 0)
		r = check_list(o, "dns", err);
	if (r == 0)
		r = read_cidr(o, err);
	if (r == 0)
		r = check_protocol(o, err);
	if (r == 0)
		r = read_ports(o, err);
	if (r == 0 && json_get_bool(o, "no_gateway", false) && json_get_string(o, "gateway"))
		r = error_set(err, ERR_INVALID, "parameters 'gateway' and 'no_gateway' exclude each other");
	if (r == 0)
		*ret = steal(o);
	return r;
}
