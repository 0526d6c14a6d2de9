/*
 * Names, values and texts of DNS: what is taken, in which spelling, and what is refused.
 */
#include "backends/cloud/dns_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void expect_name(const char *text, const char *wanted)
{
	CLEANUP(freep) char *name = NULL;
	struct error err = ERROR_INIT;

	if (!wanted) {
		assert_true(dns_name(text, &name, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
		return;
	}
	assert_int_equal(dns_name(text, &name, &err), 0);
	assert_string_equal(name, wanted);
}

static void names_have_one_spelling(void **state)
{
	char label[80], whole[512];

	(void)state;
	expect_name("@", "@");
	expect_name("WWW", "www");
	expect_name("*.Dev.Example.ORG.", "*.dev.example.org.");
	expect_name("_sip._tcp", "_sip._tcp");
	expect_name("0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa");
	expect_name("B\303\274cher.example", "xn--bcher-kva.example");
	expect_name("fa\303\237.de", "xn--fa-hia.de");
	expect_name("", NULL);
	expect_name("a..b", NULL);
	expect_name(".a", NULL);
	expect_name("a b", NULL);
	expect_name("a.*.b", NULL);
	expect_name("-a.b", NULL);
	expect_name("a-.b", NULL);
	expect_name("a\nb", NULL);
	expect_name("a\"b", NULL);
	expect_name("\303\50", NULL);
	memset(label, 'a', sizeof label);
	label[63] = '\0';
	expect_name(label, label);
	label[63] = 'a';
	label[64] = '\0';
	expect_name(label, NULL);
	label[63] = '\0';
	(void)snprintf(whole, sizeof whole, "%s.%s.%s.%.61s", label, label, label, label); /* 253 */
	expect_name(whole, whole);
	(void)snprintf(whole, sizeof whole, "%s.%s.%s.%.62s", label, label, label, label);
	expect_name(whole, NULL);
}

static void expect_full(const char *name, const char *wanted)
{
	CLEANUP(freep) char *full = NULL;
	struct error err = ERROR_INIT;
	int r = dns_full_name(name, "example.org", &full, &err);

	assert_int_equal(r < 0, wanted == NULL);
	if (wanted)
		assert_string_equal(full, wanted);
}

static void a_name_is_relative_full_or_the_zone_itself(void **state)
{
	struct str s = dns_relative("www.example.org", "example.org");

	(void)state;
	expect_full("@", "example.org");
	expect_full("www", "www.example.org");
	expect_full("www.example.org", "www.example.org");
	expect_full("www.example.org.", "www.example.org");
	expect_full("example.org", "example.org");
	expect_full("notexample.org", "notexample.org.example.org");
	expect_full("example.com.", NULL);
	expect_full("notexample.org.", NULL);
	assert_true(str_equal(s, STR("www")));
	assert_true(str_equal(dns_relative("example.org", "example.org"), STR("@")));
	assert_true(str_equal(dns_relative("notexample.org", "example.org"), STR("notexample.org")));
}

static void values_have_one_spelling_or_are_refused(void **state)
{
	static const struct {
		const char *type, *text, *wanted;
	} rows[] = {
		{ "A", "192.0.2.1", "192.0.2.1" },
		{ "A", "192.0.2.256", NULL },
		{ "A", "192.0.2", NULL },
		{ "A", "2001:db8::1", NULL },
		{ "A", "192.0.2.1 192.0.2.2", NULL },
		{ "AAAA", "2001:DB8:0:0::1", "2001:db8::1" },
		{ "AAAA", "192.0.2.1", NULL },
		{ "CNAME", "Mail.Example.ORG.", "mail.example.org" },
		{ "CNAME", "a b", NULL },
		{ "CNAME", "@", NULL },
		{ "MX", "10   mail.example.org.", "10 mail.example.org" },
		{ "MX", "0 .", "0 ." },
		{ "MX", "mail.example.org", NULL },
		{ "MX", "65536 mail.example.org", NULL },
		{ "MX", "-1 mail.example.org", NULL },
		{ "SRV", "0 5 5060 sip.example.org", "0 5 5060 sip.example.org" },
		{ "SRV", "0 5 sip.example.org", NULL },
		{ "CAA", "0 issue ca.example", "0 issue \"ca.example\"" },
		{ "CAA", "0 ISSUE \"ca.example; x=1\"", "0 issue \"ca.example; x=1\"" },
		{ "CAA", "256 issue \"ca\"", NULL },
		{ "CAA", "0 is-sue \"ca\"", NULL },
		{ "CAA", "0 issue \"ca", NULL },
		{ "CAA", "0 issue ca\\", NULL },
		{ "CAA", "0 issue \"c\\097\\;\"", "0 issue \"ca;\"" },
		{ "CAA", "0 issue a\\\\\\\"b", "0 issue \"a\\\\\\\"b\"" },
		{ "CAA", "0 issue a\\200", "0 issue \"a\\200\"" },
		{ "CAA", "0 issue a\\300", NULL },
		{ "NS", "ns1.example.org.", "ns1.example.org" },
		{ "PTR", "host.example.org", "host.example.org" },
		{ "SSHFP", "1 1 1234567890ABCDEF1234567890abcdef12345678", "1 1 1234567890abcdef1234567890abcdef12345678" },
		{ "SSHFP", "1 1 1234", NULL },
		{ "TLSA", "3 1 0 ABCD", "3 1 0 abcd" },
		{ "TLSA", "3 1 0 ABC", NULL },
		{ "TLSA", "3 1 1 abcd", NULL },
		{ "DS", "12345 13 9 ab cd", "12345 13 9 abcd" },
		{ "DS", "12345 13 2 abcd", NULL },
		{ "NAPTR", "10 20 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.org.",
		  "10 20 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.org" },
		{ "NAPTR", "10 20 \"S\" \"SIP+D2U\" _sip._udp.example.org.", NULL },
		{ "HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.1", "1 . alpn=h2,h3 ipv4hint=192.0.2.1" },
		{ "HTTPS", "1 . alpn=h2 alpn=h3", NULL },
		{ "SVCB", "0 svc.example.org.", "0 svc.example.org" },
		{ "SVCB", "1 svc Key=1", NULL },
		{ "TXT", "v=spf1 -all", "v=spf1 -all" },
		{ "TXT", "\"v=spf1\" \" -all\"", "v=spf1 -all" },
		{ "TXT", "\"\"", "\"\"" },
		{ "TXT", "\"a\\034b\"", "a\"b" },
		{ "TXT", "\"\\\"a\"", "\"\\\"a\"" },
		{ "TXT", "a\tb", "\"a\\009b\"" },
		{ "TXT", "\"open", NULL },
		{ "TXT", "\"a\" b", NULL },
		{ "TXT", "\"a\\999\"", NULL },
		{ "WKS", "x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *value = NULL, *again = NULL;
		struct error err = ERROR_INIT;
		int r = dns_value(rows[i].type, rows[i].text, &value, &err);

		if ((r < 0) != (rows[i].wanted == NULL) || (value && strcmp(value, rows[i].wanted) != 0))
			fail_msg("%s '%s': %s %s", rows[i].type, rows[i].text, value ? value : "-", err.message);
		if (!value)
			continue;
		assert_int_equal(dns_value(rows[i].type, value, &again, &err), 0);
		assert_string_equal(again, value);
	}
}

static void texts_are_cut_into_strings_of_255_bytes_and_put_together_again(void **state)
{
	static const enum dns_escape escapes[] = { DNS_ESCAPE_DECIMAL, DNS_ESCAPE_OCTAL, DNS_ESCAPE_SHORT };
	char bytes[700];

	(void)state;
	for (size_t len = 0; len < sizeof bytes; len += 51) {
		for (size_t e = 0; e < ARRAY_SIZE(escapes); e++) {
			CLEANUP(freep) char *value = NULL, *wire = NULL, *back = NULL;
			CLEANUP(buf_release) struct buf b = BUF_INIT(DNS_TXT_MAX);
			struct error err = ERROR_INIT;
			size_t strings = 0;

			for (size_t i = 0; i < len; i++)
				bytes[i] = (char)(i * 7);
			assert_int_equal(dns_txt_value((struct str){ bytes, len }, &value, &err), 0);
			assert_int_equal(dns_txt_quote(value, escapes[e], &wire, &err), 0);
			assert_int_equal(dns_txt_unquote(wire, escapes[e], &back, &err), 0);
			assert_string_equal(back, value);
			assert_int_equal(dns_txt_bytes(back, &b, &err), 0);
			assert_int_equal(b.len, len);
			if (len)
				assert_memory_equal(b.data, bytes, len);
			for (const char *p = wire; (p = strstr(p, "\" \"")) != NULL; p++)
				strings += p == wire || p[-1] != '\\';
			assert_true(strings + 1 >= (len + 254) / 255);
		}
	}
}

static void what_a_service_gets_has_its_dots_and_quotes(void **state)
{
	static const struct {
		const char *type, *value, *wire;
	} rows[] = {
		{ "MX", "10 mail.example.org", "10 mail.example.org." },
		{ "MX", "0 .", "0 ." },
		{ "CNAME", "a.b", "a.b." },
		{ "A", "192.0.2.1", "192.0.2.1" },
		{ "SRV", "0 5 5060 s.example.org", "0 5 5060 s.example.org." },
		{ "CAA", "0 issue \"ca\"", "0 issue \"ca\"" },
		{ "HTTPS", "1 h.example.org alpn=h2", "1 h.example.org. alpn=h2" },
		{ "NAPTR", "1 2 \"a b\" \"c\" \"\" x.y", "1 2 \"a b\" \"c\" \"\" x.y." },
		{ "TXT", "say \"x\"", "\"say \\\"x\\\"\"" },
		{ "SOA", "ns.a. h.a 1 2 3 4 5", "ns.a. h.a. 1 2 3 4 5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *wire = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(dns_value_wire(rows[i].type, rows[i].value, DNS_ESCAPE_DECIMAL, &wire, &err), 0);
		assert_string_equal(wire, rows[i].wire);
	}
}

static struct json_object *checked(const char *params, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_tokener_parse(params);
	struct json_object *ret = NULL;
	int r;

	assert_non_null(o);
	*err = ERROR_INIT;
	r = dns_check_params(o, &ret, err);
	assert_int_equal(r < 0, ret == NULL);
	return ret;
}

static void parameters_are_checked_and_brought_into_one_spelling(void **state)
{
	static const char *const bad[] = {
		"{\"zone\":\"example.org\",\"name\":\"a b\",\"type\":\"A\"}",
		"{\"zone\":\"exa mple.org\"}",
		"{\"zone\":\"example.org\",\"name\":\"a\",\"type\":\"A\",\"values\":[]}",
		"{\"zone\":\"example.org\",\"name\":\"a\",\"type\":\"A\",\"values\":[\"x\"]}",
		"{\"zone\":\"example.org\",\"name\":\"a\",\"type\":\"CNAME\",\"values\":[\"b\",\"c\"]}",
		"{\"zone\":\"example.org\",\"name\":\"@\",\"type\":\"CNAME\",\"values\":[\"b\"]}",
		"{\"zone\":\"example.org\",\"name\":\"@\",\"type\":\"SOA\",\"values\":[\"a b 1 2 3 4 5\"]}",
		"{\"address\":\"192.0.2.1\",\"name\":\"@\"}",
	};
	struct error err;
	struct json_object *o;

	(void)state;
	o = checked("{\"zone\":\"Example.ORG.\",\"name\":\"WWW\",\"type\":\"AAAA\",\"values\":[\"2001:DB8::1\",\"2001:db8:0::1\"]}", &err);
	assert_string_equal(json_get_string(o, "zone"), "example.org");
	assert_string_equal(json_get_string(o, "name"), "www");
	assert_int_equal(json_object_array_length(json_get_array(o, "values")), 1);
	json_object_put(o);
	o = checked("{\"zone\":\"/hostedzone/Z1\"}", &err);
	assert_string_equal(json_get_string(o, "zone"), "/hostedzone/Z1");
	json_object_put(o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		o = checked(bad[i], &err);
		if (o)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_one_spelling),
		cmocka_unit_test(a_name_is_relative_full_or_the_zone_itself),
		cmocka_unit_test(values_have_one_spelling_or_are_refused),
		cmocka_unit_test(texts_are_cut_into_strings_of_255_bytes_and_put_together_again),
		cmocka_unit_test(what_a_service_gets_has_its_dots_and_quotes),
		cmocka_unit_test(parameters_are_checked_and_brought_into_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
