/*
 * Zone files into sets and back, and plans: what changes, what is dangerous, what is left alone.
 */
#include "backends/cloud/dns_plan.h"
#include "backends/cloud/dns_zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct json_object *parse(const char *text, struct error *err)
{
	struct json_object *sets = NULL;
	int r;

	*err = ERROR_INIT;
	r = dns_zonefile_parse("example.org", str_of(text), &sets, err);
	assert_int_equal(r < 0, sets == NULL);
	return sets;
}

static void expect_sets(const char *text, const char *wanted)
{
	CLEANUP(json_putp) struct json_object *sets = NULL;
	struct error err;

	sets = parse(text, &err);
	if (!sets)
		fail_msg("%s", err.message);
	assert_string_equal(json_object_to_json_string_ext(sets, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), wanted);
}

static void a_zone_file_is_read_as_name_servers_do(void **state)
{
	(void)state;
	expect_sets("; a comment\n$TTL 1h\n@ IN SOA ns1 host ( 1 ; serial\n 2 3\n 4 5 )\n  NS ns1\n  NS ns2.example.net.\n"
		    "www 300 IN A 192.0.2.1\n    IN 300 A 192.0.2.2\n$ORIGIN sub\nwww\tAAAA 2001:DB8::1\n@ MX 10 @\n",
		    "[{\"name\":\"example.org\",\"type\":\"SOA\",\"ttl\":3600,\"values\":[\"ns1.example.org host.example.org 1 2 3 4 5\"]},"
		    "{\"name\":\"example.org\",\"type\":\"NS\",\"ttl\":3600,\"values\":[\"ns1.example.org\",\"ns2.example.net\"]},"
		    "{\"name\":\"www.example.org\",\"type\":\"A\",\"ttl\":300,\"values\":[\"192.0.2.1\",\"192.0.2.2\"]},"
		    "{\"name\":\"www.sub.example.org\",\"type\":\"AAAA\",\"ttl\":3600,\"values\":[\"2001:db8::1\"]},"
		    "{\"name\":\"sub.example.org\",\"type\":\"MX\",\"ttl\":3600,\"values\":[\"10 sub.example.org\"]}]");
	expect_sets("t TXT \"a;b\" \"c(\"\nu TXT (\n \"x\"\n y )\nv TXT \"\\\"q\\\"\"\n\\052.d CNAME @\r\n",
		    "[{\"name\":\"t.example.org\",\"type\":\"TXT\",\"ttl\":null,\"values\":[\"a;bc(\"]},"
		    "{\"name\":\"u.example.org\",\"type\":\"TXT\",\"ttl\":null,\"values\":[\"xy\"]},"
		    "{\"name\":\"v.example.org\",\"type\":\"TXT\",\"ttl\":null,\"values\":[\"\\\"\\\\\\\"q\\\\\\\"\\\"\"]},"
		    "{\"name\":\"*.d.example.org\",\"type\":\"CNAME\",\"ttl\":null,\"values\":[\"example.org\"]}]");
	expect_sets("", "[]");
}

static void what_cannot_be_meant_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "$INCLUDE /etc/passwd\n", "line 1" },
		{ "\n$GENERATE 1-9 a A 1.1.1.1\n", "line 2" },
		{ "a A 192.0.2.1\nb A x\n", "line 2" },
		{ "a A (\n192.0.2.1\n", "not closed" },
		{ "a A )192.0.2.1\n", "line 1" },
		{ "a TXT \"open\n", "line 1" },
		{ "a TXT \"open", "line 1" },
		{ "a CH A 192.0.2.1\n", "IN" },
		{ "a TYPE65534 \\# 0\n", "line 1" },
		{ "a.example.com. A 192.0.2.1\n", "not in the zone" },
		{ "a 60 A 192.0.2.1\na 61 A 192.0.2.2\n", "different TTLs" },
		{ "a CNAME b\na A 192.0.2.1\n", "stands alone" },
		{ "a A 192.0.2.1\na CNAME b\n", "stands alone" },
		{ "a CNAME b\na CNAME c\n", "one value" },
		{ "@ CNAME b\n", "no CNAME" },
		{ " A 192.0.2.1\n", "no name" },
		{ "a\n", "no type" },
		{ "$TTL x\n", "line 1" },
		{ "a 99999999999 A 192.0.2.1\n", "line 1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err;
		struct json_object *sets = parse(rows[i].text, &err);

		if (sets || err.kind != ERR_INVALID || !strstr(err.message, rows[i].line))
			fail_msg("'%s': %s", rows[i].text, err.message);
	}
}

static void what_is_written_is_read_again(void **state)
{
	static const char *const text =
		"$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ MX 0 .\n@ TXT \"\\000\\255 \\\" ;\" \"two\"\n@ CAA 0 issue \"ca; x=1\"\n"
		"_s._tcp SRV 0 5 5060 sip\nn NAPTR 1 2 \"S\" \"x\" \"!a!b!\" .\n*.w A 192.0.2.1\nh HTTPS 1 . alpn=\"h2,h3\"\n";
	CLEANUP(json_putp) struct json_object *first = NULL, *second = NULL, *plan = NULL;
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	struct error err;

	(void)state;
	first = parse(text, &err);
	assert_non_null(first);
	assert_int_equal(dns_zonefile_write("example.org", first, &out, &err), 0);
	second = parse(buf_cstr(&out), &err);
	if (!second)
		fail_msg("%s\n%s", err.message, buf_cstr(&out));
	assert_int_equal(json_object_array_length(first), json_object_array_length(second));
	assert_int_equal(dns_plan_make("example.org", first, second, DNS_APEX_NS_TOO, &plan, &err), 0);
	assert_string_equal(json_get_string(plan, "plan"), "");
}

static void sets_without_a_ttl_stay_so(void **state)
{
	CLEANUP(json_putp) struct json_object *first = NULL, *second = NULL, *plan = NULL;
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	struct error err;

	(void)state;
	first = parse("longer A 192.0.2.1\n@ 60 SOA a b 1 2 3 4 5\na 60 A 192.0.2.1\n", &err);
	assert_int_equal(dns_zonefile_write("example.org", first, &out, &err), 0);
	second = parse(buf_cstr(&out), &err);
	assert_int_equal(dns_plan_make("example.org", first, second, DNS_APEX_NS_TOO, &plan, &err), 0);
	assert_string_equal(json_get_string(plan, "plan"), "");
}

static struct json_object *plan_of(const char *there, const char *wanted, enum dns_apex_ns apex, struct error *err)
{
	CLEANUP(json_putp) struct json_object *a = parse(there, err), *b = parse(wanted, err);
	struct json_object *plan = NULL;
	int r;

	assert_non_null(a);
	assert_non_null(b);
	r = dns_plan_make("example.org", a, b, apex, &plan, err);
	assert_int_equal(r < 0, plan == NULL);
	return plan;
}

#define TEN "$TTL 60\n@ NS ns1\n@ SOA a b 1 2 3 4 5\na A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\nd A 192.0.2.1\n" \
	    "e A 192.0.2.1\nf A 192.0.2.1\ng A 192.0.2.1\n"
#define THREE "h A 192.0.2.1\ni A 192.0.2.1\nj A 192.0.2.1\n"

static void a_plan_says_what_changes_and_has_a_checksum(void **state)
{
	struct error err;
	struct json_object *plan = plan_of(TEN THREE, TEN "h A 192.0.2.2\ni A 192.0.2.1\nk TXT x\n", DNS_APEX_NS_LEAVE, &err);
	struct json_object *again = plan_of(TEN THREE, TEN "i A 192.0.2.1\nk TXT x\nh A 192.0.2.2\n", DNS_APEX_NS_LEAVE, &err);
	struct json_object *other = plan_of(TEN THREE, TEN "h A 192.0.2.3\ni A 192.0.2.1\nk TXT x\n", DNS_APEX_NS_LEAVE, &err);

	(void)state;
	assert_string_equal(json_get_string(plan, "plan"), "~ - h 60 A 192.0.2.1\n~ + h 60 A 192.0.2.2\n+ k 60 TXT x\n- j 60 A 192.0.2.1\n");
	assert_int_equal(json_get_int64(plan, "existing", -1), 10);
	assert_int_equal(json_get_int64(plan, "unchanged", -1), 8);
	assert_null(json_get(plan, "needs_force"));
	assert_int_equal(strlen(json_get_string(plan, "plan_id")), 32);
	assert_string_equal(json_get_string(plan, "plan_id"), json_get_string(again, "plan_id"));
	assert_string_not_equal(json_get_string(plan, "plan_id"), json_get_string(other, "plan_id"));
	json_object_put(plan);
	json_object_put(again);
	json_object_put(other);
}

static void a_plan_that_takes_much_away_needs_force(void **state)
{
	struct error err;
	struct json_object *plan = plan_of(TEN THREE, TEN, DNS_APEX_NS_LEAVE, &err); /* 3 of 10: just 30 % */

	(void)state;
	assert_null(json_get(plan, "needs_force"));
	json_object_put(plan);
	plan = plan_of(TEN THREE, TEN "j A 192.0.2.1\na AAAA ::1\n", DNS_APEX_NS_LEAVE, &err);
	assert_null(json_get(plan, "needs_force"));
	json_object_put(plan);
	plan = plan_of(TEN "h A 192.0.2.1\ni A 192.0.2.1\n", "", DNS_APEX_NS_LEAVE, &err);
	assert_non_null(json_get(plan, "needs_force"));
	assert_int_equal(json_object_array_length(json_get(plan, "deletes")), 9);
	json_object_put(plan);
	plan = plan_of("a A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n", "a A 192.0.2.9\nb A 192.0.2.1\nc A 192.0.2.1\n", DNS_APEX_NS_LEAVE, &err);
	assert_non_null(json_get(plan, "needs_force")); /* 33 % */
	json_object_put(plan);
}

static void the_zones_own_records_are_left_alone_unless_asked_for(void **state)
{
	struct error err;
	struct json_object *plan = plan_of(TEN, TEN "@ NS ns2\n", DNS_APEX_NS_LEAVE, &err);

	(void)state;
	assert_string_equal(json_get_string(plan, "plan"), "");
	json_object_put(plan);
	plan = plan_of(TEN, TEN "@ NS ns2\n", DNS_APEX_NS_TOO, &err);
	assert_int_equal(json_object_array_length(json_get(plan, "changes")), 1);
	assert_non_null(strstr(json_get_string(plan, "needs_force"), "NS"));
	json_object_put(plan);
	assert_null(plan_of(TEN, "a A 192.0.2.1\n", DNS_APEX_NS_TOO, &err));
	assert_int_equal(err.kind, ERR_INVALID);
}

static void aliases_and_routing_policies_are_left_alone(void **state)
{
	CLEANUP(json_putp) struct json_object *there = json_tokener_parse(
		"[{\"name\":\"a.example.org\",\"type\":\"A\",\"ttl\":null,\"values\":[],\"alias\":\"lb.example\"},"
		"{\"name\":\"w.example.org\",\"type\":\"A\",\"ttl\":60,\"values\":[\"192.0.2.1\"]},"
		"{\"name\":\"w.example.org\",\"type\":\"A\",\"ttl\":60,\"values\":[\"192.0.2.2\"]}]");
	CLEANUP(json_putp) struct json_object *none = json_object_new_array(), *plan = NULL, *bad = NULL, *wanted = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(dns_plan_make("example.org", there, none, DNS_APEX_NS_LEAVE, &plan, &err), 0);
	assert_string_equal(json_get_string(plan, "plan"), "");
	wanted = parse("w A 192.0.2.1\n", &err);
	assert_true(dns_plan_make("example.org", there, wanted, DNS_APEX_NS_LEAVE, &bad, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFLICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zone_file_is_read_as_name_servers_do),
		cmocka_unit_test(what_cannot_be_meant_is_refused_with_its_line),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(sets_without_a_ttl_stay_so),
		cmocka_unit_test(a_plan_says_what_changes_and_has_a_checksum),
		cmocka_unit_test(a_plan_that_takes_much_away_needs_force),
		cmocka_unit_test(the_zones_own_records_are_left_alone_unless_asked_for),
		cmocka_unit_test(aliases_and_routing_policies_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
